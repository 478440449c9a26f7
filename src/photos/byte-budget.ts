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

/** What concurrent uploads share. First come, first served: small requests never starve a large one. */
export class ByteBudget {
  readonly #init: ByteBudgetInit
  readonly #waiters = new Set<Waiter>()
  #freeBytes: number

  constructor(init: ByteBudgetInit) {
    this.#init = init
    this.#freeBytes = init.bytesMax
  }

  /**
   * Waits for a share of `bytes`, or of the whole budget if that is smaller.
   *
   * @param signal - ends the waiting
   * @returns the bytes taken; pass them to `release`
   * @throws `ERR_OVERLOADED` when too many are waiting already; the signal's reason
   */
  async take(bytes: number, signal?: AbortSignal): Promise<number> {
    const share = Math.min(bytes, this.#init.bytesMax)
    if (this.tryTake(share)) return share
    if (this.#waiters.size >= this.#init.waitersMax) throw new SheafError('ERR_OVERLOADED')
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        bytes: share,
        admit: () => {
          signal?.removeEventListener('abort', leave)
          resolve()
        }
      }
      const leave = (): void => {
        this.#waiters.delete(waiter)
        reject(signal?.reason)
        this.#admitWaiters() // those behind may want less
      }
      this.#waiters.add(waiter)
      signal?.addEventListener('abort', leave, { once: true })
    })
    return share
  }

  /** Takes the share only if it is free now and nobody waits. */
  tryTake(bytes: number): boolean {
    if (this.#waiters.size > 0 || bytes > this.#freeBytes) return false
    this.#freeBytes -= bytes
    return true
  }

  release(bytes: number): void {
    this.#freeBytes += bytes
    invariant(this.#freeBytes <= this.#init.bytesMax, 'more of a byte budget was released than taken')
    this.#admitWaiters()
  }

  #admitWaiters(): void {
    for (const waiter of this.#waiters) {
      if (waiter.bytes > this.#freeBytes) return
      this.#waiters.delete(waiter)
      this.#freeBytes -= waiter.bytes
      waiter.admit()
    }
  }
}
