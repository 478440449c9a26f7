import type { BufferPool } from '../../volumes/buffer-pool.js'
import type { CopyProgress } from '../../volumes/volume-copies.js'

/** What is handed on at once while a range streams in. */
const STEP_BYTES = 2 * 1024 * 1024
/** What may be on its way to the disk while more comes in; a single needle may be larger. */
const WRITES_BYTES_MAX = 6 * STEP_BYTES

interface Write {
  readonly durable: Promise<void>
  readonly portion: Buffer
}

/**
 * Gathers the pieces of a volume's range into portions that end behind whole needles, and hands them on one by one. The
 * next is gathered while those before it go to the disk.
 */
export class RangeAssembler {
  readonly #take: (at: number, bytes: Uint8Array) => Promise<CopyProgress>
  readonly #to: number
  #at: number
  /** What has come and was not handed on: its first `#byteCount` bytes. */
  #portion: Buffer
  #byteCount = 0
  readonly #pool: BufferPool
  /** Oldest first. */
  readonly #writes: Write[] = []
  #writesBytes = 0
  /** Nothing more is taken of what comes. */
  #ended = false

  /**
   * @param pool - where the memory comes from: fresh memory in such pieces is dear to get and to clean up
   * @param range - of the volume: where the first piece begins, and where the last one ends at the latest
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

  /** Forgets what was not taken: the next piece begins at {@link at}. */
  clear(): void {
    this.#byteCount = 0
    this.#ended = false
  }

  /** @throws what refused the portion that the piece completed, or ended an earlier one on its way to the disk */
  async add(piece: Uint8Array): Promise<void> {
    for (let rest = piece; rest.byteLength > 0 && !this.#ended; ) {
      const part = rest.subarray(0, this.#portion.byteLength - this.#byteCount)
      this.#portion.set(part, this.#byteCount)
      this.#byteCount += part.byteLength
      rest = rest.subarray(part.byteLength)
      if (this.#byteCount === this.#portion.byteLength) await this.flush()
    }
  }

  /** Hands on what is there; the beginning of a needle whose rest is missing stays. */
  async flush(): Promise<void> {
    if (this.#byteCount === 0) return
    const portion = this.#portion
    const bytes = portion.subarray(0, this.#byteCount)
    const { end, nextBytes, durable } = await this.#take(this.#at, bytes)
    const rest = bytes.subarray(Math.max(0, end - this.#at))
    if (rest.byteLength === bytes.byteLength && nextBytes <= rest.byteLength) {
      this.#ended = true // more of it would change nothing
      return
    }
    this.#at = Math.max(this.#at, end)
    this.#portion = this.#memory(nextBytes)
    this.#portion.set(rest)
    this.#byteCount = rest.byteLength
    this.#trackWrite(durable, portion)
    await this.#waitBelow(WRITES_BYTES_MAX)
  }

  /** Waits until all that was taken is durable. @throws what ended it */
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
