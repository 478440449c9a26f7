import { SheafError } from '../../src/core/errors.js'
import { type Features, type ModelId, modelIdOf } from '../../src/domain/features.js'
import type {
  Analysis,
  AnalysisRequest,
  ImageAnalyst,
  TextEmbedding
} from '../../src/similarity/images/image-analyst.js'
import type { LoadedModel } from '../../src/similarity/models/model-spec.js'
import { unit } from './vector-maker.js'

/** @returns the bytes of an "image" that {@link VectorAnalyst} sees as this vector */
export function vectorImage(vector: Iterable<number>, note = ''): Uint8Array {
  return Buffer.from(JSON.stringify({ vector: Array.from(vector), note }))
}

/**
 * Looks at files made by `vectorImage`, without a decoder or a model: their vectors stand in them. Unless told otherwise it
 * has no time for a backlog: tests write the features of stored photos themselves.
 */
export class VectorAnalyst implements ImageAnalyst {
  model: ModelId | undefined
  /** Of the model in use. */
  readonly digest: string
  /** What words say, in the space `text`. Empty: the model knows no words. */
  readonly texts = new Map<string, Float32Array>()

  readonly #doesBacklog: boolean

  /** @param digest - SHA-256 of the model, lower-case hex */
  constructor(digest: string, init: { readonly doesBacklog?: boolean } = {}) {
    this.digest = digest
    this.#doesBacklog = init.doesBacklog ?? false
    this.model = modelIdOf(digest)
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async useModel(model: LoadedModel | undefined): Promise<void> {
    this.model = model?.spec.id
  }

  async analyse({ bytes, wanted, priority }: AnalysisRequest): Promise<Analysis> {
    if (priority === 'backlog' && !this.#doesBacklog) throw new SheafError('ERR_OVERLOADED')
    const vector = parse(typeof bytes === 'function' ? await collect(bytes()) : bytes)
    const phash = Uint8Array.from(vector.slice(0, 8), value => (value > 0 ? 255 : 0))
    return {
      width: 4,
      height: 3,
      phash: phash.length === 8 ? phash : new Uint8Array(8),
      variants: [],
      ...(wanted.features && this.model !== undefined && { features: this.featuresOf(vector) })
    }
  }

  featuresOf(vector: Iterable<number>): Features {
    const image = unit(Float32Array.from(vector))
    return { modelDigest: this.digest, vectors: new Map([['image', image]]) }
  }

  async embedText(text: string): Promise<TextEmbedding> {
    if (this.model === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
    const vector = this.texts.get(text)
    if (vector === undefined) throw new SheafError('ERR_TEXT_SEARCH_UNAVAILABLE')
    return { space: 'image', vector }
  }
}

function parse(bytes: Uint8Array): number[] {
  try {
    const { vector } = JSON.parse(Buffer.from(bytes).toString()) as { vector: number[] }
    return vector
  } catch {
    throw new SheafError('ERR_IMAGE_UNREADABLE')
  }
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const collected: Uint8Array[] = []
  for await (const piece of pieces) collected.push(piece)
  return Buffer.concat(collected)
}
