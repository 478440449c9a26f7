import { turn } from '../../src/core/turn.js'

/** So many turns of the event loop without a change: every socket of this process was asked for news in each. */
const STILL_TURNS = 1_000

/**
 * Waits for what has to come about in other processes by itself.
 *
 * @param what - for the error
 * @param intervalMs - between two looks
 * @throws when it has not come about within `msMax`
 */
export async function until(
  what: string,
  msMax: number,
  holds: () => Promise<boolean>,
  intervalMs = 100
): Promise<void> {
  const end = performance.now() + msMax
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${msMax} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, intervalMs))
  }
}

/**
 * Waits until a number that this process moves stands still, e.g. because a reader takes no more.
 *
 * @param what - for the error
 * @throws when it still moves after `msMax`
 */
export async function untilStill(what: string, msMax: number, count: () => number): Promise<void> {
  const end = performance.now() + msMax
  let last = count()
  for (let turns = 0; turns < STILL_TURNS; turns++) {
    await turn()
    const now = count()
    if (now !== last) turns = 0
    last = now
    if (performance.now() > end) throw new Error(`does not stand still within ${msMax} ms: ${what}`)
  }
}
