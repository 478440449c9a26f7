import type { ByteChannel } from '../../../../src/network/rpc/byte-channel.js'
import type { SeededRandom } from '../../../support/seeded-random.js'

/** Bytes that one direction holds before its sender has to wait. */
const CAPACITY_BYTES = 64 * 1024

interface Direction {
  pieces: Uint8Array[]
  byteCount: number
  /** No more will come. */
  closed: boolean
  /** Called at every change. */
  wake: (() => void)[]
}

/** The two ends of a stream in memory; pieces do not arrive as they were sent. */
export function memoryChannels(random: SeededRandom): [MemoryChannel, MemoryChannel] {
  const directions = [direction(), direction()] as const
  const shared = { error: undefined as Error | undefined }
  return [
    new MemoryChannel(random, directions[0], directions[1], shared),
    new MemoryChannel(random, directions[1], directions[0], shared)
  ]
}

export class MemoryChannel implements ByteChannel {
  readonly #random: SeededRandom
  readonly #out: Direction
  readonly #in: Direction
  readonly #shared: { error: Error | undefined }
  /** Number of calls of `send`. */
  sends = 0

  constructor(random: SeededRandom, out: Direction, incoming: Direction, shared: { error: Error | undefined }) {
    this.#random = random
    this.#out = out
    this.#in = incoming
    this.#shared = shared
  }

  send(bytes: Uint8Array): boolean {
    this.sends++
    if (this.#shared.error !== undefined || this.#out.closed) return false
    this.#out.pieces.push(bytes.slice())
    this.#out.byteCount += bytes.length
    changed(this.#out)
    return this.#out.byteCount < CAPACITY_BYTES
  }

  async drained(): Promise<void> {
    while (this.#shared.error === undefined && !this.#out.closed && this.#out.byteCount >= CAPACITY_BYTES) {
      await change(this.#out)
    }
    if (this.#shared.error !== undefined || this.#out.closed) throw new Error('the channel has ended')
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#shared.error !== undefined) throw this.#shared.error
      const first = this.#in.pieces[0]
      if (first === undefined) {
        if (this.#in.closed) return
        await change(this.#in)
        continue
      }
      const length = this.#random.chance(0.3) ? first.length : 1 + this.#random.below(first.length)
      if (length === first.length) this.#in.pieces.shift()
      else this.#in.pieces[0] = first.subarray(length)
      this.#in.byteCount -= length
      changed(this.#in)
      yield first.subarray(0, length)
    }
  }

  async close(): Promise<void> {
    this.#out.closed = true
    changed(this.#out)
  }

  abort(reason: Error): void {
    this.#shared.error ??= reason
    changed(this.#out)
    changed(this.#in)
  }
}

function direction(): Direction {
  return { pieces: [], byteCount: 0, closed: false, wake: [] }
}

function change(on: Direction): Promise<void> {
  return new Promise(resolve => on.wake.push(resolve))
}

function changed(on: Direction): void {
  for (const wake of on.wake.splice(0)) wake()
}
