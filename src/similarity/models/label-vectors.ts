import { SheafError } from '../../core/errors.js'
import { floatBytes, floatsFrom } from '../../domain/floats.js'
import { LABEL_VECTORS_FILE, type TextConcepts } from './model-spec.js'
import { toUnit } from './network.js'

/**
 * The unit vectors of a classifier's labels. The file: float32, little-endian, concatenated in the order of the classes.
 */
export class LabelVectors {
  readonly #vectors: Float32Array
  readonly #text: TextConcepts

  private constructor(vectors: Float32Array, text: TextConcepts) {
    this.#vectors = vectors
    this.#text = text
  }

  /** @throws `ERR_MODEL_INVALID` unless there is one vector for each of `count` classes */
  static decode(bytes: Uint8Array, text: TextConcepts, count: number): LabelVectors {
    if (bytes.byteLength !== 4 * count * text.dimension) {
      throw new SheafError('ERR_MODEL_INVALID', `${LABEL_VECTORS_FILE} does not hold one vector per class`)
    }
    return new LabelVectors(floatsFrom(bytes), text)
  }

  /** @returns the bytes of the file */
  static encode(vectors: readonly Float32Array[]): Uint8Array {
    return floatBytes(vectors.flatMap(vector => Array.from(vector)))
  }

  /** @returns the vectors of the most probable labels, weighted by probability and summed; of unit length */
  combine(probabilities: Float32Array): Float32Array {
    const { dimension, top } = this.#text
    const classes = Array.from(probabilities.keys()).sort((a, b) => probabilities[b]! - probabilities[a]!)
    const sum = new Float32Array(dimension)
    for (const label of classes.slice(0, top)) {
      const vector = this.#vectors.subarray(label * dimension, (label + 1) * dimension)
      for (let i = 0; i < dimension; i++) sum[i]! += probabilities[label]! * vector[i]!
    }
    return toUnit(sum)
  }
}
