import { hasCode, SheafError } from '../../core/errors.js'
import { invariant } from '../../core/invariant.js'
import type { Features, ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel, ModelSpec } from '../models/model-spec.js'
import { ThreadedEmbedder } from '../models/threaded-embedder.js'
import type { DecodingTool } from './decoding-tools.js'
import type { Head } from './heads/head-facts.js'
import { readHead } from './heads/read-head.js'
import type { Analysis, AnalysisRequest } from './image-analyzer.js'
import type { CallResult, Excess, FromImageProcess, ToImageProcess } from './image-process-messages.js'
import { HASH_SIDE, perceptualHash } from './perceptual-hash.js'
import { openPicture, openPreview, type Picture } from './picture.js'
import { luminanceOf, squareOf } from './pixels.js'
import { thumbHash } from './thumb-hash.js'
import { makeVariants } from './variants.js'

type AnalyzeMessage = Extract<ToImageProcess, { type: 'analyze' }>
type HeadMessage = Extract<ToImageProcess, { type: 'head' }>

/** A photo whose bytes are arriving. */
interface Incoming {
  readonly bytes: Buffer
  used: number
}

interface PendingAnalysis {
  /** The caller no longer waits for it. */
  cancelled: boolean
  started: boolean
  /** Ends the wait for the decoder. */
  readonly reject: (reason: SheafError) => void
  /** CPU time of the process at the first measurement after decoding began. */
  cpuMsAtStart: number | undefined
}

/** Bytes that a head is waiting for. */
interface PendingRead {
  readonly resolve: (bytes: Uint8Array) => void
  readonly reject: (reason: SheafError) => void
}

interface HeldModel {
  readonly spec: ModelSpec
  readonly embedder: ThreadedEmbedder
  /** Running calls: the model is released when they are done. */
  readonly uses: Set<Promise<unknown>>
}

/** Includes the current model; the file sizes of a second one are added. */
const RSS_BYTES_MAX = 1_500 * 2 ** 20
/** CPU time, not elapsed time: this process has low priority and may take many times as long on a busy machine. */
const ANALYSIS_CPU_MS_MAX = 30_000

/** Resource usage of the process. */
export interface Usage {
  readonly rssBytes: number
  /** CPU time of all threads since the process started. */
  readonly cpuMs: number
}

