/*
 * What holds for the whole cluster, as one record of the kind 'settings', id 'cluster'. It is never deleted.
 *
 *   field     key        value
 *   version   –          empty
 *   auth      auth       empty: there has been an account, so requests without one are refused, for ever
 *   unowned   unowned    unowned: everyone | id of a user, by
 *
 * As with rights, of what was written on both sides of a cut the least counts: one person before everyone; of two persons, the
 * later one.
 */
import type { Doer } from './access.js'
import { compareVersions } from './entry.js'
import { parseUserId, type UserId } from './ids.js'
import { type Change, type DirectoryRecord, elementsOf, type RecordKey } from './record.js'
import { mapOf, textOf } from './value-fields.js'

export const SETTINGS_KIND = 'settings'
export const SETTINGS_KEY: RecordKey = { kind: SETTINGS_KIND, id: 'cluster' }

export interface Settings {
  /** Whether there has ever been an account. */
  readonly isAuthOn: boolean
  /** Whose the photos are that came before there were accounts. */
  readonly unowned: UserId | 'everyone'
}

/** Absent: unchanged. */
export interface SettingsEdit {
  readonly unowned?: UserId | 'everyone'
}

/** Total, since another node may have written the record. @param record - undefined: nobody has set anything */
export function viewSettings(record: DirectoryRecord | undefined): Settings {
  if (record === undefined) return { isAuthOn: false, unowned: 'everyone' }
  const owners = elementsOf(record, 'unowned')
    .sort(compareVersions)
    .map(({ value }) => parseUserId(textOf(value, 'unowned') ?? ''))
  return {
    // whatever its rank: nothing turns it off
    isAuthOn: record.entries.some(({ field }) => field === 'auth'),
    unowned: owners.findLast(owner => owner !== undefined) ?? 'everyone'
  }
}

/** @returns no changes if it is on already */
export function turnAuthOnChanges(record: DirectoryRecord | undefined): Change[] {
  if (viewSettings(record).isAuthOn) return []
  return [...birth(record), { kind: 'add', field: 'auth', key: 'auth', value: new Map() }]
}

export function editSettingsChanges(record: DirectoryRecord | undefined, edit: SettingsEdit, by: Doer): Change[] {
  const { unowned } = edit
  if (unowned === undefined) return []
  return [...birth(record), { kind: 'add', field: 'unowned', key: 'unowned', value: mapOf({ unowned, by }) }]
}

function birth(record: DirectoryRecord | undefined): Change[] {
  return record === undefined ? [{ kind: 'version', deleted: false, value: new Map() }] : []
}
