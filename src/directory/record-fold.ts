import type { RecordFormats } from '../domain/formats.js'
import type { VolumeId } from '../domain/ids.js'
import { type DirectoryRecord, isGrave, mergeRecords, type RecordKey, shownVersion } from '../domain/record.js'
import { encodeRecordAs } from '../domain/record-codec.js'
import type { NeedleLocation } from '../volumes/needle-store.js'
import type { RecordPlace } from './keys.js'
import { graveState } from './leaf-rows.js'
import type { RecordState } from './stored-record.js'

/** A decoded record to be merged. */
export interface IncomingRecord {
  readonly record: DirectoryRecord
  /** Its canonical encoding, as received: `decodeRecord` accepts no other. */
  readonly bytes: Uint8Array
  /** The needle that holds it; undefined when a peer sent the record without it. */
  readonly location: NeedleLocation | undefined
}

/** One record of a batch: its state before and after it. */
export interface RecordFold {
  readonly key: RecordKey
  readonly place: RecordPlace
  readonly before: RecordState | undefined
  readonly after: RecordState
  /** Volumes of the needles that were merged; empty if all records came from peers without needles. */
  readonly volumes: readonly VolumeId[]
  /** Of these, the one with the needle that ended lives; undefined: none did, or a peer's message did. */
  readonly buriedBy: VolumeId | undefined
}

/**
 * Merges one record into the stored state. The merged record does not depend on the order of calls; the home is the latest
 * needle whose record equals the merged state. A grave is logged once a needle came that holds it.
 *
 * @throws `ERR_RECORD_MALFORMED` when the two make no record, as only forged ones do: each supersedes the version of the
 * other, or together they are too large
 */
export function foldRecord(
  before: RecordState | undefined,
  incoming: IncomingRecord,
  formats: RecordFormats
): RecordState {
  const came = stateOf(incoming)
  if (before === undefined) return came
  if (sameBytes(before.bytes, came.bytes)) {
    if (came.isLogged === true) return { ...before, isLogged: true }
    return came.home === undefined ? before : { ...before, home: came.home }
  }
  const record = mergeRecords(before.record, came.record)
  if (isGrave(record)) {
    const generation = (record.buried ?? 1) - 1
    const isLogged = [before, came].some(state => state.isLogged === true && state.record.buried === record.buried)
    return graveState(record, { generation, isLogged })
  }
  shownVersion(record)
  const bytes = encodeRecordAs(formats, record)
  if (sameBytes(bytes, came.bytes)) return { record, bytes, home: came.home }
  return { record, bytes, home: sameBytes(bytes, before.bytes) ? before.home : undefined }
}

function stateOf({ record, bytes, location }: IncomingRecord): RecordState {
  if (!isGrave(record)) return { record, bytes, home: location }
  return { record, bytes, home: undefined, isLogged: location !== undefined }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}
