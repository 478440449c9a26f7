import { readFile } from 'node:fs/promises'
import type { Features, Space } from '../../domain/features.js'
import { ImageNetwork } from './image-network.js'
import { LabelVectors } from './label-vectors.js'
import { LABEL_VECTORS_FILE, type LoadedModel, modelPath } from './model-spec.js'
import { toUnit } from './network.js'
import { TextNetwork } from './text-network.js'

export interface TextEmbedding {
  /** The space to search: `image` for a model with one space for images and texts, `text` for concepts. */
  readonly space: Space
  /** Unit length. */
  readonly vector: Float32Array
}

/**
 * A loaded model: turns images and texts into vectors. Blocks the calling thread, 10 to 70 ms for an image.
 */
export class Embedder {
  readonly #model: LoadedModel
  readonly #image: ImageNetwork
  readonly #labels: LabelVectors | undefined
  #text: Promise<TextNetwork> | undefined

  private constructor(model: LoadedModel, image: ImageNetwork, labels: LabelVectors | undefined) {
    this.#model = model
    this.#image = image
    this.#labels = labels
  }

  /** @throws `ERR_MODEL_INVALID` */
  static async load(model: LoadedModel): Promise<Embedder> {
    return new Embedder(model, await ImageNetwork.load(model), await loadLabels(model))
  }

  /**
   * @param pixels - size × size × 3 bytes, red, green and blue of each pixel, row by row
   * @throws `ERR_MODEL_INVALID`
   */
  async image(pixels: Uint8Array): Promise<Features> {
    const { embedding, classes } = await this.#image.run(pixels)
    const vectors = new Map<Space, Float32Array>([['image', toUnit(embedding)]])
    if (classes !== undefined && this.#labels !== undefined) vectors.set('text', this.#labels.combine(classes))
    return { modelDigest: this.#model.spec.digest, vectors }
  }

  /**
   * @throws `ERR_TEXT_SEARCH_UNAVAILABLE`; `ERR_BAD_PARAMETER` when the model knows none of the words; `ERR_MODEL_INVALID`
   */
  async text(text: string): Promise<TextEmbedding> {
    // loaded with the first text: a node without text searches saves the memory
    this.#text ??= TextNetwork.load(this.#model)
    const vector = await (await this.#text).embed(text)
    return { space: this.#model.spec.text?.kind === 'concepts' ? 'text' : 'image', vector }
  }

  async release(): Promise<void> {
    await this.#image.release()
    const text = await this.#text?.catch(() => undefined) // reported to the caller of `text`
    await text?.release()
  }
}

async function loadLabels(model: LoadedModel): Promise<LabelVectors | undefined> {
  const { text, image } = model.spec
  if (text?.kind !== 'concepts') return undefined
  return LabelVectors.decode(await readFile(modelPath(model, LABEL_VECTORS_FILE)), text, image.classes?.count ?? 0)
}
