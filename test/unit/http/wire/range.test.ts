import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRange } from '../../../../src/http/wire/range.js'

describe('parseRange', () => {
  test.each([
    ['bytes=0-0', 10, { start: 0, end: 1 }],
    ['bytes=0-9', 10, { start: 0, end: 10 }],
    ['bytes=0-10', 10, { start: 0, end: 10 }],
    ['bytes=9-', 10, { start: 9, end: 10 }],
    ['bytes=-1', 10, { start: 9, end: 10 }],
    ['bytes=-11', 10, { start: 0, end: 10 }],
    ['BYTES=3-4', 10, { start: 3, end: 5 }],
    ['bytes= 3-4 ', 10, { start: 3, end: 5 }],
    ['bytes=,3-4,,', 10, { start: 3, end: 5 }],
    ['bytes=0-99999999999999999999999', 10, { start: 0, end: 10 }],
    ['bytes=-99999999999999999999999', 10, { start: 0, end: 10 }]
  ])('%s of %i bytes', (header, size, range) => {
    expect(parseRange(header, size)).toEqual(range)
  })

  test.each([
    'bytes=10-',
    'bytes=10-20',
    'bytes=99999999999999999999999-',
    'bytes=-0',
    'bytes=5-4',
    'bytes=99999999999999999999999-99999999999999999999998',
    'bytes=-',
    'bytes=',
    'bytes=,',
    'bytes=a-b',
    'bytes=1',
    'bytes=1-2-3',
    'bytes=0x1-2',
    'bytes=+1-2',
    'bytes=1 - 2',
    'bytes=0-1,x',
    'bytes',
    '0-1',
    ''
  ])('%j is unsatisfiable', header => {
    expect(parseRange(header, 10)).toBe('unsatisfiable')
  })

  test.each(['bytes=0-1,3-4', 'bytes=0-1, -1', 'bytes=20-30,40-50', 'items=0-1', 'lines=x'])(
    '%j means the whole',
    header => {
      expect(parseRange(header, 10)).toBe('whole')
    }
  )

  test('no range of an empty file is satisfiable', () => {
    for (const header of ['bytes=0-', 'bytes=-5', 'bytes=0-0']) expect(parseRange(header, 0)).toBe('unsatisfiable')
  })

  test('a valid single range gives the bytes that RFC 9110 says, for any numbers', () => {
    const number = fc.oneof(fc.nat(40), fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 10n ** 30n }))
    fc.assert(
      fc.property(number, number, fc.integer({ min: 1, max: 30 }), (a, b, size) => {
        const [first, last] = [BigInt(a), BigInt(b)]
        const bytes = Array.from({ length: size }, (_, i) => BigInt(i))
        const expected = bytes.filter(i => i >= first && i <= last)
        const got = parseRange(`bytes=${first}-${last}`, size)
        if (first > last || expected.length === 0) return got === 'unsatisfiable'
        return typeof got === 'object' && got.start === Number(expected[0]) && got.end === Number(expected.at(-1)) + 1
      })
    )
  })

  test('any text gives a range within the size, or none', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'bytes=0123456789-, ') }).map(s => `bytes=${s}`)
    )
    fc.assert(
      fc.property(text, fc.nat(100), (header, size) => {
        const got = parseRange(header, size)
        return typeof got === 'string' || (got.start >= 0 && got.start < got.end && got.end <= size)
      })
    )
  })
})
