import type { Clock } from '../core/clock.js'
import { ConcurrencyLimit } from '../core/concurrency-limit.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { turn } from '../core/turn.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import { type AudienceSet, audienceText, photoAudience } from '../domain/audience.js'
import { decodeFeatures, type Features, type ModelId, type Space } from '../domain/features.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import { PHOTO_KIND, type Photo } from '../domain/photo.js'
import type { DirectoryRecord } from '../domain/record.js'
import { SHARD_COUNT, type Shard, type ShardSet, shardOf } from '../domain/shards.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import {
  type MovedPhoto,
  type Neighbor,
  type VectorEntry,
  type VectorIndex,
  type VectorIndexes,
  type VectorSpaces,
  vectorVersion
} from '../similarity/index/vector-index.js'
import type { PhotoBlob } from '../store/photo-needles.js'
import { MissingFeatures } from './missing-features.js'
import { featuresOf, featuresOfPhoto, livePhoto } from './photo-features.js'
import { REFINED_MAX, refine } from './refine.js'
import type { ShardAnswer } from './search-messages.js'
import { ShardPlacement } from './shard-placement.js'

const IDLE_MS = 500
/** Records read, and vectors inserted, per step at most. */
const PAGE = 128
const IDS_PER_TURN = 500
const QUEUE_MAX = 20_000
/** Between two scans of the directory for lost changes, ms. */
const RESCAN_MS = 30_000
const SAVE_MS = 5 * 60_000
const UNSAVED_MIN = 1_000
const UNSAVED_SHARE = 0.2
/**
 * A node takes no more shards than fill this share of its memory at first: photos are still being added, and removed vectors
 * need room until the index is made anew.
 */
const FILL_SHARE = 0.8
/** It takes more shards when so many times those that it has would fit. */
const MORE_TIMES = 1.25
/** Searches for which whole vectors are read. */
const REFINING = { countMax: 16, bytesMax: Number.POSITIVE_INFINITY, waitingMax: 1_000 }

export interface ShardReplicaComponents {
  readonly directory: Pick<Directory, 'state' | 'count' | 'getMany' | 'query' | 'onChange' | 'onOpaque'>
  readonly reader: Pick<PhotoReader, 'isLocal' | 'readNeedle'>
  /** Calls the listener when needles have arrived. @returns removes the listener */
  readonly onNeedles: (listener: () => void) => () => void
  readonly indexes: VectorIndexes
  readonly self: NodeId
  /** Live peers that index this model, and the shards for which they have all vectors. */
  readonly peers: () => ReadonlyMap<NodeId, ShardSet>
  /** Whether needles of other nodes are still missing here. */
  readonly isReplicating: () => boolean
  /** Called when the shards for which this node has all vectors have changed. */
  readonly announce: () => void
  readonly clock: Clock
  readonly log: Logger
}

export interface ShardReplicaInit {
  readonly model: ModelId
  /** Dimensions of the model's vectors; `image` is always among them. */
  readonly spaces: VectorSpaces
  /** Photos queued, and photos waiting for features, each at most; default 20,000. On overflow the directory is scanned again. */
  readonly queueMax?: number
}

/** A scan of the directory for vectors that the index lacks. */
interface DirectoryScan {
  readonly shards: ShardSet
  /** The next page; undefined: the first one. */
  readonly cursor: string | undefined
}

/**
 * One node's vectors of one model, for the shards that the node holds. They are read from the features in its own volumes.
 * The index follows the directory change by change; a scan of the directory finds changes that were lost. Where memory does
 * not suffice for all, the node takes fewer shards, and says so.
 */
export class ShardReplica implements Startable {
  readonly #components: ShardReplicaComponents
  readonly #init: ShardReplicaInit
  readonly #queueMax: number
  readonly #placement: ShardPlacement
  readonly #loop: WorkerLoop
  readonly #dirty = new Set<PhotoId>()
  readonly #missing: MissingFeatures
  readonly #unsubscribe: (() => void)[] = []
  #index: VectorIndex | undefined
  /** The open index, when it has failed. */
  #failedIndex: VectorIndex | undefined
  #scan: DirectoryScan | undefined
  #scannedMs = Number.NEGATIVE_INFINITY
  /** Changes were lost, so all shards need a new scan. */
  #overflowed = false
  #isReading = false
  #unsaved = 0
  #savedMs = 0
  #saveFailed = false
  readonly #refining = new ConcurrencyLimit(REFINING)

