import { readFile } from 'node:fs/promises'
import { Tokenizer } from '@huggingface/tokenizers'
import type { InferenceSession } from 'onnxruntime-node'
import { SheafError } from '../../core/errors.js'
import type { FileSystem } from '../../core/file-system.js'
import { DIMENSION_MAX } from '../../domain/features.js'
import { ImageNetwork } from './image-network.js'
import { writeModelFile } from './model-files.js'
import {
  IMAGE_FILE,
  type ImageSide,
  identifyModel,
  type ModelDescription,
  type ModelFile,
  type PerChannel,
  type Pooling,
  TEXT_FILE,
  type TextEncoder,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE
} from './model-spec.js'
import { Network, toUnit } from './network.js'
import { referencePixels } from './reference-image.js'
import { TextNetwork } from './text-network.js'

/** Facts about a network that its file does not contain. */
export interface NetworkHints {
  /** Required when there are several outputs and none has a common name. */
  readonly outputName?: string
  /** Default: `none` for an output of one vector; else `cls` for images and `mean` for texts. */
  readonly pooling?: Pooling
}

export interface ImageHints extends NetworkHints {
  /** As in {@link ImageSide}. */
  readonly mean: PerChannel
  readonly std: PerChannel
  readonly channels: ImageSide['channels']
  readonly resize: ImageSide['resize']
  /** Default for a network that takes any size: 224. */
  readonly size?: number
}

/** The files of a model, with hints; `File` locates one. */
export interface ModelSources<File> {
  readonly image: ImageHints & { readonly file: File }
  readonly text?: NetworkHints & {
    readonly file: File
    readonly tokenizer: File
    /** Default: the tokenizer's own defaults. */
    readonly tokenizerConfig?: File
  }
}

/** Files by path. */
export interface ImportInit extends ModelSources<string> {
  readonly name: string
  readonly licence: string
  readonly source: string
  /** An empty folder for the model's files. */
  readonly folder: string
}

type Metadata = InferenceSession.TensorValueMetadata

/** Output names that exporters use for the vector of an image or a text, best first. */
const IMAGE_OUTPUTS = ['image_embeds', 'embedding', 'embeddings', 'pooler_output', 'last_hidden_state']
const TEXT_OUTPUTS = [
  'text_embeds',
  'sentence_embedding',
  'embedding',
  'embeddings',
  'pooler_output',
  'last_hidden_state'
]

const SIZE_MAX = 1_024
const IMAGE_SIZE = 224
/** The limit of CLIP models. */
const TOKENS_MAX = 77
const TOKENS_MAX_BOUND = 512
/** Two texts whose vectors must differ. */
const PROBES = ['a photo of a dog', 'mountains in the snow'] as const

/**
 * Builds a model from given files: an ONNX network for images, and optionally one for texts, in the same space, with its
 * tokenizer. Each is run before it is accepted. Blocks for seconds, so it needs a thread of its own.
 *
 * @returns the description of the model; the folder has all its files except `model.json`
 * @throws `ERR_MODEL_INVALID` for unusable files, with the reason; `ERR_USAGE` when a file cannot be read; system errors
 */
export async function importModel(
  { fileSystem }: { readonly fileSystem: FileSystem },
  init: ImportInit
): Promise<ModelDescription> {
  const { name, licence, source, folder } = init
  const files: ModelFile[] = []
  const copy = async (to: string, bytes: Uint8Array): Promise<void> => {
    files.push(await writeModelFile(fileSystem, folder, to, bytes))
  }
  await copy(IMAGE_FILE, await readSource(init.image.file))
  const image = await inspectImage(init)
  const imageOnly: ModelDescription = { name, image, licence, source, files }
  if (init.text === undefined) return imageOnly

  const { file, tokenizer, tokenizerConfig } = init.text
  await copy(TEXT_FILE, await readSource(file))
  await copy(TOKENIZER_FILE, await readSource(tokenizer))
  await copy(
    TOKENIZER_CONFIG_FILE,
    tokenizerConfig === undefined ? Buffer.from('{}') : await readSource(tokenizerConfig)
  )
  const text = await inspectText(init, image.dimension)
  const description = { ...imageOnly, text }
  await probeText(description, folder)
  return description
}

async function readSource(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (err) {
    const problem = err instanceof Error ? err.message : String(err)
    throw new SheafError('ERR_USAGE', `${path} cannot be read: ${problem}`, { cause: err })
  }
}

async function inspectImage({ image, folder, name }: ImportInit): Promise<ImageSide> {
  const network = await Network.load(`${folder}/${IMAGE_FILE}`)
  try {
    const [input, ...others] = tensors(network.inputs)
    if (input === undefined || others.length > 0 || input.type !== 'float32' || input.shape.length !== 4) {
      throw unusable(`an image network must have one input, float32 of N×3×H×W, not ${describeTensors(network.inputs)}`)
    }
    const [batch, channels, height, width] = input.shape
    if (channels !== 3) throw unusable(`the input ${describeTensors([input])} must have its channels first, N×3×H×W`)
    if (typeof batch === 'number' && batch > 1)
      throw unusable(`the network takes batches of ${batch} images; export it with a batch size of 1`)
    const size = sizeOf(height, width, image.size)
    const output = pickOutput(network.outputs, image.outputName, IMAGE_OUTPUTS)
    const { mean, std, resize } = image
    const side = (pooling: Pooling): ImageSide => ({
      inputName: input.name,
      outputName: output.name,
      pooling,
      size,
      layout: 'nchw',
      channels: image.channels,
      mean,
      std,
      resize,
      dimension: 0
    })
    const pooling = image.pooling ?? (output.shape.length === 3 ? 'cls' : 'none')
    return { ...side(pooling), dimension: await probeImage(network, side(pooling), name) }
  } finally {
    await network.release()
  }
}

