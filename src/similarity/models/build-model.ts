import { dirname } from 'node:path'
import { SheafError } from '../../core/errors.js'
import type { FileSystem } from '../../core/file-system.js'
import { convertTfjsGraph, type TfjsGraphModel } from '../onnx/from-tfjs-graph.js'
import { convertTfjsLayers, type TfjsLayersModel } from '../onnx/from-tfjs-layers.js'
import { convertTflite } from '../onnx/from-tflite.js'
import { ImageNetwork } from './image-network.js'
import { LabelVectors } from './label-vectors.js'
import { writeModelFile } from './model-files.js'
import {
  IMAGE_FILE,
  identifyModel,
  LABEL_VECTORS_FILE,
  LABELS_FILE,
  type ModelDescription,
  type ModelFile,
  type TextConcepts
} from './model-spec.js'
import { readPackage } from './package-files.js'
import { referencePixels } from './reference-image.js'
import type { ModelRecipe, PackagedFile } from './registry.js'
import { TextNetwork } from './text-network.js'

/** Tolerance for outputs of a converted network against the reference: other processors sum in another order. */
const REFERENCE_TOLERANCE = 1e-3

export interface BuildInit {
  readonly recipe: ModelRecipe
  /** Paths of the verified tarballs, by package name. */
  readonly tarballs: Readonly<Record<string, string>>
  /** An empty folder for the model's files. */
  readonly folder: string
}

/**
 * Builds a model from npm packages: unpacks, converts, checks the result against the recipe, and computes the vectors of the
 * labels. Blocks for seconds, so it needs a thread of its own.
 *
 * @returns the description of the model; the folder has all its files except `model.json`
 * @throws `ERR_MODEL_INVALID` when anything differs from the recipe; system errors
 */
export async function buildModel(
  { fileSystem }: { readonly fileSystem: FileSystem },
  { recipe, tarballs, folder }: BuildInit
): Promise<ModelDescription> {
  const sources = await PackagedFiles.read(recipe, tarballs)
  const contents = new Map<string, Uint8Array>([[IMAGE_FILE, convert(recipe, sources)]])
  const labels = readLabels(recipe, sources)
  if (labels !== undefined) contents.set(LABELS_FILE, Buffer.from(JSON.stringify(labels)))
  for (const [name, file] of Object.entries(recipe.copiedFiles)) contents.set(name, sources.require(file))

  const files: ModelFile[] = []
  for (const name of Array.from(contents.keys()).sort()) {
    const file = await writeModelFile(fileSystem, folder, name, contents.get(name)!)
    const expected = recipe.sha256[name]
    if (file.sha256 !== expected) {
      throw new SheafError(
        'ERR_MODEL_INVALID',
        `${name} of ${recipe.name} has the sha256 ${file.sha256}, not ${expected}`
      )
    }
    files.push(file)
  }
  contents.clear() // or a large model would be in memory three times
  const { name, image, text, licence, source, reference } = recipe
  const description = { name, image, ...(text === undefined ? {} : { text }), licence, source, files }
  await checkReference(description, folder, reference)
  if (text === undefined || labels === undefined) return description
  const vectors = await embedLabels(description, folder, text, labels)
  const derived = await writeModelFile(fileSystem, folder, LABEL_VECTORS_FILE, vectors)
  const all: ModelFile[] = [...files, { ...derived, derived: true }]
  return { ...description, files: all.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

/** Files read from a recipe's packages. */
class PackagedFiles {
  readonly #packages: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>

  private constructor(packages: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>) {
    this.#packages = packages
  }

  static async read(recipe: ModelRecipe, tarballs: BuildInit['tarballs']): Promise<PackagedFiles> {
    const files = [recipe.network, ...(recipe.labels ? [recipe.labels] : []), ...Object.values(recipe.copiedFiles)]
    const packages = new Map<string, ReadonlyMap<string, Uint8Array>>()
    for (const { name } of recipe.packages) {
      const paths = new Set(files.filter(file => file.package === name).map(file => file.path))
      // weight files are beside their model.json
      const withFolder = recipe.network.package === name && recipe.network.format !== 'tflite'
      const folder = withFolder ? dirname(recipe.network.path) : undefined
      const isNeeded = (path: string): boolean => paths.has(path) || dirname(path) === folder
      packages.set(name, await readPackage(tarballs[name] ?? '', isNeeded))
    }
    return new PackagedFiles(packages)
  }

  require(file: PackagedFile): Uint8Array {
    const bytes = this.#packages.get(file.package)?.get(file.path)
    if (bytes === undefined) throw new SheafError('ERR_MODEL_INVALID', `${file.package} has no ${file.path}`)
    return bytes
  }

  requireText(file: PackagedFile): string {
    return Buffer.from(this.require(file)).toString()
  }

  /** @returns the files in the folder of `file`, by name */
  beside(file: PackagedFile): ReadonlyMap<string, Uint8Array> {
    const prefix = `${dirname(file.path)}/`
    const all = Array.from(this.#packages.get(file.package) ?? [])
    return new Map(
      all.filter(([path]) => path.startsWith(prefix)).map(([path, bytes]) => [path.slice(prefix.length), bytes])
    )
  }
}

function convert({ network, image }: ModelRecipe, sources: PackagedFiles): Uint8Array {
  const classes = image.classes !== undefined
  if (network.format === 'tflite') return convertTflite(sources.require(network), { classes })
  const model: unknown = JSON.parse(sources.requireText(network))
  const files = sources.beside(network)
  return network.format === 'tfjs-graph'
    ? convertTfjsGraph(model as TfjsGraphModel, files, { size: image.size })
    : convertTfjsLayers(model as TfjsLayersModel, files, { classes })
}

function readLabels({ labels }: ModelRecipe, sources: PackagedFiles): readonly string[] | undefined {
  if (labels === undefined) return undefined
  const text = sources.requireText(labels)
  const names = labels.format === 'lines' ? text.trim().split('\n') : inOrder(JSON.parse(text))
  return names.map(name => name.replaceAll('_', ' ').trim())
}

/** @param names - keyed 0, 1, … */
function inOrder(names: Readonly<Record<string, string>>): string[] {
  return Array.from({ length: Object.keys(names).length }, (_, index) => names[index] ?? '')
}

async function checkReference(
  description: ModelDescription,
  folder: string,
  reference: readonly number[]
): Promise<void> {
  const network = await ImageNetwork.load({ spec: identifyModel(description), folder })
  try {
    const { dimension, size, classes } = description.image
    const output = await network.run(referencePixels(size))
    const near = reference.every(
      (number, at) => Math.abs(number - (output.embedding[at] ?? Number.NaN)) < REFERENCE_TOLERANCE
    )
    if (!near || output.embedding.length !== dimension || output.classes?.length !== classes?.count) {
      throw new SheafError('ERR_MODEL_INVALID', `the outputs of ${description.name} differ from the reference`)
    }
  } finally {
    await network.release()
  }
}

async function embedLabels(
  description: ModelDescription,
  folder: string,
  text: TextConcepts,
  labels: readonly string[]
): Promise<Uint8Array> {
  const network = await TextNetwork.load({ spec: identifyModel(description), folder })
  try {
    const vectors: Float32Array[] = []
    for (const label of labels) vectors.push(await network.embed(text.prompt.replace('{}', () => label)))
    return LabelVectors.encode(vectors)
  } finally {
    await network.release()
  }
}
