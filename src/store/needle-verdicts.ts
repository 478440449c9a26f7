import { hasCode } from '../core/errors.js'
import type { Directory, StoredRecord } from '../directory/directory.js'
import type { Value } from '../domain/cbor.js'
import { HLC_ZERO, type Hlc, hlcMs } from '../domain/hlc.js'
import { parseVolumeId, photoIdFrom, type VolumeId } from '../domain/ids.js'
import type { NeedleIdentity } from '../domain/needle.js'
import { alternateKeyOf, PHOTO_KIND, partOf, viewPhoto } from '../domain/photo.js'
import { conflictVersions, type DirectoryRecord, type RecordKey, shownVersion } from '../domain/record.js'
import { decodeRecord } from '../domain/record-codec.js'
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
/** 8 GiB of a photo: whatever of it lies further behind is counted when its volume is next inspected anyway. */
const AFFECTED_CHUNKS_MAX = 1024

const SECURE_BATCH_RECORDS = 256

const LIVE: Verdict = { state: 'live' }
const COPY: Verdict = { state: 'copy' }
const DEAD: Verdict = { state: 'dead' }
const UNKNOWN: Verdict = { state: 'unknown' }

export interface NeedleVerdictsComponents {
  readonly directory: Pick<Directory, 'getMany' | 'getSync' | 'records' | 'onChange'>
  readonly volumes: Pick<VolumeSet, 'get' | 'locate' | 'read' | 'append' | 'isOwn' | 'isOfThisProcess'>
  readonly writer: Pick<RecordWriter, 'write' | 'pending'>
  /** Deletes up to this stamp may be forgotten. */
  readonly horizon: () => Hlc
  /** Needles that deletes up to this stamp killed are to go at once. */
  readonly purgeTo: () => Hlc
}

/** What is known of a volume that is gone. */
export interface Retirement {
  /** How long it was, as far as anybody had it. */
  readonly end: number
  /** The stamp of the last photo that was born in that part. */
  readonly lastBirth: Hlc
}

const NOT_RETIRED: Retirement = { end: 0, lastBirth: HLC_ZERO }

/** Says which needles are still needed: where the log (volumes) and its view (the directory) meet. */
export class NeedleVerdicts {
  readonly #components: NeedleVerdictsComponents
  readonly #retired = new Map<VolumeId, Retirement>()

  constructor(components: NeedleVerdictsComponents) {
    this.#components = components
    components.directory.onChange(changes => {
      for (const { after } of changes) if (after.kind === RETIRED_KIND) this.#noteRetirement(after)
    })
  }

