/*
 * What a threaded embedder and its thread say to each other: the thread is given its model to start with, and says when it is
 * loaded, or why not, under number 0. Each request has a number from 1 on, and one answer with the same.
 */
import type { SentError } from '../../core/sent-error.js'
import type { Features } from '../../domain/features.js'
import type { TextEmbedding } from './embedder.js'

export type EmbedderRequest =
  | { readonly kind: 'image'; readonly pixels: Uint8Array }
  | { readonly kind: 'text'; readonly text: string }

export type EmbedderAnswer = Features | TextEmbedding | undefined

export interface NumberedRequest {
  readonly number: number
  readonly request: EmbedderRequest
}

export type NumberedAnswer =
  | { readonly number: number; readonly answer: EmbedderAnswer }
  | { readonly number: number; readonly error: SentError }
