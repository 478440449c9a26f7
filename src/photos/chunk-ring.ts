import type { ByteBudget } from './byte-budget.js'
import { SNIFF_BYTES } from './media-type.js'
import type { SpoolFile, UploadSpool } from './upload-spool.js'

/** Chunk buffers of one upload: one being filled, the others being written. */
const BUFFERS_MAX = 3
/** A buffer that is too small gives way to one so many times as large. */
const GROWTH = 4
const GROWN_BYTES_MIN = 64 * 1024
const EMPTY = new Uint8Array(0)

/** Stores one chunk, numbered from 0, durably. The bytes do not change until the promise settles. */
export type WriteChunk = (chunk: number, bytes: Uint8Array) => Promise<void>

export interface ChunkRingComponents {
  /** Memory of all uploads. */
  readonly memory: ByteBudget
  /** Memory for chunks that come back from the disk to be stored. Nobody holds it while a client sends. */
  readonly readBack: ByteBudget
  readonly spool: Pick<UploadSpool, 'open'>
  readonly writeChunk: WriteChunk
}

export interface ChunkRingInit {
  readonly chunkBytes: number
  /** The blob has at most as many bytes, as far as is known. */
  readonly bytesMax: number
}

/** The end of a blob. */
export interface ChunkRest {
  /** The first bytes of the blob, enough to detect its type. */
  readonly start: Uint8Array
  /** Chunks handed to `writeChunk`. */
  readonly chunksWritten: number
  /** Bytes not handed to `writeChunk`. Valid until `release`. */
  readonly tail: Uint8Array
}

/**
 * The chunk being filled, and a few buffers for chunks being written. Memory is taken as bytes arrive, and never waited for:
 * an upload that gets none goes on in a file, so that a slow one keeps no other from its turn.
 */
export class ChunkRing {
  readonly #components: ChunkRingComponents
  readonly #init: ChunkRingInit
  /** The chunk being filled: the first `#usedBytes` bytes of `#bytes`, or of `#file` once there is one. */
  #bytes: Uint8Array = EMPTY
  #file: SpoolFile | undefined
  #usedBytes = 0
  /** `#bytes` is the caller's first piece, taken without a copy; its buffer must not be reused. */
  #isBorrowed = false
  #start: Uint8Array | undefined
  #writtenCount = 0
  /** Free buffers of chunk size, and the number of buffers ever made. */
  readonly #spareBuffers: Uint8Array[] = []
  #bufferCount = 1
  /** What all buffers together have taken of the memory. */
  #takenBytes = 0
  #readBackBytes = 0
  readonly #writes = new Set<Promise<void>>()
  #failure: { readonly reason: unknown } | undefined

  constructor(components: ChunkRingComponents, init: ChunkRingInit) {
    this.#components = components
    this.#init = init
  }

