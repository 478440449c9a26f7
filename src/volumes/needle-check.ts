import { SheafError } from '../core/errors.js'
import {
  BLOCK_BYTES,
  blockIntact,
  checkFooter,
  decodeHeader,
  NEEDLE_HEADER_BYTES,
  type NeedleIdentity,
  needleBytes
} from '../domain/needle.js'

/** The needle that a read must return. */
export interface NeedleExpectation {
  readonly identity: NeedleIdentity
  readonly seed: number
  readonly offset: number
  readonly length: number
}

/**
 * Checks a whole needle: header, footer and every block.
 *
 * @param bytes - the needle from its header to the end of its padding
 * @returns its data, as a view of `bytes`
 * @throws `ERR_NEEDLE_CORRUPT`; `ERR_BYTES_UNREACHABLE` when the place holds another needle with an intact header
 */
export function checkNeedle(bytes: Uint8Array, expected: NeedleExpectation): Uint8Array {
  const { identity, length } = expected
  const dataEnd = NEEDLE_HEADER_BYTES + length
  const checksums = checkFrame(bytes.subarray(0, NEEDLE_HEADER_BYTES), bytes.subarray(dataEnd), expected)
  const data = bytes.subarray(NEEDLE_HEADER_BYTES, dataEnd)
  for (let block = 0; block < checksums.length; block++) {
    checkBlock(identity, block, data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES), checksums, expected)
  }
  return data
}

/**
 * Checks header and footer, which frame the data.
 *
 * @param footer - from the end of the data to the end of the padding
 * @returns the checksum of each block
 */
export function checkFrame(header: Uint8Array, footer: Uint8Array, expected: NeedleExpectation): Uint32Array {
  const { identity, seed, offset, length } = expected
  const found = decodeHeader(header, seed, offset)
  if (found === undefined || found.length !== length) throw corruptNeedle(expected)
  if (!sameIdentity(found, identity)) {
    throw new SheafError('ERR_BYTES_UNREACHABLE', 'the index entry points to another needle')
  }
  const checksums = checkFooter(header, footer, seed, offset)
  if (checksums === undefined) throw corruptNeedle(expected)
  return checksums
}

export function checkBlock(
  identity: NeedleIdentity,
  block: number,
  bytes: Uint8Array,
  checksums: Uint32Array,
  expected: NeedleExpectation
): void {
  if (!blockIntact(identity, block, bytes, checksums[block] as number)) throw corruptNeedle(expected)
}

/** Bytes of a needle after its data: block checksums, footer checksum, padding. */
export function needleTailBytes(length: number): number {
  return needleBytes(length) - NEEDLE_HEADER_BYTES - length
}

export function corruptNeedle({ offset }: { readonly offset: number }): SheafError {
  return new SheafError('ERR_NEEDLE_CORRUPT', undefined, { details: { offset } })
}

function sameIdentity(a: NeedleIdentity, b: NeedleIdentity): boolean {
  if (a.kind !== b.kind || a.generation !== b.generation || a.alternateKey !== b.alternateKey || a.chunk !== b.chunk)
    return false
  for (let i = 0; i < 16; i++) if (a.id[i] !== b.id[i]) return false
  return true
}
