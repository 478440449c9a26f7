/*
 * Messages between an index and its thread. Each request has a number and gets one answer with the same number. Buffers are
 * transferred, not copied. The thread serves searches as they arrive, everything else in order.
 */
import type { IndexName } from './vector-index.js'

/** The thread's `workerData`. */
export interface HnswThreadData {
  readonly name: IndexName
  /** Where it keeps its files; must exist. */
  readonly folder: string
}

export type HnswRequest =
  | { readonly kind: 'load' }
  /** Adds vectors under new labels, then removes labels, so that a replaced photo is always found. */
  | {
      readonly kind: 'change'
      readonly labels: Uint32Array
      /** Concatenated, in the order of `labels`. */
      readonly vectors: Float32Array
      readonly removed: Uint32Array
    }
  | { readonly kind: 'search'; readonly query: Float32Array; readonly k: number }
  /** Saves the graph with these rows; the thread sets their states. */
  | { readonly kind: 'save'; readonly rows: Uint8Array }
  /** Builds a second graph without the dead vectors, which then replaces the first. */
  | { readonly kind: 'rebuild' }
  | { readonly kind: 'close' }

export interface HnswAnswers {
  /** No rows: nothing was saved, or it is damaged and `damage` says how. */
  readonly load: { readonly rows: Uint8Array | undefined; readonly damage: string | undefined }
  readonly change: undefined
  readonly search: { readonly labels: Uint32Array; readonly scores: Float32Array }
  readonly save: undefined
  /** Labels that are no longer in the graph. */
  readonly rebuild: { readonly freed: Uint32Array }
  readonly close: undefined
}

export interface NumberedHnswRequest {
  readonly number: number
  readonly request: HnswRequest
}

export type NumberedHnswAnswer =
  | { readonly number: number; readonly answer: HnswAnswers[HnswRequest['kind']] }
  | { readonly number: number; readonly error: string }
