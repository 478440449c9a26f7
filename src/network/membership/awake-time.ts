import type { Clock } from '../../core/clock.js'

/** Later than this, and the process is taken to have stood still, ms. */
const STALL_MS = 250

/**
 * Monotonic time without the stretches in which this process did not get to run: a long turn of the event loop, a stopped
 * process, a machine that slept. Whoever spoke then was not heard, and must not pass for silent.
 */
export class AwakeTime {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** When the process should have run by itself. */
  #wakeMs = Number.POSITIVE_INFINITY
  #stalledMs = 0

  constructor(components: { readonly clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = components.clock
  }

  /** All that this process has stood still so far, ms. */
  get stalledMs(): number {
    return this.#stalledMs
  }

  /** @param ms - a timer was set that runs after so long, if the process runs at all */
  expectWakeIn(ms: number): void {
    this.#wakeMs = this.#clock.monotonic() + ms
  }

  now(): number {
    const now = this.#clock.monotonic()
    const lateMs = now - this.#wakeMs
    if (lateMs > STALL_MS) {
      this.#stalledMs += lateMs
      this.#wakeMs = now // the rest of the way to the timer is counted once
    }
    return now - this.#stalledMs
  }
}
