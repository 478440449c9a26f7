/*
 * Messages between a threaded embedder and its thread. The thread starts with its model as `workerData`; it answers number 0
 * when the model is loaded, or why it is not. Requests are numbered from 1; each gets one answer with its number.
 */
import type { SentError } from '../../core/sent-error.js'
import type { Features } from '../../domain/features.js'
import type { TextEmbedding } from './embedder.js'

export type EmbedderRequest =
  | { readonly kind: 'image'; readonly pixels: Uint8Array }
  | { readonly kind: 'text'; readonly text: string }

export type EmbedderAnswer = Features | TextEmbedding | undefined

export interface NumberedEmbedderRequest {
  readonly number: number
  readonly request: EmbedderRequest
}

export type NumberedEmbedderAnswer =
  | { readonly number: number; readonly answer: EmbedderAnswer }
  | { readonly number: number; readonly error: SentError }
