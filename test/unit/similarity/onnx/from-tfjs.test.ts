import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { convertTfjsGraph, type TfjsNode } from '../../../../src/similarity/onnx/from-tfjs-graph.js'
import { convertTfjsLayers, type TfjsLayer } from '../../../../src/similarity/onnx/from-tfjs-layers.js'
import { readTfjsWeights, type TfjsWeightGroup } from '../../../../src/similarity/onnx/tfjs-weights.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import {
  add,
  convolve,
  dense,
  globalMean,
  type Image,
  map,
  maxPool,
  relu,
  relu6,
  softmax,
  zeroPad
} from './naive-layers.js'
import { expectClose, randomImage, randomNumbers, runOnnx } from './run-onnx.js'

/** Float32 weights, split into two files inside a weight. */
function packed(weights: Readonly<Record<string, { shape: readonly number[]; data: readonly number[] }>>) {
  const all = Buffer.from(Float32Array.from(Object.values(weights).flatMap(({ data }) => data)).buffer)
  const cut = Math.min(7, all.length)
  const manifest: readonly TfjsWeightGroup[] = [
    {
      paths: ['shard1.bin', 'shard2.bin'],
      weights: Object.entries(weights).map(([name, { shape }]) => ({ name, shape, dtype: 'float32' }))
    }
  ]
  return {
    manifest,
    files: new Map([
      ['shard1.bin', all.subarray(0, cut)],
      ['shard2.bin', all.subarray(cut)]
    ])
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('graph models', () => {
  const strides = (y: number, x: number) => ({ list: { i: ['1', `${y}`, `${x}`, '1'] } })

  function model(random: SeededRandom) {
    const weights = {
      two: { shape: [], data: [2] },
      one: { shape: [], data: [1] },
      kernel: { shape: [3, 3, 3, 4], data: randomNumbers(random, 3 * 3 * 3 * 4) },
      bias: { shape: [4], data: randomNumbers(random, 4) },
      depthwise: { shape: [2, 3, 4, 2], data: randomNumbers(random, 2 * 3 * 8) },
      offset: { shape: [8], data: randomNumbers(random, 8) },
      axes: { shape: [2], data: [1, 2] }
    }
    const nodes: readonly TfjsNode[] = [
      ...Object.keys(weights).map(name => ({ name, op: 'Const' })),
      { name: 'images', op: 'Placeholder' },
      { name: 'times', op: 'Mul', input: ['images', 'two'] },
      { name: 'minus', op: 'Sub', input: ['times', 'one'] },
      {
        name: 'first',
        op: '_FusedConv2D',
        input: ['minus', 'kernel', 'bias'],
        attr: {
          strides: strides(2, 1),
          padding: { s: base64('SAME') },
          fused_ops: { list: { s: [base64('BiasAdd'), base64('Relu6')] } }
        }
      },
      {
        name: 'second',
        op: 'DepthwiseConv2dNative',
        input: ['first:0', 'depthwise'],
        attr: { strides: strides(1, 2), padding: { s: base64('VALID') } }
      },
      { name: 'shifted', op: 'BiasAdd', input: ['second', 'offset'] },
      { name: 'active', op: 'Relu', input: ['shifted'] },
      { name: 'same', op: 'Identity', input: ['active'] },
      { name: 'pool', op: 'Mean', input: ['same', 'axes'] },
      { name: 'head', op: 'Softmax', input: ['pool'] }
    ]
    return { weights, nodes }
  }

  function expected({ weights }: ReturnType<typeof model>, image: Image): number[] {
    const { kernel, bias, depthwise, offset } = weights
    const first = convolve(
      map(image, value => 2 * value - 1),
      {
        kernelHeight: 3,
        kernelWidth: 3,
        outputs: 4,
        weight: (y, x, i, o) => kernel.data[((y * 3 + x) * 3 + i) * 4 + o]!,
        bias: bias.data,
        stride: [2, 1],
        padding: 'same'
      }
    )
    const second = convolve(map(first, relu6), {
      kernelHeight: 2,
      kernelWidth: 3,
      outputs: 8,
      depthwise: true,
      weight: (y, x, _, o) => depthwise.data[(y * 3 + x) * 8 + o]!,
      stride: [1, 2],
      padding: 'valid'
    })
    return globalMean(map(second, (value, channel) => relu(value + offset.data[channel]!)))
  }

  test.each([1, 2, 3])('computes the same as the original, up to its mean, seed %i', async seed => {
    const random = new SeededRandom(seed)
    const built = model(random)
    const { manifest, files } = packed(built.weights)
    const image = randomImage(random, 8, 8)
    const source = { modelTopology: { node: built.nodes }, weightsManifest: manifest }
    const outputs = await runOnnx(convertTfjsGraph(source, files, { size: 8 }), image)
    expect(Object.keys(outputs)).toEqual(['embedding'])
    expectClose(outputs.embedding, expected(built, image))
  })

  test.each<[string, (node: TfjsNode) => TfjsNode]>([
    ['an operator', node => (node.name === 'active' ? { ...node, op: 'Elu' } : node)],
    ['a node without its input', node => (node.name === 'active' ? { ...node, input: ['nowhere'] } : node)],
    ['a circle', node => (node.name === 'first' ? { ...node, input: ['active', 'kernel', 'bias'] } : node)],
    ['no mean', node => (node.name === 'pool' ? { ...node, op: 'Softmax' } : node)],
    ['a mean over other axes', node => (node.name === 'pool' ? { ...node, input: ['same', 'offset'] } : node)],
    ['a convolution fused with something', node => fusedWith(node, 'Elu')]
  ])('it refuses %s', (_what, change) => {
    const { weights, nodes } = model(new SeededRandom(4))
    const { manifest, files } = packed(weights)
    const source = { modelTopology: { node: nodes.map(change) }, weightsManifest: manifest }
    expect(() => convertTfjsGraph(source, files, { size: 8 })).toThrow(SheafError)
  })

  function fusedWith(node: TfjsNode, operation: string): TfjsNode {
    if (node.name !== 'first') return node
    return { ...node, attr: { ...node.attr, fused_ops: { list: { s: [base64('BiasAdd'), base64(operation)] } } } }
  }
})

describe('layers models', () => {
  function model(random: SeededRandom) {
    const weights = {
      'conv/kernel': { shape: [3, 2, 3, 4], data: randomNumbers(random, 3 * 2 * 3 * 4) },
      'conv/bias': { shape: [4], data: randomNumbers(random, 4) },
      'norm/gamma': { shape: [4], data: randomNumbers(random, 4) },
      'norm/beta': { shape: [4], data: randomNumbers(random, 4) },
      'norm/moving_mean': { shape: [4], data: randomNumbers(random, 4) },
      'norm/moving_variance': { shape: [4], data: randomNumbers(random, 4).map(value => value * value + 0.1) },
      'branch/kernel': { shape: [1, 1, 4, 4], data: randomNumbers(random, 16) },
      'head/kernel': { shape: [4, 5], data: randomNumbers(random, 20) },
      'head/bias': { shape: [5], data: randomNumbers(random, 5) }
    }
    const layer = (name: string, class_name: string, inputs: readonly string[], config = {}): TfjsLayer => ({
      name,
      class_name,
      config,
      inbound_nodes: inputs.length === 0 ? [] : [inputs.map(input => [input, 0, 0, {}] as const)]
    })
    const layers = [
      layer('image', 'InputLayer', [], { batch_input_shape: [null, 10, 9, 3] }),
      layer('pad', 'ZeroPadding2D', ['image'], {
        padding: [
          [1, 2],
          [3, 0]
        ]
      }),
      layer('conv', 'Conv2D', ['pad'], { strides: [2, 2], padding: 'valid', use_bias: true, activation: 'linear' }),
      layer('norm', 'BatchNormalization', ['conv'], { epsilon: 0.01 }),
      layer('active', 'Activation', ['norm'], { activation: 'relu' }),
      layer('pool', 'MaxPooling2D', ['active'], { pool_size: [2, 2], strides: [1, 1], padding: 'valid' }),
      layer('branch', 'Conv2D', ['pool'], { strides: [1, 1], padding: 'same', use_bias: false, activation: 'relu' }),
      layer('sum', 'Add', ['pool', 'branch']),
      layer('mean', 'GlobalAveragePooling2D', ['sum']),
      layer('head', 'Dense', ['mean'], { use_bias: true, activation: 'softmax' })
    ]
    return { weights, layers }
  }

  function expected({ weights }: ReturnType<typeof model>, image: Image) {
    const of = (name: keyof typeof weights): readonly number[] => weights[name].data
    const conv = convolve(zeroPad(image, [1, 2], [3, 0]), {
      kernelHeight: 3,
      kernelWidth: 2,
      outputs: 4,
      weight: (y, x, i, o) => of('conv/kernel')[((y * 2 + x) * 3 + i) * 4 + o]!,
      bias: of('conv/bias'),
      stride: [2, 2],
      padding: 'valid'
    })
    const normal = map(conv, (value, c) => {
      const scaled = (value - of('norm/moving_mean')[c]!) / Math.sqrt(of('norm/moving_variance')[c]! + 0.01)
      return relu(scaled * of('norm/gamma')[c]! + of('norm/beta')[c]!)
    })
    const pool = maxPool(normal, 2, 1)
    const branch = convolve(pool, {
      kernelHeight: 1,
      kernelWidth: 1,
      outputs: 4,
      weight: (_y, _x, i, o) => of('branch/kernel')[i * 4 + o]!,
      stride: [1, 1],
      padding: 'same'
    })
    const embedding = globalMean(add(pool, map(branch, relu)))
    const classes = softmax(dense(embedding, 5, (i, o) => of('head/kernel')[i * 5 + o]!, of('head/bias')))
    return { embedding, classes }
  }

  const source = (layers: readonly TfjsLayer[], weightsManifest: readonly TfjsWeightGroup[]) => ({
    modelTopology: { model_config: { config: { layers } } },
    weightsManifest
  })

  test.each([1, 2, 3])('computes the same as the original, seed %i', async seed => {
    const random = new SeededRandom(seed)
    const built = model(random)
    const { manifest, files } = packed(built.weights)
    const image = randomImage(random, 10, 9)
    const outputs = await runOnnx(convertTfjsLayers(source(built.layers, manifest), files, { classes: true }), image)
    const { embedding, classes } = expected(built, image)
    expectClose(outputs.embedding, embedding)
    expectClose(outputs.classes, classes)
    const short = await runOnnx(convertTfjsLayers(source(built.layers, manifest), files, { classes: false }), image)
    expect(Object.keys(short)).toEqual(['embedding'])
  })

  test.each<[string, (layer: TfjsLayer) => TfjsLayer]>([
    ['a layer', layer => (layer.name === 'active' ? { ...layer, class_name: 'Attention' } : layer)],
    ['an activation', layer => (layer.name === 'active' ? { ...layer, config: { activation: 'elu' } } : layer)],
    ['a layer without weights', layer => (layer.name === 'norm' ? { ...layer, name: 'other' } : layer)],
    ['no mean', layer => (layer.name === 'mean' ? { ...layer, class_name: 'Activation' } : layer)]
  ])('it refuses %s', (_what, change) => {
    const { weights, layers } = model(new SeededRandom(4))
    const { manifest, files } = packed(weights)
    expect(() => convertTfjsLayers(source(layers.map(change), manifest), files, { classes: true })).toThrow(SheafError)
  })
})

describe('weights', () => {
  const read = (bytes: Uint8Array, weight: TfjsWeightGroup['weights'][number]) =>
    readTfjsWeights([{ paths: ['w'], weights: [weight] }], new Map([['w', bytes]])).get(weight.name)

  test('quantized ones are dequantized', () => {
    const quantized = { name: 'w', shape: [3], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } }
    expect(read(Uint8Array.of(0, 1, 255), quantized)?.data).toEqual(Float32Array.of(-1, -0.5, 126.5))
    const sixteen = { ...quantized, quantization: { dtype: 'uint16', scale: 2, min: 1 } }
    expect(read(Uint8Array.of(1, 0, 0, 1, 0, 0), sixteen)?.data).toEqual(Float32Array.of(3, 513, 1))
    const half = { ...quantized, shape: [6], quantization: { dtype: 'float16' } }
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8400)
    const values = read(new Uint8Array(bits.buffer), half)?.data
    expect(Array.from(values ?? [])).toEqual([1, -2, 0.333251953125, 2 ** -24, 65504, -(2 ** -14)])
  })

  test('missing files and missing bytes are errors', () => {
    const weight = { name: 'w', shape: [2], dtype: 'float32' }
    expect(() => read(new Uint8Array(7), weight)).toThrow(SheafError)
    expect(() => readTfjsWeights([{ paths: ['v'], weights: [weight] }], new Map())).toThrow(SheafError)
    expect(() => read(new Uint8Array(8), { ...weight, dtype: 'complex64' })).toThrow(SheafError)
  })
})