  /**
   * Takes in the next piece of the blob, which must not change any more.
   *
   * @throws what an earlier write threw, `ERR_OVERLOADED`, `ERR_DISK_FULL`, `ERR_DISK_WRITE`, `ERR_DISK_READ`
   */
  async add(piece: Uint8Array): Promise<void> {
    const { chunkBytes } = this.#init
    for (let from = 0; from < piece.length; ) {
      if (this.#usedBytes === chunkBytes) await this.#write()
      const part = piece.subarray(from, from + chunkBytes - this.#usedBytes)
      if (this.#file === undefined && !this.#keep(part)) this.#file = await this.#moveToDisk()
      await this.#file?.append(part)
      this.#usedBytes += part.length
      from += part.length
    }
  }

  /** Waits for all writes. Call it once, after the last piece. @throws as `add` */
  async finish(): Promise<ChunkRest> {
    await Promise.all(this.#writes)
    if (this.#failure !== undefined) throw this.#failure.reason
    const tail = this.#file === undefined ? this.#bytes.subarray(0, this.#usedBytes) : await this.#takeBack(this.#file)
    return { start: this.#start ?? tail, chunksWritten: this.#writtenCount, tail }
  }

  /** Releases memory and file once no write uses them. */
  async release(): Promise<void> {
    const { memory, readBack } = this.#components
    await Promise.all(this.#writes)
    memory.release(this.#takenBytes)
    readBack.release(this.#readBackBytes)
    await this.#file?.close()
  }

  /** Keeps the next bytes of the chunk in memory. @returns false when it has no room for them */
  #keep(part: Uint8Array): boolean {
    const used = this.#usedBytes + part.length
    if (this.#bytes.length === 0) {
      if (!this.#take(part.length)) return false
      this.#bytes = part
      this.#isBorrowed = true
      return true
    }
    if (used > this.#bytes.length && !this.#grow(used)) return false
    this.#bytes.set(part, this.#usedBytes)
    return true
  }

  #grow(used: number): boolean {
    const { chunkBytes, bytesMax } = this.#init
    const wanted = Math.max(used, GROWN_BYTES_MIN, GROWTH * this.#bytes.length)
    const byteCount = Math.max(used, Math.min(wanted, chunkBytes, bytesMax))
    if (!this.#take(byteCount - this.#bytes.length)) return false
    const grown = Buffer.allocUnsafeSlow(byteCount)
    grown.set(this.#bytes.subarray(0, this.#usedBytes))
    this.#bytes = grown
    this.#isBorrowed = false
    return true
  }

  #take(byteCount: number): boolean {
    if (!this.#components.memory.tryTake(byteCount)) return false
    this.#takenBytes += byteCount
    return true
  }

  #giveBack(byteCount: number): void {
    this.#components.memory.release(byteCount)
    this.#takenBytes -= byteCount
  }

  /** From here on the upload fills a file instead of memory. */
  async #moveToDisk(): Promise<SpoolFile> {
    const file = await this.#components.spool.open(this.#init.chunkBytes)
    this.#file = file // to be closed, whatever comes
    if (this.#usedBytes > 0) await file.append(this.#bytes.subarray(0, this.#usedBytes))
    this.#giveBack([this.#bytes, ...this.#spareBuffers].reduce((sum, { length }) => sum + length, 0))
    this.#bytes = EMPTY
    this.#spareBuffers.length = 0
    return file
  }

  /** Begins to store the full chunk, and makes room for the next one. */
  async #write(): Promise<void> {
    if (this.#file === undefined) await this.#writeFromMemory()
    else await this.#writeFromDisk(this.#file)
    this.#usedBytes = 0
  }

  async #writeFromMemory(): Promise<void> {
    const bytes = this.#bytes
    const isOurs = !this.#isBorrowed
    const write = this.#store(bytes)
      .then(
        () => {
          if (isOurs) this.#spareBuffers.push(bytes)
          else this.#giveBack(bytes.length)
        },
        reason => {
          this.#failure ??= { reason }
        }
      )
      .finally(() => this.#writes.delete(write))
    this.#writes.add(write)
    this.#bytes = await this.#nextBuffer()
    this.#isBorrowed = false
  }

  async #writeFromDisk(file: SpoolFile): Promise<void> {
    await this.#store(await this.#takeBack(file))
    this.#components.readBack.release(this.#readBackBytes)
    this.#readBackBytes = 0
    file.clear()
  }

  #store(chunk: Uint8Array): Promise<void> {
    this.#start ??= Uint8Array.from(chunk.subarray(0, SNIFF_BYTES))
    return this.#components.writeChunk(this.#writtenCount++, chunk)
  }

  async #takeBack(file: SpoolFile): Promise<Uint8Array> {
    this.#readBackBytes = await this.#components.readBack.take(this.#usedBytes)
    return file.read()
  }

  /** @returns a buffer of chunk size, or an empty one: the chunk begins like the first */
  async #nextBuffer(): Promise<Uint8Array> {
    const { chunkBytes } = this.#init
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason
      const spare = this.#spareBuffers.pop()
      if (spare !== undefined) return spare
      if (this.#bufferCount < BUFFERS_MAX && this.#take(chunkBytes)) {
        this.#bufferCount++
        return Buffer.allocUnsafeSlow(chunkBytes)
      }
      if (this.#writes.size === 0) return EMPTY
      await Promise.race(this.#writes)
    }
  }
}
