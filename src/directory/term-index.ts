import { HLC_MAX, HLC_ZERO } from '../domain/hlc.js'
import { viewPhoto } from '../domain/photo.js'
import type { DirectoryRecord } from '../domain/record.js'
import { termsOf } from '../domain/terms.js'
import { positionBytes } from './keys.js'

/** The entries of one record in the inverted index: its terms, each at the record's position. */
export interface IndexEntries {
  /** Sorted and unique; empty if the record is not indexed. */
  readonly terms: readonly string[]
  /** (birth hlc, photo id), see keys.ts; undefined when there are no terms. */
  readonly position: Buffer | undefined
}

const NOTHING: IndexEntries = { terms: [], position: undefined }

/** @returns the index entries of a record; none for deleted or malformed photos and other kinds */
export function indexEntries(record: DirectoryRecord | undefined): IndexEntries {
  const terms = record === undefined ? [] : termsOf(record)
  if (record === undefined || terms.length === 0) return NOTHING
  const { id, createdAt } = viewPhoto(record)
  // A record under another spelling of an id cannot be requested by clients; a stamp beyond 64 bits cannot be sorted.
  const listed = id === record.id && createdAt >= HLC_ZERO && createdAt <= HLC_MAX
  return listed ? { terms, position: positionBytes(createdAt, id) } : NOTHING
}

const COUNTED = new Set(['all', 'looked', 'linked', 'tag', 'album', 'type', 'features', 'head', 'state'])

/** @returns whether the term has a counter, so that a listing knows its total without a scan; for names with few values */
export function isCounted(term: string): boolean {
  const end = term.indexOf('\0')
  return COUNTED.has(end === -1 ? term : term.slice(0, end))
}

/** The index entries to remove and to add when a record changes. */
export interface IndexChange {
  readonly removed: IndexEntries
  readonly added: IndexEntries
}

export function indexChange(before: IndexEntries, after: IndexEntries): IndexChange {
  const { position } = before
  if (position === undefined || after.position === undefined || !position.equals(after.position))
    return { removed: before, added: after }
  const old = new Set(before.terms)
  const now = new Set(after.terms)
  return {
    removed: { terms: before.terms.filter(term => !now.has(term)), position },
    added: { terms: after.terms.filter(term => !old.has(term)), position }
  }
}
