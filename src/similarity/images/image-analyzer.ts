import type { ErrorCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Features, ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'

/** The largest original that is looked at. */
export const IMAGE_BYTES_MAX = 256 * 2 ** 20

/** The longest text that is embedded, in UTF-16 units; what a model's tokenizer does not take is cut. */
export const TEXT_LENGTH_MAX = 1_000

/** Sizes made of a photo, by falling size. */
export const VARIANTS = ['large', 'small', 'thumb'] as const

export type VariantName = (typeof VARIANTS)[number]

export interface AnalysisRequest {
  /**
   * The original's bytes, `size` of them, or how to read them. It is called a second time when the process that decodes dies
   * and the photo is tried once more. They hold one of few places while they come, so what a client sends slowly is to be
   * collected first.
   */
  readonly bytes: Uint8Array | (() => AsyncIterable<Uint8Array>)
  readonly size: number
  /** `facts`: hash and smaller sizes, which every photo has once. `features`: the model that is to make them. */
  readonly wanted: { readonly facts: boolean; readonly features: ModelId | undefined }
  /** What somebody waits for is `asked`, and goes before all of the `backlog` that has not begun. */
  readonly priority: 'asked' | 'backlog'
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
  /** As displayed: after the orientation that the file names. */
  readonly width: number
  readonly height: number
  /** When the camera says that it was taken, in ms since the Unix epoch; without a zone in the file, as if in UTC. */
  readonly takenAt?: number
  /** Perceptual hash, 8 bytes: few bits differ between copies of one picture (`perceptual-hash.ts`). Absent when not wanted. */
  readonly phash?: Uint8Array
  /** In the order of {@link VARIANTS}, without those that the original can stand for; none when none were wanted. */
  readonly variants: readonly EncodedVariant[]
  /** By the model that was asked for; absent when none was, when it is not loaded, or when it failed. */
  readonly features?: Features
  /** The model could make nothing of this picture, nor will it of the same bytes again. */
  readonly featuresError?: ErrorCode
}

/**
 * Looks at photos: size, date, perceptual hash, smaller sizes and embedding, in one decode; and embeds the words of a search.
 * What is wrong with a photo is that photo's error and harms nothing else.
 */
export interface ImageAnalyzer extends Startable {
  /** The model in use; undefined when there is none. */
  readonly model: ModelId | undefined

  /** Whether the model can be asked for: it is in use, or was before and is kept. */
  has(model: ModelId): boolean

  /**
   * Takes the model into use. The one before stays loaded beside it, for questions, until {@link keepOnly}; an
   * earlier one is let go.
   *
   * @throws `ERR_MODEL_INVALID` when it cannot be loaded; `ERR_ANALYST_UNAVAILABLE`; then the one before stays in use
   */
  useModel(model: LoadedModel): Promise<void>

  /**
   * Lets go of the model that was in use before, unless it is one of these.
   *
   * @throws `ERR_ANALYST_UNAVAILABLE`, `ERR_STOPPING`: it can no longer be asked for, but the process may still hold it
   */
  keepOnly(models: ReadonlySet<ModelId>): Promise<void>

  /**
   * @throws `ERR_IMAGE_UNREADABLE` when the bytes are no picture that can be decoded; `ERR_IMAGE_TOO_LARGE` for too many
   * bytes, pixels, frames or too much time; `ERR_IMAGE_CRASHED` when the decoder died of it twice; these three are final for
   * these bytes. `ERR_OVERLOADED` when too many wait; `ERR_TRUNCATED_BODY` when the bytes are not `size` many;
   * `ERR_BYTES_UNREACHABLE` when they come too slowly; `ERR_ANALYST_UNAVAILABLE`; `ERR_STOPPING`; the signal's reason; what
   * reading the bytes threw
   */
  analyze(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis>

  /**
   * @throws `ERR_MODEL_UNAVAILABLE` when the model is not loaded; `ERR_TEXT_SEARCH_UNAVAILABLE` when it has no text side;
   * `ERR_BAD_PARAMETER` for an empty or overlong text; `ERR_OVERLOADED`; `ERR_ANALYST_UNAVAILABLE`; `ERR_STOPPING`; the
   * signal's reason
   */
  embedText(text: string, model: ModelId, signal: AbortSignal): Promise<TextEmbedding>
}