  constructor(components: ShardReplicaComponents, init: ShardReplicaInit) {
    const { clock, log, self, peers } = components
    this.#components = components
    this.#init = init
    this.#queueMax = init.queueMax ?? QUEUE_MAX
    this.#missing = new MissingFeatures(components, { max: this.#queueMax })
    this.#placement = new ShardPlacement({ self, peers })
    this.#loop = new WorkerLoop({ clock, log }, { name: 'shards', idleMs: IDLE_MS, step: signal => this.#step(signal) })
  }

  /** Shards for which all vectors are here. */
  get ready(): ShardSet {
    return this.#placement.ready
  }

  /** Photos that have a vector here. */
  get vectors(): number {
    return this.#index?.size ?? 0
  }

  /** Shards that other nodes must search, since there is no memory for them here. */
  get leftOut(): number {
    return this.#placement.leftOut
  }

  /** Whether all shards that it holds are ready. */
  get isWhole(): boolean {
    return this.#index !== undefined && this.ready.size === this.#placement.heldCount
  }

  /** Photos of this node's shards whose vectors are known to be missing. */
  get pending(): number {
    return this.#dirty.size + this.#missing.size
  }

  async start(): Promise<void> {
    const { directory, onNeedles } = this.#components
    this.#unsubscribe.push(
      directory.onChange(changes => {
        const moved: MovedPhoto[] = []
        for (const { key, after } of changes) {
          if (key.kind !== PHOTO_KIND) continue
          if (after === undefined) this.#markDirty(key.id as PhotoId)
          else this.#note(after, moved)
        }
        this.#moveNow(moved)
      }),
      directory.onOpaque(keys => {
        for (const { kind, id } of keys) if (kind === PHOTO_KIND) this.#markDirty(id as PhotoId)
      }),
      onNeedles(() => {
        if (this.#missing.noteNeedles()) this.#loop.wake()
      })
    )
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe()
    await this.#loop.stop()
    if (this.#unsaved > 0) await this.#save()
    await this.#close()
  }

  /**
   * Searches all vectors on this node.
   *
   * @param vector - unit length
   * @param seen - looks among the photos of these audiences only; default: among all
   * @returns `shards`: those for which all vectors were here throughout the search
   * @throws `ERR_MODEL_MISMATCH`: the model has no such vectors; `ERR_INDEX_UNAVAILABLE`, `ERR_OVERLOADED`
   */
  async search(space: Space, vector: Float32Array, k: number, seen?: AudienceSet): Promise<ShardAnswer> {
    if (this.#init.spaces.get(space) !== vector.length) throw new SheafError('ERR_MODEL_MISMATCH')
    const index = this.#index
    if (index === undefined) return { shards: new Set(), neighbors: [] } // being opened
    const readyBefore = new Set(this.ready)
    const found = await index.search(space, vector, Math.max(k, REFINED_MAX), seen).catch((err: unknown) => {
      if (hasCode(err, 'ERR_INDEX_UNAVAILABLE')) this.#fail(index)
      throw err
    })
    const neighbors = found.isExact
      ? found.neighbors.slice(0, k)
      : await this.#refine(found.neighbors, k, ids => this.#exactScores(ids, space, vector))
    return { shards: new Set([...readyBefore].filter(shard => this.ready.has(shard))), neighbors }
  }

  async #refine(...args: Parameters<typeof refine>): Promise<readonly Neighbor[]> {
    const leave = await this.#refining.enter(0)
    try {
      return await refine(...args)
    } finally {
      leave()
    }
  }

  /** @returns the cosine of each photo's whole vector with this one; undefined where it is not here */
  async #exactScores(ids: readonly PhotoId[], space: Space, vector: Float32Array): Promise<(number | undefined)[]> {
    const records = await this.#records(ids)
    return Promise.all(
      records.map(async record => {
        const blob = this.#featuresOf(record)
        if (blob === undefined || !this.#components.reader.isLocal(blob)) return undefined
        const other = (await this.#readFeatures(blob, 'debug'))?.vectors.get(space)
        return other?.length === vector.length ? cosine(vector, other) : undefined
      })
    )
  }

  // --- following the directory ---

  /** @param moved - gets the photo when its vectors are right, and other people see it than before */
  #note(record: DirectoryRecord, moved: MovedPhoto[]): void {
    const id = record.id as PhotoId
    if (!this.#placement.holds(shardOf(id))) return
    const photo = livePhoto(record)
    const blob = photo && featuresOfPhoto(photo, this.#init.model)
    const isIndexed = this.#isIndexed(id, blob)
    if (photo !== undefined && isIndexed) moved.push(...this.#movedOf([photo]))
    if (this.#dirty.has(id) || (!this.#isReading && !this.#missing.has(id) && isIndexed)) return
    this.#markDirty(id)
    this.#loop.wake()
  }

  /** @returns those of the photos whose audience the index does not know, or knows another one of */
  #movedOf(photos: readonly Photo[]): MovedPhoto[] {
    const index = this.#index
    if (index === undefined) return []
    return photos
      .map(photo => ({ id: photo.id, audience: audienceText(photoAudience(photo)) }))
      .filter(({ id, audience }) => index.version(id) !== undefined && index.audience(id) !== audience)
  }

  /** In the step in which the records are here, so that no later search finds for anybody what he does not see any more. */
  #moveNow(moved: readonly MovedPhoto[]): void {
    const index = this.#index
    if (moved.length > 0) index?.move(moved).catch(() => this.#fail(index))
  }

  #markDirty(id: PhotoId): void {
    if (this.#dirty.size < this.#queueMax) this.#dirty.add(id)
    else this.#overflowed = true
  }

  /** @param blob - the photo's features; undefined: it has none and needs none */
  #isIndexed(id: PhotoId, blob: PhotoBlob | undefined): boolean {
    return this.#index !== undefined && this.#index.version(id) === (blob && vectorVersion(blob.sha256))
  }

  async #step(signal: AbortSignal): Promise<'busy' | 'idle'> {
    if (this.#components.directory.state !== 'open') return 'idle'
    try {
      return await this.#work(signal)
    } catch (err) {
      if (hasCode(err, 'ERR_INDEX_FULL')) return await this.#takeFewerShards()
      if (hasCode(err, 'ERR_INDEX_UNAVAILABLE')) await this.#reset()
      throw err
    }
  }

  async #work(signal: AbortSignal): Promise<'busy' | 'idle'> {
    const { clock, announce } = this.#components
    const now = clock.monotonic()
    const before = this.#index
    if (before !== undefined && (before === this.#failedIndex || !before.isOpen)) await this.#reset()
    const index = this.#index ?? (await this.#openIndex(now, signal))
    this.#takeMoreIfRoom(index)
    const released = this.#placement.update(now)
    if (released.size > 0) {
      announce()
      // a shard that is taken again meanwhile needs a scan of its own
      if (this.#scan !== undefined) this.#scan = { ...this.#scan, shards: without(this.#scan.shards, released) }
      await this.#removeWhere(shard => released.has(shard))
    }
    for (const id of this.#missing.findArrived()) this.#markDirty(id)
    if (this.#dirty.size > 0) await this.#applyChanges([...this.#dirty].slice(0, PAGE))
    if (this.#scan !== undefined) {
      await this.#scanPage(this.#scan)
      return 'busy'
    }
    if (this.#startScan(now)) return 'busy'
    this.#updateReady()
    if (this.#isSaveDue(now)) await this.#save()
    return this.#dirty.size > 0 ? 'busy' : 'idle'
  }

  /** @returns whether a scan is needed */
  #startScan(now: number): boolean {
    if (this.#overflowed) this.#placement.requireRescan()
    const shards = this.#placement.unscanned()
    if (shards.size === 0 || (this.#overflowed && now < this.#scannedMs + RESCAN_MS)) return false
    this.#overflowed = false
    this.#scan = { shards, cursor: undefined }
    return true
  }

  /** Reads one page of all photos that the model has analyzed. */
  async #scanPage({ shards, cursor }: DirectoryScan): Promise<void> {
    const { directory, clock } = this.#components
    const terms = [`features\0${this.#init.model}`]
    const next = await this.#whileReading(async () => {
      const page = await directory.query({ terms, words: [], limit: PAGE, ...(cursor !== undefined && { cursor }) })
      await this.#insert(page.records.filter(({ id }) => shards.has(shardOf(id as PhotoId))))
      return page.nextCursor
    })
    if (next !== null) {
      this.#scan = { shards, cursor: next }
      return
    }
    this.#scan = undefined
    this.#scannedMs = clock.monotonic()
    this.#placement.markScanned(shards)
  }

  /** Updates the index to the current records of dirty photos. */
  async #applyChanges(ids: readonly PhotoId[]): Promise<void> {
    for (const id of ids) this.#dirty.delete(id) // first: later changes mark them dirty again
    try {
      await this.#whileReading(async () => {
        const stored = await this.#records(ids)
        const removed = ids.filter((_, i) => this.#featuresOf(stored[i]) === undefined)
        for (const id of removed) this.#missing.forget(id)
        await this.#remove(removed)
        await this.#insert(stored.filter(record => record !== undefined))
      })
    } catch (err) {
      for (const id of ids) this.#dirty.add(id)
      throw err
    }
  }

  async #records(ids: readonly PhotoId[]): Promise<(DirectoryRecord | undefined)[]> {
    const stored = await this.#components.directory.getMany(ids.map(id => ({ kind: PHOTO_KIND, id })))
    return stored.map(found => found?.record)
  }

  #featuresOf(record: DirectoryRecord | undefined): PhotoBlob | undefined {
    return featuresOf(record, this.#init.model)
  }

  /** While records are being read, every change marks its photo dirty: the reader may have missed it. */
  async #whileReading<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#isReading = true
    try {
      return await task()
    } finally {
      this.#isReading = false
    }
  }

  /** Inserts vectors that the index lacks, for photos of shards held here. */
  async #insert(records: readonly DirectoryRecord[]): Promise<void> {
    const { reader } = this.#components
    const entries: VectorEntry[] = []
    const indexed: Photo[] = []
    for (const record of records) {
      const id = record.id as PhotoId
      const photo = livePhoto(record)
      const blob = photo && featuresOfPhoto(photo, this.#init.model)
      if (photo === undefined || blob === undefined || !this.#placement.holds(shardOf(id))) continue
      if (this.#isIndexed(id, blob)) {
        indexed.push(photo)
        continue
      }
      const isLocal = reader.isLocal(blob)
      const vectors = isLocal ? this.#complete(await this.#readFeatures(blob)) : undefined
      if (vectors === undefined) {
        if (!this.#missing.note(id, blob, isLocal)) this.#overflowed = true
        continue
      }
      this.#missing.forget(id)
      this.#unsaved++
      entries.push({ id, version: vectorVersion(blob.sha256), audience: audienceText(photoAudience(photo)), vectors })
    }
    await this.#move(indexed)
    if (entries.length > 0) await this.#index?.add(entries)
  }

  /** @param photos - that are indexed, as they were read; those that have changed since wait to be read again */
  async #move(photos: readonly Photo[]): Promise<void> {
    const moved = this.#movedOf(photos.filter(({ id }) => !this.#dirty.has(id)))
    if (moved.length > 0) await this.#index?.move(moved)
  }

  /** @returns the vectors; undefined unless there is one for each space of the model */
  #complete(features: Features | undefined): Features['vectors'] | undefined {
    const { spaces } = this.#init
    const isComplete = [...spaces].every(([space, dimension]) => features?.vectors.get(space)?.length === dimension)
    return isComplete ? features?.vectors : undefined
  }

  /** @returns undefined when no intact copy is reachable, or the features are malformed */
  async #readFeatures(blob: PhotoBlob, level: 'warn' | 'debug' = 'warn'): Promise<Features | undefined> {
    try {
      return decodeFeatures(await this.#components.reader.readNeedle(blob, 0))
    } catch (err) {
      if (!(err instanceof SheafError)) throw err
      this.#components.log[level](
        { err, photo: blob.id },
        'features of a photo cannot be read; it is missing from search'
      )
      return undefined
    }
  }

  /** Marks shards that miss nothing as ready. They stay ready while new photos arrive. */
  #updateReady(): void {
    const missing = this.#missing.shards(!this.#components.isReplicating())
    const incomplete = new Set([...missing, ...Array.from(this.#dirty, shardOf)])
    if (this.#placement.markReady(incomplete)) this.#components.announce()
  }

  // --- the index ---

  /** Opens the saved index. It may be outdated: drops stale entries; the scan that follows finds missing ones, and who sees each. */
  async #openIndex(now: number, signal: AbortSignal): Promise<VectorIndex> {
    const { model, spaces } = this.#init
    const index = await this.#components.indexes.open({ model, spaces })
    this.#index = index
    this.#savedMs = now
    this.#unsaved = 0
    this.#takeWhatFits(index)
    await this.#removeWhere(shard => !this.#placement.holds(shard))
    for (const ids of slices(index.ids(), PAGE)) {
      if (signal.aborted) break
      await this.#removeStale(ids)
    }
    return index
  }

  /** Shards for which there is memory, by how many photos the model has analyzed so far. */
  #fitting(index: VectorIndex): number {
    const photos = this.#components.directory.count(`features\0${this.#init.model}`)
    return Math.floor((FILL_SHARE * Math.max(0, index.capacity) * SHARD_COUNT) / Math.max(1, photos))
  }

  /** @param limit - shards at most, whatever fits */
  #takeWhatFits(index: VectorIndex, limit = SHARD_COUNT): void {
    const { clock, log } = this.#components
    this.#placement.limit = Math.min(limit, this.#fitting(index))
    this.#placement.update(clock.monotonic())
    if (this.leftOut === 0) return
    log.warn(
      { model: this.#init.model, photos: index.capacity, shardsLeftOut: this.leftOut },
      'memory for vectors is full, so this node searches fewer photos; raise --vector-bytes, or add nodes'
    )
  }

  /** After photos were deleted, or another index was closed. By enough that it does not come and go. */
  #takeMoreIfRoom(index: VectorIndex): void {
    if (this.leftOut === 0) return
    const fitting = this.#fitting(index)
    if (fitting >= MORE_TIMES * Math.max(1, this.#placement.limit)) this.#placement.limit = fitting
  }

  /** When memory is full: makes the index anew, of fewer shards unless removed vectors fill it. */
  async #takeFewerShards(): Promise<'busy' | 'idle'> {
    const index = this.#index
    if (index === undefined) return 'busy'
    const isCrowded = index.size > FILL_SHARE * index.capacity
    const limit = isCrowded ? this.#placement.heldCount - 1 : SHARD_COUNT
    this.#placement.reset()
    this.#components.announce()
    this.#scan = undefined
    this.#missing.forgetWhere(() => true)
    this.#dirty.clear()
    await index.clear()
    this.#takeWhatFits(index, limit)
    return 'idle'
  }

  #removeStale(ids: readonly PhotoId[]): Promise<void> {
    return this.#whileReading(async () => {
      const stored = await this.#records(ids)
      await this.#remove(
        ids.filter((id, i) => !this.#isIndexed(id, this.#featuresOf(stored[i])) || stored[i] === undefined)
      )
    })
  }

  async #removeWhere(matches: (shard: Shard) => boolean): Promise<void> {
    this.#missing.forgetWhere(id => matches(shardOf(id)))
    const index = this.#index
    for (const ids of slices(index?.ids() ?? [], IDS_PER_TURN)) {
      const removed = ids.filter(id => matches(shardOf(id)))
      if (removed.length > 0) await index?.remove(removed)
      this.#unsaved += removed.length
      await turn()
    }
  }

