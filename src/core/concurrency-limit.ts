import { SheafError } from './errors.js'

export interface ConcurrencyLimitInit {
  /** Operations at the same time. */
  readonly countMax: number
  /** Their bytes together; a single operation with more runs alone. */
  readonly bytesMax: number
  /** Operations that may wait. */
  readonly waitingMax: number
}

interface Waiting {
  readonly byteCount: number
  readonly enter: () => void
}

/** Bounds the operations that run at the same time, by number and by bytes; the others wait in order. */
export class ConcurrencyLimit {
  readonly #init: ConcurrencyLimitInit
  #count = 0
  #byteCount = 0
  /** First in, first out: a large operation at the front is not overtaken. */
  #waiting: Waiting[] = []

  constructor(init: ConcurrencyLimitInit) {
    this.#init = init
  }

  /**
   * Waits for room.
   *
   * @returns releases the room; to be called once
   * @throws the signal's reason; `ERR_OVERLOADED` when too many wait already
   */
  async enter(byteCount: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#waiting.length > 0 || !this.#hasRoom(byteCount)) await this.#wait(byteCount, signal)
    else this.#take(byteCount)
    return () => {
      this.#count--
      this.#byteCount -= byteCount
      this.#admitWaiting()
    }
  }

  #wait(byteCount: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= this.#init.waitingMax) {
      throw new SheafError('ERR_OVERLOADED', 'too many requests are waiting; try again')
    }
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        byteCount,
        enter: () => {
          signal?.removeEventListener('abort', abort)
          this.#take(byteCount)
          resolve()
        }
      }
      const abort = (): void => {
        this.#waiting = this.#waiting.filter(other => other !== entry)
        reject(signal?.reason)
        this.#admitWaiting() // it may have blocked smaller ones
      }
      this.#waiting.push(entry)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  #admitWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(next.byteCount); next = this.#waiting[0]) {
      this.#waiting.shift()
      next.enter()
    }
  }

  #hasRoom(byteCount: number): boolean {
    const { countMax, bytesMax } = this.#init
    return this.#count === 0 || (this.#count < countMax && this.#byteCount + byteCount <= bytesMax)
  }

  #take(byteCount: number): void {
    this.#count++
    this.#byteCount += byteCount
  }
}
