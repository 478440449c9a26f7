import { SheafError } from '../core/errors.js'
import { InvariantError } from '../core/invariant.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { AudienceSet } from '../domain/audience.js'
import { RECORD_FORMATS, type RecordFormats } from '../domain/formats.js'
import type { Hlc } from '../domain/hlc.js'
import type { NodeId, UserId, VolumeId } from '../domain/ids.js'
import { type LogProgress, NOTHING_APPLIED, progressAfter } from '../domain/log-progress.js'
import type { MerkleTree } from '../domain/merkle.js'
import type { PackedIds } from '../domain/packed-ids.js'
import { type DirectoryRecord, isGrave, type RecordKey } from '../domain/record.js'
import { opaqueRecordOf } from '../domain/record-codec.js'
import type { IndexLanguage, LabelField } from '../domain/terms.js'
import { USED, type Usage, usageCounter } from '../domain/usage.js'
import type { CommitGroup, NeedleLocation } from '../volumes/needle-store.js'
import { type AllMatchesInit, readAllMatches } from './all-matches.js'
import { planBatch, type RecordChange } from './batch-plan.js'
import type { Filters } from './cursor.js'
import { damageOf } from './damage.js'
import type { Database, DatabaseSource } from './database.js'
import type { DirectoryView } from './directory-view.js'
import { decodeGroup, incomingGrave, incomingRecord, partsOf } from './incoming.js'
import { workOnIndex } from './index-build.js'
import { type IndexLanguages, PLAIN_LANGUAGES } from './index-languages.js'
import {
  AGE_KEY,
  appliedKey,
  type Death,
  deathFrom,
  type KeyRange,
  openSealed,
  recordKeyFrom,
  recordRange,
  sealedRow,
  TABLE_DEATH,
  TABLE_LEAF,
  tableRange
} from './keys.js'
import {
  type LabelCount,
  type LabelSpan,
  type LabelsQuery,
  readCountOf,
  readCounts,
  readLabels,
  readSpan
} from './labels.js'
import { type GraveState, type Leaf, leafFrom, readLeaves } from './leaf-rows.js'
import {
  foldOpaque,
  type IncomingOpaque,
  isOpaque,
  partOpaque,
  readVerbatimHome,
  type VerbatimNeedle
} from './opaque-records.js'
import { type OpenRows, openRows } from './open-rows.js'
import { type DirectoryPage, type DirectoryQuery, newestWith, type QueryBase, runQuery } from './query.js'
import type { IncomingRecord, RecordFold } from './record-fold.js'
import { foldRecords, readDeaths, readState, readStates } from './record-rows.js'
import { type RepeatedTerm, repeatedTerms } from './repeated-terms.js'
import { MIGRATIONS, type Migration } from './schema.js'
import { type RecordState, recordStateOf } from './stored-record.js'
import { isCounted } from './term-index.js'
import { readBucket, readTimeline, type Timeline, type TimelineBucket } from './timeline.js'
import { verifyRows } from './verify-rows.js'

export interface DirectoryComponents {
  readonly database: DatabaseSource
  readonly log: Logger
  /** Raises the node's clock: called with the stamps of every record that is applied. */
  readonly observe: (stamp: Hlc) => void
  /** The node's age, ms: see age.ts. Default: 0. */
  readonly age?: () => number
  /** What happens to a record that a grave ends here before its time. Default: nothing. */
  readonly guard?: GraveGuard
  /** Called before records that came without needles are merged; what it throws refuses them. Default: all are taken. */
  readonly admit?: (byteCount: number) => Promise<void>
  /** Called when the directory has failed, so that it is reopened. Default: nothing is done. */
  readonly onFailed?: () => void
  /** Called with the schema version of an older database before it is migrated. Default: nothing is done. */
  readonly onOlderSchema?: (schema: number) => Promise<void>
}

/** A record that a grave is about to end here. */
export interface Doomed {
  /** As it is shown until then. */
  readonly record: DirectoryRecord
  /** The life up to which the grave ends all. */
  readonly generation: number
  /** The peer that sent the grave, or the volume that it stands in. */
  readonly from: NodeId | VolumeId | undefined
}

export interface GraveGuard {
  /** Whether the delete may still be undone. */
  isUndoable(death: Death): boolean
  /** Called, and waited for, before graves end what lives here or may still be undone. Never by a replay of the log. */
  layOut(doomed: readonly Doomed[]): Promise<void>
}

