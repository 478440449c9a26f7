/** What of time the page needs; tests pass their own. */
export interface Timers {
  /** ms, of a clock that only goes forward. */
  now(): number
  /** @returns a function that takes it back */
  after(ms: number, run: () => void): () => void
}

export const browserTimers: Timers = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  }
}
