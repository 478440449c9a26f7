import { onTestFinished } from 'vitest'
import type { Clock } from '../../../../src/core/clock.js'
import { SheafError } from '../../../../src/core/errors.js'
import type { Logger } from '../../../../src/core/log.js'
import { HybridClock } from '../../../../src/domain/hlc.js'
import { type NodeId, newActorId } from '../../../../src/domain/ids.js'
import type { MemberRecord, MemberState, MemberStore } from '../../../../src/network/membership/member-view.js'
import {
  Membership,
  type MembershipComponents,
  type MembershipInit
} from '../../../../src/network/membership/membership.js'
import type { RequestHandler } from '../../../../src/network/transport.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock, sleepOn } from '../../../support/simulated-clock.js'

/** Nodes in memory. The test decides which are connected, and the fate of each message. */
export class FakeNetwork {
  readonly clock = new SimulatedClock()
  readonly random: SeededRandom
  readonly nodes = new Map<NodeId, FakeNode>()
  /** @returns after how many ms each copy of a notification arrives; none: it is lost */
  fate: (from: NodeId, to: NodeId) => readonly number[] = () => [1]

  constructor(seed = 1) {
    this.random = new SeededRandom(seed)
  }

  async node(name: string, options: FakeNodeOptions = {}): Promise<FakeNode> {
    const node = this.make(name, options)
    await node.membership.start()
    return node
  }

  /** @returns a node whose membership has not been started */
  make(name: string, options: FakeNodeOptions = {}): FakeNode {
    const node = new FakeNode(this, name, options)
    this.nodes.set(node.self, node)
    onTestFinished(() => node.membership.stop())
    return node
  }

  /** Writes the records of all into the directories of all, as gossip does. */
  acquaint(...nodes: readonly FakeNode[]): void {
    for (const { store } of nodes) {
      for (const { self: id } of nodes)
        (store as MemoryMemberStore).put({ id, name: id.slice(5), addresses: [], joinedAtMs: 1 })
    }
  }

  connect(a: FakeNode, b: FakeNode): void {
    a.peerSet.add(b.self)
    b.peerSet.add(a.self)
    a.report(b.self, 'up')
    b.report(a.self, 'up')
  }

  disconnect(a: FakeNode, b: FakeNode): void {
    for (const [from, to] of [
      [a, b],
      [b, a]
    ] as const) {
      if (from.peerSet.delete(to.self)) from.report(to.self, 'down')
    }
  }
}

export interface FakeNodeOptions extends MembershipInit {
  /** How far its wall clock is ahead, ms. */
  readonly skewMs?: number
  readonly store?: MemberStore
}

export class FakeNode {
  /** Methods of the hints that may wait behind others. */
  readonly notUrgent: string[] = []
  readonly self: NodeId
  readonly clock: StallingClock
  readonly membership: Membership
  readonly store: MemberStore
  readonly peerSet = new Set<NodeId>()
  addressList: string[]
  /** `id: was → state`, without the id's prefix. */
  readonly changes: string[] = []
  readonly warnings: string[] = []
  readonly told: string[] = []
  readonly #network: FakeNetwork
  readonly #handlers = new Map<string, RequestHandler>()
  readonly #listeners = new Set<(peer: NodeId, state: 'up' | 'down') => void>()

  constructor(network: FakeNetwork, name: string, { skewMs = 0, store, ...init }: FakeNodeOptions) {
    this.#network = network
    this.self = `node-${name}` as NodeId
    this.clock = new StallingClock(network.clock, skewMs)
    this.store = store ?? new MemoryMemberStore()
    this.addressList = [`/ip4/10.0.0.1/tcp/4001/p2p/${this.self}`]
    const random = network.random.fork()
    const epoch = newActorId(random)
    const hybridClock = new HybridClock({ clock: this.clock })
    const components: MembershipComponents = {
      transport: {
        self: this.self,
        addresses: () => this.addressList,
        peers: () => [...this.peerSet],
        onPeer: listener => {
          this.#listeners.add(listener)
          return () => this.#listeners.delete(listener)
        },
        request: async (peer, method, body, signal) => await this.#request(peer, method, body, signal),
        notify: (peer, method, body, options) => {
          if (options?.urgent !== true) this.notUrgent.push(method)
          this.#notify(peer, method, body)
        },
        handle: (method, handler) => this.#handlers.set(method, handler)
      },
      clock: this.clock,
      random,
      log: {
        ...silent,
        warn: (_fields, message) => this.warnings.push(message),
        info: (_fields, message) => this.told.push(message)
      },
      describe: () => ({
        epoch,
        name,
        directoryDigest: 'd1',
        volumesDigest: 'e2',
        freeBytes: 1_000,
        totalBytes: 2_000,
        version: '1.0.0',
        heads: []
      }),
      now: () => hybridClock.now(),
      store: this.store
    }
    this.membership = new Membership(components, init)
    this.membership.onChange(({ id, state }, was) => this.changes.push(`${id.slice(5)}: ${was} → ${state}`))
  }

