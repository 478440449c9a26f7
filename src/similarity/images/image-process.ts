import type { ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'
import type { Analysis, AnalysisRequest } from './image-analyzer.js'

/**
 * Why a child ended: it `crashed`; it took too long (`slow`) or too much memory (`outgrown`); it was `stopped`, by whoever
 * started it or since nobody waits any more for what it is doing.
 */
export type ImageProcessEndReason = 'crashed' | 'slow' | 'outgrown' | 'stopped'

/** Rejects what was under way when a child ended. */
export class ImageProcessEnded extends Error {
  override readonly name = 'ChildEnded'
  readonly reason: ImageProcessEndReason
  /** Exit code or signal, and the last of what it wrote. */
  readonly detail: string
  /** Whether it must have ended because of this call: nothing else was under way. */
  readonly blamed: boolean

  constructor(reason: ImageProcessEndReason, detail: string, blamed: boolean) {
    super(`the image process ended (${reason}): ${detail}`)
    this.reason = reason
    this.detail = detail
    this.blamed = blamed
  }
}

/**
 * A process that looks at photos for as long as it lives, which may be short. All calls reject with {@link ImageProcessEnded} when it
 * ends or has ended.
 */
export interface ImageProcess {
  readonly ended: boolean

  /**
   * Loads those of these models that it does not hold, and lets go of all others when nothing uses them any more. To be
   * called again when it has settled.
   *
   * @throws `ERR_MODEL_INVALID` when one cannot be loaded: neither are those after it
   */
  holdModels(models: readonly LoadedModel[]): Promise<void>

  /**
   * Takes in the bytes and looks at the photo. Several may be under way; one is decoded at a time, in the order in which
   * their bytes are complete. After an abort it settles when the place is free.
   *
   * @throws as `ImageAnalyzer.analyze`
   */
  analyze(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis>

  /** @throws `ERR_MODEL_UNAVAILABLE` for one that it does not hold, `ERR_TEXT_SEARCH_UNAVAILABLE`, `ERR_MODEL_INVALID` */
  embedText(text: string, model: ModelId): Promise<TextEmbedding>

  /** Ends it, whatever it is doing, and waits until it has gone. */
  stop(): Promise<void>
}
