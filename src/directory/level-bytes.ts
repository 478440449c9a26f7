import { crc32c } from '@node-rs/crc32'
import { DamageError } from './damage.js'

/*
 * Two encodings that all of LevelDB's files use.
 *
 *   varint     7 bits per byte, least significant first, the top bit set in all bytes but the last
 *   checksum   CRC-32C, little-endian, masked: rotated right by 15 bits, plus 0xa282ead8
 *
 * @see https://github.com/google/leveldb/tree/main/doc
 */

/** @returns whether the masked checksum at `at` matches `covered` */
export function checksumHolds(bytes: Buffer, at: number, covered: Uint8Array): boolean {
  const crc = crc32c(covered)
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
  return bytes.readUInt32LE(at) === masked
}

/** Reads varints and byte strings in sequence. @throws {@link DamageError} at the end of the bytes */
export class LevelReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** Exact below 2⁵³, which covers all offsets, sizes and file numbers. */
  varint(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 56; scale *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    throw new DamageError('a number in a LevelDB file is malformed')
  }

  bytes(byteCount: number): Buffer {
    const start = this.#at
    this.#at += byteCount
    if (this.#at > this.#bytes.length) throw new DamageError('a LevelDB file ends too early')
    return this.#bytes.subarray(start, this.#at)
  }
}
