import type { TransferListItem, Worker } from 'node:worker_threads'
import { SheafError } from '../../core/errors.js'
import { isBrokenInvariant } from '../../core/invariant.js'
import type { Logger } from '../../core/log.js'
import { startThread } from '../../core/thread.js'
import type { PhotoId } from '../../domain/ids.js'
import type {
  HnswAnswers,
  HnswRequest,
  HnswThreadData,
  NumberedHnswAnswer,
  NumberedHnswRequest
} from './hnsw-messages.js'
import { LabelTable } from './label-table.js'
import { type IndexName, NEIGHBORS_MAX, type Neighbor, type VectorEntry, type VectorIndex } from './vector-index.js'

const SEARCHES_WAITING_MAX = 1_000
/** Removed vectors slow searches down; above this share the graph is rebuilt, before recall suffers. */
const DEAD_SHARE_MAX = 0.3
const DEAD_MIN = 256

type Kind = HnswRequest['kind']

interface PendingCall {
  readonly resolve: (answer: HnswAnswers[Kind]) => void
  readonly reject: (error: SheafError) => void
}

export interface HnswIndexComponents {
  readonly log: Logger
}

/** An approximate index. The graph is in a thread of its own, the table from labels to photos here. */
export class HnswIndex implements VectorIndex {
  readonly #name: IndexName
  readonly #log: Logger
  readonly #worker: Worker
  readonly #pendingCalls = new Map<number, PendingCall>()
  #table = new LabelTable()
  #lastNumber = 0
  #searchCount = 0
  #rebuilding: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #failure: SheafError | undefined

  private constructor({ log }: HnswIndexComponents, data: HnswThreadData) {
    this.#name = data.name
    this.#log = log
    this.#worker = startThread(import.meta.url, 'hnsw-thread', { workerData: data })
    this.#worker.on('message', (answer: NumberedHnswAnswer) => this.#onAnswer(answer))
    this.#worker.on('error', err => {
      if (isBrokenInvariant(err)) throw err // it ends the process here as well
      this.#onFailure(err)
    })
    this.#worker.on('exit', code => this.#onFailure(`its thread ended with ${code}`))
  }

  /** @param data.folder - must exist */
  static async open(components: HnswIndexComponents, data: HnswThreadData): Promise<HnswIndex> {
    const index = new HnswIndex(components, data)
    try {
      const { rows, damage } = await index.#ask({ kind: 'load' }, [])
      if (damage !== undefined) {
        components.log.warn({ index: data.name, damage }, 'index is damaged; rebuilding it from the volumes')
      }
      if (rows !== undefined) index.#table = await LabelTable.load(rows)
      return index
    } catch (err) {
      await index.close()
      throw err
    }
  }

  get size(): number {
    return this.#table.size
  }

  version(id: PhotoId): number | undefined {
    return this.#table.versionOf(id)
  }

  ids(): Iterable<PhotoId> {
    return this.#table.ids()
  }

  async add(entries: readonly VectorEntry[]): Promise<void> {
    const { dimension } = this.#name
    const latest = [...new Map(entries.map(entry => [entry.id, entry])).values()]
    const vectors = new Float32Array(latest.length * dimension)
    const removed: number[] = []
    const labels = new Uint32Array(latest.length)
    for (const [i, { id, version, vector }] of latest.entries()) {
      const old = this.#table.markDead(id)
      if (old !== undefined) removed.push(old)
      labels[i] = this.#table.assign(id, version)
      vectors.set(vector, i * dimension)
    }
    await this.#change(labels, vectors, removed)
  }

  async remove(ids: readonly PhotoId[]): Promise<void> {
    const removed = ids.flatMap(id => this.#table.markDead(id) ?? [])
    if (removed.length > 0) await this.#change(new Uint32Array(0), new Float32Array(0), removed)
  }

  async search(query: Float32Array, k: number): Promise<Neighbor[]> {
    if (this.#searchCount >= SEARCHES_WAITING_MAX)
      throw new SheafError('ERR_OVERLOADED', 'too many searches are waiting; try again')
    const copy = Float32Array.from(query)
    this.#searchCount++
    try {
      const request: HnswRequest = { kind: 'search', query: copy, k: Math.min(k, NEIGHBORS_MAX) }
      const { labels, scores } = await this.#ask(request, [copy.buffer])
      return Array.from(labels).flatMap((label, i) => {
        const id = this.#table.idOf(label) // undefined: removed during the search
        return id === undefined ? [] : [{ id, score: clamp(scores[i] ?? 0) }]
      })
    } finally {
      this.#searchCount--
    }
  }

  async save(): Promise<void> {
    const rows = this.#table.rows()
    await this.#ask({ kind: 'save', rows }, [rows.buffer])
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // after a failure the thread has ended
    if (this.#failure === undefined) await this.#ask({ kind: 'close' }, []).catch(() => {})
    await this.#rebuilding
    await this.#worker.terminate()
  }

  async #change(
    labels: Uint32Array<ArrayBuffer>,
    vectors: Float32Array<ArrayBuffer>,
    removed: number[]
  ): Promise<void> {
    const request: HnswRequest = { kind: 'change', labels, vectors, removed: Uint32Array.from(removed) }
    try {
      await this.#ask(request, [labels.buffer, vectors.buffer])
    } catch (err) {
      this.#onFailure(err) // table and graph may now disagree
      throw err
    }
    const { deadCount, size } = this.#table
    if (this.#rebuilding === undefined && deadCount > Math.max(DEAD_MIN, (deadCount + size) * DEAD_SHARE_MAX)) {
      this.#rebuilding = this.#rebuild().finally(() => {
        this.#rebuilding = undefined
      })
    }
  }

  async #rebuild(): Promise<void> {
    const { deadCount, size } = this.#table
    this.#log.info(
      { index: this.#name, dead: deadCount, live: size },
      'rebuilding an index without its removed vectors'
    )
    try {
      const { freed } = await this.#ask({ kind: 'rebuild' }, [])
      this.#table.release(freed)
    } catch (err) {
      this.#log.warn({ err, index: this.#name }, 'index not rebuilt; searches stay slow until the next try')
    }
  }

  #ask<K extends Kind>(
    request: Extract<HnswRequest, { kind: K }>,
    transfer: readonly TransferListItem[]
  ): Promise<HnswAnswers[K]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      if (this.#closing !== undefined && request.kind !== 'close') return reject(unavailable('the index is closed'))
      const number = ++this.#lastNumber
      this.#pendingCalls.set(number, { resolve: answer => resolve(answer as HnswAnswers[K]), reject })
      const numbered: NumberedHnswRequest = { number, request }
      this.#worker.postMessage(numbered, transfer)
    })
  }

  #onAnswer(answer: NumberedHnswAnswer): void {
    const waiting = this.#pendingCalls.get(answer.number)
    this.#pendingCalls.delete(answer.number)
    if ('error' in answer) waiting?.reject(unavailable(answer.error))
    else waiting?.resolve(answer.answer)
  }

  #onFailure(cause: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = unavailable('the index failed and will be opened again', cause)
    for (const { reject } of this.#pendingCalls.values()) reject(this.#failure)
    this.#pendingCalls.clear()
  }
}

/** Rounding can push the cosine of a vector with itself above 1. */
function clamp(score: number): number {
  return Math.max(-1, Math.min(1, score))
}

function unavailable(message: string, cause?: unknown): SheafError {
  return new SheafError('ERR_INDEX_UNAVAILABLE', message, { cause })
}
