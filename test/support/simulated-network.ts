import type { Clock } from '../../src/core/clock.js'
import type { NodeId } from '../../src/domain/ids.js'
import type { SeededRandom } from './seeded-random.js'
import { SimulatedConnection } from './simulated-connection.js'
import { SimulatedTransport } from './simulated-transport.js'

/** How well messages travel. Shares are probabilities, 0…1. */
export interface LinkQuality {
  /** One way, ms, drawn anew for each message: what is sent later may arrive earlier. */
  readonly delayMs: readonly [least: number, most: number]
  /** Of the messages of `notify` that are lost, and that arrive twice. */
  readonly notifyLoss: number
  readonly notifyTwice: number
  /** The same for each hop of a published message. At a loss of 1 nothing published is ever heard. */
  readonly publishLoss: number
  readonly publishTwice: number
}

export const GOOD_LINKS: LinkQuality = {
  delayMs: [0.2, 2],
  notifyLoss: 0,
  notifyTwice: 0,
  publishLoss: 0,
  publishTwice: 0
}

/** From a silent cut until a side closes the connection: what pings of 1 s with a deadline of 2.5 s take, ms. */
const DETECTION_MS = [2_500, 3_500] as const
/** Bytes of a connection are sent again this long after they found the link cut, ms. */
const RESEND_MS = 200

export interface Traffic {
  messages: number
  bytes: number
}

/** A transport's place in the network. */
interface Host {
  readonly address: string
  transport: SimulatedTransport | undefined
}

/**
 * A network in memory: links with delays that are cut one way or both, connections that end when a process does or, after
 * a while, when a link stays silent, and messages that are lost, repeated and overtaken, all under one seed.
 *
 * Time is the clock's. Whatever happens here happens at the same moment, in the same order, under the same seed.
 */
export class SimulatedNetwork {
  readonly clock: Clock
  quality: LinkQuality
  /** By `<way> <method or topic>`, each time that something is put on a wire: 'request tree.nodes', 'answer tree.nodes', … */
  readonly traffic = new Map<string, Traffic>()
  readonly #random: SeededRandom
  readonly #hosts = new Map<NodeId, Host>()
  readonly #connections = new Set<SimulatedConnection>()
  /** Cut directions as `from>to`, with the number of the cut. */
  readonly #cuts = new Map<string, number>()
  #cutCount = 0

  constructor(
    components: { readonly clock: Clock; readonly random: SeededRandom },
    init: { readonly quality?: Partial<LinkQuality> } = {}
  ) {
    this.clock = components.clock
    this.#random = components.random.fork()
    this.quality = { ...GOOD_LINKS, ...init.quality }
  }

  /**
   * The transport of a new process of a node. The one of its last process must have been stopped or killed.
   *
   * @param init.clusterKey - nodes with different ones refuse each other
   */
  transport(self: NodeId, init: { readonly clusterKey?: string } = {}): SimulatedTransport {
    let host = this.#hosts.get(self)
    if (host === undefined) {
      const number = this.#hosts.size + 1
      host = { address: `/ip4/10.0.${number >> 8}.${number & 255}/tcp/4001`, transport: undefined }
      this.#hosts.set(self, host)
    }
    const { address } = host
    return new SimulatedTransport({ network: this }, { self, address, clusterKey: init.clusterKey ?? '' })
  }

  // --- faults ---

  /** Nothing gets from `from` to `to` any more; nobody is told. */
  cut(from: NodeId, to: NodeId): void {
    if (this.#cuts.has(`${from}>${to}`)) return
    const number = ++this.#cutCount
    this.#cuts.set(`${from}>${to}`, number)
    for (const connection of this.#connections) {
      if (!connection.isBetween(from, to)) continue
      for (const side of connection.ends) {
        this.clock.schedule(this.#between(DETECTION_MS), () => {
          if (this.#cuts.get(`${from}>${to}`) === number) connection.close(side)
        })
      }
    }
  }

  mend(from: NodeId, to: NodeId): void {
    this.#cuts.delete(`${from}>${to}`)
  }

  /** Cuts all links between nodes of different groups; nodes in no group keep theirs. */
  partition(...groups: readonly (readonly NodeId[])[]): void {
    for (const [i, group] of groups.entries()) {
      for (const from of group) {
        for (const other of groups.toSpliced(i, 1)) for (const to of other) this.cut(from, to)
      }
    }
  }

  /** Mends all links. */
  heal(): void {
    this.#cuts.clear()
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.has(`${from}>${to}`)
  }

  // --- counting ---

  /** @returns the sum over all traffic whose name passes `accept` */
  total(accept: (name: string) => boolean = () => true): Traffic {
    const total = { messages: 0, bytes: 0 }
    for (const [name, { messages, bytes }] of this.traffic) {
      if (!accept(name)) continue
      total.messages += messages
      total.bytes += bytes
    }
    return total
  }

  count(name: string, byteCount: number): void {
    const traffic = this.traffic.get(name) ?? { messages: 0, bytes: 0 }
    traffic.messages++
    traffic.bytes += byteCount
    this.traffic.set(name, traffic)
  }

  // --- what transports use ---

  /** Every transport that listens, by address. */
  listening(address: string): SimulatedTransport | undefined {
    for (const host of this.#hosts.values()) if (host.address === address) return host.transport
    return undefined
  }

  listeners(): SimulatedTransport[] {
    return [...this.#hosts.values()].flatMap(({ transport }) => transport ?? [])
  }

  nodeAt(address: string): NodeId | undefined {
    for (const [id, host] of this.#hosts) if (host.address === address) return id
    return undefined
  }

  listen(transport: SimulatedTransport, listening: boolean): void {
    const host = this.#hosts.get(transport.self)
    if (host === undefined) return
    if (listening) host.transport = transport
    else if (host.transport === transport) host.transport = undefined
  }

  connect(a: SimulatedTransport, b: SimulatedTransport): SimulatedConnection {
    const connection = new SimulatedConnection(this, a, b, () => this.#connections.delete(connection))
    this.#connections.add(connection)
    return connection
  }

  /** Bytes of a connection: they get there in the end, unless `gone` says that nobody waits for them any more. */
  carry(from: NodeId, to: NodeId, gone: () => boolean, arrive: () => void): void {
    const attempt = (): void => {
      if (gone()) return
      if (this.isCut(from, to)) this.clock.schedule(RESEND_MS, attempt)
      else arrive()
    }
    this.clock.schedule(this.delayMs(), attempt)
  }

  /** A hint: arrives never, once or twice. */
  toss(from: NodeId, to: NodeId, lossShare: number, twiceShare: number, arrive: () => void): void {
    const lost = this.#random.chance(lossShare) || this.isCut(from, to)
    const copies = this.#random.chance(twiceShare) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = this.delayMs()
      if (lost) continue
      this.clock.schedule(delayMs, () => {
        if (!this.isCut(from, to)) arrive()
      })
    }
  }

  delayMs(): number {
    return this.#between(this.quality.delayMs)
  }

  #between([least, most]: readonly [number, number]): number {
    return least + this.#random.fraction() * (most - least)
  }
}
