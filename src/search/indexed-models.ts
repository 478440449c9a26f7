import { join } from 'node:path'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { FileSystem } from '../core/file-system.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import type { AudienceSet } from '../domain/audience.js'
import { DIMENSION_MAX, type ModelId, parseModelId, type Space } from '../domain/features.js'
import type { NodeId } from '../domain/ids.js'
import { SHARD_COUNT, type ShardSet } from '../domain/shards.js'
import type { HeartbeatIndex } from '../network/membership/heartbeat.js'
import type { Membership } from '../network/membership/membership.js'
import type { VectorSpaces } from '../similarity/index/vector-index.js'
import type { ShardAnswer, VectorQuery } from './search-messages.js'
import { ShardReplica, type ShardReplicaComponents } from './shard-replica.js'
import type { SimilarityStatus } from './similarity-types.js'

const CHECK_MS = 1_000
const STATE_FILE = 'similarity.json'

/** A model whose vectors are searched. */
export interface IndexedModel {
  readonly id: ModelId
  /** For people. */
  readonly name: string
  /** Dimensions of its vectors; `image` is always among them. */
  readonly spaces: VectorSpaces
}

export interface IndexedModelsComponents
  extends Omit<ShardReplicaComponents, 'peers' | 'announce' | 'directory' | 'indexes'> {
  readonly directory: ShardReplicaComponents['directory'] & Pick<Directory, 'count'>
  readonly indexes: ShardReplicaComponents['indexes']
  /** Absent on a single node. */
  readonly membership?: Pick<Membership, 'present' | 'onHeartbeat' | 'announce' | 'hasTool'> | undefined
  /** Called with the models that have vectors here, when these may have changed. */
  readonly onModels: (models: ReadonlySet<ModelId>) => void
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
}

interface ModelReplica {
  readonly model: IndexedModel
  readonly replica: ShardReplica
}

/**
 * The models whose vectors this node searches: the serving one, and perhaps its successor. The successor's index is built
 * alongside. It takes over when it covers as many photos and all its shards are available. The serving model survives a
 * restart.
 */
export class IndexedModels implements Startable {
  readonly #components: IndexedModelsComponents
  readonly #path: string
  readonly #loop: WorkerLoop
  /** From the last heartbeat of each peer, alive or not. */
  readonly #peerIndexes = new Map<NodeId, readonly HeartbeatIndex[]>()
  #serving: ModelReplica | undefined
  #next: ModelReplica | undefined
  /** Starts, stops and changes run one after the other. */
  #tail: Promise<unknown> = Promise.resolve()
  #unsubscribe: (() => void) | undefined
  #started = false
  /** The model that is to serve, even while its index is incomplete. */
  #target: IndexedModel | undefined

  /** @param init.folder - holds the file that names the serving model */
  constructor(components: IndexedModelsComponents, init: { readonly folder: string }) {
    const { clock, log } = components
    this.#components = components
    this.#path = join(init.folder, STATE_FILE)
    this.#loop = new WorkerLoop({ clock, log }, { name: 'models', idleMs: CHECK_MS, step: () => this.#step() })
  }

  async start(): Promise<void> {
    const { membership } = this.#components
    this.#unsubscribe = membership?.onHeartbeat((peer, { indexes = [] }) => this.#notePeerIndexes(peer, indexes))
    this.#started = true
    await this.#inOrder(() => this.#apply())
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#loop.stop()
    this.#started = false
    await this.#inOrder(() => this.#apply())
  }

  /** Switches searches to this model: at once if there is no other, else when its index is complete. */
  use(model: IndexedModel | undefined): Promise<void> {
    this.#target = model
    return this.#inOrder(() => this.#apply())
  }

  /** The model that serves now, or served when the node last ran. @throws system errors */
  async lastServing(): Promise<IndexedModel | undefined> {
    const bytes = await this.#components.fileSystem.readFile(this.#path)
    return bytes && parseModel(Buffer.from(bytes).toString())
  }

  /** The model that answers searches. */
  get serving(): IndexedModel | undefined {
    return this.#serving?.model
  }

