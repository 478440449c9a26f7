import type { LinkTier } from './findings.js'

/** Cosine similarity from which a photo counts as similar. */
const SIMILAR_SCORE_MIN = 0.75
/*
 * Renditions of the same picture. Measured by test/bench/near-copies.ts on 120 photos of five flowers: recompressed,
 * scaled, brightened, darkened and grey copies differ in at most 10 of 64 bits, two shots of a burst in 14, other pairs in
 * 18 or more. Vectors alone cannot tell them apart: those of the burst have a cosine of 0.90 to 0.98, depending on the model.
 */
const NEAR_SCORE_MIN = 0.6
const NEAR_BITS_MAX = 10

/** Photos with a lower cosine similarity are never linked. */
export const LINK_SCORE_MIN = Math.min(SIMILAR_SCORE_MIN, NEAR_SCORE_MIN)

/** A camera writes the date of both files of a shot, in one of them perhaps without the fraction of the second. */
const SAME_SHOT_MS = 1_000

/** What tells the copies of a photo. */
export interface Appearance {
  /** Perceptual hash, 8 bytes; undefined: not looked at, or there is nothing in the picture. */
  readonly phash: Uint8Array | undefined
  /** Undefined: not known to the second, or not with what. */
  readonly shot: Shot | undefined
}

/** The press of a shutter, as the head of a file tells it. */
export interface Shot {
  /** What the camera's clock showed, ms as if in UTC. */
  readonly localMs: number
  readonly camera: string
  readonly isRaw: boolean
}

/**
 * Classifies the similarity of two photos. Flat pictures are linked to none: each looks like all others. Nor are the files of
 * one shot.
 *
 * @param score - cosine similarity of their vectors
 * @returns undefined: not similar enough for a link
 */
export function linkTier(score: number, a: Appearance, b: Appearance): LinkTier | undefined {
  if (!saysSomething(a.phash) || !saysSomething(b.phash) || arePair(a, b)) return undefined
  if (score >= NEAR_SCORE_MIN && areNear(a, b)) return 'near'
  return score >= SIMILAR_SCORE_MIN ? 'similar' : undefined
}

/** Whether two photos that are linked to each other, or both to copies of them, are copies. */
export function areNear(a: Appearance, b: Appearance): boolean {
  if (!saysSomething(a.phash) || !saysSomething(b.phash) || arePair(a, b)) return false
  return differentBits(a.phash, b.phash) <= NEAR_BITS_MAX
}

/** @param a - 8 bytes, like `b`. @returns the Hamming distance, 0…64 */
export function differentBits(a: Uint8Array, b: Uint8Array): number {
  let count = 0
  for (const [i, byte] of a.entries()) for (let x = byte ^ (b[i] ?? 0); x !== 0; x &= x - 1) count++
  return count
}

const NOTHING = new Uint8Array(8)

/**
 * A hash with nothing in it is no evidence. Half of the bits of a photo's are set. Versions before this one wrote hashes of flat
 * pictures, with no bit or hardly one set: nearer to nothing than copies are to each other.
 */
function saysSomething(phash: Uint8Array | undefined): phash is Uint8Array {
  return phash !== undefined && differentBits(phash, NOTHING) > NEAR_BITS_MAX
}

/** Whether they are the RAW file of a shot and the picture that the camera made of it: a pair, not copies. */
function arePair({ shot: a }: Appearance, { shot: b }: Appearance): boolean {
  if (a === undefined || b === undefined || a.isRaw === b.isRaw || a.camera !== b.camera) return false
  return Math.abs(a.localMs - b.localMs) <= SAME_SHOT_MS
}
