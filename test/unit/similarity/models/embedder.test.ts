import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Space } from '../../../../src/domain/features.js'
import { Embedder } from '../../../../src/similarity/models/embedder.js'
import { imageInput } from '../../../../src/similarity/models/image-network.js'
import { LabelVectors } from '../../../../src/similarity/models/label-vectors.js'
import {
  type ImageSide,
  identifyModel,
  type LoadedModel,
  type TextConcepts,
  type TextEncoder
} from '../../../../src/similarity/models/model-spec.js'
import { pool, toUnit } from '../../../../src/similarity/models/network.js'
import { TextNetwork } from '../../../../src/similarity/models/text-network.js'
import { ThreadedEmbedder } from '../../../../src/similarity/models/threaded-embedder.js'
import {
  plainPixels,
  SMALL_DIMENSION,
  SMALL_IMAGE_SIDE,
  SMALL_TEXT_SIDE,
  smallImageNetwork,
  smallTextNetwork,
  smallTokenizer,
  smallTokenizerConfig
} from '../../../support/small-models.js'
import { temporaryDirectory } from '../../../support/temporary-directory.js'

const CONCEPTS: TextConcepts = {
  ...SMALL_TEXT_SIDE,
  kind: 'concepts',
  prompt: '{}',
  top: 2
}

async function loaded(files: Record<string, Uint8Array | string>, image: ImageSide, text?: TextEncoder | TextConcepts) {
  const folder = await temporaryDirectory()
  const all: Record<string, Uint8Array | string> = {
    'image.onnx': smallImageNetwork({ classes: image.classes !== undefined }),
    'text.onnx': smallTextNetwork(),
    'tokenizer.json': smallTokenizer(),
    'tokenizer_config.json': smallTokenizerConfig(),
    ...files
  }
  for (const [name, content] of Object.entries(all)) await writeFile(join(folder, name), content)
  const description = { name: 'small', image, ...(text ? { text } : {}), licence: '', source: '', files: [] }
  return { spec: identifyModel(description), folder } satisfies LoadedModel
}

const rounded = (vector: Float32Array | undefined): number[] =>
  Array.from(vector ?? [], number => Math.round(1_000 * number) / 1_000)

describe('one space for images and texts', () => {
  test('images and texts of one color match, and carry the model digest', async () => {
    const model = await loaded({}, SMALL_IMAGE_SIDE, SMALL_TEXT_SIDE)
    const embedder = await Embedder.load(model)
    const features = await embedder.image(plainPixels(200, 0, 0))
    expect(features.modelDigest).toBe(model.spec.digest)
    expect(Array.from(features.vectors.keys())).toEqual<Space[]>(['image'])
    const length = Math.sqrt(1 + 1 / 9)
    const red = [1 / length, 0, 0, 1 / 3 / length].map(number => Math.round(1_000 * number) / 1_000)
    expect(rounded(features.vectors.get('image'))).toEqual(red)
    const text = await embedder.text('RED')
    expect(text.space).toBe('image')
    expect(rounded(text.vector)).toEqual(red)
    await embedder.release()
  })

  test('without a text side, texts are refused', async () => {
    const embedder = await Embedder.load(await loaded({}, SMALL_IMAGE_SIDE))
    await expect(embedder.text('red')).rejects.toMatchObject({ code: 'ERR_TEXT_SEARCH_UNAVAILABLE' })
    await embedder.release()
  })

  test('an image with a zero vector is refused: all black, when black is zero', async () => {
    const embedder = await Embedder.load(await loaded({}, SMALL_IMAGE_SIDE))
    await expect(embedder.image(plainPixels(0, 0, 0))).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
    await embedder.release()
  })
})

describe('concepts', () => {
  const classes = { outputName: 'classes', count: 3 }

  test('the most probable labels are weighted by their probability', async () => {
    const labels = LabelVectors.encode(
      [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0]
      ].map(v => Float32Array.from(v))
    )
    const embedder = await Embedder.load(
      await loaded({ 'labels.f32': labels }, { ...SMALL_IMAGE_SIDE, classes }, CONCEPTS)
    )
    const { vectors } = await embedder.image(plainPixels(255, 204, 178))
    // logits 10, 8, 7: the third is not among the two that count
    const [one, two] = [1, Math.exp(-2)]
    const length = Math.hypot(one, two)
    expect(rounded(vectors.get('text'))).toEqual(rounded(Float32Array.of(one / length, two / length, 0, 0)))
    expect((await embedder.text('green')).space).toBe('text')
    await embedder.release()
  })

  test('a wrong number of label vectors is refused', async () => {
    const labels = new Uint8Array(4 * SMALL_DIMENSION * 2)
    const model = await loaded({ 'labels.f32': labels }, { ...SMALL_IMAGE_SIDE, classes }, CONCEPTS)
    await expect(Embedder.load(model)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
  })
})

