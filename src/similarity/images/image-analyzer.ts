import type { ErrorCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Features, ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'
import type { DecodingTool } from './decoding-tools.js'
import type { ByteSource } from './heads/head-bytes.js'
import type { Head } from './heads/head-facts.js'
import type { HeadHints } from './heads/read-head.js'

/**
 * Version of what decodes pictures. Increment it when more can be decoded, or otherwise: then photos that could not be are tried
 * again.
 */
export const PICTURE_READER = 3
/** What decodes them. */
export const DECODER = 'sharp'

/** The largest original that is analyzed. */
export const IMAGE_BYTES_MAX = 256 * 2 ** 20

/** Sizes made of a photo, by falling size. */
export const VARIANTS = ['large', 'small', 'thumb'] as const

export type VariantName = (typeof VARIANTS)[number]

export interface AnalysisRequest {
  /**
   * The original's `size` bytes, or a function that reads them; it is called again when the image process dies and the photo
   * is retried. While they arrive they occupy one of a few slots, so buffer first what a client sends slowly.
   */
  readonly bytes: Uint8Array | (() => AsyncIterable<Uint8Array>)
  readonly size: number
  /** `facts`: both hashes and smaller sizes. `features`: the model to compute them; undefined: none. */
  readonly outputs: { readonly facts: boolean; readonly features: ModelId | undefined }
  /** The bytes are a preview out of a larger file, which is turned like this (as in EXIF) where the preview does not say. */
  readonly preview?: { readonly orientation: number | undefined }
  /** `interactive`: a client waits for it; it starts before everything queued as `backlog`. */
  readonly priority: 'interactive' | 'backlog'
}

export interface EncodedVariant {
  readonly alt: VariantName
  /** How it was made: library version, quality, longest side. Equal recipes on equal input give equal bytes on one build. */
  readonly recipe: string
  readonly contentType: 'image/jpeg' | 'image/webp'
  readonly bytes: Uint8Array
  readonly width: number
  readonly height: number
}

export interface Analysis {
  /** As displayed: after applying the file's orientation. */
  readonly width: number
  readonly height: number
  /**
   * How much of the picture there is; of a `partial` one there is neither hash nor features. A `poster` is of a movie, and has no
   * hash.
   */
  readonly state: 'whole' | 'partial' | 'preview' | 'poster'
  /** Why it is not `whole`. */
  readonly error?: ErrorCode
  /**
   * Perceptual hash, 8 bytes: few bits differ between copies of one picture (`perceptual-hash.ts`). Absent when not requested, or
   * when the picture is flat.
   */
  readonly phash?: Uint8Array
  /** The picture in 5 to 25 bytes (`thumb-hash.ts`). Absent when no `facts` were requested. */
  readonly thumbhash?: Uint8Array
  /** In the order of {@link VARIANTS}, without those that the original can replace; empty when not requested. */
  readonly variants: readonly EncodedVariant[]
  /** By the requested model; absent when none was requested, it is not loaded, or it failed. */
  readonly features?: Features
  /** The model failed on this picture, or is not asked, and will not be for the same bytes again. */
  readonly featuresError?: ErrorCode
}

export interface HeadRequest {
  readonly source: ByteSource
  readonly hints: HeadHints
}

/**
 * Analyzes photos: dimensions, perceptual hash, smaller sizes and embedding, in one decode. Also reads heads of files, which is
 * cheap and says something of what cannot be decoded, and embeds search texts. A bad photo fails by itself and affects nothing
 * else.
 */
export interface ImageAnalyzer extends Startable {
  /** The model in use; undefined when there is none. */
  readonly model: ModelId | undefined

  /** What it decodes pictures with beside what every node has. */
  readonly tools: ReadonlySet<DecodingTool>

  /** Whether the model can be used: it is the current one, or the previous one, still loaded. */
  has(model: ModelId): boolean

  /**
   * Switches to the model. The previous one stays loaded for queries until {@link keepOnly}; an earlier one is released.
   *
   * @throws `ERR_MODEL_INVALID` when it cannot be loaded; `ERR_ANALYST_UNAVAILABLE`; the previous model then stays in use
   */
  useModel(model: LoadedModel): Promise<void>

  /**
   * Releases the previous model unless it is one of these.
   *
   * @throws `ERR_ANALYST_UNAVAILABLE`, `ERR_STOPPING`: it can no longer be used, but the process may still hold it
   */
  keepOnly(models: ReadonlySet<ModelId>): Promise<void>

  /**
   * @throws `ERR_IMAGE_UNREADABLE` when the bytes cannot be decoded, or only a part of them, and no `facts` are requested; `ERR_IMAGE_TOO_LARGE` for too many bytes, pixels or
   * frames, or too much time or memory; `ERR_IMAGE_CRASHED` when they crashed the decoder twice; these three are final for
   * the same bytes. `ERR_OVERLOADED` when too many wait; `ERR_TRUNCATED_BODY` when there are not `size` bytes;
   * `ERR_BYTES_UNREACHABLE` when they arrive too slowly; `ERR_ANALYST_UNAVAILABLE`; `ERR_STOPPING`; the signal's reason;
   * errors from reading the bytes
   */
  analyze(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis>

  /**
   * Reads the head of a file, beside whatever is being decoded. The caller bounds how many are read at a time.
   *
   * @returns undefined when the reader does not know the format
   * @throws `ERR_BYTES_UNREACHABLE` when the bytes arrive too slowly; `ERR_ANALYST_UNAVAILABLE`; `ERR_STOPPING`; the signal's
   * reason; what the source throws
   */
  readHead(request: HeadRequest, signal: AbortSignal): Promise<Head | undefined>

  /**
   * @throws `ERR_MODEL_UNAVAILABLE` when the model is not loaded; `ERR_TEXT_SEARCH_UNAVAILABLE` when it has no text side;
   * `ERR_BAD_PARAMETER` for an empty or overlong text; `ERR_OVERLOADED`; `ERR_ANALYST_UNAVAILABLE`; `ERR_STOPPING`; the
   * signal's reason
   */
  embedText(text: string, model: ModelId, signal: AbortSignal): Promise<TextEmbedding>
}
