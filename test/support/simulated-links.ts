import type { Clock } from '../../src/core/clock.js'
import type { NodeId } from '../../src/domain/ids.js'
import type { SeededRandom } from './seeded-random.js'

/** How well messages travel. Shares are probabilities, 0…1. */
export interface LinkQuality {
  /** One way, ms, drawn anew for each message: what is sent later may arrive earlier. */
  readonly delayMs: Span
  /** Of the messages of `notify`: those that are lost, and those that arrive twice. */
  readonly notifyLoss: number
  readonly notifyTwice: number
  /** The same for each hop of a published message. At a loss of 1 nothing published is ever heard. */
  readonly publishLoss: number
  readonly publishTwice: number
}

type Span = readonly [least: number, most: number]

export const GOOD_LINKS: LinkQuality = {
  delayMs: [0.2, 2],
  notifyLoss: 0,
  notifyTwice: 0,
  publishLoss: 0,
  publishTwice: 0
}

/** From a silent cut until a side gives the connection up: what pings each second with a deadline of 2.5 s take, ms. */
const DETECTION_MS: Span = [2_500, 3_500]
/** Bytes of a connection are sent again this long after they found the link cut, ms. */
const RESEND_MS = 200

export interface Traffic {
  messages: number
  bytes: number
}

/** @param lasts - whether the cut has lasted without a break since */
export type CutListener = (from: NodeId, to: NodeId, lasts: () => boolean) => void

/**
 * The links between hosts: each direction is good or cut, and takes its time. All that is random comes from one seed, so
 * the same calls give the same arrivals in the same order.
 */
export class SimulatedLinks {
  readonly clock: Clock
  quality: LinkQuality
  /** How fast answers leave a node, bytes a second, all of them together; default: at once. */
  readonly uplinks = new Map<NodeId, number>()
  /** By `<way> <method or topic>`, counted when put on a wire: 'request tree.nodes', 'answer tree.nodes', 'publish records'. */
  readonly traffic = new Map<string, Traffic>()
  readonly #random: SeededRandom
  /** Cut directions as `from>to`, each with a token of its own. */
  readonly #cuts = new Map<string, symbol>()
  readonly #cutListeners = new Set<CutListener>()
  /** When what each slow node has begun to send will have left it, monotonic ms. */
  readonly #uplinkFreeMs = new Map<NodeId, number>()

  constructor(
    components: { readonly clock: Clock; readonly random: SeededRandom },
    init: { readonly quality?: Partial<LinkQuality> } = {}
  ) {
    this.clock = components.clock
    this.#random = components.random.fork()
    this.quality = { ...GOOD_LINKS, ...init.quality }
  }

  /** Nothing gets from `from` to `to` any more; nobody is told. */
  cut(from: NodeId, to: NodeId): void {
    const direction = `${from}>${to}`
    if (this.#cuts.has(direction)) return
    const cut = Symbol(direction)
    this.#cuts.set(direction, cut)
    for (const listener of this.#cutListeners) listener(from, to, () => this.#cuts.get(direction) === cut)
  }

  mend(from: NodeId, to: NodeId): void {
    this.#cuts.delete(`${from}>${to}`)
  }

  /** Cuts all links between nodes of different groups; nodes in no group keep theirs. */
  partition(...groups: readonly (readonly NodeId[])[]): void {
    for (const [i, group] of groups.entries()) {
      const others = groups.toSpliced(i, 1).flat()
      for (const from of group) for (const to of others) this.cut(from, to)
    }
  }

  /** Mends all links. */
  heal(): void {
    this.#cuts.clear()
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.has(`${from}>${to}`)
  }

  onCut(listener: CutListener): () => void {
    this.#cutListeners.add(listener)
    return () => this.#cutListeners.delete(listener)
  }

  /** Bytes of a connection: they get there in the end, unless `gone` says that nobody waits for them any more. */
  carry(from: NodeId, to: NodeId, gone: () => boolean, arrive: () => void): void {
    const attempt = (): void => {
      if (gone()) return
      if (this.isCut(from, to)) this.clock.schedule(RESEND_MS, attempt)
      else arrive()
    }
    this.clock.schedule(this.#delayMs(), attempt)
  }

  /** @returns resolves when an answer of so many bytes has left the node; undefined: at once */
  upload(node: NodeId, byteCount: number): Promise<void> | undefined {
    const perSecond = this.uplinks.get(node)
    if (perSecond === undefined) return undefined
    const now = this.clock.monotonic()
    const freeMs = Math.max(now, this.#uplinkFreeMs.get(node) ?? 0) + (byteCount / perSecond) * 1_000
    this.#uplinkFreeMs.set(node, freeMs)
    return this.clock.sleep(freeMs - now)
  }

  /** A hint: arrives never, once or twice. */
  toss(from: NodeId, to: NodeId, lossShare: number, twiceShare: number, arrive: () => void): void {
    const lost = this.#random.chance(lossShare) || this.isCut(from, to)
    const copies = this.#random.chance(twiceShare) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = this.#delayMs()
      if (lost) continue
      this.clock.schedule(delayMs, () => {
        if (!this.isCut(from, to)) arrive()
      })
    }
  }

  /** Runs after as long as it takes to notice that a peer is silent. */
  afterDetection(task: () => void): void {
    this.clock.schedule(this.#between(DETECTION_MS), task)
  }

  count(name: string, byteCount: number): void {
    const traffic = this.traffic.get(name) ?? { messages: 0, bytes: 0 }
    traffic.messages++
    traffic.bytes += byteCount
    this.traffic.set(name, traffic)
  }

  /** @returns the sum of the traffic whose name passes `accept` */
  total(accept: (name: string) => boolean = () => true): Traffic {
    const total = { messages: 0, bytes: 0 }
    for (const [name, { messages, bytes }] of this.traffic) {
      if (!accept(name)) continue
      total.messages += messages
      total.bytes += bytes
    }
    return total
  }

  #delayMs(): number {
    return this.#between(this.quality.delayMs)
  }

  #between([least, most]: Span): number {
    return least + this.#random.fraction() * (most - least)
  }
}
