import type { Clock } from '../src/core/clock.js'
import type { SeededRandom } from '../test/support/seeded-random.js'
import type { ClusterNode, VolumeJson } from './drivers/cluster-node.js'
import type { Deployment } from './drivers/driver.js'
import type { Line, NodeState } from './history.js'
import type { Cut, Damage, Stage } from './nemeses/nemesis.js'

/** The part of a {@link ClusterNode} that a stage needs. */
export interface StageNode
  extends Pick<ClusterNode, 'name' | 'isRunning' | 'start' | 'kill' | 'stop' | 'setClock' | 'time' | 'close'> {
  readonly folder: Pick<ClusterNode['folder'], 'harm'>
  volumes(): Promise<readonly Pick<VolumeJson, 'logical_volume' | 'state' | 'copies'>[]>
  readonly process: Pick<ClusterNode['process'], 'exit' | 'pause' | 'continue' | 'stderr'>
}

export interface StageComponents {
  readonly deployment: Pick<Deployment, 'cut' | 'heal'> & { readonly nodes: readonly StageNode[] }
  readonly clock: Clock
  /** Milliseconds since the run began. */
  readonly now: () => number
  readonly record: (line: Line) => void
  /** What a process wrote to its log; it has ended. */
  readonly keepLog: (node: string, text: string) => void
  /** Waits a moment until one of the nodes is at a write. */
  readonly untilWriting: (nodes: readonly string[]) => Promise<void>
  readonly isWriting: (node: string) => boolean
}

/** What a node shows of its clock is of the second, and up to two old. */
const SHOWN_MS = 3_000
const SHOWING_MS_MAX = 10_000
/** Where others do not hold what a node has by then, it is not harmed. */
const HOLDING_MS_MAX = 10_000
const LOOK_MS = 100

/** The nodes of a deployment, with what is done to them written to the history. */
export class DeployedStage implements Stage {
  readonly nodes: readonly string[]
  readonly #components: StageComponents
  readonly #taken = new Set<string>()
  /** Processes that may end. */
  readonly #doomed = new Set<string>()
  readonly #leftAlone = new Set<string>()
  /** Volumes that take no more and that others have, or had. */
  readonly #held = new Set<string>()
  /** Nodes whose files were harmed at any time. */
  readonly damaged = new Set<string>()
  #damages = 0
  readonly #offsets = new Map<string, number>()
  #clockJumps = 0
  readonly #packets = new Map<string, number>()

  constructor(components: StageComponents) {
    this.#components = components
    this.nodes = components.deployment.nodes.map(({ name }) => name)
  }

