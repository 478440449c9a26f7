/** What a run does: a seed and these words make the same schedule of operations and faults again. */
export interface Plan {
  readonly driver: string
  readonly nodes: number
  readonly workload: string
  /** Empty: nothing but the load. */
  readonly nemeses: readonly string[]
  /** How long faults go on. */
  readonly seconds: number
  readonly seed: number
  /** Operations begun a second, over all nodes. */
  readonly rate: number
}

interface Bound {
  readonly least: number
  readonly greatest: number
}

/** What a run may ask for; also of a plan that is read from a file. */
const PLAN_BOUNDS: Readonly<Record<'nodes' | 'seconds' | 'seed' | 'rate', Bound>> = {
  nodes: { least: 2, greatest: 9 },
  seconds: { least: 1, greatest: 24 * 3_600 },
  seed: { least: 0, greatest: 2 ** 32 - 1 },
  rate: { least: 1, greatest: 2_000 }
}

export interface PlanNames {
  readonly drivers: readonly string[]
  readonly workloads: readonly string[]
  readonly nemeses: readonly string[]
}

/** A plan that cannot be carried out, and what would do instead. */
export class PlanError extends Error {
  override readonly name = 'PlanError'
}

/** @throws {@link PlanError} on a name that nobody knows and a number out of range */
export function checkPlan(plan: Plan, { drivers, workloads, nemeses }: PlanNames): Plan {
  requireName('driver', plan.driver, drivers)
  requireName('workload', plan.workload, workloads)
  for (const nemesis of plan.nemeses) requireName('nemesis', nemesis, nemeses)
  if (new Set(plan.nemeses).size < plan.nemeses.length) throw new PlanError('each nemesis can be named once')
  for (const [name, { least, greatest }] of Object.entries(PLAN_BOUNDS)) {
    const value = plan[name as keyof typeof PLAN_BOUNDS]
    if (!Number.isInteger(value) || value < least || value > greatest)
      throw new PlanError(`--${name} must be a whole number from ${least} to ${greatest}, not ${value}`)
  }
  return plan
}

/** @returns the arguments of `npm run chaos --` that make another run of the same kind, from the same seed */
export function commandOf({ driver, nodes, workload, nemeses, seconds, seed, rate }: Plan): string {
  const nemesis = nemeses.length === 0 ? 'none' : nemeses.join('+')
  const flags = { driver, nodes, workload, nemesis, seconds, seed, rate }
  return `npm run chaos -- ${Object.entries(flags)
    .map(([flag, value]) => `--${flag} ${value}`)
    .join(' ')}`
}

/** @param path - of a history */
export function judgeCommand(path: string): string {
  return `npm run chaos -- --judge ${quoted(path)}`
}

/** @param path - of a history */
export function replayCommand(path: string): string {
  return `npm run chaos -- --replay ${quoted(path)} --times 10`
}

/** A few words that name the run among others. */
export function titleOf({ driver, nodes, workload, nemeses, seconds, seed }: Plan): string {
  const faults = nemeses.length === 0 ? 'nothing' : nemeses.join('+')
  return `${workload} under ${faults}, ${nodes} nodes (${driver}), ${seconds} s, seed ${seed}`
}

function requireName(what: string, name: string, known: readonly string[]): void {
  if (!known.includes(name)) throw new PlanError(`no ${what} is called ${name}; there are ${known.join(', ')}`)
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
