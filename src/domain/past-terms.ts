import type { DirectoryRecord } from './record.js'
import {
  addBasics,
  addListed,
  ENTRY,
  INDEX_LANGUAGE,
  type IndexLanguage,
  photoOf,
  TIMELINE,
  textOf,
  trashTerms
} from './terms.js'
import { WORD_CHARACTERS_MAX } from './text.js'

const WORDS_MAX = 32

/** Labels as they are spelled, words with their accents. An index that it was written in is kept until it is made anew. */
export const INDEX_LANGUAGE_1: IndexLanguage = {
  version: 1,
  isDated: false,
  lacks: new Set([ENTRY, TIMELINE, 'pair', 'place', 'trash', 'trashed', 'spelled', 'kind', 'rating', 'camera']),
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
  lacks: new Set([ENTRY, TIMELINE, 'pair', 'place']),
  termsOf: termsOf2
}

function termsOf2(record: DirectoryRecord): string[] {
  const photo = photoOf(record)
  if (photo === undefined) return []
  if (photo.deleted) return trashTerms(photo)
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
