/** Time as an argument: nothing outside `core/` reads a clock or starts a timer, so a simulation controls both. */
export interface Clock {
  /** Wall clock, whole milliseconds since the Unix epoch. May jump in either direction. */
  now(): number
  /** Fractional milliseconds from an arbitrary origin. Never decreases. */
  monotonic(): number
  /**
   * Waits without keeping the process alive.
   *
   * @throws the signal's reason when it aborts first
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Runs `task` once after `ms`; the returned function cancels it. Does not keep the process alive. */
  schedule(ms: number, task: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }, ms)
      const abort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      timer.unref()
      signal?.addEventListener('abort', abort, { once: true })
    }),
  schedule: (ms, task) => {
    const timer = setTimeout(task, ms)
    timer.unref()
    return () => clearTimeout(timer)
  }
}
