import type { ByteChannel } from './byte-channel.js'
import { encodeFrame, FRAME_HEADER_BYTES, type Frame } from './rpc-frames.js'

/** Sent to the channel at once: with the multiplexer's header (12 bytes) it just fills one noise message (65 519 bytes). */
const BATCH_BYTES = 65_507
/** Body of a bulk piece that fills a batch together with its own header. */
export const PIECE_BYTES = BATCH_BYTES - FRAME_HEADER_BYTES

/**
 * Queues frames for a channel and sends them as fast as it takes them. Frames written in one turn of the event loop are
 * sent together: each separate message costs a cipher call, a multiplexer frame and a system call.
 */
export class FrameWriter {
  readonly #channel: ByteChannel
  #parts: Uint8Array[] = []
  #queuedBytes = 0
  #sending = false
  #waiting: (() => void)[] = []

  constructor(channel: ByteChannel) {
    this.#channel = channel
  }

  /** Bytes that the channel has not yet taken. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Frames for a channel that has ended are dropped. */
  write(frame: Frame): void {
    for (const part of encodeFrame(frame)) {
      this.#parts.push(part)
      this.#queuedBytes += part.length
    }
    if (this.#sending) return
    this.#sending = true
    void this.#send()
  }

  /** Waits until at most `byteCount` bytes are queued; at once when the channel has ended. */
  async below(byteCount: number): Promise<void> {
    while (this.#queuedBytes > byteCount) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  async #send(): Promise<void> {
    try {
      await Promise.resolve() // collects the frames of this turn
      while (this.#parts.length > 0) {
        const batch = this.#takeBatch()
        const room = this.#channel.send(batch)
        if (!room) await this.#channel.drained()
        this.#queuedBytes -= batch.length
        this.#wake()
      }
    } catch {
      // The channel has ended; its reader gets the reason.
      this.#parts = []
      this.#queuedBytes = 0
    }
    this.#sending = false
    this.#wake()
  }

  #takeBatch(): Uint8Array {
    const first = this.#parts[0] as Uint8Array
    if (first.length >= BATCH_BYTES) {
      if (first.length === BATCH_BYTES) this.#parts.shift()
      else this.#parts[0] = first.subarray(BATCH_BYTES)
      return first.subarray(0, BATCH_BYTES)
    }
    let count = 0
    let byteCount = 0
    for (const part of this.#parts) {
      if (byteCount + part.length > BATCH_BYTES) break
      byteCount += part.length
      count++
    }
    const parts = this.#parts.splice(0, count)
    return count === 1 ? first : Buffer.concat(parts, byteCount)
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
