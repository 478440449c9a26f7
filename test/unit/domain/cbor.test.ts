import { decode, encode } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareKeys, sameValue, toWellFormed, VALUE_DEPTH_MAX, type Value } from '../../../src/domain/cbor.js'
import { CborReader } from '../../../src/domain/cbor-reader.js'
import { CborWriter, encodeValue } from '../../../src/domain/cbor-writer.js'
import { textArb, valueArb } from '../../support/domain-arbitraries.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

const MALFORMED = expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' })

function decodeValue(bytes: Uint8Array): Value {
  const reader = new CborReader(bytes)
  const value = reader.value()
  reader.end()
  return value
}

/** Reverses the pairs of all maps. */
function reversed(value: Value): Value {
  if (value instanceof Map) return new Map([...value].reverse().map(([key, item]) => [key, reversed(item)]))
  return Array.isArray(value) ? value.map(reversed) : value
}

describe('canonical CBOR', () => {
  it('encodes and decodes every value', () => {
    fc.assert(
      fc.property(valueArb, value => {
        expect(decodeValue(encodeValue(value))).toEqual(value)
      }),
      { numRuns: 500 }
    )
  })

  it('agrees with a general CBOR library', () => {
    fc.assert(
      fc.property(valueArb, value => {
        const bytes = encodeValue(value)
        expect(Buffer.from(encode(value, { float64: true })).toString('hex')).toBe(Buffer.from(bytes).toString('hex'))
        expect(decode(bytes, { useMaps: true, strict: true })).toEqual(value)
      }),
      { numRuns: 500 }
    )
  })

  it('does not depend on the order in which maps were filled', () => {
    fc.assert(
      fc.property(valueArb, value => {
        expect(encodeValue(reversed(value))).toEqual(encodeValue(value))
      })
    )
  })

  it('reads arbitrary bytes as malformed or as the one spelling of a value', () => {
    const bytesArb = fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.tuple(valueArb, fc.nat(), fc.nat({ max: 255 })).map(([value, at, byte]) => {
        const bytes = encodeValue(value)
        bytes[at % bytes.length] = byte
        return bytes
      })
    )
    fc.assert(
      fc.property(bytesArb, bytes => {
        let value: Value
        try {
          value = decodeValue(bytes)
        } catch (error) {
          expect(error).toEqual(MALFORMED)
          return
        }
        expect(encodeValue(value)).toEqual(new Uint8Array(bytes))
      }),
      { numRuns: 2000 }
    )
  })

  it.each([
    ['nothing', ''],
    ['a number in more bytes than needed', '1817'],
    ['the same, 2 bytes', '190017'],
    ['the same, 4 bytes', '1a00000017'],
    ['the same, 8 bytes', '1b0000000000000017'],
    ['a negative one', '3b0000000000000017'],
    ['an integer as a float', 'fb3ff0000000000000'],
    ['minus zero', 'fb8000000000000000'],
    ['a 16-bit float', 'f93e00'],
    ['NaN', 'fb7ff8000000000000'],
    ['infinity', 'fb7ff0000000000000'],
    ['undefined', 'f7'],
    ['a tag', 'c000'],
    ['indefinite lengths', '9fff'],
    ['a reserved head', '1c'],
    ['a text that is not UTF-8', '61ff'],
    ['an overlong UTF-8 form', '62c080'],
    ['a surrogate', '63eda080'],
    ['keys out of order', 'a2616200616100'],
    ['a key twice', 'a2616100616100'],
    ['a long key before a short one', 'a262616100616200'],
    ['a key that is no text', 'a10000'],
    ['a count beyond the bytes', '9a7fffffff00'],
    ['a map count beyond the bytes', 'ba7fffffff00'],
    ['a length beyond the bytes', '5b0fffffffffffffff00'],
    ['a text cut short', '6261'],
    ['a float cut short', 'fb3ff8'],
    ['a head cut short', '1b00'],
    ['an item too many', '0000']
  ])('refuses %s', (_what, hex) => {
    expect(() => decodeValue(Buffer.from(hex, 'hex'))).toThrow(MALFORMED)
  })

  it('bounds the depth, the same when writing and reading', () => {
    const nested = (depth: number): Value => (depth === 0 ? 0 : [nested(depth - 1)])
    expect(decodeValue(encodeValue(nested(VALUE_DEPTH_MAX)))).toEqual(nested(VALUE_DEPTH_MAX))
    expect(() => encodeValue(nested(VALUE_DEPTH_MAX + 1))).toThrow('nested deeper')
    expect(() => decodeValue(Buffer.from('81'.repeat(100_000), 'hex'))).toThrow(MALFORMED)
  })

  it('does not write what it cannot read', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 2n ** 64n, -(2n ** 64n) - 1n, undefined, {}]) {
      expect(() => encodeValue(value as Value)).toThrow()
    }
    expect(encodeValue(-0)).toEqual(encodeValue(0))
    expect(encodeValue(5n)).toEqual(encodeValue(5))
  })

  it('gives copies of byte strings', () => {
    const bytes = encodeValue(new Uint8Array([1, 2, 3]))
    const value = decodeValue(bytes)
    bytes.fill(0)
    expect(value).toEqual(new Uint8Array([1, 2, 3]))
  })

  it('reads each kind of item only as that kind', () => {
    const reads: ((reader: CborReader) => unknown)[] = [
      reader => reader.uint(),
      reader => reader.bytes(),
      reader => reader.text(),
      reader => reader.arrayHead(),
      reader => reader.mapHead(),
      reader => reader.boolean()
    ]
    const items = [0, new Uint8Array(), '', [], new Map(), true] as Value[]
    items.forEach((item, i) => {
      reads.forEach((read, j) => {
        const attempt = (): unknown => read(new CborReader(encodeValue(item)))
        if (i === j) attempt()
        else expect(attempt).toThrow(MALFORMED)
      })
    })
    expect(() => new CborReader(encodeValue(2n ** 53n)).uint()).toThrow(MALFORMED)
  })

  it('grows for long items', () => {
    const writer = new CborWriter()
    writer.value(['x'.repeat(5000), new Uint8Array(5000), 'é'.repeat(5000), 1.5, 2n ** 60n])
    expect((decodeValue(writer.finish()) as Value[]).length).toBe(5)
  })
})