  /** Learns which volumes are retired. Call once the directory is complete. */
  async load(): Promise<void> {
    for await (const record of this.#components.directory.records(RETIRED_KIND)) this.#noteRetirement(record)
  }

  isRetired(volume: VolumeId): boolean {
    return this.#retired.has(volume)
  }

  /** Writes that what the volume holds up to `coveredBytes` stands elsewhere. Such records are kept for ever. */
  async retire(volume: Volume, coveredBytes: number): Promise<void> {
    if (coveredBytes <= this.retirementOf(volume.id).end) return
    const lastBirth = await this.#lastBirth(volume)
    const value = new Map<string, Value>([
      ['covered', coveredBytes],
      ['last_birth', lastBirth]
    ])
    await this.#components.writer.write({ kind: RETIRED_KIND, id: volume.id }, () => [{ kind: 'version', value }])
  }

  /** What is known of a volume that was retired; zeros for one that was not. */
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
        const record = decodeRecord(await volume.read(row.offset, row, row.length))
        if (record.kind !== PHOTO_KIND) continue
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
        verdicts.push((await this.#isForgottenNeedle(volume, row)) ? DEAD : LIVE)
      } else verdicts.push(this.#recordVerdict(volume, row, known))
    }
    return verdicts
  }

  /** Whether a record needle of a photo that the directory does not know says that it is deleted, before the horizon. */
  async #isForgottenNeedle(volume: Volume, row: NeedleRow): Promise<boolean> {
    return isForgotten(decodeRecord(await volume.read(row.offset, row, row.length)), this.#components.horizon())
  }

  /**
   * Of a record that a crash may have cut off from its bytes.
   *
   * @returns whether its photo is known, or all needles of it are here
   */
  isWhole(encoded: Uint8Array): boolean {
    const { directory, volumes } = this.#components
    const record = decodeRecord(encoded)
    if (record.kind !== PHOTO_KIND || directory.getSync(record) !== undefined) return true
    const blob = blobOf(viewPhoto(record), 'orig')
    const chunks = blob === undefined ? [] : Array.from({ length: needleCount(blob) }, (_, i) => dataIdentity(blob, i))
    return chunks.every(identity => volumes.locate(identity).length > 0)
  }

  /** Volumes in which a change to a photo made needles dead, or alive again. */
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
   * Appends every record anew that no intact needle holds whole: then the log alone makes the directory again.
   *
   * @returns how many there were
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
        const draft = recordDraft(record)
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

  /** Appends those deleted records anew that no needle here holds whole: so that the log alone tells of their deletion. */
  async secureTombstones(tombstones: readonly { readonly key: RecordKey }[]): Promise<void> {
    const { directory, volumes } = this.#components
    for (let at = 0; at < tombstones.length; at += SECURE_BATCH_RECORDS) {
      const keys = tombstones.slice(at, at + SECURE_BATCH_RECORDS).map(({ key }) => key)
      const drafts = (await directory.getMany(keys)).flatMap(stored =>
        stored !== undefined && stored.home === undefined ? [recordDraft(stored.record)] : []
      )
      if (drafts.length > 0) await volumes.append(drafts, 'upkeep')
    }
  }

  /** @see CompactionComponents.recordToMove */
  async recordToMove(volume: Volume, row: NeedleRow, trust: Trust): Promise<NeedleDraft | undefined> {
    const stored = await this.#storedRecord(volume, row)
    // the directory does not know it: unknown is not dead, unless it is a delete that everybody has forgotten
    if (stored === undefined) return (await this.#isForgottenNeedle(volume, row)) ? undefined : volume.readDraft(row)
    const { record, home } = stored
    const draft = recordDraft(record)
    // superseded within this volume: the needle that holds the merged state has its own turn
    if (home?.volume === volume.id && home.offset !== row.offset) return undefined
    if (home === undefined || home.volume === volume.id || this.isRetired(home.volume)) return draft
    return trust === 'indexed' || (await this.#isReadable(home, draft.header)) ? undefined : draft
  }

  /** The record behind a record needle. Only photos carry their key in the needle's header. */
  async #storedRecord(volume: Volume, row: NeedleRow): Promise<StoredRecord | undefined> {
    const [photo] = await this.#components.directory.getMany([{ kind: PHOTO_KIND, id: photoIdFrom(row.id) }])
    if (photo !== undefined) return photo
    const { kind, id } = decodeRecord(await volume.read(row.offset, row, row.length))
    const [stored] = await this.#components.directory.getMany([{ kind, id }])
    return stored
  }

  #dataVerdict(volume: Volume, row: NeedleRow, record: DirectoryRecord): Verdict {
    const photo = viewPhoto(record)
    // an undo is on its way, unless it was one of this node's own that broke off with its process
    const isLost = this.#components.volumes.isOwn(volume) && !this.#components.volumes.isOfThisProcess(volume.id)
    if (row.generation > photo.generation) return isLost ? DEAD : UNKNOWN
    if (row.generation < photo.generation) return DEAD
    if (photo.deleted) return this.#deletedVerdict(record)
    if (partOf(row.alternateKey) === undefined) return UNKNOWN
    // what the record does not name lost against another recipe, unless its upload is still under way
    const isNamed = blobsOf(photo).some(blob => alternateKeyOf(blob.part, blob.sha256) === row.alternateKey)
    if (!isNamed) return this.#isInProgress(volume, row) ? UNKNOWN : DEAD
    const [first] = this.#components.volumes.locate(row).filter(({ volume: id }) => !this.isRetired(id))
    return first === undefined || (first.volume === volume.id && first.offset === row.offset) ? LIVE : COPY
  }

  /**
   * Of the needles of one record only that which alone holds the merged state is needed, or all when none does. What else
   * is there of a deleted photo has to go before the delete may be forgotten.
   */
  #recordVerdict(volume: Volume, row: NeedleRow, { record, home }: StoredRecord): Verdict {
    if (home === undefined || (home.volume === volume.id && home.offset === row.offset)) return LIVE
    return tombstoneStamp(record) === undefined ? COPY : this.#deletedVerdict(record)
  }

  #deletedVerdict(record: DirectoryRecord): Verdict {
    const deletedAt = hlcMs(shownVersion(record).hlc)
    return { state: 'dead', deletedAt, isForgotten: isForgotten(record, this.#components.purgeTo()) }
  }

  /** A needle whose photo has no record here: a chunk without its manifest is the rest of an upload that broke off. */
  #orphanVerdict(volume: Volume, row: NeedleRow): Verdict {
    if (!row.isChunk || this.#isInProgress(volume, row)) return UNKNOWN
    return this.#components.volumes.locate({ ...row, kind: 'manifest', chunk: 0 }).length > 0 ? UNKNOWN : DEAD
  }

  /** Only the process that wrote a chunk can still complete it. */
  #isInProgress(volume: Volume, row: NeedleRow): boolean {
    return row.isChunk && this.#components.volumes.isOfThisProcess(volume.id)
  }

  async #isReadable(location: NeedleLocation, identity: NeedleIdentity): Promise<boolean> {
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
