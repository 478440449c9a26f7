import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { principalAxes, project } from '../../../../src/similarity/index/principal-axes.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { gaussian, unitVector } from '../../../support/vector-maker.js'

const DIMENSION = 40

/** Vectors that vary by `spread[i]` along the ith of as many random directions, around a point that is far away. */
function cloud(random: SeededRandom, count: number, spread: readonly number[]): Float32Array[] {
  const directions = spread.map(() => unitVector(random, DIMENSION))
  return Array.from({ length: count }, () => {
    const sum = new Float32Array(DIMENSION).fill(5)
    for (const [i, direction] of directions.entries()) {
      const along = (spread[i] ?? 0) * gaussian(random)
      for (let at = 0; at < DIMENSION; at++) sum[at]! += along * (direction[at] ?? 0)
    }
    return sum
  })
}

/** @returns how much of the squared distances between vectors the projection keeps, 0…1 */
function kept(vectors: readonly Float32Array[], axes: Float32Array): number {
  let [whole, projected] = [0, 0]
  for (let i = 1; i < vectors.length; i++) {
    const difference = Array.from(vectors[i] ?? [], (value, at) => value - (vectors[i - 1]?.[at] ?? 0))
    whole += difference.reduce((sum, value) => sum + value ** 2, 0)
    projected += project(difference, axes).reduce((sum, value) => sum + value ** 2, 0)
  }
  return projected / whole
}

function rows(axes: Float32Array): Float32Array[] {
  return Array.from({ length: axes.length / DIMENSION }, (_, i) => axes.subarray(i * DIMENSION, (i + 1) * DIMENSION))
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a, (value, i) => value * (b[i] ?? 0)).reduce((sum, value) => sum + value, 0)
}

describe('the axes of a sample', () => {
  test('are of unit length and at right angles', async () => {
    const random = new SeededRandom(1)
    const axes = rows(await principalAxes(cloud(random, 64, [9, 7, 5, 3, 2, 1, 1, 1, 1, 1]), 10))
    for (const [i, a] of axes.entries()) {
      for (const [j, b] of axes.entries()) expect(dot(a, b)).toBeCloseTo(i === j ? 1 : 0, 5)
    }
  })

  test('span all that varies, where that has no more directions than axes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 8 }), async (seed, directions) => {
        const random = new SeededRandom(seed)
        const vectors = cloud(
          random,
          60,
          Array.from({ length: directions }, () => 1 + random.fraction())
        )
        expect(kept(vectors, await principalAxes(vectors.slice(0, 40), 8))).toBeCloseTo(1, 4)
      }),
      { numRuns: 40 }
    )
  })

  test('keep nearly as much as the best could, of vectors that they were not learned from', async () => {
    const random = new SeededRandom(3)
    // at random directions: the first six have all but some 3 %
    const vectors = cloud(random, 600, [10, 9, 8, 7, 6, 5, ...Array.from({ length: 30 }, () => 0.5)])
    expect(kept(vectors.slice(300), await principalAxes(vectors.slice(0, 300), 6))).toBeGreaterThan(0.95)
    expect(kept(vectors.slice(300), await principalAxes(vectors.slice(0, 300), 3))).toBeLessThan(0.8)
  })

  test('that nothing varies along are zero, and disturb nothing', async () => {
    const random = new SeededRandom(4)
    const same = Array.from({ length: 20 }, () => new Float32Array(DIMENSION).fill(0.3))
    expect((await principalAxes(same, 5)).every(value => value === 0)).toBe(true)
    const flat = cloud(random, 50, [1, 1])
    const axes = rows(await principalAxes(flat, 6))
    expect(axes.filter(axis => dot(axis, axis) > 0.5).length).toBeGreaterThanOrEqual(2)
    for (const value of axes.flatMap(axis => [...axis])) expect(Number.isFinite(value)).toBe(true)
  })

  test('are the same for the same sample', async () => {
    const sample = cloud(new SeededRandom(5), 64, [3, 2, 1, 1, 1])
    expect(await principalAxes(sample, 4)).toEqual(await principalAxes(sample, 4))
  })

  test('shorten distances and never lengthen them', async () => {
    const axes = await principalAxes(cloud(new SeededRandom(6), 64, [4, 3, 2, 2, 1, 1, 1]), 5)
    fc.assert(
      fc.property(fc.integer(), seed => {
        const random = new SeededRandom(seed)
        const [a, b] = [unitVector(random, DIMENSION), unitVector(random, DIMENSION)]
        const [p, q] = [project(a, axes), project(b, axes)]
        const squared = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
          Array.from(x, (value, i) => (value - (y[i] ?? 0)) ** 2).reduce((sum, value) => sum + value, 0)
        expect(squared(p, q)).toBeLessThanOrEqual(squared(a, b) + 1e-5)
      })
    )
  })
})
