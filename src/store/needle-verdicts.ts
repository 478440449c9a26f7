import { hasCode } from '../core/errors.js'
import type { Directory, StoredRecord } from '../directory/directory.js'
import type { Value } from '../domain/cbor.js'
import { HLC_ZERO, type Hlc, hlcMs } from '../domain/hlc.js'
import { parseVolumeId, photoIdFrom, type VolumeId } from '../domain/ids.js'
import type { NeedleIdentity } from '../domain/needle.js'
import { alternateKeyOf, PHOTO_KIND, partOf, viewPhoto } from '../domain/photo.js'
import { conflictVersions, type DirectoryRecord, type RecordKey, shownVersion } from '../domain/record.js'
import { decodeRecord, opaqueRecordOf } from '../domain/record-codec.js'
import { isForgotten, tombstoneStamp } from '../domain/tombstone.js'
import { integerOf } from '../domain/value-fields.js'
import type { Trust } from '../volumes/compaction.js'
import type { NeedleRow } from '../volumes/index-file.js'
import type { Verdict } from '../volumes/inspection.js'
import type { NeedleDraft, NeedleLocation } from '../volumes/needle-store.js'
import type { Volume } from '../volumes/volume.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import { blobOf, blobsOf, dataIdentity, needleCount } from './photo-needles.js'
import { recordDraft } from './record-needles.js'
import type { RecordWriter } from './record-writer.js'

const RETIRED_KIND = 'volume'
/** Chunks of a changed blob that are looked up: 8 GiB at 8 MiB each. Volumes with later ones are inspected in time. */
const AFFECTED_CHUNKS_MAX = 1024

/** Records checked per batch. */
const SECURE_BATCH_RECORDS = 256

const LIVE: Verdict = { state: 'live' }
const COPY: Verdict = { state: 'copy' }
const DEAD: Verdict = { state: 'dead' }
const UNKNOWN: Verdict = { state: 'unknown' }

export interface NeedleVerdictsComponents {
  readonly directory: Pick<
    Directory,
    'formats' | 'getMany' | 'getSync' | 'isOpaque' | 'verbatimHome' | 'records' | 'onChange'
  >
  readonly volumes: Pick<VolumeSet, 'get' | 'locate' | 'read' | 'append' | 'isOwn' | 'isOfThisProcess'>
  readonly writer: Pick<RecordWriter, 'write' | 'pending'>
  /** Deletes up to this stamp may be forgotten. */
  readonly horizon: () => Hlc
  /** Needles of photos deleted up to this stamp are to be removed at once. */
  readonly purgeTo: () => Hlc
}

/** What is known of a retired volume. */
export interface Retirement {
  /** Offset up to which its needles have copies in other volumes. */
  readonly end: number
  /** The stamp of the last photo that was born in that part. */
  readonly lastBirth: Hlc
}

const NOT_RETIRED: Retirement = { end: 0, lastBirth: HLC_ZERO }

/** Decides from the directory which needles in the volumes are still needed. */
export class NeedleVerdicts {
  readonly #components: NeedleVerdictsComponents
  readonly #retired = new Map<VolumeId, Retirement>()

