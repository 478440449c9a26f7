import { randomFillSync } from 'node:crypto'

/** Randomness as an argument, so that a simulation replays under its seed. */
export interface Random {
  /** @returns `byteCount` fresh bytes; the caller owns them */
  bytes(byteCount: number): Uint8Array
  /** @returns a number in [0, 1) */
  fraction(): number
}

const POOL_BYTES = 4096

/** A kernel call costs about 5 µs for any size, so small requests take bytes from a pool; no byte is used twice. */
class PooledRandom implements Random {
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #used = POOL_BYTES

  bytes(byteCount: number): Uint8Array {
    if (byteCount > POOL_BYTES) return randomFillSync(new Uint8Array(byteCount))
    return Uint8Array.from(this.#take(byteCount))
  }

  fraction(): number {
    return this.#take(4).readUInt32LE() / 2 ** 32
  }

  #take(byteCount: number): Buffer {
    if (this.#used + byteCount > POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#used = 0
    }
    const bytes = this.#pool.subarray(this.#used, this.#used + byteCount)
    this.#used += byteCount
    return bytes
  }
}

export const systemRandom: Random = new PooledRandom()
