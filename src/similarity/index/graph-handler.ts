import { invariant } from '../../core/invariant.js'
import { turn } from '../../core/turn.js'
import { GraphFiles } from './graph-files.js'
import type { GraphAnswers, GraphRequest, GraphRequestKind, GraphRequestOf, IndexHandle } from './graph-messages.js'
import { GraphSet, LABEL_DEAD, LABEL_FREE, LABEL_LIVE } from './graph-set.js'
import { LabelAudiences } from './seen-labels.js'
import type { IndexName } from './vector-index.js'

/** Insertions, about 10 ms, after which waiting searches run. */
const INSERTIONS_PER_TURN = 8

/** Answers the requests for all open indexes. */
export class GraphHandler {
  readonly #open = new Map<IndexHandle, IndexGraphs>()

  async handle(request: GraphRequest): Promise<GraphAnswers[GraphRequestKind]> {
    if (request.kind === 'open') this.#open.set(request.index, new IndexGraphs(request))
    const graphs = this.#open.get(request.index)
    if (graphs === undefined) throw new Error('the index is not open')
    const answer = await graphs.answer(request)
    if (request.kind === 'close') this.#open.delete(request.index)
    return answer
  }
}

/** The graphs of one index, and their files. */
class IndexGraphs {
  readonly #name: IndexName
  readonly #files: GraphFiles
  #graphs: GraphSet
  readonly #audiences = new LabelAudiences()
  /** The set being built to replace the current one; every change goes into both. */
  #next: GraphSet | undefined
  #tail: Promise<unknown> = Promise.resolve()
  /** As saved, until they have been read. */
  #savedRows: Uint8Array = new Uint8Array(0)
  /** Takes the rows of a save that has been asked for. */
  #takeRows: (bytes: Uint8Array) => void = () => {}

  constructor({ name, folder }: GraphRequestOf<'open'>) {
    this.#name = name
    this.#files = new GraphFiles(name, folder)
    this.#graphs = GraphSet.empty(name.spaces)
  }

  answer(request: GraphRequest): Promise<GraphAnswers[GraphRequestKind]> {
    switch (request.kind) {
      case 'search':
        return this.#search(request)
      case 'rebuild':
        return this.#rebuild()
      case 'open':
        return this.#inOrder(() => this.#load(request))
      case 'change':
        this.#audiences.set(request.labels, request.audiences)
        this.#audiences.set(request.removed, new Uint32Array(request.removed.length))
        return this.#inOrder(() => this.#change(request))
      case 'move':
        return this.#move(request)
      case 'read-rows':
        return this.#readRows(request)
      case 'save':
        return this.#save(request)
      case 'rows':
        return this.#receiveRows(request)
      case 'clear':
        this.#audiences.clear()
        return this.#inOrder(() => this.#clear())
      case 'close':
        this.#next = undefined // ends a rebuild
        return this.#inOrder(async () => undefined)
    }
  }

  async #load({ rowsMax }: GraphRequestOf<'open'>): Promise<GraphAnswers['open']> {
    const { loaded, damage } = await this.#files.load(rowsMax)
    if (loaded !== undefined) this.#graphs = loaded.graphs
    this.#savedRows = loaded?.rows ?? this.#savedRows
    return { rowBytes: this.#savedRows.length, damage }
  }

  async #readRows({ from, to }: GraphRequestOf<'read-rows'>): Promise<GraphAnswers['read-rows']> {
    const bytes = this.#savedRows.slice(from, to)
    if (to >= this.#savedRows.length) this.#savedRows = new Uint8Array(0)
    return { bytes }
  }

