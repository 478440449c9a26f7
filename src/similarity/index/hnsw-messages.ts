/*
 * What an index and its thread say to each other. Each request has a number, and one answer with the same. Buffers are
 * handed over, not copied. The thread serves searches as they come, everything else in order.
 */
import type { IndexName } from './vector-index.js'

/** What the thread is given to start with. */
export interface HnswThreadData {
  readonly name: IndexName
  /** Where it keeps its files; must be there. */
  readonly folder: string
}

export type HnswRequest =
  | { readonly kind: 'load' }
  /** Adds vectors under fresh labels, then removes labels, so that what is replaced is never missing. */
  | {
      readonly kind: 'change'
      readonly labels: Uint32Array
      /** One after the other. */
      readonly vectors: Float32Array
      readonly removed: Uint32Array
    }
  | { readonly kind: 'search'; readonly query: Float32Array; readonly k: number }
  /** Saves the graph with these rows; the thread fills their states in. */
  | { readonly kind: 'save'; readonly rows: Uint8Array }
  /** Builds a graph without the dead vectors beside this one, and takes its place. */
  | { readonly kind: 'rebuild' }
  | { readonly kind: 'close' }

export interface HnswAnswers {
  /** No rows: nothing was saved, or it is damaged; `damage` says how. */
  readonly load: { readonly rows: Uint8Array | undefined; readonly damage: string | undefined }
  readonly change: undefined
  readonly search: { readonly labels: Uint32Array; readonly scores: Float32Array }
  readonly save: undefined
  /** Labels that are no longer in the graph. */
  readonly rebuild: { readonly freed: Uint32Array }
  readonly close: undefined
}

export interface NumberedRequest {
  readonly number: number
  readonly request: HnswRequest
}

export type NumberedAnswer =
  | { readonly number: number; readonly answer: HnswAnswers[HnswRequest['kind']] }
  | { readonly number: number; readonly error: string }
