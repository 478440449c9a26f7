import type { Mark } from './photo.js'
import type { Places } from './places.js'
import type { DirectoryRecord } from './record.js'
import {
  AUDIENCE,
  addBasics,
  addListed,
  ENTRY,
  INDEX_LANGUAGE,
  type IndexLanguage,
  photoOf,
  placedLanguage,
  TIMELINE,
  termsOfPhoto,
  textOf,
  trashTerms
} from './terms.js'
import { WORD_CHARACTERS_MAX } from './text.js'
import { USED } from './usage.js'

const WORDS_MAX = 32
/** What came with version 11: it counts, and lists nothing. */
const LATER_THAN_9 = [USED]
/** Terms that came with version 9, or later. */
const LATER_THAN_7 = [AUDIENCE, 'trash-owner', 'emptied-owner', ...LATER_THAN_9]
/** Terms that came with version 7, or later. */
const LATER_THAN_5 = ['owner', ...LATER_THAN_7]
/** Terms that came with version 5, or later. */
const LATER = ['favourite', 'archived', 'emptied', 'unhashed', 'trait', ...LATER_THAN_5]
const isOneOf = (names: readonly string[], term: string): boolean =>
  names.some(name => term === name || term.startsWith(`${name}\0`))
const NO_MARKS = new Set<Mark>()

/** Labels as they are spelled, words with their accents. An index that it was written in is kept until it is made anew. */
export const INDEX_LANGUAGE_1: IndexLanguage = {
  version: 1,
  isDated: false,
  lacks: new Set([
    ENTRY,
    TIMELINE,
    'pair',
    'place',
    'trash',
    'trashed',
    'spelled',
    'kind',
    'rating',
    'camera',
    ...LATER
  ]),
  termsOf,
  labelTerm: (field, label) => `${field}\0${label.trim()}`,
  wordsOf,
  wordsIn: photo => wordsOf(textOf(photo)),
  prefixesOf: wordsOf
}

/** Without a time line, and without parts. */
export const INDEX_LANGUAGE_2: IndexLanguage = {
  ...INDEX_LANGUAGE,
  version: 2,
  lacks: new Set([ENTRY, TIMELINE, 'pair', 'place', ...LATER]),
  termsOf: termsOf2
}

/** Without marks, and with one trash. */
export const INDEX_LANGUAGE_3: IndexLanguage = {
  ...INDEX_LANGUAGE,
  version: 3,
  lacks: new Set(['place', ...LATER]),
  termsOf: record => termsOf3(record)
}

/** As {@link INDEX_LANGUAGE_3}, with names of places. */
export function placedLanguage4(places: Places): IndexLanguage {
  return {
    ...placedLanguage(places),
    version: 4,
    lacks: new Set(LATER),
    termsOf: record => termsOf3(record, places)
  }
}

/** Without owners. */
export const INDEX_LANGUAGE_5: IndexLanguage = {
  ...INDEX_LANGUAGE,
  version: 5,
  lacks: new Set(['place', ...LATER_THAN_5]),
  termsOf: record => INDEX_LANGUAGE.termsOf(record).filter(term => !isOneOf(LATER_THAN_5, term))
}

/** As {@link INDEX_LANGUAGE_5}, with names of places. */
export function placedLanguage6(places: Places): IndexLanguage {
  const placed = placedLanguage(places)
  return {
    ...placed,
    version: 6,
    lacks: new Set(LATER_THAN_5),
    termsOf: record => placed.termsOf(record).filter(term => !isOneOf(LATER_THAN_5, term))
  }
}

/** Without audiences. */
export const INDEX_LANGUAGE_7: IndexLanguage = {
  ...INDEX_LANGUAGE,
  version: 7,
  lacks: new Set(['place', ...LATER_THAN_7]),
  termsOf: record => INDEX_LANGUAGE.termsOf(record).filter(term => !isOneOf(LATER_THAN_7, term))
}

/** As {@link INDEX_LANGUAGE_7}, with names of places. */
export function placedLanguage8(places: Places): IndexLanguage {
  const placed = placedLanguage(places)
  return {
    ...placed,
    version: 8,
    lacks: new Set(LATER_THAN_7),
    termsOf: record => placed.termsOf(record).filter(term => !isOneOf(LATER_THAN_7, term))
  }
}

/** Without what somebody's photos take. */
export const INDEX_LANGUAGE_9: IndexLanguage = {
  ...INDEX_LANGUAGE,
  version: 9,
  lacks: new Set(['place', ...LATER_THAN_9])
}

/** As {@link INDEX_LANGUAGE_9}, with names of places. */
export function placedLanguage10(places: Places): IndexLanguage {
  return { ...placedLanguage(places), version: 10, lacks: new Set(LATER_THAN_9) }
}

function termsOf3(record: DirectoryRecord, places?: Places): string[] {
  const photo = photoOf(record)
  if (photo === undefined) return []
  const terms = photo.deleted ? trashTerms(photo, false) : termsOfPhoto(photo, places, NO_MARKS)
  return terms.filter(term => !isOneOf(LATER, term))
}

function termsOf2(record: DirectoryRecord): string[] {
  const photo = photoOf(record)
  if (photo === undefined) return []
  if (photo.deleted) return termsOf3(record)
  const terms = new Set<string>()
  addBasics(terms, photo)
  addListed(terms, photo)
  return [...terms].sort()
}

function termsOf(record: DirectoryRecord): string[] {
  const photo = photoOf(record)
  if (photo === undefined || photo.deleted) return []
  const terms = new Set<string>()
  addBasics(terms, photo)
  for (const tag of photo.tags) terms.add(`tag\0${tag}`)
  for (const album of photo.albums) terms.add(`album\0${album}`)
  for (const word of wordsOf(textOf(photo))) terms.add(`word\0${word}`)
  return [...terms].sort()
}

function wordsOf(text: string): string[] {
  const words = new Set<string>()
  for (const [word] of text
    .normalize('NFKC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    if (words.size === WORDS_MAX) break
    words.add(word.length <= WORD_CHARACTERS_MAX ? word : [...word].slice(0, WORD_CHARACTERS_MAX).join(''))
  }
  return [...words]
}
