import { type ModelId, modelIdOf } from '../../src/domain/features.js'
import { type PhotoId, photoIdFrom } from '../../src/domain/ids.js'
import type { VectorEntry } from '../../src/similarity/index/vector-index.js'
import type { SeededRandom } from './seeded-random.js'

export const MODEL: ModelId = modelIdOf('0123456789abcdef'.repeat(4))
export const OTHER_MODEL: ModelId = modelIdOf('fedcba9876543210'.repeat(4))

/** @returns a vector of unit length in a random direction */
export function unitVector(random: SeededRandom, dimension: number): Float32Array {
  return unit(Float32Array.from({ length: dimension }, () => gaussian(random)))
}

/** @returns the direction of `vector`, moved a little */
export function nearVector(random: SeededRandom, vector: Float32Array, distance: number): Float32Array {
  const noise = unitVector(random, vector.length)
  return unit(vector.map((value, i) => value + distance * (noise[i] ?? 0)))
}

export function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return vector.map(value => value / length)
}

export function randomPhotoId(random: SeededRandom): PhotoId {
  return photoIdFrom(random.bytes(16))
}

/** @returns the entry's vector in the space `image` */
export function imageVector({ vectors }: Pick<VectorEntry, 'vectors'>): Float32Array {
  return vectors.get('image') as Float32Array
}

/** Entries of an index that has only the space `image`. */
export function vectorEntries(random: SeededRandom, count: number, dimension: number): VectorEntry[] {
  return Array.from({ length: count }, () => ({
    id: randomPhotoId(random),
    version: random.below(2 ** 31),
    audience: '-',
    vectors: new Map([['image', unitVector(random, dimension)]] as const)
  }))
}

/** @returns a number from the standard normal distribution: Box–Muller */
export function gaussian(random: SeededRandom): number {
  return Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction())
}
