import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { convertTflite } from '../../../../src/similarity/onnx/from-tflite.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { type Fields, flatBuffer } from './flat-buffer.js'
import { convolve, globalMean, map, relu, relu6, softmax } from './naive-layers.js'
import { expectClose, randomImage, randomNumbers, runOnnx } from './run-onnx.js'

const CONVOLUTION = 3
const DEPTHWISE = 4
const AVERAGE_POOL = 1
const RESHAPE = 22
const SOFTMAX = 25

interface Operator {
  readonly code: number
  readonly inputs: readonly number[]
  readonly output: number
  readonly options?: Fields
}

/** @param tensors - their shapes, and weights of constant ones */
function tflite(
  tensors: readonly { readonly shape: readonly number[]; readonly data?: readonly number[]; readonly type?: number }[],
  operators: readonly Operator[]
): Uint8Array {
  const buffers: Fields[] = [{}]
  const tensorTables = tensors.map(({ shape, data, type = 0 }): Fields => {
    if (data !== undefined) buffers.push({ 0: { bytes: new Uint8Array(Float32Array.from(data).buffer) } })
    return { 0: { ints: shape }, 1: { byte: type }, 2: { int: data === undefined ? 0 : buffers.length - 1 } }
  })
  const codes = Array.from(new Set(operators.map(({ code }) => code)))
  const graph: Fields = {
    0: { tables: tensorTables },
    1: { ints: [0] },
    2: { ints: [operators.at(-1)!.output] },
    3: {
      tables: operators.map(({ code, inputs, output, options }) => ({
        0: { int: codes.indexOf(code) },
        1: { ints: inputs },
        2: { ints: [output] },
        ...(options === undefined ? {} : { 4: { table: options } })
      }))
    }
  }
  return flatBuffer({
    0: { int: 3 },
    1: { tables: codes.map(code => ({ 0: { byte: code }, 3: { int: code } })) },
    2: { tables: [graph] },
    4: { tables: buffers }
  })
}

/** Convolution 3×2 with steps of 2 and 1, depthwise 3×3 with two outputs per channel, mean, 1×1 convolution, softmax. */
function classifier(random: SeededRandom, padding: 'same' | 'valid') {
  const [one, two, head] = [
    randomNumbers(random, 4 * 3 * 2 * 3),
    randomNumbers(random, 3 * 3 * 8),
    randomNumbers(random, 5 * 8)
  ]
  const [oneBias, twoBias, headBias] = [randomNumbers(random, 4), randomNumbers(random, 8), randomNumbers(random, 5)]
  const image = randomImage(random, 9, 8)
  const first = convolve(image, {
    kernelHeight: 3,
    kernelWidth: 2,
    outputs: 4,
    weight: (y, x, i, o) => one[((o * 3 + y) * 2 + x) * 3 + i]!,
    bias: oneBias,
    stride: [2, 1],
    padding
  })
  const second = convolve(map(first, relu6), {
    kernelHeight: 3,
    kernelWidth: 3,
    outputs: 8,
    depthwise: true,
    weight: (y, x, _, o) => two[(y * 3 + x) * 8 + o]!,
    bias: twoBias,
    stride: [1, 2],
    padding
  })
  const embedding = globalMean(map(second, relu))
  const logits = embedding.length === 8 ? head : []
  const classes = softmax(
    headBias.map((bias, o) => bias + embedding.reduce((sum, value, i) => sum + value * logits[o * 8 + i]!, 0))
  )
  const pad = { byte: padding === 'same' ? 0 : 1 }
  const { height, width } = second
  const file = tflite(
    [
      { shape: [1, 9, 8, 3] },
      { shape: [4, 3, 2, 3], data: one },
      { shape: [4], data: oneBias },
      { shape: [1, first.height, first.width, 4] },
      { shape: [1, 3, 3, 8], data: two },
      { shape: [8], data: twoBias },
      { shape: [1, height, width, 8] },
      { shape: [1, 1, 1, 8] },
      { shape: [5, 1, 1, 8], data: head },
      { shape: [5], data: headBias },
      { shape: [1, 1, 1, 5] },
      { shape: [1, 5] },
      { shape: [1, 5] }
    ],
    [
      // options: padding, steps along width and height, activation
      {
        code: CONVOLUTION,
        inputs: [0, 1, 2],
        output: 3,
        options: { 0: pad, 1: { int: 1 }, 2: { int: 2 }, 3: { byte: 3 } }
      },
      {
        code: DEPTHWISE,
        inputs: [3, 4, 5],
        output: 6,
        options: { 0: pad, 1: { int: 2 }, 2: { int: 1 }, 3: { int: 2 }, 4: { byte: 1 } }
      },
      {
        code: AVERAGE_POOL,
        inputs: [6],
        output: 7,
        options: { 0: { byte: 1 }, 1: { int: 1 }, 2: { int: 1 }, 3: { int: width }, 4: { int: height } }
      },
      { code: CONVOLUTION, inputs: [7, 8, 9], output: 10, options: { 0: { byte: 0 }, 1: { int: 1 }, 2: { int: 1 } } },
      { code: RESHAPE, inputs: [10], output: 11 },
      { code: SOFTMAX, inputs: [11], output: 12 }
    ]
  )
  return { image, file, embedding, classes }
}

