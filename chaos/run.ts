import type { Clock } from '../src/core/clock.js'
import { SeededRandom } from '../test/support/seeded-random.js'
import { until } from '../test/support/until.js'
import { allSee, type ClusterNode, faultsOf } from './drivers/cluster-node.js'
import type { Deployment, Driver } from './drivers/driver.js'
import { readAll } from './final-reads.js'
import type { Call, Line, Phase } from './history.js'
import { Load } from './load.js'
import { type Nemesis, torment, tormentAgain } from './nemeses/nemesis.js'
import { clientAs, type People } from './people.js'
import { type Plan, titleOf } from './plan.js'
import { carryOut, type Ending } from './requests.js'
import type { Schedule } from './schedule.js'
import { DeployedStage } from './stage.js'
import type { Workload } from './workloads/workload.js'
import { WritesUnderWay } from './writes-under-way.js'

/** Until all nodes have met, at first and after healing. */
const MEETING_MS_MAX = 90_000
/** From the end of all faults to nodes that agree. */
const CONVERGENCE_MS_MAX = 60_000
/** Load before the first fault, so that there is something to lose. */
export const CALM_MS = 3_000
/** In which a node has to answer. */
export const DEADLINE_MS = 5_000
/** How often the harness looks whether it is late itself, and from when on it says so. */
const LAG_LOOK_MS = 100
const LAG_MS_MIN = 200
/** Damage as `verify` and `scrub` tell it. */
const LEFT_BEHIND = /^bytes \d+ to \d+ are /

export interface RunComponents {
  readonly driver: Driver
  readonly workload: Workload
  readonly nemeses: readonly Nemesis[]
  readonly clock: Clock
  /** Writes a line of the history. */
  readonly record: (line: Line) => void
  readonly keepLog: (node: string, text: string) => void
  /** Tells people how far the run is. */
  readonly say: (text: string) => void
  /** Where the nodes keep their data. */
  readonly folder: string
  /** What to ask and to do; default: what the seed draws. */
  readonly schedule?: Schedule | undefined
}

/**
 * Carries out a plan: load, faults under load, healing, quiet, final reads. All that happens goes into the history, what went
 * wrong as well; a verdict is made of that alone.
 */
export async function carryOutPlan(plan: Plan, components: RunComponents): Promise<void> {
  const { clock, driver, folder, nemeses, schedule, workload } = components
  const writes = new WritesUnderWay(clock)
  const record = (line: Line): void => {
    writes.note(line)
    components.record(line)
  }
  const from = clock.monotonic()
  const now = (): number => Math.round((clock.monotonic() - from) * 10) / 10
  const began = new Date(clock.now()).toISOString()
  record({ type: 'run', plan, began, node: process.version, ...(schedule !== undefined && { isReplay: true }) })
  const deployment = await driver.deploy({
    nodes: plan.nodes,
    folder,
    fakesClocks: nemeses.some(({ needs }) => needs === 'clock'),
    settings: (await workload.prepare?.(folder)) ?? []
  })
  const untilWriting = (nodes: readonly string[]): Promise<void> => writes.until(nodes)
  const stage = new DeployedStage({
    deployment,
    clock,
    now,
    record,
    keepLog: components.keepLog,
    untilWriting,
    isWriting: node => writes.isAt(node)
  })
  const watching = new AbortController()
  const watch = watchLag(clock, now, record, watching.signal)
  try {
    await new Run(plan, { ...components, record }, deployment, stage, now).carryOut()
  } catch (err) {
    record({ type: 'obstacle', what: err instanceof Error ? err.message : String(err) })
  } finally {
    watching.abort()
    await watch
    await stage.end()
    record({ type: 'count', name: 'packetsDropped', value: stage.packetsDropped })
    record({ type: 'count', name: 'clockJumps', value: stage.clockJumps })
    record({ type: 'count', name: 'damages', value: stage.damages })
    for (const { name, folder } of deployment.nodes) record({ type: 'disk', node: name, volumes: folder.volumes() })
    record({ type: 'phase', atMs: now(), phase: 'end' })
    deployment.close()
  }
}

class Run {
  readonly #plan: Plan
  readonly #components: RunComponents
  readonly #nodes: readonly ClusterNode[]
  readonly #stage: DeployedStage
  readonly #now: () => number
  readonly #random: SeededRandom
  #people: People | undefined

  constructor(plan: Plan, components: RunComponents, deployment: Deployment, stage: DeployedStage, now: () => number) {
    this.#plan = plan
    this.#components = components
    this.#nodes = deployment.nodes
    this.#stage = stage
    this.#now = now
    this.#random = new SeededRandom(plan.seed)
  }

