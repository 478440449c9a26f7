/**
 * Builds an ONNX (Open Neural Network Exchange) model file: a Protocol Buffers message `ModelProto`. Field numbers are those
 * of `onnx.proto`.
 *
 * The same calls produce the same bytes, so a converted model has the same digest on every machine.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { ProtobufWriter } from './protobuf-writer.js'

/** Names one intermediate result, constant or input of the graph under construction. */
export type GraphValue = string & { readonly __brand: 'OnnxValue' }

/** A plain number is an integer attribute; `float` marks a floating-point one. */
export type Attribute = number | string | readonly number[] | { readonly float: number }

/** A fixed dimension, or the name of one that the caller of the model chooses. */
export type Dimension = number | string

const IR_VERSION = 8
const OPERATOR_SET = 17
const FLOAT32 = 1
const INT64 = 7

const ATTRIBUTE_FLOAT = 1
const ATTRIBUTE_INT = 2
const ATTRIBUTE_TEXT = 3
const ATTRIBUTE_INTS = 7

export class OnnxGraph {
  readonly #nodes: ProtobufWriter[] = []
  readonly #constants: ProtobufWriter[] = []
  readonly #inputs: ProtobufWriter[] = []
  readonly #outputs: ProtobufWriter[] = []
  #valueCount = 0

  /** Declares an input of the model. */
  input(name: string, dimensions: readonly Dimension[], elements: 'float32' | 'int64' = 'float32'): GraphValue {
    this.#inputs.push(valueInfo(name, dimensions, elements === 'float32' ? FLOAT32 : INT64))
    return name as GraphValue
  }

  /** @param data - in row-major order; not copied: it must not change until `finish` */
  constant(dimensions: readonly number[], data: Float32Array | BigInt64Array): GraphValue {
    const name = this.#newValue('constant')
    const tensor = new ProtobufWriter()
    for (const dimension of dimensions) tensor.int(1, dimension)
    tensor.int(2, data instanceof Float32Array ? FLOAT32 : INT64)
    tensor.text(8, name)
    tensor.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    this.#constants.push(tensor)
    return name
  }

  scalar(value: number): GraphValue {
    return this.constant([], Float32Array.of(value))
  }

  /** Adds an operator with one result. */
  node(
    operator: string,
    inputs: readonly GraphValue[],
    attributes: Readonly<Record<string, Attribute>> = {}
  ): GraphValue {
    const result = this.#newValue(operator)
    this.#addNode(operator, inputs, attributes, result)
    return result
  }

  /** Declares `value` as an output of the model under `name`. */
  output(name: string, value: GraphValue, dimensions: readonly Dimension[]): void {
    this.#addNode('Identity', [value], {}, name as GraphValue)
    this.#outputs.push(valueInfo(name, dimensions, FLOAT32))
  }

  /** @returns the bytes of the model file */
  finish(): Uint8Array {
    const graph = new ProtobufWriter()
    for (const node of this.#nodes) graph.message(1, node)
    graph.text(2, 'graph')
    for (const constant of this.#constants) graph.message(5, constant)
    for (const input of this.#inputs) graph.message(11, input)
    for (const output of this.#outputs) graph.message(12, output)
    const operatorSet = new ProtobufWriter().text(1, '').int(2, OPERATOR_SET)
    return new ProtobufWriter().int(1, IR_VERSION).text(2, 'sheaf').message(7, graph).message(8, operatorSet).finish()
  }

  #addNode(
    operator: string,
    inputs: readonly GraphValue[],
    attributes: Readonly<Record<string, Attribute>>,
    result: GraphValue
  ): void {
    const node = new ProtobufWriter()
    for (const input of inputs) node.text(1, input)
    node.text(2, result).text(3, result).text(4, operator)
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value))
    this.#nodes.push(node)
  }

  #newValue(kind: string): GraphValue {
    return `${kind}_${this.#valueCount++}` as GraphValue
  }
}

function attribute(name: string, value: Attribute): ProtobufWriter {
  const message = new ProtobufWriter().text(1, name)
  if (typeof value === 'number') return message.int(3, value).int(20, ATTRIBUTE_INT)
  if (typeof value === 'string') return message.text(4, value).int(20, ATTRIBUTE_TEXT)
  if ('float' in value) return message.float(2, value.float).int(20, ATTRIBUTE_FLOAT)
  for (const item of value) message.int(8, item)
  return message.int(20, ATTRIBUTE_INTS)
}

function valueInfo(name: string, dimensions: readonly Dimension[], elementType: number): ProtobufWriter {
  const shape = new ProtobufWriter()
  for (const dimension of dimensions) {
    const message = new ProtobufWriter()
    shape.message(1, typeof dimension === 'number' ? message.int(1, dimension) : message.text(2, dimension))
  }
  const tensor = new ProtobufWriter().int(1, elementType).message(2, shape)
  return new ProtobufWriter().text(1, name).message(2, new ProtobufWriter().message(1, tensor))
}
