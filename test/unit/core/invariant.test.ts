import { expect, test } from 'vitest'
import { InvariantError, invariant } from '../../../src/core/invariant.js'

test('an invariant that holds is silent; a broken one throws what it says', () => {
  invariant(1 + 1 === 2, 'arithmetic')
  expect(() => invariant(undefined, 'the offset is known')).toThrow(new InvariantError('the offset is known'))
})
