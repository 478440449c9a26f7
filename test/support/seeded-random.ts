import type { Random } from '../../src/core/random.js'

/**
 * xoshiro128** seeded by splitmix32: fast, and long enough a period for any test.
 *
 * @see Blackman & Vigna 2018, "Scrambled linear pseudorandom number generators"
 */
export class SeededRandom implements Random {
  readonly seed: number
  readonly #state = new Uint32Array(4)

  /** @param seed - any integer; its low 32 bits count */
  constructor(seed: number) {
    this.seed = seed >>> 0
    let mixed = this.seed
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e3779b9) >>> 0
      let z = mixed
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      this.#state[i] = z ^ (z >>> 16)
    }
  }

  bytes(byteCount: number): Uint8Array {
    const bytes = new Uint8Array(byteCount)
    for (let i = 0; i < byteCount; i += 4) {
      const word = this.#next()
      for (let j = 0; j < 4 && i + j < byteCount; j++) bytes[i + j] = word >>> (8 * j)
    }
    return bytes
  }

  fraction(): number {
    return this.#next() / 2 ** 32
  }

  /** @returns an integer in [0, bound) */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound)
  }

  /** @param probability - of true, 0…1 */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** @returns one of `items`, which must not be empty */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }

  /** An independent stream, so that one part of a test drawing more numbers leaves the others as they were. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next())
  }

  #next(): number {
    const [a, b, c, d] = this.#state as unknown as [number, number, number, number]
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    this.#state[2] = c ^ a
    this.#state[3] = d ^ b
    this.#state[1] = b ^ this.#state[2]
    this.#state[0] = a ^ this.#state[3]
    this.#state[2] ^= b << 9
    this.#state[3] = (this.#state[3] << 11) | (this.#state[3] >>> 21)
    return result
  }
}

/**
 * The seeds that a randomised test runs under: the one in the environment's `SEED`, else `SIM_RUNS` or `runs` many, the
 * same in every run, so that a red test is due to a change; `npm run sim` looks for new ones. Name them in the tests
 * (`test.each(testSeeds(20))('… under seed %i')`), so that a failure says how it is replayed.
 */
export function testSeeds(runs: number): number[] {
  const given = process.env.SEED
  if (given !== undefined) return [Number(given)]
  return Array.from({ length: Number(process.env.SIM_RUNS ?? runs) }, (_, i) => i + 1)
}