/** The image process's side of `image-process-messages.ts`. */
export class ImageProcessHandler {
  readonly #send: (message: FromImageProcess) => void
  readonly #tools: ReadonlySet<DecodingTool>
  readonly #incoming = new Map<number, Incoming>()
  readonly #reads = new Map<number, PendingRead>()
  /** Photos being analyzed, or waiting for the decoder. */
  readonly #analyses = new Map<number, PendingAnalysis>()
  /** Settle when the latest photo of that priority has been decoded: a question does not wait for the backlog. */
  readonly #decoded: Record<AnalysisRequest['priority'], Promise<unknown>> = {
    interactive: Promise.resolve(),
    backlog: Promise.resolve()
  }
  readonly #models = new Map<ModelId, HeldModel>()
  #rssBytesMax = RSS_BYTES_MAX

  constructor(send: (message: FromImageProcess) => void, tools: ReadonlySet<DecodingTool> = new Set()) {
    this.#send = send
    this.#tools = tools
  }

  receive(message: ToImageProcess): void {
    const { call } = message
    switch (message.type) {
      case 'models':
        this.#answer(call, this.#holdModels(message.models))
        break
      case 'text':
        this.#answer(call, this.#embedText(message.text, message.model))
        break
      case 'photo':
        this.#incoming.set(call, { bytes: Buffer.allocUnsafeSlow(message.size), used: 0 })
        break
      case 'piece':
        this.#addPiece(call, message.bytes)
        break
      case 'analyze':
        this.#answer(call, this.#analyze(message))
        break
      case 'head':
        this.#answer(call, this.#readHead(message))
        break
      case 'range':
        this.#takeRead(call)?.resolve(message.bytes)
        break
      case 'cancel':
        this.#cancel(call)
        break
    }
  }

  /** Call several times a second. @returns why the process must be killed; undefined: it need not */
  excess({ rssBytes, cpuMs }: Usage): Excess | undefined {
    for (const analysis of this.#analyses.values()) {
      if (!analysis.started) continue
      analysis.cpuMsAtStart ??= cpuMs
      if (cpuMs - analysis.cpuMsAtStart > ANALYSIS_CPU_MS_MAX) return 'slow'
    }
    return rssBytes > this.#rssBytesMax ? 'outgrown' : undefined
  }

  #addPiece(call: number, piece: Uint8Array): void {
    const photo = this.#incoming.get(call)
    if (photo === undefined) return // cancelled while the piece was in transit
    invariant(photo.used + piece.length <= photo.bytes.length, 'a photo has no more bytes than announced')
    photo.bytes.set(piece, photo.used)
    photo.used += piece.length
  }

  #cancel(call: number): void {
    const analysis = this.#analyses.get(call)
    if (analysis !== undefined) analysis.cancelled = true
    if (analysis?.started === false) analysis.reject(cancelled())
    this.#takeRead(call)?.reject(cancelled())
    if (this.#incoming.delete(call)) this.#answer(call, Promise.reject(cancelled()))
  }

  #readHead({ call, size, hints }: HeadMessage): Promise<Head | undefined> {
    const read = (at: number, length: number): Promise<Uint8Array> =>
      new Promise((resolve, reject) => {
        this.#reads.set(call, { resolve, reject })
        this.#send({ type: 'read', call, at, length })
      })
    return readHead({ size, read }, hints)
  }

  #takeRead(call: number): PendingRead | undefined {
    const read = this.#reads.get(call)
    this.#reads.delete(call)
    return read
  }

  /** An error here is the photo's and would recur with the same bytes, unless the model failed. */
  async #analyze({ call, outputs, preview, priority }: AnalyzeMessage): Promise<Analysis> {
    const photo = this.#incoming.get(call)
    invariant(
      photo !== undefined && photo.used === photo.bytes.length,
      'a photo is analyzed once all its bytes are here'
    )
    this.#incoming.delete(call)
    let reject!: PendingAnalysis['reject']
    const cancellation = new Promise<never>((_, rejectIt) => {
      reject = rejectIt
    })
    const analysis: PendingAnalysis = { cancelled: false, started: false, reject, cpuMsAtStart: undefined }
    this.#analyses.set(call, analysis)
    try {
      const decoded = this.#decoded[priority].then(() => decode(photo.bytes, preview, this.#tools, analysis))
      this.#decoded[priority] = decoded.catch(() => {}) // reported for this photo only
      return await this.#extract(await Promise.race([decoded, cancellation]), outputs, analysis)
    } catch (err) {
      if (err instanceof SheafError) throw err
      throw new SheafError('ERR_IMAGE_CRASHED', `image analysis failed: ${String(err)}`, { cause: err })
    } finally {
      this.#analyses.delete(call)
    }
  }

  async #extract(picture: Picture, outputs: AnalysisRequest['outputs'], analysis: PendingAnalysis): Promise<Analysis> {
    if (analysis.cancelled) throw cancelled()
    if (picture.state === 'partial') return partOf(picture, outputs)
    const [phash, thumbhash, variants, features] = await Promise.all([
      outputs.facts ? luminanceOf(picture.input, HASH_SIDE).then(perceptualHash) : undefined,
      outputs.facts ? thumbHash(picture.input) : undefined,
      outputs.facts ? makeVariants(picture) : [],
      outputs.features === undefined ? {} : this.#features(picture, outputs.features)
    ])
    const { width, height, state } = picture
    return { width, height, state, ...(phash && { phash }), ...(thumbhash && { thumbhash }), variants, ...features }
  }

  async #features({ input }: Picture, id: ModelId): Promise<Pick<Analysis, 'features' | 'featuresError'>> {
    const model = this.#models.get(id)
    if (model === undefined) return {}
    const { size, resize } = model.spec.image
    const embed = async (): Promise<Features> =>
      model.embedder.image(await squareOf(input, size, resize === 'cover' ? 'cover' : 'fill'))
    try {
      return { features: await use(model, embed()) }
    } catch (err) {
      if (hasCode(err, 'ERR_MODEL_INVALID')) return { featuresError: 'ERR_MODEL_INVALID' }
      throw new SheafError('ERR_ANALYST_UNAVAILABLE', `the model failed: ${String(err)}`, { cause: err })
    }
  }

  async #embedText(text: string, id: ModelId): Promise<TextEmbedding> {
    const model = this.#models.get(id)
    if (model === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
    return use(model, model.embedder.text(text))
  }

  async #holdModels(models: readonly LoadedModel[]): Promise<undefined> {
    const ids = models.map(({ spec }) => spec.id)
    const beside = models.slice(1).flatMap(({ spec }) => spec.files)
    this.#rssBytesMax = beside.reduce((sum, { bytes }) => sum + bytes, RSS_BYTES_MAX)
    for (const [id, { uses, embedder }] of this.#models) {
      if (ids.includes(id)) continue
      this.#models.delete(id)
      await Promise.allSettled(uses)
      await embedder.release()
    }
    for (const model of models) {
      const { spec } = model
      if (this.#models.has(spec.id)) continue
      this.#models.set(spec.id, { spec, embedder: await ThreadedEmbedder.load(model), uses: new Set() })
    }
    return undefined
  }

  #answer(call: number, result: Promise<CallResult>): void {
    result.then(
      value => this.#send({ type: 'done', call, result: value }),
      (err: unknown) => {
        const { code, message } = err instanceof SheafError ? err : new SheafError('ERR_INTERNAL', String(err))
        this.#send({ type: 'failed', call, code, message })
      }
    )
  }
}

async function decode(
  bytes: Buffer,
  preview: AnalysisRequest['preview'],
  tools: ReadonlySet<DecodingTool>,
  analysis: PendingAnalysis
): Promise<Picture> {
  if (analysis.cancelled) throw cancelled()
  analysis.started = true
  return preview === undefined ? openPicture(bytes, tools) : openPreview(bytes, preview.orientation)
}

/** A part of a picture is shown, but compared with nothing: it would match neither copies of the whole nor what resembles it. */
async function partOf(picture: Picture, { facts, features }: AnalysisRequest['outputs']): Promise<Analysis> {
  const error = 'ERR_IMAGE_UNREADABLE'
  if (!facts) throw new SheafError(error, 'the file is cut or damaged: there is only a part of the picture')
  const { width, height, state } = picture
  const [thumbhash, variants] = [await thumbHash(picture.input), await makeVariants(picture)]
  return { width, height, state, error, thumbhash, variants, ...(features !== undefined && { featuresError: error }) }
}

async function use<Result>({ uses }: HeldModel, result: Promise<Result>): Promise<Result> {
  uses.add(result)
  try {
    return await result
  } finally {
    uses.delete(result)
  }
}

function cancelled(): SheafError {
  return new SheafError('ERR_STOPPING', 'this photo is no longer waited for')
}
