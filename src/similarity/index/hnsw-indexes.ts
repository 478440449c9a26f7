import { join } from 'node:path'
import { type FileSystem, makeDurableDirectory } from '../../core/file-system.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import type { ModelId } from '../../domain/features.js'
import type { IndexHandle } from './graph-messages.js'
import { GraphProcess } from './graph-process.js'
import { HnswIndex } from './hnsw-index.js'
import { modelOfFile } from './saved-index.js'
import type { IndexName, VectorIndex, VectorIndexes } from './vector-index.js'

export interface HnswIndexesComponents {
  readonly fileSystem: FileSystem
  readonly random: Random
  readonly log: Logger
}

export interface HnswIndexesInit {
  /** Created on first use. */
  readonly folder: string
  /** Memory for all open indexes together. */
  readonly bytesMax: number
}

/** Keeps approximate indexes in a folder, and the graphs of those that are open in one process, which runs while any is. */
export class HnswIndexes implements VectorIndexes {
  readonly #components: HnswIndexesComponents
  readonly #init: HnswIndexesInit
  /** Undefined: being opened. */
  readonly #open = new Map<IndexHandle, HnswIndex | undefined>()
  #process: GraphProcess | undefined
  #lastHandle = 0

  constructor(components: HnswIndexesComponents, init: HnswIndexesInit) {
    this.#components = components
    this.#init = init
  }

  /** Of the process that holds the graphs; undefined while none is open. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  async open(name: IndexName): Promise<VectorIndex> {
    const { fileSystem, random, log } = this.#components
    const { folder } = this.#init
    await makeDurableDirectory(fileSystem, folder)
    const handle = ++this.#lastHandle
    if (this.#process === undefined || this.#process.ended) {
      this.#process = new GraphProcess(err =>
        log.warn({ err }, 'the process of the indexes ended; it is started again')
      )
    }
    const graphProcess = this.#process
    this.#open.set(handle, undefined)
    const index = await HnswIndex.open(
      {
        ask: request => graphProcess.ask(request),
        isAlive: () => !graphProcess.ended,
        bytesMax: () => this.#bytesFor(handle),
        onClosed: () => this.#release(handle),
        random,
        log
      },
      { handle, name, folder }
    )
    this.#open.set(handle, index)
    return index
  }

  async keepOnly(models: ReadonlySet<ModelId>): Promise<void> {
    const { fileSystem, log } = this.#components
    const { folder } = this.#init
    await makeDurableDirectory(fileSystem, folder)
    for (const file of await fileSystem.list(folder)) {
      const model = modelOfFile(file)
      if (model === undefined || models.has(model as ModelId)) continue
      log.info({ file }, 'removed an index file of an unused model')
      await fileSystem.remove(join(folder, file))
    }
  }

  /** What the others leave, and at least its share: the index of a new model must grow beside that of the old one. */
  #bytesFor(handle: IndexHandle): number {
    const { bytesMax } = this.#init
    let others = 0
    for (const [other, index] of this.#open) if (other !== handle) others += index?.byteCount ?? 0
    return Math.max(bytesMax - others, bytesMax / this.#open.size)
  }

  async #release(handle: IndexHandle): Promise<void> {
    this.#open.delete(handle)
    if (this.#open.size > 0) return
    const graphProcess = this.#process
    this.#process = undefined
    await graphProcess?.stop()
  }
}
