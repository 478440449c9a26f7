import { hash } from 'node:crypto'
import { crc32 } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeSuperblock,
  encodeSuperblock,
  SUPERBLOCK_BYTES,
  type Superblock
} from '../../../src/domain/superblock.js'
import { bytesArb, hlcArb, uint32Arb, volumeIdArb } from '../../support/domain-arbitraries.js'

const superblockArb: fc.Arbitrary<Superblock> = fc.record({
  volume: volumeIdArb,
  capacityBytes: fc.maxSafeNat(),
  createdAt: hlcArb,
  origin: bytesArb(32),
  flags: uint32Arb
})
const SAMPLE = fc.sample(superblockArb, { numRuns: 1, seed: 1 })[0]!

/** A substitute for Ed25519: the signature is valid only for the signed bytes. */
const sign = (bytes: Uint8Array): Buffer => hash('sha512', bytes, 'buffer')
const verify = (_key: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean => sign(bytes).equals(signature)

/** @returns the block with bytes changed at `at` and a correct checksum */
function forged(at: number, ...values: number[]): Uint8Array {
  const block = Buffer.from(encodeSuperblock(SAMPLE, sign))
  block.set(values, at)
  block.writeUInt32LE(crc32(block.subarray(0, 252)), 252)
  return block
}

describe('superblock', () => {
  it('encodes and decodes, whatever follows it', () => {
    fc.assert(
      fc.property(superblockArb, fields => {
        const bytes = encodeSuperblock(fields, sign)
        expect(bytes.length).toBe(SUPERBLOCK_BYTES)
        const decoded = decodeSuperblock(Buffer.concat([bytes, Buffer.alloc(9, 1)]), verify)
        expect({ ...decoded, origin: [...decoded.origin] }).toEqual({ ...fields, origin: [...fields.origin] })
      })
    )
  })

  it('is refused after any single flipped bit', () => {
    const bytes = encodeSuperblock(SAMPLE, sign)
    for (let bit = 0; bit < SUPERBLOCK_BYTES * 8; bit++) {
      const damaged = new Uint8Array(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => decodeSuperblock(damaged, () => true)).toThrow(
        expect.objectContaining({ code: 'ERR_VOLUME_CORRUPT' })
      )
    }
  })

  it.each([
    ['a file that is too short', encodeSuperblock(SAMPLE, sign).subarray(0, 255)],
    ['an empty file', new Uint8Array()],
    ['another magic', forged(0, 0x73)],
    ['format 0', forged(8, 0)],
    ['reserved bytes in use', forged(10, 1)],
    ['reserved bytes in use', forged(44, 1)],
    ['sequence 0', forged(40, 0, 0, 0, 0)],
    ['zeros in use', forged(251, 1)],
    ['a capacity beyond all files', forged(23, 0xff)],
    ['another signature', forged(80, 0, 0, 0, 0)],
    ['another epoch under the old signature', forged(32, 1, 2, 3, 4)]
  ])('is refused with %s', (_what, bytes) => {
    expect(() => decodeSuperblock(bytes, verify)).toThrow(expect.objectContaining({ code: 'ERR_VOLUME_CORRUPT' }))
  })

  it('of a later format is distinguished from damage', () => {
    expect(() => decodeSuperblock(forged(8, 3), () => false)).toThrow(
      expect.objectContaining({ code: 'ERR_FORMAT_TOO_NEW' })
    )
  })
})
