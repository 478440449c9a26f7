import type { Clock } from '../core/clock.js'
import type { PhotoId } from '../domain/ids.js'
import { type Shard, type ShardSet, shardOf } from '../domain/shards.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import type { PhotoBlob } from '../store/photo-needles.js'

/** Looked for in one go: some milliseconds. */
const LOOKS_MAX = 2_000
/** Between two such looks, ms; few are looked for at once. */
const LOOK_MS = 500
const FEW = 100
/** Features that no volume has brought for so long, while none is behind, are not waited for any more, ms. */
const LOST_MS = 10_000

export interface MissingFeaturesComponents {
  readonly reader: Pick<PhotoReader, 'isLocal'>
  readonly clock: Clock
}

interface Missing {
  readonly blob: PhotoBlob
  readonly sinceMs: number
  /** They were here and are no use; that they are here is no news. */
  readonly unusable: boolean
}

/** Photos whose features this node knows of and does not have: their needles come later than their records, or never. */
export class MissingFeatures {
  readonly #components: MissingFeaturesComponents
  readonly #max: number
  /** Those looked for last stand last. */
  readonly #missing = new Map<PhotoId, Missing>()
  /** Of them, so many from the first may have come in. */
  #unlooked = 0
  #nextLookMs = 0

  /** @param init.max - photos that are remembered */
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
   * @param unusable - the features are here, but damaged or none
   * @returns whether it is remembered; when there are too many it is not
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

  forgetWhere(isGone: (id: PhotoId) => boolean): void {
    for (const id of this.#missing.keys()) if (isGone(id)) this.#missing.delete(id)
  }

  /** Needles have come in, whichever. @returns whether it is worth a look at once */
  needlesCame(): boolean {
    this.#unlooked = this.#missing.size
    return this.#unlooked > 0 && this.#unlooked <= FEW
  }

  /** @returns photos whose features are here now, of some that may be */
  arrived(): PhotoId[] {
    const { clock, reader } = this.#components
    const now = clock.monotonic()
    if (this.#unlooked === 0 || (this.#unlooked > FEW && now < this.#nextLookMs)) return []
    this.#nextLookMs = now + LOOK_MS
    const looked = [...this.#missing].slice(0, Math.min(LOOKS_MAX, this.#unlooked))
    this.#unlooked -= looked.length
    const arrived: PhotoId[] = []
    for (const [id, missing] of looked) {
      this.#missing.delete(id)
      this.#missing.set(id, missing)
      if (!missing.unusable && reader.isLocal(missing.blob)) arrived.push(id)
    }
    return arrived
  }

  /** @param excused - what has been missing for a while is not counted */
  shards(excused: boolean): ShardSet {
    const now = this.#components.clock.monotonic()
    const shards = new Set<Shard>()
    for (const [id, { sinceMs }] of this.#missing) if (!excused || now < sinceMs + LOST_MS) shards.add(shardOf(id))
    return shards
  }
}
