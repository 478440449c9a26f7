/*
 * To whom an album is open, or who is in a group, as a record of the kind 'acl', id = that of the album or group. It is never deleted, so its rank stays 0 for
 * ever, and all that counts are elements. An album that nobody has shared has none.
 *
 *   field    key        value
 *   version  –          empty
 *   owner    owner      owner: id of a user, by. Absent: whoever made the album
 *   grants   principal  role: none | viewer | contributor | manager, by (id of the user who gives it), until? (ms)
 *   place    parent     in which album an album stands, see album-tree.ts
 *
 *   principal  user:<id> | group:<id> (whoever is in it, see people-group.ts) | everyone (who has an account) | public (who has none, too)
 *
 * A write replaces what it saw. What was written at the same time on the other side of a cut stays beside it, and the least role
 * counts, whoever gave it: taking away is a value, too, and wins; whoever gives again after having seen all that is obeyed.
 *
 * A role is in force only while somebody gives it who may, that is the owner, or whoever is in force as a manager himself. What a
 * manager gave on the far side of a cut, after he was thrown out on this one, is void. What he gave before stays: whoever takes
 * that role away writes his gifts anew in the same write, as he sees them, under his own name.
 */
import { compareVersions } from './entry.js'
import { type AlbumId, type GroupId, parseAlbumId, parseGroupId, parseUserId, type UserId } from './ids.js'
import { type Change, type DirectoryRecord, elementsOf } from './record.js'
import { mapOf, textOf, timeOf } from './value-fields.js'

export const ACL_KIND = 'acl'

/** From the least. */
export const ALBUM_ROLES = ['none', 'viewer', 'contributor', 'manager'] as const
export type AlbumRole = (typeof ALBUM_ROLES)[number]
/** What somebody may do with an album: what he was given, or all. */
export type AlbumStanding = AlbumRole | 'owner'

/** A group as those to whom a role is given. */
export type GroupGrantee = `group:${GroupId}`
/** Whom a role is given to. */
export type Grantee = 'everyone' | 'public' | `user:${UserId}` | GroupGrantee

/** What somebody was given. */
export interface Grant {
  /** The least of those that were given at the same time. */
  readonly role: AlbumRole
  /** When the first of those ends, ms since the Unix epoch: then it is `none`. */
  readonly untilMs: number | undefined
  /** Who has given one of those, without duplicates. */
  readonly givers: readonly UserId[]
  /** Whether roles differed that were given at the same time, so that somebody's did not count. */
  readonly isContested: boolean
}

export interface Acl {
  /** Undefined: whoever made the album. */
  readonly owner: UserId | undefined
  readonly grants: ReadonlyMap<Grantee, Grant>
}

/** Nobody was given anything. */
export const NO_ACL: Acl = { owner: undefined, grants: new Map() }

/**
 * What a role may be at most where it is given to more than one person: nobody gives away what he cannot take back from one.
 * Nor is a group a manager: what its members gave would hang on who is in it, which another record says.
 */
const MOST: Readonly<Record<string, AlbumRole>> = { public: 'viewer', everyone: 'contributor', group: 'contributor' }
const USER_PREFIX = 'user:'
const GROUP_PREFIX = 'group:'

export function granteeOf(id: UserId): Grantee {
  return `${USER_PREFIX}${id}` as Grantee
}

export function granteeOfGroup(id: GroupId): GroupGrantee {
  return `${GROUP_PREFIX}${id}`
}

/**
 * @param text - `everyone`, `public`, `user:` or `group:` and an id, or the id of an account, in any case
 * @returns undefined for anything else
 */
export function parseGrantee(text: string): Grantee | undefined {
  if (text === 'everyone' || text === 'public') return text
  if (text.startsWith(GROUP_PREFIX)) {
    const group = parseGroupId(text.slice(GROUP_PREFIX.length))
    return group && granteeOfGroup(group)
  }
  const id = parseUserId(text.startsWith(USER_PREFIX) ? text.slice(USER_PREFIX.length) : text)
  return id && granteeOf(id)
}

/** @returns the account that it is; undefined: it is more than one person */
export function userIn(grantee: Grantee): UserId | undefined {
  return grantee.startsWith(USER_PREFIX) ? (grantee.slice(USER_PREFIX.length) as UserId) : undefined
}

