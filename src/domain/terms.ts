/*
 * Terms of a record in the inverted index. A term is a name, or a name, U+0000 and a value. Where any text here changes, so
 * does INDEX_VERSION: then the index is made anew, and until that is done the one of before is kept in its own language.
 *
 *   name             value
 *   all              –: every live photo
 *   entry            –: every live photo that is no part of another one, see pairs.ts. Parts have only: all, type, sha256, idem,
 *                    pair, and those of findings
 *   pair             see pairs.ts
 *   timeline         –: what the time line shows: every entry that is not archived, but what is neither picture nor video;
 *                    or 'archived': one of these that is. See tile.ts
 *   favourite        –: an entry that somebody likes
 *   archived         –: an entry that is not to be in the time line
 *   trait            of an entry, see traits.ts
 *   trash            –: every photo that is deleted and not buried yet, unless the trash was emptied of it
 *   emptied          –: one of which it was
 *   trash-owner,     of such a photo: id of the account that it belongs to, or '-'
 *   emptied-owner
 *   trashed          of such a photo, which has no other terms: as sha256
 *   tag, album       folded, see text.ts
 *   spelled          'tag' or 'album' · U+0000 · folded · U+0000 · as it is spelled, where that is not the same
 *   type             the content type in lower case, without parameters, and its first part: 'image/jpeg' and 'image'
 *   kind             'image', 'raw', 'video' or 'other'
 *   rating           0 to 5
 *   owner            id of the account that it belongs to
 *   audience         whose it is and in which albums, see audience.ts: every live photo has one of these
 *   camera           a word of its make, model or lens
 *   place            a word of the names of the place, region and country where it was taken; see places.ts
 *   sha256, idem     lower-case hex: SHA-256 of the original's bytes, of the Idempotency-Key, with the user where there is one
 *   word             a word of name or caption, or of where it was taken
 *   looked           –: photos that were analyzed as images
 *   unhashed         –: those of which the look lacks a ThumbHash
 *   head             version of the reader: photos whose file's head it has read
 *   state            how much of the picture there is, or 'pending'; of photos whose head was read
 *   features         model id: photos that the model has analyzed, successfully or not
 *   linked           –: photos with a link to a similar one
 *   link             id of the similar photo
 */
import { hasCode } from '../core/errors.js'
import { audienceText, NOBODY, photoAudience } from './audience.js'
import { type Findings, lacksThumbhash, viewFindings, viewLooks } from './findings.js'
import { pairOf, pairTerms } from './pairs.js'
import { PHOTO_KIND, type Photo, placeOfPhoto, viewPhoto } from './photo.js'
import { cameraOf } from './photo-facts.js'
import { kindOf } from './photo-kind.js'
import type { Places } from './places.js'
import type { DirectoryRecord } from './record.js'
import { foldText, prefixesOf, wordsOf } from './text.js'
import { endOf } from './tombstone.js'
import { traitsOf } from './traits.js'

/** Of the index without names of places; with them it is the next one. So it rises by two. */
export const INDEX_VERSION = 11

/** The term of photos that lists show. */
export const ENTRY = 'entry'
/** The term of photos that are in the time line. */
export const TIMELINE = 'timeline'
/** The term of those that would be in it if they were not archived. */
export const ARCHIVED_TIMELINE = 'timeline\0archived'

/** The name of terms that say who may see a photo: an audience stands behind it. */
export const AUDIENCE = 'audience'

/** What people put on photos. */
export const LABEL_FIELDS = ['tag', 'album'] as const
export type LabelField = (typeof LABEL_FIELDS)[number]

/** What the index of one version says of a record, and how it is asked. */
export interface IndexLanguage {
  readonly version: number
  /** Whether it lists photos by when they were taken. */
  readonly isDated: boolean
  /** @returns the terms, sorted and unique; none for other kinds and malformed photos */
  termsOf(record: DirectoryRecord): string[]
  /** Names of terms that other versions have. */
  readonly lacks: ReadonlySet<string>
  /** @returns the term of photos with a label */
  labelTerm(field: LabelField, label: string): string
  /** @returns the values of a photo's terms `word`, without duplicates */
  wordsOf(text: string): string[]
  /** @returns what a photo is found by, as {@link wordsOf} */
  wordsIn(photo: Photo): string[]
  /** @returns what somebody looks for, as prefixes of words */
  prefixesOf(sought: string): string[]
}

export const INDEX_LANGUAGE: IndexLanguage = {
  version: INDEX_VERSION,
  isDated: true,
  termsOf: record => termsOf(record),
  lacks: new Set(['place']),
  labelTerm,
  wordsOf,
  wordsIn: photo => wordsOf(textOf(photo)),
  prefixesOf
}

