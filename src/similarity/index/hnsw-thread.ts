/* The thread of one index: owns the graph and its files. Started by hnsw-index.ts. */
import { parentPort, type TransferListItem, workerData } from 'node:worker_threads'
import { invariant } from '../../core/invariant.js'
import { turn } from '../../core/turn.js'
import { GraphFiles } from './graph-files.js'
import { HnswGraph, LABEL_DEAD, LABEL_LIVE } from './hnsw-graph.js'
import type {
  HnswAnswers,
  HnswRequest,
  HnswThreadData,
  NumberedHnswAnswer,
  NumberedHnswRequest
} from './hnsw-messages.js'

/** Insertions, about 10 ms, after which waiting searches run. */
const INSERTIONS_PER_TURN = 8

type Kind = HnswRequest['kind']
type RequestOf<K extends Kind> = Extract<HnswRequest, { kind: K }>

class HnswThread {
  readonly #dimension: number
  readonly #files: GraphFiles
  #graph: HnswGraph
  /** The graph being built to replace the current one; every change goes into both. */
  #next: HnswGraph | undefined
  #tail: Promise<unknown> = Promise.resolve()

  constructor({ name, folder }: HnswThreadData) {
    this.#dimension = name.dimension
    this.#files = new GraphFiles(name, folder)
    this.#graph = HnswGraph.empty(name.dimension)
  }

  answer(request: HnswRequest): Promise<HnswAnswers[Kind]> {
    switch (request.kind) {
      case 'search':
        return this.#search(request)
      case 'rebuild':
        return this.#rebuild()
      case 'load':
        return this.#inOrder(() => this.#load())
      case 'change':
        return this.#inOrder(() => this.#change(request))
      case 'save':
        return this.#inOrder(() => this.#files.save(this.#graph, request.rows))
      case 'close':
        return this.#inOrder(async () => undefined)
    }
  }

  async #load(): Promise<HnswAnswers['load']> {
    const { loaded, damage } = await this.#files.load()
    if (loaded !== undefined) this.#graph = loaded.graph
    return { rows: loaded?.rows, damage }
  }

  async #change({ labels, vectors, removed }: RequestOf<'change'>): Promise<undefined> {
    for (const [i, label] of labels.entries()) {
      const vector = Array.from(vectors.subarray(i * this.#dimension, (i + 1) * this.#dimension))
      this.#graph.add(label, vector)
      this.#next?.add(label, vector)
      if (i % INSERTIONS_PER_TURN === INSERTIONS_PER_TURN - 1) await turn()
    }
    for (const label of removed) {
      this.#graph.remove(label)
      this.#next?.remove(label)
    }
  }

  async #search({ query, k }: RequestOf<'search'>): Promise<HnswAnswers['search']> {
    return this.#graph.search(Array.from(query), k)
  }

  /** Copies the live vectors, a few at a time; replaces the current graph when no change is running. */
  async #rebuild(): Promise<HnswAnswers['rebuild']> {
    invariant(this.#next === undefined, 'one rebuild at a time')
    const { states, next } = await this.#inOrder(async () => {
      this.#next = HnswGraph.empty(this.#dimension, this.#graph.liveCount)
      return { states: this.#graph.states.slice(), next: this.#next }
    })
    let inserted = 0
    for (const [label, state] of states.entries()) {
      // skip vectors added since, which are in already, and those removed since
      if (state !== LABEL_LIVE || this.#graph.state(label) !== LABEL_LIVE || next.state(label) !== 0) continue
      next.add(label, this.#graph.vector(label))
      if (++inserted % INSERTIONS_PER_TURN === 0) await turn()
    }
    return this.#inOrder(async () => {
      const freed = [...this.#graph.states.entries()].filter(
        ([label, state]) => state === LABEL_DEAD && next.state(label) === 0
      )
      this.#graph = next
      this.#next = undefined
      return { freed: Uint32Array.from(freed, ([label]) => label) }
    })
  }

  /** Runs a task after all earlier ones have ended. */
  #inOrder<Result>(task: () => Promise<Result>): Promise<Result> {
    const done = this.#tail.then(task)
    this.#tail = done.catch(() => {})
    return done
  }
}

const port = parentPort
invariant(port !== null, 'this module is a thread')
const thread = new HnswThread(workerData as HnswThreadData)

port.on('message', ({ number, request }: NumberedHnswRequest) => {
  const send = (answer: NumberedHnswAnswer, transfer: readonly TransferListItem[]): void =>
    port.postMessage(answer, transfer)
  thread.answer(request).then(
    answer => {
      send({ number, answer }, buffersOf(answer))
      if (request.kind === 'close') port.close()
    },
    err => send({ number, error: err instanceof Error ? err.message : String(err) }, [])
  )
})

function buffersOf(answer: HnswAnswers[Kind]): TransferListItem[] {
  return Object.values(answer ?? {}).flatMap(value =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : []
  )
}
