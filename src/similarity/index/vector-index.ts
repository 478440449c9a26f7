import type { ModelId, Space } from '../../domain/features.js'
import type { PhotoId } from '../../domain/ids.js'

/** The most neighbors that one search may request from one index. */
export const NEIGHBORS_MAX = 8_192

/** Model and space of an index. Vectors of different ones cannot be compared. */
export interface IndexName {
  readonly model: ModelId
  readonly space: Space
  /** Numbers in each vector. */
  readonly dimension: number
}

export interface VectorEntry {
  readonly id: PhotoId
  /** Distinguishes this vector from an earlier one of the same photo: 48 bits, see `vectorVersion`. */
  readonly version: number
  /** Unit length. The caller must not use it after the call. */
  readonly vector: Float32Array
}

export interface Neighbor {
  readonly id: PhotoId
  /** Cosine similarity, -1…1. */
  readonly score: number
}

/**
 * Finds the photos whose vectors are nearest to a query. One vector per photo. Two implementations share one contract suite:
 * an approximate one in a thread (hnswlib), and an exact one for tests and the simulation.
 *
 * Calls take effect in order, but searches may overtake. All throw `ERR_INDEX_UNAVAILABLE` once the index is closed or has
 * failed; open it again then.
 */
export interface VectorIndex {
  /** Photos that have a vector here. */
  readonly size: number
  /** @returns the version of the photo's vector; undefined: it has none here */
  version(id: PhotoId): number | undefined
  /** Photos that have a vector here, as they are while the iteration runs. */
  ids(): Iterable<PhotoId>
  /** Adds vectors, or replaces existing ones of their photos. */
  add(entries: readonly VectorEntry[]): Promise<void>
  /** Removes vectors; harmless for photos that have none. */
  remove(ids: readonly PhotoId[]): Promise<void>
  /**
   * @param query - unit length; not mutated
   * @param k - neighbors requested, 1…NEIGHBORS_MAX
   * @returns by falling score; fewer than k only when there are no more
   * @throws `ERR_OVERLOADED` when too many searches are waiting
   */
  search(query: Float32Array, k: number): Promise<Neighbor[]>
  /** Persists all changes so far. Changes not saved are missing when the index is opened again. */
  save(): Promise<void>
  /** Waits for calls in flight; does not save. Closing again is harmless. */
  close(): Promise<void>
}

/** Storage for indexes. */
export interface VectorIndexes {
  /** @returns the index as last saved; an empty one when none was saved, or it is damaged */
  open(name: IndexName): Promise<VectorIndex>
  /** Removes the saved indexes of all other models; none of those may be open. */
  keepOnly(models: ReadonlySet<ModelId>): Promise<void>
}

/**
 * @param sha256 - of the features needle with the vector, lower-case hex
 * @returns its first 48 bits
 */
export function vectorVersion(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 12), 16)
}
