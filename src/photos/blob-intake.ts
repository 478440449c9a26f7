import { invariant } from '../core/invariant.js'
import { BlobMeter } from './blob-meter.js'
import { type ChunkRest, ChunkRing, type ChunkRingComponents, type WriteChunk } from './chunk-ring.js'
import type { Body, BodyOptions } from './photo-types.js'

/** A blob of which all bytes have come. `tail` is the last chunk, or the whole blob if it fits into one needle. */
export interface ReceivedBlob extends ChunkRest {
  readonly size: number
  readonly sha256: string
}

export type BlobIntakeComponents = Pick<ChunkRingComponents, 'memory' | 'readBack' | 'spool'>

export interface BlobIntakeInit {
  readonly chunkBytes: number
  readonly maxBytes: number
}

/**
 * Reads bodies into memory that all uploads share, or to disk while that has no room. A blob longer than `chunkBytes` is cut
 * into chunks; each is stored while the next one fills.
 */
export class BlobIntake {
  readonly #components: BlobIntakeComponents
  readonly #init: BlobIntakeInit

  constructor(components: BlobIntakeComponents, init: BlobIntakeInit) {
    this.#components = components
    this.#init = init
  }

  /**
   * Reads the whole body, passes full chunks to `writeChunk` and the rest to `use`. The bytes are valid until `use` settles.
   *
   * @throws what {@link BlobMeter} throws for a wrong length, what {@link ChunkRing} throws, what the body or `use` throws
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
    const bytesMax = options.declaredBytes ?? options.atMostBytes ?? maxBytes
    const chunks = new ChunkRing({ ...this.#components, writeChunk }, { chunkBytes, bytesMax })
    try {
      for await (const piece of body) {
        meter.add(piece)
        await chunks.add(piece)
      }
      return await use({ ...meter.end(), ...(await chunks.finish()) })
    } finally {
      await chunks.release()
    }
  }
}
