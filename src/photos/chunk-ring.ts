import type { ByteBudget } from './byte-budget.js'
import { SNIFF_BYTES } from './media-type.js'

/** Chunks of one upload in memory: one that fills, the others on their way to the disk. */
const BUFFERS_MAX = 3

/** Stores one chunk, numbered from 0, durably. The bytes are not touched until the promise settles. */
export type WriteChunk = (chunk: number, bytes: Uint8Array) => Promise<void>

export interface ChunkRingInit {
  readonly chunkBytes: number
  /** Length of the whole blob, when it is known. */
  readonly declaredBytes: number | undefined
}

/**
 * The chunk that fills, and a few buffers for those being written. The first buffer is in the share that the owner took
 * from the budget; further ones are made only while the budget has room, so that no upload waits for memory with
 * memory in its hands.
 */
export class ChunkRing {
  readonly #budget: ByteBudget
  readonly #writeChunk: WriteChunk
  readonly #init: ChunkRingInit
  /** The chunk that fills: `#used` bytes of `#bytes`. */
  #bytes: Uint8Array = new Uint8Array(0)
  #used = 0
  /** The very first piece is taken as it stands, without a copy; that buffer is not ours to fill again. */
  #borrowed = false
  #start: Uint8Array | undefined
  #written = 0
  /** Buffers of chunk size that wait for use, and how many were made in all. */
  readonly #spare: Uint8Array[] = []
  #made = 1
  #extraShare = 0
  readonly #writes = new Set<Promise<void>>()
  #failure: { readonly reason: unknown } | undefined

  constructor(components: { readonly budget: ByteBudget; readonly writeChunk: WriteChunk }, init: ChunkRingInit) {
    this.#budget = components.budget
    this.#writeChunk = components.writeChunk
    this.#init = init
  }

  get isFull(): boolean {
    return this.#used === this.#init.chunkBytes
  }

  /** The first bytes of the blob, enough to tell its type. */
  get start(): Uint8Array {
    return this.#start ?? this.tail
  }

  /** Chunks handed to `writeChunk`. */
  get written(): number {
    return this.#written
  }

  /** What has not been handed over. */
  get tail(): Uint8Array {
    return this.#bytes.subarray(0, this.#used)
  }

  /** Adds what fits of the piece, from `from` on. @returns where the rest begins */
  fill(piece: Uint8Array, from: number): number {
    const to = Math.min(piece.length, from + this.#init.chunkBytes - this.#used)
    const used = this.#used + to - from
    if (this.#bytes.length === 0) {
      this.#bytes = piece.subarray(from, to)
      this.#borrowed = true
    } else {
      if (used > this.#bytes.length) this.#grow(used)
      this.#bytes.set(piece.subarray(from, to), this.#used)
    }
    this.#used = used
    return to
  }

  /**
   * Sends the full chunk on its way and gets a buffer for the next one, waiting for a write to end if need be.
   *
   * @throws what an earlier write threw
   */
  async write(): Promise<void> {
    const bytes = this.#bytes
    const isOurs = !this.#borrowed
    this.#start ??= Uint8Array.from(bytes.subarray(0, SNIFF_BYTES))
    const write = this.#writeChunk(this.#written++, bytes)
      .then(
        () => {
          if (isOurs) this.#spare.push(bytes)
        },
        reason => {
          this.#failure ??= { reason }
        }
      )
      .finally(() => this.#writes.delete(write))
    this.#writes.add(write)
    this.#bytes = await this.#nextBuffer()
    this.#used = 0
    this.#borrowed = false
  }

  /** Waits for all writes. @throws what one of them threw */
  async settled(): Promise<void> {
    await Promise.all(this.#writes)
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  /** Gives the memory back once nobody writes from it any more. */
  async release(): Promise<void> {
    await Promise.all(this.#writes)
    this.#budget.give(this.#extraShare)
    this.#extraShare = 0
  }

  async #nextBuffer(): Promise<Uint8Array> {
    const { chunkBytes } = this.#init
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason
      const spare = this.#spare.pop()
      if (spare !== undefined) return spare
      if (this.#made < BUFFERS_MAX && this.#budget.tryTake(chunkBytes)) {
        this.#made++
        this.#extraShare += chunkBytes
        return Buffer.allocUnsafeSlow(chunkBytes)
      }
      // A borrowed buffer leaves no spare behind: its place in the share is free.
      if (this.#writes.size === 0) return Buffer.allocUnsafeSlow(chunkBytes)
      await Promise.race(this.#writes)
    }
  }

  #grow(used: number): void {
    const { chunkBytes, declaredBytes = Math.max(used, 2 * this.#bytes.length) } = this.#init
    const grown = Buffer.allocUnsafeSlow(Math.min(chunkBytes, declaredBytes))
    grown.set(this.tail)
    this.#bytes = grown
    this.#borrowed = false
  }
}
