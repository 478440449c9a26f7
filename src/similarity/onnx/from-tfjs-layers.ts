import {
  type Activation,
  addActivation,
  addConvolution,
  addGlobalMean,
  addRow,
  CLASSES_NAME,
  convolutionKernel,
  EMBEDDING_NAME,
  INPUT_NAME,
  type Padding,
  type Pair,
  paddingAttribute,
  unconvertible,
  type Weights
} from './layers.js'
import { type GraphValue, OnnxGraph } from './onnx-graph.js'
import { readTfjsWeights, type TfjsWeightGroup } from './tfjs-weights.js'

/** The part of a TensorFlow.js `model.json`, format `layers-model` (Keras), that is read here. */
export interface TfjsLayersModel {
  readonly modelTopology: { readonly model_config: { readonly config: { readonly layers: readonly TfjsLayer[] } } }
  readonly weightsManifest: readonly TfjsWeightGroup[]
}

export interface TfjsLayer {
  readonly name: string
  readonly class_name: string
  readonly config: TfjsLayerConfig
  /** For the layer's only use: the layers whose outputs it takes, each followed by fields that are not read. */
  readonly inbound_nodes: readonly (readonly (readonly [layer: string, ...unknown[]])[])[]
}

interface TfjsLayerConfig {
  readonly batch_input_shape?: readonly (number | null)[]
  readonly padding?: string | readonly [Pair, Pair]
  readonly strides?: Pair
  readonly dilation_rate?: Pair
  readonly pool_size?: Pair
  readonly use_bias?: boolean
  readonly activation?: string
  readonly epsilon?: number
}

/**
 * Converts a TensorFlow.js image classifier of format `layers-model`. Its embedding is the mean over the whole image; the
 * dense layer after it yields the classes.
 *
 * @param classes - whether to include the output `classes`
 * @returns the ONNX file, with the outputs `embedding` and, when `classes` is true, `classes`
 * @throws `ERR_MODEL_INVALID` for a model that it cannot convert
 */
export function convertTfjsLayers(
  model: TfjsLayersModel,
  files: ReadonlyMap<string, Uint8Array>,
  { classes }: { readonly classes: boolean }
): Uint8Array {
  return new LayersConversion(model, readTfjsWeights(model.weightsManifest, files)).run(classes)
}

class LayersConversion {
  readonly #graph = new OnnxGraph()
  readonly #layers: readonly TfjsLayer[]
  readonly #weights: ReadonlyMap<string, Weights>
  readonly #values = new Map<string, GraphValue>()

  constructor(model: TfjsLayersModel, weights: ReadonlyMap<string, Weights>) {
    this.#layers = model.modelTopology.model_config.config.layers
    this.#weights = weights
  }

  run(classes: boolean): Uint8Array {
    let embedded = false
    let last: GraphValue | undefined
    for (const layer of this.#layers) {
      if (embedded && !classes) break
      const inputs = (layer.inbound_nodes[0] ?? []).map(([name]) => this.#value(name))
      last = this.#convert(layer, inputs)
      this.#values.set(layer.name, last)
      if (layer.class_name === 'GlobalAveragePooling2D') {
        this.#graph.output(EMBEDDING_NAME, last, ['N', 'D'])
        embedded = true
      }
    }
    if (!embedded || last === undefined) throw unconvertible('it has no mean over the whole image')
    if (classes) this.#graph.output(CLASSES_NAME, last, ['N', 'C'])
    return this.#graph.finish()
  }

  #convert(layer: TfjsLayer, inputs: readonly GraphValue[]): GraphValue {
    const { config } = layer
    if (layer.class_name === 'InputLayer') {
      const [, height, width, channels] = config.batch_input_shape ?? []
      return this.#graph.input(INPUT_NAME, ['N', channels ?? 3, height ?? 'H', width ?? 'W'])
    }
    const [input] = inputs
    if (input === undefined) throw unconvertible(`the layer ${layer.name} has no input`)
    switch (layer.class_name) {
      case 'ZeroPadding2D':
        return this.#zeroPadding(config, input)
      case 'Conv2D':
        return addActivation(this.#graph, this.#convolution(layer, input), activationOf(config))
      case 'BatchNormalization':
        return this.#batchNormalization(layer, input)
      case 'Activation':
        return addActivation(this.#graph, input, activationOf(config))
      case 'Add':
        return this.#graph.node('Sum', inputs)
      case 'MaxPooling2D':
        return this.#graph.node('MaxPool', [input], {
          kernel_shape: config.pool_size ?? [2, 2],
          strides: config.strides ?? config.pool_size ?? [2, 2],
          ...paddingAttribute(paddingOf(config))
        })
      case 'GlobalAveragePooling2D':
        return addRow(this.#graph, addGlobalMean(this.#graph, input))
      case 'Dense':
        return addActivation(this.#graph, this.#dense(layer, input), activationOf(config))
      default:
        throw unconvertible(`unsupported TensorFlow.js layer ${layer.class_name}`)
    }
  }

  #zeroPadding({ padding }: TfjsLayerConfig, input: GraphValue): GraphValue {
    if (!Array.isArray(padding)) throw unconvertible('a zero padding has no widths')
    const [[top, bottom], [left, right]] = padding as [Pair, Pair]
    const widths = BigInt64Array.from([0, 0, top, left, 0, 0, bottom, right].map(BigInt))
    return this.#graph.node('Pad', [input, this.#graph.constant([8], widths)])
  }

  #convolution(layer: TfjsLayer, input: GraphValue): GraphValue {
    const { config } = layer
    return addConvolution(this.#graph, input, {
      kernel: convolutionKernel(this.#weight(layer, 'kernel')),
      groups: 1,
      ...(config.use_bias === true ? { bias: this.#weight(layer, 'bias').data } : {}),
      strides: config.strides ?? [1, 1],
      dilations: config.dilation_rate ?? [1, 1],
      padding: paddingOf(config)
    })
  }

  #batchNormalization(layer: TfjsLayer, input: GraphValue): GraphValue {
    const names = ['gamma', 'beta', 'moving_mean', 'moving_variance']
    const parameters = names.map(name => {
      const { shape, data } = this.#weight(layer, name)
      return this.#graph.constant(shape, data)
    })
    const epsilon = { float: layer.config.epsilon ?? 1e-3 }
    return this.#graph.node('BatchNormalization', [input, ...parameters], { epsilon })
  }

  #dense(layer: TfjsLayer, input: GraphValue): GraphValue {
    const inputs = ['kernel', ...(layer.config.use_bias === true ? ['bias'] : [])].map(name => {
      const { shape, data } = this.#weight(layer, name)
      return this.#graph.constant(shape, data)
    })
    return this.#graph.node('Gemm', [input, ...inputs])
  }

  #weight(layer: TfjsLayer, name: string): Weights {
    const weights = this.#weights.get(`${layer.name}/${name}`)
    if (weights === undefined) throw unconvertible(`the layer ${layer.name} has no ${name}`)
    return weights
  }

  #value(name: string): GraphValue {
    const value = this.#values.get(name)
    if (value === undefined) throw unconvertible(`the layer ${name} comes after one that needs it`)
    return value
  }
}

function paddingOf({ padding }: TfjsLayerConfig): Padding {
  if (padding === 'same' || padding === 'valid') return padding
  throw unconvertible(`unsupported padding ${JSON.stringify(padding)}`)
}

function activationOf({ activation = 'linear' }: TfjsLayerConfig): Activation {
  if (activation === 'linear') return 'none'
  if (activation === 'relu' || activation === 'relu6' || activation === 'softmax') return activation
  throw unconvertible(`unsupported activation ${activation}`)
}
