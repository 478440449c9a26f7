import type { Answer } from '../api/client.js'
import type { User } from './session.js'

/** To whom an album is open. */
export type Sharing = Answer<'/v1/albums/{id}/shares'>
/** What somebody was given. */
export type Share = Sharing['shares'][number]
export type ShareRole = Share['role']
/** A group of people that somebody is in. */
export type Group = Answer<'/v1/groups'>['groups'][number]

/** From the least. */
const ROLES: readonly ShareRole[] = ['viewer', 'contributor', 'manager']
/** So many of them can be given to more than one person. */
const FOR_MANY: Readonly<Record<string, number>> = { public: 1, everyone: 2 }
const GROUP_PREFIX = 'group:'

/** The last day that ends in a year of four digits wherever the browser is, as nodes take it. */
export const DAY_MAX = '9999-12-30'

/** @returns the group as one to whom something is given */
export function principalOf({ group_id: id }: Pick<Group, 'group_id'>): string {
  return GROUP_PREFIX + id
}

/** @returns what can be given to those, from the least */
export function rolesFor(principal: string): readonly ShareRole[] {
  return ROLES.slice(0, principal.startsWith(GROUP_PREFIX) ? FOR_MANY.everyone : FOR_MANY[principal])
}

/** Whether somebody can give roles in an album, and take them away. */
export function mayShare({ can }: Pick<Sharing, 'can'>): boolean {
  return can.includes('share')
}

/** Whether somebody can say whose an album is. @param user - undefined: somebody who has no account */
export function mayHandOver(
  { owner, role }: Pick<Sharing, 'owner' | 'role'>,
  user: Pick<User, 'role'> | undefined
): boolean {
  return owner === null ? user?.role === 'admin' : role === 'owner'
}

/** Whether there is anything that somebody can say of to whom an album is open. */
export function mayOpenSharing(sharing: Sharing, user: Pick<User, 'role'> | undefined): boolean {
  return mayShare(sharing) || mayHandOver(sharing, user)
}

/** @returns the day that it is then where the browser is, such as `2027-01-31` */
export function dayOf(ms: number): string {
  const at = new Date(ms)
  const numbers = [at.getFullYear(), at.getMonth() + 1, at.getDate()]
  return numbers.map((number, i) => String(number).padStart(i === 0 ? 4 : 2, '0')).join('-')
}

/** @param day - such as `2027-01-31`; empty: none @returns when it is over where the browser is, RFC 3339; null: never */
export function endOfDay(day: string): string | null {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day) ?? []
  return year === undefined ? null : new Date(Number(year), Number(month) - 1, Number(date) + 1).toISOString()
}

/** @param end - RFC 3339; null: none @returns the last day of what ends then; empty: it has none */
export function lastDayOf(end: string | null): string {
  return end === null ? '' : dayOf(Date.parse(end) - 1)
}

/** Whether it has ended. */
export function isOver({ expires_at: end }: Pick<Share, 'expires_at'>, nowMs: number): boolean {
  return end !== null && Date.parse(end) <= nowMs
}
