import { hash } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { modelIdOf } from '../../src/domain/features.js'
import { type NodeId, photoIdFrom } from '../../src/domain/ids.js'
import { ALL_SHARDS, type ShardSet, shardOf, shardOwners } from '../../src/domain/shards.js'
import type { Libp2pTransport } from '../../src/network/libp2p/libp2p-transport.js'
import { REFINED_MAX, refine } from '../../src/search/refine.js'
import { ShardSearch } from '../../src/search/shard-search.js'
import { HnswIndexes } from '../../src/similarity/index/hnsw-indexes.js'
import type { Neighbor, VectorEntry, VectorIndex } from '../../src/similarity/index/vector-index.js'
import { Libp2pNetwork } from '../support/libp2p-network.js'
import { SeededRandom } from '../support/seeded-random.js'
import { gaussian, unit } from '../support/vector-maker.js'
import { StoredVectors } from './stored-vectors.js'

export const MODEL = modelIdOf(hash('sha256', 'bench'))

export const CLUSTERS = 400
/**
 * How fast the variance falls from one direction to the next, as a power: of the default model's vectors of real photographs
 * the first 32 of 1,024 directions have .54, the first 128 .78 and the first 256 .88 of it.
 */
const SPECTRUM = 1.05
/** How far clusters lie apart, beside what is within: the nearest of 100,000 has a cosine of some .74, as with photographs. */
const APART = 1.1
const BATCH = 64

export interface VectorSetInit {
  readonly count: number
  readonly dimension: number
}

/** Vectors as a model makes them of photos, roughly: in clusters, and along some directions more than along others. The same in every process. */
export class VectorSet {
  readonly #init: VectorSetInit
  readonly #spread: Float32Array
  readonly #centres: readonly Float32Array[]

  constructor(init: VectorSetInit) {
    const random = new SeededRandom(1)
    this.#init = init
    this.#spread = Float32Array.from({ length: init.dimension }, (_, i) => (i + 1) ** (-SPECTRUM / 2))
    this.#centres = Array.from({ length: CLUSTERS }, () => this.#draw(random))
  }

  /** @param n - any number; those from `count` on are not in the set, and good as questions */
  vector(n: number): Float32Array {
    const random = new SeededRandom(n + 2)
    const centre = random.pick(this.#centres)
    return unit(this.#draw(random).map((value, i) => value + APART * (centre[i] ?? 0)))
  }

  /** @returns the number of the cluster that a vector is in, below {@link CLUSTERS} */
  clusterOf(n: number): number {
    return this.#centres.indexOf(new SeededRandom(n + 2).pick(this.#centres))
  }

  #draw(random: SeededRandom): Float32Array {
    return this.#spread.map(spread => spread * gaussian(random))
  }

  *entries(): Generator<VectorEntry> {
    for (let n = 0; n < this.#init.count; n++) {
      yield { id: idOf(n), version: n, audience: '-', vectors: new Map([['image', this.vector(n)]]) }
    }
  }
}

/** @returns the id of the nth photo */
function idOf(n: number): VectorEntry['id'] {
  return photoIdFrom(Buffer.from(hash('sha256', `photo ${n}`).slice(0, 32), 'hex'))
}

function ownedBy(node: NodeId, members: readonly NodeId[]): ShardSet {
  return new Set([...ALL_SHARDS].filter(shard => shardOwners(shard, members).includes(node)))
}

/** One node's part of a search over all: its transport, its vectors. All nodes hold what rendezvous hashing gives them. */
export class BenchNode {
  readonly transport: Libp2pTransport
  readonly #network: Libp2pNetwork
  #index: VectorIndex | undefined
  #stored: StoredVectors | undefined

  private constructor(network: Libp2pNetwork, transport: Libp2pTransport) {
    this.#network = network
    this.transport = transport
  }

  static async start(): Promise<BenchNode> {
    const network = new Libp2pNetwork()
    const transport = await network.create()
    const node = new BenchNode(network, transport)
    transport.handle('bench.echo', async (_peer, body) => body)
    return node
  }

  get index(): VectorIndex {
    if (this.#index === undefined) throw new Error('the node holds no vectors yet')
    return this.#index
  }

  get #vectors(): StoredVectors {
    if (this.#stored === undefined) throw new Error('the node holds no vectors yet')
    return this.#stored
  }

  /** Takes its handlers; the transport can be started after it. */
  serve(members: () => readonly NodeId[]): ShardSearch {
    const known = new Map<NodeId, ShardSet>()
    const owned = (node: NodeId): ShardSet => {
      const shards = known.get(node) ?? ownedBy(node, members())
      known.set(node, shards)
      return shards
    }
    return new ShardSearch({
      transport: this.transport,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      holders: () => new Map(members().map(node => [node, owned(node)])),
      searchHere: async (query, k) => ({
        shards: owned(this.transport.self),
        neighbors: await this.search(query.vector, k)
      })
    })
  }

  /** As a node does it: candidates from the graph, put right by whole vectors. */
  async search(query: Float32Array, k: number): Promise<readonly Neighbor[]> {
    const { neighbors, isExact } = await this.index.search('image', query, Math.max(k, REFINED_MAX))
    if (isExact) return neighbors.slice(0, k)
    return refine(neighbors, k, ids => this.#vectors.cosines(ids, 'image', query))
  }

  /** Builds the index of what this node holds. */
  async fill(folder: string, set: VectorSetInit, members: readonly NodeId[]): Promise<void> {
    const components = { fileSystem: nodeFileSystem, random: systemRandom, log: silentLog }
    const indexes = new HnswIndexes(components, { folder, bytesMax: Number.POSITIVE_INFINITY })
    this.#index = await indexes.open({ model: MODEL, spaces: new Map([['image', set.dimension]]) })
    this.#stored = await StoredVectors.create(join(folder, 'vectors'))
    let batch: VectorEntry[] = []
    const owned = ownedBy(this.transport.self, members)
    for (const entry of new VectorSet(set).entries()) {
      if (!owned.has(shardOf(entry.id))) continue
      batch.push(entry)
      if (batch.length < BATCH) continue
      await this.#add(this.#index, batch)
      batch = []
    }
    await this.#add(this.#index, batch)
  }

  async #add(index: VectorIndex, batch: readonly VectorEntry[]): Promise<void> {
    for (const entry of batch) await this.#vectors.keep(entry)
    await index.add(batch)
  }

  async stop(): Promise<void> {
    await this.#network.close()
    await this.#index?.close()
    await this.#stored?.close()
  }
}
