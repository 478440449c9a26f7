import { expect, test } from 'vitest'
import { Principals } from '../../../../src/http/wire/principals.js'

const TOKEN = '0123456789abcdef'.repeat(4)
const principals = new Principals(TOKEN)

test.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Bearer   ${TOKEN} `])('%j is the operator', authorization => {
  expect(principals.of({ authorization })).toEqual({ kind: 'operator' })
})

test.each([
  '',
  TOKEN,
  'Bearer',
  'Bearer ',
  `Bearer ${TOKEN.slice(1)}`,
  `Bearer ${TOKEN}0`,
  `Bearer ${TOKEN.toUpperCase()}`,
  `Bearer ${'0'.repeat(64)}`,
  `Basic ${TOKEN}`,
  `Bearer ${TOKEN} ${TOKEN}`
])('%j names nobody', authorization => {
  expect(principals.of({ authorization })).toEqual({ kind: 'anonymous' })
})

test('nor does nothing at all', () => {
  expect(principals.of({})).toEqual({ kind: 'anonymous' })
})
