import { createHash } from 'node:crypto'
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../../core/errors.js'
import {
  decodeSavedIndex,
  encodeSavedIndex,
  graphFileName,
  graphNumberOf,
  headFileName,
  ROW_BYTES,
  ROW_STATE_OFFSET,
  type SavedIndex
} from './hnsw-files.js'
import { HnswGraph } from './hnsw-graph.js'
import type { IndexName } from './vector-index.js'

const READ_BYTES = 1024 * 1024

export interface LoadedGraph {
  readonly graph: HnswGraph
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
   * @returns `damage` says why a saved index could not be loaded
   */
  async load(): Promise<{ readonly loaded: LoadedGraph | undefined; readonly damage: string | undefined }> {
    this.#number = Math.max(0, ...(await this.#graphNumbers()))
    const bytes = await unlessMissing(readFile(join(this.#folder, headFileName(this.#name))))
    if (bytes === undefined) return { loaded: undefined, damage: undefined }
    const saved = decodeSavedIndex(this.#name, bytes)
    if (saved === undefined) return { loaded: undefined, damage: 'its head file does not match its checksum' }
    const path = join(this.#folder, graphFileName(this.#name, saved.graphNumber))
    const damage = await damageOf(path, saved)
    if (damage !== undefined) return { loaded: undefined, damage }
    try {
      const rows = Uint8Array.from(saved.rows)
      return { loaded: { graph: HnswGraph.read(this.#name.dimension, path, statesOf(rows)), rows }, damage: undefined }
    } catch (err) {
      return { loaded: undefined, damage: err instanceof Error ? err.message : String(err) }
    }
  }

  /**
   * Writes the graph to a new file, then names it in the head file: a crash leaves the old index or the new one intact.
   *
   * @param rows - their states are set from the graph
   * @throws system errors; the index saved before then stays
   */
  async save(graph: HnswGraph, rows: Uint8Array): Promise<undefined> {
    const number = ++this.#number
    const path = join(this.#folder, graphFileName(this.#name, number))
    const head = join(this.#folder, headFileName(this.#name))
    try {
      for (let at = 0; at < rows.length; at += ROW_BYTES) rows[at + ROW_STATE_OFFSET] = graph.state(at / ROW_BYTES)
      const { bytesMin } = graph
      await graph.write(path)
      const { graphBytes, graphSha256 } = await digestOf(path, true)
      if (graphBytes < bytesMin) throw new Error(`only ${graphBytes} bytes of the graph could be written`)
      await writeSynced(
        `${head}.tmp`,
        encodeSavedIndex(this.#name, { graphNumber: number, graphBytes, graphSha256, rows })
      )
      await rename(`${head}.tmp`, head)
      await syncFolder(this.#folder)
    } catch (err) {
      await rm(path, { force: true })
      throw err
    }
    for (const other of await this.#graphNumbers()) {
      if (other !== number) await rm(join(this.#folder, graphFileName(this.#name, other)), { force: true })
    }
  }

  async #graphNumbers(): Promise<number[]> {
    const names = await readdir(this.#folder)
    return names.flatMap(name => graphNumberOf(this.#name, name) ?? [])
  }
}

async function damageOf(path: string, { graphBytes, graphSha256 }: SavedIndex): Promise<string | undefined> {
  const found = await unlessMissing(stat(path))
  if (found?.size !== graphBytes) return 'the graph does not have the length that its head file says'
  const digest = await digestOf(path, false)
  return Buffer.compare(digest.graphSha256, graphSha256) === 0 ? undefined : 'the graph does not match its checksum'
}

function statesOf(rows: Uint8Array): Uint8Array {
  const states = new Uint8Array(rows.length / ROW_BYTES)
  for (let label = 0; label < states.length; label++) states[label] = rows[label * ROW_BYTES + ROW_STATE_OFFSET] ?? 0
  return states
}

/** @param durable - also sync the file */
async function digestOf(path: string, durable: boolean): Promise<Pick<SavedIndex, 'graphBytes' | 'graphSha256'>> {
  const hash = createHash('sha256')
  const file = await open(path, durable ? 'r+' : 'r')
  try {
    if (durable) await file.sync()
    const piece = Buffer.alloc(READ_BYTES)
    let graphBytes = 0
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, READ_BYTES, graphBytes)
      if (bytesRead === 0) return { graphBytes, graphSha256: hash.digest() }
      hash.update(piece.subarray(0, bytesRead))
      graphBytes += bytesRead
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
