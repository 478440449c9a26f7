import hnswlib, { type HierarchicalNSW } from 'hnswlib-node'

const M = 16
const EF_CONSTRUCTION = 200
/**
 * The least `ef` of a search; otherwise twice `k`. On 100,000 vectors of 1,024 numbers, recall@10 was .996 with this value
 * and .969 with half of it (test/bench/similarity.ts).
 */
const EF_MIN = 256
const CAPACITY_MIN = 1_024
const GROWTH = 1.5
/** A fixed seed: the same calls build the same graph. */
const SEED = 100
const LABEL_BYTES = 8
const LINK_BYTES = 4

/** A label's state: unused, a vector, or a removed vector that searches only pass through. */
export const LABEL_FREE = 0
export const LABEL_LIVE = 1
export const LABEL_DEAD = 2

/** Neighbors as labels, best first. */
export interface LabeledNeighbors {
  readonly labels: Uint32Array
  readonly scores: Float32Array
}

/**
 * A graph of unit vectors under labels, in the library's memory; grows as needed. Removed vectors stay in the graph so that
 * searches can pass through them; when there are many, build a new graph from the others. All calls block, so it needs a
 * thread of its own.
 *
 * @see Malkov & Yashunin 2018, "Efficient and robust approximate nearest neighbor search using HNSW graphs"
 */
export class HnswGraph {
  readonly #dimension: number
  readonly #index: HierarchicalNSW
  #states: Uint8Array
  #liveCount = 0

  private constructor(dimension: number, index: HierarchicalNSW, states: Uint8Array) {
    this.#dimension = dimension
    this.#index = index
    this.#states = states
    for (const state of states) if (state === LABEL_LIVE) this.#liveCount++
  }

  /** @param capacity - vectors that fit without growing */
  static empty(dimension: number, capacity = CAPACITY_MIN): HnswGraph {
    const index = new hnswlib.HierarchicalNSW('cosine', dimension)
    index.initIndex(Math.max(capacity, CAPACITY_MIN), M, EF_CONSTRUCTION, SEED)
    return new HnswGraph(dimension, index, new Uint8Array(CAPACITY_MIN))
  }

  /**
   * Reads a file that `write` wrote. The library does not check it, and a flipped bit may crash the process: verify the bytes
   * first.
   *
   * @param states - by label, from `states`; owned by the graph from now on
   * @throws when the library refuses the file, or its number of vectors differs
   */
  static read(dimension: number, path: string, states: Uint8Array): HnswGraph {
    const held = states.reduce((sum, state) => sum + (state === LABEL_FREE ? 0 : 1), 0)
    if (held === 0) return HnswGraph.empty(dimension)
    const index = new hnswlib.HierarchicalNSW('cosine', dimension)
    index.readIndexSync(path)
    if (index.getCurrentCount() !== held)
      throw new Error('the number of vectors in the graph differs from its number of labels')
    return new HnswGraph(dimension, index, states)
  }

  get liveCount(): number {
    return this.#liveCount
  }

  /** By label; a view that the next call may change. */
  get states(): Uint8Array {
    return this.#states
  }

  state(label: number): number {
    return this.#states[label] ?? LABEL_FREE
  }

  /** A lower bound on the size of this graph's file, bytes. */
  get bytesMin(): number {
    const level0Links = LINK_BYTES * (1 + 2 * M)
    return this.#index.getCurrentCount() * (4 * this.#dimension + LABEL_BYTES + level0Links + LINK_BYTES)
  }

  /** @param label - must be free */
  add(label: number, vector: readonly number[]): void {
    const capacity = this.#index.getMaxElements()
    if (this.#index.getCurrentCount() >= capacity) {
      this.#index.resizeIndex(Math.max(CAPACITY_MIN, Math.ceil(capacity * GROWTH)))
    }
    this.#index.addPoint(vector as number[], label)
    if (label >= this.#states.length) {
      const grown = new Uint8Array(Math.ceil((label + 1) * GROWTH))
      grown.set(this.#states)
      this.#states = grown
    }
    this.#states[label] = LABEL_LIVE
    this.#liveCount++
  }

  /** Harmless for a label that is not live. */
  remove(label: number): void {
    if (this.state(label) !== LABEL_LIVE) return
    this.#index.markDelete(label)
    this.#states[label] = LABEL_DEAD
    this.#liveCount--
  }

  vector(label: number): number[] {
    return this.#index.getPoint(label)
  }

  search(query: readonly number[], k: number): LabeledNeighbors {
    const count = Math.min(k, this.#liveCount)
    if (count === 0) return { labels: new Uint32Array(0), scores: new Float32Array(0) }
    this.#index.setEf(Math.max(EF_MIN, 2 * count))
    const { neighbors, distances } = this.#index.searchKnn(query as number[], count)
    return { labels: Uint32Array.from(neighbors), scores: Float32Array.from(distances, distance => 1 - distance) }
  }

  /** Searches may run meanwhile, changes may not. The library does not report a full disk: compare with `bytesMin`. */
  async write(path: string): Promise<void> {
    await this.#index.writeIndex(path)
  }
}
