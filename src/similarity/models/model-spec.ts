/**
 * A model is a folder: `model.json` holds its {@link ModelSpec}, and all files needed to run it are beside it.
 *
 * The digest identifies the vectors that a model makes, and is the same on every node: SHA-256 over all that determines
 * them (weights, tokenizer, labels, and the preprocessing of images). Derived files are left out: the label vectors are
 * floating-point results whose last bits may differ between processors, and vectors that differ so little are comparable.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { type ModelId, modelIdOf } from '../../domain/features.js'

export const MODEL_FORMAT = 1
export const MODEL_SPEC_FILE = 'model.json'

/** The network for images. */
export const IMAGE_FILE = 'image.onnx'
/** The network for texts, and its tokenizer, for models with a text side. */
export const TEXT_FILE = 'text.onnx'
export const TOKENIZER_FILE = 'tokenizer.json'
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json'
/** For models with concepts: a JSON array of `image.classes.count` strings, and their vectors as in `label-vectors.ts`. */
export const LABELS_FILE = 'labels.json'
export const LABEL_VECTORS_FILE = 'labels.f32'

/** One number per channel, in the order of `channels`. */
export type PerChannel = readonly [number, number, number]

/** From output to vector. `none`: the output is one (1×D or 1×D×1×1). `cls`, `mean`: the first, or the mean, of 1×T×D. */
export type Pooling = 'none' | 'cls' | 'mean'

/** The image network. Input: float32, 1×3×size×size, a batch of one. */
export interface ImageSide {
  readonly inputName: string
  readonly outputName: string
  readonly pooling: Pooling
  /** Side of the square input in pixels. */
  readonly size: number
  readonly layout: 'nchw'
  readonly channels: 'rgb' | 'bgr'
  /** The input is `(x - mean) / std` with x in 0…255. */
  readonly mean: PerChannel
  readonly std: PerChannel
  /** `cover`: the center of the image, scaled to fill the square; `squash`: the whole image, distorted. */
  readonly resize: 'cover' | 'squash'
  /** Numbers in the vector. */
  readonly dimension: number
  /** A second output of `count` probabilities, one per label. */
  readonly classes?: { readonly outputName: string; readonly count: number }
}

/** The text network. Inputs: int64, 1×T; optional ones only if the network has them. */
export interface TextNetworkSpec {
  readonly inputNames: { readonly ids: string; readonly mask?: string; readonly types?: string }
  readonly outputName: string
  readonly pooling: Pooling
  /** Longer texts are cut; 77 for CLIP. */
  readonly tokensMax: number
  /** Pads texts to `tokensMax`, for networks that take only that length. */
  readonly padToken?: number
  readonly dimension: number
}

/** Texts and images share the space `image`, as with CLIP; `dimension` is the image side's. */
export interface TextEncoder extends TextNetworkSpec {
  readonly kind: 'encoder'
}

/**
 * Each image gets a second vector, in the space `text`: the sum over its `top` most probable classes of probability × label
 * vector, scaled to unit length.
 *
 * @see Norouzi et al. 2014, "Zero-Shot Learning by Convex Combination of Semantic Embeddings"
 */
export interface TextConcepts extends TextNetworkSpec {
  readonly kind: 'concepts'
  /** `{}` stands for the label. */
  readonly prompt: string
  readonly top: number
}

export type TextSide = TextEncoder | TextConcepts

export interface ModelFile {
  readonly name: string
  /** Lower-case hex. */
  readonly sha256: string
  readonly bytes: number
  /** Computed locally from the model's other files, so not part of its identity. */
  readonly derived?: true
}

/** A model without its identity, which follows from the rest. */
export interface ModelDescription {
  readonly name: string
  readonly image: ImageSide
  /** Undefined: no text search. */
  readonly text?: TextSide
  /** For people: the license of the weights. */
  readonly licence: string
  /** For people: where the weights come from. */
  readonly source: string
  /** Sorted by name. */
  readonly files: readonly ModelFile[]
}

export interface ModelSpec extends ModelDescription {
  readonly format: typeof MODEL_FORMAT
  /** Lower-case hex of 32 bytes. */
  readonly digest: string
  /** The first 16 digits of `digest`, used in features, index files and messages. */
  readonly id: ModelId
}

/** A model whose files are complete and intact. Plain data, so it can be sent to a thread or another process. */
export interface LoadedModel {
  readonly spec: ModelSpec
  /** The folder that holds the files. */
  readonly folder: string
}

/** @returns the path of one of the model's files */
export function modelPath(model: LoadedModel, name: string): string {
  return join(model.folder, name)
}

/** @returns the description with its identity */
export function identifyModel(description: ModelDescription): ModelSpec {
  const digest = hash('sha256', JSON.stringify(identityOf(description)))
  return { ...description, format: MODEL_FORMAT, digest, id: modelIdOf(digest) }
}

/** Everything that vectors depend on and nothing else, in a fixed order. */
function identityOf({ image, text, files }: ModelDescription): unknown {
  const { inputName, outputName, pooling, size, layout, channels, mean, std, resize, dimension, classes } = image
  return [
    MODEL_FORMAT,
    files.filter(file => file.derived !== true).map(({ name, sha256 }) => [name, sha256]),
    [inputName, outputName, pooling, size, layout, channels, mean, std, resize, dimension],
    classes === undefined ? null : [classes.outputName, classes.count],
    text === undefined ? null : textIdentity(text)
  ]
}

function textIdentity(text: TextSide): unknown {
  const { ids, mask = null, types = null } = text.inputNames
  const network = [[ids, mask, types], text.outputName, text.pooling, text.tokensMax, text.padToken ?? null]
  return [text.kind, network, text.dimension, text.kind === 'concepts' ? [text.prompt, text.top] : null]
}
