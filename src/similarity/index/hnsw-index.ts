import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import { turn } from '../../core/turn.js'
import type { AudienceSet } from '../../domain/audience.js'
import type { Space } from '../../domain/features.js'
import type { PhotoId } from '../../domain/ids.js'
import { AUDIENCE_BYTES_PER_LABEL, AudienceNumbers } from './audience-numbers.js'
import type { GraphAnswers, GraphRequestKind, GraphRequestOf, IndexHandle } from './graph-messages.js'
import { graphBytesPerPhoto } from './graph-set.js'
import { LabelTable, TABLE_BYTES_PER_LABEL } from './label-table.js'
import { ROW_BYTES } from './saved-index.js'
import {
  type IndexAnswer,
  type IndexName,
  type MovedPhoto,
  NEIGHBORS_MAX,
  type VectorEntry,
  type VectorIndex,
  type VectorSpaces
} from './vector-index.js'

const SEARCHES_WAITING_MAX = 1_000
/** Removed vectors slow searches down; above this share the graphs are rebuilt, before recall suffers. */
const DEAD_SHARE_MAX = 0.3
const DEAD_MIN = 256
/** Rows in one message: sending it takes less than a millisecond. */
const ROWS_PER_MESSAGE = 20_000
const NONE = new Uint32Array(0)

export interface HnswIndexComponents {
  /** The process that holds the graphs. @throws `ERR_INDEX_UNAVAILABLE` */
  readonly ask: <Kind extends GraphRequestKind>(request: GraphRequestOf<Kind>) => Promise<GraphAnswers[Kind]>
  /** Whether that process runs. */
  readonly isAlive: () => boolean
  /** Memory that this index may use, bytes. */
  readonly bytesMax: () => number
  /** Called once, when nothing of it is left. */
  readonly onClosed: () => Promise<void>
  readonly random: Random
  readonly log: Logger
}

export interface HnswIndexInit {
  readonly handle: IndexHandle
  readonly name: IndexName
  /** Must exist. */
  readonly folder: string
}

/** @returns memory that each photo takes, in this process and in that of the graphs */
export function bytesPerPhoto(spaces: VectorSpaces): number {
  return graphBytesPerPhoto(spaces) + TABLE_BYTES_PER_LABEL + 2 * AUDIENCE_BYTES_PER_LABEL
}

/** An approximate index. The graphs are in a process of their own, the table from labels to photos here. */
export class HnswIndex implements VectorIndex {
  readonly #components: HnswIndexComponents
  readonly #init: HnswIndexInit
  readonly #bytesPerPhoto: number
  #table: LabelTable
  #audiences = new AudienceNumbers()
  #searchCount = 0
  #rebuilding: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #failure: SheafError | undefined

  private constructor(components: HnswIndexComponents, init: HnswIndexInit) {
    this.#components = components
    this.#init = init
    this.#bytesPerPhoto = bytesPerPhoto(init.name.spaces)
    this.#table = new LabelTable(components.random)
  }

  static async open(components: HnswIndexComponents, init: HnswIndexInit): Promise<HnswIndex> {
    const index = new HnswIndex(components, init)
    try {
      await index.#load()
      return index
    } catch (err) {
      await index.close()
      throw err
    }
  }

  get isOpen(): boolean {
    return this.#failure === undefined && this.#closing === undefined && this.#components.isAlive()
  }

  get size(): number {
    return this.#table.size
  }

