import type { ModelId } from '../domain/features.js'
import type { LinkTier } from '../domain/findings.js'
import type { PhotoId } from '../domain/ids.js'
import type { DecodingTool } from '../similarity/images/decoding-tools.js'

/** How much of the index answered. */
export interface Coverage {
  readonly shardsOk: number
  readonly shardsTotal: number
  /** 0…1. */
  readonly fraction: number
}

export interface ScoredPhoto {
  readonly photoId: PhotoId
  /** Cosine similarity. */
  readonly score: number
}

export interface SearchOptions {
  /** Maximum number of results, 1…1000. */
  readonly k?: number | undefined
  /** Only photos with this tag. */
  readonly tag?: string | undefined
  /** Only results with at least this score. */
  readonly minScore?: number | undefined
}

export interface SearchResults {
  /** Best first. */
  readonly results: readonly ScoredPhoto[]
  readonly coverage: Coverage
  /** The model whose vectors were compared. */
  readonly model: { readonly id: ModelId; readonly name: string }
}

/** `exact`: the same bytes. */
export type DuplicateTier = 'exact' | LinkTier

export interface DuplicateGroup {
  readonly tier: DuplicateTier
  /** At least two. */
  readonly photoIds: readonly PhotoId[]
  /** The lowest score of its links. */
  readonly score: number
}

/** How much there is of a tier. */
export interface DuplicateCount {
  readonly groups: number
  /** In all of them together. */
  readonly photos: number
}

export interface DuplicatePage {
  readonly groups: readonly DuplicateGroup[]
  /** On all pages, by tier, those included that were not asked for; up to 10 s old. */
  readonly counts: Readonly<Record<DuplicateTier, DuplicateCount>>
  readonly coverage: Coverage
  /** null on the last page. */
  readonly nextCursor: string | null
}

/** A photo that looks like a given one. */
export interface LinkedPhoto extends ScoredPhoto {
  readonly tier: LinkTier
}

export interface SimilarityStatus {
  /** Undefined: none yet. */
  readonly model: { readonly id: ModelId; readonly name: string } | undefined
  /** Photos whose vectors are on this node. */
  readonly vectors: number
  /** Photos in the whole cluster that the model has not analyzed, plus those whose vectors are still missing here. */
  readonly pending: number
  /** Shards that this node should search and leaves out, since their vectors do not fit into its memory. */
  readonly shardsLeftOut: number
  /** What this node decodes pictures with beside what every node has. */
  readonly tools: readonly DecodingTool[]
}
