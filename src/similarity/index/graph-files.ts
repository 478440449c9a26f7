import { createHash } from 'node:crypto'
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../../core/errors.js'
import { GraphSet, type SpaceGraph } from './graph-set.js'
import { HnswGraph } from './hnsw-graph.js'
import {
  decodeSavedIndex,
  encodeSavedIndex,
  graphFileName,
  graphNumberOf,
  headFileName,
  modelOfFile,
  ROW_BYTES,
  ROW_STATE_OFFSET,
  type SavedGraph,
  type SavedIndex
} from './saved-index.js'
import type { IndexName } from './vector-index.js'

const READ_BYTES = 1024 * 1024

export interface LoadedGraphs {
  readonly graphs: GraphSet
  readonly rows: Uint8Array
}

/** The files of one index. Only one call at a time. */
export class GraphFiles {
  readonly #name: IndexName
  readonly #folder: string
  #number = 0

  constructor(name: IndexName, folder: string) {
    this.#name = name
    this.#folder = folder
  }

  /**
   * Reads the saved index. The library gets its bytes only after all of them were verified.
   *
   * @param rowsMax - one with more is not loaded
   * @returns `damage` says why a saved index could not be loaded
   */
  async load(
    rowsMax = Number.POSITIVE_INFINITY
  ): Promise<{ readonly loaded: LoadedGraphs | undefined; readonly damage: string | undefined }> {
    const { model } = this.#name
    this.#number = Math.max(0, ...(await this.#files()).map(file => graphNumberOf(model, file) ?? 0))
    const bytes = await unlessMissing(readFile(join(this.#folder, headFileName(model))))
    if (bytes === undefined) return { loaded: undefined, damage: undefined }
    const saved = decodeSavedIndex(model, bytes)
    if (saved === undefined) return { loaded: undefined, damage: 'its head file does not match its checksum' }
    if (!this.#isOfSpaces(saved)) return { loaded: undefined, damage: undefined } // the model has others now
    if (saved.rows.length > rowsMax * ROW_BYTES) return { loaded: undefined, damage: undefined }
    for (const graph of saved.graphs) {
      const damage = await damageOf(this.#pathOf(graph, saved.number), graph)
      if (damage !== undefined) return { loaded: undefined, damage }
    }
    try {
      const rows = Uint8Array.from(saved.rows)
      const spaces = saved.graphs.map(graph => this.#read(graph, saved.number))
      return { loaded: { graphs: new GraphSet(spaces, statesOf(rows)), rows }, damage: undefined }
    } catch (err) {
      return { loaded: undefined, damage: err instanceof Error ? err.message : String(err) }
    }
  }

  /**
   * Writes the graphs to new files, then names them in the head file: a crash leaves the old index or the new one intact.
   *
   * @param rows - their states are set from the graphs
   * @throws system errors; the index saved before then stays
   */
  async save(graphs: GraphSet, rows: Uint8Array): Promise<undefined> {
    const { model } = this.#name
    const number = ++this.#number
    const head = headFileName(model)
    const names = graphs.spaces.map(({ space }) => graphFileName(model, space, number))
    try {
      for (let at = 0; at < rows.length; at += ROW_BYTES) rows[at + ROW_STATE_OFFSET] = graphs.state(at / ROW_BYTES)
      const saved: SavedGraph[] = []
      for (const graph of graphs.spaces) saved.push(await this.#write(graph, number))
      const bytes = encodeSavedIndex(model, { number, graphs: saved, rows })
      await writeSynced(join(this.#folder, `${head}.tmp`), bytes)
      await rename(join(this.#folder, `${head}.tmp`), join(this.#folder, head))
    } catch (err) {
      for (const name of names) await rm(join(this.#folder, name), { force: true })
      throw err
    }
    await syncFolder(this.#folder)
    await this.#removeAllBut([head, ...names])
  }

  async remove(): Promise<void> {
    // the head file first: what it names must be there
    await rm(join(this.#folder, headFileName(this.#name.model)), { force: true })
    await this.#removeAllBut([])
  }

  /** Removes what else there is of this model: graphs of before, what a crash left, files of earlier versions. */
  async #removeAllBut(kept: readonly string[]): Promise<void> {
    for (const file of await this.#files()) {
      if (!kept.includes(file)) await rm(join(this.#folder, file), { force: true, recursive: true })
    }
  }

  async #files(): Promise<string[]> {
    return (await readdir(this.#folder)).filter(file => modelOfFile(file) === this.#name.model)
  }

  #pathOf({ space }: Pick<SavedGraph, 'space'>, number: number): string {
    return join(this.#folder, graphFileName(this.#name.model, space, number))
  }

  #isOfSpaces({ graphs }: SavedIndex): boolean {
    const { spaces } = this.#name
    return graphs.length === spaces.size && graphs.every(({ space, dimension }) => spaces.get(space) === dimension)
  }

  #read(saved: SavedGraph, number: number): SpaceGraph {
    const { space, dimension, axes } = saved
    const graph = HnswGraph.read(axes === undefined ? dimension : axes.length / dimension, this.#pathOf(saved, number))
    return { space, dimension, axes, graph }
  }

  async #write({ space, dimension, axes, graph }: SpaceGraph, number: number): Promise<SavedGraph> {
    const path = this.#pathOf({ space }, number)
    const { bytesMin } = graph
    await graph.write(path)
    const { byteCount, sha256 } = await digestOf(path, true)
    if (byteCount < bytesMin) throw new Error(`only ${byteCount} bytes of the graph could be written`)
    return { space, dimension, axes, byteCount, sha256 }
  }
}

async function damageOf(path: string, { byteCount, sha256 }: SavedGraph): Promise<string | undefined> {
  const found = await unlessMissing(stat(path))
  if (found?.size !== byteCount) return 'the graph does not have the length that its head file says'
  const digest = await digestOf(path, false)
  return Buffer.compare(digest.sha256, sha256) === 0 ? undefined : 'the graph does not match its checksum'
}

function statesOf(rows: Uint8Array): Uint8Array {
  const states = new Uint8Array(rows.length / ROW_BYTES)
  for (let label = 0; label < states.length; label++) states[label] = rows[label * ROW_BYTES + ROW_STATE_OFFSET] ?? 0
  return states
}

/** @param durable - also sync the file */
async function digestOf(path: string, durable: boolean): Promise<Pick<SavedGraph, 'byteCount' | 'sha256'>> {
  const hash = createHash('sha256')
  const file = await open(path, durable ? 'r+' : 'r')
  try {
    if (durable) await file.sync()
    const piece = Buffer.alloc(READ_BYTES)
    let byteCount = 0
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, READ_BYTES, byteCount)
      if (bytesRead === 0) return { byteCount, sha256: hash.digest() }
      hash.update(piece.subarray(0, bytesRead))
      byteCount += bytesRead
    }
  } finally {
    await file.close()
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function unlessMissing<Result>(operation: Promise<Result>): Promise<Result | undefined> {
  try {
    return await operation
  } catch (err) {
    if (systemErrorCode(err) === 'ENOENT') return undefined
    throw err
  }
}