  get capacity(): number {
    return Math.max(0, Math.floor(this.#components.bytesMax() / this.#bytesPerPhoto))
  }

  /** Memory that it uses. */
  get byteCount(): number {
    const twice = this.#rebuilding === undefined ? 0 : this.#table.size
    return (this.#heldCount + twice) * this.#bytesPerPhoto
  }

  version(id: PhotoId): number | undefined {
    return this.#table.versionOf(id)
  }

  audience(id: PhotoId): string | undefined {
    const label = this.#table.labelOf(id)
    return label === undefined ? undefined : this.#audiences.of(label)
  }

  ids(): Iterable<PhotoId> {
    return this.#table.ids()
  }

  async add(entries: readonly VectorEntry[]): Promise<void> {
    const { spaces } = this.#init.name
    const latest = [...new Map(entries.map(entry => [entry.id, entry])).values()]
    if (this.#heldCount + latest.length > this.capacity) throw new SheafError('ERR_INDEX_FULL')
    const vectors = Array.from(spaces.values(), dimension => new Float32Array(latest.length * dimension))
    const removed: number[] = []
    const labels = new Uint32Array(latest.length)
    for (const [i, entry] of latest.entries()) {
      const old = this.#table.markDead(entry.id)
      if (old !== undefined) removed.push(old)
      labels[i] = this.#table.assign(entry.id, entry.version)
      for (const [at, [space, dimension]] of [...spaces].entries()) {
        vectors[at]?.set(entry.vectors.get(space) as Float32Array, i * dimension)
      }
    }
    const audiences = Uint32Array.from(labels, (label, i) => this.#audiences.set(label, latest[i]?.audience))
    await this.#change(labels, audiences, vectors, removed)
  }

  async move(photos: readonly MovedPhoto[]): Promise<void> {
    const labels: number[] = []
    const audiences: number[] = []
    for (const { id, audience } of photos) {
      const label = this.#table.labelOf(id)
      if (label === undefined) continue
      labels.push(label)
      audiences.push(this.#audiences.set(label, audience))
    }
    if (labels.length === 0) return
    await this.#ask({
      kind: 'move',
      index: this.#init.handle,
      labels: Uint32Array.from(labels),
      audiences: Uint32Array.from(audiences)
    }).catch(err => this.#fail(err))
  }

  async remove(ids: readonly PhotoId[]): Promise<void> {
    const removed = ids.flatMap(id => this.#table.markDead(id) ?? [])
    if (removed.length > 0) await this.#change(NONE, NONE, [], removed)
  }

  async search(space: Space, query: Float32Array, k: number, seen?: AudienceSet): Promise<IndexAnswer> {
    if (this.#searchCount >= SEARCHES_WAITING_MAX)
      throw new SheafError('ERR_OVERLOADED', 'too many searches are waiting; try again')
    this.#searchCount++
    try {
      const { labels, scores, isExact } = await this.#ask({
        kind: 'search',
        index: this.#init.handle,
        space,
        query,
        k: Math.min(k, NEIGHBORS_MAX),
        seen: seen && this.#audiences.bitsOf(seen)
      })
      const neighbors = Array.from(labels).flatMap((label, i) => {
        const id = this.#table.idOf(label) // undefined: removed during the search
        const isSeen = seen === undefined || this.#audiences.isAmong(label, seen) // it may have moved
        return id === undefined || !isSeen ? [] : [{ id, score: clamp(scores[i] ?? 0) }]
      })
      return { neighbors, isExact }
    } finally {
      this.#searchCount--
    }
  }

  async save(): Promise<void> {
    const { handle } = this.#init
    const rows = this.#table.rows()
    // takes its place in the order now; the rows follow
    const saved = this.#ask({ kind: 'save', index: handle, rowBytes: rows.length })
    saved.catch(() => {}) // handled below, after the rows are sent
    for (let at = 0; at < rows.length; at += ROWS_PER_MESSAGE * ROW_BYTES) {
      const bytes = rows.subarray(at, at + ROWS_PER_MESSAGE * ROW_BYTES)
      // even if it is being closed: that waits for them
      await this.#components.ask({ kind: 'rows', index: handle, bytes })
    }
    await saved
  }

  async clear(): Promise<void> {
    this.#table = new LabelTable(this.#components.random)
    this.#audiences = new AudienceNumbers()
    await this.#ask({ kind: 'clear', index: this.#init.handle }).catch(err => this.#fail(err))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Labels in the graphs, dead ones included. */
  get #heldCount(): number {
    return this.#table.size + this.#table.deadCount
  }

  async #load(): Promise<void> {
    const { handle, name, folder } = this.#init
    const { rowBytes, damage } = await this.#ask({
      kind: 'open',
      index: handle,
      name,
      folder,
      rowsMax: this.capacity
    })
    if (damage !== undefined) {
      this.#components.log.warn({ model: name.model, damage }, 'index is damaged; rebuilding it from the volumes')
    }
    const rows = Buffer.alloc(rowBytes)
    for (let at = 0; at < rowBytes; at += ROWS_PER_MESSAGE * ROW_BYTES) {
      const to = Math.min(rowBytes, at + ROWS_PER_MESSAGE * ROW_BYTES)
      rows.set((await this.#ask({ kind: 'read-rows', index: handle, from: at, to })).bytes, at)
      await turn()
    }
    this.#table = await LabelTable.load(this.#components.random, rows)
  }

  async #close(): Promise<void> {
    const { handle } = this.#init
    // the graphs go with it, and a process that has ended has none
    await this.#components.ask({ kind: 'close', index: handle }).catch(() => {})
    await this.#rebuilding
    await this.#components.onClosed()
  }

  async #change(
    labels: Uint32Array,
    audiences: Uint32Array,
    vectors: readonly Float32Array[],
    removed: readonly number[]
  ): Promise<void> {
    const table = this.#table
    for (const label of removed) this.#audiences.set(label, undefined)
    const request = { labels, audiences, vectors, removed: Uint32Array.from(removed) }
    try {
      const { freed } = await this.#ask({ kind: 'change', index: this.#init.handle, ...request })
      if (this.#table === table) table.release(freed)
    } catch (err) {
      this.#fail(err) // table and graphs may now disagree
    }
    const { deadCount } = this.#table
    const isDue = deadCount > Math.max(DEAD_MIN, this.#heldCount * DEAD_SHARE_MAX)
    if (!isDue || this.#rebuilding !== undefined || !this.#fitsTwice()) return
    this.#rebuilding = this.#rebuild().finally(() => {
      this.#rebuilding = undefined
    })
  }

  /** While they are rebuilt, the graphs are there twice. Where they do not fit, dead vectors stay until it is cleared. */
  #fitsTwice(): boolean {
    return this.#heldCount + this.#table.size <= this.capacity
  }

  async #rebuild(): Promise<void> {
    const { model } = this.#init.name
    const table = this.#table
    const { deadCount, size } = table
    const { log } = this.#components
    log.info({ model, dead: deadCount, live: size }, 'rebuilding an index without its removed vectors')
    try {
      const { freed } = await this.#ask({ kind: 'rebuild', index: this.#init.handle })
      if (this.#table === table) table.release(freed)
    } catch (err) {
      log.warn({ err, model }, 'index not rebuilt; searches stay slow until the next try')
    }
  }

  async #ask<Kind extends GraphRequestKind>(request: GraphRequestOf<Kind>): Promise<GraphAnswers[Kind]> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#closing !== undefined) throw new SheafError('ERR_INDEX_UNAVAILABLE', 'the index is closed')
    return this.#components.ask(request)
  }

  #fail(cause: unknown): never {
    this.#failure ??= new SheafError('ERR_INDEX_UNAVAILABLE', 'the index failed and will be opened again', { cause })
    throw cause
  }
}

/** Rounding can push the cosine of a vector with itself above 1. */
function clamp(score: number): number {
  return Math.max(-1, Math.min(1, score))
}
