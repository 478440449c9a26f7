import { hasCode, SheafError } from '../../core/errors.js'
import { invariant } from '../../core/invariant.js'
import type { Features, ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel, ModelSpec } from '../models/model-spec.js'
import { ThreadedEmbedder } from '../models/threaded-embedder.js'
import type { Analysis, AnalysisRequest } from './image-analyzer.js'
import type { Excess, FromImageProcess, ToImageProcess } from './image-process-messages.js'
import { HASHED_SIDE, perceptualHash } from './perceptual-hash.js'
import { luminanceOf, openPicture, type Picture, squareOf } from './picture.js'
import { makeVariants } from './variants.js'

/** A photo whose bytes are coming in. */
interface Incoming {
  readonly bytes: Buffer
  used: number
}

interface Look {
  /** Nobody waits for it any more. */
  cancelled: boolean
  begun: boolean
  /** Rejects what waits for the decoder. */
  readonly giveUp: (reason: SheafError) => void
  /** When the usage was first measured after it began. */
  cpuMsAtStart: number | undefined
}

interface Model {
  readonly spec: ModelSpec
  readonly embedder: ThreadedEmbedder
  /** What is being embedded: the model is let go when that is done. */
  readonly uses: Set<Promise<unknown>>
}

/** With the model in use; the files of one beside it come on top. */
const RSS_BYTES_MAX = 1_500 * 2 ** 20
/** Computing time, not waiting: on a busy machine this process, which gives way to others, may take many times as long. */
const LOOK_CPU_MS_MAX = 30_000

/** What the process has taken of the machine. */
export interface Usage {
  readonly rssBytes: number
  /** Of all threads, since the process began. */
  readonly cpuMs: number
}

/** The image process's side of `analyzer-messages.ts`. */
export class ImageProcessHandler {
  readonly #send: (message: FromImageProcess) => void
  readonly #incoming = new Map<number, Incoming>()
  /** Photos being looked at, or waiting for the decoder. */
  readonly #looks = new Map<number, Look>()
  /** Settles when the last photo so far has been decoded. */
  #decoded: Promise<unknown> = Promise.resolve()
  readonly #models = new Map<ModelId, Model>()
  #rssBytesMax = RSS_BYTES_MAX

  constructor(send: (message: FromImageProcess) => void) {
    this.#send = send
  }

  receive(message: ToImageProcess): void {
    const { call } = message
    switch (message.type) {
      case 'models':
        this.#answer(call, this.#hold(message.models))
        break
      case 'text':
        this.#answer(call, this.#embedText(message.text, message.model))
        break
      case 'photo':
        this.#incoming.set(call, { bytes: Buffer.allocUnsafeSlow(message.size), used: 0 })
        break
      case 'piece':
        this.#piece(call, message.bytes)
        break
      case 'look':
        this.#answer(call, this.#look(call, message.wanted))
        break
      case 'cancel':
        this.#cancel(call)
        break
    }
  }

  /** To be asked several times a second. @returns why the process is to be ended, if so */
  excess({ rssBytes, cpuMs }: Usage): Excess | undefined {
    for (const look of this.#looks.values()) {
      if (!look.begun) continue
      look.cpuMsAtStart ??= cpuMs
      if (cpuMs - look.cpuMsAtStart > LOOK_CPU_MS_MAX) return 'slow'
    }
    return rssBytes > this.#rssBytesMax ? 'outgrown' : undefined
  }

  #piece(call: number, piece: Uint8Array): void {
    const photo = this.#incoming.get(call)
    if (photo === undefined) return // cancelled while the piece was on its way
    invariant(photo.used + piece.length <= photo.bytes.length, 'a photo is no longer than it was said to be')
    photo.bytes.set(piece, photo.used)
    photo.used += piece.length
  }

  #cancel(call: number): void {
    const look = this.#looks.get(call)
    if (look !== undefined) look.cancelled = true
    if (look?.begun === false) look.giveUp(cancelled())
    if (this.#incoming.delete(call)) this.#answer(call, Promise.reject(cancelled()))
  }

  /** What goes wrong here goes wrong with these bytes again, unless the model failed: it is the photo's error. */
  async #look(call: number, wanted: AnalysisRequest['wanted']): Promise<Analysis> {
    const photo = this.#incoming.get(call)
    invariant(photo !== undefined && photo.used === photo.bytes.length, 'a photo is looked at when all of it is there')
    this.#incoming.delete(call)
    let giveUp!: Look['giveUp']
    const gaveUp = new Promise<never>((_, reject) => {
      giveUp = reject
    })
    const look: Look = { cancelled: false, begun: false, giveUp, cpuMsAtStart: undefined }
    this.#looks.set(call, look)
    try {
      const decoded = this.#decoded.then(() => decode(photo.bytes, look))
      this.#decoded = decoded.catch(() => {}) // it is this photo's error
      return await this.#analyze(await Promise.race([decoded, gaveUp]), wanted, look)
    } catch (err) {
      if (err instanceof SheafError) throw err
      throw new SheafError('ERR_IMAGE_CRASHED', `looking at the image failed: ${String(err)}`, { cause: err })
    } finally {
      this.#looks.delete(call)
    }
  }

  async #analyze(picture: Picture, wanted: AnalysisRequest['wanted'], look: Look): Promise<Analysis> {
    // whoever gave up meanwhile saves the rest
    if (look.cancelled) throw cancelled()
    const [phash, variants, features] = await Promise.all([
      wanted.facts ? luminanceOf(picture.seen, HASHED_SIDE).then(perceptualHash) : undefined,
      wanted.facts ? makeVariants(picture) : [],
      wanted.features === undefined ? {} : this.#features(picture, wanted.features)
    ])
    const { width, height, takenAt } = picture
    return { width, height, ...(takenAt !== undefined && { takenAt }), ...(phash && { phash }), variants, ...features }
  }

  async #features({ seen }: Picture, id: ModelId): Promise<Pick<Analysis, 'features' | 'featuresError'>> {
    const model = this.#models.get(id)
    if (model === undefined) return {}
    const { size, resize } = model.spec.image
    const embed = async (): Promise<Features> =>
      model.embedder.image(await squareOf(seen, size, resize === 'cover' ? 'cover' : 'fill'))
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

  async #hold(models: readonly LoadedModel[]): Promise<undefined> {
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

  #answer(call: number, result: Promise<Analysis | TextEmbedding | undefined>): void {
    result.then(
      value => this.#send({ type: 'done', call, result: value }),
      (err: unknown) => {
        const { code, message } = err instanceof SheafError ? err : new SheafError('ERR_INTERNAL', String(err))
        this.#send({ type: 'failed', call, code, message })
      }
    )
  }
}

async function decode(bytes: Buffer, look: Look): Promise<Picture> {
  if (look.cancelled) throw cancelled()
  look.begun = true
  return openPicture(bytes)
}

async function use<Result>({ uses }: Model, result: Promise<Result>): Promise<Result> {
  uses.add(result)
  try {
    return await result
  } finally {
    uses.delete(result)
  }
}

function cancelled(): SheafError {
  return new SheafError('ERR_STOPPING', 'nobody waits for this photo any more')
}
