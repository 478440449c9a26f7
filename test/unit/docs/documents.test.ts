import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ERROR_CODES } from '../../../src/core/errors.js'
import { documentFaults, driftOf, README_BYTES_MAX, readmeTooLong, unknownLogLines } from '../../support/docs/faults.js'
import { generatedDocuments } from '../../support/docs/generated.js'
import { temporaryFolder } from '../../support/node-process.js'

test('nothing is wrong with the documents (else: npm run docs, then npm run docs:check)', async () => {
  expect(await documentFaults()).toEqual([])
})

test('the reference has every error code, every setting and every command', async () => {
  const byPath = new Map((await generatedDocuments()).map(({ path, text }) => [path, text]))
  for (const code of Object.keys(ERROR_CODES))
    expect(byPath.get('docs/reference/errors.md')).toContain(`| \`${code}\` |`)
  expect(byPath.get('docs/reference/settings.md')).toContain('| `--min-copies N` | `SHEAF_MIN_COPIES` | `1` |')
  const commands = byPath.get('docs/reference/cli.md')
  for (const name of ['start', 'put', 'rebuild-directory', 'member', 'models add', 'completion']) {
    expect(commands).toContain(`\n## sheaf ${name}\n`)
  }
})

describe('what the check finds', () => {
  test('a generated document that differs or is missing', () => {
    const { path: root, remove } = temporaryFolder('documents')
    onTestFinished(remove)
    writeFileSync(join(root, 'a.md'), 'old')
    expect(driftOf(root, { path: 'a.md', text: 'old' })).toEqual([])
    expect(driftOf(root, { path: 'a.md', text: 'new' })).toEqual(['a.md is not what the code says; run: npm run docs'])
    expect(driftOf(root, { path: 'b.md', text: 'new' })).toHaveLength(1)
  })

  test('a log line that nobody writes any more', () => {
    const sources = "log.warn({ err }, 'the disk is full')"
    expect(unknownLogLines('a.md', '- Log: `the disk is full`\nnot a `promise`', sources)).toEqual([])
    expect(unknownLogLines('a.md', '- Log: `the disk is full` or `it burns`', sources)).toEqual([
      'a.md: no source file logs "it burns"'
    ])
  })

  test('a README that is too long', () => {
    expect(readmeTooLong('a'.repeat(README_BYTES_MAX))).toEqual([])
    expect(readmeTooLong('ä'.repeat(README_BYTES_MAX / 2 + 1))).toHaveLength(1)
  })
})
