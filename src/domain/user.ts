/*
 * What people say of an account, as a record of the kind 'user', id = a UUID. It is never deleted.
 *
 *   field     key   value
 *   version   –     name, display?, mail?, quota? {bytes?, photos?}, born? (hlc of the first version; absent in that one)
 *
 * What an account may do stands in the record of the same id in access.ts. The id is the account; its name is a claim, see
 * user-names.ts.
 */
import type { Value } from './cbor.js'
import type { Hlc } from './hlc.js'
import { hlcMs } from './hlc.js'
import { parseUserId, type UserId } from './ids.js'
import { DISPLAY_CHARACTERS_MAX, MAIL_CHARACTERS_MAX } from './limits.js'
import { type Change, conflictVersions, type DirectoryRecord, shownVersion } from './record.js'
import { checkedUserName } from './user-names.js'
import { cutLine, integerOf, mapOf, setOrDelete, textOf } from './value-fields.js'

export const USER_KIND = 'user'

/** What an account may have at most; undefined: as much as fits. */
export interface Quota {
  readonly bytes: number | undefined
  readonly photos: number | undefined
}

export interface User {
  readonly id: UserId
  /** The name that it claims; undefined: none that anybody may have. */
  readonly name: string | undefined
  readonly display: string | undefined
  readonly mail: string | undefined
  readonly quota: Quota
  /** The stamp of its first version: of two who claim one name, the older has it. */
  readonly born: Hlc
  readonly createdAtMs: number
}

/** Of a new account; what is absent is not said. */
export interface NewUser {
  readonly name: string
  readonly display?: string | undefined
  readonly mail?: string | undefined
  readonly quota?: Quota | undefined
}

/** Absent: unchanged; null: removed. */
export interface UserEdit {
  readonly name?: string
  readonly display?: string | null
  readonly mail?: string | null
  readonly quota?: QuotaEdit | null
}

/** Absent: unchanged; null: as much as fits. */
export interface QuotaEdit {
  readonly bytes?: number | null | undefined
  readonly photos?: number | null | undefined
}

/** Lenient, since another node may have written the record, and bounded. @returns undefined for anything else */
export function viewUser(record: DirectoryRecord): User | undefined {
  const id = record.kind === USER_KIND ? parseUserId(record.id) : undefined
  if (id === undefined || id !== record.id) return undefined
  const { value, hlc } = shownVersion(record)
  const born = bornOf(value, hlc)
  return {
    id,
    name: checkedUserName(textOf(value, 'name') ?? ''),
    display: cutLine(textOf(value, 'display'), DISPLAY_CHARACTERS_MAX),
    mail: cutLine(textOf(value, 'mail'), MAIL_CHARACTERS_MAX),
    quota: quotaIn(value),
    born,
    createdAtMs: hlcMs(born)
  }
}

export function createUserChanges({ name, display, mail, quota }: NewUser): Change[] {
  return [{ kind: 'version', deleted: false, value: mapOf({ name, display, mail, quota: quota && quotaValue(quota) }) }]
}

/** @returns no changes if the account already matches the edit */
export function editUserChanges(record: DirectoryRecord, edit: UserEdit): Change[] {
  const { value: before, hlc } = shownVersion(record)
  const value = new Map(before).set('born', bornOf(before, hlc))
  let changed = false
  for (const field of ['name', 'display', 'mail'] as const) {
    const text = edit[field]
    if (text === undefined || (text ?? undefined) === before.get(field)) continue
    setOrDelete(value, field, text ?? undefined)
    changed = true
  }
  const quota = quotaIn(before)
  const wanted = edit.quota === undefined ? quota : quotaAfter(quota, edit.quota)
  if (wanted.bytes !== quota.bytes || wanted.photos !== quota.photos) {
    setOrDelete(value, 'quota', quotaValue(wanted))
    changed = true
  }
  return changed ? [{ kind: 'version', value }] : []
}

/** Leaves nothing but the id, in older versions as well. @returns no changes if nothing else is left */
export function wipeUserChanges(record: DirectoryRecord): Change[] {
  const { value, hlc } = shownVersion(record)
  const conflicts = conflictVersions(record)
  if ([...value.keys()].every(key => key === 'born') && conflicts.length === 0) return []
  const supersedes = [shownVersion(record), ...conflicts].map(({ dot }) => dot)
  return [{ kind: 'version', value: new Map([['born', bornOf(value, hlc)]]), supersedes }]
}

export const NO_QUOTA: Quota = { bytes: undefined, photos: undefined }

function quotaIn(value: ReadonlyMap<string, Value>): Quota {
  const fields = value.get('quota')
  if (!(fields instanceof Map)) return NO_QUOTA
  return { bytes: integerOf(fields, 'bytes'), photos: integerOf(fields, 'photos') }
}

function quotaAfter(before: Quota, edit: QuotaEdit | null): Quota {
  if (edit === null) return NO_QUOTA
  const { bytes = before.bytes, photos = before.photos } = edit
  return { bytes: bytes ?? undefined, photos: photos ?? undefined }
}

/** @returns undefined for none */
function quotaValue({ bytes, photos }: Quota): ReadonlyMap<string, Value> | undefined {
  return bytes === undefined && photos === undefined ? undefined : mapOf({ bytes, photos })
}

function bornOf(value: ReadonlyMap<string, Value>, hlc: Hlc): Hlc {
  const born = value.get('born')
  return typeof born === 'bigint' ? (born as Hlc) : hlc
}
