import { hasCode, SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { RecordFormats } from '../domain/formats.js'
import { decodeGraves } from '../domain/graves.js'
import { isApplied, type LogProgress } from '../domain/log-progress.js'
import { needleBytes } from '../domain/needle.js'
import { PHOTO_KIND, requirePhoto } from '../domain/photo.js'
import { graveOf, isGrave, type RecordKey, shownVersion } from '../domain/record.js'
import { canonicalBytes, decodeRecord, encodeRecord, opaqueRecordOf } from '../domain/record-codec.js'
import { isBuriable } from '../domain/tombstone.js'
import type { CommitGroup, CommittedNeedle, NeedleLocation } from '../volumes/needle-store.js'
import type { IncomingOpaque, VerbatimNeedle } from './opaque-records.js'
import type { IncomingRecord } from './record-fold.js'

/*
 * What comes into the directory, decoded and checked: from needles, which may hold what nobody should have written, and from
 * peers.
 */

/** Splits a group behind each needle of graves, which are many records. */
export function* partsOf(group: CommitGroup): Generator<CommitGroup> {
  const { volume, to } = group
  let { from } = group
  let needles: CommittedNeedle[] = []
  for (const needle of group.needles) {
    needles.push(needle)
    if (needle.kind !== 'graves') continue
    const end = needle.location.offset + needleBytes(needle.location.length)
    yield { volume, from, to: end, needles }
    from = end
    needles = []
  }
  if (needles.length > 0 || from < to || group.from === to) yield { volume, from, to, needles }
}

/** @returns what the needles hold that were not applied yet; such as cannot be decoded are set apart and logged */
export function decodeGroup(
  group: CommitGroup,
  progress: LogProgress,
  { formats, log }: { readonly formats: RecordFormats; readonly log: Logger }
): {
  readonly records: IncomingRecord[]
  readonly opaque: IncomingOpaque[]
  /** Needles of records that nobody can read. */
  readonly refused: VerbatimNeedle[]
} {
  const records: IncomingRecord[] = []
  const opaque: IncomingOpaque[] = []
  const refused: VerbatimNeedle[] = []
  for (const { kind, data: bytes, location } of group.needles) {
    if (bytes === undefined || isApplied(progress, location.offset)) continue
    try {
      const unreadable = kind === 'graves' ? undefined : opaqueRecordOf(bytes, formats)
      if (kind === 'graves') records.push(...gravesIn(bytes, location, log))
      else if (unreadable !== undefined) opaque.push({ record: unreadable, bytes, location })
      // a needle of a record holds no grave: those have needles of their own, which compaction keeps
      else records.push({ ...decoded(bytes, formats, false), location })
    } catch (err) {
      // Its checksums are correct, so it was written like this; the other records must still be served.
      if (!hasCode(err, 'ERR_RECORD_MALFORMED')) throw err
      log.error({ err, location }, 'ignoring a needle of the directory that cannot be decoded; a photo may be missing')
      if (kind !== 'graves') refused.push({ bytes, location })
    }
  }
  return { records, opaque, refused }
}

/** @returns a record, or a grave, that a peer sent. @throws `ERR_RECORD_MALFORMED` */
export function incomingRecord(bytes: Uint8Array, formats: RecordFormats): IncomingRecord {
  return { ...decoded(bytes, formats, true), location: undefined }
}

/** @throws `ERR_RECORD_MALFORMED` for what a grave may not end */
export function incomingGrave(
  { kind, id, generation }: RecordKey & { readonly generation: number },
  location?: NeedleLocation
): IncomingRecord {
  if (!isBuriable({ kind, id })) throw notBuriable()
  const record = graveOf({ kind, id }, generation)
  return { record, bytes: encodeRecord(record), location }
}

function gravesIn(bytes: Uint8Array, location: NeedleLocation, log: Logger): IncomingRecord[] {
  const { kind, graves, skipped } = decodeGraves(bytes)
  if (skipped > 0) log.error({ location, skipped }, 'ignoring graves of generations that no photo can have')
  return graves.map(({ id, generation }) => incomingGrave({ kind, id, generation }, location))
}

/**
 * @throws `ERR_RECORD_MALFORMED`, also for what shows no version and is no grave, and for a photo that cannot be shown:
 * nothing here could make anything of it
 */
function decoded(
  bytes: Uint8Array,
  formats: RecordFormats,
  mayBeGrave: boolean
): Pick<IncomingRecord, 'record' | 'bytes'> {
  const record = decodeRecord(bytes, formats.max)
  if (!(mayBeGrave && isGrave(record))) shownVersion(record)
  if (record.kind === PHOTO_KIND) requirePhoto(record)
  if (record.buried !== undefined && !isBuriable(record)) throw notBuriable()
  return { record, bytes: canonicalBytes(bytes, record, formats) }
}

function notBuriable(): SheafError {
  return new SheafError('ERR_RECORD_MALFORMED', 'no grave may end this record, or can name it')
}
