import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { VolumeId } from '../../../src/domain/ids.js'
import {
  decodeIndexFile,
  encodeIndexHeader,
  encodeIndexSegment,
  type HoleRange,
  type IndexSegment,
  type NeedleRow,
  needleBefore,
  needlesInOrder
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

/** Segments of a volume, some of whose needles were known only after, or again after, a repair. */
const repairedVolumes = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom('whole', 'known before', 'missing before'), fc.nat(3)), {
      minLength: 1,
      maxLength: 40
    }),
    fc.infiniteStream(needles),
    fc.integer({ min: 1, max: 10 })
  )
  .map(([fates, rows, perSegment]) => {
    const all = fates.map((_, i) => ({ ...(rows.next().value as NeedleRow), offset: 256 + i * 16 }))
    const chain = new Uint8Array(16)
    const found: (IndexSegment & { needles: NeedleRow[]; repaired: HoleRange[] })[] = []
    for (let at = 0; at < all.length; at += perSegment) {
      const own = all.slice(at, at + perSegment)
      const kept = own.filter(({ offset }) => fates[(offset - 256) / 16]?.[0] !== 'missing before')
      found.push({ to: 256 + (at + own.length) * 16, chain, needles: kept, holes: [], repaired: [] })
    }
    const to = 256 + all.length * 16
    for (let i = 0; i < 4; i++) found.push({ to, chain, needles: [], holes: [], repaired: [] })
    for (const [i, [fate, later]] of fates.entries()) {
      if (fate === 'whole') continue
      const segment = found[Math.floor(i / perSegment) + 1 + later]
      segment?.needles.push(all[i] as NeedleRow)
      segment?.repaired.push({ from: 256 + i * 16, to: 272 + i * 16 })
    }
    return { all, found }
  })

function plain({ needles: rows, chain, ...rest }: IndexSegment) {
  return { ...rest, chain: [...chain], needles: [...rows].map(row => ({ ...row, id: [...row.id] })) }
}

describe('index file', () => {
  it('decodes what was encoded', () => {
    fc.assert(
      fc.property(files, list => {
        const file = Buffer.concat([encodeIndexHeader(VOLUME), ...list.map(encodeIndexSegment)])
        const { segments: found, validBytes } = decodeIndexFile(VOLUME, file)
        expect(found.map(plain)).toEqual(list.map(plain))
        expect(validBytes).toBe(file.byteLength)
      })
    )
  })

  it('yields a prefix of its segments after any flipped bit or truncation', () => {
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

  it('yields nothing for another volume', () => {
    const file = encodeIndexHeader('00112233aabbccdd-8' as VolumeId)
    expect(decodeIndexFile(VOLUME, file)).toEqual({ segments: [], validBytes: 0 })
  })

  it('lists each needle once and in order, wherever repaired ones were noted', () => {
    fc.assert(
      fc.property(repairedVolumes, ({ all, found }) => {
        expect([...needlesInOrder(found)].flat()).toEqual(all)
      })
    )
  })

  it('finds the needle at or before a place, wherever repaired ones were noted', () => {
    fc.assert(
      fc.property(repairedVolumes, ({ all, found }) => {
        expect(needleBefore(found, 248)).toBeUndefined()
        for (const { offset } of all) {
          expect(needleBefore(found, offset)).toBe(offset)
          expect(needleBefore(found, offset + 8)).toBe(offset)
        }
      })
    )
  })
})
