import type { Clock } from './clock.js'

export interface RateInit {
  readonly perSecond: number
  /** What may be taken at once after a pause. */
  readonly burst: number
}

/**
 * A bound on how much is done over time, with a burst after a pause: the generic cell rate algorithm, which needs one
 * number of state.
 *
 * @see ITU-T I.371, annex A
 */
export class RateLimiter {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #emissionIntervalMs: number
  readonly #burstMs: number
  /** When all that was taken is paid for, monotonic ms. */
  #theoreticalArrivalMs = 0

  constructor(clock: Pick<Clock, 'monotonic'>, init: RateInit) {
    this.#clock = clock
    this.#emissionIntervalMs = 1_000 / init.perSecond
    this.#burstMs = init.burst * this.#emissionIntervalMs
  }

  /** @returns whether so much may be done now; if not, nothing is taken */
  tryTake(count: number): boolean {
    const now = this.#clock.monotonic()
    const paidAt = Math.max(this.#theoreticalArrivalMs, now) + count * this.#emissionIntervalMs
    if (paidAt - now > this.#burstMs) return false
    this.#theoreticalArrivalMs = paidAt
    return true
  }

  /** Takes in any case. @returns ms to wait before the next taking */
  take(count: number): number {
    const now = this.#clock.monotonic()
    this.#theoreticalArrivalMs = Math.max(this.#theoreticalArrivalMs, now) + count * this.#emissionIntervalMs
    return Math.max(0, this.#theoreticalArrivalMs - now - this.#burstMs)
  }
}
