import type { Filters } from '../directory/cursor.js'
import { isTermOf } from '../directory/term-index.js'
import type { SeeingAct } from '../domain/audience.js'
import { parseUserId, type UserId } from '../domain/ids.js'
import { RATING_MAX } from '../domain/limits.js'
import { type Moment, parseMoment } from '../domain/moment.js'
import { MARKS } from '../domain/photo.js'
import { ENTRY, type IndexLanguage } from '../domain/terms.js'
import { type AlbumNames, labelsCalled } from './albums/album-names.js'
import { badField } from './photo-rules.js'
import type { ListFilters, ListQuery } from './photo-types.js'

/** Words that are looked for at most, the first ones; and of a camera, and a place. */
const SOUGHT_WORDS_MAX = 32

/** How the index is asked. */
export interface AskedIndex {
  readonly language: IndexLanguage
  /** @returns whether it is to have terms of this name */
  isAskedBy(name: string): boolean
}

/**
 * What a list asks the directory for.
 *
 * Parts of other photos are left out, but where they are found by their bytes.
 *
 * @returns undefined: nothing can match, as the text that is looked for has no words, or the album is deleted
 * @throws `ERR_BAD_PARAMETER`
 */
export function filtersOf(query: ListFilters, index: AskedIndex, albums: AlbumNames): Filters | undefined {
  const { language } = index
  const { tag, album, type, kind, camera, place, state, owner, sha256, rating_min: ratingMin, q = '' } = query
  const { sort, from, to } = query
  const marks = MARKS.filter(mark => query[mark] === true)
  const words = language.prefixesOf(q).slice(0, SOUGHT_WORDS_MAX)
  if (words.length === 0 && q.trim() !== '') return undefined
  const terms: string[] = [...marks]
  if (tag !== undefined) terms.push(language.labelTerm('tag', tag))
  const inAlbum = album === undefined ? undefined : labelsCalled(albums, album)
  if (inAlbum?.length === 0) return undefined
  const albumTerms = inAlbum?.map(label => language.labelTerm('album', label)) ?? []
  if (albumTerms.length === 1) terms.push(...albumTerms)
  const values = {
    type: type?.trim().toLowerCase(),
    kind,
    trait: query.trait,
    state: state?.trim(),
    owner: owner === undefined ? undefined : requireUserId(owner),
    sha256: sha256?.toLowerCase()
  }
  for (const [name, value] of Object.entries(values)) if (value !== undefined) terms.push(`${name}\0${value}`)
  if (place !== undefined && !index.isAskedBy('place'))
    throw badField('place', 'this node does not know names of places: it runs with --places off')
  for (const [name, text] of Object.entries({ camera, place })) {
    if (text === undefined) continue
    const words = language.wordsOf(text).slice(0, SOUGHT_WORDS_MAX)
    if (words.length === 0) return undefined
    terms.push(...words.map(word => `${name}\0${word}`))
  }
  const anyOf = albumTerms.length > 1 ? [albumTerms] : []
  if (ratingMin !== undefined)
    anyOf.push(Array.from({ length: RATING_MAX + 1 - ratingMin }, (_, i) => `rating\0${ratingMin + i}`))
  // what else can be asked for, parts have not
  const isOfEntries = [query.trait, tag, album, kind, camera, owner].every(one => one === undefined)
  const isListed = isOfEntries && marks.length + anyOf.length === 0 && words.length === 0 && sha256 === undefined
  if (isListed && isTermOf(language, ENTRY)) terms.push(ENTRY)
  const fromMs = from === undefined ? undefined : requireMoment('from', from).fromMs
  const toMs = to === undefined ? undefined : requireMoment('to', to).toMs
  return { terms, words, anyOf, order: sort, fromMs, toMs }
}

/** @returns what one has to see of photos to ask for some by these: by what is found out of them, or said, their facts */
export function actOfFilters({ album, type, kind, state, sort, ...facts }: ListFilters): SeeingAct {
  const { limit: _, cursor: __, count: ___, ...asked }: ListQuery = facts
  return sort === 'taken' || Object.values(asked).some(value => value !== undefined) ? 'facts' : 'see'
}

/** @param owners - whose photos are wanted; undefined: everybody's. @returns what the trash, or what it was emptied of, asks the directory for */
export function trashFilters(list: 'trash' | 'emptied', owners: readonly string[] | undefined): Filters {
  if (owners === undefined) return { terms: [list], words: [] }
  return { terms: [], words: [], anyOf: [owners.map(owner => `${list}-owner\0${owner}`)] }
}

/** @throws `ERR_BAD_PARAMETER` */
function requireUserId(text: string): UserId {
  const id = parseUserId(text)
  if (id !== undefined) return id
  throw badField('owner', 'owner must be the id of an account, or me')
}

/** @throws `ERR_BAD_PARAMETER` */
function requireMoment(field: string, text: string): Moment {
  const moment = parseMoment(text)
  if (moment !== undefined) return moment
  throw badField(
    field,
    `${field} must be a year, month, day, minute or second, e.g. 2024, 2024-07-31 or 2024-07-31T18:30`
  )
}
