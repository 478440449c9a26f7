/*
 * Terms of a record in the inverted index. A term is a name, or a name, U+0000 and a value:
 *
 *   name             value
 *   all              –: every live photo
 *   tag, album       as they are spelled
 *   type             the content type in lower case, without parameters, and its first part: 'image/jpeg' and 'image'
 *   sha256, idem     lower-case hex: SHA-256 of the original's bytes, of the Idempotency-Key
 *   word             a word of name or caption
 *   looked           –: photos that were analyzed as images
 *   head             version of the reader: photos whose file's head it has read
 *   state            how much of the picture there is, or 'pending'; of photos whose head was read
 *   features         model id: photos that the model has analyzed, successfully or not
 *   linked           –: photos with a link to a similar one
 *   link             id of the similar photo
 */
import { hasCode } from '../core/errors.js'
import { type Findings, viewFindings } from './findings.js'
import { PHOTO_KIND, type Photo, viewPhoto } from './photo.js'
import type { DirectoryRecord } from './record.js'

/** Distinct words indexed per photo, the first ones. */
export const WORDS_MAX = 32
/** Characters indexed of a word; the rest is cut off. */
export const WORD_CHARACTERS_MAX = 64

/** @returns the terms, sorted and unique; none for deleted photos, other kinds and malformed photos */
export function termsOf(record: DirectoryRecord): string[] {
  const photo = record.kind === PHOTO_KIND ? photoOf(record) : undefined
  if (photo === undefined || photo.deleted) return []
  const terms = new Set(['all', `sha256\0${photo.sha256}`])
  for (const tag of photo.tags) terms.add(`tag\0${tag}`)
  for (const album of photo.albums) terms.add(`album\0${album}`)
  const type = photo.contentType.toLowerCase().split(';', 1)[0]?.trim() ?? ''
  terms.add(`type\0${type}`).add(`type\0${type.split('/', 1)[0]}`)
  if (photo.idempotency !== undefined) terms.add(`idem\0${photo.idempotency}`)
  addFindings(terms, viewFindings(record))
  for (const word of wordsOf(`${photo.name} ${photo.caption ?? ''}`)) terms.add(`word\0${word}`)
  return [...terms].sort()
}

function addFindings(terms: Set<string>, { head, image, features, failed, links }: Findings): void {
  if (image !== undefined) terms.add('looked')
  // of other photos versions before this one have no such terms in their index
  if (head !== undefined) terms.add(`head\0${head.reader}`).add(`state\0${image?.state ?? 'pending'}`)
  for (const model of [...features.keys(), ...failed.keys()]) terms.add(`features\0${model}`)
  for (const other of links.keys()) terms.add('linked').add(`link\0${other}`)
}

/** @returns the first distinct words of a text: NFKC, lower case, split at everything but letters, marks and digits */
export function wordsOf(text: string): string[] {
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

/** A malformed record of a faulty node is not listed, but must not stop the directory. */
function photoOf(record: DirectoryRecord): Photo | undefined {
  try {
    return viewPhoto(record)
  } catch (error) {
    if (hasCode(error, 'ERR_RECORD_MALFORMED')) return undefined
    throw error
  }
}