  constructor(components: NeedleVerdictsComponents) {
    this.#components = components
    components.directory.onChange(changes => {
      for (const { after } of changes) if (after.kind === RETIRED_KIND) this.#noteRetirement(after)
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
    if (coveredBytes <= this.retirementOf(volume.id).end) return
    const lastBirth = await this.#lastBirth(volume)
    const value = new Map<string, Value>([
      ['covered', coveredBytes],
      ['last_birth', lastBirth]
    ])
    await this.#components.writer.write({ kind: RETIRED_KIND, id: volume.id }, () => [{ kind: 'version', value }])
  }

  /** @returns what is known of a retired volume; zeros for any other */
  retirementOf(volume: VolumeId): Retirement {
    return this.#retired.get(volume) ?? NOT_RETIRED
  }

  /** @returns up to where the volume is, or was, known here, and the stamp of the last photo born in that part */
  async known(id: VolumeId): Promise<Retirement> {
    const { end, lastBirth } = this.retirementOf(id)
    const volume = this.#components.volumes.get(id)
    if (volume === undefined || volume.end <= end) return { end, lastBirth }
    return { end: volume.end, lastBirth: await this.#lastBirth(volume) }
  }

  /** Photos are born in the order of the log. @returns the greatest birth stamp of photos of the volume's own epoch */
  async #lastBirth(volume: Volume): Promise<Hlc> {
    let last = HLC_ZERO
    const epoch = parseVolumeId(volume.id)?.epoch
    for await (const rows of volume.rows()) {
      for (const row of rows) {
        if (row.kind !== 'record') continue
        const record = await this.#recordIn(volume, row)
        if (record?.kind !== PHOTO_KIND) continue
        const { createdAt, logicalVolume } = viewPhoto(record)
        if (createdAt > last && parseVolumeId(logicalVolume)?.epoch === epoch) last = createdAt
      }
    }
    return last
  }

  #noteRetirement(record: DirectoryRecord): void {
    const versions = [shownVersion(record), ...conflictVersions(record)]
    const ends = versions.map(({ value }) => integerOf(value, 'covered') ?? 0)
    const births = versions.map(({ value }) => stampOf(value.get('last_birth')))
    const lastBirth = births.reduce((last, stamp) => (stamp > last ? stamp : last), HLC_ZERO)
    this.#retired.set(record.id as VolumeId, { end: Math.max(...ends), lastBirth })
  }

  async judge(volume: Volume, rows: readonly NeedleRow[]): Promise<readonly Verdict[]> {
    const keys = rows.map(row => ({ kind: PHOTO_KIND, id: photoIdFrom(row.id) }))
    const stored = await this.#components.directory.getMany(keys)
    const verdicts: Verdict[] = []
    for (const [i, row] of rows.entries()) {
      const known = stored[i]
      if (row.kind !== 'record') {
        verdicts.push(
          known === undefined ? this.#orphanVerdict(volume, row) : this.#dataVerdict(volume, row, known.record)
        )
      } else if (known === undefined) {
        verdicts.push(await this.#unknownRecordVerdict(volume, row))
      } else verdicts.push(this.#recordVerdict(volume, row, known))
    }
    return verdicts
  }

  /** Judges a record needle whose photo the directory does not know, or must not show: see opaque-records.ts. */
  async #unknownRecordVerdict(volume: Volume, row: NeedleRow): Promise<Verdict> {
    const bytes = await volume.read(row.offset, row, row.length)
    if (this.#isOpaque(bytes)) {
      const home = this.#components.directory.verbatimHome(bytes)
      return home === undefined || (home.volume === volume.id && home.offset === row.offset) ? LIVE : COPY
    }
    return isForgotten(this.#decode(bytes), this.#components.horizon()) ? DEAD : LIVE
  }

  #decode(bytes: Uint8Array): DirectoryRecord {
    return decodeRecord(bytes, this.#components.directory.formats.max)
  }

  #isOpaque(record: Uint8Array): boolean {
    return (
      opaqueRecordOf(record, this.#components.directory.formats) !== undefined ||
      this.#components.directory.isOpaque(this.#decode(record))
    )
  }

  /**
   * Checks a record whose bytes a crash may have lost.
   *
   * @returns whether the directory knows its photo, or this node has all needles of the original
   */
  isWhole(encoded: Uint8Array): boolean {
    const { directory, volumes } = this.#components
    if (opaqueRecordOf(encoded, this.#components.directory.formats) !== undefined) return true // it cannot be told, so it is kept
    const record = this.#decode(encoded)
    if (record.kind !== PHOTO_KIND || directory.isOpaque(record) || directory.getSync(record) !== undefined) return true
    const blob = blobOf(viewPhoto(record), 'orig')
    const chunks = blob === undefined ? [] : Array.from({ length: needleCount(blob) }, (_, i) => dataIdentity(blob, i))
    return chunks.every(identity => volumes.locate(identity).length > 0)
  }

  /** Yields the volumes in which a change to a photo made needles dead. */
  *affectedVolumes(before: DirectoryRecord | undefined, after: DirectoryRecord): Generator<VolumeId> {
    if (before === undefined || after.kind !== PHOTO_KIND) return
    const [old, now] = [viewPhoto(before), viewPhoto(after)]
    const sameRank = old.deleted === now.deleted && old.generation === now.generation
    const stillNamed = new Set(sameRank ? blobsOf(now).map(({ part, sha256 }) => `${part} ${sha256}`) : [])
    for (const blob of blobsOf(old)) {
      if (stillNamed.has(`${blob.part} ${blob.sha256}`)) continue
      const chunks = Math.min(needleCount(blob), AFFECTED_CHUNKS_MAX)
      for (let chunk = 0; chunk < chunks; chunk++) {
        for (const { volume } of this.#components.volumes.locate(dataIdentity(blob, chunk))) yield volume
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
    const flush = (): Promise<void> => this.#components.writer.pending.run(secure)
    const secure = async (): Promise<void> => {
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
    return secured
  }

  /** Appends those deleted records whose merged state is in no needle, so that the log alone holds their deletion. */
  async secureTombstones(tombstones: readonly { readonly key: RecordKey }[]): Promise<void> {
    const { directory, volumes } = this.#components
    for (let at = 0; at < tombstones.length; at += SECURE_BATCH_RECORDS) {
      const keys = tombstones.slice(at, at + SECURE_BATCH_RECORDS).map(({ key }) => key)
      const drafts = (await directory.getMany(keys)).flatMap(stored =>
        stored !== undefined && stored.home === undefined ? [recordDraft(stored.record, directory.formats)] : []
      )
      if (drafts.length > 0) await volumes.append(drafts, 'upkeep')
    }
  }

  /** @see CompactionComponents.recordToMove */
  async recordToMove(volume: Volume, row: NeedleRow, trust: Trust): Promise<NeedleDraft | undefined> {
    const [photo] = await this.#components.directory.getMany([{ kind: PHOTO_KIND, id: photoIdFrom(row.id) }])
    if (photo !== undefined) return this.#stateToMove(volume, row, photo, trust)
    const bytes = await volume.read(row.offset, row, row.length)
    if (this.#isOpaque(bytes)) {
      const home = this.#components.directory.verbatimHome(bytes)
      return (await this.#standsAt(home, volume, row, trust)) ? undefined : volume.readDraft(row)
    }
    const record = this.#decode(bytes)
    const [stored] = await this.#components.directory.getMany([record]) // only the headers of photos hold the key
    if (stored !== undefined) return this.#stateToMove(volume, row, stored, trust)
    // the directory does not know it, so it is kept, unless it is a forgotten tombstone
    return isForgotten(record, this.#components.horizon()) ? undefined : volume.readDraft(row)
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

  /** @returns undefined for a record of a later format */
  async #recordIn(volume: Volume, row: NeedleRow): Promise<DirectoryRecord | undefined> {
    const bytes = await volume.read(row.offset, row, row.length)
    return opaqueRecordOf(bytes, this.#components.directory.formats) === undefined ? this.#decode(bytes) : undefined
  }

  #dataVerdict(volume: Volume, row: NeedleRow, record: DirectoryRecord): Verdict {
    const photo = viewPhoto(record)
    // the record of an undelete is yet to come, unless an earlier process of this node died before writing it
    const isAbandoned = this.#components.volumes.isOwn(volume) && !this.#components.volumes.isOfThisProcess(volume.id)
    if (row.generation > photo.generation) return isAbandoned ? DEAD : UNKNOWN
    if (row.generation < photo.generation) return DEAD
    if (photo.deleted) return this.#deletedVerdict(record)
    if (partOf(row.alternateKey) === undefined) return UNKNOWN
    // a part that the record does not name lost against another result, unless its upload is still running
    const isNamed = blobsOf(photo).some(blob => alternateKeyOf(blob.part, blob.sha256) === row.alternateKey)
    if (!isNamed) return this.#isInProgress(volume, row) ? UNKNOWN : DEAD
    const [first] = this.#components.volumes.locate(row).filter(({ volume: id }) => !this.isRetired(id))
    return first === undefined || (first.volume === volume.id && first.offset === row.offset) ? LIVE : COPY
  }

  /**
   * Of the needles of a record only the home is needed, or all of them if there is none. The other needles of a deleted
   * photo must be removed before the delete may be forgotten.
   */
  #recordVerdict(volume: Volume, row: NeedleRow, { record, home }: StoredRecord): Verdict {
    if (home === undefined || (home.volume === volume.id && home.offset === row.offset)) return LIVE
    return tombstoneStamp(record) === undefined ? COPY : this.#deletedVerdict(record)
  }

  #deletedVerdict(record: DirectoryRecord): Verdict {
    const deletedAt = hlcMs(shownVersion(record).hlc)
    return { state: 'dead', deletedAt, isForgotten: isForgotten(record, this.#components.purgeTo()) }
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

function stampOf(value: Value | undefined): Hlc {
  return (typeof value === 'bigint' ? value : typeof value === 'number' ? BigInt(value) : 0n) as Hlc
}
