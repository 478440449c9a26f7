import { SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { Tracer } from '../core/tracing.js'
import type { Directory } from '../directory/directory.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import { SHARD_COUNT, type ShardSet } from '../domain/shards.js'
import type { Transport } from '../network/transport.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import type { Viewers } from '../photos/viewers/viewers.js'
import type { DecodingTool } from '../similarity/images/decoding-tools.js'
import type { ImageAnalyzer } from '../similarity/images/image-analyzer.js'
import type { LoadedModel, ModelSpec } from '../similarity/models/model-spec.js'
import { photoNotFound, type RecordWriter } from '../store/record-writer.js'
import { Duplicates } from './duplicates.js'
import { HeadBacklog } from './head-backlog.js'
import { ImageBacklog } from './image-backlog.js'
import { type IndexedModel, IndexedModels, type IndexedModelsComponents } from './indexed-models.js'
import type { LookAtFileComponents } from './look-at-file.js'
import { Search } from './search.js'
import type { ShardAnswer, VectorQuery } from './search-messages.js'
import { ShardSearch } from './shard-search.js'
import type { SimilarityStatus } from './similarity-types.js'

export interface SimilarityComponents extends Omit<IndexedModelsComponents, 'self' | 'directory' | 'onModels'> {
  readonly directory: Directory
  readonly reader: Pick<PhotoReader, 'isLocal' | 'readNeedle' | 'source' | 'stream'>
  readonly writer: Pick<RecordWriter, 'edit'>
  /** Who sees what, by the records of this node. */
  readonly viewers: Pick<Viewers, 'of'>
  readonly analyzer: ImageAnalyzer
  /** Decodes pictures of movies; absent: nothing does here. */
  readonly ffmpeg?: LookAtFileComponents['ffmpeg']
  /** Absent on a single node. */
  readonly transport?: Pick<Transport, 'self' | 'request' | 'handle'> | undefined
  /** Asks the peers about a photo that is unknown here. @returns whether all members answered. Absent on a single node */
  readonly fetchRecord?: ((id: PhotoId) => Promise<boolean>) | undefined
  readonly random: Random
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
}

/** The transport of a single node. */
const ALONE: Pick<Transport, 'self' | 'request' | 'handle'> = {
  self: 'alone' as NodeId,
  request: () => Promise.reject(new SheafError('ERR_PEER_UNREACHABLE')),
  handle: () => {}
}

/**
 * Everything about similar photos: their analysis, this node's vector indexes, searches over all nodes, and duplicates.
 */
export class Similarity implements Startable {
  readonly search: Search
  readonly duplicates: Duplicates
  readonly models: IndexedModels
  readonly #heads: HeadBacklog
  readonly #backlog: ImageBacklog
  readonly #analyzer: ImageAnalyzer
  readonly #log: Logger
  /** The shards that a present member has whole. */
  readonly #covered: () => ShardSet

  /** @param init.folder - the node's data folder */
  constructor(components: SimilarityComponents, init: { readonly folder: string }) {
    const { directory, transport = ALONE, fetchRecord = async () => true, clock, random, log } = components
    const { analyzer } = components
    const onModels: IndexedModelsComponents['onModels'] = ids =>
      void analyzer.keepOnly(ids).catch(err => log.debug({ err }, 'unused model could not be released'))
    const models = new IndexedModels({ ...components, self: transport.self, onModels }, init)
    const shardSearch = new ShardSearch({
      transport,
      clock,
      random,
      log,
      tracer: components.tracer,
      holders: model => models.holders(model),
      searchHere: (query, k) => searchFor(components.viewers, models, query, k)
    })
    const ensureRecord = async (id: PhotoId): Promise<void> => {
      const key = { kind: 'photo', id }
      if (directory.getSync(key) !== undefined) return
      const complete = await fetchRecord(id)
      if (directory.getSync(key) === undefined) throw photoNotFound(id, complete)
    }
    const covered = (): ShardSet => {
      const { serving } = models
      const shards = serving === undefined ? [] : [...models.holders(serving.id).values()]
      return new Set(shards.flatMap(ready => [...ready]))
    }
    this.#covered = covered
    this.#analyzer = analyzer
    this.#log = log
    this.models = models
    this.search = new Search({ ...components, models, shardSearch, fetchRecord })
    this.duplicates = new Duplicates({ ...components, ensureRecord, covered })
    const workers = (): readonly NodeId[] => [transport.self, ...(components.membership?.present() ?? [])]
    const hasTool = (node: NodeId, tool: string): boolean =>
      node === transport.self
        ? (analyzer.tools as ReadonlySet<string>).has(tool)
        : components.membership?.hasTool(node, tool) === true
    this.#heads = new HeadBacklog({ ...components, self: transport.self, workers })
    this.#backlog = new ImageBacklog({
      ...components,
      self: transport.self,
      workers,
      hasTool,
      findLinks: (id, features, phash, signal) => this.search.findLinks(id, features, phash, signal)
    })
  }

  async start(): Promise<void> {
    await this.#analyzer.start()
    await this.models.start()
    await this.#heads.start()
    await this.#backlog.start()
  }

  async stop(): Promise<void> {
    await this.#backlog.stop()
    await this.#heads.stop()
    await this.models.stop()
    await this.#analyzer.stop()
  }

  /**
   * Switches to a model: at once for analysis, and for searches when its index covers as many photos as the previous one's.
   *
   * @param previous - also loaded, to embed queries until then; by default the one in use
   * @throws as `ImageAnalyzer.useModel`, of the model
   */
  async useModel(model: LoadedModel, previous?: LoadedModel): Promise<void> {
    if (previous !== undefined) {
      await this.#analyzer
        .useModel(previous)
        .catch(err =>
          this.#log.warn(
            { err, model: previous.spec.name },
            'previous model cannot be loaded; the new one answers searches while its index grows'
          )
        )
    }
    try {
      await this.#analyzer.useModel(model)
    } catch (err) {
      if (previous !== undefined && this.#analyzer.has(previous.spec.id))
        await this.models.use(indexedModel(previous.spec))
      throw err
    }
    await this.models.use(indexedModel(model.spec))
    this.#backlog.modelChanged()
  }

  /** What this node decodes pictures with beside what every node has. */
  get tools(): readonly DecodingTool[] {
    return [...this.#analyzer.tools]
  }

  status(): SimilarityStatus {
    const { serving } = this.models
    const { vectors, pending, shardsLeftOut } = this.models.counts()
    const model = serving && { id: serving.id, name: serving.name }
    return { model, vectors, pending: pending + this.#backlog.pending, shardsLeftOut, tools: this.tools }
  }

  /** @returns the share of the shards that a present member has whole, 0…1; undefined without a model */
  coverage(): number | undefined {
    return this.models.serving && this.#covered().size / SHARD_COUNT
  }
}

/**
 * Searches this node's vectors for whoever asks on any node: among photos that he sees by the records of this one.
 *
 * @throws `ERR_INDEX_BUILDING` when that cannot be told now; as `IndexedModels.search`
 */
async function searchFor(
  viewers: Pick<Viewers, 'of'>,
  models: Pick<IndexedModels, 'search'>,
  query: VectorQuery,
  k: number
): Promise<ShardAnswer> {
  const { onlooker } = query
  if (onlooker === undefined) return models.search(query, k)
  const viewer =
    onlooker === 'public'
      ? viewers.of(undefined)
      : 'links' in onlooker
        ? viewers.of(undefined, onlooker.links)
        : viewers.of(onlooker)
  const seen = await viewer.audiences()
  return { ...(await models.search(query, k, seen)), isLimited: true }
}

/** @returns the part of a model's spec that its index needs */
function indexedModel({ id, name, image, text }: ModelSpec): IndexedModel {
  const spaces: IndexedModel['spaces'] = new Map([
    ['image', image.dimension],
    ...(text?.kind === 'concepts' ? [['text', text.dimension] as const] : [])
  ])
  return { id, name, spaces }
}
