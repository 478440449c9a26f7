import type { ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'
import type { Head } from './heads/head-facts.js'
import type { Analysis, AnalysisRequest, HeadRequest } from './image-analyzer.js'

/**
 * Why an image process ended: it `crashed`; it took too long (`slow`) or too much memory (`outgrown`); it was `stopped`, on
 * request or because the call it was working on was cancelled.
 */
export type ImageProcessEndReason = 'crashed' | 'slow' | 'outgrown' | 'stopped'

/** Rejects the calls in flight when an image process ended. */
export class ImageProcessEnded extends Error {
  override readonly name = 'ImageProcessEnded'
  readonly reason: ImageProcessEndReason
  /** Exit code or signal, and the end of its stderr. */
  readonly detail: string
  /** Whether this call must be the cause: no other was in flight. */
  readonly blamed: boolean

  constructor(reason: ImageProcessEndReason, detail: string, blamed: boolean) {
    super(`the image process ended (${reason}): ${detail}`)
    this.reason = reason
    this.detail = detail
    this.blamed = blamed
  }
}

/**
 * A process that analyzes photos. All calls reject with {@link ImageProcessEnded} when it ends or has ended.
 */
export interface ImageProcess {
  readonly ended: boolean

  /**
   * Loads the models that it does not hold yet, and releases all others when no call uses them. One call at a time.
   *
   * @throws `ERR_MODEL_INVALID` when one cannot be loaded; those after it are not loaded either
   */
  holdModels(models: readonly LoadedModel[]): Promise<void>

  /**
   * Receives the bytes and analyzes the photo. Several calls may be in flight; photos are decoded one at a time, in the
   * order in which their bytes are complete. After an abort it settles when its slot is free.
   *
   * @throws as `ImageAnalyzer.analyze`
   */
  analyze(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis>

  /** Reads the head of a file. @throws as `ImageAnalyzer.readHead` */
  readHead(request: HeadRequest, signal: AbortSignal): Promise<Head | undefined>

  /** @throws `ERR_MODEL_UNAVAILABLE` for a model that it does not hold, `ERR_TEXT_SEARCH_UNAVAILABLE`, `ERR_MODEL_INVALID` */
  embedText(text: string, model: ModelId): Promise<TextEmbedding>

  /** Kills it, whatever it is doing, and waits for its exit. */
  stop(): Promise<void>
}
