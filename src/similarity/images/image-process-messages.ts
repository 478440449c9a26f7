/*
 * Messages between a node and its image process, over the IPC channel of `fork`, in the structured clone format. `call` is
 * the number of the call that a message belongs to. A call begins with `models`, `text`, `photo` or `head`. It is
 * answered by exactly one `done` or `failed`, even when cancelled.
 *
 *   node → process   models   hold exactly these models; sent only after the previous one was answered
 *                    text     embed this text with one of the models
 *                    photo    a photo of `size` bytes, which follow as pieces of at most PIECE_BYTES_MAX
 *                    piece    the next bytes of the photo
 *                    analyze  all its bytes are sent: analyze it once earlier photos of its priority have been decoded
 *                    head     read the head of a file of `size` bytes, asking for the parts of it that are needed
 *                    range    the bytes that were asked for last
 *                    cancel   the caller no longer waits for the photo, or the head
 *   process → node   ready    once, first
 *                    read     `length` bytes of the file are needed; one `range` answers it, or a `cancel`
 *                    done     result
 *                    failed   an error code and message
 *                    excess   the process uses too much memory or time and must be killed
 */
import type { ErrorCode } from '../../core/errors.js'
import type { ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'
import type { Head } from './heads/head-facts.js'
import type { HeadHints } from './heads/read-head.js'
import type { Analysis, AnalysisRequest } from './image-analyzer.js'

/** Sending one piece takes the node's main thread about 0.1 ms. */
export const PIECE_BYTES_MAX = 256 * 1024

/** What the process uses too much of: memory (`outgrown`), or CPU time on one photo (`slow`). */
export type Excess = 'outgrown' | 'slow'

/** What calls are answered with. */
export type CallResult = Analysis | TextEmbedding | Head | undefined

export type ToImageProcess =
  | { readonly type: 'models'; readonly call: number; readonly models: readonly LoadedModel[] }
  | { readonly type: 'text'; readonly call: number; readonly text: string; readonly model: ModelId }
  | { readonly type: 'photo'; readonly call: number; readonly size: number }
  | { readonly type: 'piece'; readonly call: number; readonly bytes: Uint8Array }
  | ({ readonly type: 'analyze'; readonly call: number } & Pick<AnalysisRequest, 'outputs' | 'preview' | 'priority'>)
  | { readonly type: 'head'; readonly call: number; readonly size: number; readonly hints: HeadHints }
  | { readonly type: 'range'; readonly call: number; readonly bytes: Uint8Array }
  | { readonly type: 'cancel'; readonly call: number }

export type FromImageProcess =
  | { readonly type: 'ready' }
  | { readonly type: 'read'; readonly call: number; readonly at: number; readonly length: number }
  | { readonly type: 'done'; readonly call: number; readonly result: CallResult }
  | { readonly type: 'failed'; readonly call: number; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'excess'; readonly reason: Excess }
