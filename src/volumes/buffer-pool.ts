const CLASS_BYTES_MIN = 4 * 1024
const CLASS_COUNT = 10

/** The largest buffer that the pool keeps, 2 MiB; larger ones are allocated and dropped. */
const POOLED_BYTES_MAX = CLASS_BYTES_MIN << (CLASS_COUNT - 1)

/**
 * Reuses buffers for reading and receiving, in power-of-two size classes. Serving 64 KB photos from fresh buffers costs half
 * as much again, all of it in the garbage collection of external memory.
 */
export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: CLASS_COUNT }, () => [])
  readonly #idleBytesMax: number
  #idleBytes = 0

  /** @param idleBytesMax - bound on the memory of unused buffers */
  constructor(idleBytesMax: number) {
    this.#idleBytesMax = idleBytesMax
  }

  /** @returns a buffer of at least `byteCount` bytes with arbitrary content; return it with {@link give} or drop it */
  take(byteCount: number): Buffer {
    if (byteCount > POOLED_BYTES_MAX) return Buffer.allocUnsafeSlow(byteCount)
    const buffer = this.#free[classOf(byteCount)]?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(CLASS_BYTES_MIN << classOf(byteCount))
    this.#idleBytes -= buffer.byteLength
    return buffer
  }

  /** Returns a buffer. The caller must not use it afterwards: its next user overwrites it. */
  give(buffer: Buffer): void {
    if (buffer.byteLength > POOLED_BYTES_MAX || this.#idleBytes + buffer.byteLength > this.#idleBytesMax) return
    this.#idleBytes += buffer.byteLength
    this.#free[classOf(buffer.byteLength)]?.push(buffer)
  }
}

function classOf(byteCount: number): number {
  return byteCount <= CLASS_BYTES_MIN ? 0 : 32 - Math.clz32((byteCount - 1) >>> 12)
}
