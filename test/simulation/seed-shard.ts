import { systemClock } from '../../src/core/clock.js'
import { SIMULATIONS, type SimulationName } from './simulate.js'

/** What one seed came to. */
export interface SeedResult {
  readonly seed: number
  readonly ms: number
  /** What was wrong; absent when nothing was. */
  readonly problem?: string
}

// A process of `run-seeds.ts`: runs the seeds that it is sent, one after the other, and answers each with its result.
const [name, steps = ''] = process.argv.slice(2)
const simulate = SIMULATIONS[name as SimulationName]

process.on('message', async (seed: number) => {
  const from = systemClock.monotonic()
  let problem: string | undefined
  try {
    await (steps === '' ? simulate(seed) : simulate(seed, Number(steps)))
  } catch (err) {
    problem =
      err instanceof Error ? (err.message.includes(`seed ${seed}`) ? err.message : (err.stack ?? '')) : String(err)
  }
  const ms = Math.round(systemClock.monotonic() - from)
  process.send?.({ seed, ms, ...(problem !== undefined && { problem }) } satisfies SeedResult)
})