/** @returns the group that it is, if it is one */
export function groupIn(grantee: Grantee): GroupId | undefined {
  return grantee.startsWith(GROUP_PREFIX) ? (grantee.slice(GROUP_PREFIX.length) as GroupId) : undefined
}

/** @returns whether that can be given to those */
export function isGrantable(grantee: Grantee, role: AlbumRole): boolean {
  return leastOf(role, mostOf(grantee)) === role
}

/**
 * Total, since another node may have written the record: what is missing or unknown counts as the least.
 *
 * @param record - undefined: nobody has shared the album
 */
export function viewAcl(record: DirectoryRecord | undefined): Acl {
  if (record === undefined || record.kind !== ACL_KIND || parseAlbumId(record.id) !== record.id) return NO_ACL
  const owners = elementsOf(record, 'owner')
    .filter(({ key }) => key === 'owner')
    .sort(compareVersions)
    .map(({ value }) => parseUserId(textOf(value, 'owner') ?? ''))
  const grants = new Map<Grantee, Grant>()
  for (const { key, value } of elementsOf(record, 'grants')) {
    const grantee = parseGrantee(key)
    if (grantee !== key) continue
    const untilMs = timeOf(value, 'until')
    const isUnknown = value.has('until') && untilMs === undefined
    const said = ALBUM_ROLES.find(role => role === value.get('role'))
    const role = isUnknown || said === undefined ? 'none' : leastOf(said, mostOf(grantee))
    const giver = parseUserId(textOf(value, 'by') ?? '')
    const grant = { role, untilMs, givers: giver === undefined ? [] : [giver], isContested: false }
    const other = grants.get(grantee)
    grants.set(grantee, other === undefined ? grant : together(grant, other))
  }
  return { owner: owners.findLast(owner => owner !== undefined), grants }
}

/**
 * From the owner on, whoever is a manager brings into force what he gives: that set only grows, so it is the same in whatever
 * order it is found, each giver is looked at once, and managers who only have each other are in none.
 *
 * @param owner - of the album; undefined: nobody may give anything
 */
export function inForce(
  { grants }: Pick<Acl, 'grants'>,
  owner: UserId | undefined,
  nowMs: number
): ReadonlyMap<Grantee, Grant> {
  const gifts = new Map<UserId, [Grantee, Grant][]>()
  for (const gift of grants) {
    const { role, untilMs, givers } = gift[1]
    if (role === 'none' || (untilMs !== undefined && untilMs <= nowMs)) continue
    for (const giver of givers) {
      const given = gifts.get(giver)
      if (given === undefined) gifts.set(giver, [gift])
      else given.push(gift)
    }
  }
  const found = new Map<Grantee, Grant>()
  const givers = owner === undefined ? [] : [owner]
  for (const giver of givers) {
    for (const [grantee, grant] of gifts.get(giver) ?? []) {
      if (found.has(grantee)) continue
      found.set(grantee, grant)
      const manager = grant.role === 'manager' ? userIn(grantee) : undefined
      if (manager !== undefined) givers.push(manager)
    }
  }
  return found
}

/**
 * Whether a manager is one only as long as another one is: whoever takes that one's role away would lose his own by it, and
 * with it what he writes in that one's place. So he may not.
 */
export function restsOn(
  record: DirectoryRecord | undefined,
  owner: UserId,
  manager: UserId,
  other: UserId,
  nowMs: number
): boolean {
  if (manager === owner || manager === other) return false
  const grants = new Map(viewAcl(record).grants)
  grants.delete(granteeOf(other))
  return inForce({ grants }, owner, nowMs).get(granteeOf(manager))?.role !== 'manager'
}

/** What is given, until when at most, and by whom. */
export interface Gift {
  /** `none` takes away. */
  readonly role: AlbumRole
  readonly untilMs?: number | undefined
  readonly by: UserId
}

/**
 * @param owner - of the album
 * @param gift - by the owner, or by a manager whose role does not rest on the one that he takes away, see {@link restsOn}
 * @returns no changes if it is so already, undisputed
 */
