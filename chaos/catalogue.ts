import type { Driver } from './drivers/driver.js'
import { netnsDriver } from './drivers/netns-driver.js'
import { processDriver } from './drivers/process-driver.js'
import { clock, clockRestart, clockStrobe } from './nemeses/clocks.js'
import { disk } from './nemeses/disks.js'
import type { Nemesis } from './nemeses/nemesis.js'
import { bridge, flapping, halves, one, oneWay } from './nemeses/partitions.js'
import { kill, killAll, pause, stop } from './nemeses/processes.js'
import { checkPlan, type Plan, PlanError } from './plan.js'
import { bytes } from './workloads/bytes.js'
import { mixed } from './workloads/mixed.js'
import { people } from './workloads/people.js'
import { register } from './workloads/register.js'
import { search } from './workloads/search.js'
import { session } from './workloads/session.js'
import { set } from './workloads/set.js'
import type { Workload } from './workloads/workload.js'

/** All that there is to put together. */
export const DRIVERS: readonly Driver[] = [processDriver, netnsDriver]
export const WORKLOADS: readonly Workload[] = [register, set, bytes, session, search, people, mixed]
export const NEMESES: readonly Nemesis[] = [
  kill,
  killAll,
  stop,
  pause,
  clock,
  clockStrobe,
  clockRestart,
  disk,
  halves,
  one,
  oneWay,
  bridge,
  flapping
]

export interface Scenario {
  readonly driver: Driver
  readonly workload: Workload
  readonly nemeses: readonly Nemesis[]
  /** Counters that the run must have moved to be judged at all. */
  readonly reaches: readonly string[]
}

/** @throws {@link PlanError} when the plan names what is not there, or what its driver cannot do */
export function scenarioOf(plan: Plan): Scenario {
  checkPlan(plan, { drivers: namesOf(DRIVERS), workloads: namesOf(WORKLOADS), nemeses: namesOf(NEMESES) })
  const driver = named(DRIVERS, plan.driver)
  const workload = named(WORKLOADS, plan.workload)
  const nemeses = plan.nemeses.map(name => named(NEMESES, name))
  for (const { name, needs } of nemeses) {
    if (!driver.can.includes(needs))
      throw new PlanError(`the driver ${driver.name} cannot ${needs}, which ${name} needs`)
  }
  const { secondsMax } = workload
  if (secondsMax !== undefined && plan.seconds > secondsMax)
    throw new PlanError(`--seconds may be at most ${secondsMax} with the workload ${workload.name}`)
  const parts = nemeses.some(({ needs }) => needs === 'cut')
  // two sides that edit the same records make conflicts
  const conflicts = parts && workload.name === 'register' ? ['conflicts'] : []
  return {
    driver,
    workload,
    nemeses,
    reaches: [...workload.reaches, ...nemeses.flatMap(each => each.reaches), ...conflicts]
  }
}

function named<Item extends { readonly name: string }>(items: readonly Item[], name: string): Item {
  return items.find(item => item.name === name) as Item
}

function namesOf(items: readonly { readonly name: string }[]): readonly string[] {
  return items.map(({ name }) => name)
}
