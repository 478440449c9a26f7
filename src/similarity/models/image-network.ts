import { Tensor } from 'onnxruntime-node'
import { invariant } from '../../core/invariant.js'
import { IMAGE_FILE, type ImageSide, type LoadedModel, modelPath } from './model-spec.js'
import { Network, pool } from './network.js'

/** The raw outputs of a network for an image: not of unit length. */
export interface ImageOutput {
  readonly embedding: Float32Array
  /** Probabilities, for a model with classes. */
  readonly classes?: Float32Array
}

export class ImageNetwork {
  readonly #network: Network
  readonly #side: ImageSide

  constructor(network: Network, side: ImageSide) {
    this.#network = network
    this.#side = side
  }

  /** @throws `ERR_MODEL_INVALID` */
  static async load(model: LoadedModel): Promise<ImageNetwork> {
    return new ImageNetwork(await Network.load(modelPath(model, IMAGE_FILE)), model.spec.image)
  }

  /**
   * @param pixels - size × size × 3 bytes, red, green and blue of each pixel, row by row
   * @throws `ERR_MODEL_INVALID`
   */
  async run(pixels: Uint8Array): Promise<ImageOutput> {
    const { inputName, outputName, pooling, size, classes } = this.#side
    const input = new Tensor('float32', imageInput(this.#side, pixels), [1, 3, size, size])
    const names = classes === undefined ? [outputName] : [outputName, classes.outputName]
    const [output, probabilities] = await this.#network.run({ [inputName]: input }, names)
    const embedding = pool(output!, pooling)
    return probabilities === undefined ? { embedding } : { embedding, classes: pool(probabilities, 'none') }
  }

  release(): Promise<void> {
    return this.#network.release()
  }
}

/** @returns the network's input: one plane per channel, in the network's order, of (x - mean) / std */
export function imageInput({ size, channels, mean, std }: ImageSide, pixels: Uint8Array): Float32Array {
  const area = size * size
  invariant(
    pixels.length === 3 * area,
    `an image of ${size}×${size} pixels has ${3 * area} bytes, not ${pixels.length}`
  )
  const input = new Float32Array(3 * area)
  for (const plane of [0, 1, 2] as const) {
    const channel = channels === 'rgb' ? plane : 2 - plane
    for (let at = 0; at < area; at++) {
      input[plane * area + at] = ((pixels[3 * at + channel] as number) - mean[plane]) / std[plane]
    }
  }
  return input
}
