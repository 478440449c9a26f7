import type { Clock } from '../core/clock.js'
import type { PhotoId } from '../domain/ids.js'
import { type Shard, type ShardSet, shardOf } from '../domain/shards.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import type { PhotoBlob } from '../store/photo-needles.js'

/** Photos checked in one pass: a few milliseconds. */
const CHECKS_MAX = 2_000
/** Between two passes, ms; up to `CHECK_NOW_MAX` photos are checked at once. */
const CHECK_MS = 500
const CHECK_NOW_MAX = 100
/** Features missing for this long, ms, while replication is up to date, are given up. */
const LOST_MS = 10_000

export interface MissingFeaturesComponents {
  readonly reader: Pick<PhotoReader, 'isLocal'>
  readonly clock: Clock
}

interface Missing {
  readonly blob: PhotoBlob
  readonly sinceMs: number
  /** The features are here but cannot be used, so finding them here again changes nothing. */
  readonly unusable: boolean
}

/** Photos whose features this node lacks, although it has their records: the needles arrive later, or never. */
export class MissingFeatures {
  readonly #components: MissingFeaturesComponents
  readonly #max: number
  /** In order of their last check, oldest first. */
  readonly #missing = new Map<PhotoId, Missing>()
  /** How many of them, from the first, have not been checked since needles last arrived. */
  #uncheckedCount = 0
  #nextCheckMs = 0

  /** @param init.max - photos remembered, at most */
  constructor(components: MissingFeaturesComponents, init: { readonly max: number }) {
    this.#components = components
    this.#max = init.max
  }

  get size(): number {
    return this.#missing.size
  }

  has(id: PhotoId): boolean {
    return this.#missing.has(id)
  }

  /**
   * @param unusable - the features are here, but damaged or malformed
   * @returns false when there are too many to remember this one
   */
  note(id: PhotoId, blob: PhotoBlob, unusable: boolean): boolean {
    const known = this.#missing.get(id)
    if (known === undefined && this.#missing.size >= this.#max) return false
    this.#missing.set(id, { blob, unusable, sinceMs: known?.sinceMs ?? this.#components.clock.monotonic() })
    return true
  }

  forget(id: PhotoId): void {
    this.#missing.delete(id)
  }

  forgetWhere(matches: (id: PhotoId) => boolean): void {
    for (const id of this.#missing.keys()) if (matches(id)) this.#missing.delete(id)
  }

  /** Call when any needles have arrived. @returns whether to check at once */
  noteNeedles(): boolean {
    this.#uncheckedCount = this.#missing.size
    return this.#uncheckedCount > 0 && this.#uncheckedCount <= CHECK_NOW_MAX
  }

  /** Checks some of the photos. @returns those whose features are here now */
  findArrived(): PhotoId[] {
    const { clock, reader } = this.#components
    const now = clock.monotonic()
    if (this.#uncheckedCount === 0 || (this.#uncheckedCount > CHECK_NOW_MAX && now < this.#nextCheckMs)) return []
    this.#nextCheckMs = now + CHECK_MS
    const checked = [...this.#missing].slice(0, Math.min(CHECKS_MAX, this.#uncheckedCount))
    this.#uncheckedCount -= checked.length
    const arrived: PhotoId[] = []
    for (const [id, missing] of checked) {
      this.#missing.delete(id)
      this.#missing.set(id, missing)
      if (!missing.unusable && reader.isLocal(missing.blob)) arrived.push(id)
    }
    return arrived
  }

  /**
   * @param exceptLost - leave out photos whose features have been missing for a while
   * @returns shards that lack features
   */
  shards(exceptLost: boolean): ShardSet {
    const now = this.#components.clock.monotonic()
    const shards = new Set<Shard>()
    for (const [id, { sinceMs }] of this.#missing) if (!exceptLost || now < sinceMs + LOST_MS) shards.add(shardOf(id))
    return shards
  }
}