/** With names of places, of one table: where it changes, so does the version, or rows of another one are left behind. */
export function placedLanguage(places: Places): IndexLanguage {
  return {
    ...INDEX_LANGUAGE,
    version: INDEX_VERSION + 1,
    lacks: new Set(),
    termsOf: record => termsOf(record, places),
    wordsIn: photo => [...wordsOf(textOf(photo)), ...placeWordsOf(photo, places)]
  }
}

export function termsOf(record: DirectoryRecord, places?: Places): string[] {
  const photo = photoOf(record)
  if (photo === undefined) return []
  return photo.deleted ? trashTerms(photo) : termsOfPhoto(photo, places)
}

/** @param photo - a live one. @param marks - default: its own */
export function termsOfPhoto(photo: Photo, places?: Places, marks = photo.marks): string[] {
  const terms = new Set<string>()
  addBasics(terms, photo)
  terms.add(`${AUDIENCE}\0${audienceText(photoAudience(photo))}`)
  if (lacksThumbhash(viewLooks(photo.record).image)) terms.add('unhashed')
  for (const term of pairTerms(photo)) terms.add(term)
  // a part is listed as its entry is
  if (pairOf(photo.record).of !== undefined) return [...terms].sort()
  terms.add(ENTRY)
  for (const mark of marks) terms.add(mark)
  for (const trait of traitsOf(photo)) terms.add(`trait\0${trait}`)
  if (kindOf(photo) !== 'other') terms.add(marks.has('archived') ? ARCHIVED_TIMELINE : TIMELINE)
  addListed(terms, photo, places)
  if (photo.owner !== undefined) terms.add(`owner\0${photo.owner}`)
  return [...terms].sort()
}

/** @param isEmptied - default: whether the trash was emptied of it */
export function trashTerms(
  { sha256, owner, record }: Photo,
  isEmptied = endOf(record)?.isPurgeWanted ?? false
): string[] {
  const name = isEmptied ? 'emptied' : 'trash'
  return [name, `${name}-owner\0${owner ?? NOBODY}`, `trashed\0${sha256}`]
}

/** What photos are found by. */
export function addListed(terms: Set<string>, photo: Photo, places?: Places): void {
  for (const tag of photo.tags) addLabel(terms, 'tag', tag)
  for (const album of photo.albums) addLabel(terms, 'album', album)
  if (photo.rating !== undefined) terms.add(`rating\0${photo.rating}`)
  terms.add(`kind\0${kindOf(photo)}`)
  const { make = '', model = '', lens = '' } = cameraOf(photo.record) ?? {}
  for (const word of wordsOf(`${make} ${model} ${lens}`)) terms.add(`camera\0${word}`)
  for (const word of wordsOf(textOf(photo))) terms.add(`word\0${word}`)
  if (places !== undefined)
    for (const word of placeWordsOf(photo, places)) terms.add(`place\0${word}`).add(`word\0${word}`)
}

/** What people look for words in. */
export function textOf({ name, caption }: Pick<Photo, 'name' | 'caption'>): string {
  return `${name} ${caption ?? ''}`
}

function placeWordsOf(photo: Photo, places: Places): string[] {
  const place = placeOfPhoto(photo)
  const names = place && places.near(place)
  return names === undefined ? [] : wordsOf([names.name, names.region ?? '', ...names.countries].join(' '))
}

/** The terms that all versions have. */
export function addBasics(terms: Set<string>, { contentType, idempotency, sha256, record }: Photo): void {
  const type = contentType.toLowerCase().split(';', 1)[0]?.trim() ?? ''
  terms.add('all').add(`sha256\0${sha256}`)
  terms.add(`type\0${type}`).add(`type\0${type.split('/', 1)[0]}`)
  if (idempotency !== undefined) terms.add(`idem\0${idempotency}`)
  addFindings(terms, viewFindings(record))
}

/** However the label is spelled. */
function labelTerm(field: LabelField, label: string): string {
  return `${field}\0${foldText(label.trim())}`
}

function addLabel(terms: Set<string>, field: LabelField, label: string): void {
  const term = labelTerm(field, label)
  terms.add(term)
  if (term !== `${field}\0${label}`) terms.add(`spelled\0${term}\0${label}`)
}

function addFindings(terms: Set<string>, { head, image, features, failed, links }: Findings): void {
  if (image !== undefined) terms.add('looked')
  if (head !== undefined) terms.add(`head\0${head.reader}`).add(`state\0${image?.state ?? 'pending'}`)
  for (const model of [...features.keys(), ...failed.keys()]) terms.add(`features\0${model}`)
  for (const other of links.keys()) terms.add('linked').add(`link\0${other}`)
}

/** @returns undefined for other kinds, and for a malformed record of a faulty node: it is not listed, but stops nothing */
export function photoOf(record: DirectoryRecord): Photo | undefined {
  if (record.kind !== PHOTO_KIND) return undefined
  try {
    return viewPhoto(record)
  } catch (error) {
    if (hasCode(error, 'ERR_RECORD_MALFORMED')) return undefined
    throw error
  }
}
