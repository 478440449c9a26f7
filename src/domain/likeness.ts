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

/**
 * Classifies the similarity of two photos.
 *
 * @param score - cosine similarity of their vectors
 * @param a - perceptual hashes, 8 bytes; undefined where there is none
 * @returns undefined: not similar enough for a link
 */
export function linkTier(score: number, a: Uint8Array | undefined, b: Uint8Array | undefined): LinkTier | undefined {
  const isSamePicture = a !== undefined && b !== undefined && differentBits(a, b) <= NEAR_BITS_MAX
  if (isSamePicture && score >= NEAR_SCORE_MIN) return 'near'
  return score >= SIMILAR_SCORE_MIN ? 'similar' : undefined
}

/** @param a - 8 bytes, like `b`. @returns the Hamming distance, 0…64 */
export function differentBits(a: Uint8Array, b: Uint8Array): number {
  let count = 0
  for (const [i, byte] of a.entries()) for (let x = byte ^ (b[i] ?? 0); x !== 0; x &= x - 1) count++
  return count
}
