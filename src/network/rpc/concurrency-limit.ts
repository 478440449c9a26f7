import { SheafError } from '../../core/errors.js'

export interface ConcurrencyLimitInit {
  /** How many may be inside. */
  readonly countMax: number
  /** How many bytes they may have together; a single one that has more gets in alone. */
  readonly bytesMax: number
  /** How many may wait. */
  readonly waitingMax: number
}

interface Waiting {
  readonly byteCount: number
  readonly enter: () => void
}

/** Bounds what is under way, by number and by bytes; the others wait in order. */
export class ConcurrencyLimit {
  readonly #init: ConcurrencyLimitInit
  #count = 0
  #byteCount = 0
  /** First come, first served: a big one at the front is not overtaken. */
  #waiting: Waiting[] = []

  constructor(init: ConcurrencyLimitInit) {
    this.#init = init
  }

  /**
   * Waits for room.
   *
   * @returns to be called once, on leaving
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
      throw new SheafError('ERR_OVERLOADED', 'too many requests to one node wait; try again')
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
        this.#admitWaiting() // it may have stood in the way of smaller ones
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
