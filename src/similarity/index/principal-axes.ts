import { turn } from '../../core/turn.js'

/** Rounds of iteration. The space that the axes span is what counts, and it is settled long before each of them is. */
const ROUNDS = 8

/**
 * The axes along which a sample varies most: what is left out of vectors when they are projected on these is least.
 *
 * Found by orthogonal iteration on the products of all pairs of the sample (Golub & Van Loan, "Matrix Computations", 8.2.4),
 * from a fixed beginning: the same sample gives the same axes. Runs in slices of a few milliseconds.
 *
 * @param sample - vectors of one length, at least `count`
 * @returns `count` orthonormal axes, concatenated; some may be zero when the sample varies in fewer directions
 * @see Pearson 1901, "On lines and planes of closest fit to systems of points in space"
 */
export async function principalAxes(sample: readonly ArrayLike<number>[], count: number): Promise<Float32Array> {
  const centred = centre(sample)
  const products = await productsOf(centred)
  let basis = Array.from({ length: count }, (_, axis) => walsh(axis, sample.length))
  for (let round = 0; round < ROUNDS; round++) {
    const moved: Float64Array[] = []
    for (const vector of basis) {
      moved.push(Float64Array.from(products, row => dot(row, vector)))
      await turn()
    }
    basis = await orthonormal(moved)
  }
  const axes: Float64Array[] = []
  for (const weights of basis) {
    axes.push(weightedSum(centred, weights))
    await turn()
  }
  return concatenated(await orthonormal(axes))
}

/** The coordinates of a vector along axes. @param axes - as {@link principalAxes} returns them */
export function project(vector: ArrayLike<number>, axes: Float32Array): number[] {
  const { length } = vector
  const coordinates = new Array<number>(axes.length / length)
  for (let axis = 0, at = 0; axis < coordinates.length; axis++) {
    let sum = 0
    for (let i = 0; i < length; i++) sum += (vector[i] as number) * (axes[at++] as number)
    coordinates[axis] = sum
  }
  return coordinates
}

function centre(sample: readonly ArrayLike<number>[]): Float64Array[] {
  const mean = new Float64Array(sample[0]?.length ?? 0)
  for (const vector of sample) for (let i = 0; i < mean.length; i++) mean[i]! += (vector[i] as number) / sample.length
  return sample.map(vector => mean.map((value, i) => (vector[i] as number) - value))
}

async function productsOf(vectors: readonly Float64Array[]): Promise<Float64Array[]> {
  const products = vectors.map(() => new Float64Array(vectors.length))
  for (const [i, vector] of vectors.entries()) {
    for (let j = 0; j <= i; j++) {
      const product = dot(vector, vectors[j] as Float64Array)
      products[i]![j] = product
      products[j]![i] = product
    }
    await turn()
  }
  return products
}

/** Makes each vector orthogonal to those before, and of unit length; one that adds no direction becomes zero. */
async function orthonormal(vectors: readonly Float64Array[]): Promise<Float64Array[]> {
  const done: Float64Array[] = []
  for (const vector of vectors) {
    const before = Math.sqrt(dot(vector, vector))
    // twice: rounding leaves a rest the first time
    for (let pass = 0; pass < 2; pass++) {
      for (const other of done) {
        const along = dot(vector, other)
        for (let i = 0; i < vector.length; i++) vector[i]! -= along * (other[i] as number)
      }
    }
    const length = Math.sqrt(dot(vector, vector))
    const isNew = length > before * 1e-9
    done.push(vector.map(value => (isNew ? value / length : 0)))
    await turn()
  }
  return done
}

/** @returns row `row` of the Walsh–Hadamard matrix: such rows are orthogonal, and none misses a direction of the sample */
function walsh(row: number, length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => (isOdd(row & i) ? -1 : 1))
}

/** @returns whether the number of one bits is odd */
function isOdd(bits: number): boolean {
  let odd = false
  for (let rest = bits; rest !== 0; rest &= rest - 1) odd = !odd
  return odd
}

function weightedSum(vectors: readonly Float64Array[], weights: Float64Array): Float64Array {
  const sum = new Float64Array(vectors[0]?.length ?? 0)
  for (const [at, vector] of vectors.entries()) {
    const weight = weights[at] as number
    for (let i = 0; i < sum.length; i++) sum[i]! += weight * (vector[i] as number)
  }
  return sum
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

function concatenated(axes: readonly Float64Array[]): Float32Array {
  const length = axes[0]?.length ?? 0
  const joined = new Float32Array(axes.length * length)
  for (const [at, axis] of axes.entries()) joined.set(axis, at * length)
  return joined
}
