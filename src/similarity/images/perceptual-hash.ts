/**
 * A hash of what a picture looks like. Copies that were recompressed, scaled, brightened or turned gray differ in few of
 * its 64 bits, other pictures in about half. Each bit says whether one of the 8 × 8 lowest frequencies of the picture, at
 * 32 × 32 pixels, is above their median. Frequencies along one axis only are left out: successive shots of one scene share
 * them. The hash does not recognize cropped or rotated copies; their vectors do.
 *
 * @see Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", section 3.2.1
 */

/** Side of the hashed picture, in pixels. */
export const HASH_SIDE = 32
/** Frequencies in each direction, from 1. */
const FREQUENCIES = 8
const HASH_BYTES = 8
/**
 * Flat pictures have frequencies that say nothing of them: noise, or the edge of a sheet. Root mean square of their amplitudes, in
 * grey levels: one color 0.000, a gradient 0.02, strong noise or the cap on the lens 0.03, a blank scan 0.02, a line of print 0.4,
 * the least of 120 photos 2.0, and of 611 others 0.97. Which of such pictures have a hash: test/bench/near-copies.ts.
 */
const AMPLITUDE_MIN = 0.25
/** Frequencies that a picture lacks, as one with an axis of symmetry does, are 0 except for rounding, which must not affect the hash. */
const ROUNDING = 1e-6

/** `COSINES[(frequency - 1) * HASHED_SIDE + position]` */
const COSINES = Float64Array.from({ length: FREQUENCIES * HASH_SIDE }, (_, i) => {
  const frequency = 1 + Math.floor(i / HASH_SIDE)
  const position = i % HASH_SIDE
  return Math.cos(((2 * position + 1) * frequency * Math.PI) / (2 * HASH_SIDE))
})

/**
 * @param luminance - {@link HASH_SIDE}² bytes, row by row
 * @returns 8 bytes, one per vertical frequency; its lowest bit is the lowest horizontal frequency. Undefined: the picture is flat
 */
export function perceptualHash(luminance: Uint8Array): Uint8Array | undefined {
  const frequencies = lowFrequencies(luminance)
  if (amplitudeOf(frequencies) < AMPLITUDE_MIN) return undefined
  const median = medianOf(frequencies)
  const hash = new Uint8Array(HASH_BYTES)
  frequencies.forEach((value, i) => {
    if (value > median + ROUNDING) hash[i >> 3]! |= 1 << (i & 7)
  })
  return hash
}

/** The lowest frequencies of a two-dimensional DCT-II, not normalized: rows of {@link FREQUENCIES}. */
function lowFrequencies(luminance: Uint8Array): Float64Array {
  const byRow = new Float64Array(HASH_SIDE * FREQUENCIES)
  for (let y = 0; y < HASH_SIDE; y++) {
    for (let u = 0; u < FREQUENCIES; u++) {
      let sum = 0
      for (let x = 0; x < HASH_SIDE; x++) sum += luminance[y * HASH_SIDE + x]! * COSINES[u * HASH_SIDE + x]!
      byRow[y * FREQUENCIES + u] = sum
    }
  }
  const frequencies = new Float64Array(FREQUENCIES * FREQUENCIES)
  for (let v = 0; v < FREQUENCIES; v++) {
    for (let u = 0; u < FREQUENCIES; u++) {
      let sum = 0
      for (let y = 0; y < HASH_SIDE; y++) sum += byRow[y * FREQUENCIES + u]! * COSINES[v * HASH_SIDE + y]!
      frequencies[v * FREQUENCIES + u] = sum
    }
  }
  return frequencies
}

/** @returns the root mean square of what the frequencies add to a pixel, grey levels */
function amplitudeOf(frequencies: Float64Array): number {
  const squares = frequencies.reduce((sum, value) => sum + value ** 2, 0)
  return Math.sqrt(squares / frequencies.length) / (HASH_SIDE / 2) ** 2
}

function medianOf(values: Float64Array): number {
  const sorted = values.slice().sort()
  const middle = values.length / 2
  return (sorted[middle - 1]! + sorted[middle]!) / 2
}
