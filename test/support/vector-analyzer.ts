import { SheafError } from '../../src/core/errors.js'
import { type Features, type ModelId, modelIdOf } from '../../src/domain/features.js'
import type { DecodingTool } from '../../src/similarity/images/decoding-tools.js'
import type { Head } from '../../src/similarity/images/heads/head-facts.js'
import type {
  Analysis,
  AnalysisRequest,
  HeadRequest,
  ImageAnalyzer
} from '../../src/similarity/images/image-analyzer.js'
import type { TextEmbedding } from '../../src/similarity/models/embedder.js'
import type { LoadedModel } from '../../src/similarity/models/model-spec.js'
import { unit } from './vector-maker.js'

/** @returns the bytes of an "image" that {@link VectorAnalyzer} sees as this vector */
export function vectorImage(vector: Iterable<number>, note = ''): Uint8Array {
  return Buffer.from(JSON.stringify({ vector: Array.from(vector), note }))
}

/**
 * Looks at files made by `vectorImage`, without a decoder or a model: their vectors stand in them. Unless told otherwise it
 * has no time for a backlog: tests write the features of stored photos themselves.
 */
export class VectorAnalyzer implements ImageAnalyzer {
  model: ModelId | undefined
  /** SHA-256 of the first model. */
  readonly digest: string
  /** What words say, in the space `text`. Empty: the model knows no words. */
  readonly texts = new Map<string, Float32Array>()

  readonly #doesBacklog: boolean
  /** SHA-256 of each model that can be asked for, all of which see the same. */
  readonly #digests = new Map<ModelId, string>()

  /** @param digest - SHA-256 of the model, lower-case hex */
  constructor(digest: string, init: { readonly doesBacklog?: boolean } = {}) {
    this.digest = digest
    this.#doesBacklog = init.doesBacklog ?? false
    this.model = modelIdOf(digest)
    this.#digests.set(this.model, digest)
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  has(model: ModelId): boolean {
    return this.model !== undefined && this.#digests.has(model)
  }

  async useModel({ spec }: LoadedModel): Promise<void> {
    this.model = spec.id
    this.#digests.set(spec.id, spec.digest)
  }

  async keepOnly(models: ReadonlySet<ModelId>): Promise<void> {
    for (const model of this.#digests.keys()) {
      if (model !== this.model && !models.has(model)) this.#digests.delete(model)
    }
  }

  async analyze({ bytes, outputs, preview, priority }: AnalysisRequest): Promise<Analysis> {
    if (priority === 'backlog' && !this.#doesBacklog) throw new SheafError('ERR_OVERLOADED')
    const digest = outputs.features && this.#digests.get(outputs.features)
    const vector = parse(typeof bytes === 'function' ? await collect(bytes()) : bytes)
    const phash = Uint8Array.from(vector.slice(0, 8), value => (value > 0 ? 0xf0 : 0x0f))
    return {
      width: 4,
      height: 3,
      state: preview === undefined ? 'whole' : 'preview',
      phash: phash.length === 8 ? phash : new Uint8Array(8).fill(0x0f),
      variants: [],
      ...(digest !== undefined && { features: this.featuresOf(vector, digest) })
    }
  }

  readonly tools = new Set<DecodingTool>()

  /** Of files that are asked about; nothing is known of others. */
  readonly heads = new Map<number, Head>()

  /** A question comes without hints. */
  async readHead({ source, hints }: HeadRequest): Promise<Head | undefined> {
    if (hints.name !== '' && !this.#doesBacklog) throw new SheafError('ERR_OVERLOADED')
    return this.heads.get(source.size)
  }

  featuresOf(vector: Iterable<number>, digest = this.digest): Features {
    const image = unit(Float32Array.from(vector))
    return { modelDigest: digest, vectors: new Map([['image', image]]) }
  }

  async embedText(text: string, model: ModelId): Promise<TextEmbedding> {
    if (!this.has(model)) throw new SheafError('ERR_MODEL_UNAVAILABLE')
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
