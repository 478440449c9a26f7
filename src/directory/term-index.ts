import { HLC_MAX, HLC_ZERO } from '../domain/hlc.js'
import { viewPhoto } from '../domain/photo.js'
import type { DirectoryRecord } from '../domain/record.js'
import { termsOf } from '../domain/terms.js'
import { positionBytes } from './keys.js'

/** What the inverted index holds of one record: its terms, each at the record's position. */
export interface IndexEntries {
  /** Sorted and unique; empty for what is not indexed. */
  readonly terms: readonly string[]
  /** (birth hlc, photo id), see keys.ts; undefined when there are no terms. */
  readonly position: Buffer | undefined
}

const NOTHING: IndexEntries = { terms: [], position: undefined }

/** @returns the index rows of a record; none for a deleted photo, and for one that a defective node wrote */
export function indexEntries(record: DirectoryRecord | undefined): IndexEntries {
  const terms = record === undefined ? [] : termsOf(record)
  if (record === undefined || terms.length === 0) return NOTHING
  const { id, createdAt } = viewPhoto(record)
  // Another spelling of an id is another record, which no client can ask for; a stamp beyond 64 bits has no place in
  // the order.
  const listed = id === record.id && createdAt >= HLC_ZERO && createdAt <= HLC_MAX
  return listed ? { terms, position: positionBytes(createdAt, id) } : NOTHING
}

const COUNTED = new Set(['all', 'looked', 'linked', 'tag', 'album', 'type', 'features'])

/** Terms with few values are counted with each write, so that a listing knows its total without a scan. */
export function isCounted(term: string): boolean {
  const end = term.indexOf('\0')
  return COUNTED.has(end === -1 ? term : term.slice(0, end))
}

/** What has to change in the index when `before` becomes `after`. */
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
