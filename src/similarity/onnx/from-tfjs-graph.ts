import {
  type Activation,
  addActivation,
  addChannelwise,
  addConvolution,
  addGlobalMean,
  addRow,
  convolutionKernel,
  depthwiseKernel,
  EMBEDDING_NAME,
  INPUT_NAME,
  type Padding,
  type Pair,
  unconvertible,
  type Weights
} from './layers.js'
import { type GraphValue, OnnxGraph } from './onnx-graph.js'
import { readTfjsWeights, type TfjsWeightGroup } from './tfjs-weights.js'

/** The part of a TensorFlow.js `model.json`, format `graph-model`, that is read here. */
export interface TfjsGraphModel {
  readonly modelTopology: { readonly node: readonly TfjsNode[] }
  readonly weightsManifest: readonly TfjsWeightGroup[]
}

export interface TfjsNode {
  readonly name: string
  readonly op: string
  /** Names of nodes, with `:n` for any output but the first. */
  readonly input?: readonly string[]
  readonly attr?: Readonly<Record<string, TfjsAttribute>>
}

/** A protobuf message in JSON: bytes are base64, 64-bit numbers are strings. */
interface TfjsAttribute {
  readonly s?: string
  readonly list?: { readonly i?: readonly string[]; readonly s?: readonly string[] }
}

/** Limit on the recursion through a graph, which also detects cycles. */
const DEPTH_MAX = 1_000

/**
 * Converts a TensorFlow.js image model of format `graph-model`, up to the mean over the whole image, which is its embedding.
 *
 * @param size - side of the square input in pixels, which such models often do not fix
 * @returns the ONNX file, with the output `embedding`
 * @throws `ERR_MODEL_INVALID` for a model that it cannot convert
 */
export function convertTfjsGraph(
  model: TfjsGraphModel,
  files: ReadonlyMap<string, Uint8Array>,
  { size }: { readonly size: number }
): Uint8Array {
  return new GraphConversion(model, readTfjsWeights(model.weightsManifest, files), size).run()
}

class GraphConversion {
  readonly #graph = new OnnxGraph()
  readonly #nodes: ReadonlyMap<string, TfjsNode>
  readonly #weights: ReadonlyMap<string, Weights>
  readonly #size: number
  readonly #values = new Map<string, GraphValue>()

  constructor(model: TfjsGraphModel, weights: ReadonlyMap<string, Weights>, size: number) {
    this.#nodes = new Map(model.modelTopology.node.map(node => [node.name, node]))
    this.#weights = weights
    this.#size = size
  }

  run(): Uint8Array {
    const pool = Array.from(this.#nodes.values()).find(node => node.op === 'Mean')
    if (pool === undefined) throw unconvertible('it has no mean over the whole image')
    const axes = Array.from(this.#weight(pool, 1).data)
    if (axes.join() !== '1,2') throw unconvertible(`its mean is over the axes ${axes.join(', ')}, not 1, 2`)
    const embedding = addRow(this.#graph, addGlobalMean(this.#graph, this.#input(pool, 0, 0)))
    this.#graph.output(EMBEDDING_NAME, embedding, ['N', 'D'])
    return this.#graph.finish()
  }

  #value(node: TfjsNode, depth: number): GraphValue {
    const known = this.#values.get(node.name)
    if (known !== undefined) return known
    if (depth > DEPTH_MAX) throw unconvertible('its graph has a cycle, or is too deep')
    const value = this.#convert(node, depth + 1)
    this.#values.set(node.name, value)
    return value
  }

  #convert(node: TfjsNode, depth: number): GraphValue {
    const input = (): GraphValue => this.#input(node, 0, depth)
    switch (node.op) {
      case 'Placeholder':
        return this.#graph.input(INPUT_NAME, ['N', 3, this.#size, this.#size])
      case 'Identity':
        return input()
      case 'Conv2D':
      case '_FusedConv2D':
        return this.#convolution(node, input(), false)
      case 'DepthwiseConv2dNative':
      case 'FusedDepthwiseConv2dNative':
        return this.#convolution(node, input(), true)
      case 'BiasAdd':
      case 'Add':
      case 'AddV2':
        return addChannelwise(this.#graph, 'Add', input(), this.#weight(node, 1).data)
      case 'Sub':
      case 'Mul':
        return addChannelwise(this.#graph, node.op, input(), this.#weight(node, 1).data)
      case 'Relu':
        return addActivation(this.#graph, input(), 'relu')
      case 'Relu6':
        return addActivation(this.#graph, input(), 'relu6')
      default:
        throw unconvertible(`unsupported TensorFlow.js operator ${node.op}`)
    }
  }

  #convolution(node: TfjsNode, input: GraphValue, depthwise: boolean): GraphValue {
    const source = this.#weight(node, 1)
    const fused = (node.attr?.fused_ops?.list?.s ?? []).map(decodeText)
    const value = addConvolution(this.#graph, input, {
      kernel: depthwise ? depthwiseKernel(source) : convolutionKernel(source),
      groups: depthwise ? (source.shape[2] ?? 0) : 1,
      ...(fused.includes('BiasAdd') ? { bias: this.#weight(node, 2).data } : {}),
      strides: pairOf(node, 'strides'),
      dilations: pairOf(node, 'dilations'),
      padding: paddingOf(node)
    })
    return addActivation(this.#graph, value, activationOf(fused))
  }

  #input(node: TfjsNode, index: number, depth: number): GraphValue {
    return this.#value(this.#inputNode(node, index), depth)
  }

  #weight(node: TfjsNode, index: number): Weights {
    const { name } = this.#inputNode(node, index)
    const weights = this.#weights.get(name)
    if (weights === undefined)
      throw unconvertible(`${node.op} has a computed second input; only constants are supported`)
    return weights
  }

  #inputNode(node: TfjsNode, index: number): TfjsNode {
    const name = node.input?.[index]?.replace(/:0$/, '')
    const input = this.#nodes.get(name ?? '')
    if (input === undefined) throw unconvertible(`the node ${node.name} has no input ${index}`)
    return input
  }
}

function decodeText(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}

/** Of `[1, height, width, 1]`. */
function pairOf(node: TfjsNode, name: 'strides' | 'dilations'): Pair {
  const [, height = 1, width = 1] = (node.attr?.[name]?.list?.i ?? []).map(Number)
  return [height, width]
}

function paddingOf(node: TfjsNode): Padding {
  const padding = decodeText(node.attr?.padding?.s ?? '')
  if (padding === 'SAME') return 'same'
  if (padding === 'VALID') return 'valid'
  throw unconvertible(`unsupported padding ${padding}`)
}

function activationOf(fused: readonly string[]): Activation {
  const [name, ...more] = fused.filter(operation => operation !== 'BiasAdd')
  if (name === undefined) return 'none'
  if (name === 'Relu' && more.length === 0) return 'relu'
  if (name === 'Relu6' && more.length === 0) return 'relu6'
  throw unconvertible(`unsupported convolution fused with ${fused.join(', ')}`)
}
