const LONGEST_INTERVAL_MS = 2 ** 31 - 1

/**
 * Keeps the process alive although nothing but the clock's timers, which do not, may be pending.
 *
 * @returns lets go
 */
export function holdProcess(): () => void {
  const timer = setInterval(() => {}, LONGEST_INTERVAL_MS)
  return () => clearInterval(timer)
}