  async #remove(ids: readonly PhotoId[]): Promise<void> {
    if (ids.length === 0) return
    await this.#index?.remove(ids)
    this.#unsaved += ids.length
  }

  #isSaveDue(now: number): boolean {
    if (this.#unsaved === 0) return false
    const many = Math.max(UNSAVED_MIN, this.vectors * UNSAVED_SHARE)
    return (this.#unsaved >= many && !this.#saveFailed) || now >= this.#savedMs + SAVE_MS
  }

  /** Saving spares the next start some reading; a failure does no other harm. */
  async #save(): Promise<void> {
    const { clock, log } = this.#components
    const unsaved = this.#unsaved
    this.#savedMs = clock.monotonic()
    try {
      await this.#index?.save()
      this.#unsaved -= unsaved
      this.#saveFailed = false
    } catch (err) {
      this.#saveFailed = true
      log.warn({ err, model: this.#init.model }, 'index not saved; the next start will take longer')
    }
  }

  #fail(index: VectorIndex): void {
    if (index !== this.#index) return // replaced meanwhile
    this.#failedIndex = index
    this.#loop.wake()
  }

  /** After the index failed: the saved one is opened again, and a scan finds what it lacks. */
  async #reset(): Promise<void> {
    await this.#close()
    this.#scan = undefined
    this.#missing.forgetWhere(() => true)
    this.#placement.reset()
    this.#components.announce()
  }

  async #close(): Promise<void> {
    const index = this.#index
    this.#index = undefined
    await index?.close()
  }
}

function without(shards: ShardSet, others: ShardSet): ShardSet {
  return new Set([...shards].filter(shard => !others.has(shard)))
}

/** Yields what comes, so many at a time. */
function* slices<Item>(items: Iterable<Item>, length: number): Generator<Item[]> {
  let slice: Item[] = []
  for (const item of items) {
    slice.push(item)
    if (slice.length < length) continue
    yield slice
    slice = []
  }
  if (slice.length > 0) yield slice
}

function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return Math.max(-1, Math.min(1, sum))
}