export interface DirectoryInit {
  readonly migrations?: readonly Migration[]
  /** What the index may be in, and is to be in. Default: those without names of places. */
  readonly languages?: IndexLanguages
  /** Default: those of this version. */
  readonly formats?: RecordFormats
}

export interface StoredRecord {
  readonly record: DirectoryRecord
  /**
   * The newest record needle that holds exactly this merged state; undefined if no single needle on this node does.
   */
  readonly home: NeedleLocation | undefined
}

/** What is known of a key: a record, or that all of its lives are over; or nothing. */
export interface Found {
  readonly stored: StoredRecord | undefined
  readonly grave: GraveState | undefined
}

/**
 * Called after a batch, before its `apply` resolves, with the records whose merged state changed.
 */
export type ChangeListener = (changes: readonly RecordChange[]) => void

/**
 * `failed`: nothing is read or written until `reopen`. `filling`: accepts groups, but answers no reads until the log has
 * been replayed, because answers would be out of date.
 */
export type DirectoryState = 'closed' | 'filling' | 'open' | 'failed'

/** Bound on the records of a batch that combines waiting groups; a larger group is written alone. */
const BATCH_RECORDS_MAX = 1_024

const RECORD_READ_ROWS = 256

const NO_PROGRESS: ReadonlyMap<VolumeId, LogProgress> = new Map()
const NOTHING_HIDDEN = { opaque: [], refused: [] }

