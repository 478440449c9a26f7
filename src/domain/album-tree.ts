/*
 * In which album an album stands, as an element of its acl, so that neither an edit nor an undelete brings a place back:
 *
 *   field  key     value
 *   place  parent  parent: id of an album (absent: in none), closed? (true: who may see that one does not therefore see this one),
 *                  owner? (id of the account that the album belonged to then)
 *
 * Whoever may see an album may see those in it. So a place counts only while the album belongs to the one to whom it belonged then:
 * what somebody says while he hands it over elsewhere is void. Of places that were said at the same time the least wins: in none,
 * then closed, else the last one.
 *
 * Two albums that were put into each other on the two sides of a cut would be a circle. Of each circle the greatest place does not
 * count: that album stands in none. So all nodes find the same forest, whatever they heard first, and whoever falls out of an
 * album loses by it what he had through it, and never gains.
 */
import { type Acl, birth, setOwnerChanges, viewAcl } from './acl.js'
import { compareVersions, type Entry } from './entry.js'
import { type AlbumId, parseAlbumId, parseUserId, type UserId } from './ids.js'
import { ALBUM_DEPTH_MAX } from './limits.js'
import { type Change, type DirectoryRecord, elementsOf } from './record.js'
import { mapOf, textOf } from './value-fields.js'

/** Where an album stands. */
export interface Place {
  readonly parent: AlbumId
  /** Whether those who may see that one may see this one. */
  readonly inherits: boolean
  /** By which circles are opened. */
  readonly entry: Entry
}

/** Where an album is to stand. */
export interface NewPlace {
  /** Undefined: in none. */
  readonly parent: AlbumId | undefined
  readonly inherits: boolean
}

/**
 * Total, since another node may have written the record: a place that cannot be read is none.
 *
 * @param record - the acl of the album; undefined: it has none
 * @param owner - whose the album is by what is written; undefined: nobody has made it, and any place counts
 */
export function viewPlace(record: DirectoryRecord | undefined, owner: UserId | undefined): Place | undefined {
  const said = record === undefined ? [] : placesIn(record)
  const parents = said.map(({ value }) => parseAlbumId(textOf(value, 'parent') ?? ''))
  if (parents.includes(undefined)) return undefined
  const counting = said.filter(
    ({ value }) => owner === undefined || parseUserId(textOf(value, 'owner') ?? '') === owner
  )
  const entry = counting.at(-1)
  const parent = entry && parents[said.indexOf(entry)]
  if (entry === undefined || parent === undefined) return undefined
  return { parent, inherits: counting.every(({ value }) => !value.has('closed')), entry }
}

/**
 * @param placeOf - where an album stands by itself; undefined also where the other one is deleted, or not known
 * @returns where it stands, where that stands, and so on; empty: in none. Whatever is more than ALBUM_DEPTH_MAX deep stands in none
 */
export function placesAbove(id: AlbumId, placeOf: (id: AlbumId) => Place | undefined): readonly Place[] {
  const places: Place[] = []
  const passed = [id]
  for (let place = placeOf(id); place !== undefined; place = placeOf(place.parent)) {
    if (places.length === ALBUM_DEPTH_MAX) return []
    places.push(place)
    const start = passed.indexOf(place.parent)
    if (start >= 0) return places.slice(0, places.indexOf(greatest(places.slice(start))))
    passed.push(place.parent)
  }
  return places
}

/** @param owner - as of {@link viewPlace}. @returns no changes if it stands there already, undisputed */
export function placeChanges(
  record: DirectoryRecord | undefined,
  owner: UserId | undefined,
  { parent, inherits }: NewPlace
): Change[] {
  const said = record === undefined ? [] : placesIn(record)
  const now = viewPlace(record, owner)
  const isSame = now?.parent === parent && (parent === undefined || now?.inherits === inherits)
  if (isSame && said.length < 2 && (parent !== undefined || said.length === 0)) return []
  return [...birth(record), placeChange({ parent, inherits }, owner)]
}

/** Hands an album over: it stays where it stands. See {@link setOwnerChanges}. */
export function handOverChanges(
  record: DirectoryRecord | undefined,
  maker: UserId | undefined,
  owner: UserId | undefined,
  next: UserId,
  by: UserId,
  nowMs: number
): Change[] {
  const changes = setOwnerChanges(record, owner, next, by, nowMs)
  const place = viewPlace(record, writtenOwner(viewAcl(record), maker))
  return changes.length === 0 || place === undefined ? changes : [...changes, placeChange(place, next)]
}

/** @param maker - see `Album`. @returns whose an album is by what is written; undefined: nobody has made it */
export function writtenOwner({ owner }: Acl, maker: UserId | undefined): UserId | undefined {
  return owner ?? maker
}

function placeChange({ parent, inherits }: NewPlace, owner: UserId | undefined): Change {
  const value = mapOf({ parent, closed: parent === undefined || inherits ? undefined : true, owner })
  return { kind: 'add', field: 'place', key: 'parent', value }
}

/** @returns what was said at the same time, the last one last */
function placesIn(record: DirectoryRecord): readonly Entry[] {
  return elementsOf(record, 'place')
    .filter(({ key }) => key === 'parent')
    .sort(compareVersions)
}

/** @param places - of a circle: each has another parent, if not another stamp */
function greatest(places: readonly Place[]): Place {
  const compare = (a: Place, b: Place): number => compareVersions(a.entry, b.entry) || (a.parent < b.parent ? -1 : 1)
  return places.reduce((a, b) => (compare(a, b) > 0 ? a : b))
}
