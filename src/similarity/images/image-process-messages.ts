/*
 * What a node and its image process say to each other over the channel that `fork` makes, in the structured clone format.
 * Every message that names a `call` belongs to the call of that number. Calls begin with `models`, `text` or `photo`; each is
 * answered by exactly one `done` or `failed`, a cancelled one too.
 *
 *   node → process   models   hold these models and no others; the next one comes when this one is answered
 *                    text     embed this text with one of them
 *                    photo    a photo of `size` bytes, which follow as pieces of at most PIECE_BYTES_MAX
 *                    piece    the next bytes of the photo
 *                    look     all of its bytes are there: look at it when those before it have been decoded
 *                    cancel   nobody waits for the photo any more
 *   process → node   ready    once, first
 *                    done     result
 *                    failed   an error of Sheaf
 *                    excess   the process takes too much memory or time and is to be ended
 */
import type { ErrorCode } from '../../core/errors.js'
import type { ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'
import type { Analysis, AnalysisRequest } from './image-analyzer.js'

/** A piece takes the node's one thread for some 0.1 ms. */
export const PIECE_BYTES_MAX = 256 * 1024

/** What the process takes too much of: memory (`outgrown`), or computing time over one photo (`slow`). */
export type Excess = 'outgrown' | 'slow'

export type ToImageProcess =
  | { readonly type: 'models'; readonly call: number; readonly models: readonly LoadedModel[] }
  | { readonly type: 'text'; readonly call: number; readonly text: string; readonly model: ModelId }
  | { readonly type: 'photo'; readonly call: number; readonly size: number }
  | { readonly type: 'piece'; readonly call: number; readonly bytes: Uint8Array }
  | { readonly type: 'look'; readonly call: number; readonly wanted: AnalysisRequest['wanted'] }
  | { readonly type: 'cancel'; readonly call: number }

export type FromImageProcess =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly call: number; readonly result: Analysis | TextEmbedding | undefined }
  | { readonly type: 'failed'; readonly call: number; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'excess'; readonly reason: Excess }
