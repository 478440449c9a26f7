import { readFile } from 'node:fs/promises'
import { Tokenizer } from '@huggingface/tokenizers'
import { Tensor } from 'onnxruntime-node'
import { SheafError } from '../../core/errors.js'
import {
  type LoadedModel,
  modelPath,
  TEXT_FILE,
  type TextNetworkSpec,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE
} from './model-spec.js'
import { Network, pool, toUnit } from './network.js'

/** Turns texts into vectors. */
export class TextNetwork {
  readonly #tokenizer: Tokenizer
  readonly #network: Network
  readonly #spec: TextNetworkSpec

  private constructor(tokenizer: Tokenizer, network: Network, spec: TextNetworkSpec) {
    this.#tokenizer = tokenizer
    this.#network = network
    this.#spec = spec
  }

  /** @throws `ERR_MODEL_INVALID`; `ERR_TEXT_SEARCH_UNAVAILABLE` when the model has no text side */
  static async load(model: LoadedModel): Promise<TextNetwork> {
    const spec = model.spec.text
    if (spec === undefined) throw new SheafError('ERR_TEXT_SEARCH_UNAVAILABLE')
    const tokenizer = await readJson(modelPath(model, TOKENIZER_FILE))
    const config = await readJson(modelPath(model, TOKENIZER_CONFIG_FILE))
    return new TextNetwork(makeTokenizer(tokenizer, config), await Network.load(modelPath(model, TEXT_FILE)), spec)
  }

  /**
   * @returns the text's vector, of unit length
   * @throws `ERR_BAD_PARAMETER` when the model knows no word of the text; `ERR_MODEL_INVALID`
   */
  async embed(text: string): Promise<Float32Array> {
    const { inputNames, outputName, pooling } = this.#spec
    const { ids, mask } = this.#tokens(text)
    const tensor = (numbers: readonly number[]): Tensor =>
      new Tensor('int64', BigInt64Array.from(numbers, BigInt), [1, numbers.length])
    const inputs: Record<string, Tensor> = { [inputNames.ids]: tensor(ids) }
    if (inputNames.mask !== undefined) inputs[inputNames.mask] = tensor(mask)
    if (inputNames.types !== undefined) inputs[inputNames.types] = tensor(ids.map(() => 0))
    const [output] = await this.#network.run(inputs, [outputName])
    return toUnit(pool(output!, pooling))
  }

  release(): Promise<void> {
    return this.#network.release()
  }

  /** Cutting a long text keeps its last token: it marks the end, and CLIP models read their vector there. */
  #tokens(text: string): { ids: number[]; mask: number[] } {
    const { tokensMax, padToken } = this.#spec
    // a tokenizer without an unknown-word token leaves holes
    const all = this.#tokenizer.encode(text).ids.filter(Number.isInteger)
    if (all.length === 0) throw new SheafError('ERR_BAD_PARAMETER', 'the model knows none of these words')
    const ids = all.length <= tokensMax ? all : [...all.slice(0, tokensMax - 1), all.at(-1) as number]
    const mask = ids.map(() => 1)
    if (padToken === undefined) return { ids, mask }
    const missing = tokensMax - ids.length
    return { ids: ids.concat(repeated(padToken, missing)), mask: mask.concat(repeated(0, missing)) }
  }
}

async function readJson(path: string): Promise<object> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (typeof value === 'object' && value !== null) return value
  } catch (err) {
    throw new SheafError('ERR_MODEL_INVALID', `${path} cannot be read as JSON`, { cause: err })
  }
  throw new SheafError('ERR_MODEL_INVALID', `${path} does not hold a JSON object`)
}

function makeTokenizer(tokenizer: object, config: object): Tokenizer {
  try {
    return new Tokenizer(tokenizer, config)
  } catch (err) {
    throw new SheafError('ERR_MODEL_INVALID', 'this kind of tokenizer is not supported', { cause: err })
  }
}

function repeated(value: number, count: number): number[] {
  return new Array<number>(count).fill(value)
}