describe('in a thread of its own', () => {
  test('images and texts give the same vectors, each to its caller', async () => {
    const model = await loaded({}, SMALL_IMAGE_SIDE, SMALL_TEXT_SIDE)
    const [here, there] = [await Embedder.load(model), await ThreadedEmbedder.load(model)]
    const pictures = [plainPixels(200, 0, 0), plainPixels(0, 200, 0), plainPixels(0, 0, 200)]
    const ask = async (embedder: Pick<Embedder, 'image' | 'text'>): Promise<unknown> =>
      Promise.all([...pictures.map(pixels => embedder.image(pixels)), embedder.text('red')])
    expect(await ask(there)).toEqual(await ask(here))
    await Promise.all([here.release(), there.release()])
  })

  test('an error keeps its code, and the next call is answered', async () => {
    const embedder = await ThreadedEmbedder.load(await loaded({}, SMALL_IMAGE_SIDE))
    await expect(embedder.text('red')).rejects.toMatchObject({ code: 'ERR_TEXT_SEARCH_UNAVAILABLE' })
    await expect(embedder.image(plainPixels(0, 0, 0))).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
    expect((await embedder.image(plainPixels(200, 0, 0))).vectors.has('image')).toBe(true)
    await embedder.release()
  })

  test('a model that cannot be loaded is refused', async () => {
    const { spec } = await loaded({}, SMALL_IMAGE_SIDE)
    const elsewhere = ThreadedEmbedder.load({ spec, folder: await temporaryDirectory() })
    await expect(elsewhere).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
  })
})

describe('pixels', () => {
  const side = { ...SMALL_IMAGE_SIDE, size: 1, mean: [10, 20, 30], std: [2, 4, 8] } as const
  test('become planes, minus the mean, divided by the deviation', () => {
    expect(Array.from(imageInput(side, Uint8Array.of(12, 28, 46)))).toEqual([1, 2, 2])
  })
  test('blue comes first for a BGR network; mean and deviation are in its order', () => {
    expect(Array.from(imageInput({ ...side, channels: 'bgr' }, Uint8Array.of(46, 28, 12)))).toEqual([1, 2, 2])
  })
  test('of each plane are contiguous', () => {
    const pixels = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    const input = imageInput({ ...SMALL_IMAGE_SIDE, size: 2, std: [1, 1, 1] }, pixels)
    expect(Array.from(input)).toEqual([1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12])
  })
})

describe('texts', () => {
  const vectorOf = async (text: string, files: Record<string, Uint8Array>, spec: TextEncoder) => {
    const network = await TextNetwork.load(await loaded(files, SMALL_IMAGE_SIDE, spec))
    const vector = await network.embed(text)
    await network.release()
    return rounded(vector)
  }
  const unit = (...numbers: number[]) => rounded(toUnit(Float32Array.from(numbers)))
  const third = 1 / 3

  test('use the mean, or the first, of one vector per token', async () => {
    const files = { 'text.onnx': smallTextNetwork({ output: 'last_hidden_state' }) }
    const spec = { ...SMALL_TEXT_SIDE, outputName: 'last_hidden_state', pooling: 'mean' } as const
    expect(await vectorOf('red green', files, spec)).toEqual(unit(1, 1, 0, 2 * third))
    expect(await vectorOf('red green', files, { ...spec, pooling: 'cls' })).toEqual(unit(1, 0, 0, third))
  })

  test('that are too long keep their beginning and last token', async () => {
    const spec = { ...SMALL_TEXT_SIDE, tokensMax: 3 }
    expect(await vectorOf('red red green green green blue', {}, spec)).toEqual(unit(2, 0, 1, 1))
    expect(await vectorOf('red red blue', {}, spec)).toEqual(unit(2, 0, 1, 1))
  })

  test('without tokens for some words skip them; without any they are refused', async () => {
    const files = { 'tokenizer_config.json': Buffer.from('{}') }
    expect(await vectorOf('unheard red', files, SMALL_TEXT_SIDE)).toEqual(unit(1, 0, 0, third))
    await expect(vectorOf('unheard', files, SMALL_TEXT_SIDE)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  })

  test('are padded for a network of one length', async () => {
    const files = { 'text.onnx': smallTextNetwork({ tokens: 4 }) }
    expect(await vectorOf('red', files, { ...SMALL_TEXT_SIDE, tokensMax: 4, padToken: 1 })).toEqual(
      unit(1, 0, 0, third)
    )
    await expect(vectorOf('red', files, SMALL_TEXT_SIDE)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
  })

  test.each([
    ['no JSON', 'nonsense'],
    ['no tokenizer', '{"model":{"type":"Unheard"}}'],
    ['no object', '3']
  ])('a tokenizer file that holds %s is refused', async (_what, content) => {
    const model = await loaded({ 'tokenizer.json': content }, SMALL_IMAGE_SIDE, SMALL_TEXT_SIDE)
    await expect(TextNetwork.load(model)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
  })
})

test('outputs of other shapes are refused', () => {
  const data = new Float32Array(8)
  expect(pool({ data, dims: [1, 8, 1, 1] }, 'none')).toHaveLength(8)
  for (const dims of [[8], [2, 4], [1, 2, 4]]) {
    expect(() => pool({ data, dims }, 'none')).toThrow(/one vector/)
  }
  for (const dims of [
    [1, 8],
    [2, 2, 2],
    [1, 0, 8]
  ]) {
    expect(() => pool({ data, dims }, 'mean')).toThrow(/per token/)
  }
})
