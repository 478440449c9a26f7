import { hasCode } from '../core/errors.js'
import {
  chainDigest,
  decodeHeader,
  isOfDirectory,
  NEEDLE_HEADER_BYTES,
  type NeedleHeader,
  needleBytes
} from '../domain/needle.js'
import { checkNeedle, corruptNeedle } from './needle-check.js'
import type { CommittedNeedle } from './needle-store.js'

/** Complete, verified needles at the start of a piece of a volume. */
export interface ParsedNeedles {
  readonly needles: readonly CommittedNeedle[]
  /** Bytes that they take. */
  readonly byteCount: number
  /** Chained digest up to their end. */
  readonly chain: Uint8Array
  /** Size of the incomplete needle after them if its header is complete; else 0. */
  readonly nextBytes: number
}

export interface ParseInit {
  readonly volume: CommittedNeedle['location']['volume']
  readonly seed: number
  /** Offset of the bytes in the volume: a needle boundary. */
  readonly offset: number
  /** Chained digest up to `offset`. */
  readonly chain: Uint8Array
}

/**
 * Parses needles from bytes of untrusted origin and verifies each in full. Damage ends it: the needles before it count.
 *
 * @throws `ERR_NEEDLE_CORRUPT` when the first needle is damaged
 */
export function parseNeedles(bytes: Uint8Array, { volume, seed, offset, chain }: ParseInit): ParsedNeedles {
  const needles: CommittedNeedle[] = []
  let at = 0
  let digest = chain
  let nextBytes = 0
  while (at + NEEDLE_HEADER_BYTES <= bytes.byteLength) {
    const header = decodeHeader(bytes.subarray(at), seed, offset + at)
    if (header === undefined) {
      if (at === 0) throw corruptNeedle({ offset })
      break
    }
    const { length } = header
    nextBytes = needleBytes(length)
    if (at + nextBytes > bytes.byteLength) break
    const needle = bytes.subarray(at, at + nextBytes)
    nextBytes = 0
    let data: Uint8Array
    try {
      data = checkNeedle(needle, { identity: header, seed, offset: offset + at, length })
    } catch (err) {
      if (at === 0 || !hasCode(err, 'ERR_NEEDLE_CORRUPT')) throw err
      break
    }
    digest = chainDigest(digest, needle.subarray(NEEDLE_HEADER_BYTES + length))
    needles.push(toCommittedNeedle(header, data, { volume, offset: offset + at, length }))
    at += needle.byteLength
  }
  return { needles, byteCount: at, chain: digest, nextBytes }
}

function toCommittedNeedle(
  header: NeedleHeader,
  data: Uint8Array,
  location: CommittedNeedle['location']
): CommittedNeedle {
  const { kind, generation, alternateKey, chunk, flags } = header
  // id and data are copied: pending rows of the index file and listeners of the directory outlive the bytes
  const needle = { kind, id: Uint8Array.from(header.id), generation, alternateKey, chunk, flags, location }
  return isOfDirectory(kind) ? { ...needle, data: Uint8Array.from(data) } : needle
}
