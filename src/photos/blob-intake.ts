import { invariant } from '../core/invariant.js'
import { BlobMeter } from './blob-meter.js'
import type { ByteBudget } from './byte-budget.js'
import { ChunkRing, type WriteChunk } from './chunk-ring.js'
import type { Body, BodyOptions } from './photo-types.js'

export interface ReceivedBlob {
  readonly size: number
  readonly sha256: string
  /** The first bytes, enough to detect the media type. */
  readonly start: Uint8Array
  /** Chunks written so far, numbered from 0; 0 when the whole blob fits into one needle. */
  readonly chunksWritten: number
  /** What has not been written: the last chunk, or the whole blob. */
  readonly tail: Uint8Array
}

export interface BlobIntakeInit {
  readonly chunkBytes: number
  readonly maxBytes: number
}

/**
 * Reads bodies into memory that all uploads share. A blob longer than `chunkBytes` is cut into chunks; each is written to
 * disk while the next one fills. Back pressure: a body is not read until its share of the memory is free.
 */
export class BlobIntake {
  readonly #budget: ByteBudget
  readonly #init: BlobIntakeInit

  constructor(components: { readonly budget: ByteBudget }, init: BlobIntakeInit) {
    this.#budget = components.budget
    this.#init = init
  }

  /**
   * Reads the whole body, passes full chunks to `writeChunk` and the rest to `use`. The bytes are valid until `use` settles.
   *
   * @throws what {@link BlobMeter} throws for a wrong length, what the body, `writeChunk` or `use` throws, `ERR_OVERLOADED`
   */
  receive<Result>(
    body: Body,
    options: BodyOptions,
    writeChunk: WriteChunk,
    use: (intake: ReceivedBlob) => Promise<Result>
  ): Promise<Result> {
    return this.#receive(body, options, this.#init.maxBytes, writeChunk, use)
  }

  /** Like {@link receive}, for a blob of at most one chunk. */
  receiveWhole<Result>(
    body: Body,
    options: BodyOptions,
    use: (intake: ReceivedBlob) => Promise<Result>
  ): Promise<Result> {
    const noChunk: WriteChunk = async () => invariant(false, 'a blob of one needle was cut into chunks')
    return this.#receive(body, options, Math.min(this.#init.chunkBytes, this.#init.maxBytes), noChunk, use)
  }

  /** Reads the whole body without keeping it. */
  async digest(body: Body, options: BodyOptions): Promise<{ readonly size: number; readonly sha256: string }> {
    const meter = new BlobMeter(options, this.#init.maxBytes)
    for await (const piece of body) meter.add(piece)
    return meter.end()
  }

  async #receive<Result>(
    body: Body,
    options: BodyOptions,
    maxBytes: number,
    writeChunk: WriteChunk,
    use: (intake: ReceivedBlob) => Promise<Result>
  ): Promise<Result> {
    const meter = new BlobMeter(options, maxBytes)
    const { chunkBytes } = this.#init
    const expectedBytes = options.declaredBytes ?? options.atMostBytes ?? chunkBytes
    const share = await this.#budget.take(Math.min(expectedBytes, chunkBytes))
    const chunks = new ChunkRing(
      { budget: this.#budget, writeChunk },
      { chunkBytes, declaredBytes: options.declaredBytes }
    )
    try {
      for await (const piece of body) {
        meter.add(piece)
        for (let from = 0; from < piece.length; from = chunks.fill(piece, from)) {
          if (chunks.isFull) await chunks.write()
        }
      }
      const { size, sha256 } = meter.end()
      await chunks.flush()
      return await use({ size, sha256, start: chunks.start, chunksWritten: chunks.writtenCount, tail: chunks.tail })
    } finally {
      await chunks.release()
      this.#budget.release(share)
    }
  }
}
