import type { BufferPool } from '../../volumes/buffer-pool.js'
import type { CopyProgress } from '../../volumes/volume-copies.js'

/** Size of a portion; a single needle may be larger. */
const STEP_BYTES = 2 * 1024 * 1024
/** Of the portions that are being written while more bytes arrive; a single needle may be larger. */
const WRITES_BYTES_MAX = 6 * STEP_BYTES

interface Write {
  readonly durable: Promise<void>
  readonly portion: Buffer
}

/**
 * Assembles the pieces of a volume's range into portions and hands these to `take`, one by one. A needle that is cut at the
 * end of a portion is carried over to the next. The next portion is assembled while earlier ones are written to the disk.
 */
export class RangeAssembler {
  readonly #take: (at: number, bytes: Uint8Array) => Promise<CopyProgress>
  readonly #to: number
  #at: number
  /** Its first `#byteCount` bytes have arrived and were not taken yet. */
  #portion: Buffer
  #byteCount = 0
  readonly #pool: BufferPool
  /** Oldest first. */
  readonly #writes: Write[] = []
  #writesBytes = 0
  /** Further pieces are ignored. */
  #ended = false

  /**
   * @param pool - supplies the memory: allocating and collecting buffers of this size is expensive
   * @param range - of the volume: where the first piece begins, and the latest end of the last one
   * @param take - verifies and keeps whole needles, and says how far it came
   */
  constructor(
    pool: BufferPool,
    { from, to }: { readonly from: number; readonly to: number },
    take: (at: number, bytes: Uint8Array) => Promise<CopyProgress>
  ) {
    this.#pool = pool
    this.#at = from
    this.#to = to
    this.#take = take
    this.#portion = this.#memory(0)
  }

  /** Everything before this offset was taken. */
  get at(): number {
    return this.#at
  }

  /** Whether the last bytes were enough, and yet none was taken: it is not for the sender that there is no progress. */
  get refused(): boolean {
    return this.#ended
  }

  /** Drops the bytes that were not taken: the next piece begins at {@link at}. */
  clear(): void {
    this.#byteCount = 0
    this.#ended = false
  }

  /** @throws the error of `take` for a portion that the piece completed, or of an earlier portion's write */
  async add(piece: Uint8Array): Promise<void> {
    for (let rest = piece; rest.byteLength > 0 && !this.#ended; ) {
      const part = rest.subarray(0, this.#portion.byteLength - this.#byteCount)
      this.#portion.set(part, this.#byteCount)
      this.#byteCount += part.byteLength
      rest = rest.subarray(part.byteLength)
      if (this.#byteCount === this.#portion.byteLength) await this.flush()
    }
  }

  /** Hands the assembled bytes to `take`; the beginning of an incomplete needle stays. */
  async flush(): Promise<void> {
    if (this.#byteCount === 0) return
    const portion = this.#portion
    const bytes = portion.subarray(0, this.#byteCount)
    const { end, nextBytes, durable } = await this.#take(this.#at, bytes)
    const rest = bytes.subarray(Math.max(0, end - this.#at))
    if (rest.byteLength === bytes.byteLength && nextBytes <= rest.byteLength) {
      this.#ended = true // nothing was taken, and more bytes would not help
      return
    }
    this.#at = Math.max(this.#at, end)
    this.#portion = this.#memory(nextBytes)
    this.#portion.set(rest)
    this.#byteCount = rest.byteLength
    this.#trackWrite(durable, portion)
    await this.#waitBelow(WRITES_BYTES_MAX)
  }

  /** Waits until everything taken is durable. @throws the error of a write */
  untilDurable(): Promise<void> {
    return this.#waitBelow(0)
  }

  /** @returns room for a portion, or for a needle that is larger */
  #memory(needleByteCount: number): Buffer {
    const byteCount = Math.max(Math.min(STEP_BYTES, this.#to - this.#at), needleByteCount)
    return this.#pool.take(byteCount)
  }

  #trackWrite(durable: Promise<void>, portion: Buffer): void {
    this.#writes.push({ durable, portion })
    this.#writesBytes += portion.byteLength
  }

  async #waitBelow(byteCountMax: number): Promise<void> {
    while (this.#writesBytes > byteCountMax) {
      const { durable, portion } = this.#writes.shift() as Write
      this.#writesBytes -= portion.byteLength
      await durable
      this.#pool.give(portion)
    }
  }
}