  async carryOut(): Promise<void> {
    const { clock, record, say, workload, schedule } = this.#components
    this.#phase('start')
    say(titleOf(this.#plan))
    await this.#stage.start(this.#stage.nodes)
    await until('all nodes have met', MEETING_MS_MAX, () => allSee(this.#nodes))
    this.#people = await workload.admit?.(this.#nodes)
    const load = new Load({
      clock,
      random: this.#random.fork(),
      workload,
      nodes: this.#stage.nodes,
      isLeftAlone: node => this.#stage.isLeftAlone(node),
      carryOut: (node, call) => this.#ask(node, call),
      now: this.#now,
      record
    })
    const loading = new AbortController()
    this.#phase('calm')
    const loaded =
      schedule === undefined ? load.run(this.#plan.rate, loading.signal) : load.repeat(schedule, loading.signal)
    try {
      await clock.sleep(CALM_MS)
      this.#phase('faults')
      await this.#torment()
    } finally {
      loading.abort()
      await loaded
    }
    this.#phase('healing')
    await this.#converge()
    this.#phase('final')
    say('final reads from every node')
    if (workload.finish !== undefined) {
      await workload.finish(this.#nodes, { clock, record, now: this.#now, people: this.#people })
      await this.#agree() // what nodes have still found out about photos
    }
    await readAll(this.#nodes, load.photos, record, this.#people)
  }

  async #torment(): Promise<void> {
    const { clock, record, nemeses, say, schedule } = this.#components
    const ending = new AbortController()
    say(`faults for ${this.#plan.seconds} s`)
    const parts = { stage: this.#stage, clock, record, now: this.#now }
    const faults = nemeses.map(nemesis =>
      schedule === undefined
        ? torment(nemesis, { ...parts, random: this.#random.fork() }, ending.signal).then(() => 0)
        : tormentAgain(nemesis, schedule.faults, parts, ending.signal)
    )
    const ended = Promise.all(faults)
    // faults end before that only where one of them could not be carried out or made good
    await Promise.race([
      clock.sleep(this.#plan.seconds * 1_000),
      ended.then(() => clock.sleep(this.#plan.seconds * 1_000))
    ])
    ending.abort()
    const leftOut = (await ended).reduce((sum, count) => sum + count, 0)
    if (schedule !== undefined) record({ type: 'count', name: 'faultsLeftOut', value: leftOut })
  }

  /** Waits until all have met again and have the same. Where they do not, the final reads say what each has. */
  async #converge(): Promise<void> {
    const { say, record, clock } = this.#components
    say('healed; waiting until all nodes agree')
    const from = clock.monotonic()
    let differences: readonly string[] = ['nodes have not met again']
    try {
      await this.#agree(found => {
        differences = found
      })
      const ms = Math.round(clock.monotonic() - from)
      record({ type: 'converged', ms })
      say(`all agree ${(ms / 1_000).toFixed(1)} s after the last fault`)
    } catch (err) {
      const what = `${err instanceof Error ? err.message : String(err)}: ${differences.slice(0, 10).join('; ')}`
      record({ type: 'problem', checker: 'convergence', what })
    }
  }

  async #agree(told: (differences: readonly string[]) => void = () => {}): Promise<void> {
    await until('all nodes agree', CONVERGENCE_MS_MAX, async () => {
      if (!(await allSee(this.#nodes))) return false
      await this.#removeLost()
      const differences = await this.#differences()
      told(differences)
      return differences.length === 0
    })
  }

  /** What operators do about a node that has come back on an empty disk, as another one. */
  async #removeLost(): Promise<void> {
    const [first] = this.#nodes
    const members = (await first?.members()) ?? []
    for (const { id, state } of members) if (state === 'down') await first?.removeMember(id)
  }

  /** Of all nodes, as far as that can be mended. */
  async #differences(): Promise<readonly string[]> {
    const damaged = this.#nodes.filter(({ name }) => this.#stage.damaged.has(name))
    const ofItself = await Promise.all(damaged.map(node => this.#unmended(node)))
    return [...ofItself.flat(), ...(await faultsOf(this.#nodes))]
  }

  /**
   * A node whose files were harmed has to find that, and mend it; what, only it knows. But for damage in a volume that all others
   * have removed, since its needles were moved elsewhere: that stays.
   */
  async #unmended(node: ClusterNode): Promise<readonly string[]> {
    const others = this.#nodes.filter(other => other !== node)
    const kept = new Set(
      (await Promise.all(others.map(other => other.volumes()))).flat().map(volume => volume.logical_volume)
    )
    const faults = [...(await node.scrub()), ...(await node.verifyAllPeers())]
    const unmended = faults.filter(({ volume, problem }) => {
      return !(volume !== null && !kept.has(volume) && LEFT_BEHIND.test(problem))
    })
    return unmended.map(fault => `${node.name}: ${JSON.stringify(fault)}`)
  }

  #ask(name: string, call: Call): Promise<Ending> {
    const { clock } = this.#components
    const node = this.#nodes.find(node => node.name === name) as ClusterNode
    const operatorToken = (): string | undefined => node.process.operatorToken
    const people = this.#people
    return carryOut({ client: clientAs(node, people, call.as), clock, operatorToken, people }, call, DEADLINE_MS)
  }

  #phase(phase: Phase): void {
    this.#components.record({ type: 'phase', atMs: this.#now(), phase })
  }
}

/** Writes down when the harness itself is late. */
async function watchLag(
  clock: Clock,
  now: () => number,
  record: (line: Line) => void,
  signal: AbortSignal
): Promise<void> {
  for (let due = clock.monotonic() + LAG_LOOK_MS; !signal.aborted; due = clock.monotonic() + LAG_LOOK_MS) {
    await clock.sleep(LAG_LOOK_MS, signal).catch(() => {})
    const ms = Math.round(clock.monotonic() - due)
    if (!signal.aborted && ms >= LAG_MS_MIN) record({ type: 'lag', atMs: now(), ms })
  }
}
