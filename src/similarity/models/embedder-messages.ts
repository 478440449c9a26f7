/*
 * What a threaded embedder and its thread say to each other: the thread is given its model to start with, and says when it is
 * loaded, or why not, under number 0. Each request has a number from 1 on, and one answer with the same.
 */
import type { ErrorCode } from '../../core/errors.js'
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

/** An error loses its class on the way. */
export interface EmbedderError {
  readonly code: ErrorCode | undefined
  readonly message: string
}

export type NumberedAnswer =
  | { readonly number: number; readonly answer: EmbedderAnswer }
  | { readonly number: number; readonly error: EmbedderError }
