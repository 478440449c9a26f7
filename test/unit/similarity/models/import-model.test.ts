import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../../../../src/core/node-file-system.js'
import { Embedder } from '../../../../src/similarity/models/embedder.js'
import { type ImageHints, type ImportInit, importModel } from '../../../../src/similarity/models/import-model.js'
import { identifyModel } from '../../../../src/similarity/models/model-spec.js'
import { OnnxGraph } from '../../../../src/similarity/onnx/onnx-graph.js'
import {
  plainPixels,
  SMALL_DIMENSION,
  SMALL_IMAGE_SIDE,
  smallImageNetwork,
  smallTextNetwork,
  smallTokenizer,
  smallTokenizerConfig
} from '../../../support/small-models.js'
import { temporaryDirectory } from '../../../support/temporary-directory.js'

const HINTS: ImageHints = { mean: [0, 0, 0], std: [255, 255, 255], channels: 'rgb', resize: 'squash' }

interface Given {
  readonly network?: Uint8Array | string
  readonly image?: Partial<ImageHints>
  readonly textNetwork?: Uint8Array
  readonly text?: Partial<NonNullable<ImportInit['text']>>
  readonly config?: string
}

async function imported(given: Given = {}) {
  const sources = await temporaryDirectory()
  const folder = join(sources, 'model')
  await mkdir(folder)
  const file = async (name: string, content: Uint8Array | string): Promise<string> => {
    await writeFile(join(sources, name), content)
    return join(sources, name)
  }
  const image = { ...HINTS, ...given.image, file: await file('vision.onnx', given.network ?? smallImageNetwork()) }
  const init: ImportInit = { name: 'mine', licence: 'L', source: 'S', image, folder }
  if (given.textNetwork === undefined) return { folder, run: () => importModel({ fileSystem: nodeFileSystem }, init) }
  const text = {
    file: await file('words.onnx', given.textNetwork),
    tokenizer: await file('tokenizer.json', smallTokenizer()),
    tokenizerConfig: await file('config.json', given.config ?? smallTokenizerConfig()),
    ...given.text
  }
  return { folder, run: () => importModel({ fileSystem: nodeFileSystem }, { ...init, text }) }
}

const result = async (given: Given) => (await imported(given)).run()
const refusal = async (given: Given) =>
  await result(given).then(
    () => 'accepted',
    err => `${err.code}: ${err.message}`
  )

test('the properties of an image network are read from its file', async () => {
  const { folder, run } = await imported()
  const { image, files, name } = await run()
  expect(name).toBe('mine')
  expect(image).toEqual({
    ...SMALL_IMAGE_SIDE,
    resize: 'squash'
  })
  expect(files.map(file => file.name)).toEqual(['image.onnx'])
  expect(await readdir(folder)).toEqual(['image.onnx'])
})

test('a network like ViT: one vector per token, images of any size', async () => {
  const network = smallImageNetwork({ output: 'last_hidden_state', shape: ['N', 3, 'H', 'W'] })
  expect((await result({ network })).image).toMatchObject({ pooling: 'cls', size: 224, dimension: SMALL_DIMENSION })
  const told = await result({ network, image: { pooling: 'mean', size: 32 } })
  expect(told.image).toMatchObject({ pooling: 'mean', size: 32 })
})

test('a pair like CLIP finds images by text', async () => {
  const { folder, run } = await imported({ textNetwork: smallTextNetwork() })
  const description = await run()
  expect(description.text).toMatchObject({ kind: 'encoder', outputName: 'text_embeds', pooling: 'none', tokensMax: 16 })
  expect(await readdir(folder)).toEqual(['image.onnx', 'text.onnx', 'tokenizer.json', 'tokenizer_config.json'])
  const embedder = await Embedder.load({ spec: identifyModel(description), folder })
  const { vector } = await embedder.text('a green photo')
  const similarity = async (red: number, green: number) => {
    const image = (await embedder.image(plainPixels(red, green, 0))).vectors.get('image')!
    return image.reduce((sum, value, i) => sum + value * vector[i]!, 0)
  }
  expect(await similarity(10, 250)).toBeGreaterThan(0.9)
  expect(await similarity(250, 10)).toBeLessThan(0.6)
  await embedder.release()
})

