import type { NodeId } from '../domain/ids.js'
import { ALL_SHARDS, type Shard, type ShardSet, shardOwners } from '../domain/shards.js'

/** A shard that others have is kept for so long, so that a member that comes and goes does not move it each time. */
const RELEASE_MS = 10 * 60_000

export interface ShardPlacementComponents {
  readonly self: NodeId
  /** Others that are alive and index this model, with the shards of which they have all vectors. */
  readonly peers: () => ReadonlyMap<NodeId, ShardSet>
}

interface Held {
  /** The directory was looked through for its vectors. */
  looked: boolean
  /** All its vectors were here at one time since. */
  ready: boolean
  /** Since when its owners, others than this node, have all had it, monotonic ms; undefined: they have not. */
  coveredMs: number | undefined
}

/**
 * Which shards a node holds: those that it owns, as long as they are its; those that it owned until all new owners have had
 * them for a while. Pure: told what time it is.
 */
export class ShardPlacement {
  readonly #components: ShardPlacementComponents
  readonly #held = new Map<Shard, Held>()
  readonly #ready = new Set<Shard>()
  #owners: ReadonlyMap<Shard, readonly NodeId[]> = new Map()
  /** For whom `#owners` was worked out. */
  #members = ''

  constructor(components: ShardPlacementComponents) {
    this.#components = components
  }

  get ready(): ShardSet {
    return this.#ready
  }

  holds(shard: Shard): boolean {
    return this.#held.has(shard)
  }

  /** Takes what is this node's now. @returns shards that it need not hold any more, and no longer does */
  update(nowMs: number): ShardSet {
    const { self, peers } = this.#components
    const others = peers()
    this.#assign([self, ...others.keys()])
    const released = new Set<Shard>()
    for (const [shard, owners] of this.#owners) {
      const held = this.#held.get(shard)
      if (owners.includes(self)) {
        if (held === undefined) this.#held.set(shard, { looked: false, ready: false, coveredMs: undefined })
        else held.coveredMs = undefined
      } else if (held !== undefined && this.#isReleased(held, owners, others, shard, nowMs)) {
        this.#held.delete(shard)
        this.#ready.delete(shard)
        released.add(shard)
      }
    }
    return released
  }

  /** Shards for whose vectors the directory has not been looked through. */
  unlooked(): ShardSet {
    return new Set([...this.#held].filter(([, { looked }]) => !looked).map(([shard]) => shard))
  }

  looked(shards: ShardSet): void {
    for (const [shard, held] of this.#held) if (shards.has(shard)) held.looked = true
  }

  /** All shards are to be looked through again; those that are ready stay so. */
  forgetLooks(): void {
    for (const held of this.#held.values()) held.looked = false
  }

  /** @param incomplete - shards that are known to lack vectors. @returns whether shards have become ready */
  complete(incomplete: ShardSet): boolean {
    const before = this.#ready.size
    for (const [shard, held] of this.#held) {
      if (!held.looked || incomplete.has(shard)) continue
      held.ready = true
      this.#ready.add(shard)
    }
    return this.#ready.size > before
  }

  /** The vectors are gone. */
  reset(): void {
    this.#held.clear()
    this.#ready.clear()
  }

  #isReleased(
    held: Held,
    owners: readonly NodeId[],
    others: ReadonlyMap<NodeId, ShardSet>,
    shard: Shard,
    nowMs: number
  ): boolean {
    const covered = owners.every(owner => others.get(owner)?.has(shard) === true)
    if (!covered) {
      held.coveredMs = undefined
      return false
    }
    held.coveredMs ??= nowMs
    return !held.ready || nowMs >= held.coveredMs + RELEASE_MS
  }

  #assign(members: readonly NodeId[]): void {
    const key = members.toSorted().join(' ')
    if (key === this.#members) return
    this.#members = key
    this.#owners = new Map(Array.from(ALL_SHARDS, shard => [shard, shardOwners(shard, members)]))
  }
}