  state(of: FakeNode): MemberState | undefined {
    return this.membership.members().find(({ id }) => id === of.self)?.state
  }

  report(peer: NodeId, state: 'up' | 'down'): void {
    for (const listener of this.#listeners) listener(peer, state)
  }

  /** Handles a message as the transport does on arrival. */
  async receive(peer: NodeId, method: string, body: Uint8Array): Promise<Uint8Array> {
    const handler = this.#handlers.get(method)
    if (handler === undefined) throw new SheafError('ERR_PEER_PROTOCOL')
    return await handler(peer, body, new AbortController().signal)
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  /** As the transport does, a hint to a node that is not connected goes through another one. */
  #notify(to: NodeId, method: string, body: Uint8Array): void {
    const [way] = this.membership.waysTo(to)
    const isConnected = this.peerSet.has(to)
    if (!isConnected && (way === undefined || !this.peerSet.has(way))) return
    const peer = this.#network.nodes.get(to)
    for (const delayMs of this.#network.fate(this.self, to)) {
      peer?.clock.schedule(delayMs, () => void peer.receive(this.self, method, body))
    }
  }

  async #request(to: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const peer = this.#network.nodes.get(to)
    const [delayMs] = this.#network.fate(this.self, to)
    if (peer === undefined || !this.peerSet.has(to)) throw new SheafError('ERR_PEER_UNREACHABLE')
    if (delayMs === undefined) await sleepOn(this.clock, 3_600_000, signal)
    return await peer.receive(this.self, method, body)
  }
}

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent }

/** A process's clock. During a stall none of its timers run, and it receives nothing. */
class StallingClock implements Clock {
  readonly #clock: SimulatedClock
  skewMs: number
  #stalledUntilMs = 0

  constructor(clock: SimulatedClock, skewMs: number) {
    this.#clock = clock
    this.skewMs = skewMs
  }

  stall(ms: number): void {
    this.#stalledUntilMs = this.#clock.monotonic() + ms
  }

  now(): number {
    return this.#clock.now() + this.skewMs
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal)
  }

  schedule(ms: number, task: () => void): () => void {
    let cancel = this.#clock.schedule(ms, () => {
      const restMs = this.#stalledUntilMs - this.#clock.monotonic()
      if (restMs > 0) cancel = this.#clock.schedule(restMs, task)
      else task()
    })
    return () => cancel()
  }
}

/** One node's member records, in memory. */
export class MemoryMemberStore implements MemberStore {
  readonly members = new Map<NodeId, MemberRecord>()
  readonly saved: string[] = []
  failure: Error | undefined
  #listener: (member: MemberRecord) => void = () => {}

  async load(): Promise<readonly MemberRecord[]> {
    return [...this.members.values()]
  }

  onChange(listener: (member: MemberRecord) => void): () => void {
    this.#listener = listener
    return () => {
      this.#listener = () => {}
    }
  }

  async save(self: Pick<MemberRecord, 'id' | 'name' | 'addresses'>): Promise<void> {
    this.saved.push(`${self.name} ${self.addresses.join()}`)
    if (this.failure !== undefined) throw this.failure
    this.put({ ...self, joinedAtMs: this.members.get(self.id)?.joinedAtMs ?? 42 })
  }

  put(member: MemberRecord): void {
    this.members.set(member.id, member)
    this.#listener(member)
  }
}
