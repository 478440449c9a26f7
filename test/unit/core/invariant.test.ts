import { expect, test } from 'vitest'
import { InvariantError, invariant } from '../../../src/core/invariant.js'

test('an invariant that holds does nothing; a broken one throws its message', () => {
  invariant(1 + 1 === 2, 'arithmetic')
  expect(() => invariant(undefined, 'the offset is known')).toThrow(new InvariantError('the offset is known'))
})
