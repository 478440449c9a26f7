import type { Clock } from './clock.js'

/**
 * Timers that notice how late they are run. A late one means that the event loop was busy, or that this process did not get
 * a core: what it has not heard in that time says nothing about others.
 */
export class LoopWatch {
  readonly #clock: Pick<Clock, 'monotonic' | 'schedule'>
  readonly #lateMs: number
  #lateAtMs = Number.NEGATIVE_INFINITY

  /** @param init.lateMs - a timer that is run so much later than it was set for is late */
  constructor(
    components: { readonly clock: Pick<Clock, 'monotonic' | 'schedule'> },
    init: { readonly lateMs: number }
  ) {
    this.#clock = components.clock
    this.#lateMs = init.lateMs
  }

  /** As {@link Clock.schedule}. */
  schedule(ms: number, task: () => void): () => void {
    const dueMs = this.#clock.monotonic() + ms
    return this.#clock.schedule(ms, () => {
      const now = this.#clock.monotonic()
      if (now - dueMs >= this.#lateMs) this.#lateAtMs = now
      task()
    })
  }

  /** @returns whether a timer was late in the last `ms` */
  wasLateWithin(ms: number): boolean {
    return this.#clock.monotonic() - this.#lateAtMs <= ms
  }
}
