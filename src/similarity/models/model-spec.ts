/**
 * What a model is. `model.json` in the model's folder holds a {@link ModelSpec}; all that is needed to run the model lies
 * beside it.
 *
 * Its digest is the identity of the vectors it makes, the same on every node: SHA-256 over what determines them (the
 * weights, the tokenizer and labels, and how an image is brought into the model's input). Files that are computed from
 * others of the model are not part of it: the label vectors are floating-point results, which may differ in the last bits
 * from one processor to another, and nodes that differ so little can compare vectors.
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

/** How one vector comes out of an output: `none`: it is one (1×D, 1×D×1×1); else 1×T×D, of which the first or the mean. */
export type Pooling = 'none' | 'cls' | 'mean'

/** The network that makes an image's vector. Input: float32, 1×3×size×size; a batch of one. */
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
  /** `cover`: the middle of the image, scaled to fill the square; `squash`: all of it, its proportions given up. */
  readonly resize: 'cover' | 'squash'
  /** Numbers in the vector. */
  readonly dimension: number
  /** A second output of `count` probabilities, one per label. */
  readonly classes?: { readonly outputName: string; readonly count: number }
}

/** How the tokens of a text become the input of a network: int64, 1×T, each input present only where the network has it. */
export interface TextNetworkSpec {
  readonly inputNames: { readonly ids: string; readonly mask?: string; readonly types?: string }
  readonly outputName: string
  readonly pooling: Pooling
  /** Longer texts are cut off; the text models of CLIP know 77. */
  readonly tokensMax: number
  /** Texts are filled up to `tokensMax` with this token, where the network takes no other length. */
  readonly padToken?: number
  readonly dimension: number
}

/** Texts and images share one space, `image`, as with CLIP: `dimension` is the image side's. */
export interface TextEncoder extends TextNetworkSpec {
  readonly kind: 'encoder'
}

/**
 * An image gets a second vector, in the space `text`: the sum over its `top` most probable classes of probability × label
 * vector, brought to unit length.
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
  /** Computed here from other files of the model, so no part of its identity. */
  readonly derived?: true
}

/** All of a model but its identity, which follows from the rest. */
export interface ModelDescription {
  readonly name: string
  readonly image: ImageSide
  /** Undefined: searching by words is not possible. */
  readonly text?: TextSide
  /** For people: whose weights these are and on what terms. */
  readonly licence: string
  /** For people: where they come from. */
  readonly source: string
  /** Sorted by name. */
  readonly files: readonly ModelFile[]
}

export interface ModelSpec extends ModelDescription {
  readonly format: typeof MODEL_FORMAT
  /** Lower-case hex of 32 bytes. */
  readonly digest: string
  /** The first 16 digits of `digest`: what stands in vectors, index headers and messages. */
  readonly id: ModelId
}

/** A model whose files are there and intact. Plain data: it can be sent to a worker or another process. */
export interface LoadedModel {
  readonly spec: ModelSpec
  /** The folder that holds the files. */
  readonly folder: string
}

/** @returns where a file of the model lies */
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