describe('map keys', () => {
  it('are in the order of their encodings', () => {
    fc.assert(
      fc.property(textArb, textArb, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(encodeValue(a), encodeValue(b)))
      }),
      { numRuns: 500 }
    )
    expect(compareKeys('\uffff\uffff\uffff\uffff', '\u{10000}\u{10000}\u{10000}')).toBeLessThan(0)
  })
})

describe('sameValue', () => {
  it('is true only for values with the same encoding', () => {
    fc.assert(
      fc.property(valueArb, valueArb, (a, b) => {
        expect(sameValue(a, decodeValue(encodeValue(a)))).toBe(true)
        expect(sameValue([a, b], [b, a])).toBe(Buffer.compare(encodeValue(a), encodeValue(b)) === 0)
      })
    )
    expect(sameValue(new Map([['a', 1]]), new Map([['b', 1]]))).toBe(false)
    expect(sameValue(new Uint8Array([1]), new Uint8Array([2]))).toBe(false)
    expect(sameValue([1], [1, 2])).toBe(false)
    expect(sameValue(null, [])).toBe(false)
  })
})

describe('toWellFormed', () => {
  it('replaces lone surrogates at every level, and nothing else', () => {
    fc.assert(
      fc.property(valueArb, value => {
        expect(toWellFormed(value)).toEqual(value)
      })
    )
    const broken = new Map<string, Value>([['\ud800', ['a\udc00b', new Map([['k', '\u{1f33e}']])]]])
    expect(toWellFormed(broken)).toEqual(new Map([['\ufffd', ['a\ufffdb', new Map([['k', '\u{1f33e}']])]]]))
  })
})
