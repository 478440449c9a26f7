import type { AudienceSet } from '../../domain/audience.js'
import type { ModelId, Space } from '../../domain/features.js'
import type { PhotoId } from '../../domain/ids.js'

/** The most neighbors that one search may request from one index. */
export const NEIGHBORS_MAX = 8_192

/** The spaces of an index, and how many numbers a vector of each has. Vectors of different spaces cannot be compared. */
export type VectorSpaces = ReadonlyMap<Space, number>

/** What an index is of. Vectors of different models cannot be compared. */
export interface IndexName {
  readonly model: ModelId
  readonly spaces: VectorSpaces
}

export interface VectorEntry {
  readonly id: PhotoId
  /** Distinguishes these vectors from earlier ones of the same photo: 48 bits, see `vectorVersion`. */
  readonly version: number
  /** Who sees the photo, as `audienceText` has it. */
  readonly audience: string
  /** One for each space of the index, of unit length. The caller must not use them after the call. */
  readonly vectors: ReadonlyMap<Space, Float32Array>
}

/** A photo that other people see than before. */
export type MovedPhoto = Pick<VectorEntry, 'id' | 'audience'>

export interface Neighbor {
  readonly id: PhotoId
  /** Cosine similarity, -1…1. */
  readonly score: number
}

/** Neighbors as labels, best first. */
export interface LabeledNeighbors {
  readonly labels: Uint32Array
  readonly scores: Float32Array
  /** Whether whole vectors were compared. If not, no score is less than the true one. */
  readonly isExact: boolean
}

export interface IndexAnswer {
  /** By falling score; fewer than were asked for only when there are no more. */
  readonly neighbors: readonly Neighbor[]
  /** Whether whole vectors were compared. If not, no score is less than the true one. */
  readonly isExact: boolean
}

/**
 * Finds the photos whose vectors are nearest to a query. Each photo has one vector in each space. Two implementations share
 * one contract suite: an approximate one in a process (hnswlib), and an exact one for tests and the simulation.
 *
 * Calls take effect in order, but searches may overtake. All throw `ERR_INDEX_UNAVAILABLE` once the index is closed or has
 * failed; open it again then.
 */
export interface VectorIndex {
  /** False once it is closed or has failed. */
  readonly isOpen: boolean
  /** Photos that have vectors here. */
  readonly size: number
  /** Photos for which there is memory. */
  readonly capacity: number
  /** @returns the version of the photo's vectors; undefined: it has none here */
  version(id: PhotoId): number | undefined
  /** @returns the photo's audience; undefined: it has no vectors here, or nobody has said who sees it since the index was opened */
  audience(id: PhotoId): string | undefined
  /** Photos that have vectors here, as they are while the iteration runs. */
  ids(): Iterable<PhotoId>
  /**
   * Adds vectors, or replaces existing ones of their photos.
   *
   * @throws `ERR_INDEX_FULL` when there is no memory for so many; nothing has changed
   */
  add(entries: readonly VectorEntry[]): Promise<void>
  /**
   * Says who sees some photos: that counts for searches that begin after the call, whether it is waited for or not. Harmless for
   * photos that have no vectors. It is not saved.
   */
  move(photos: readonly MovedPhoto[]): Promise<void>
  /** Removes vectors; harmless for photos that have none. Their memory is used again some time later. */
  remove(ids: readonly PhotoId[]): Promise<void>
  /**
   * @param query - unit length; not mutated
   * @param k - neighbors requested, 1…NEIGHBORS_MAX
   * @param seen - looks among the photos of these audiences only; default: among all
   * @throws `ERR_OVERLOADED` when too many searches are waiting
   */
  search(space: Space, query: Float32Array, k: number, seen?: AudienceSet): Promise<IndexAnswer>
  /** Persists all changes so far. Changes not saved are missing when the index is opened again. */
  save(): Promise<void>
  /** Removes all vectors, and what was saved, and frees their memory. */
  clear(): Promise<void>
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
 * @param sha256 - of the features needle with the vectors, lower-case hex
 * @returns its first 48 bits
 */
export function vectorVersion(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 12), 16)
}
