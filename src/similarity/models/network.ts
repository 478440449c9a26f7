import { InferenceSession, type Tensor } from 'onnxruntime-node'
import { SheafError } from '../../core/errors.js'
import type { Pooling } from './model-spec.js'

/** One output of a network. */
export interface NetworkOutput {
  readonly data: Float32Array
  readonly dims: readonly number[]
}

/**
 * A loaded ONNX network. Running it blocks the calling thread (onnxruntime-node computes before it returns), so it belongs in
 * a thread or process of its own.
 */
export class Network {
  readonly #session: InferenceSession
  readonly #path: string

  private constructor(session: InferenceSession, path: string) {
    this.#session = session
    this.#path = path
  }

  /**
   * @param path - an ONNX file
   * @throws `ERR_MODEL_INVALID`
   */
  static async load(path: string): Promise<Network> {
    try {
      const options: InferenceSession.SessionOptions = {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        executionProviders: ['cpu'],
        logSeverityLevel: 3
      }
      return new Network(await InferenceSession.create(path, options), path)
    } catch (err) {
      throw new SheafError('ERR_MODEL_INVALID', `${path} cannot be loaded: ${messageOf(err)}`, { cause: err })
    }
  }

  get inputs(): readonly InferenceSession.ValueMetadata[] {
    return this.#session.inputMetadata
  }

  get outputs(): readonly InferenceSession.ValueMetadata[] {
    return this.#session.outputMetadata
  }

  /**
   * @param names - the outputs to return
   * @throws `ERR_MODEL_INVALID` when the network fails, or returns anything but finite float32 numbers
   */
  async run(inputs: Readonly<Record<string, Tensor>>, names: readonly string[]): Promise<readonly NetworkOutput[]> {
    let results: InferenceSession.ReturnType
    try {
      results = await this.#session.run(inputs, [...names])
    } catch (err) {
      throw this.#invalid(`cannot be run: ${messageOf(err)}`, err)
    }
    return names.map(name => {
      const tensor = results[name]
      if (!(tensor?.data instanceof Float32Array)) throw this.#invalid(`returns no float32 numbers as ${name}`)
      if (!tensor.data.every(Number.isFinite)) throw this.#invalid(`returns numbers as ${name} that are not finite`)
      return { data: tensor.data, dims: tensor.dims }
    })
  }

  release(): Promise<void> {
    return this.#session.release()
  }

  #invalid(problem: string, cause?: unknown): SheafError {
    return new SheafError('ERR_MODEL_INVALID', `${this.#path} ${problem}`, { cause })
  }
}

/**
 * @returns the vector in the output for a batch of one; a copy
 * @throws `ERR_MODEL_INVALID` when the output has another shape
 */
export function pool({ data, dims }: NetworkOutput, pooling: Pooling): Float32Array {
  if (pooling === 'none') {
    const dimension = dims[1] ?? 0
    if (dims.length < 2 || data.length !== dimension) throw wrongShape(dims, 'one vector, 1×D')
    return data.slice()
  }
  const [batch, tokens = 0, dimension = 0] = dims
  if (dims.length !== 3 || batch !== 1 || tokens === 0) throw wrongShape(dims, 'one vector per token, 1×T×D')
  const vector = data.slice(0, dimension)
  if (pooling === 'cls') return vector
  for (let at = dimension; at < data.length; at++) vector[at % dimension]! += data[at] as number
  return vector.map(sum => sum / tokens)
}

/**
 * Scales a vector to unit length, in place.
 *
 * @throws `ERR_MODEL_INVALID` for a zero or non-finite vector
 */
export function toUnit(vector: Float32Array): Float32Array {
  let sum = 0
  for (const value of vector) sum += value * value
  const length = Math.sqrt(sum)
  if (!(length > 0 && Number.isFinite(length))) {
    throw new SheafError('ERR_MODEL_INVALID', 'the model returns a vector that is zero or not finite')
  }
  for (let i = 0; i < vector.length; i++) vector[i]! /= length
  return vector
}

function wrongShape(dims: readonly number[], wanted: string): SheafError {
  return new SheafError('ERR_MODEL_INVALID', `the model returns an output of shape ${dims.join('×')}, not ${wanted}`)
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}
