/*
 * What holds for the whole cluster, as one record of the kind 'settings', id 'cluster'. It is never deleted.
 *
 *   field     key        value
 *   version   –          empty
 *   auth      auth       empty: there has been an account, so requests without one are refused, for ever
 *   signup    signup     signup: off | invite | open, by
 *   unowned   unowned    unowned: everyone | id of a user, by
 *
 * As with rights, of what was written on both sides of a cut the least counts: what lets fewer people in, and one person before
 * everyone; of two persons, the later one.
 */
import type { Doer } from './access.js'
import { compareVersions } from './entry.js'
import { parseUserId, type UserId } from './ids.js'
import { type Change, type DirectoryRecord, elementsOf, type RecordKey } from './record.js'
import { mapOf, textOf } from './value-fields.js'

export const SETTINGS_KIND = 'settings'
export const SETTINGS_KEY: RecordKey = { kind: SETTINGS_KIND, id: 'cluster' }

/** Who may make an account for himself, from the fewest. */
export const SIGNUPS = ['off', 'invite', 'open'] as const
export type Signup = (typeof SIGNUPS)[number]

export interface Settings {
  /** Whether there has ever been an account. */
  readonly isAuthOn: boolean
  readonly signup: Signup
  /** Whose the photos are that came before there were accounts. */
  readonly unowned: UserId | 'everyone'
}

/** Absent: unchanged. */
export interface SettingsEdit {
  readonly signup?: Signup
  readonly unowned?: UserId | 'everyone'
}

/** Total, since another node may have written the record. @param record - undefined: nobody has set anything */
export function viewSettings(record: DirectoryRecord | undefined): Settings {
  if (record === undefined) return { isAuthOn: false, signup: 'off', unowned: 'everyone' }
  const signups = elementsOf(record, 'signup').map(
    ({ value }) => SIGNUPS.find(name => name === value.get('signup')) ?? 'off'
  )
  const owners = elementsOf(record, 'unowned')
    .sort(compareVersions)
    .map(({ value }) => parseUserId(textOf(value, 'unowned') ?? ''))
  return {
    // whatever its rank: nothing turns it off
    isAuthOn: record.entries.some(({ field }) => field === 'auth'),
    signup: SIGNUPS.find(name => signups.includes(name)) ?? 'off',
    unowned: owners.findLast(owner => owner !== undefined) ?? 'everyone'
  }
}

/** @returns no changes if it is on already */
export function turnAuthOnChanges(record: DirectoryRecord | undefined): Change[] {
  if (viewSettings(record).isAuthOn) return []
  return [...birth(record), { kind: 'add', field: 'auth', key: 'auth', value: new Map() }]
}

export function editSettingsChanges(record: DirectoryRecord | undefined, edit: SettingsEdit, by: Doer): Change[] {
  const { signup, unowned } = edit
  const changes: Change[] = []
  if (signup !== undefined) changes.push({ kind: 'add', field: 'signup', key: 'signup', value: mapOf({ signup, by }) })
  if (unowned !== undefined)
    changes.push({ kind: 'add', field: 'unowned', key: 'unowned', value: mapOf({ unowned, by }) })
  return changes.length === 0 ? [] : [...birth(record), ...changes]
}

function birth(record: DirectoryRecord | undefined): Change[] {
  return record === undefined ? [{ kind: 'version', deleted: false, value: new Map() }] : []
}
