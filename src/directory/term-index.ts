import { HLC_MAX, HLC_ZERO, hlcMs } from '../domain/hlc.js'
import { viewPhoto } from '../domain/photo.js'
import { localMs } from '../domain/photo-facts.js'
import type { DirectoryRecord } from '../domain/record.js'
import { ARCHIVED_TIMELINE, ENTRY, INDEX_LANGUAGE, type IndexLanguage, TIMELINE } from '../domain/terms.js'
import { tileOf } from '../domain/tile.js'
import { addedPosition, type Order, takenPosition } from './index-keys.js'
import { sameBytes } from './record-fold.js'

/** Terms of one record, each of which has a row at the record's position. */
export interface Postings {
  /** Sorted and unique; empty if the record is not indexed. */
  readonly terms: readonly string[]
  /** See keys.ts; undefined when there are no terms. */
  readonly position: Buffer | undefined
  /** The value of its row of a term `timeline`, which it has or has not; all others are empty. */
  readonly tile: Uint8Array | undefined
}

/** The entries of one record in the inverted index. */
export type IndexEntries = Readonly<Record<Order, Postings>>

const NO_BYTES = new Uint8Array(0)
const NO_POSTINGS: Postings = { terms: [], position: undefined, tile: undefined }
const NOTHING: IndexEntries = { added: NO_POSTINGS, taken: NO_POSTINGS }

/** @returns the index entries of a record; none for malformed photos and other kinds */
export function indexEntries(
  record: DirectoryRecord | undefined,
  language: Pick<IndexLanguage, 'termsOf' | 'isDated'> = INDEX_LANGUAGE
): IndexEntries {
  const terms = record === undefined ? [] : language.termsOf(record)
  if (record === undefined || terms.length === 0) return NOTHING
  const photo = viewPhoto(record)
  const { id, createdAt, deleted, version, takenAt } = photo
  const stamp = deleted ? version.hlc : createdAt
  // A record under another spelling of an id cannot be requested by clients; a stamp beyond 64 bits cannot be sorted.
  if (id !== record.id || stamp < HLC_ZERO || stamp > HLC_MAX) return NOTHING
  const position = addedPosition(stamp, id)
  const tile = terms.some(hasTile) ? tileOf(photo) : undefined
  const added = { terms, position, tile }
  const dated = language.isDated ? terms.filter(isDated) : []
  if (dated.length === 0) return { added, taken: NO_POSTINGS }
  const ms = takenAt === undefined ? hlcMs(createdAt) : localMs(takenAt)
  return { added, taken: { terms: dated, position: takenPosition(ms, position), tile } }
}

/** @returns what the row of a term holds beside its key */
export function postingValue(term: string, { tile }: Postings): Uint8Array {
  return hasTile(term) ? (tile ?? NO_BYTES) : NO_BYTES
}

/** @returns whether rows of the term hold tiles, and belong to days */
export function hasTile(term: string): boolean {
  return term === TIMELINE || term === ARCHIVED_TIMELINE
}

const COUNTED = new Set([
  'all',
  ENTRY,
  TIMELINE,
  'favourite',
  'archived',
  'trait',
  'trash',
  'emptied',
  'looked',
  'unhashed',
  'linked',
  'tag',
  'album',
  'spelled',
  'type',
  'kind',
  'rating',
  'owner',
  'features',
  'head',
  'state'
])
const DATED = new Set([
  'all',
  ENTRY,
  TIMELINE,
  'favourite',
  'archived',
  'trait',
  'tag',
  'album',
  'kind',
  'rating',
  'owner'
])

/** @returns whether the term has a counter, so that a listing knows its total without a scan; for names with few values */
export function isCounted(term: string): boolean {
  return COUNTED.has(nameOf(term))
}

/** @returns whether photos with the term can be read in the order in which they were taken */
export function isDated(term: string): boolean {
  return DATED.has(nameOf(term))
}

/** @returns whether photos can be asked for by the term: other versions may have more */
export function isTermOf({ lacks }: IndexLanguage, term: string): boolean {
  return !lacks.has(nameOf(term))
}

function nameOf(term: string): string {
  const end = term.indexOf('\0')
  return end === -1 ? term : term.slice(0, end)
}

/** The postings to remove and to add when a record changes. */
export interface PostingsChange {
  readonly removed: Postings
  readonly added: Postings
}

export function postingsChange(before: Postings, after: Postings): PostingsChange {
  const { position } = before
  if (position === undefined || after.position === undefined || !position.equals(after.position))
    return { removed: before, added: after }
  const old = new Set(before.terms)
  const now = new Set(after.terms)
  if (!sameBytes(before.tile ?? NO_BYTES, after.tile ?? NO_BYTES))
    for (const terms of [old, now]) for (const term of [TIMELINE, ARCHIVED_TIMELINE]) terms.delete(term)
  return {
    removed: { ...before, terms: before.terms.filter(term => !now.has(term)) },
    added: { ...after, terms: after.terms.filter(term => !old.has(term)) }
  }
}