  free(): readonly string[] {
    return this.nodes.filter(name => !this.#taken.has(name) && !this.#offsets.has(name))
  }

  async kill(names: readonly string[]): Promise<void> {
    for (const name of names) this.#taken.add(name)
    await this.#components.untilWriting(names)
    for (const name of names) {
      this.#doomed.add(name)
      this.#note(name, 'down')
    }
    await Promise.all(names.map(name => this.#end(this.#node(name), node => node.kill())))
  }

  async stop(name: string): Promise<void> {
    this.#taken.add(name)
    await this.#components.untilWriting([name])
    this.#doomed.add(name)
    this.#note(name, 'stopping')
    await this.#stop(this.#node(name))
  }

  async start(names: readonly string[]): Promise<void> {
    await Promise.all(names.map(name => this.#start(this.#node(name))))
    for (const name of names) {
      this.#taken.delete(name)
      this.#leftAlone.delete(name)
    }
  }

  pause(name: string): void {
    this.#taken.add(name)
    this.#note(name, 'paused')
    this.#node(name).process.pause()
  }

  resume(name: string): void {
    this.#node(name).process.continue()
    this.#note(name, 'resumed')
    this.#taken.delete(name)
  }

  async setClock(name: string, offsetMs: number): Promise<void> {
    const before = this.#offsets.get(name) ?? 0
    const node = this.#node(name)
    if (offsetMs !== 0) {
      this.#offsets.set(name, offsetMs)
      this.#noteClock(name, offsetMs)
    }
    node.setClock(offsetMs)
    if (node.isRunning) {
      await this.#untilShown(node, offsetMs)
      if (Math.abs(offsetMs - before) > 2 * SHOWN_MS) this.#clockJumps++
    }
    if (offsetMs === 0) {
      this.#offsets.delete(name)
      this.#noteClock(name, offsetMs)
    }
  }

  async harm(name: string, damage: Damage, random: SeededRandom): Promise<string | undefined> {
    const node = this.#node(name)
    this.#taken.add(name)
    this.#leftAlone.add(name)
    if (!(await this.#isHeldElsewhere(node))) {
      this.#taken.delete(name)
      this.#leftAlone.delete(name)
      return undefined
    }
    this.#doomed.add(name)
    this.#note(name, 'stopping')
    await this.#stop(node)
    const what = node.folder.harm(damage, random)
    if (what === undefined) return `nothing of ${damage}`
    this.#note(name, 'damaged')
    this.damaged.add(name)
    this.#damages++
    return what
  }

  cut(name: string, cut: Cut): Promise<void> {
    return this.#components.deployment.cut(name, cut)
  }

  async heal(name: string): Promise<void> {
    const dropped = await this.#components.deployment.heal(name)
    this.#packets.set(name, (this.#packets.get(name) ?? 0) + dropped)
  }

  /** Whether clients are to ask others for now. */
  isLeftAlone(name: string): boolean {
    return this.#leftAlone.has(name)
  }

  /** How often files were harmed. */
  get damages(): number {
    return this.#damages
  }

  /** Jumps of clocks, forth or back, that nodes have shown. */
  get clockJumps(): number {
    return this.#clockJumps
  }

  /** Packets dropped by all cuts that were healed. */
  get packetsDropped(): number {
    return [...this.#packets.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Ends all nodes as an operator would. */
  async end(): Promise<void> {
    const { nodes } = this.#components.deployment
    for (const name of this.nodes) this.#doomed.add(name)
    await Promise.all(nodes.filter(({ isRunning }) => isRunning).map(node => this.#stop(node)))
    for (const node of nodes) node.close()
  }

  /** Waits a while until nobody writes at the node, and all that it has is on another disk as well. */
  async #isHeldElsewhere(node: StageNode): Promise<boolean> {
    const { clock, isWriting } = this.#components
    for (const from = clock.monotonic(); clock.monotonic() - from < HOLDING_MS_MAX; await clock.sleep(LOOK_MS)) {
      if (isWriting(node.name)) continue
      const volumes = await node.volumes()
      // others remove one that takes no more only when they have its needles elsewhere
      for (const { logical_volume: id, state, copies } of volumes)
        if (copies > 1 && state !== 'active') this.#held.add(id)
      if (!volumes.every(({ logical_volume: id, copies }) => copies > 1 || this.#held.has(id))) continue
      for (const { logical_volume: id } of volumes) this.#held.add(id) // the active one as well: it takes no more
      return true
    }
    return false
  }

  async #untilShown(node: StageNode, offsetMs: number): Promise<void> {
    const { clock } = this.#components
    for (const from = clock.monotonic(); ; await clock.sleep(LOOK_MS)) {
      const off = (await node.time()) - (clock.now() + offsetMs)
      if (Math.abs(off) <= SHOWN_MS) return
      if (clock.monotonic() - from > SHOWING_MS_MAX)
        throw new Error(`${node.name} does not show the clock that it was given: its own is ${off} ms off that`)
    }
  }

  async #start(node: StageNode): Promise<void> {
    const { name } = node
    this.#doomed.delete(name)
    try {
      await node.start()
    } catch (err) {
      this.#problem(`${name} does not start: ${err instanceof Error ? err.message : String(err)}`)
      throw err
    }
    this.#note(name, 'up')
    const { process } = node
    void process.exit().then(code => {
      if (this.#doomed.has(name)) return
      this.#note(name, 'down')
      this.#components.keepLog(name, process.stderr)
      this.#problem(`${name} ended by itself: ${code}\n${process.stderr.slice(-2_000)}`)
    })
  }

  async #stop(node: StageNode): Promise<void> {
    try {
      await this.#end(node, () => node.stop())
    } catch (err) {
      this.#problem(`${node.name} does not stop in good order: ${err instanceof Error ? err.message : String(err)}`)
    }
  }

  async #end(node: StageNode, end: (node: StageNode) => Promise<void>): Promise<void> {
    const { process } = node
    try {
      await end(node)
    } finally {
      this.#components.keepLog(node.name, process.stderr)
    }
  }

  #node(name: string): StageNode {
    const node = this.#components.deployment.nodes.find(node => node.name === name)
    if (node === undefined) throw new RangeError(`there is no node ${name}`)
    return node
  }

  #noteClock(node: string, offsetMs: number): void {
    const { now, record } = this.#components
    record({ type: 'clock', atMs: now(), node, offsetMs })
  }

  #note(node: string, state: NodeState): void {
    const { record, now } = this.#components
    record({ type: 'node', atMs: now(), node, state })
  }

  #problem(what: string): void {
    this.#components.record({ type: 'problem', checker: 'process', what })
  }
}
