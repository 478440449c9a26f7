import type { Plan } from './plan.js'

export interface MatrixRun {
  readonly plan: Plan
  /** Why it cannot be done here. */
  readonly skipped?: string
}

/** Whether a driver can be used here, to do that to its nodes. */
type CanUse = (driver: string, nemeses: readonly string[]) => boolean

type Matrix = (seed: number, canUse: CanUse) => readonly MatrixRun[]

type Cell = readonly [workload: string, nemeses: readonly string[], needsNetwork: boolean]

/** What a change is tried with: a few workloads under a few kinds of fault. */
const CI: readonly Cell[] = [
  ['mixed', ['kill'], false],
  ['register', ['partition-halves'], true],
  ['set', ['partition-one', 'kill'], true],
  ['bytes', ['pause'], false]
]

/** Every workload under every kind of fault at least once, and what is composed. */
const SMOKE: readonly Cell[] = [
  ['mixed', [], false],
  ['mixed', ['kill'], false],
  ['set', ['kill-all'], false],
  ['bytes', ['pause'], false],
  ['register', ['kill', 'pause'], false],
  ['register', ['partition-halves'], true],
  ['set', ['partition-one'], true],
  ['register', ['one-way'], true],
  ['mixed', ['bridge'], true],
  ['set', ['flapping'], true],
  ['mixed', ['partition-halves', 'kill'], true],
  ['bytes', ['partition-one', 'pause'], true],
  ['mixed', ['stop'], false],
  ['register', ['clock'], false],
  ['set', ['clock-restart'], false],
  ['mixed', ['disk'], false],
  ['session', ['kill'], false],
  ['search', ['kill'], false],
  ['people', ['kill'], false]
]

export const MATRICES: ReadonlyMap<string, Matrix> = new Map([
  ['ci', (seed, canUse) => runsOf(CI, 25, seed, canUse)],
  ['smoke', (seed, canUse) => runsOf(SMOKE, 20, seed, canUse)]
])

/** Each run has a seed of its own; hosts of their own wherever there can be some. */
function runsOf(cells: readonly Cell[], seconds: number, seed: number, canUse: CanUse): readonly MatrixRun[] {
  return cells.map(([workload, nemeses, needsNetwork], i) => {
    const hasHosts = canUse('netns', [])
    const driver = needsNetwork || (hasHosts && i % 2 === 1) ? 'netns' : 'process'
    const plan = { driver, nodes: 3, workload, nemeses, seconds, seed: (seed + i) % 2 ** 32, rate: 100 }
    if (needsNetwork && !hasHosts) return { plan, skipped: 'networks cannot be cut here' }
    return canUse(driver, nemeses) ? { plan } : { plan, skipped: `the driver ${driver} cannot do that here` }
  })
}
