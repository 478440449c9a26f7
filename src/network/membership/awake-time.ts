import type { Clock } from '../../core/clock.js'

/** A timer that runs later than this means that the process was stalled, ms. */
const STALL_MS = 250

/**
 * Monotonic time without the stretches in which this process did not run: a long turn of the event loop, a stopped
 * process, a suspended machine. Heartbeats sent during a stall were not received, so a stall must not count as silence.
 */
export class AwakeTime {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** When a timer should next run, monotonic ms. */
  #wakeMs = Number.POSITIVE_INFINITY
  #stalledMs = 0

  constructor(components: { readonly clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = components.clock
  }

  /** Sum of all stalls so far, ms. */
  get stalledMs(): number {
    return this.#stalledMs
  }

  /** @param ms - delay of a timer that was just set */
  expectWakeIn(ms: number): void {
    this.#wakeMs = this.#clock.monotonic() + ms
  }

  now(): number {
    const now = this.#clock.monotonic()
    const lateMs = now - this.#wakeMs
    if (lateMs > STALL_MS) {
      this.#stalledMs += lateMs
      this.#wakeMs = now // counts the rest of the stall only once
    }
    return now - this.#stalledMs
  }
}
