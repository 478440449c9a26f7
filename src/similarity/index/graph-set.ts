import { invariant } from '../../core/invariant.js'
import { turn } from '../../core/turn.js'
import type { Space } from '../../domain/features.js'
import { bytesPerVector, HnswGraph, type LabeledDistances } from './hnsw-graph.js'
import { principalAxes, project } from './principal-axes.js'
import type { SomeLabels } from './seen-labels.js'
import type { LabeledNeighbors, VectorSpaces } from './vector-index.js'

/**
 * Numbers of a vector that its graph holds where the model has both spaces. Of 24,000 views of 120 real photographs, .998 of
 * the ten nearest were among the 64 that such a graph of pictures gave, and some .98 of the ten nearest of other photographs.
 * Of questions in words it was .98, where a graph of all 384 numbers gave .99.
 */
const GRAPH_NUMBERS: Readonly<Record<Space, number>> = { image: 120, text: 104 }
/** Of all vectors of a photo together, or of its only one. */
export const GRAPH_NUMBERS_MAX = 224
/**
 * So many vectors the graphs hold whole. Then axes are learned from some of them: the first photos of a library may all be
 * of one thing, these hardly are.
 */
const WHOLE_MAX = 4_096
const SAMPLE = 512

/** A label's state: unused, in all graphs, or removed, which means that searches only pass through it. */
export const LABEL_FREE = 0
export const LABEL_LIVE = 1
export const LABEL_DEAD = 2

/** Vectors read in a turn, about 10 ms, and labels looked at, less than a millisecond. */
const COMPARED_PER_TURN = 512
const LABELS_PER_TURN = 65_536

const STATES_MIN = 1_024
const STATES_GROWTH = 1.5

const NONE: LabeledDistances = { labels: new Uint32Array(0), distances: new Float32Array(0) }

/** The vectors of one space. */
export interface SpaceGraph {
  readonly space: Space
  /** Numbers in the space's vectors. */
  readonly dimension: number
  /** Along which vectors are projected into the graph, concatenated; undefined: it holds them whole. */
  readonly axes: Float32Array | undefined
  readonly graph: HnswGraph
}

/** @returns memory that each photo takes in a set of graphs, once their axes are learned */
export function graphBytesPerPhoto(spaces: VectorSpaces): number {
  const dimensions = Array.from(spaces, ([space, dimension]) => Math.min(dimension, graphNumbers(space, spaces.size)))
  return dimensions.reduce((sum, dimension) => sum + bytesPerVector(dimension), STATES_GROWTH)
}

/** @param spaceCount - of the model */
function graphNumbers(space: Space, spaceCount: number): number {
  return spaceCount === 1 ? GRAPH_NUMBERS_MAX : GRAPH_NUMBERS[space]
}

/**
 * One graph for each space, with the same labels. A photo's vectors are added and removed together.
 *
 * A graph holds vectors projected on the axes along which they vary most. That shortens distances and never lengthens them,
 * so what a search finds is an upper bound of the likeness: read the whole vectors of the best to put them right.
 */
export class GraphSet {
  readonly spaces: readonly SpaceGraph[]
  #states: Uint8Array
  #liveCount = 0
  /** Live and dead. */
  #heldCount = 0

