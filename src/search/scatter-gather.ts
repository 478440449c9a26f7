import type { Clock } from '../core/clock.js'
import { deadline } from '../core/deadline.js'
import { SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import type { Shard, ShardSet } from '../domain/shards.js'
import type { Neighbor } from '../similarity/index/vector-index.js'
import type { ShardAnswer } from './search-messages.js'

/** Answers after this are not waited for, ms. */
const DEADLINE_MS = 2_000

export interface ScatterGatherComponents {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Searches on one node. @throws when the node cannot answer */
  readonly ask: (node: NodeId, signal: AbortSignal) => Promise<ShardAnswer>
}

export interface ScatterGatherInit {
  readonly self: NodeId
  /** The shards that each node claims to have. */
  readonly holders: ReadonlyMap<NodeId, ShardSet>
  readonly k: number
  /** Somebody asks who does not see all photos. */
  readonly isLimited?: boolean
  /** After this long without an answer, another node is asked for the same shards, ms. */
  readonly hedgeMs: number
}

/** The merged result. */
export interface GatherResult {
  /** By falling score; each photo once. The k best are among them. */
  readonly neighbors: readonly Neighbor[]
  /** Shards of which all vectors were searched; for somebody who does not see all, all that he sees. */
  readonly shards: ShardSet
  /** Every node that answered returned fewer than `k`: a larger `k` finds nothing more. */
  readonly exhausted: boolean
}

/** One search: chooses the nodes to ask, hedges slow ones, and merges the answers. */
export class ScatterGather {
  readonly #components: ScatterGatherComponents
  readonly #init: ScatterGatherInit
  /** Nodes asked that have not answered yet, and the shards expected from them. */
  readonly #pending = new Map<NodeId, ShardSet>()
  /** No node is asked twice. */
  readonly #asked = new Set<NodeId>()
  readonly #scores = new Map<PhotoId, number>()
  readonly #shards = new Set<Shard>()
  readonly #end = new AbortController()
  #exhausted = true
  #finish: () => void = () => {}
  #cancelHedge: () => void = () => {}

  constructor(components: ScatterGatherComponents, init: ScatterGatherInit) {
    this.#components = components
    this.#init = init
  }

  /** Call once. @throws the signal's reason */
  async run(signal: AbortSignal): Promise<GatherResult> {
    const { clock } = this.#components
    const { self, holders } = this.#init
    signal.throwIfAborted()
    const { signal: late, cancel } = deadline(clock, DEADLINE_MS, signal)
    try {
      await new Promise<void>(resolve => {
        this.#finish = resolve
        late.addEventListener('abort', () => resolve(), { once: true })
        const own = holders.get(self)
        if (own !== undefined) this.#expect(self, own)
        this.#askMore(new Set(own))
        // peers first: their answers take longer
        if (own !== undefined) this.#ask(self)
        this.#scheduleHedge()
      })
    } finally {
      cancel()
      this.#cancelHedge()
      this.#end.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the search is over'))
    }
    signal.throwIfAborted()
    const neighbors = Array.from(this.#scores, ([id, score]) => ({ id, score }))
    neighbors.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
    return { neighbors, shards: this.#shards, exhausted: this.#exhausted }
  }

  /** Asks further nodes for the shards not in `expected`, greedily by most shards. Ends the search when nothing more can come. */
  #askMore(expected: ReadonlySet<Shard>): void {
    const { random } = this.#components
    const missing = new Set<Shard>()
    const candidates: { readonly node: NodeId; readonly shards: ShardSet; readonly order: number }[] = []
    for (const [node, shards] of this.#init.holders) {
      if (this.#asked.has(node)) continue
      candidates.push({ node, shards, order: random.fraction() })
      for (const shard of shards) if (!expected.has(shard)) missing.add(shard)
    }
    while (missing.size > 0) {
      const gains = candidates.map(candidate => ({ ...candidate, gain: overlap(candidate.shards, missing) }))
      const [best] = gains.sort((a, b) => b.gain - a.gain || a.order - b.order)
      if (best === undefined || best.gain === 0) break
      for (const shard of best.shards) missing.delete(shard)
      this.#expect(best.node, best.shards)
      this.#ask(best.node)
    }
    if (this.#pending.size === 0 || !this.#expectsMore()) this.#finish()
  }

  #expect(node: NodeId, shards: ShardSet): void {
    this.#asked.add(node)
    this.#pending.set(node, shards)
  }

  #ask(node: NodeId): void {
    this.#components.ask(node, this.#end.signal).then(
      answer => this.#onAnswer(node, answer),
      err => {
        if (this.#end.signal.aborted) return
        this.#components.log.debug({ err, node }, 'node did not answer a search')
        this.#onSettled(node)
      }
    )
  }

  /** A node of before looks at all photos, whoever asks: what it found counts, but among others may be what that one sees. */
  #onAnswer(node: NodeId, { shards, neighbors, isLimited }: ShardAnswer): void {
    if (this.#end.signal.aborted) return
    const isWhole = this.#init.isLimited !== true || isLimited === true || neighbors.length < this.#init.k
    if (isWhole) for (const shard of shards) this.#shards.add(shard)
    for (const { id, score } of neighbors) this.#scores.set(id, Math.max(score, this.#scores.get(id) ?? -1))
    if (neighbors.length >= this.#init.k) this.#exhausted = false
    this.#onSettled(node)
  }

  #onSettled(node: NodeId): void {
    this.#pending.delete(node)
    this.#askMore(this.#expectedShards())
  }

  /** Shards answered, and shards still expected from nodes that were asked. */
  #expectedShards(): Set<Shard> {
    const expected = new Set(this.#shards)
    for (const shards of this.#pending.values()) for (const shard of shards) expected.add(shard)
    return expected
  }

  /** Always waits for this node: its part of an incomplete shard is better than nothing. */
  #expectsMore(): boolean {
    if (this.#pending.has(this.#init.self)) return true
    for (const shards of this.#pending.values()) for (const shard of shards) if (!this.#shards.has(shard)) return true
    return false
  }

  /** Repeats, so that a third node is asked when the second is slow, too. */
  #scheduleHedge(): void {
    this.#cancelHedge = this.#components.clock.schedule(this.#init.hedgeMs, () => {
      this.#askMore(this.#shards)
      this.#scheduleHedge()
    })
  }
}

function overlap(shards: ShardSet, others: ReadonlySet<Shard>): number {
  let count = 0
  for (const shard of shards) if (others.has(shard)) count++
  return count
}
