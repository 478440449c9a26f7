import {
  type Activation,
  addActivation,
  addConvolution,
  addGlobalMean,
  addRow,
  CLASSES_NAME,
  EMBEDDING_NAME,
  INPUT_NAME,
  type Padding,
  permute,
  unconvertible
} from './layers.js'
import { type GraphValue, OnnxGraph } from './onnx-graph.js'
import { readTflite, type TfliteGraph, type TfliteOperator, type TfliteTensor } from './tflite-file.js'

/** Of the enumeration `BuiltinOperator`. */
const OPERATORS = {
  averagePool: 1,
  convolution: 3,
  depthwiseConvolution: 4,
  reshape: 22,
  softmax: 25,
  squeeze: 43
} as const

/** Of the enumeration `ActivationFunctionType`. */
const ACTIVATIONS: Readonly<Record<number, Activation>> = { 0: 'none', 1: 'relu', 3: 'relu6' }

/**
 * Converts a TensorFlow Lite image classifier: convolutions, one mean over the whole image, and a classification head. Its
 * embedding is that mean.
 *
 * @param bytes - the file, float32
 * @returns the ONNX file, with the outputs `embedding` and, when `classes` is true, `classes`
 * @throws `ERR_MODEL_INVALID` for a model that it cannot convert
 */
export function convertTflite(bytes: Uint8Array, { classes }: { readonly classes: boolean }): Uint8Array {
  try {
    return new TfliteConversion(readTflite(bytes)).run(classes)
  } catch (err) {
    if (err instanceof RangeError) throw unconvertible('the TensorFlow Lite file is truncated or damaged')
    throw err
  }
}

class TfliteConversion {
  readonly #graph = new OnnxGraph()
  readonly #source: TfliteGraph
  readonly #values = new Map<number, GraphValue>()

  constructor(source: TfliteGraph) {
    this.#source = source
  }

  run(classes: boolean): Uint8Array {
    const input = this.#source.inputs[0] ?? -1
    const [, height = 0, width = 0, channels = 0] = this.#tensor(input).shape
    this.#values.set(input, this.#graph.input(INPUT_NAME, ['N', channels, height, width]))
    let embedded = false
    for (const operator of this.#source.operators) {
      if (embedded && !classes) break
      const output = operator.outputs[0] ?? -1
      const value = this.#convert(operator)
      this.#values.set(output, value)
      if (operator.code === OPERATORS.averagePool) {
        this.#graph.output(EMBEDDING_NAME, addRow(this.#graph, value), ['N', this.#tensor(output).shape[3] ?? 0])
        embedded = true
      }
    }
    if (!embedded) throw unconvertible('it has no mean over the whole image')
    if (classes) {
      const output = this.#source.outputs[0] ?? -1
      this.#graph.output(CLASSES_NAME, this.#value(output), ['N', this.#tensor(output).shape[1] ?? 0])
    }
    return this.#graph.finish()
  }

  #convert(operator: TfliteOperator): GraphValue {
    const input = this.#value(operator.inputs[0] ?? -1)
    switch (operator.code) {
      case OPERATORS.convolution:
        return this.#convolution(operator, input, false)
      case OPERATORS.depthwiseConvolution:
        return this.#convolution(operator, input, true)
      case OPERATORS.averagePool:
        return this.#globalMean(operator, input)
      case OPERATORS.reshape:
      case OPERATORS.squeeze:
        if (this.#tensor(operator.outputs[0] ?? -1).shape.length !== 2) throw unconvertible('it reshapes images')
        return addRow(this.#graph, input)
      case OPERATORS.softmax:
        return addActivation(this.#graph, input, 'softmax')
      default:
        throw unconvertible(`unsupported TensorFlow Lite operator ${operator.code}`)
    }
  }

  #convolution({ inputs, options }: TfliteOperator, input: GraphValue, depthwise: boolean): GraphValue {
    const source = this.#tensor(inputs[1] ?? -1).weights()
    // outputs × height × width × inputs; depthwise: 1 × height × width × outputs
    const kernel = permute(source, depthwise ? [3, 0, 1, 2] : [0, 3, 1, 2])
    const bias = inputs[2] === undefined || inputs[2] < 0 ? undefined : this.#tensor(inputs[2]).weights().data
    // the depthwise options have the multiplier before these
    const [activation, dilationWidth, dilationHeight] = depthwise ? [4, 5, 6] : [3, 4, 5]
    const value = addConvolution(this.#graph, input, {
      kernel,
      groups: depthwise ? this.#channels(inputs[0] ?? -1) : 1,
      ...(bias === undefined ? {} : { bias }),
      strides: [options.int(2, 1), options.int(1, 1)],
      dilations: [options.int(dilationHeight, 1), options.int(dilationWidth, 1)],
      padding: paddingOf(options.byte(0, 0))
    })
    const name = ACTIVATIONS[options.byte(activation, 0)]
    if (name === undefined) throw unconvertible(`unsupported TensorFlow Lite activation ${options.byte(activation, 0)}`)
    return addActivation(this.#graph, value, name)
  }

  /** An average pool whose window is the whole image. */
  #globalMean({ inputs, options }: TfliteOperator, input: GraphValue): GraphValue {
    const [, height, width] = this.#tensor(inputs[0] ?? -1).shape
    const whole =
      options.int(4, 0) === height && options.int(3, 0) === width && paddingOf(options.byte(0, 0)) === 'valid'
    if (!whole) throw unconvertible('it has a mean over a part of the image')
    return addGlobalMean(this.#graph, input)
  }

  #channels(tensor: number): number {
    return this.#tensor(tensor).shape[3] ?? 0
  }

  #tensor(index: number): TfliteTensor {
    const tensor = this.#source.tensors[index]
    if (tensor === undefined) throw unconvertible(`there is no tensor ${index}`)
    return tensor
  }

  #value(index: number): GraphValue {
    const value = this.#values.get(index)
    if (value === undefined) throw unconvertible(`nothing computes tensor ${index}`)
    return value
  }
}

function paddingOf(code: number): Padding {
  return code === 0 ? 'same' : 'valid'
}
