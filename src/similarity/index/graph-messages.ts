/*
 * Messages between the indexes of a node and the process of their graphs. Each request has a number and gets one answer with
 * the same number. The process serves searches as they arrive, everything else of an index in order; but who sees the photos of
 * a change counts as soon as it has arrived.
 *
 * An audience is a number here, see audience-numbers.ts. 0: nobody but who sees all.
 */
import type { IndexName, LabeledNeighbors } from './vector-index.js'

/** Names an open index to the process. */
export type IndexHandle = number

export type GraphRequest =
  /** Opens an index, as saved. */
  | {
      readonly kind: 'open'
      readonly index: IndexHandle
      readonly name: IndexName
      /** Where its files are; must exist. */
      readonly folder: string
      /** A saved index with more is left alone: there is no memory for it. */
      readonly rowsMax: number
    }
  /** Adds vectors under new labels, then removes labels, so that a replaced photo is always found. */
  | {
      readonly kind: 'change'
      readonly index: IndexHandle
      readonly labels: Uint32Array
      /** Of each label in turn. */
      readonly audiences: Uint32Array
      /** For each space of the index in turn, the vectors, concatenated, in the order of `labels`. */
      readonly vectors: readonly Float32Array[]
      readonly removed: Uint32Array
    }
  /** Labels whose photos have another audience now. Searches that come after it know. */
  | {
      readonly kind: 'move'
      readonly index: IndexHandle
      readonly labels: Uint32Array
      readonly audiences: Uint32Array
    }
  | {
      readonly kind: 'search'
      readonly index: IndexHandle
      readonly space: 'image' | 'text'
      readonly query: Float32Array
      readonly k: number
      /** A bit for each audience, by its number; undefined: all are looked at. */
      readonly seen: Uint8Array | undefined
    }
  /** Some of the rows that were saved, after it was opened; they are kept until the last of them was read. */
  | { readonly kind: 'read-rows'; readonly index: IndexHandle; readonly from: number; readonly to: number }
  /** Saves the graphs as they are now, with so many bytes of rows, which follow; the process sets their states. */
  | { readonly kind: 'save'; readonly index: IndexHandle; readonly rowBytes: number }
  | { readonly kind: 'rows'; readonly index: IndexHandle; readonly bytes: Uint8Array }
  /** Builds second graphs without the dead vectors, which then replace the first. */
  | { readonly kind: 'rebuild'; readonly index: IndexHandle }
  /** Drops all vectors, here and in the files. */
  | { readonly kind: 'clear'; readonly index: IndexHandle }
  | { readonly kind: 'close'; readonly index: IndexHandle }

export interface GraphAnswers {
  /** No rows: nothing was saved, or it is damaged and `damage` says how. */
  readonly open: { readonly rowBytes: number; readonly damage: string | undefined }
  readonly 'read-rows': { readonly bytes: Uint8Array }
  /** Labels that are no longer in the graphs. */
  readonly change: { readonly freed: Uint32Array }
  readonly move: undefined
  readonly search: LabeledNeighbors
  readonly save: undefined
  readonly rows: undefined
  /** Labels that are no longer in the graphs. */
  readonly rebuild: { readonly freed: Uint32Array }
  readonly clear: undefined
  readonly close: undefined
}

export type GraphRequestKind = GraphRequest['kind']
export type GraphRequestOf<Kind extends GraphRequestKind> = Extract<GraphRequest, { kind: Kind }>

export interface NumberedGraphRequest {
  readonly number: number
  readonly request: GraphRequest
}

export type NumberedGraphAnswer =
  | { readonly number: number; readonly answer: GraphAnswers[GraphRequestKind] }
  | { readonly number: number; readonly error: string }
