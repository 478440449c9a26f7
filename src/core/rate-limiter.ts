import type { Clock } from './clock.js'

export interface RateInit {
  readonly perSecond: number
  /** Units that may be taken at once after a pause. */
  readonly burst: number
}

/**
 * Limits a rate and allows a burst after a pause: the generic cell rate algorithm, whose only state is one number.
 *
 * @see ITU-T I.371, annex A
 */
export class RateLimiter {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #emissionIntervalMs: number
  readonly #burstMs: number
  /** When the next unit would arrive at exactly the permitted rate, monotonic ms. */
  #theoreticalArrivalMs = 0

  constructor(clock: Pick<Clock, 'monotonic'>, init: RateInit) {
    this.#clock = clock
    this.#emissionIntervalMs = 1_000 / init.perSecond
    this.#burstMs = init.burst * this.#emissionIntervalMs
  }

  /** @returns whether `count` units may be taken now; if not, none is */
  tryTake(count: number): boolean {
    const now = this.#clock.monotonic()
    const arrivalMs = Math.max(this.#theoreticalArrivalMs, now) + count * this.#emissionIntervalMs
    if (arrivalMs - now > this.#burstMs) return false
    this.#theoreticalArrivalMs = arrivalMs
    return true
  }

  /** Takes `count` units unconditionally. @returns ms to wait before taking more */
  take(count: number): number {
    const now = this.#clock.monotonic()
    this.#theoreticalArrivalMs = Math.max(this.#theoreticalArrivalMs, now) + count * this.#emissionIntervalMs
    return Math.max(0, this.#theoreticalArrivalMs - now - this.#burstMs)
  }
}
