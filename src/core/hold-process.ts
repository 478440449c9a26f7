const LONGEST_INTERVAL_MS = 2 ** 31 - 1

/**
 * Keeps the process alive; the timers of the clock do not.
 *
 * @returns a function that releases the process
 */
export function holdProcess(): () => void {
  const timer = setInterval(() => {}, LONGEST_INTERVAL_MS)
  return () => clearInterval(timer)
}
