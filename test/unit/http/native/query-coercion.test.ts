import { expect, test } from 'vitest'
import { checkQueryEscapes, coerceQuery } from '../../../../src/http/native/query-coercion.js'

const schema = {
  properties: { n: { type: 'integer' }, x: { type: 'number' }, many: { type: 'array' }, text: { type: 'string' } }
}

test.each<[Record<string, unknown>, Record<string, unknown>]>([
  [{ n: '12' }, { n: 12 }],
  [{ n: '-3' }, { n: -3 }],
  [{ n: '1.5' }, { n: '1.5' }],
  [{ n: '1e3' }, { n: '1e3' }],
  [{ n: '' }, { n: '' }],
  [{ n: ' 1' }, { n: ' 1' }],
  [{ n: '0x10' }, { n: '0x10' }],
  [{ n: '9999999999999999' }, { n: '9999999999999999' }],
  [{ n: ['1', '2'] }, { n: ['1', '2'] }],
  [{ x: '-0.25' }, { x: -0.25 }],
  [{ x: '1' }, { x: 1 }],
  [{ x: '.5' }, { x: '.5' }],
  [{ x: '1e3' }, { x: 1000 }],
  [{ x: '-2.5E-05' }, { x: -0.000025 }],
  [{ x: '1e999' }, { x: '1e999' }],
  [{ x: 'NaN' }, { x: 'NaN' }],
  [{ many: 'a' }, { many: ['a'] }],
  [{ many: ['a', 'b'] }, { many: ['a', 'b'] }],
  [{ text: '12' }, { text: '12' }],
  [{ unknown: '12' }, { unknown: '12' }]
])('%j becomes %j', (query, coerced) => {
  coerceQuery(query, schema)
  expect(query).toEqual(coerced)
})

test.each(['/a?b=%', '/a?b=%z1', '/a?b=%1', '/a?b=%ff', '/a?%e2%82=1'])('%s is refused', url => {
  expect(() => checkQueryEscapes(url)).toThrow(expect.objectContaining({ code: 'ERR_BAD_PARAMETER' }))
})

test.each(['/a', '/a?', '/a?b=c', '/a?b=%E2%82%AC', '/%zz', '/%zz?b=c'])('%s passes', url => {
  expect(() => checkQueryEscapes(url)).not.toThrow()
})
