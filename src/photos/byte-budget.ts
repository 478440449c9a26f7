import { SheafError } from '../core/errors.js'
import { invariant } from '../core/invariant.js'

export interface ByteBudgetInit {
  readonly bytesMax: number
  /** Callers that may wait for their share; any more are refused. */
  readonly waitersMax: number
}

interface Waiter {
  readonly bytes: number
  readonly admit: () => void
}

/** Memory that concurrent uploads share. First come, first served: small requests never starve a large one. */
export class ByteBudget {
  readonly #init: ByteBudgetInit
  readonly #waiters: Waiter[] = []
  #freeBytes: number

  constructor(init: ByteBudgetInit) {
    this.#init = init
    this.#freeBytes = init.bytesMax
  }

  /**
   * Waits for a share of `bytes`, or of the whole budget if that is smaller.
   *
   * @returns the bytes taken; pass them to `release`
   * @throws `ERR_OVERLOADED` when too many are waiting already
   */
  async take(bytes: number): Promise<number> {
    const share = Math.min(bytes, this.#init.bytesMax)
    if (this.tryTake(share)) return share
    if (this.#waiters.length >= this.#init.waitersMax) throw new SheafError('ERR_OVERLOADED')
    await new Promise<void>(admit => this.#waiters.push({ bytes: share, admit }))
    return share
  }

  /** Takes the share only if it is free now and nobody waits. */
  tryTake(bytes: number): boolean {
    if (this.#waiters.length > 0 || bytes > this.#freeBytes) return false
    this.#freeBytes -= bytes
    return true
  }

  release(bytes: number): void {
    this.#freeBytes += bytes
    invariant(this.#freeBytes <= this.#init.bytesMax, 'more of a byte budget was released than taken')
    for (let next = this.#waiters[0]; next !== undefined && next.bytes <= this.#freeBytes; next = this.#waiters[0]) {
      this.#waiters.shift()
      this.#freeBytes -= next.bytes
      next.admit()
    }
  }
}
