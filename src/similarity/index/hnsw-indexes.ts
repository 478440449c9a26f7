import { join } from 'node:path'
import { type FileSystem, makeDurableDirectory } from '../../core/file-system.js'
import type { Logger } from '../../core/log.js'
import type { ModelId } from '../../domain/features.js'
import { modelOfFile } from './hnsw-files.js'
import { HnswIndex } from './hnsw-index.js'
import type { IndexName, VectorIndex, VectorIndexes } from './vector-index.js'

export interface HnswIndexesComponents {
  readonly fileSystem: FileSystem
  readonly log: Logger
}

/** Keeps approximate indexes in a folder; creates it on first use. */
export class HnswIndexes implements VectorIndexes {
  readonly #components: HnswIndexesComponents
  readonly #folder: string

  constructor(components: HnswIndexesComponents, init: { readonly folder: string }) {
    this.#components = components
    this.#folder = init.folder
  }

  async open(name: IndexName): Promise<VectorIndex> {
    const { fileSystem } = this.#components
    await makeDurableDirectory(fileSystem, this.#folder)
    return HnswIndex.open(this.#components, { name, folder: this.#folder })
  }

  async keepOnly(models: ReadonlySet<ModelId>): Promise<void> {
    const { fileSystem, log } = this.#components
    await makeDurableDirectory(fileSystem, this.#folder)
    for (const file of await fileSystem.list(this.#folder)) {
      const model = modelOfFile(file)
      if (model === undefined || models.has(model as ModelId)) continue
      log.info({ file }, 'removed an index file of an unused model')
      await fileSystem.remove(join(this.#folder, file))
    }
  }
}
