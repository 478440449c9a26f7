import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { InvariantError, invariant } from '../../../src/core/invariant.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

const swallower = fileURLToPath(new URL('../../support/invariant-swallower.ts', import.meta.url))

test('an invariant that holds does nothing; a broken one throws its message', () => {
  invariant(1 + 1 === 2, 'arithmetic')
  expect(() => invariant(undefined, 'the offset is known')).toThrow(new InvariantError('the offset is known'))
})

test.each(['catch', 'worker', 'job', 'request'])(
  'one that is broken in a %s ends the process with its message',
  async where => {
    const run = promisify(execFile)(process.execPath, ['--import', 'tsx', swallower, where])
    await expect(run).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`broken in a ${where}`)
    })
  }
)
