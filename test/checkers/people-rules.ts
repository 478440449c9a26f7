/*
 * What may be so of something that people set again and again, such as somebody's role in an album, after what was asked for at
 * several nodes. Of what was set at the same time the least counts; whoever sets it after having seen all that is obeyed.
 */

/** Somebody set it. */
export interface Setting {
  readonly value: string
  readonly node: string
  readonly beganMs: number
  /** Infinity where nobody was told that it was done: it may yet be. */
  readonly endedMs: number
}

export interface Register {
  /** From the least. */
  readonly order: readonly string[]
  readonly initial: string
  /** Whether setting the least anew writes nothing where the node knows of nothing more, so that it meets nothing elsewhere. */
  readonly isLeastIdle: boolean
}

/** @param settings - all that may have been done. @returns what it may be once all nodes have merged all */
export function possibleValues(
  settings: readonly Setting[],
  { order, initial, isLeastIdle }: Register
): ReadonlySet<string> {
  const told = settings.filter(({ endedMs }) => Number.isFinite(endedMs))
  // what a node has acknowledged it has seen when it is asked for the next
  const latest = settings.filter(one => !told.some(other => other.node === one.node && one.endedMs <= other.beganMs))
  const values = new Set(latest.map(({ value }) => value))
  if (told.length === 0) values.add(initial)
  const last = told.find(one => settings.every(other => other === one || other.endedMs <= one.beganMs))
  if (last === undefined || last.value !== order[0] || (isLeastIdle && !surelyWrote(last, settings))) return values
  // whatever it had not seen is of the same time, and more
  return new Set([last.value])
}

/** Whether the node knew of more when it was asked to set the least. */
function surelyWrote(last: Setting, settings: readonly Setting[]): boolean {
  const before = settings.filter(one => one !== last)
  const known = before.filter(({ node, value }) => node === last.node && value !== last.value)
  const least = before.filter(({ value }) => value === last.value)
  return known.some(more => least.every(({ endedMs, node }) => node === last.node && endedMs <= more.beganMs))
}

/** What a node shows of an album: whose it is, and who was given which role in it, by name. */
export interface ShownSharing {
  readonly owner: string
  readonly roles: Readonly<Record<string, { readonly role: string; readonly isInForce: boolean }>>
}

/** From the least. */
const STANDINGS = ['none', 'viewer', 'contributor', 'manager', 'owner'] as const
type Standing = (typeof STANDINGS)[number]

/** @returns what somebody with an account is in an album: the greatest of what was given to him and to all */
export function standingOf({ owner, roles }: ShownSharing, name: string): Standing {
  if (owner === name) return 'owner'
  const given = [name, 'everyone', 'public'].map(to => (roles[to]?.isInForce ? roles[to].role : 'none'))
  return STANDINGS.findLast(standing => given.includes(standing)) ?? 'none'
}

/** What a node shows of somebody's account. */
export interface ShownAccount {
  readonly role: string
  readonly state: string
}

/** @returns the status that an attempt to change who may do what with an album has to get */
export function dueStatus({ role, state, inAlbum }: ShownAccount & { readonly inAlbum: Standing }): number {
  if (state === 'disabled') return 401
  if (role === 'guest') return 403
  if (inAlbum === 'owner' || inAlbum === 'manager') return 200
  return inAlbum === 'none' ? 404 : 403
}

/** What can be in somebody's sight, and whose that is. */
export interface ShownLibrary {
  /** By photo. */
  readonly owners: ReadonlyMap<string, string>
  /** Albums with the photos that are in each. */
  readonly albums: readonly (ShownSharing & { readonly album: string; readonly photos: readonly string[] })[]
}

/** What somebody is to see: his own photos, and those in albums that are open to him; nobody sees more for being an administrator. */
export function dueSight(
  { owners, albums }: ShownLibrary,
  name: string
): { readonly photos: ReadonlySet<string>; readonly albums: ReadonlySet<string> } {
  const open = albums.filter(album => standingOf(album, name) !== 'none')
  const own = [...owners].filter(([, owner]) => owner === name).map(([photo]) => photo)
  return {
    photos: new Set([...own, ...open.flatMap(({ photos }) => photos)]),
    albums: new Set(open.map(({ album }) => album))
  }
}
