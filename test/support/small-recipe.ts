import { hash } from 'node:crypto'
import { referencePixels } from '../../src/similarity/models/reference-image.js'
import type { ModelRecipe } from '../../src/similarity/models/registry.js'
import { convertTfjsLayers, type TfjsLayersModel } from '../../src/similarity/onnx/from-tfjs-layers.js'
import { integrityOf, npmTarball } from './model-registry.js'
import {
  SMALL_DIMENSION,
  SMALL_IMAGE_SIDE,
  SMALL_SIZE,
  smallTextNetwork,
  smallTokenizer,
  smallTokenizerConfig
} from './small-models.js'

const LABELS = ['a_red', 'a_green', 'a_blue'] as const

/** A recipe like those of the registry, for a model of a few hundred bytes that sees colours. */
export interface SmallRecipe {
  readonly recipe: ModelRecipe
  /** The packages' tarballs by their paths on a registry. */
  readonly files: Readonly<Record<string, Uint8Array>>
}

export async function smallRecipe(name = 'small'): Promise<SmallRecipe> {
  const weights = [
    { name: 'conv/kernel', shape: [1, 1, 3, 4], data: [1, 0, 0, 1 / 3, 0, 1, 0, 1 / 3, 0, 0, 1, 1 / 3] },
    { name: 'head/kernel', shape: [4, 3], data: [9, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0] }
  ]
  const shard = Buffer.from(Float32Array.from(weights.flatMap(({ data }) => data)).buffer)
  const layer = (layerName: string, class_name: string, inputs: readonly string[], config: object) => ({
    name: layerName,
    class_name,
    config,
    inbound_nodes: inputs.length === 0 ? [] : [inputs.map(input => [input, 0, 0] as const)]
  })
  const layers = [
    layer('image', 'InputLayer', [], { batch_input_shape: [null, SMALL_SIZE, SMALL_SIZE, 3] }),
    layer('conv', 'Conv2D', ['image'], { padding: 'valid' }),
    layer('mean', 'GlobalAveragePooling2D', ['conv'], {}),
    layer('head', 'Dense', ['mean'], { activation: 'softmax' })
  ]
  const model: TfjsLayersModel = {
    modelTopology: { model_config: { config: { layers } } },
    weightsManifest: [{ paths: ['shard.bin'], weights: weights.map(weight => ({ ...weight, dtype: 'float32' })) }]
  }
  const copied = {
    'text.onnx': smallTextNetwork(),
    'tokenizer.json': smallTokenizer(),
    'tokenizer_config.json': smallTokenizerConfig()
  }
  const images = await npmTarball({
    'README.md': 'not wanted',
    'net/model.json': JSON.stringify(model),
    'net/shard.bin': shard,
    'labels.txt': `${LABELS.join('\n')}\n`
  })
  const words = await npmTarball(
    Object.fromEntries(Object.entries(copied).map(([file, bytes]) => [`m/${file}`, bytes]))
  )
  const sha256 = (bytes: Uint8Array | string): string => hash('sha256', bytes)
  const recipe: ModelRecipe = {
    name,
    packages: [
      { name: '@small/images', version: '1.0.0', integrity: integrityOf(images), bytes: images.length },
      { name: 'words', version: '2.0.0', integrity: integrityOf(words), bytes: words.length }
    ],
    network: { package: '@small/images', path: 'net/model.json', format: 'tfjs-layers' },
    labels: { package: '@small/images', path: 'labels.txt', format: 'lines' },
    copiedFiles: Object.fromEntries(Object.keys(copied).map(file => [file, { package: 'words', path: `m/${file}` }])),
    image: {
      ...SMALL_IMAGE_SIDE,
      classes: { outputName: 'classes', count: LABELS.length }
    },
    text: {
      kind: 'concepts',
      inputNames: { ids: 'input_ids' },
      outputName: 'text_embeds',
      pooling: 'none',
      tokensMax: 8,
      dimension: SMALL_DIMENSION,
      prompt: 'a photo of {}',
      top: 2
    },
    sha256: {
      ...Object.fromEntries(Object.entries(copied).map(([file, bytes]) => [file, sha256(bytes)])),
      'image.onnx': sha256(convertTfjsLayers(model, new Map([['shard.bin', shard]]), { classes: true })),
      'labels.json': sha256(JSON.stringify(['a red', 'a green', 'a blue']))
    },
    reference: meanColours(),
    licence: 'L',
    source: 'S'
  }
  return { recipe, files: { '/@small/images/-/images-1.0.0.tgz': images, '/words/-/words-2.0.0.tgz': words } }
}

/** What the network gives for the reference image, by its definition. */
function meanColours(): number[] {
  const sums = [0, 0, 0]
  for (const [at, byte] of referencePixels(SMALL_SIZE).entries()) sums[at % 3]! += byte / 255 / SMALL_SIZE ** 2
  return [...sums, sums.reduce((a, b) => a + b, 0) / 3]
}
