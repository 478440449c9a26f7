/**
 * TensorFlow layers as ONNX operators. TensorFlow stores images as height × width × channels; in ONNX, and in all graphs
 * built here, the channels come first.
 */
import { SheafError } from '../../core/errors.js'
import type { Attribute, GraphValue, OnnxGraph } from './onnx-graph.js'

/** Of a converted model: input (N×3×size×size), vector of an image (N×D), and optionally class probabilities (N×C). */
export const INPUT_NAME = 'input'
export const EMBEDDING_NAME = 'embedding'
export const CLASSES_NAME = 'classes'

/** Weights in row-major order. */
export interface Weights {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

export type Padding = 'same' | 'valid'
export type Activation = 'none' | 'relu' | 'relu6' | 'softmax'

/** Height, width. */
export type Pair = readonly [number, number]

export interface Convolution {
  /** Outputs × inputs (1 when depthwise) × height × width. */
  readonly kernel: Weights
  /** 1, or the number of channels when depthwise. */
  readonly groups: number
  readonly bias?: Float32Array
  readonly strides: Pair
  readonly dilations: Pair
  readonly padding: Padding
}

/** @param axes - which of the four axes of `weights` comes first, second, … in the result */
export function permute(weights: Weights, axes: readonly [number, number, number, number]): Weights {
  const size = (axis: number): number => weights.shape[axis] ?? 1
  const stride = (axis: number): number => weights.shape.slice(axis + 1).reduce((product, n) => product * n, 1)
  const [a, b, c, d] = axes
  const [strideA, strideB, strideC, strideD] = [stride(a), stride(b), stride(c), stride(d)]
  const data = new Float32Array(weights.data.length)
  let to = 0
  for (let i = 0; i < size(a); i++) {
    for (let j = 0; j < size(b); j++) {
      for (let k = 0; k < size(c); k++) {
        let from = i * strideA + j * strideB + k * strideC
        for (let l = 0; l < size(d); l++, from += strideD) data[to++] = weights.data[from] as number
      }
    }
  }
  return { shape: axes.map(size), data }
}

/** @param kernel - height × width × inputs × outputs, TensorFlow's order */
export function convolutionKernel(kernel: Weights): Weights {
  return permute(kernel, [3, 2, 0, 1])
}

/** @param kernel - height × width × channels × outputs per channel, TensorFlow's order */
export function depthwiseKernel(kernel: Weights): Weights {
  const [height = 0, width = 0, channels = 0, multiplier = 0] = kernel.shape
  return convolutionKernel({ shape: [height, width, 1, channels * multiplier], data: kernel.data })
}

export function addConvolution(graph: OnnxGraph, input: GraphValue, convolution: Convolution): GraphValue {
  const { kernel, groups, bias, strides, dilations, padding } = convolution
  const inputs = [input, graph.constant(kernel.shape, kernel.data)]
  if (bias !== undefined) inputs.push(graph.constant([bias.length], bias))
  return graph.node('Conv', inputs, { strides, dilations, group: groups, ...paddingAttribute(padding) })
}

/** An odd pixel of `same` padding goes to the right and the bottom, which ONNX calls upper. */
export function paddingAttribute(padding: Padding): Readonly<Record<string, Attribute>> {
  return { auto_pad: padding === 'same' ? 'SAME_UPPER' : 'VALID' }
}

export function addActivation(graph: OnnxGraph, input: GraphValue, activation: Activation): GraphValue {
  switch (activation) {
    case 'none':
      return input
    case 'relu':
      return graph.node('Relu', [input])
    case 'relu6':
      return graph.node('Clip', [input, graph.scalar(0), graph.scalar(6)])
    case 'softmax':
      return graph.node('Softmax', [input], { axis: 1 })
  }
}

/** @returns the mean of each channel: an image of one pixel */
export function addGlobalMean(graph: OnnxGraph, input: GraphValue): GraphValue {
  return graph.node('GlobalAveragePool', [input])
}

/** @returns all numbers of an image as one row */
export function addRow(graph: OnnxGraph, input: GraphValue): GraphValue {
  return graph.node('Flatten', [input], { axis: 1 })
}

/** @param channels - one number per channel, or a single one */
export function addChannelwise(
  graph: OnnxGraph,
  operator: 'Add' | 'Sub' | 'Mul',
  input: GraphValue,
  channels: Float32Array
): GraphValue {
  const shape = channels.length === 1 ? [] : [1, channels.length, 1, 1]
  return graph.node(operator, [input, graph.constant(shape, channels)])
}

/** For a file that its converter cannot read or does not support. */
export function unconvertible(problem: string): SheafError {
  return new SheafError('ERR_MODEL_INVALID', `the model cannot be converted: ${problem}`)
}