test('a text network of one length, and one with one vector per token', async () => {
  const fixed = await result({ textNetwork: smallTextNetwork({ tokens: 5 }) })
  expect(fixed.text).toMatchObject({ tokensMax: 5, padToken: 1 })
  const tokens = await result({
    textNetwork: smallTextNetwork({ output: 'last_hidden_state' }),
    config: '{"unk_token":"[UNK]"}'
  })
  expect(tokens.text).toMatchObject({ pooling: 'mean', tokensMax: 77 })
})

/** A handmade graph, for invalid networks. */
function graph(build: (graph: OnnxGraph) => void): Uint8Array {
  const made = new OnnxGraph()
  build(made)
  return made.finish()
}

const constant = graph(made => {
  const input = made.input('input', ['N', 3, 8, 8])
  const nothing = made.node('Mul', [made.node('GlobalAveragePool', [input]), made.scalar(0)])
  made.output('embedding', made.node('Flatten', [made.node('Add', [nothing, made.scalar(1)])], { axis: 1 }), ['N', 3])
})
const infinite = graph(made => {
  const input = made.input('input', ['N', 3, 8, 8])
  const pool = made.node('GlobalAveragePool', [input])
  made.output('embedding', made.node('Flatten', [made.node('Div', [pool, made.scalar(0)])], { axis: 1 }), ['N', 3])
})
const twoOutputs = graph(made => {
  const pool = made.node('GlobalAveragePool', [made.input('input', ['N', 3, 8, 8])])
  for (const name of ['this', 'that']) made.output(name, made.node('Flatten', [pool], { axis: 1 }), ['N', 3])
})
const huge = graph(made => {
  const input = made.input('input', ['N', 3, 40, 40])
  made.output('embedding', made.node('Flatten', [input], { axis: 1 }), ['N', 4_800])
})

test.each<[string, Given, RegExp]>([
  ['no network at all', { network: 'nonsense' }, /ERR_MODEL_INVALID.*cannot be loaded/],
  ['the channels last', { network: smallImageNetwork({ shape: ['N', 8, 8, 3] }) }, /channels first/],
  ['no square', { network: smallImageNetwork({ shape: ['N', 3, 8, 4] }) }, /8×4; only square|4×8; only square/],
  ['another size', { image: { size: 9 } }, /only images of 8×8/],
  ['a fixed batch', { network: smallImageNetwork({ shape: [2, 3, 8, 8] }) }, /batches of 2/],
  ['the same vector for every image', { network: constant }, /same vector/],
  ['infinite numbers', { network: infinite }, /not finite/],
  ['too many numbers', { network: huge }, /4800 numbers; .*4096/],
  ['two outputs', { network: twoOutputs }, /name one of this \(float32 N×3\), that/],
  ['an unheard output', { image: { outputName: 'elsewhere' } }, /no output elsewhere; name one of embedding/],
  ['a pooling for another output', { image: { pooling: 'cls' } }, /per token/],
  ['a text network for images', { network: smallTextNetwork() }, /one input, float32/],
  ['an image network for texts', { textNetwork: smallImageNetwork() }, /input_ids/],
  ['words of another space', { textNetwork: smallTextNetwork({ dimension: 3 }) }, /3 numbers, .*4: .*belong together/],
  [
    'a file that is not there',
    { textNetwork: smallTextNetwork(), text: { file: '/nowhere/x.onnx' } },
    /ERR_USAGE.*nowhere/
  ]
])('%s: refused with the reason', async (_what, given, reason) => {
  expect(await refusal(given)).toMatch(reason)
})

test('of two outputs the named one is used', async () => {
  expect((await result({ network: twoOutputs, image: { outputName: 'that' } })).image.outputName).toBe('that')
})
