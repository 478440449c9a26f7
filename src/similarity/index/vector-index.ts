import type { ModelId, Space } from '../../domain/features.js'
import type { PhotoId } from '../../domain/ids.js'

/** The most neighbours that one search may ask of one index. */
export const NEIGHBOURS_MAX = 8_192

/** Vectors of one model and space; no others can be compared with them. */
export interface IndexName {
  readonly model: ModelId
  readonly space: Space
  /** Numbers in each vector. */
  readonly dimension: number
}

export interface VectorEntry {
  readonly id: PhotoId
  /** Tells this vector from an earlier one of the same photo: 48 bits, see `vectorVersion`. */
  readonly version: number
  /** Unit length. Not used after the call, nor by the caller. */
  readonly vector: Float32Array
}

export interface Neighbour {
  readonly id: PhotoId
  /** Cosine similarity, -1…1. */
  readonly score: number
}

/**
 * Finds the photos whose vectors are closest to a vector. One vector a photo. Two implementations under one contract suite:
 * an approximate one in a thread (hnswlib), and an exact one for tests and the simulation.
 *
 * Calls take effect in their order, but searches may overtake. All throw `ERR_INDEX_UNAVAILABLE` once the index is closed
 * or has failed; it is then to be opened again.
 */
export interface VectorIndex {
  /** Photos that have a vector here. */
  readonly size: number
  /** @returns the version of the photo's vector; undefined when it has none here */
  version(id: PhotoId): number | undefined
  /** Photos that have a vector here, as they are while the iteration runs. */
  ids(): Iterable<PhotoId>
  /** Adds vectors, or replaces those that their photos have. */
  add(entries: readonly VectorEntry[]): Promise<void>
  /** Removes vectors; harmless for photos that have none. */
  remove(ids: readonly PhotoId[]): Promise<void>
  /**
   * @param query - unit length; not mutated
   * @param k - neighbours wanted, 1…NEIGHBOURS_MAX
   * @returns by falling score, fewer than k only when there are no more
   * @throws `ERR_OVERLOADED` when too many searches wait
   */
  search(query: Float32Array, k: number): Promise<Neighbour[]>
  /** Makes what was added and removed so far survive the process. What was not saved is missing when it is opened again. */
  save(): Promise<void>
  /** Waits for what is in flight; saves nothing. Closing again is harmless. */
  close(): Promise<void>
}

/** Where indexes are kept. */
export interface VectorIndexes {
  /** @returns what was saved last, or an empty index when nothing was, or when it is damaged */
  open(name: IndexName): Promise<VectorIndex>
  /** Removes what was saved of all models but these; none of theirs may be open. */
  keepOnly(models: ReadonlySet<ModelId>): Promise<void>
}

/**
 * @param sha256 - of the features that hold the vector, lower-case hex
 * @returns its first 48 bits
 */
export function vectorVersion(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 12), 16)
}