  /** Models with an index here, the serving one first. */
  get all(): readonly IndexedModel[] {
    return [this.#serving, this.#next].flatMap(indexed => indexed?.model ?? [])
  }

  /** Of the serving model. */
  counts(): Pick<SimilarityStatus, 'vectors' | 'shardsLeftOut'> & { readonly pending: number } {
    const replica = this.#serving?.replica
    return {
      vectors: replica?.vectors ?? 0,
      pending: replica?.pending ?? 0,
      shardsLeftOut: replica?.leftOut ?? 0
    }
  }

  /** For this node's heartbeats. */
  heartbeatIndexes(): readonly HeartbeatIndex[] {
    return this.#replicas().map(({ model, replica }) => ({ model: model.id, shards: replica.ready }))
  }

  /** Live nodes with vectors of the model, this one included, and the shards for which they have all vectors. */
  holders(model: ModelId): ReadonlyMap<NodeId, ShardSet> {
    const replica = this.#replicaOf(model)
    const holders = this.#peers(model)
    if (replica !== undefined) holders.set(this.#components.self, replica.ready)
    return holders
  }

  /**
   * @param seen - looks among the photos of these audiences only; default: among all
   * @throws `ERR_MODEL_MISMATCH` for a model without an index here; as {@link ShardReplica.search}
   */
  async search({ model, space, vector }: VectorQuery, k: number, seen?: AudienceSet): Promise<ShardAnswer> {
    const replica = this.#replicaOf(model)
    if (replica === undefined) throw new SheafError('ERR_MODEL_MISMATCH')
    return replica.search(space, vector, k, seen)
  }

  // --- changing models ---

  async #apply(): Promise<void> {
    const target = this.#started ? this.#target : undefined
    if (target === undefined) {
      for (const { replica } of this.#replicas()) await replica.stop()
      this.#serving = undefined
      this.#next = undefined
      return
    }
    if (this.#serving === undefined) {
      const last = await this.lastServing()
      this.#serving = await this.#startReplica(last ?? target)
      if (last === undefined) await this.#saveServing(target)
    }
    if (this.#serving.model.id === target.id) {
      // the file is from an earlier process; the model may have another name now
      this.#serving = { ...this.#serving, model: target }
      await this.#stopNext()
    } else if (this.#next?.model.id !== target.id) {
      await this.#stopNext()
      this.#next = await this.#startReplica(target)
    }
    await this.#removeUnused()
  }

  async #startReplica(model: IndexedModel): Promise<ModelReplica> {
    const replica = new ShardReplica(
      { ...this.#components, peers: () => this.#peers(model.id), announce: () => this.#announce() },
      { model: model.id, spaces: model.spaces }
    )
    await replica.start()
    return { model, replica }
  }

  async #stopNext(): Promise<void> {
    const next = this.#next
    this.#next = undefined
    await next?.replica.stop()
  }

  /** Lets the next model take over once its index is complete. */
  async #step(): Promise<'idle'> {
    const next = this.#next
    if (next === undefined || !this.#isComplete(next)) return 'idle'
    await this.#inOrder(async () => {
      const previous = this.#serving
      if (this.#next !== next || previous === undefined) return
      await this.#saveServing(next.model)
      this.#serving = next
      this.#next = undefined
      this.#components.log.info(
        { model: next.model.name, previous: previous.model.name },
        'the new model now answers searches'
      )
      await previous.replica.stop()
      await this.#removeUnused()
    })
    return 'idle'
  }

  #isComplete({ model, replica }: ModelReplica): boolean {
    const { directory } = this.#components
    const previous = this.#serving?.model
    if (directory.state !== 'open' || previous === undefined || replica.pending > 0) return false
    const shards = new Set([...this.holders(model.id).values()].flatMap(ready => [...ready]))
    const photosOf = (id: ModelId): number => directory.count(`features\0${id}`)
    // where memory does not suffice for all, it has done what it can
    const isCovered = shards.size === SHARD_COUNT || (replica.leftOut > 0 && replica.isWhole)
    return isCovered && photosOf(model.id) >= photosOf(previous.id)
  }

  /** Removes indexes of models no longer used, and announces the rest. */
  async #removeUnused(): Promise<void> {
    const { indexes, onModels } = this.#components
    const models = new Set(this.all.map(({ id }) => id))
    await indexes.keepOnly(models)
    onModels(models)
    this.#announce()
  }

  async #saveServing({ id, name, spaces }: IndexedModel): Promise<void> {
    const text = JSON.stringify({ id, name, spaces: Object.fromEntries(spaces) })
    await this.#components.fileSystem.writeFileAtomic(this.#path, Buffer.from(text))
  }

  // --- peers ---

  #notePeerIndexes(peer: NodeId, indexes: readonly HeartbeatIndex[]): void {
    if (indexes.length > 0) this.#peerIndexes.set(peer, indexes)
    else this.#peerIndexes.delete(peer)
  }

  #peers(model: ModelId): Map<NodeId, ShardSet> {
    const peers = new Map<NodeId, ShardSet>()
    for (const peer of this.#components.membership?.present() ?? []) {
      const index = this.#peerIndexes.get(peer)?.find(announced => announced.model === model)
      if (index !== undefined) peers.set(peer, index.shards)
    }
    return peers
  }

  #announce(): void {
    this.#components.membership?.announce()
  }

  #replicas(): ModelReplica[] {
    return [this.#serving, this.#next].filter(indexed => indexed !== undefined)
  }

  #replicaOf(model: ModelId): ShardReplica | undefined {
    return this.#replicas().find(indexed => indexed.model.id === model)?.replica
  }

  #inOrder(task: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(task)
    this.#tail = done.catch(() => {})
    return done
  }
}

/** @returns undefined for an unusable file: the configured model then serves at once */
function parseModel(text: string): IndexedModel | undefined {
  try {
    const { id, name, spaces }: Partial<Record<string, unknown>> = JSON.parse(text)
    const model = typeof id === 'string' ? parseModelId(id) : undefined
    if (model === undefined || typeof name !== 'string' || typeof spaces !== 'object' || spaces === null)
      return undefined
    const dimensions = new Map<Space, number>()
    for (const [space, dimension] of Object.entries(spaces)) {
      const fits = typeof dimension === 'number' && Number.isInteger(dimension) && dimension > 0
      if (!fits || dimension > DIMENSION_MAX || (space !== 'image' && space !== 'text')) return undefined
      dimensions.set(space, dimension)
    }
    return dimensions.has('image') ? { id: model, name, spaces: dimensions } : undefined
  } catch {
    return undefined
  }
}
