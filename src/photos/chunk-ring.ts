import type { ByteBudget } from './byte-budget.js'
import { SNIFF_BYTES } from './media-type.js'

/** Chunk buffers of one upload: one being filled, the others being written. */
const BUFFERS_MAX = 3

/** Stores one chunk, numbered from 0, durably. The bytes do not change until the promise settles. */
export type WriteChunk = (chunk: number, bytes: Uint8Array) => Promise<void>

export interface ChunkRingInit {
  readonly chunkBytes: number
  /** Length of the whole blob, when it is known. */
  readonly declaredBytes: number | undefined
}

/**
 * The chunk being filled, and a few buffers for chunks being written. The owner's share of the budget covers the first
 * buffer. Further ones are made only while the budget has room, so that no upload waits for memory while it holds some.
 */
export class ChunkRing {
  readonly #budget: ByteBudget
  readonly #writeChunk: WriteChunk
  readonly #init: ChunkRingInit
  /** The chunk being filled: the first `#used` bytes of `#bytes`. */
  #bytes: Uint8Array = new Uint8Array(0)
  #usedBytes = 0
  /** `#bytes` is the caller's first piece, taken without a copy; its buffer must not be reused. */
  #isBorrowed = false
  #start: Uint8Array | undefined
  #writtenCount = 0
  /** Free buffers of chunk size, and the number of buffers ever made. */
  readonly #spareBuffers: Uint8Array[] = []
  #bufferCount = 1
  #extraShare = 0
  readonly #writes = new Set<Promise<void>>()
  #failure: { readonly reason: unknown } | undefined

  constructor(components: { readonly budget: ByteBudget; readonly writeChunk: WriteChunk }, init: ChunkRingInit) {
    this.#budget = components.budget
    this.#writeChunk = components.writeChunk
    this.#init = init
  }

  get isFull(): boolean {
    return this.#usedBytes === this.#init.chunkBytes
  }

  /** The first bytes of the blob, enough to detect its type. */
  get start(): Uint8Array {
    return this.#start ?? this.tail
  }

  /** Chunks handed to `writeChunk`. */
  get writtenCount(): number {
    return this.#writtenCount
  }

  /** Bytes not yet handed to `writeChunk`. */
  get tail(): Uint8Array {
    return this.#bytes.subarray(0, this.#usedBytes)
  }

  /** Copies as much of the piece as fits, starting at `from`. @returns where the rest begins */
  fill(piece: Uint8Array, from: number): number {
    const to = Math.min(piece.length, from + this.#init.chunkBytes - this.#usedBytes)
    const used = this.#usedBytes + to - from
    if (this.#bytes.length === 0) {
      this.#bytes = piece.subarray(from, to)
      this.#isBorrowed = true
    } else {
      if (used > this.#bytes.length) this.#grow(used)
      this.#bytes.set(piece.subarray(from, to), this.#usedBytes)
    }
    this.#usedBytes = used
    return to
  }

  /**
   * Starts writing the full chunk and gets a buffer for the next one, waiting for an earlier write if necessary.
   *
   * @throws what an earlier write threw
   */
  async write(): Promise<void> {
    const bytes = this.#bytes
    const isOurs = !this.#isBorrowed
    this.#start ??= Uint8Array.from(bytes.subarray(0, SNIFF_BYTES))
    const write = this.#writeChunk(this.#writtenCount++, bytes)
      .then(
        () => {
          if (isOurs) this.#spareBuffers.push(bytes)
        },
        reason => {
          this.#failure ??= { reason }
        }
      )
      .finally(() => this.#writes.delete(write))
    this.#writes.add(write)
    this.#bytes = await this.#nextBuffer()
    this.#usedBytes = 0
    this.#isBorrowed = false
  }

  /** Waits for all writes. @throws what one of them threw */
  async flush(): Promise<void> {
    await Promise.all(this.#writes)
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  /** Releases the memory once no write uses it. */
  async release(): Promise<void> {
    await Promise.all(this.#writes)
    this.#budget.release(this.#extraShare)
    this.#extraShare = 0
  }

  async #nextBuffer(): Promise<Uint8Array> {
    const { chunkBytes } = this.#init
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason
      const spare = this.#spareBuffers.pop()
      if (spare !== undefined) return spare
      if (this.#bufferCount < BUFFERS_MAX && this.#budget.tryTake(chunkBytes)) {
        this.#bufferCount++
        this.#extraShare += chunkBytes
        return Buffer.allocUnsafeSlow(chunkBytes)
      }
      // A borrowed buffer leaves no spare, so its place in the share is free.
      if (this.#writes.size === 0) return Buffer.allocUnsafeSlow(chunkBytes)
      await Promise.race(this.#writes)
    }
  }

  #grow(used: number): void {
    const { chunkBytes, declaredBytes = Math.max(used, 2 * this.#bytes.length) } = this.#init
    const grown = Buffer.allocUnsafeSlow(Math.min(chunkBytes, declaredBytes))
    grown.set(this.tail)
    this.#bytes = grown
    this.#isBorrowed = false
  }
}
