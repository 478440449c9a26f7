import type { ImageSide, TextEncoder } from '../../src/similarity/models/model-spec.js'
import { OnnxGraph } from '../../src/similarity/onnx/onnx-graph.js'

/*
 * Networks of a few hundred bytes that see colours: an image's vector is its mean red, green and blue and the mean of the
 * three; the words red, green and blue have the vectors of images of these colours.
 */

/** Side of their input in pixels. */
export const SMALL_SIZE = 8
export const SMALL_DIMENSION = 4
/** Of `smallImageNetwork`. */
export const SMALL_IMAGE_SIDE: ImageSide = {
  inputName: 'input',
  outputName: 'embedding',
  pooling: 'none',
  size: SMALL_SIZE,
  layout: 'nchw',
  channels: 'rgb',
  mean: [0, 0, 0],
  std: [255, 255, 255],
  resize: 'cover',
  dimension: SMALL_DIMENSION
}
/** Of `smallTextNetwork`. */
export const SMALL_TEXT_SIDE: TextEncoder = {
  kind: 'encoder',
  inputNames: { ids: 'input_ids' },
  outputName: 'text_embeds',
  pooling: 'none',
  tokensMax: 8,
  dimension: SMALL_DIMENSION
}
/** Of the head of classes. */
const SMALL_LABELS = ['red', 'green', 'blue'] as const

const THIRD = 1 / 3
const SEEN = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, THIRD, THIRD, THIRD)
const VOCABULARY = ['[UNK]', '[PAD]', 'red', 'green', 'blue', 'a', 'photo', 'of'] as const
const WORD_VECTORS: Readonly<Record<string, readonly number[]>> = {
  red: [1, 0, 0, THIRD],
  green: [0, 1, 0, THIRD],
  blue: [0, 0, 1, THIRD],
  photo: [0, 0, 0, THIRD]
}
/** Words without a colour. */
const NO_COLOUR = [0.1, 0.1, 0.1, 0.1] as const

export interface SmallImageNetwork {
  readonly classes?: boolean
  /** Of the output; `last_hidden_state` gives 1×2×4: the vector, and zeros. */
  readonly output?: string
  /** As `[batch, channels, height, width]`. */
  readonly shape?: readonly (number | string)[]
}

export function smallImageNetwork({
  classes = false,
  output = 'embedding',
  shape = ['N', 3, SMALL_SIZE, SMALL_SIZE]
}: SmallImageNetwork = {}): Uint8Array {
  const graph = new OnnxGraph()
  const input = graph.input('input', shape)
  const kernel = graph.constant([SMALL_DIMENSION, 3, 1, 1], SEEN)
  const pooled = graph.node('GlobalAveragePool', [graph.node('Conv', [input, kernel])])
  const row = graph.node('Flatten', [pooled], { axis: 1 })
  if (output === 'last_hidden_state') {
    const two = graph.constant([3], BigInt64Array.of(-1n, 1n, BigInt(SMALL_DIMENSION)))
    const token = graph.node('Reshape', [row, two])
    const nothing = graph.node('Sub', [token, token])
    graph.output(output, graph.node('Concat', [token, nothing], { axis: 1 }), ['N', 2, SMALL_DIMENSION])
  } else graph.output(output, row, ['N', SMALL_DIMENSION])
  if (classes) {
    const weights = Float32Array.from([0, 1, 2, 3].flatMap(i => [0, 1, 2].map(label => (i === label ? 10 : 0))))
    const logits = graph.node('MatMul', [row, graph.constant([SMALL_DIMENSION, SMALL_LABELS.length], weights)])
    graph.output('classes', graph.node('Softmax', [logits], { axis: 1 }), ['N', SMALL_LABELS.length])
  }
  return graph.finish()
}

export interface SmallTextNetwork {
  /** `text_embeds` gives the mean over the tokens, `last_hidden_state` a vector for each of them. */
  readonly output?: 'text_embeds' | 'last_hidden_state'
  /** Undefined: any. */
  readonly tokens?: number
  /** Numbers in its vectors. */
  readonly dimension?: number
}

export function smallTextNetwork({
  output = 'text_embeds',
  tokens,
  dimension = SMALL_DIMENSION
}: SmallTextNetwork = {}): Uint8Array {
  const graph = new OnnxGraph()
  const ids = graph.input('input_ids', ['N', tokens ?? 'T'], 'int64')
  const rows = VOCABULARY.flatMap(word => {
    const vector = word === '[PAD]' ? [0, 0, 0, 0] : (WORD_VECTORS[word] ?? NO_COLOUR)
    return Array.from({ length: dimension }, (_, i) => vector[i] ?? 0)
  })
  const table = graph.constant([VOCABULARY.length, dimension], Float32Array.from(rows))
  const all = graph.node('Gather', [table, ids])
  if (output === 'last_hidden_state') graph.output(output, all, ['N', 'T', dimension])
  else graph.output(output, graph.node('ReduceMean', [all], { axes: [1], keepdims: 0 }), ['N', dimension])
  return graph.finish()
}

/** `tokenizer.json`: a token for each word. */
export function smallTokenizer(): string {
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(VOCABULARY.map((word, id) => [word, id])),
      unk_token: '[UNK]'
    }
  })
}

/** `tokenizer_config.json`. */
export function smallTokenizerConfig(): string {
  return JSON.stringify({ unk_token: '[UNK]', pad_token: '[PAD]', model_max_length: 16 })
}

/** @returns the pixels of an image of one colour, as networks take them */
export function plainPixels(red: number, green: number, blue: number, size = SMALL_SIZE): Uint8Array {
  return Uint8Array.from({ length: 3 * size * size }, (_, at) => [red, green, blue][at % 3] as number)
}
