import { ACCESS_KIND } from './access.js'
import { ACL_KIND } from './acl.js'
import { ALBUM_KIND } from './album.js'
import { API_KEY_KIND } from './api-key.js'
import { compareRanks, type Entry, greatestEntry, VERSION_FIELD } from './entry.js'
import { parsePhotoId } from './ids.js'
import { INVITE_KIND } from './invite.js'
import { GROUP_KIND } from './people-group.js'
import { PHOTO_KIND, PURGE_WANTED } from './photo.js'
import type { DirectoryRecord, RecordKey } from './record.js'
import { SESSION_KIND } from './session-record.js'
import { SETTINGS_KIND } from './settings-record.js'
import { LINK_KIND } from './share-link.js'
import { USER_KIND } from './user.js'

/** Without records of these kinds nobody would know who is a member, where bytes stand, or who may do what. */
const KEPT_KINDS: ReadonlySet<string> = new Set([
  'member',
  'volume',
  'cluster',
  USER_KIND,
  ACCESS_KIND,
  ACL_KIND,
  SETTINGS_KIND
])

/** What people end, and what never begins again: somebody may have ended it because another one has it. */
const ENDED_KINDS: ReadonlySet<string> = new Set([SESSION_KIND, API_KEY_KIND, INVITE_KIND, GROUP_KIND, LINK_KIND])

/** What people delete or end. */
const DELETED_KINDS: ReadonlySet<string> = new Set([PHOTO_KIND, ALBUM_KIND, ...ENDED_KINDS])

/** Whether a grave may end the record, and can name it: by 16 bytes, see graves.ts. */
export function isBuriable({ kind, id }: RecordKey): boolean {
  return !KEPT_KINDS.has(kind) && parsePhotoId(id) === id
}

/** Whether what a grave ends before its time is kept for a while, so that it can be brought back. */
export function isExhumable({ kind }: Pick<RecordKey, 'kind'>): boolean {
  return !ENDED_KINDS.has(kind)
}

/** How long the bytes of what was deleted are kept, and how long emptying the trash can be undone, if the undo period is not shorter. */
export const GRACE_MS_MAX = 24 * 3_600_000

export interface EndedLife {
  readonly generation: number
  /** Whether one of its tombstones says so: then its undo period ends a grace after that was heard. */
  readonly isPurgeWanted: boolean
}

/**
 * The life that a tombstone has ended, and that a grave will end for good once the undo period is over. Only photos, albums,
 * groups, sessions, API keys, invites and share links are buried; what became of members, volumes and people is kept.
 *
 * @returns undefined for what is not deleted, and for what is never buried
 */
export function endOf(record: DirectoryRecord): EndedLife | undefined {
  if (!DELETED_KINDS.has(record.kind) || !isBuriable(record)) return undefined
  const shown = greatestEntry(record.entries, isVersion)
  if (shown?.deleted !== true) return undefined
  const { generation } = shown
  const isPurgeWanted = record.entries.some(
    entry => isVersion(entry) && compareRanks(entry, shown) === 0 && entry.value.get(PURGE_WANTED) === true
  )
  return { generation, isPurgeWanted }
}

/** @returns the generation of {@link endOf} */
export function endedLife(record: DirectoryRecord): number | undefined {
  return endOf(record)?.generation
}

/** @returns how long a delete may be undone after it was heard, or the wish to purge it, ms */
export function undoPeriodMs({ isPurgeWanted }: Pick<EndedLife, 'isPurgeWanted'>, undoMs: number): number {
  return isPurgeWanted ? Math.min(GRACE_MS_MAX, undoMs) : undoMs
}

function isVersion({ field }: Entry): boolean {
  return field === VERSION_FIELD
}