  /** @param states - by label, of all the graphs; owned by the set from now on */
  constructor(spaces: readonly SpaceGraph[], states: Uint8Array = new Uint8Array(STATES_MIN)) {
    this.spaces = spaces
    this.#states = states
    for (const state of states) {
      if (state === LABEL_LIVE) this.#liveCount++
      if (state !== LABEL_FREE) this.#heldCount++
    }
    const wrong = spaces.find(({ graph }) => graph.count !== this.#heldCount)
    if (wrong !== undefined)
      throw new Error(`the graph ${wrong.space} does not hold as many vectors as there are labels`)
  }

  static empty(spaces: VectorSpaces): GraphSet {
    return new GraphSet(
      Array.from(spaces, ([space, dimension]) => ({
        space,
        dimension,
        axes: undefined,
        graph: HnswGraph.empty(dimension)
      }))
    )
  }

  get liveCount(): number {
    return this.#liveCount
  }

  /** Whether there are enough vectors to learn axes that this set lacks. */
  get canLearn(): boolean {
    return this.#liveCount >= WHOLE_MAX && this.spaces.some(space => this.#lacksAxes(space))
  }

  state(label: number): number {
    return this.#states[label] ?? LABEL_FREE
  }

  *labels(state: number): Generator<number> {
    for (const [label, is] of this.#states.entries()) if (is === state) yield label
  }

  /**
   * @param label - must be free
   * @param vectors - one for each space, in their order; of unit length
   */
  add(label: number, vectors: readonly Float32Array[]): void {
    for (const [at, { axes, graph }] of this.spaces.entries()) {
      const vector = vectors[at] as Float32Array
      graph.add(label, axes === undefined ? Array.from(vector) : project(vector, axes))
    }
    this.#markAdded(label)
  }

  /** Takes vectors over from a set that has the same axes, or none yet. */
  addFrom(other: GraphSet, label: number): void {
    for (const [at, { axes, graph }] of this.spaces.entries()) {
      const from = other.spaces[at] as SpaceGraph
      const vector = from.graph.vector(label)
      graph.add(label, axes === undefined || from.axes !== undefined ? vector : project(vector, axes))
    }
    this.#markAdded(label)
  }

  /** Harmless for a label that is not live. */
  remove(label: number): void {
    if (this.state(label) !== LABEL_LIVE) return
    for (const { graph } of this.spaces) graph.remove(label)
    this.#states[label] = LABEL_DEAD
    this.#liveCount--
  }

  /** @param query - of unit length, of the space's dimension */
  search(space: Space, query: Float32Array, k: number): LabeledNeighbors {
    const { axes, graph } = this.#graphOf(space)
    const count = Math.min(k, this.#liveCount)
    if (count === 0) return neighborsOf(NONE, axes)
    return neighborsOf(graph.search(inGraph(query, axes), count), axes)
  }

  /** As {@link search}, among some labels only: in the graph where they are many, else by comparing with each of them. */
  async searchAmong(space: Space, query: Float32Array, k: number, some: SomeLabels): Promise<LabeledNeighbors> {
    const { axes, graph } = this.#graphOf(space)
    const count = Math.min(k, this.#liveCount, some.count)
    if (count === 0) return neighborsOf(NONE, axes)
    const place = inGraph(query, axes)
    if (!graph.isSearchedFasterByEach(some.count, k)) {
      const found = graph.search(place, count, label => some.has(label))
      // fewer: the graph does not lead to all of them, or some are not in it yet
      if (found.labels.length === count) return neighborsOf(found, axes)
    }
    return neighborsOf(await this.#compareWithEach(graph, place, k, some), axes)
  }

  /** Other searches run meanwhile, and changes. */
  async #compareWithEach(
    graph: HnswGraph,
    place: readonly number[],
    k: number,
    some: SomeLabels
  ): Promise<LabeledDistances> {
    const found: { readonly label: number; readonly distance: number }[] = []
    for (let label = 0; label < this.#states.length; label++) {
      if (label % LABELS_PER_TURN === LABELS_PER_TURN - 1) await turn()
      if (this.#states[label] !== LABEL_LIVE || !some.has(label)) continue
      found.push({ label, distance: squaredDistance(place, graph.vector(label)) })
      if (found.length % COMPARED_PER_TURN === 0) await turn()
    }
    const nearest = found
      .filter(({ label }) => this.#states[label] === LABEL_LIVE && some.has(label))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, k)
    return {
      labels: Uint32Array.from(nearest, ({ label }) => label),
      distances: Float32Array.from(nearest, ({ distance }) => distance)
    }
  }

  #graphOf(space: Space): SpaceGraph {
    const found = this.spaces.find(({ space: name }) => name === space)
    invariant(found !== undefined, 'an index is only asked about spaces that it has')
    return found
  }

  /** @returns an empty set with the same axes. @param capacity - vectors that fit without growing */
  successor(capacity = this.#liveCount): GraphSet {
    return new GraphSet(this.spaces.map(from => ({ ...from, graph: HnswGraph.empty(from.graph.dimension, capacity) })))
  }

  /** As {@link successor}, with axes for all spaces that need some, learned from some of this set's vectors. */
  async learn(): Promise<GraphSet> {
    const sample: number[] = []
    const every = Math.max(1, Math.floor(this.#liveCount / SAMPLE))
    let seen = 0
    for (const label of this.labels(LABEL_LIVE)) if (seen++ % every === 0) sample.push(label)
    const spaces: SpaceGraph[] = []
    for (const from of this.spaces) {
      const axes = this.#lacksAxes(from)
        ? await principalAxes(
            sample.slice(0, SAMPLE).map(label => from.graph.vector(label)),
            graphNumbers(from.space, this.spaces.length)
          )
        : from.axes
      const dimension = axes === undefined ? from.dimension : axes.length / from.dimension
      spaces.push({ ...from, axes, graph: HnswGraph.empty(dimension, this.#liveCount) })
    }
    return new GraphSet(spaces)
  }

  #lacksAxes({ space, axes, dimension }: SpaceGraph): boolean {
    return axes === undefined && dimension > graphNumbers(space, this.spaces.length)
  }

  #markAdded(label: number): void {
    if (label >= this.#states.length) {
      const grown = new Uint8Array(Math.ceil((label + 1) * STATES_GROWTH))
      grown.set(this.#states)
      this.#states = grown
    }
    this.#states[label] = LABEL_LIVE
    this.#liveCount++
    this.#heldCount++
  }
}

function inGraph(query: Float32Array, axes: Float32Array | undefined): readonly number[] {
  return axes === undefined ? Array.from(query) : project(query, axes)
}

function neighborsOf({ labels, distances }: LabeledDistances, axes: Float32Array | undefined): LabeledNeighbors {
  // of unit vectors: |a - b|² = 2 - 2 a·b
  return { labels, scores: distances.map(squared => 1 - squared / 2), isExact: axes === undefined }
}

function squaredDistance(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2
  return sum
}