/** @returns the dimension of the vectors */
async function probeImage(network: Network, side: ImageSide, name: string): Promise<number> {
  const images = new ImageNetwork(network, side)
  const pixels = referencePixels(side.size)
  const one = toUnit((await images.run(pixels)).embedding)
  const other = toUnit((await images.run(pixels.map(byte => 255 - byte))).embedding)
  if (one.length > DIMENSION_MAX) {
    throw unusable(`the output ${side.outputName} has ${one.length} numbers; the maximum is ${DIMENSION_MAX}`)
  }
  if (one.every((number, at) => number === other[at]))
    throw unusable(`${name} gives the same vector for every image; check mean and std`)
  return one.length
}

function sizeOf(height: number | string | undefined, width: number | string | undefined, wanted?: number): number {
  const fixed = [height, width].filter(side => typeof side === 'number' && side > 0) as number[]
  const size = fixed[0] ?? wanted ?? IMAGE_SIZE
  if (fixed.some(side => side !== size))
    throw unusable(`the network takes images of ${width}×${height}; only square inputs are supported`)
  if (wanted !== undefined && wanted !== size)
    throw unusable(`the network takes only images of ${size}×${size}, not ${wanted}×${wanted}`)
  if (size > SIZE_MAX)
    throw unusable(`the network takes images of ${size}×${size}; the maximum is ${SIZE_MAX}×${SIZE_MAX}`)
  return size
}

async function inspectText({ text, folder }: ImportInit, dimension: number): Promise<TextEncoder> {
  const network = await Network.load(`${folder}/${TEXT_FILE}`)
  try {
    const inputs = tensors(network.inputs)
    const find = (part: string): Metadata | undefined => inputs.find(input => input.name.includes(part))
    const [ids, mask, types] = [find('input_ids') ?? inputs[0], find('mask'), find('type')]
    const known = inputs.every(input => input === ids || input === mask || input === types)
    if (ids === undefined || !known || inputs.some(input => input.type !== 'int64')) {
      throw unusable(
        `a text network must have the input input_ids, optionally attention_mask and token_type_ids, all int64, not ${describeTensors(inputs)}`
      )
    }
    const output = pickOutput(network.outputs, text?.outputName, TEXT_OUTPUTS)
    return {
      kind: 'encoder',
      inputNames: {
        ids: ids.name,
        ...(mask === undefined ? {} : { mask: mask.name }),
        ...(types === undefined ? {} : { types: types.name })
      },
      outputName: output.name,
      pooling: text?.pooling ?? (output.shape.length === 3 ? 'mean' : 'none'),
      ...(await tokenBounds(ids, folder)),
      dimension
    }
  } finally {
    await network.release()
  }
}

/** The longest text, and the padding token for a network that takes only one length. */
async function tokenBounds(ids: Metadata, folder: string): Promise<Pick<TextEncoder, 'tokensMax' | 'padToken'>> {
  const config = JSON.parse(await readFile(`${folder}/${TOKENIZER_CONFIG_FILE}`, 'utf8')) as Record<string, unknown>
  const length = ids.shape[1]
  if (typeof length !== 'number' || length <= 0) {
    const modelMax = Number(config.model_max_length)
    return { tokensMax: modelMax > 1 && modelMax <= TOKENS_MAX_BOUND ? modelMax : TOKENS_MAX }
  }
  const tokenizer = new Tokenizer(JSON.parse(await readFile(`${folder}/${TOKENIZER_FILE}`, 'utf8')), config)
  const padName = config.pad_token as string | { readonly content?: string } | undefined
  const padToken = tokenizer.token_to_id((typeof padName === 'object' ? padName.content : padName) ?? '')
  return { tokensMax: length, padToken: padToken ?? 0 }
}

async function probeText(description: ModelDescription, folder: string): Promise<void> {
  const network = await TextNetwork.load({ spec: identifyModel(description), folder })
  try {
    const [one, other] = [await network.embed(PROBES[0]), await network.embed(PROBES[1])]
    const { dimension } = description.image
    if (one.length !== dimension) {
      throw unusable(
        `text vectors have ${one.length} numbers, image vectors ${dimension}: the two networks do not belong together`
      )
    }
    if (one.every((number, at) => number === other[at])) {
      throw unusable(`${description.name} gives the same vector for every text`)
    }
  } finally {
    await network.release()
  }
}

function pickOutput(
  outputs: readonly InferenceSession.ValueMetadata[],
  wanted: string | undefined,
  usual: readonly string[]
): Metadata {
  const all = tensors(outputs).filter(output => output.type === 'float32')
  const name =
    wanted ?? usual.find(one => all.some(output => output.name === one)) ?? (all.length === 1 ? all[0]?.name : '')
  const output = all.find(one => one.name === name)
  if (output !== undefined) return output
  const problem = wanted === undefined ? 'it is not clear which output is the vector' : `there is no output ${wanted}`
  throw unusable(`${problem}; name one of ${describeTensors(outputs)}`)
}

function tensors(values: readonly InferenceSession.ValueMetadata[]): Metadata[] {
  return values.filter((value): value is Metadata => value.isTensor)
}

function describeTensors(values: readonly InferenceSession.ValueMetadata[]): string {
  return values
    .map(value => (value.isTensor ? `${value.name} (${value.type} ${value.shape.join('×')})` : value.name))
    .join(', ')
}

function unusable(problem: string): SheafError {
  return new SheafError('ERR_MODEL_INVALID', problem)
}
