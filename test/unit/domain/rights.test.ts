import { expect, test } from 'vitest'
import { everyNeed, lackOf, type Needs, RIGHTS, rightsOf } from '../../../src/domain/rights.js'

const COMPACT: Needs = { needs: ['maintain'], with: { now: ['operate'] } }
const anonymous = rightsOf({ kind: 'anonymous' })

test('without accounts everybody may do all but what only the operator may', () => {
  expect(RIGHTS.filter(right => !anonymous.has(right))).toEqual(['operate'])
  expect(RIGHTS.filter(right => !rightsOf({ kind: 'operator' }).has(right))).toEqual([])
})

test('all rights that an operation needs have to be there', () => {
  expect(lackOf(new Set(['edit']), { needs: ['edit', 'delete'] }, {})).toBe('delete')
  expect(lackOf(new Set(['edit', 'delete']), { needs: ['edit', 'delete'] }, {})).toBeUndefined()
  expect(lackOf(new Set(), { needs: [] }, {})).toBeUndefined()
})

test('a flag of the query can need more, where it is set', () => {
  expect(everyNeed(COMPACT)).toEqual(['maintain', 'operate'])
  expect(lackOf(anonymous, COMPACT, { now: true })).toBe('operate')
  for (const query of [{}, { now: false }, { other: true }]) expect(lackOf(anonymous, COMPACT, query)).toBeUndefined()
  expect(lackOf(new Set(['operate']), COMPACT, { now: true })).toBe('maintain')
})
