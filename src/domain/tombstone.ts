import { ALBUM_KIND } from './album.js'
import { type Entry, greatestEntry, VERSION_FIELD } from './entry.js'
import { parsePhotoId } from './ids.js'
import { PHOTO_KIND } from './photo.js'
import type { DirectoryRecord, RecordKey } from './record.js'

/** Without records of these kinds nobody would know who is a member, or where bytes stand. */
const KEPT_KINDS: ReadonlySet<string> = new Set(['member', 'volume', 'cluster'])

/** What people delete. */
const DELETED_KINDS: ReadonlySet<string> = new Set([PHOTO_KIND, ALBUM_KIND])

/** Whether a grave may end the record, and can name it: by 16 bytes, see graves.ts. */
export function isBuriable({ kind, id }: RecordKey): boolean {
  return !KEPT_KINDS.has(kind) && parsePhotoId(id) === id
}

/**
 * The life that a tombstone has ended, and that a grave will end for good once the undo period is over. Only photos and
 * albums are buried; what became of members and volumes is kept.
 *
 * @returns undefined for what is not deleted, and for what is never buried
 */
export function endedLife(record: DirectoryRecord): number | undefined {
  if (!DELETED_KINDS.has(record.kind) || !isBuriable(record)) return undefined
  const shown = greatestEntry(record.entries, isVersion)
  return shown?.deleted ? shown.generation : undefined
}

function isVersion({ field }: Entry): boolean {
  return field === VERSION_FIELD
}