interface WaitingGroup {
  readonly group: CommitGroup
  readonly records: readonly IncomingRecord[]
  readonly opaque: readonly IncomingOpaque[]
  readonly refused: readonly VerbatimNeedle[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The merged directory with its indexes: a view of the log.
 *
 * `apply` takes needles in a volume on this node: local writes, replay, copies. `merge` takes records that peers send ahead
 * of, or without, their needles. Both merge records, so order, grouping and repetition do not matter. Each writes one batch;
 * `apply` combines waiting groups and stores the progress in the same batch. The state in memory changes only after
 * the batch, so it is never ahead of the rows.
 *
 * A damaged database is removed and an empty one is created; then `rebuildReason` is set, nothing of any
 * volume is applied, and replay must fill it.
 */
export class Directory implements Startable {
  readonly #source: DatabaseSource
  readonly #log: Logger
  readonly #observe: (stamp: Hlc) => void
  readonly #age: () => number
  readonly #guard: GraveGuard | undefined
  readonly #admit: (byteCount: number) => Promise<void>
  readonly #onFailed: () => void
  readonly #onOlderSchema: (schema: number) => Promise<void>
  readonly #migrations: readonly Migration[]
  readonly #languages: IndexLanguages
  /** The record formats of this program. */
  readonly formats: RecordFormats
  readonly #listeners = new Set<ChangeListener>()
  readonly #comingListeners = new Set<ChangeListener>()
  readonly #opaqueListeners = new Set<(keys: readonly RecordKey[]) => void>()
  #state: DirectoryState = 'closed'
  #opened: OpenRows | undefined
  #damage: string | undefined
  #rebuildReason: string | undefined
  /** Whether all rows are made from the log: then graves meet records in any order. */
  #isRebuilding = false
  #waiting: WaitingGroup[] = []
  #tail: Promise<unknown> = Promise.resolve()

  constructor(components: DirectoryComponents, init: DirectoryInit = {}) {
    this.#source = components.database
    this.#log = components.log
    this.#observe = components.observe
    this.#age = components.age ?? (() => 0)
    this.#guard = components.guard
    this.#admit = components.admit ?? (async () => {})
    this.#onFailed = components.onFailed ?? (() => {})
    this.#onOlderSchema = components.onOlderSchema ?? (async () => {})
    this.#migrations = init.migrations ?? MIGRATIONS
    this.#languages = init.languages ?? PLAIN_LANGUAGES
    this.formats = init.formats ?? RECORD_FORMATS
  }

  get state(): DirectoryState {
    return this.#state
  }

  /** Why the database was replaced by an empty one when it was last opened; undefined if it was not. */
  get rebuildReason(): string | undefined {
    return this.#rebuildReason
  }

  /** @throws `ERR_FORMAT_TOO_NEW`, `ERR_DIRECTORY_UNAVAILABLE` */
  start(): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#state === 'closed') await this.#open('open')
    })
  }

  stop(): Promise<void> {
    return this.#exclusive(async () => {
      this.#state = 'closed'
      this.#refuseWaiting(new SheafError('ERR_STOPPING'))
      await this.#close()
    })
  }

  /**
   * Closes and reopens the database after a failure, and removes it if it is damaged. The state in memory is loaded again.
   * Then the caller must replay what `progress` says is missing and call `complete`.
   */
  reopen(): Promise<void> {
    return this.#exclusive(async () => {
      await this.#close()
      await this.#open('filling')
    })
  }

  /** Removes all rows. Then the caller must replay every volume from its start and call `complete`. */
  clear(): Promise<void> {
    return this.#exclusive(async () => {
      this.#damage = 'cleared on request'
      await this.#close()
      await this.#open('filling')
    })
  }

  /** Call it once the log has been replayed after `start`, `reopen` or `clear`: reads are answered again. */
  complete(): void {
    if (this.#state === 'filling') this.#state = 'open'
    this.#isRebuilding = false
  }

  /**
   * Merges a group's records into the directory. Needles that were applied before are skipped. A group that begins behind
   * all others, because what is before it could not be read or awaits replay, leaves a gap; a later group may fill it.
   *
   * @throws `ERR_DIRECTORY_UNAVAILABLE` when this batch or an earlier one failed; a record of a later format is
   * kept as opaque
   */
  async apply(group: CommitGroup): Promise<void> {
    for (const part of partsOf(group)) await this.#applyPart(part)
  }

  async #applyPart(group: CommitGroup): Promise<void> {
    const { view } = this.#requireWritable()
    const progress = view.applied.get(group.volume) ?? NOTHING_APPLIED
    const decoded = decodeGroup(group, progress, { formats: this.formats, log: this.#log })
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ group, ...decoded, resolve, reject })
      if (this.#waiting.length === 1) void this.#exclusive(() => this.#applyWaiting())
    })
  }

  /**
   * Merges records that came without needles, by gossip or anti-entropy. Changes no progress; a record that this changes has no
   * home until a needle with the merged state is applied.
   *
   * @param encoded - from `encodeRecord`; several may have the same key
   * @param from - the peer that sent them
   * @returns the number of records that changed
   * @throws `ERR_RECORD_MALFORMED`: one of them cannot be decoded, and nothing was merged;
   * `ERR_DIRECTORY_UNAVAILABLE`, also for a grave while the directory fills; `ERR_DISK_FULL`
   */
  async merge(encoded: readonly Uint8Array[], from?: NodeId): Promise<number> {
    this.#requireWritable()
    const records = encoded
      .filter(bytes => opaqueRecordOf(bytes, this.formats) === undefined)
      .map(bytes => incomingRecord(bytes, this.formats))
    const byteCount = encoded.reduce((sum, bytes) => sum + bytes.byteLength, 0)
    return this.#mergeAll(records, from, () => this.#admit(byteCount))
  }

  /** Merges graves that a peer sent: as `merge`. */
  async mergeGraves(graves: readonly (RecordKey & { readonly generation: number })[], from?: NodeId): Promise<number> {
    return this.#mergeAll(
      graves.map(grave => incomingGrave(grave)),
      from
    )
  }

  #mergeAll(
    records: readonly IncomingRecord[],
    from: NodeId | undefined,
    admit: () => Promise<void> = async () => {}
  ): Promise<number> {
    return this.#exclusive(async () => {
      this.#requireWritable()
      await admit()
      // it could not lay out a record that is yet to be replayed
      if (records.some(({ record }) => record.buried !== undefined)) this.#require()
      try {
        return await this.#write(records, NOTHING_HIDDEN, NO_PROGRESS, from)
      } catch (err) {
        throw this.#writeFailed(err)
      }
    })
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` while nothing can be applied */
  requireWritable(): void {
    this.#requireWritable()
  }

  /** @returns how much of the volume's log is in the directory; nothing of an unknown volume */
  progress(volume: VolumeId): LogProgress {
    return this.#requireWritable().view.applied.get(volume) ?? NOTHING_APPLIED
  }

  /** @returns the volumes of whose log something was applied */
  volumes(): VolumeId[] {
    return [...this.#requireWritable().view.applied.keys()]
  }

  /** Drops the progress in a volume that this node no longer has; records with a home in it then have none. */
  forgetVolume(volume: VolumeId): Promise<void> {
    return this.#exclusive(async () => {
      const { database, view } = this.#requireWritable()
      await this.#reading(() => database.del(appliedKey(volume)))
      view.applied.delete(volume)
    })
  }

  async get(key: RecordKey): Promise<StoredRecord | undefined> {
    const [stored] = await this.getMany([key])
    return stored
  }

  /** Like `get`, but blocks for the time of a LevelDB read: for records that are likely cached. */
  getSync(key: RecordKey): StoredRecord | undefined {
    return this.lookUp(key).stored
  }

  /** Like `getSync`; also tells whether only a grave is left. */
  lookUp(key: RecordKey): Found {
    const { database, view } = this.#require()
    try {
      const state = readState(database, key)
      if (state === undefined) this.#requireReadable(key)
      return { stored: stored(state, view), grave: graveIn(state) }
    } catch (err) {
      throw this.#readFailed(err, this.#opened)
    }
  }

  /**
   * Whether a record of a later format is known of the key. It is in no list and no tree; `getMany` leaves it out, and
   * `getSync` refuses it.
   */
  isOpaque(key: RecordKey): boolean {
    const { database, view } = this.#require()
    try {
      return view.opaqueCount > 0 && isOpaque(database, key)
    } catch (err) {
      throw this.#readFailed(err, this.#opened)
    }
  }

  /**
   * @param bytes - of a record needle of an opaque key, or of one that nobody can read
   * @returns where a needle with these bytes was applied from last; undefined if none was
   */
  verbatimHome(bytes: Uint8Array): NeedleLocation | undefined {
    const { database, view } = this.#require()
    try {
      const home = readVerbatimHome(database, bytes)
      return home !== undefined && view.applied.has(home.volume) ? home : undefined
    } catch (err) {
      throw this.#readFailed(err, this.#opened)
    }
  }

  /** Whether no record, no grave and nothing that this version cannot read is known. */
  get isEmpty(): boolean {
    const { view } = this.#require()
    return view.opaqueCount === 0 && view.root.every(byte => byte === 0)
  }

  /** Keys of records that this version cannot read. */
  get opaqueCount(): number {
    return this.#require().view.opaqueCount
  }

  #requireReadable(key: RecordKey): void {
    if (!this.isOpaque(key)) return
    throw new SheafError('ERR_FORMAT_TOO_NEW', undefined, { details: { kind: key.kind, id: key.id } })
  }

  async getMany(keys: readonly RecordKey[]): Promise<(StoredRecord | undefined)[]> {
    return (await this.lookUpMany(keys)).map(found => found.stored)
  }

  /** Like `lookUp`, in the order of the keys; nothing is found of what this version cannot read. */
  async lookUpMany(keys: readonly RecordKey[]): Promise<Found[]> {
    const { database, view } = this.#require()
    const states = await this.#reading(() => readStates(database, keys))
    return states.map(state => ({ stored: stored(state, view), grave: graveIn(state) }))
  }

  /** Yields all graves, in the order of the Merkle tree, from a snapshot at the start of the iteration. */
  async *graves(): AsyncGenerator<RecordKey & GraveState> {
    for await (const { key, grave } of this.#rows(tableRange(TABLE_LEAF), leafFrom)) {
      if (grave !== undefined) yield { ...key, ...grave }
    }
  }

  /** @returns when this node heard that the shown lives are over, in the order of the keys; undefined for what is not deleted */
  deathsOf(keys: readonly RecordKey[]): Promise<(Death | undefined)[]> {
    const { database } = this.#require()
    return this.#reading(() => readDeaths(database, keys))
  }

  /** Yields all deleted records that are not buried yet, from a snapshot at the start of the iteration. */
  async *deaths(): AsyncGenerator<RecordKey & Death> {
    yield* this.#rows(tableRange(TABLE_DEATH), (key, value) => ({ ...recordKeyFrom(key), ...deathFrom(key, value) }))
  }

  /** Yields rows from a snapshot at the start of the iteration. */
  async *#rows<Row>(range: KeyRange, decode: (key: Uint8Array, value: Uint8Array) => Row): AsyncGenerator<Row> {
    const { database } = this.#require()
    const iterator = database.iterator(range)
    try {
      for (;;) {
        const rows = await this.#reading(async () =>
          (await iterator.nextv(RECORD_READ_ROWS)).map(([key, value]) => decode(key, value))
        )
        if (rows.length === 0) return
        yield* rows
      }
    } finally {
      await iterator.close()
    }
  }

  /** @returns what `saveAge` saved last; undefined if that was lost, together with all that was heard of at an age */
  async loadAge(): Promise<Uint8Array | undefined> {
    const { database } = this.#require()
    return this.#reading(async () => {
      const value = await database.get(AGE_KEY)
      return value && openSealed(AGE_KEY, value)
    })
  }

  saveAge(bytes: Uint8Array): Promise<void> {
    return this.#exclusive(async () => {
      const { database } = this.#requireWritable()
      const { key, value } = sealedRow(AGE_KEY, bytes)
      await this.#reading(() => database.put(key, value))
    })
  }

  /**
   * @param signal - ends the reading
   * @throws `ERR_BAD_CURSOR`, `ERR_BAD_PARAMETER`, `ERR_DIRECTORY_UNAVAILABLE`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  query(query: DirectoryQuery, signal?: AbortSignal): Promise<DirectoryPage> {
    return this.#reading(() => runQuery(this.#queryBase(), query, { signal }))
  }

  /**
   * @param limit - 1…100
   * @param signal - ends the reading
   * @returns the newest photos with a term; nothing is counted
   * @throws `ERR_DIRECTORY_UNAVAILABLE`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  newestWith(term: string, limit: number, signal?: AbortSignal): Promise<DirectoryRecord[]> {
    return this.#reading(() => newestWith(this.#queryBase(), term, limit, { signal }))
  }

  /**
   * @param filters - what is left out of the time line
   * @param signal - ends the reading
   * @throws `ERR_DIRECTORY_UNAVAILABLE`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  timeline(filters: Filters, signal?: AbortSignal): Promise<Timeline> {
    return this.#reading(() => readTimeline(this.#queryBase(), filters, { signal }))
  }

  /** @param filters - those of the time line that the key is from. @throws as `timeline`; `ERR_NO_SUCH_BUCKET` */
  timelineBucket(filters: Filters, key: string, signal?: AbortSignal): Promise<TimelineBucket> {
    return this.#reading(() => readBucket(this.#queryBase(), filters, key, { signal }))
  }

  /**
   * All photos that match, as of now; at most some seconds for a million.
   *
   * @returns their ids, no more than `max` + 1
   * @throws `ERR_DIRECTORY_UNAVAILABLE`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  allMatches(filters: Filters, init: Omit<AllMatchesInit, 'sizes'>): Promise<PackedIds> {
    return this.#reading(() => readAllMatches(this.#queryBase(), filters, init))
  }

  #queryBase(): QueryBase {
    const { database, view } = this.#require()
    const { served } = view.index
    return { database, index: served, count: term => view.count(term, served.tables) }
  }

  /**
   * @param isOmitted - called with labels as they are folded. Default: all are listed
   * @returns tags or albums, in the order in which they are folded; a label's terms are the index's, see `language`
   */
  labels(field: LabelField, query: LabelsQuery, isOmitted?: (label: string) => boolean): Promise<LabelCount[]> {
    const { database, view } = this.#require()
    return this.#reading(() => readLabels(database, view.index.served, field, query, isOmitted))
  }

  /**
   * @param audiences - whose photos are counted; default: all
   * @returns how many photos have each value of a counted term, the first `limit` in the order of their bytes
   */
  countsOf(name: string, limit: number, audiences?: AudienceSet): Promise<ReadonlyMap<string, number>> {
    const { database, view } = this.#require()
    return this.#reading(() => readCounts(database, view.index.served, name, limit, audiences))
  }

  /**
   * @param audiences - whose photos count; default: all
   * @returns when the photos with a label were taken; undefined when there are none, or the index does not know it yet
   */
  labelSpan(field: LabelField, label: string, audiences?: AudienceSet): Promise<LabelSpan | undefined> {
    const { database, view } = this.#require()
    const { served } = view.index
    return this.#reading(() => readSpan(database, served, served.language.labelTerm(field, label), audiences))
  }

  /** What the index that is read says of a record, and how it is asked. */
  get language(): IndexLanguage {
    return this.#require().view.index.served.language
  }

  /** Whether photos can be asked for by terms of this name, now or once the index that is wanted is there. */
  isAskedBy(name: string): boolean {
    return !this.#languages.wanted.lacks.has(name)
  }

  /** Whether the index of this program is still being made, and one of before is read. */
  get isIndexBuilding(): boolean {
    return this.#require().view.index.built !== undefined
  }

  /**
   * Does a piece of what there is to do about the index, of some milliseconds: see index-build.ts.
   *
   * @returns whether there was anything to do
   */
  workOnIndex(): Promise<boolean> {
    return this.#exclusive(async () => {
      const { database, view } = this.#require()
      try {
        return await workOnIndex(database, view)
      } catch (err) {
        throw this.#writeFailed(err)
      }
    })
  }

  /** Yields all records, or those of one kind, tombstones included, from a snapshot at the start of the iteration. */
  async *records(kind?: string): AsyncGenerator<DirectoryRecord> {
    for await (const { record } of this.#rows(recordRange(kind), recordStateOf)) yield record
  }

  /** @returns the Merkle root over all records, 32 hex digits: equal on nodes whose directories are equal */
  digest(): string {
    return this.merkle.rootHex()
  }

  /** Do not keep a reference: `reopen` and `clear` replace the tree. */
  get merkle(): MerkleTree {
    return this.#require().view.merkle
  }

  /** @returns the number of live photos with the term. @throws `ERR_INTERNAL` for a term that is not counted */
  count(term: string): number {
    const { view } = this.#require()
    if (!isCounted(term)) throw new SheafError('ERR_INTERNAL', `the term ${JSON.stringify(term)} has no counter`)
    try {
      return view.count(term)
    } catch (err) {
      throw this.#readFailed(err, this.#opened)
    }
  }

  /** @returns what the photos of an account take; undefined: the index of before, which is still read, does not count that */
  usageOf(owner: UserId): Usage | undefined {
    const { view } = this.#require()
    if (view.index.served.language.lacks.has(USED)) return undefined
    try {
      return { bytes: view.count(usageCounter(owner, 'bytes')), photos: view.count(usageCounter(owner, 'photos')) }
    } catch (err) {
      throw this.#readFailed(err, this.#opened)
    }
  }

  /** @returns how many photos of some audiences have a term, which is one that is counted for each */
  countFor(term: string, audiences: AudienceSet): Promise<number> {
    const { database, view } = this.#require()
    return this.#reading(() => readCountOf(database, view.index.served, term, audiences))
  }

  /** Yields the leaves of some Merkle buckets: for each in turn those of it, in the order of their keys. */
  async *leaves(buckets: readonly number[]): AsyncGenerator<readonly Leaf[]> {
    yield* this.#readingAll(readLeaves(this.#require().database, buckets))
  }

  /** Yields the terms beginning with `start` (e.g. `sha256\0`) that several live photos share. */
  async *repeated(start: string): AsyncGenerator<RepeatedTerm> {
    const { database, view } = this.#require()
    yield* this.#readingAll(repeatedTerms(database, view.index.served.tables, start))
  }

  /**
   * Reads all rows, checks their seals, and checks that leaves, buckets, index, counters and deaths match the records.
   *
   * @returns the problems found, in words; empty if there are none. Changes nothing: `clear` and a replay repair them
   */
  async verify(): Promise<readonly string[]> {
    const { database } = this.#require()
    return this.#reading(() => verifyRows(database, this.#languages))
  }

  /** @returns a function that removes the listener */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Calls the listener before a batch is written, with what it changes; it may yet fail. For what must not be behind the rows: a
   * read may find what a batch has written before {@link onChange} tells of it.
   *
   * @returns a function that removes the listener
   */
  onComing(listener: ChangeListener): () => void {
    this.#comingListeners.add(listener)
    return () => this.#comingListeners.delete(listener)
  }

  /** Calls the listener with the keys of records that can be read no more. @returns a function that removes it */
  onOpaque(listener: (keys: readonly RecordKey[]) => void): () => void {
    this.#opaqueListeners.add(listener)
    return () => this.#opaqueListeners.delete(listener)
  }

  /** Writes waiting groups as one batch, up to a bound; groups that arrive meanwhile wait for the next. */
  async #applyWaiting(): Promise<void> {
    const batch = this.#takeWaiting()
    if (batch.length === 0) return
    try {
      await this.#writeGroups(batch)
      for (const { resolve } of batch) resolve()
    } catch (err) {
      const error = this.#writeFailed(err)
      for (const { reject } of batch) reject(error)
    }
    if (this.#waiting.length > 0) void this.#exclusive(() => this.#applyWaiting())
  }

  #takeWaiting(): WaitingGroup[] {
    let records = 0
    let groups = 0
    for (const waiting of this.#waiting) {
      records += waiting.records.length
      if (groups > 0 && records > BATCH_RECORDS_MAX) break
      groups++
    }
    return this.#waiting.splice(0, groups)
  }

  async #writeGroups(batch: readonly WaitingGroup[]): Promise<void> {
    const { view } = this.#requireWritable()
    const applied = new Map<VolumeId, LogProgress>()
    const records: IncomingRecord[] = []
    const opaque: IncomingOpaque[] = []
    const refused: VerbatimNeedle[] = []
    for (const { group, ...decoded } of batch) {
      const progress = applied.get(group.volume) ?? view.applied.get(group.volume) ?? NOTHING_APPLIED
      const after = progressAfter(progress, group)
      if (after === progress) continue
      records.push(...decoded.records)
      opaque.push(...decoded.opaque)
      refused.push(...decoded.refused)
      applied.set(group.volume, after)
    }
    await this.#write(records, { opaque, refused }, applied)
  }

  /** @returns the number of records that changed */
  async #write(
    incoming: readonly IncomingRecord[],
    { opaque: unreadable, refused }: Pick<WaitingGroup, 'opaque' | 'refused'>,
    applied: ReadonlyMap<VolumeId, LogProgress>,
    from?: NodeId
  ): Promise<number> {
    const { database, view } = this.#requireWritable()
    const opaque = foldOpaque(database, unreadable)
    const none = view.opaqueCount === 0 && unreadable.length === 0
    const { records, verbatim } = none
      ? { records: incoming, verbatim: [] }
      : partOpaque(database, incoming, opaque.folds)
    const folds = await foldRecords(
      database,
      view.merkle,
      records,
      this.formats,
      ({ record: { kind, id }, location }, err) =>
        this.#log.error({ err, kind, id, location, from }, 'ignoring a record that cannot be merged into what is here')
    )
    await this.#layOut(database, folds, from)
    const hidden = { folds: opaque.folds, verbatim: [...opaque.verbatim, ...verbatim, ...refused] }
    const plan = planBatch(view, folds, applied, this.#age(), hidden)
    if (plan.changes.length > 0) this.#notify(this.#comingListeners, plan.changes)
    if (plan.operations.length > 0) await database.batch(plan.operations)
    view.commit(plan)
    for (const { record } of records) for (const { hlc } of record.entries) this.#observe(hlc)
    if (plan.changes.length > 0) this.#notify(this.#listeners, plan.changes)
    if (plan.opaque.length > 0) this.#noteOpaque(plan.opaque)
    return plan.changes.length
  }

  /** Sets aside what graves end here although it lives, or its undo period has not run on this node. */
  async #layOut(database: Database, folds: readonly RecordFold[], from: NodeId | undefined): Promise<void> {
    const guard = this.#guard
    if (guard === undefined || this.#isRebuilding) return
    const ended = folds.filter(({ before, after }) => stored(before) !== undefined && graveIn(after) !== undefined)
    if (ended.length === 0) return
    const deaths = await readDeaths(
      database,
      ended.map(({ key }) => key)
    )
    const doomed = ended.flatMap(({ before, after, buriedBy }, i): Doomed[] => {
      const death = deaths[i]
      const generation = graveIn(after)?.generation
      if (before === undefined || generation === undefined) return []
      if (death !== undefined && !guard.isUndoable(death)) return []
      return [{ record: before.record, generation, from: from ?? buriedBy }]
    })
    if (doomed.length > 0) await guard.layOut(doomed)
  }

  #noteOpaque(keys: readonly RecordKey[]): void {
    const records = this.opaqueCount
    this.#log.warn({ records, first: keys[0] }, 'records of a later format are kept but not shown; upgrade this node')
    for (const listener of this.#opaqueListeners) listener(keys)
  }

  #notify(listeners: ReadonlySet<ChangeListener>, changes: readonly RecordChange[]): void {
    for (const listener of listeners) {
      try {
        listener(changes)
      } catch (err) {
        this.#log.error({ err }, 'a listener for directory changes threw an error')
      }
    }
  }

  async #open(state: 'open' | 'filling'): Promise<void> {
    try {
      const { rebuildReason, ...opened } = await openRows(
        this.#source,
        {
          migrations: this.#migrations,
          formatMax: this.formats.max,
          languages: this.#languages,
          onOlder: this.#onOlderSchema
        },
        this.#damage
      )
      this.#opened = opened
      this.#rebuildReason = rebuildReason
    } catch (err) {
      throw toDirectoryError(err)
    }
    this.#damage = undefined
    this.#state = state
    const reason = this.#rebuildReason
    this.#isRebuilding = this.#opened.isReplayed
    if (reason !== undefined) this.#log.warn({ reason }, 'rebuilding the directory from the volumes')
  }

  /** From here on nothing is read or written, although the database takes a while to close. */
  async #close(): Promise<void> {
    const opened = this.#opened
    if (this.#state !== 'failed') this.#state = 'closed'
    this.#opened = undefined
    await opened?.database.close()
  }

  /** For reads. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  #require(): OpenRows {
    if (this.#state === 'open' && this.#opened !== undefined) return this.#opened
    throw new SheafError('ERR_DIRECTORY_UNAVAILABLE', undefined, { details: { state: this.#state } })
  }

  /** For writes, which are also accepted while the directory fills. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  #requireWritable(): OpenRows {
    return this.#state === 'filling' && this.#opened !== undefined ? this.#opened : this.#require()
  }

  /** Runs `work` after all earlier work has settled. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => {}) // reported to whoever awaits `result`
    return result
  }

  /** Runs a read; if it finds damage, the directory fails. */
  async #reading<T>(work: () => Promise<T>): Promise<T> {
    const opened = this.#opened
    try {
      return await work()
    } catch (err) {
      throw this.#readFailed(err, opened)
    }
  }

  /** Like `#reading`, for what is read piece by piece. */
  async *#readingAll<T>(pieces: AsyncGenerator<T>): AsyncGenerator<T> {
    try {
      for (;;) {
        const { done, value } = await this.#reading(() => pieces.next())
        if (done === true) return
        yield value
      }
    } finally {
      await pieces.return(undefined)
    }
  }

  #readFailed(err: unknown, opened: OpenRows | undefined): unknown {
    // The error of a read on a database that was closed meanwhile says nothing about the current one.
    if (damageOf(err) !== undefined && this.#opened === opened) this.#fail(err)
    return toDirectoryError(err)
  }

  /** Fails the directory and all waiting groups after a failed batch. @returns the error to report */
  #writeFailed(err: unknown): unknown {
    this.#fail(err)
    const error = toDirectoryError(err)
    this.#refuseWaiting(error)
    return error
  }

  #fail(err: unknown): void {
    this.#state = 'failed'
    // A later error (e.g. of a waiting group) must not hide damage from `reopen`.
    this.#damage = damageOf(err) ?? this.#damage
    this.#log.error({ err, damage: this.#damage }, 'the directory failed; it is reopened automatically')
    this.#onFailed()
  }

  #refuseWaiting(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

/** @returns undefined for a grave: nothing is left to show */
function stored(state: RecordState | undefined, view?: DirectoryView): StoredRecord | undefined {
  if (state === undefined || isGrave(state.record)) return undefined
  const { record, home } = state
  return { record, home: home !== undefined && view?.applied.has(home.volume) ? home : undefined }
}

function graveIn(state: RecordState | undefined): GraveState | undefined {
  if (state === undefined || !isGrave(state.record)) return undefined
  return { generation: (state.record.buried ?? 1) - 1, isLogged: state.isLogged === true }
}

/** Wraps errors of the database in `ERR_DIRECTORY_UNAVAILABLE`; Sheaf's own and broken invariants pass unchanged. */
function toDirectoryError(err: unknown): unknown {
  if (err instanceof InvariantError || err instanceof SheafError) return err
  return new SheafError('ERR_DIRECTORY_UNAVAILABLE', undefined, { cause: err })
}
