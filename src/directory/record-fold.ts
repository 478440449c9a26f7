import { type DirectoryRecord, mergeRecords } from '../domain/record.js'
import { encodeRecord } from '../domain/record-codec.js'
import type { NeedleLocation } from '../volumes/needle-store.js'
import type { RecordState } from './stored-record.js'

/** A record that came in, decoded. */
export interface IncomingRecord {
  readonly record: DirectoryRecord
  /** As it came: canonical, as `decodeRecord` takes nothing else. */
  readonly bytes: Uint8Array
  /** The needle that it stands in; undefined when a peer said it and its needle may come later. */
  readonly location: NeedleLocation | undefined
}

/**
 * Joins one record into what is stored. In whatever order records come, the merged record is the same; the home is the
 * latest needle whose record is the whole merged state.
 */
export function foldRecord(before: RecordState | undefined, incoming: IncomingRecord): RecordState {
  const { location } = incoming
  if (before === undefined) return { record: incoming.record, bytes: incoming.bytes, home: location }
  if (sameBytes(before.bytes, incoming.bytes)) return location === undefined ? before : { ...before, home: location }
  const record = mergeRecords(before.record, incoming.record)
  const bytes = encodeRecord(record)
  if (sameBytes(bytes, incoming.bytes)) return { record, bytes, home: location }
  return { record, bytes, home: sameBytes(bytes, before.bytes) ? before.home : undefined }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}
