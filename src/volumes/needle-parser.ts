import { chainDigest, decodeHeader, NEEDLE_HEADER_BYTES, type NeedleHeader, needleBytes } from '../domain/needle.js'
import { checkNeedle, corruptNeedle } from './needle-check.js'
import type { CommittedNeedle } from './needle-store.js'

/** Whole, verified needles at the start of some bytes of a volume. */
export interface ParsedNeedles {
  readonly needles: readonly CommittedNeedle[]
  /** How many of the bytes they take. */
  readonly byteCount: number
  /** Chained digest of their footers. */
  readonly chain: Uint8Array
  /** Bytes that the needle after them takes, when its header is there; 0 else. */
  readonly nextBytes: number
}

export interface ParseInit {
  readonly volume: CommittedNeedle['location']['volume']
  readonly seed: number
  /** Where in the volume the bytes stand: a needle boundary. */
  readonly offset: number
  /** Chained digest up to there. */
  readonly chain: Uint8Array
}

/**
 * Reads needles out of bytes that came from elsewhere, and checks each in full before it counts.
 *
 * @throws `ERR_NEEDLE_CORRUPT`
 */
export function parseNeedles(bytes: Uint8Array, { volume, seed, offset, chain }: ParseInit): ParsedNeedles {
  const needles: CommittedNeedle[] = []
  let at = 0
  let digest = chain
  let nextBytes = 0
  while (at + NEEDLE_HEADER_BYTES <= bytes.byteLength) {
    const header = decodeHeader(bytes.subarray(at), seed, offset + at)
    if (header === undefined) throw corruptNeedle({ offset: offset + at })
    nextBytes = needleBytes(header.length)
    if (at + nextBytes > bytes.byteLength) break
    const needle = bytes.subarray(at, at + nextBytes)
    const data = checkNeedle(needle, { identity: header, seed, offset: offset + at, length: header.length })
    digest = chainDigest(digest, needle.subarray(NEEDLE_HEADER_BYTES + header.length))
    needles.push(toCommittedNeedle(header, data, { volume, offset: offset + at, length: header.length }))
    at += nextBytes
    nextBytes = 0
  }
  return { needles, byteCount: at, chain: digest, nextBytes }
}

function toCommittedNeedle(
  header: NeedleHeader,
  data: Uint8Array,
  location: CommittedNeedle['location']
): CommittedNeedle {
  const { kind, generation, alternateKey, chunk, flags } = header
  // id and record are copied: they outlive the bytes, in the index file's pending rows and in what is told of the record
  const needle = { kind, id: Uint8Array.from(header.id), generation, alternateKey, chunk, flags, location }
  return kind === 'record' ? { ...needle, record: Uint8Array.from(data) } : needle
}
