import type { NodeId } from '../domain/ids.js'
import { ALL_SHARDS, SHARD_COUNT, type Shard, type ShardSet, shardOwners } from '../domain/shards.js'

/** A shard that its owners have is still kept for this long, ms, so that a flapping member does not move it each time. */
const RELEASE_MS = 10 * 60_000

export interface ShardPlacementComponents {
  readonly self: NodeId
  /** Live peers that index this model, and the shards for which they have all vectors. */
  readonly peers: () => ReadonlyMap<NodeId, ShardSet>
}

interface HeldShard {
  /** The directory was scanned for its vectors. */
  scanned: boolean
  /** At some time since, all its vectors were here. */
  ready: boolean
  /** Since when all its owners, this node not among them, have had it, monotonic ms; undefined: they have not. */
  coveredMs: number | undefined
  /** Since when another owner has had it beside this one, monotonic ms; undefined: none has. */
  spareMs: number | undefined
}

/**
 * Which shards a node holds: those that it owns and has room for, and those that it owned, until all new owners have had them
 * for a while.
 * Pure: the caller passes the time.
 */
export class ShardPlacement {
  readonly #components: ShardPlacementComponents
  readonly #held = new Map<Shard, HeldShard>()
  readonly #ready = new Set<Shard>()
  #owners: ReadonlyMap<Shard, readonly NodeId[]> = new Map()
  /** The members for whom `#owners` was computed. */
  #members = ''
  /** The most shards that this node holds. */
  #limit = SHARD_COUNT

  constructor(components: ShardPlacementComponents) {
    this.#components = components
  }

  get ready(): ShardSet {
    return this.#ready
  }

  holds(shard: Shard): boolean {
    return this.#held.has(shard)
  }

  /** Shards that this node owns, and leaves out since there is no room for their vectors. */
  get leftOut(): number {
    return this.#owned().filter(({ shard }) => !this.#held.has(shard)).length
  }

  /** Shards that this node holds, whether it has all their vectors or not. */
  get heldCount(): number {
    return this.#held.size
  }

  /** The most shards that this node holds. */
  get limit(): number {
    return this.#limit
  }

  set limit(shards: number) {
    this.#limit = Math.max(0, shards)
  }

  /** Adds the shards that this node owns now, and has room for. @returns shards that it released */
  update(nowMs: number): ShardSet {
    const { self, peers } = this.#components
    const others = peers()
    this.#assign([self, ...others.keys()])
    this.#noteSpare(others, nowMs)
    const taken = this.#taken(nowMs)
    const released = new Set<Shard>()
    for (const [shard, owners] of this.#owners) {
      const held = this.#held.get(shard)
      if (taken.has(shard)) {
        if (held === undefined) {
          this.#held.set(shard, { scanned: false, ready: false, coveredMs: undefined, spareMs: undefined })
        } else held.coveredMs = undefined
      } else if (
        held !== undefined &&
        (owners.includes(self) || this.#isReleased(held, owners, others, shard, nowMs))
      ) {
        this.#held.delete(shard)
        this.#ready.delete(shard)
        released.add(shard)
      }
    }
    return released
  }

  /** Shards whose vectors the directory has not been scanned for. */
  unscanned(): ShardSet {
    return new Set([...this.#held].filter(([, { scanned }]) => !scanned).map(([shard]) => shard))
  }

  /** @param shards - that were held when their scan began, and have been ever since */
  markScanned(shards: ShardSet): void {
    for (const [shard, held] of this.#held) if (shards.has(shard)) held.scanned = true
  }

  /** Requires a new scan for all shards; those that are ready stay ready. */
  requireRescan(): void {
    for (const held of this.#held.values()) held.scanned = false
  }

  /** @param incomplete - shards known to lack vectors. @returns whether any shard became ready */
  markReady(incomplete: ShardSet): boolean {
    const before = this.#ready.size
    for (const [shard, held] of this.#held) {
      if (!held.scanned || incomplete.has(shard)) continue
      held.ready = true
      this.#ready.add(shard)
    }
    return this.#ready.size > before
  }

  /** Drops all shards: the vectors are lost. */
  reset(): void {
    this.#held.clear()
    this.#ready.clear()
  }

  #isReleased(
    held: HeldShard,
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

  /** @returns the shards that this node owns, with its place among their owners */
  #owned(): { readonly shard: Shard; readonly rank: number }[] {
    const { self } = this.#components
    const ranks = Array.from(this.#owners, ([shard, owners]) => ({ shard, rank: owners.indexOf(self) }))
    return ranks.filter(({ rank }) => rank >= 0)
  }

  /**
   * Where not all fit: what it has and no other owner has had for a while stays, so that a member that comes and goes moves
   * nothing. Of the others it takes those first of which it is the first owner, so that two owners leave out different ones.
   */
  #taken(nowMs: number): ReadonlySet<Shard> {
    const owned = this.#owned()
    const own = new Set(owned.map(({ shard }) => shard))
    const leaving = [...this.#held.keys()].filter(shard => !own.has(shard)).length
    const isKept = (shard: Shard): boolean => {
      const held = this.#held.get(shard)
      return held?.ready === true && (held.spareMs === undefined || nowMs < held.spareMs + RELEASE_MS)
    }
    const ordered = owned.map(each => ({ ...each, kept: isKept(each.shard) }))
    ordered.sort((a, b) => Number(b.kept) - Number(a.kept) || a.rank - b.rank || a.shard - b.shard)
    return new Set(ordered.slice(0, Math.max(0, this.#limit - leaving)).map(({ shard }) => shard))
  }

  #noteSpare(others: ReadonlyMap<NodeId, ShardSet>, nowMs: number): void {
    for (const [shard, held] of this.#held) {
      const isSpare = this.#owners.get(shard)?.some(owner => others.get(owner)?.has(shard) === true) === true
      held.spareMs = isSpare ? (held.spareMs ?? nowMs) : undefined
    }
  }

  #assign(members: readonly NodeId[]): void {
    const key = members.toSorted().join(' ')
    if (key === this.#members) return
    this.#members = key
    this.#owners = new Map(Array.from(ALL_SHARDS, shard => [shard, shardOwners(shard, members)]))
  }
}
