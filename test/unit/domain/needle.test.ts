import { crc32 } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { photoIdBytes, type VolumeId } from '../../../src/domain/ids.js'
import {
  BLOCK_BYTES,
  blockChecksums,
  blockIntact,
  chainDigest,
  checkFooter,
  decodeHeader,
  durableTo,
  encodeFooter,
  encodeHeader,
  footerBytes,
  NEEDLE_ALIGN,
  NEEDLE_DATA_BYTES_MAX,
  NEEDLE_HEADER_BYTES,
  NEEDLE_MAGIC_BYTES,
  type NeedleHeader,
  needleBytes,
  recordNeedleId,
  volumeSeed
} from '../../../src/domain/needle.js'
import { needleHeaderArb, PHOTO_ID, PHOTO_KEY, volumeIdArb } from '../../support/domain-arbitraries.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

const VOLUME = '00000000000000a1-1' as VolumeId
const SEED = volumeSeed(VOLUME)
const OFFSET = 4096

/** Valid offsets of needles: small ones, and the last ones of a volume. */
const offsetArb = fc
  .oneof(fc.nat({ max: 1000 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
  .map(unit => unit * NEEDLE_ALIGN)
const dataArb = fc.uint8Array({ maxLength: 100 })

function encodeNeedle(draft: Omit<NeedleHeader, 'length'>, data: Uint8Array, seed = SEED, offset = OFFSET): Buffer {
  const header = encodeHeader({ ...draft, length: data.length }, seed, offset)
  return Buffer.concat([header, data, encodeFooter(header, blockChecksums(draft, data), seed, offset)])
}

/** Verifies a needle like every reader of a whole one. @returns header and data; undefined if anything is wrong */
function decodeNeedle(bytes: Uint8Array, seed = SEED, offset = OFFSET) {
  const header = decodeHeader(bytes, seed, offset)
  if (header === undefined || bytes.length !== needleBytes(header.length)) return undefined
  const end = NEEDLE_HEADER_BYTES + header.length
  const checksums = checkFooter(bytes.subarray(0, NEEDLE_HEADER_BYTES), bytes.subarray(end), seed, offset)
  const data = bytes.subarray(NEEDLE_HEADER_BYTES, end)
  const intact = checksums?.every((checksum, block) =>
    blockIntact(header, block, data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES), checksum)
  )
  return intact ? { header, data } : undefined
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

describe('needles', () => {
  it('are encoded and decoded', () => {
    fc.assert(
      fc.property(needleHeaderArb, dataArb, volumeIdArb, offsetArb, (draft, data, volume, offset) => {
        const seed = volumeSeed(volume)
        const bytes = encodeNeedle(draft, data, seed, offset)
        expect(bytes.length).toBe(needleBytes(data.length))
        expect(bytes.length % NEEDLE_ALIGN).toBe(0)
        expect(bytes.subarray(0, 4).equals(NEEDLE_MAGIC_BYTES)).toBe(true)
        const needle = decodeNeedle(bytes, seed, offset)
        expect({ ...needle?.header, id: [...needle!.header.id], cookie: [...needle!.header.cookie] }).toEqual({
          ...draft,
          id: [...draft.id],
          cookie: [...draft.cookie],
          length: data.length
        })
        expect(needle?.data.every((byte, index) => byte === data[index])).toBe(true)
      })
    )
  })

  it('have the size that the table says', () => {
    expect([0, 1, 4, 5, BLOCK_BYTES, BLOCK_BYTES + 1].map(needleBytes)).toEqual([72, 80, 80, 80, 65_608, 65_616])
    expect([0, 1, BLOCK_BYTES, BLOCK_BYTES + 1].map(footerBytes)).toEqual([4, 8, 8, 12])
  })

  it('are refused after any single flipped bit: header, data, checksums, padding', () => {
    fc.assert(
      fc.property(needleHeaderArb, dataArb, (draft, data) => {
        const bytes = encodeNeedle(draft, data)
        for (let bit = 0; bit < bytes.length * 8; bit++) expect(decodeNeedle(flipped(bytes, bit))).toBeUndefined()
      }),
      { numRuns: 20 }
    )
  })

  it('are refused after a flipped bit in any of several blocks', () => {
    const data = Buffer.alloc(2 * BLOCK_BYTES + 1000).map((_, index) => index * 31)
    fc.assert(
      fc.property(needleHeaderArb, fc.nat({ max: needleBytes(data.length) * 8 - 1 }), (draft, bit) => {
        const bytes = encodeNeedle(draft, data)
        expect(decodeNeedle(bytes)).toBeDefined()
        expect(decodeNeedle(flipped(bytes, bit))).toBeUndefined()
      }),
      { numRuns: 50 }
    )
  })

  it('are refused at any other offset of the volume, and in any other volume', () => {
    fc.assert(
      fc.property(needleHeaderArb, dataArb, offsetArb, offsetArb, volumeIdArb, (draft, data, offset, other, volume) => {
        const bytes = encodeNeedle(draft, data, SEED, offset)
        if (other !== offset) expect(decodeHeader(bytes, SEED, other)).toBeUndefined()
        if (volume !== VOLUME) expect(decodeHeader(bytes, volumeSeed(volume), offset)).toBeUndefined()
      })
    )
  })

  it('bind the footer to the header, whose own checksum would cancel its content out', () => {
    fc.assert(
      fc.property(needleHeaderArb, needleHeaderArb, dataArb, (a, b, data) => {
        fc.pre(!Buffer.from(a.cookie).equals(Buffer.from(b.cookie)))
        const checksums = blockChecksums(a, data)
        const headers = [a, b].map(draft => encodeHeader({ ...draft, length: data.length }, SEED, OFFSET))
        const footer = encodeFooter(headers[0]!, checksums, SEED, OFFSET)
        expect(checkFooter(headers[0]!, footer, SEED, OFFSET)).toEqual(checksums)
        expect(checkFooter(headers[1]!, footer, SEED, OFFSET)).toBeUndefined()
        expect(checkFooter(headers[0]!, footer, SEED, OFFSET + NEEDLE_ALIGN)).toBeUndefined()
      })
    )
  })

  it('bind a block to its identity and number, but not to its place', () => {
    const identity = { kind: 'data', id: photoIdBytes(PHOTO_ID), generation: 1, alternateKey: 2, chunk: 3 } as const
    const bytes = Buffer.from('the same bytes')
    const checksum = blockChecksums(identity, bytes)[0]!
    expect(blockIntact(identity, 0, bytes, checksum)).toBe(true)
    expect(blockIntact(identity, 1, bytes, checksum)).toBe(false)
    const others = [
      { ...identity, kind: 'manifest' as const },
      { ...identity, id: new Uint8Array(16) },
      { ...identity, generation: 2 },
      { ...identity, alternateKey: 3 },
      { ...identity, chunk: 4 }
    ]
    for (const other of others) expect(blockIntact(other, 0, bytes, checksum)).toBe(false)
  })

  it('are refused when cut short, with a footer of another length, or with other blocks', () => {
    const identity = { kind: 'data', id: new Uint8Array(16), generation: 0, alternateKey: 0, chunk: 0 } as const
    const draft = { ...identity, flags: 0, cookie: new Uint8Array(16) }
    const bytes = encodeNeedle(draft, new Uint8Array(100))
    expect(decodeHeader(bytes.subarray(0, NEEDLE_HEADER_BYTES - 1), SEED, OFFSET)).toBeUndefined()
    const header = bytes.subarray(0, NEEDLE_HEADER_BYTES)
    const footer = bytes.subarray(NEEDLE_HEADER_BYTES + 100)
    expect(checkFooter(header, footer.subarray(1), SEED, OFFSET)).toBeUndefined()
    expect(() => encodeFooter(header, new Uint32Array(2), SEED, OFFSET)).toThrow('not those of the header')
  })

  const empty: NeedleHeader = {
    kind: 'data',
    id: new Uint8Array(16),
    generation: 0,
    alternateKey: 0,
    chunk: 0,
    flags: 0,
    cookie: new Uint8Array(16),
    length: 0
  }

  it.each<[string, (header: Buffer) => unknown]>([
    ['another magic', header => header.writeUInt8(0, 0)],
    ['version 0', header => header.writeUInt8(0, 4)],
    ['version 2', header => header.writeUInt8(2, 4)],
    ['kind 0', header => header.writeUInt8(0, 5)],
    ['kind 5', header => header.writeUInt8(5, 5)],
    ['more durable before it than there is', header => header.writeUInt32LE(OFFSET / NEEDLE_ALIGN + 1, 56)],
    ['a length beyond the bound', header => header.writeUInt32LE(NEEDLE_DATA_BYTES_MAX + 1, 52)]
  ])('refuse a header with %s, though its checksum is right', (_what, bend) => {
    const checksum = (header: Buffer): Buffer => {
      header.writeUInt32LE(crc32(header.subarray(0, 60), (SEED ^ (OFFSET / NEEDLE_ALIGN)) >>> 0), 60)
      return header
    }
    const header = Buffer.from(encodeHeader(empty, SEED, OFFSET))
    expect(decodeHeader(checksum(header), SEED, OFFSET)).toBeDefined()
    bend(header)
    expect(decodeHeader(checksum(header), SEED, OFFSET)).toBeUndefined()
  })

  it('are not encoded if they could not be decoded', () => {
    expect(() => encodeHeader(empty, SEED, 4)).toThrow('start at 4')
    expect(() => encodeHeader(empty, SEED, 2 ** 35)).toThrow('start at')
    expect(() => encodeHeader({ ...empty, length: NEEDLE_DATA_BYTES_MAX + 1 }, SEED, OFFSET)).toThrow('too long')
    expect(() => encodeHeader({ ...empty, id: new Uint8Array(15) }, SEED, OFFSET)).toThrow('instead of 16')
    expect(() => encodeHeader({ ...empty, cookie: new Uint8Array(17) }, SEED, OFFSET)).toThrow('instead of 16')
    expect(() => encodeHeader(empty, SEED, OFFSET, OFFSET + NEEDLE_ALIGN)).toThrow('is not durable before 4096')
  })

  it('hold the durable end of the volume', () => {
    for (const known of [0, NEEDLE_ALIGN, OFFSET])
      expect(durableTo(encodeHeader(empty, SEED, OFFSET, known))).toBe(known)
    expect(durableTo(encodeHeader(empty, SEED, 2 ** 35 - 8, 2 ** 35 - 8))).toBe(2 ** 35 - 8)
  })

  it('chain their footers', () => {
    const zeros = new Uint8Array(16)
    const first = chainDigest(zeros, Buffer.from('a'))
    expect(first.length).toBe(16)
    expect(chainDigest(first, Buffer.from('b'))).not.toEqual(chainDigest(zeros, Buffer.from('b')))
    expect(chainDigest(zeros, Buffer.from('a'))).toEqual(first)
    expect(() => chainDigest(new Uint8Array(15), first)).toThrow('16 bytes')
  })

  it('are named after the photo, or after a digest of other records', () => {
    expect(recordNeedleId(PHOTO_KEY)).toEqual(photoIdBytes(PHOTO_ID))
    const album = recordNeedleId({ kind: 'album', id: PHOTO_ID })
    expect(album.length).toBe(16)
    expect(album).not.toEqual(photoIdBytes(PHOTO_ID))
    expect(recordNeedleId({ kind: 'albu', id: `m${PHOTO_ID}` })).not.toEqual(album)
  })
})
