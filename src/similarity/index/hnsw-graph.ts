import hnswlib, { type HierarchicalNSW } from 'hnswlib-node'

const M = 16
const EF_CONSTRUCTION = 200
/**
 * The least `ef` of a search; otherwise twice `k`. Questions in words lie apart from all photos, and need more than pictures:
 * of 24,000 views of real photographs they found .98 of the ten nearest with this value, and .96 with half of it.
 */
const EF_MIN = 512
/**
 * What it takes to read a vector of 8 numbers, beside passing by one in the graph: from the library comes an array, number by
 * number. A vector of 120 took 22 µs, and passing by one that may not be wanted 1.5 µs.
 */
const NUMBERS_PER_VISIT = 8
const CAPACITY_MIN = 1_024
/** Little, because what is allocated counts; the library grows by `realloc`, which moves pages and copies nothing. */
const GROWTH = 1.05
/** A fixed seed: the same calls build the same graph. */
const SEED = 100
const LABEL_BYTES = 8
const LINK_BYTES = 4
const LEVEL_0_LINKS_BYTES = LINK_BYTES * (1 + 2 * M)
/**
 * What the library holds for each vector beside it, its label and its links on the lowest level: links of upper levels, a
 * lock, a pointer, a level, an entry in the map of labels, a mark of having been visited.
 */
const OTHER_BYTES = 100

/** Labels of vectors, nearest first. */
export interface LabeledDistances {
  readonly labels: Uint32Array
  /** Euclidean, squared. */
  readonly distances: Float32Array
}

/** @returns memory for each vector, allocated ahead included */
export function bytesPerVector(dimension: number): number {
  return GROWTH * (4 * dimension + LABEL_BYTES + LEVEL_0_LINKS_BYTES + OTHER_BYTES)
}

/**
 * A graph of vectors under labels, in the library's memory; grows as needed. Removed vectors stay in it, so that searches
 * can pass through them; when there are many, build a new graph from the others. All calls block, so it needs a process of
 * its own.
 *
 * @see Malkov & Yashunin 2018, "Efficient and robust approximate nearest neighbor search using HNSW graphs"
 */
export class HnswGraph {
  readonly dimension: number
  readonly #index: HierarchicalNSW

  private constructor(dimension: number, index: HierarchicalNSW) {
    this.dimension = dimension
    this.#index = index
  }

  /** @param capacity - vectors that fit without growing */
  static empty(dimension: number, capacity = CAPACITY_MIN): HnswGraph {
    const index = new hnswlib.HierarchicalNSW('l2', dimension)
    index.initIndex(Math.max(capacity, CAPACITY_MIN), M, EF_CONSTRUCTION, SEED)
    return new HnswGraph(dimension, index)
  }

  /**
   * Reads a file that `write` wrote. The library does not check it, and a flipped bit may crash the process: verify the bytes
   * first.
   *
   * @throws when the library refuses the file
   */
  static read(dimension: number, path: string): HnswGraph {
    const index = new hnswlib.HierarchicalNSW('l2', dimension)
    index.readIndexSync(path)
    return new HnswGraph(dimension, index)
  }

  /** Vectors in the graph, removed ones included. */
  get count(): number {
    return this.#index.getCurrentCount()
  }

  /** A lower bound on the size of this graph's file, bytes. */
  get bytesMin(): number {
    return this.count * (4 * this.dimension + LABEL_BYTES + LEVEL_0_LINKS_BYTES + LINK_BYTES)
  }

  /** @param label - not in the graph */
  add(label: number, vector: readonly number[]): void {
    const capacity = this.#index.getMaxElements()
    if (this.count >= capacity) this.#index.resizeIndex(Math.max(CAPACITY_MIN, Math.ceil(capacity * GROWTH)))
    this.#index.addPoint(vector as number[], label)
  }

  /** @param label - in the graph, and not removed */
  remove(label: number): void {
    this.#index.markDelete(label)
  }

  vector(label: number): number[] {
    return this.#index.getPoint(label)
  }

  /**
   * @param k - at most the vectors that are not removed, and at least 1
   * @param isWanted - only these; there may be more of them than are found. Default: all
   */
  search(query: readonly number[], k: number, isWanted?: (label: number) => boolean): LabeledDistances {
    this.#index.setEf(efOf(k))
    const { neighbors, distances } = this.#index.searchKnn(query as number[], k, isWanted)
    return { labels: Uint32Array.from(neighbors), distances: Float32Array.from(distances) }
  }

  /** @returns whether it takes less to compare with each of so many vectors than to look for the `k` nearest of them in the graph */
  isSearchedFasterByEach(wanted: number, k: number): boolean {
    const visits = Math.min(this.count, (efOf(k) * this.count) / Math.max(1, wanted))
    return (wanted * this.dimension) / NUMBERS_PER_VISIT <= visits
  }

  /** Searches may run meanwhile, changes may not. The library does not report a full disk: compare with `bytesMin`. */
  async write(path: string): Promise<void> {
    await this.#index.writeIndex(path)
  }
}

/** How many of the best are kept while the graph is searched. */
function efOf(k: number): number {
  return Math.max(EF_MIN, 2 * k)
}