test.each([
  ['same', 1],
  ['same', 2],
  ['valid', 3],
  ['valid', 4]
] as const)('a classifier computes what it computed before, padding %s, seed %i', async (padding, seed) => {
  const { image, file, embedding, classes } = classifier(new SeededRandom(seed), padding)
  const outputs = await runOnnx(convertTflite(file, { classes: true }), image)
  expectClose(outputs.embedding, embedding)
  expectClose(outputs.classes, classes)
})

test('without its classes it ends with the embedding; the same file gives the same bytes', async () => {
  const { image, file, embedding } = classifier(new SeededRandom(5), 'same')
  const converted = convertTflite(file, { classes: false })
  const outputs = await runOnnx(converted, image)
  expect(Object.keys(outputs)).toEqual(['embedding'])
  expectClose(outputs.embedding, embedding)
  expect(convertTflite(file, { classes: false })).toEqual(converted)
  expect(convertTflite(file, { classes: true }).length).toBeGreaterThan(converted.length)
})

test('refuses unsupported models', () => {
  const image = { shape: [1, 4, 4, 3] }
  const refused = (file: Uint8Array): unknown =>
    expect(() => convertTflite(file, { classes: false })).toThrow(SheafError)
  refused(tflite([image, { shape: [1, 4, 4, 3] }], [{ code: 99, inputs: [0], output: 1 }]))
  // a mean over a part of the image
  const window = { 0: { byte: 1 }, 1: { int: 2 }, 2: { int: 2 }, 3: { int: 2 }, 4: { int: 2 } }
  refused(tflite([image, { shape: [1, 2, 2, 3] }], [{ code: AVERAGE_POOL, inputs: [0], output: 1, options: window }]))
  // quantized weights
  const kernel = { shape: [1, 1, 1, 3], data: [1, 2, 3], type: 3 }
  refused(tflite([image, kernel, image], [{ code: CONVOLUTION, inputs: [0, 1], output: 2 }]))
})

test('a damaged file is refused, whatever the damage', () => {
  const { file } = classifier(new SeededRandom(6), 'same')
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, cut) => {
      const damaged = cut ? file.subarray(0, at) : file.map((byte, i) => (i === at ? byte ^ change : byte))
      try {
        convertTflite(damaged, { classes: true }) // a changed weight goes unnoticed here; digests detect it
      } catch (err) {
        expect(err).toMatchObject({ code: 'ERR_MODEL_INVALID' })
      }
    })
  )
})
