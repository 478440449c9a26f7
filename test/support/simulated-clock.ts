import type { Clock } from '../../src/core/clock.js'

interface Timer {
  readonly at: number
  readonly task: () => void
}

/** Time that stands still until a test moves it. */
export class SimulatedClock implements Clock {
  #wallMs: number
  #monotonicMs = 0
  /** By due time; those of the same time in the order in which they were scheduled. */
  #timers: Timer[] = []
  #advancing = false

  /** @param startMs - the wall clock at the beginning, ms since the Unix epoch */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs
  }

  now(): number {
    return Math.floor(this.#wallMs)
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal)
  }

  schedule(ms: number, task: () => void): () => void {
    if (Number.isNaN(ms)) throw new Error('a timer after NaN ms')
    const timer = { at: this.#monotonicMs + Math.max(0, ms), task }
    const behind = this.#timers.findIndex(({ at }) => at > timer.at)
    this.#timers.splice(behind === -1 ? this.#timers.length : behind, 0, timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  /**
   * Moves both clocks by `ms` and runs what falls due, in order, each with its own time on the clock. After each task
   * (and once before the first) everything that follows from it without a timer runs too.
   */
  async advance(ms: number): Promise<void> {
    if (this.#advancing) throw new Error('time is passing already')
    this.#advancing = true
    const end = this.#monotonicMs + ms
    await settle()
    for (let next = this.#timers[0]; next !== undefined && next.at <= end; next = this.#timers[0]) {
      this.#timers.shift()
      this.#moveTo(Math.max(next.at, this.#monotonicMs))
      next.task()
      await settle()
    }
    this.#moveTo(end)
    this.#advancing = false
  }

  /**
   * Moves both clocks by `ms` at once: what falls due meanwhile runs afterwards, each timer once. For months in which little
   * happens.
   */
  async leap(ms: number): Promise<void> {
    this.#moveTo(this.#monotonicMs + ms)
    await this.advance(0)
  }

  /** Sets the wall clock alone, as an operator or a broken time server would. */
  setWall(ms: number): void {
    this.#wallMs = ms
  }

  /** Timers that wait; a stopped part leaves none. */
  get pending(): number {
    return this.#timers.length
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}

/** Sleeps by a clock's timers, as `Clock.sleep` says. */
export function sleepOn(clock: Pick<Clock, 'schedule'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.schedule(ms, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** One turn of the event loop: all promise reactions that are ready, and those that they make ready. */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