export function grantChanges(
  record: DirectoryRecord | undefined,
  owner: UserId,
  grantee: Grantee,
  gift: Gift,
  nowMs: number
): Change[] {
  const { role, untilMs, by } = gift
  const acl = viewAcl(record)
  const now = acl.grants.get(grantee)
  const before = inForce(acl, owner, nowMs)
  if (role === 'none' && (now?.role ?? 'none') === 'none' && now?.isContested !== true) return []
  const isSame = now?.role === role && now.untilMs === untilMs && !now.isContested
  if (isSame && before.has(grantee)) return []
  const changes = [...birth(record), grantChange(grantee, gift)]
  const user = userIn(grantee)
  const wasManager = before.get(grantee)?.role === 'manager'
  if (user === undefined || wasManager === (role === 'manager')) return changes
  if (!wasManager) return [...changes, ...withdrawn(giftsOf(acl.grants, user), grantee, before, by)]
  // who leaves gives nothing any more: under the owner's name his gifts would outlive that the owner throws him out elsewhere
  return user === by
    ? changes
    : [
        ...changes,
        ...anew(
          giftsOf(before, user).filter(([to]) => to !== grantee),
          by
        )
      ]
}

/**
 * Hands the album over, with all that its owner has given; he keeps nothing.
 *
 * @param owner - so far; undefined: nobody
 * @returns no changes if it is so already
 */
export function setOwnerChanges(
  record: DirectoryRecord | undefined,
  owner: UserId | undefined,
  next: UserId,
  by: UserId,
  nowMs: number
): Change[] {
  if (owner === next) return []
  const given = owner === undefined ? [] : giftsOf(inForce(viewAcl(record), owner, nowMs), owner)
  const value = mapOf({ owner: next, by })
  return [...birth(record), { kind: 'add', field: 'owner', key: 'owner', value }, ...anew(given, next)]
}

function giftsOf(grants: ReadonlyMap<Grantee, Grant>, giver: UserId): [Grantee, Grant][] {
  return [...grants].filter(([, { givers }]) => givers.includes(giver))
}

/** Whoever becomes a manager again gives only what he gives from now on: nobody sees the void gifts that he has made before. */
function withdrawn(
  gifts: readonly [Grantee, Grant][],
  taker: Grantee,
  before: ReadonlyMap<Grantee, Grant>,
  by: UserId
): Change[] {
  const isVoid = ([to, { role }]: readonly [Grantee, Grant]): boolean =>
    role !== 'none' && to !== taker && !before.has(to)
  return gifts.filter(isVoid).map(([to]) => grantChange(to, { role: 'none', by }))
}

function anew(gifts: readonly [Grantee, Grant][], by: UserId): Change[] {
  return gifts
    .filter(([to]) => userIn(to) !== by)
    .map(([to, { role, untilMs }]) => grantChange(to, { role, untilMs, by }))
}

function grantChange(grantee: Grantee, { role, untilMs, by }: Gift): Change {
  return { kind: 'add', field: 'grants', key: grantee, value: mapOf({ role, by, until: untilMs }) }
}

/** @returns the change that begins the record, where there is none */
export function birth(record: DirectoryRecord | undefined): Change[] {
  return record === undefined ? [{ kind: 'version', deleted: false, value: new Map() }] : []
}

function together(a: Grant, b: Grant): Grant {
  return {
    role: leastOf(a.role, b.role),
    untilMs:
      a.untilMs === undefined || b.untilMs === undefined ? (a.untilMs ?? b.untilMs) : Math.min(a.untilMs, b.untilMs),
    givers: [...new Set([...a.givers, ...b.givers])].sort(),
    isContested: a.isContested || b.isContested || a.role !== b.role || a.untilMs !== b.untilMs
  }
}

function mostOf(grantee: Grantee): AlbumRole {
  return MOST[groupIn(grantee) === undefined ? grantee : 'group'] ?? 'manager'
}

function leastOf(a: AlbumRole, b: AlbumRole): AlbumRole {
  return ALBUM_ROLES.indexOf(a) <= ALBUM_ROLES.indexOf(b) ? a : b
}

/** @returns the key of the record that says to whom an album is open, or who is in a group */
export function aclKey<Id extends AlbumId | GroupId>(id: Id): { readonly kind: string; readonly id: Id } {
  return { kind: ACL_KIND, id }
}
