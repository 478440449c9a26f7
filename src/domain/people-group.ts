/*
 * A group of people, as a record of the kind 'group', id = a UUID. It lives, or is deleted for ever.
 *
 *   field     key   value
 *   version   –     name, owner (id of the account that made it; in every version, changed by none), created (ms)
 *
 * Who is in it says the acl of the same id, see acl.ts: a role that is given there, whichever, makes a member, a manager says who else
 * is one. So whoever was taken out on one side of a cut is out after it, and what somebody gave who was thrown out does not
 * count. Only accounts are members, and nobody is one until a time: what says otherwise makes none.
 */
import { inForce, userIn, viewAcl } from './acl.js'
import { type GroupId, parseGroupId, parseUserId, type UserId } from './ids.js'
import { GROUP_NAME_CHARACTERS_MAX } from './limits.js'
import { type Change, type DirectoryRecord, shownVersion } from './record.js'
import { cutLine, mapOf, textOf, timeOf } from './value-fields.js'

export const GROUP_KIND = 'group'
/** Later than whenever anything ends: a membership that has an end counts as ended, so time alone changes nothing. */
export const MEMBERS_AT_MS = Number.POSITIVE_INFINITY

/** From the least. */
export const MEMBER_ROLES = ['member', 'manager'] as const
export type MemberRole = (typeof MEMBER_ROLES)[number]
/** What somebody is in a group. */
export type MemberStanding = 'none' | MemberRole | 'owner'

export interface PeopleGroup {
  readonly id: GroupId
  readonly name: string
  readonly deleted: boolean
  /** The account that made it. Whose it is now says its acl. */
  readonly maker: UserId
  readonly createdAtMs: number
}

export interface NewPeopleGroup {
  readonly name: string
  readonly maker: UserId
  readonly createdAtMs: number
}

/** Bounded, since another node may have written the record. @returns undefined for what is no group that anybody has made */
export function viewPeopleGroup(record: DirectoryRecord): PeopleGroup | undefined {
  const id = record.kind === GROUP_KIND ? parseGroupId(record.id) : undefined
  if (id === undefined || id !== record.id) return undefined
  const { value, deleted } = shownVersion(record)
  const maker = parseUserId(textOf(value, 'owner') ?? '')
  if (maker === undefined) return undefined
  const name = cutLine(textOf(value, 'name'), GROUP_NAME_CHARACTERS_MAX)
  return { id, name: name ?? id, deleted, maker, createdAtMs: timeOf(value, 'created') ?? 0 }
}

export function createPeopleGroupChanges({ name, maker, createdAtMs }: NewPeopleGroup): Change[] {
  return [{ kind: 'version', deleted: false, value: mapOf({ name, owner: maker, created: createdAtMs }) }]
}

/** @returns no changes if that is its name already */
export function renamePeopleGroupChanges(record: DirectoryRecord, name: string): Change[] {
  const { value } = shownVersion(record)
  return value.get('name') === name ? [] : [{ kind: 'version', value: new Map(value).set('name', name) }]
}

/** @returns no changes if it is deleted already */
export function deletePeopleGroupChanges(record: DirectoryRecord): Change[] {
  const { deleted, value } = shownVersion(record)
  return deleted ? [] : [{ kind: 'version', deleted: true, value }]
}

/**
 * @param group - undefined: not known
 * @param acl - of the same id; undefined: nobody but its owner is in it
 * @returns who is in it, and as what; a deleted one has nobody
 */
export function membersOf(
  group: PeopleGroup | undefined,
  acl: DirectoryRecord | undefined
): ReadonlyMap<UserId, Exclude<MemberStanding, 'none'>> {
  const members = new Map<UserId, Exclude<MemberStanding, 'none'>>()
  if (group === undefined || group.deleted) return members
  const { grants, owner = group.maker } = viewAcl(acl)
  for (const [grantee, { role }] of inForce({ grants }, owner, MEMBERS_AT_MS)) {
    const user = userIn(grantee)
    if (user !== undefined) members.set(user, role === 'manager' ? 'manager' : 'member')
  }
  return members.set(owner, 'owner')
}
