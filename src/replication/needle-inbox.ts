import { NEEDLE_DATA_BYTES_MAX, needleBytes } from '../domain/needle.js'
import type { CopyProgress } from '../volumes/volume-copies.js'

/** What is written and synced at once while a range streams in. */
const STEP_BYTES = 4 * 1024 * 1024

/** Gathers the pieces of a volume's range into portions that end behind whole needles, and hands them on one by one. */
export class NeedleInbox {
  readonly #take: (at: number, bytes: Uint8Array) => Promise<CopyProgress>
  #pieces: Uint8Array[] = []
  #byteCount = 0
  /** Bytes that make it worth while to hand on. */
  #wanted = STEP_BYTES
  #at: number

  /** @param at - where in the volume the first piece begins */
  constructor(at: number, take: (at: number, bytes: Uint8Array) => Promise<CopyProgress>) {
    this.#at = at
    this.#take = take
  }

  /** Everything before this offset was taken. */
  get at(): number {
    return this.#at
  }

  /** Forgets what was not taken: the next piece begins at {@link at}. */
  clear(): void {
    this.#pieces = []
    this.#byteCount = 0
    this.#wanted = STEP_BYTES
  }

  async add(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece)
    this.#byteCount += piece.byteLength
    if (this.#byteCount >= this.#wanted) await this.flush()
  }

  /** Hands on what is there; the beginning of a needle whose rest is missing stays. */
  async flush(): Promise<void> {
    if (this.#byteCount === 0) return
    const bytes = this.#pieces.length === 1 ? (this.#pieces[0] as Uint8Array) : Buffer.concat(this.#pieces)
    const { end, nextBytes } = await this.#take(this.#at, bytes)
    const rest = bytes.subarray(end - this.#at)
    this.#at = end
    this.#pieces = [rest]
    this.#byteCount = rest.byteLength
    this.#wanted = Math.max(STEP_BYTES, Math.min(nextBytes, needleBytes(NEEDLE_DATA_BYTES_MAX)))
  }
}
