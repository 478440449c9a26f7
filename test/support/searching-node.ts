import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.js'
import { SheafError } from '../../src/core/errors.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { levelDatabase } from '../../src/directory/database.js'
import { Directory } from '../../src/directory/directory.js'
import { encodeFeatures, type ModelId, modelIdOf } from '../../src/domain/features.js'
import type { NodeId } from '../../src/domain/ids.js'
import type { DirectoryRecord } from '../../src/domain/record.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import type { Libp2pTransport } from '../../src/network/libp2p/libp2p-transport.js'
import type { Heartbeat } from '../../src/network/membership/heartbeat.js'
import { KnownAlbums } from '../../src/photos/viewers/known-albums.js'
import { Viewers } from '../../src/photos/viewers/viewers.js'
import { decodeSearch, encodeSearch } from '../../src/search/search-messages.js'
import { Similarity, type SimilarityComponents } from '../../src/search/similarity.js'
import { HnswIndexes } from '../../src/similarity/index/hnsw-indexes.js'
import type { LoadedModel, ModelSpec } from '../../src/similarity/models/model-spec.js'
import { VectorAnalyzer } from './vector-analyzer.js'

const DIGEST = '0123456789abcdef'.repeat(4)
export const SEARCHING_MODEL: ModelId = modelIdOf(DIGEST)
const RECORDS_PER_BATCH = 500

/** @returns the question as a node reads it that does not know who asks */
function withoutViewer(body: Uint8Array): Uint8Array {
  const { query, k } = decodeSearch(body)
  return encodeSearch({ ...query, onlooker: undefined }, k)
}

type Listener = (peer: NodeId, beat: Heartbeat) => void

/** @returns the features of a photo, as the model that these nodes have would have made them */
export function featuresBytes(vector: Float32Array): Uint8Array {
  return encodeFeatures({ modelDigest: DIGEST, vectors: new Map([['image', vector]]) })
}

/** A directory on disk, people and an index in its process, on a real transport: all of a node that searches. */
export class SearchingNode {
  readonly transport: Libp2pTransport
  readonly directory: Directory
  readonly viewers: Viewers
  readonly similarity: Similarity
  /** It does not know that somebody may see less than all, as nodes of before. */
  isOfBefore = false
  readonly #peers: readonly SearchingNode[]
  readonly #listeners: Listener[] = []

  /**
   * @param all - the nodes of the cluster, to which it adds itself
   * @param features - by the hash under which records name them
   */
  constructor(
    all: SearchingNode[],
    transport: Libp2pTransport,
    folder: string,
    features: ReadonlyMap<string, Uint8Array>
  ) {
    const [log, clock, random] = [silentLog, systemClock, systemRandom]
    this.#peers = all
    this.transport = transport
    this.directory = new Directory({
      database: levelDatabase(join(folder, 'directory'), nodeFileSystem),
      log,
      observe: () => {}
    })
    this.viewers = new Viewers({
      directory: this.directory,
      albums: new KnownAlbums({ directory: this.directory, clock, unowned: () => 'everyone' }),
      clock,
      log,
      groupsOf: () => []
    })
    const reader: Pick<SimilarityComponents['reader'], 'isLocal' | 'readNeedle'> = {
      isLocal: () => true,
      readNeedle: async ({ sha256 }) => {
        const bytes = features.get(sha256)
        if (bytes === undefined) throw new SheafError('ERR_BYTES_UNREACHABLE')
        return bytes
      }
    }
    this.similarity = new Similarity(
      {
        directory: this.directory,
        reader: reader as SimilarityComponents['reader'],
        writer: { edit: () => Promise.reject(new Error('nothing is edited here')) },
        viewers: this.viewers,
        analyzer: new VectorAnalyzer(DIGEST),
        onNeedles: () => () => {},
        indexes: new HnswIndexes({ fileSystem: nodeFileSystem, random, log }, { folder, bytesMax: 2 ** 30 }),
        isReplicating: () => false,
        transport: {
          self: transport.self,
          request: (...args) => transport.request(...args),
          handle: (method, handler) =>
            transport.handle(method, (peer, body, signal) =>
              handler(peer, this.isOfBefore ? withoutViewer(body) : body, signal)
            )
        },
        membership: {
          present: () => all.filter(node => node !== this).map(node => node.transport.self),
          hasTool: () => false,
          announce: () => this.#beat(),
          onHeartbeat: listener => {
            this.#listeners.push(listener)
            return () => {}
          }
        },
        fileSystem: nodeFileSystem,
        clock,
        random,
        log
      },
      { folder }
    )
    all.push(this)
  }

  async start(records: readonly DirectoryRecord[], dimension: number): Promise<void> {
    await this.directory.start()
    for (let at = 0; at < records.length; at += RECORDS_PER_BATCH)
      await this.merge(records.slice(at, at + RECORDS_PER_BATCH))
    await this.viewers.start()
    await this.transport.start()
    await this.similarity.start()
    const spec = { id: SEARCHING_MODEL, digest: DIGEST, name: 'test', image: { dimension } } as ModelSpec
    await this.similarity.useModel({ spec, folder: '/models/test' } satisfies LoadedModel)
  }

  async merge(records: readonly DirectoryRecord[]): Promise<void> {
    await this.directory.merge(records.map(encodeRecord))
  }

  async stop(): Promise<void> {
    await this.similarity.stop()
    await this.viewers.stop()
    await this.transport.stop()
    await this.directory.stop()
  }

  /** Peers hear at once what it has; of a heartbeat only that is looked at here. */
  #beat(): void {
    const beat = { indexes: this.similarity.models.heartbeatIndexes() } as unknown as Heartbeat
    for (const peer of this.#peers)
      if (peer !== this) for (const listener of peer.#listeners) listener(this.transport.self, beat)
  }
}
