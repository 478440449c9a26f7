import type { Filters } from '../directory/cursor.js'
import { RATING_MAX } from '../domain/limits.js'
import { type Moment, parseMoment } from '../domain/moment.js'
import type { IndexLanguage } from '../domain/terms.js'
import { type AlbumNames, labelsCalled } from './albums/album-names.js'
import { badField } from './photo-rules.js'
import type { ListFilters } from './photo-types.js'

/** Words that are looked for at most, the first ones; and of a camera. */
const SOUGHT_WORDS_MAX = 32

/**
 * What a list asks the directory for.
 *
 * @returns undefined: nothing can match, as the text that is looked for has no words, or the album is deleted
 * @throws `ERR_BAD_PARAMETER`
 */
export function filtersOf(
  query: ListFilters,
  { language, albums }: { readonly language: IndexLanguage; readonly albums: AlbumNames }
): Filters | undefined {
  const { tag, album, type, kind, camera, state, sha256, rating_min: ratingMin, q = '', sort, from, to } = query
  const words = language.prefixesOf(q).slice(0, SOUGHT_WORDS_MAX)
  if (words.length === 0 && q.trim() !== '') return undefined
  const terms: string[] = []
  if (tag !== undefined) terms.push(language.labelTerm('tag', tag))
  const inAlbum = album === undefined ? undefined : labelsCalled(albums, album)
  if (inAlbum?.length === 0) return undefined
  const albumTerms = inAlbum?.map(label => language.labelTerm('album', label)) ?? []
  if (albumTerms.length === 1) terms.push(...albumTerms)
  const values = { type: type?.trim().toLowerCase(), kind, state: state?.trim(), sha256: sha256?.toLowerCase() }
  for (const [name, value] of Object.entries(values)) if (value !== undefined) terms.push(`${name}\0${value}`)
  if (camera !== undefined) {
    const cameraWords = language.wordsOf(camera).slice(0, SOUGHT_WORDS_MAX)
    if (cameraWords.length === 0) return undefined
    terms.push(...cameraWords.map(word => `camera\0${word}`))
  }
  const anyOf = albumTerms.length > 1 ? [albumTerms] : []
  if (ratingMin !== undefined)
    anyOf.push(Array.from({ length: RATING_MAX + 1 - ratingMin }, (_, i) => `rating\0${ratingMin + i}`))
  const fromMs = from === undefined ? undefined : requireMoment('from', from).fromMs
  const toMs = to === undefined ? undefined : requireMoment('to', to).toMs
  return { terms, words, anyOf, order: sort, fromMs, toMs }
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
