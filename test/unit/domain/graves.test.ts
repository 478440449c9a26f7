import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeGraves,
  encodeGraves,
  GRAVES_MAX,
  type Grave,
  gravesIdentity,
  readVarint,
  writeVarint
} from '../../../src/domain/graves.js'
import { photoIdBytes, photoIdFrom } from '../../../src/domain/ids.js'
import { GRAVE_GENERATION_MAX } from '../../../src/domain/record-codec.js'
import { photoIdArb } from '../../support/domain-arbitraries.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

const MALFORMED = expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' })
const kindArb = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
const generationArb = fc.integer({ min: 0, max: GRAVE_GENERATION_MAX })
const gravesArb: fc.Arbitrary<Grave[]> = fc.uniqueArray(fc.record({ id: photoIdArb, generation: generationArb }), {
  selector: ({ id }) => id,
  minLength: 1,
  maxLength: 40
})

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const idOf = (n: number): string =>
  photoIdFrom(Uint8Array.from({ length: 16 }, (_, i) => (i < 8 ? i : n >> (8 * (15 - i)))))
const many = (count: number, generation = 0): Grave[] =>
  Array.from({ length: count }, (_, n) => ({ id: idOf(n + 1), generation }))

/** @returns bytes as `encodeGraves` would write them, of whatever generations and in whatever order */
function packed(...graves: readonly [id: string, ...varint: number[]][]): Uint8Array {
  const parts = graves.map(([id, ...varint]) => Buffer.from([...photoIdBytes(id as never), ...varint]))
  return Buffer.concat([Buffer.of(1), Buffer.from('k'), ...parts])
}

describe('graves in a needle', () => {
  it('decode to what was encoded, sorted, in whatever order they are given', () => {
    fc.assert(
      fc.property(kindArb, gravesArb, (kind, graves) => {
        const bytes = encodeGraves(kind, graves)
        const sorted = graves.toSorted((a, b) => (a.id < b.id ? -1 : 1))
        expect(decodeGraves(bytes)).toEqual({ kind, graves: sorted, skipped: 0 })
        expect(encodeGraves(kind, graves.toReversed())).toEqual(bytes)
        expect(gravesIdentity(encodeGraves(kind, sorted))).toEqual(gravesIdentity(bytes))
      })
    )
  })

  it('have one encoding: what decodes is encoded to the same bytes, and nothing else is thrown than ERR_RECORD_MALFORMED', () => {
    const near = fc.tuple(gravesArb, fc.nat(), fc.nat(255)).map(([graves, at, byte]) => {
      const bytes = Uint8Array.from(encodeGraves('photo', graves))
      bytes[at % bytes.length] = byte
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 60 })), bytes => {
        try {
          const { kind, graves, skipped } = decodeGraves(bytes)
          if (skipped === 0) expect(hex(encodeGraves(kind, graves))).toBe(hex(bytes))
        } catch (err) {
          expect(err).toEqual(MALFORMED)
        }
      }),
      { numRuns: 2_000 }
    )
  })

  it.each<[string, Uint8Array]>([
    ['no byte', new Uint8Array()],
    ['no kind', Uint8Array.of(0, ...packed([idOf(1), 0]).subarray(2))],
    ['a kind alone', packed()],
    [
      'a kind that is too long',
      Buffer.concat([Buffer.of(65), Buffer.alloc(65, 'k'), packed([idOf(1), 0]).subarray(2)])
    ],
    ['a kind that is not UTF-8', Uint8Array.of(1, 0xff, ...packed([idOf(1), 0]).subarray(2))],
    ['an id out of order', packed([idOf(2), 0], [idOf(1), 0])],
    ['an id twice', packed([idOf(1), 0], [idOf(1), 1])],
    ['an id cut off', packed([idOf(1), 0]).subarray(0, -2)],
    ['a generation cut off', packed([idOf(1), 0x80])],
    ['no generation', packed([idOf(1)])],
    ['a generation of four bytes', packed([idOf(1), 0x80, 0x80, 0x80, 1])],
    ['a generation that could be shorter', packed([idOf(1), 0x80, 0])],
    ['something behind the last grave', packed([idOf(1), 0, 9])],
    ['too many', Buffer.concat([encodeGraves('k', many(GRAVES_MAX)), packed([idOf(GRAVES_MAX + 1), 0]).subarray(2)])]
  ])('are refused with %s', (_what, bytes) => {
    expect(() => decodeGraves(bytes)).toThrow(MALFORMED)
  })

  it('of a generation that no photo can have hide nothing else', () => {
    const beyond = [0x81, 0x80, 0x20] as const // 2^19 + 1
    const bytes = packed([idOf(1), ...beyond], [idOf(2), 7], [idOf(3), 0xff, 0xff, 0x7f])
    expect(decodeGraves(bytes)).toEqual({ kind: 'k', graves: [{ id: idOf(2), generation: 7 }], skipped: 2 })
    const last = packed([idOf(1), 0x80, 0x80, 0x20])
    expect(decodeGraves(last).graves).toEqual([{ id: idOf(1), generation: GRAVE_GENERATION_MAX }])
  })

  it('take 17.2 bytes each at a thousand', () => {
    expect(encodeGraves('photo', many(1_000)).length / 1_000).toBeLessThanOrEqual(17.2)
  })

  it('are not encoded if they could not be decoded', () => {
    expect(() => encodeGraves('k', [])).toThrow('0 graves')
    expect(() => encodeGraves('k', many(GRAVES_MAX + 1))).toThrow('graves in one needle')
    expect(() => encodeGraves('k', many(1, GRAVE_GENERATION_MAX + 1))).toThrow('bound')
    expect(() => encodeGraves('k', [{ id: idOf(0xab).toUpperCase(), generation: 0 }])).toThrow('UUID')
    expect(() => encodeGraves('k', [{ id: 'node-a', generation: 0 }])).toThrow('UUID')
  })
})

describe('a varint', () => {
  it('of up to three bytes decodes to what was encoded, and ends where it ends', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 21 - 1), fc.nat(5), (value, at) => {
        const bytes = Buffer.alloc(10)
        const end = writeVarint(bytes, at, value)
        expect(readVarint(bytes, at)).toEqual([value, end])
        expect(end - at).toBe(value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : 3)
      })
    )
  })
})