  #save({ rowBytes }: GraphRequestOf<'save'>): Promise<undefined> {
    const rows = new Uint8Array(rowBytes)
    let received = 0
    const complete = new Promise<void>(resolve => {
      this.#takeRows = bytes => {
        rows.set(bytes, received)
        received += bytes.length
        if (received === rowBytes) resolve()
      }
      if (rowBytes === 0) resolve()
    })
    return this.#inOrder(async () => {
      await complete
      return this.#files.save(this.#graphs, rows)
    })
  }

  async #receiveRows({ bytes }: GraphRequestOf<'rows'>): Promise<undefined> {
    this.#takeRows(bytes)
  }

  async #change({ labels, vectors, removed }: GraphRequestOf<'change'>): Promise<GraphAnswers['change']> {
    const freed = await this.#learn()
    const dimensions = [...this.#name.spaces.values()]
    for (const [i, label] of labels.entries()) {
      const entry = dimensions.map((dimension, at) =>
        (vectors[at] as Float32Array).subarray(i * dimension, (i + 1) * dimension)
      )
      this.#graphs.add(label, entry)
      this.#next?.add(label, entry)
      if (i % INSERTIONS_PER_TURN === INSERTIONS_PER_TURN - 1) await turn()
    }
    for (const label of removed) {
      this.#graphs.remove(label)
      this.#next?.remove(label)
    }
    return { freed }
  }

  /** Before this returns, so that what is asked next knows it. */
  async #move({ labels, audiences }: Pick<GraphRequestOf<'move'>, 'labels' | 'audiences'>): Promise<undefined> {
    this.#audiences.set(labels, audiences)
  }

  async #search({ space, query, k, seen }: GraphRequestOf<'search'>): Promise<GraphAnswers['search']> {
    if (seen === undefined) return this.#graphs.search(space, query, k)
    return this.#graphs.searchAmong(space, query, k, this.#audiences.of(seen))
  }

  /**
   * Once, when there are enough vectors: from then on the graphs hold projections of the live ones. No change runs meanwhile.
   *
   * @returns labels that are no longer in the graphs
   */
  async #learn(): Promise<Uint32Array> {
    const graphs = this.#graphs
    if (!graphs.canLearn || this.#next !== undefined) return new Uint32Array(0)
    const next = await graphs.learn()
    await copyLive(graphs, next)
    this.#graphs = next
    return Uint32Array.from(graphs.labels(LABEL_DEAD))
  }

  /** Copies the live vectors, a few at a time; replaces the current graphs when no change is running. */
  async #rebuild(): Promise<GraphAnswers['rebuild']> {
    const { graphs, next } = await this.#inOrder(async () => {
      invariant(this.#next === undefined, 'one rebuild at a time')
      this.#next = this.#graphs.successor()
      return { graphs: this.#graphs, next: this.#next }
    })
    try {
      await copyLive(graphs, next, () => this.#next === next)
    } catch (err) {
      if (this.#next === next) this.#next = undefined
      throw err
    }
    return this.#inOrder(async () => {
      if (this.#next !== next) return { freed: new Uint32Array(0) } // cleared meanwhile
      const freed = [...graphs.labels(LABEL_DEAD)].filter(label => next.state(label) === LABEL_FREE)
      this.#graphs = next
      this.#next = undefined
      return { freed: Uint32Array.from(freed) }
    })
  }

  async #clear(): Promise<undefined> {
    this.#next = undefined
    this.#graphs = this.#graphs.successor(0)
    await this.#files.remove()
  }

  /** Runs a task after all earlier ones have ended. */
  #inOrder<Result>(task: () => Promise<Result>): Promise<Result> {
    const done = this.#tail.then(task)
    this.#tail = done.catch(() => {})
    return done
  }
}

/** Copies the live vectors, but for those that are removed meanwhile, or that `to` has already. */
async function copyLive(from: GraphSet, to: GraphSet, isWanted: () => boolean = () => true): Promise<void> {
  let inserted = 0
  for (const label of [...from.labels(LABEL_LIVE)]) {
    if (from.state(label) !== LABEL_LIVE || to.state(label) !== LABEL_FREE) continue
    to.addFrom(from, label)
    if (++inserted % INSERTIONS_PER_TURN !== 0) continue
    await turn()
    if (!isWanted()) return
  }
}
