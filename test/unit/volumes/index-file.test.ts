import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { VolumeId } from '../../../src/domain/ids.js'
import {
  decodeIndexFile,
  encodeIndexHeader,
  encodeIndexSegment,
  type IndexSegment
} from '../../../src/volumes/index-file.js'

const VOLUME = '00112233aabbccdd-7' as VolumeId

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const needles = fc.record({
  kind: fc.constantFrom('data' as const, 'record' as const, 'manifest' as const),
  id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  generation: uint32,
  alternateKey: uint32,
  chunk: uint32,
  isChunk: fc.boolean(),
  offset: uint32.map(n => n * 8),
  length: uint32
})
const ranges = fc.tuple(fc.nat(1e6), fc.nat(1e6)).map(([from, blocks]) => ({ from: from * 8, to: (from + blocks) * 8 }))
const segments = fc.record({
  to: fc.nat(1e9),
  chain: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  needles: fc.array(needles, { maxLength: 5 }),
  holes: fc.array(ranges, { maxLength: 2 }),
  repaired: fc.array(ranges, { maxLength: 2 })
})
const files = fc
  .array(segments, { minLength: 1, maxLength: 4 })
  .map(list => list.sort((a, b) => a.to - b.to) as IndexSegment[])

function plain({ needles: rows, chain, ...rest }: IndexSegment) {
  return { ...rest, chain: [...chain], needles: [...rows].map(row => ({ ...row, id: [...row.id] })) }
}

describe('index file', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(files, list => {
        const file = Buffer.concat([encodeIndexHeader(VOLUME), ...list.map(encodeIndexSegment)])
        const { segments: found, validBytes } = decodeIndexFile(VOLUME, file)
        expect(found.map(plain)).toEqual(list.map(plain))
        expect(validBytes).toBe(file.byteLength)
      })
    )
  })

  it('with any bit flipped or any byte cut gives a prefix of the segments', () => {
    fc.assert(
      fc.property(files, fc.nat(), fc.nat(7), fc.boolean(), (list, at, bit, cut) => {
        const file = Buffer.concat([encodeIndexHeader(VOLUME), ...list.map(encodeIndexSegment)])
        const position = at % file.byteLength
        if (!cut) file[position] = (file[position] as number) ^ (1 << bit)
        const { segments: found, validBytes } = decodeIndexFile(VOLUME, cut ? file.subarray(0, position) : file)
        expect(found.length).toBeLessThan(list.length)
        expect(found.map(plain)).toEqual(list.slice(0, found.length).map(plain))
        expect(validBytes).toBeLessThanOrEqual(position)
      })
    )
  })

  it('of another volume is worthless', () => {
    const file = encodeIndexHeader('00112233aabbccdd-8' as VolumeId)
    expect(decodeIndexFile(VOLUME, file)).toEqual({ segments: [], validBytes: 0 })
  })
})
