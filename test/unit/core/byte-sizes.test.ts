import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseBytes } from '../../../src/core/byte-sizes.js'

describe('parseBytes', () => {
  test.each([
    ['0', 0],
    ['1000000000', 1e9],
    ['1K', 1_000],
    ['1k', 1_000],
    ['1Ki', 1_024],
    ['512Mi', 512 * 2 ** 20],
    ['1.5G', 1.5e9],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['5TiB', 5 * 2 ** 40],
    ['2 MB', 2e6],
    ['7b', 7]
  ])('%s is %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes))

  test.each(['', 'K', '-1', '1e3', '0x10', '1.2345K', '1X', '1 K K', '99999999999T', '1,000', '١'])(
    '%j is no size',
    text => expect(parseBytes(text)).toBeUndefined()
  )

  test('whole numbers are read as they are written, up to the largest exact one', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), bytes => {
        expect(parseBytes(String(bytes))).toBe(bytes)
      })
    )
    expect(parseBytes('9007199254740993')).toBeUndefined()
  })
})
