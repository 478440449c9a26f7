import { audienceDigest } from '../domain/audience.js'
import { HLC_MAX, HLC_ZERO, hlcMs } from '../domain/hlc.js'
import { viewPhoto } from '../domain/photo.js'
import { localMs } from '../domain/photo-facts.js'
import type { DirectoryRecord } from '../domain/record.js'
import { ARCHIVED_TIMELINE, AUDIENCE, ENTRY, INDEX_LANGUAGE, type IndexLanguage, TIMELINE } from '../domain/terms.js'
import { tileOf } from '../domain/tile.js'
import { type PhotoUsage, USED, usageCounter, usageOf } from '../domain/usage.js'
import { addedPosition, type Order, takenPosition } from './index-keys.js'
import { sameBytes } from './record-fold.js'

/** Terms of one record, each of which has a row at the record's position. */
export interface Postings {
  /** Sorted and unique; empty if the record is not indexed. */
  readonly terms: readonly string[]
  /** See keys.ts; undefined when there are no terms. */
  readonly position: Buffer | undefined
  /** The value of its row of a term `timeline`, which it has or has not. */
  readonly tile: Uint8Array | undefined
  /** The digest of its audience, and the value of its row of the term `all`; undefined: its index has none. All other values are empty. */
  readonly audience: Uint8Array | undefined
  /** What it counts of its owner's quota; undefined: nothing, or its index does not count that. */
  readonly used: PhotoUsage | undefined
}

/** The entries of one record in the inverted index. */
export type IndexEntries = Readonly<Record<Order, Postings>>

const NO_BYTES = new Uint8Array(0)
/** Terms whose rows have values. */
const VALUED = ['all', TIMELINE, ARCHIVED_TIMELINE]
const NO_POSTINGS: Postings = { terms: [], position: undefined, tile: undefined, audience: undefined, used: undefined }
const NOTHING: IndexEntries = { added: NO_POSTINGS, taken: NO_POSTINGS }

/** @returns the index entries of a record; none for malformed photos and other kinds */
export function indexEntries(
  record: DirectoryRecord | undefined,
  language: Pick<IndexLanguage, 'termsOf' | 'isDated' | 'lacks'> = INDEX_LANGUAGE
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
  const audience = audienceIn(terms)
  const used = language.lacks.has(USED) ? undefined : usageOf(photo)
  const added = { terms, position, tile, audience, used }
  const dated = language.isDated ? terms.filter(isDated) : []
  if (dated.length === 0) return { added, taken: NO_POSTINGS }
  const ms = takenAt === undefined ? hlcMs(createdAt) : localMs(takenAt)
  return { added, taken: { ...NO_POSTINGS, terms: dated, position: takenPosition(ms, position), tile, audience } }
}

/** @returns the digest of the audience that is among the terms */
function audienceIn(terms: readonly string[]): Uint8Array | undefined {
  const start = `${AUDIENCE}\0`
  const term = terms.find(one => one.startsWith(start))
  return term === undefined ? undefined : audienceDigest(term.slice(start.length))
}

/** @returns what the row of a term holds beside its key */
export function postingValue(term: string, { tile, audience }: Postings): Uint8Array {
  return (hasTile(term) ? tile : term === 'all' ? audience : undefined) ?? NO_BYTES
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
  'trash-owner',
  'emptied',
  'emptied-owner',
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
  AUDIENCE,
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
  'owner',
  AUDIENCE
])
/** Counted terms of which those of each audience are counted, too. */
const COUNTED_FOR_EACH = new Set([
  'all',
  ENTRY,
  'favourite',
  'archived',
  'trait',
  'tag',
  'album',
  'spelled',
  'type',
  'kind',
  'rating',
  'state'
])

/** @returns whether the term has a counter, so that a listing knows its total without a scan; for names with few values */
export function isCounted(term: string): boolean {
  return COUNTED.has(nameOf(term))
}

/** @returns whether there are counters of the term for each audience, see {@link audienceCounter} */
export function isCountedForEach(term: string): boolean {
  return COUNTED_FOR_EACH.has(nameOf(term))
}

/** @returns the name of the counter of photos with the term and that audience: no photo has it as a term */
export function audienceCounter(term: string, audience: Uint8Array): string {
  return `${audienceCounters(audience)}${term}`
}

/** @returns what the names of all counters of an audience begin with, before the term */
export function audienceCounters(audience: Uint8Array): string {
  return `of\0${Buffer.from(audience).toString('hex')}\0`
}

/** @returns by how much a photo changes counters that are of no term, by their names: those for each audience, and those of what is used */
export function countersBeside({ terms, audience, used }: Postings): Map<string, number> {
  const counters = new Map<string, number>()
  if (audience !== undefined)
    for (const term of terms) if (isCountedForEach(term)) counters.set(audienceCounter(term, audience), 1)
  if (used !== undefined)
    counters.set(usageCounter(used.owner, 'photos'), 1).set(usageCounter(used.owner, 'bytes'), used.bytes)
  return counters
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
  // days are counted for each audience
  const isElsewhere = !sameBytes(before.audience ?? NO_BYTES, after.audience ?? NO_BYTES)
  const isOther = (term: string): boolean =>
    isElsewhere || !sameBytes(postingValue(term, before), postingValue(term, after))
  for (const term of VALUED) if (isOther(term)) for (const terms of [old, now]) terms.delete(term)
  return {
    removed: { ...before, terms: before.terms.filter(term => !now.has(term)) },
    added: { ...after, terms: after.terms.filter(term => !old.has(term)) }
  }
}
