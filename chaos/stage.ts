import type { ClusterNode } from './drivers/cluster-node.js'
import type { Deployment } from './drivers/driver.js'
import type { Line, NodeState } from './history.js'
import type { Cut, Stage } from './nemeses/nemesis.js'

/** The part of a {@link ClusterNode} that a stage needs. */
export interface StageNode extends Pick<ClusterNode, 'name' | 'isRunning' | 'start' | 'kill' | 'stop'> {
  readonly client: Pick<ClusterNode['client'], 'close'>
  readonly process: Pick<ClusterNode['process'], 'exit' | 'pause' | 'continue' | 'stderr'>
}

export interface StageComponents {
  readonly deployment: Pick<Deployment, 'cut' | 'heal'> & { readonly nodes: readonly StageNode[] }
  readonly now: () => number
  readonly record: (line: Line) => void
  /** What a process wrote to its log; it has ended. */
  readonly keepLog: (node: string, text: string) => void
  /** Waits a moment until one of the nodes is at a write. */
  readonly untilWriting: (nodes: readonly string[]) => Promise<void>
}

/** The nodes of a deployment, with what is done to them written to the history. */
export class DeployedStage implements Stage {
  readonly nodes: readonly string[]
  readonly #components: StageComponents
  readonly #taken = new Set<string>()
  /** Processes that may end. */
  readonly #doomed = new Set<string>()
  readonly #packets = new Map<string, number>()

  constructor(components: StageComponents) {
    this.#components = components
    this.nodes = components.deployment.nodes.map(({ name }) => name)
  }

  free(): readonly string[] {
    return this.nodes.filter(name => !this.#taken.has(name))
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
    for (const name of names) this.#taken.delete(name)
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

  cut(name: string, cut: Cut): Promise<void> {
    return this.#components.deployment.cut(name, cut)
  }

  async heal(name: string): Promise<void> {
    const dropped = await this.#components.deployment.heal(name)
    this.#packets.set(name, (this.#packets.get(name) ?? 0) + dropped)
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
    for (const { client } of nodes) client.close()
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

  #note(node: string, state: NodeState): void {
    const { record, now } = this.#components
    record({ type: 'node', atMs: now(), node, state })
  }

  #problem(what: string): void {
    this.#components.record({ type: 'problem', checker: 'process', what })
  }
}
