import { hasCode } from '../core/errors.js'
import type { RecordChange } from '../directory/batch-plan.js'
import type { Directory, Found, StoredRecord } from '../directory/directory.js'
import type { Death } from '../directory/keys.js'
import type { GraveState } from '../directory/leaf-rows.js'
import { GRAVES_MAX } from '../domain/graves.js'
import { photoIdFrom, type VolumeId } from '../domain/ids.js'
import type { NeedleIdentity } from '../domain/needle.js'
import { alternateKeyOf, PHOTO_KIND, type Photo, partOf, viewPhoto } from '../domain/photo.js'
import { conflictVersions, type DirectoryRecord, type RecordKey, recordName, shownVersion } from '../domain/record.js'
import { decodeRecord } from '../domain/record-codec.js'
import { endedLife, endOf, isBuriable } from '../domain/tombstone.js'
import { integerOf } from '../domain/value-fields.js'
import type { Trust } from '../volumes/compaction.js'
import type { NeedleRow } from '../volumes/index-file.js'
import type { Verdict } from '../volumes/inspection.js'
import type { NeedleDraft, NeedleLocation } from '../volumes/needle-store.js'
import type { Volume } from '../volumes/volume.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import type { LaidOut } from './laid-out.js'
import { blobOf, blobsOf, dataIdentity, mayStandIn, needleCount } from './photo-needles.js'
import { recordDraft } from './record-needles.js'
import type { RecordWriter } from './record-writer.js'
import { gravesDrafts, type KeyedGrave } from './sweep.js'

/** Kind of the records of retired volumes. */
export const RETIRED_KIND = 'volume'
/** Chunks of a changed blob that are looked up: 8 GiB at 8 MiB each. Volumes with later ones are inspected in time. */
const AFFECTED_CHUNKS_MAX = 1024

/** Records checked per batch. */
const SECURE_BATCH_RECORDS = 256

const LIVE: Verdict = { state: 'live' }
const COPY: Verdict = { state: 'copy' }
const DEAD: Verdict = { state: 'dead' }
const UNKNOWN: Verdict = { state: 'unknown' }
/** The undo period of a buried photo is over everywhere. */
const BURIED: Verdict = { state: 'dead', heardAt: Number.NEGATIVE_INFINITY, isBuried: true }
const HEARD: Verdict = { state: 'unknown', isBuried: true }
const LAID_OUT: Verdict = { state: 'unknown', isLaidOut: true }

export interface NeedleVerdictsComponents {
  readonly directory: Pick<
    Directory,
    | 'formats'
    | 'getMany'
    | 'getSync'
    | 'lookUp'
    | 'lookUpMany'
    | 'deathsOf'
    | 'graves'
    | 'isOpaque'
    | 'verbatimHome'
    | 'records'
    | 'onChange'
  >
  readonly volumes: Pick<VolumeSet, 'get' | 'volumes' | 'locate' | 'read' | 'append' | 'isOwn' | 'isOfThisProcess'>
  readonly writer: Pick<RecordWriter, 'write'>
  readonly laidOut: Pick<LaidOut, 'holds'>
  /** The node's age, ms. */
  readonly age: () => number
}

/** A photo, with the alternate keys of the needles that its record names: the same for all that is judged of it. */
interface NamedParts {
  readonly photo: Photo
  readonly alternateKeys: ReadonlySet<number>
}

/** Decides from the directory which needles in the volumes are still needed. */
export class NeedleVerdicts {
  readonly #components: NeedleVerdictsComponents
  /** Up to where needles of retired volumes have copies in others. */
  readonly #retired = new Map<VolumeId, number>()
  /** Graves that no needle here holds, of photos with needles here. */
  readonly #heard = new Map<string, KeyedGrave>()

  constructor(components: NeedleVerdictsComponents) {
    this.#components = components
    components.directory.onChange(changes => {
      for (const { after } of changes) if (after?.kind === RETIRED_KIND) this.#noteRetirement(after)
    })
  }

