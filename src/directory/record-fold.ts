import { type DirectoryRecord, mergeRecords } from '../domain/record.js'
import { encodeRecord } from '../domain/record-codec.js'
import type { NeedleLocation } from '../volumes/needle-store.js'
import type { RecordState } from './stored-record.js'

/** A record needle, decoded. */
export interface RecordNeedle {
  readonly record: DirectoryRecord
  /** The needle's data: canonical, as `decodeRecord` takes nothing else. */
  readonly bytes: Uint8Array
  readonly location: NeedleLocation
}

/**
 * Joins one needle into what is stored. In whatever order needles come, the merged record is the same; the home is the
 * latest needle whose record is the whole merged state.
 */
export function foldNeedle(before: RecordState | undefined, needle: RecordNeedle): RecordState {
  if (before === undefined) return { record: needle.record, bytes: needle.bytes, home: needle.location }
  if (sameBytes(before.bytes, needle.bytes)) return { ...before, home: needle.location }
  const record = mergeRecords(before.record, needle.record)
  const bytes = encodeRecord(record)
  if (sameBytes(bytes, needle.bytes)) return { record, bytes, home: needle.location }
  return { record, bytes, home: sameBytes(bytes, before.bytes) ? before.home : undefined }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}
