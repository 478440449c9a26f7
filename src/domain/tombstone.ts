import { type Entry, greatestEntry, VERSION_FIELD } from './entry.js'
import type { Hlc } from './hlc.js'
import { PHOTO_KIND } from './photo.js'
import type { DirectoryRecord } from './record.js'

/**
 * The stamp of the delete that a record shows: what the horizon has to pass before the record may be forgotten. Only
 * photos are ever forgotten; what became of members and volumes is kept.
 *
 * @returns undefined for what is not deleted, and for other kinds
 */
export function tombstoneStamp(record: DirectoryRecord): Hlc | undefined {
  if (record.kind !== PHOTO_KIND) return undefined
  const shown = greatestEntry(record.entries, isVersion)
  return shown?.deleted ? shown.hlc : undefined
}

/** @returns whether the record is a tombstone that every member is known to have applied */
export function isForgotten(record: DirectoryRecord, horizon: Hlc): boolean {
  const stamp = tombstoneStamp(record)
  return stamp !== undefined && stamp <= horizon
}

function isVersion({ field }: Entry): boolean {
  return field === VERSION_FIELD
}