  /** Reads which volumes are retired. Call it once the directory is complete. */
  async load(): Promise<void> {
    for await (const record of this.#components.directory.records(RETIRED_KIND)) this.#noteRetirement(record)
  }

  isRetired(volume: VolumeId): boolean {
    return this.#retired.has(volume)
  }

  /** Records that all needles up to `coveredBytes` have copies in other volumes. Such records are never deleted. */
  async retire(volume: Volume, coveredBytes: number): Promise<void> {
    if (coveredBytes <= (this.#retired.get(volume.id) ?? 0)) return
    const value = new Map([['covered', coveredBytes]])
    await this.#components.writer.write({ kind: RETIRED_KIND, id: volume.id }, () => [{ kind: 'version', value }])
  }

  #noteRetirement(record: DirectoryRecord): void {
    const versions = [shownVersion(record), ...conflictVersions(record)]
    const ends = versions.map(({ value }) => integerOf(value, 'covered') ?? 0)
    this.#retired.set(record.id as VolumeId, Math.max(...ends))
  }

  async judge(volume: Volume, rows: readonly NeedleRow[]): Promise<readonly Verdict[]> {
    const { directory } = this.#components
    const keys = rows.map(row => ({ kind: PHOTO_KIND, id: photoIdFrom(row.id) }))
    // the needles of a photo lie side by side
    const photos = [...new Map(keys.map(key => [key.id, key])).values()]
    const found = byName(photos, await directory.lookUpMany(photos))
    const deleted = [...found.values()].flatMap(({ stored }) =>
      stored && endedLife(stored.record) !== undefined ? stored.record : []
    )
    const deaths = byName(deleted, await directory.deathsOf(deleted))
    const named = new Map<string, NamedParts>()
    const verdicts: Verdict[] = []
    for (const [i, row] of rows.entries()) {
      const key = keys[i] as RecordKey
      const name = recordName(key)
      const { stored: known, grave } = found.get(name) as Found
      if (row.kind === 'graves') verdicts.push(this.#firstVerdict(volume, row))
      else if (grave !== undefined) verdicts.push(this.#buriedVerdict(volume, row, key, grave))
      else if (row.kind === 'record')
        verdicts.push(
          known === undefined ? await this.#otherRecordVerdict(volume, row) : recordVerdict(volume, row, known)
        )
      else if (known === undefined) verdicts.push(this.#orphanVerdict(volume, row))
      else {
        const parts = named.get(name) ?? namedParts(known.record)
        named.set(name, parts)
        verdicts.push(this.#dataVerdict(volume, row, parts, deaths.get(name)))
      }
    }
    return verdicts
  }

  /** Judges a needle of a photo of which only the grave is left. */
  #buriedVerdict(volume: Volume, row: NeedleRow, key: RecordKey, { generation, isLogged }: GraveState): Verdict {
    if (row.generation > generation) return this.#isAbandoned(volume) ? DEAD : UNKNOWN
    if (this.#components.laidOut.holds(key, row.generation)) return LAID_OUT
    if (isLogged) return BURIED
    this.#noteHeard({ ...key, generation })
    return HEARD
  }

  /** Were the needles gone before a needle here holds the grave, a rebuild would find neither. */
  #noteHeard(grave: KeyedGrave): void {
    if (this.#heard.size < GRAVES_MAX) this.#heard.set(recordName(grave), grave)
  }

  /** Has the next `takeHeard` return their graves, unless a needle here holds them: their needles shall go. */
  async hear(keys: readonly RecordKey[]): Promise<void> {
    for (const [i, { grave }] of (await this.#components.directory.lookUpMany(keys)).entries()) {
      if (grave?.isLogged === false) this.#noteHeard({ ...(keys[i] as RecordKey), generation: grave.generation })
    }
  }

  /** @returns graves that have to be in a needle here before others can go; the next call returns others */
  takeHeard(): readonly KeyedGrave[] {
    const heard = [...this.#heard.values()]
    this.#heard.clear()
    return heard
  }

  /**
   * Judges a record needle that is of another kind, or whose photo the directory does not know, or must not show: see
   * opaque-records.ts.
   */
  async #otherRecordVerdict(volume: Volume, row: NeedleRow): Promise<Verdict> {
    const bytes = await volume.read(row.offset, row, row.length)
    const record = this.#decode(bytes)
    const [found] =
      record !== undefined && isBuriable(record) ? await this.#components.directory.lookUpMany([record]) : []
    if (record !== undefined && found?.grave !== undefined) {
      const { kind, id } = record
      return this.#buriedVerdict(volume, row, { kind, id }, found.grave)
    }
    if (found?.stored !== undefined) return recordVerdict(volume, row, found.stored)
    const home = this.#components.directory.verbatimHome(bytes)
    return home === undefined || (home.volume === volume.id && home.offset === row.offset) ? LIVE : COPY
  }

  /** @returns the record in a needle; undefined for one that this version cannot read, or that no version can */
  #decode(bytes: Uint8Array): DirectoryRecord | undefined {
    try {
      return decodeRecord(bytes, this.#components.directory.formats.max)
    } catch (err) {
      if (hasCode(err, 'ERR_FORMAT_TOO_NEW') || hasCode(err, 'ERR_RECORD_MALFORMED')) return undefined
      throw err
    }
  }

  /**
   * Checks a record whose bytes a crash may have lost.
   *
   * @returns whether the directory knows its photo, or this node has all needles of the original
   */
  isWhole(encoded: Uint8Array): boolean {
    const { directory, volumes } = this.#components
    const record = this.#decode(encoded)
    // of what cannot be read it cannot be told, so it is kept
    if (record?.kind !== PHOTO_KIND || directory.isOpaque(record)) return true
    const { stored, grave } = directory.lookUp(record)
    if (stored !== undefined || grave !== undefined) return true
    const blob = blobOf(viewPhoto(record), 'orig')
    if (blob === undefined) return true
    for (let chunk = 0; chunk < needleCount(blob); chunk++) {
      if (volumes.locate(dataIdentity(blob, chunk)).length === 0) return false
    }
    return true
  }

  /** Yields needles that a change made dead, or live again. */
  *affected({ before, after, left }: Pick<RecordChange, 'before' | 'after' | 'left'>): Generator<NeedleLocation> {
    if (left !== undefined) yield left
    if (before?.kind !== PHOTO_KIND) return
    const old = viewPhoto(before)
    const now = after && viewPhoto(after)
    const sameRank =
      old.deleted === now?.deleted &&
      old.generation === now.generation &&
      isPurgeWanted(before) === isPurgeWanted(after)
    const stillNamed = new Set(sameRank ? blobsOf(now).map(({ part, sha256 }) => `${part} ${sha256}`) : [])
    for (const blob of blobsOf(old)) {
      if (stillNamed.has(`${blob.part} ${blob.sha256}`)) continue
      const chunks = Math.min(needleCount(blob), AFFECTED_CHUNKS_MAX)
      for (let chunk = 0; chunk < chunks; chunk++) {
        yield* this.#components.volumes.locate(dataIdentity(blob, chunk))
      }
    }
  }

  /**
   * Appends every record whose merged state is in no intact needle, so that the directory can be rebuilt from the log alone.
   *
   * @returns the number of records appended
   */
  async secureRecords(signal: AbortSignal): Promise<number> {
    let secured = 0
    const keys: RecordKey[] = []
    const flush = async (): Promise<void> => {
      signal.throwIfAborted()
      for (const stored of await this.#components.directory.getMany(keys.splice(0))) {
        if (stored === undefined) continue
        const { record, home } = stored
        const draft = recordDraft(record, this.#components.directory.formats)
        if (home !== undefined && (await this.#isReadable(home, draft.header))) continue
        await this.#components.volumes.append([draft], 'upkeep')
        secured++
      }
    }
    for await (const { kind, id } of this.#components.directory.records()) {
      keys.push({ kind, id })
      if (keys.length === SECURE_BATCH_RECORDS) await flush()
    }
    await flush()
    return secured + (await this.#secureGraves(signal))
  }

  /** Appends the graves that a rebuild might not find. Which ones a hole hides is not known, so with one it is all of them. */
  async #secureGraves(signal: AbortSignal): Promise<number> {
    const { directory, volumes } = this.#components
    const isSound = volumes.volumes().every(({ state, holes }) => state !== 'failed' && holes.length === 0)
    let secured = 0
    let graves: KeyedGrave[] = []
    const flush = async (): Promise<void> => {
      signal.throwIfAborted()
      for (const draft of gravesDrafts(graves)) await volumes.append([draft], 'upkeep')
      secured += graves.length
      graves = []
    }
    for await (const { kind, id, generation, isLogged } of directory.graves()) {
      if (!isLogged || !isSound) graves.push({ kind, id, generation })
      if (graves.length === GRAVES_MAX) await flush()
    }
    await flush()
    return secured
  }

  /** @see CompactionComponents.recordToMove */
  async recordToMove(volume: Volume, row: NeedleRow, trust: Trust): Promise<NeedleDraft | undefined> {
    const [photo] = await this.#components.directory.getMany([{ kind: PHOTO_KIND, id: photoIdFrom(row.id) }])
    if (photo !== undefined) return this.#stateToMove(volume, row, photo, trust)
    const bytes = await volume.read(row.offset, row, row.length)
    const record = this.#decode(bytes)
    // only the headers of photos hold the key
    const [found] = await this.#components.directory.lookUpMany(record === undefined ? [] : [record])
    if (found?.stored !== undefined) return this.#stateToMove(volume, row, found.stored, trust)
    // the directory does not know it, so it is kept
    const home = this.#components.directory.verbatimHome(bytes)
    return (await this.#standsAt(home, volume, row, trust)) ? undefined : volume.readDraft(row)
  }

  async #stateToMove(
    volume: Volume,
    row: NeedleRow,
    { record, home }: StoredRecord,
    trust: Trust
  ): Promise<NeedleDraft | undefined> {
    // superseded within this volume: the needle that holds the merged state is moved instead
    if (home?.volume === volume.id && home.offset !== row.offset) return undefined
    const draft = recordDraft(record, this.#components.directory.formats)
    return (await this.#standsAt(home, volume, draft.header, trust)) ? undefined : draft
  }

  /** Whether a copy stands there, in another volume that stays. */
  async #standsAt(
    home: NeedleLocation | undefined,
    volume: Volume,
    identity: NeedleIdentity,
    trust: Trust
  ): Promise<boolean> {
    if (home === undefined || home.volume === volume.id || this.isRetired(home.volume)) return false
    return trust === 'indexed' || this.#isReadable(home, identity)
  }

  #dataVerdict(
    volume: Volume,
    row: NeedleRow,
    { photo, alternateKeys }: NamedParts,
    death: Death | undefined
  ): Verdict {
    if (row.generation > photo.generation) return this.#isAbandoned(volume) ? DEAD : UNKNOWN
    if (this.#isOutlived(row, photo.generation)) return DEAD
    if (photo.deleted)
      return {
        state: 'dead',
        heardAt: death?.heardAt ?? this.#components.age(),
        isPurgeWanted: death?.isPurgeWanted ?? false
      }
    if (partOf(row.alternateKey) === undefined) return UNKNOWN
    // a part that the record does not name lost against another result, unless its upload is still running
    if (!alternateKeys.has(row.alternateKey)) return this.#isInProgress(volume, row) ? UNKNOWN : DEAD
    return this.#firstVerdict(volume, row)
  }

  /** Whether a needle is of an earlier life, and stands in for none of the present one that is yet to come. */
  #isOutlived(row: NeedleRow, generation: number): boolean {
    if (mayStandIn(row.generation, generation))
      return this.#components.volumes.locate({ ...row, generation }).length > 0
    return row.generation < generation
  }

  /** The record of an undelete is yet to come, unless an earlier process of this node died before writing it. */
  #isAbandoned(volume: Volume): boolean {
    const { volumes } = this.#components
    return volumes.isOwn(volume) && !volumes.isOfThisProcess(volume.id)
  }

  /** Of equal needles the first is needed. */
  #firstVerdict(volume: Volume, row: NeedleRow): Verdict {
    const [first] = this.#components.volumes.locate(row).filter(({ volume: id }) => !this.isRetired(id))
    return first === undefined || (first.volume === volume.id && first.offset === row.offset) ? LIVE : COPY
  }

  /** Judges a needle whose photo the directory does not know: a chunk without a manifest is left from an aborted upload. */
  #orphanVerdict(volume: Volume, row: NeedleRow): Verdict {
    const isOpaque = this.#components.directory.isOpaque({ kind: PHOTO_KIND, id: photoIdFrom(row.id) })
    if (!row.isChunk || isOpaque || this.#isInProgress(volume, row)) return UNKNOWN
    return this.#components.volumes.locate({ ...row, kind: 'manifest', chunk: 0 }).length > 0 ? UNKNOWN : DEAD
  }

  /** Only the process that wrote a chunk can still complete it. */
  #isInProgress(volume: Volume, row: NeedleRow): boolean {
    return row.isChunk && this.#components.volumes.isOfThisProcess(volume.id)
  }

  /** Whether a replay of the log would find the needle: in a hole it would not, even if the disk gives it now. */
  async #isReadable(location: NeedleLocation, identity: NeedleIdentity): Promise<boolean> {
    if (this.#components.volumes.get(location.volume)?.inHole(location.offset) !== false) return false
    try {
      await this.#components.volumes.read(location, identity)
      return true
    } catch (error) {
      const damage = ['ERR_NEEDLE_CORRUPT', 'ERR_DISK_READ', 'ERR_BYTES_UNREACHABLE'] as const
      if (damage.some(code => hasCode(error, code))) return false
      throw error
    }
  }
}

function isPurgeWanted(record: DirectoryRecord | undefined): boolean {
  return (record && endOf(record)?.isPurgeWanted) ?? false
}

function namedParts(record: DirectoryRecord): NamedParts {
  const photo = viewPhoto(record)
  return { photo, alternateKeys: new Set(blobsOf(photo).map(({ part, sha256 }) => alternateKeyOf(part, sha256))) }
}

/** Of the needles of a record only the home is needed, or all of them if there is none. */
function recordVerdict(volume: Volume, row: NeedleRow, { home }: StoredRecord): Verdict {
  return home === undefined || (home.volume === volume.id && home.offset === row.offset) ? LIVE : COPY
}

/** @returns what is there, by `recordName` */
function byName<Found>(keys: readonly RecordKey[], found: readonly (Found | undefined)[]): ReadonlyMap<string, Found> {
  const named = new Map<string, Found>()
  for (const [i, each] of found.entries()) if (each !== undefined) named.set(recordName(keys[i] as RecordKey), each)
  return named
}
