import { SheafError } from '../core/errors.js'
import type { AudienceSet } from '../domain/audience.js'
import type { DirectoryRecord } from '../domain/record.js'
import { AUDIENCE, ENTRY } from '../domain/terms.js'
import { decodeCursor, encodeCursor, type Filters } from './cursor.js'
import type { Database } from './database.js'
import { orderBytes, termRange } from './index-keys.js'
import { IndexReader, type IndexReaderInit } from './index-reader.js'
import type { Index } from './index-state.js'
import { readCountOf } from './labels.js'
import { Matches } from './matches.js'
import { before, type Position, positionBytesOf, positionOf, positionText, TOP } from './positions.js'
import { isCounted, isCountedForEach, isTermOf } from './term-index.js'

/**
 * A photo must have all terms of the index's language, and for each of the words one that begins so. Without any: all live
 * photos.
 */
export interface DirectoryQuery extends Filters {
  /** Records per page, 1…1000. */
  readonly limit: number
  /** `nextCursor` of the previous page, with the same filters. */
  readonly cursor?: string
  /** Whether all that match are counted, whatever that costs. Default: as far as it costs little. */
  readonly countsAll?: boolean
}

export interface DirectoryPage {
  /** Newest first. */
  readonly records: DirectoryRecord[]
  /** Photos that match, on all pages together; at least so many unless `isTotalExact`. */
  readonly total: number
  readonly isTotalExact: boolean
  /** null on the last page. */
  readonly nextCursor: string | null
}

const QUERY_LIMIT_MAX = 1_000

export interface QueryBase {
  readonly database: Database
  readonly index: Index
  count(term: string): number
}

/**
 * Answers one page from one snapshot. The photos are found newest first, and no more of them than the page needs: so a page
 * costs the same however many match. The total of one counted term is known; else it is counted.
 *
 * @throws `ERR_BAD_PARAMETER`, `ERR_BAD_CURSOR`, `ERR_INDEX_BUILDING`; {@link DamageError} when index and records are inconsistent; the signal's reason
 */
export async function runQuery(
  base: QueryBase,
  query: DirectoryQuery,
  init: Omit<IndexReaderInit, 'order'> = {}
): Promise<DirectoryPage> {
  const { limit, order = 'added' } = query
  if (!Number.isInteger(limit) || limit < 1 || limit > QUERY_LIMIT_MAX) {
    throw new SheafError('ERR_BAD_PARAMETER', `limit must be a whole number from 1 to ${QUERY_LIMIT_MAX}`)
  }
  const filters = filtersOf(query)
  requireLanguage(base.index, filters)
  const { top, floor } = boundsOf(filters)
  const from = query.cursor === undefined ? top : before(positionText(decodeCursor(query.cursor, filters)))
  const counter = counterOf(base, filters)
  const counted = counter === undefined ? undefined : await countOf(base, counter, filters.audiences)
  const reader = new IndexReader(base.database, base.index, { ...init, order })
  try {
    const found = await findPage(
      reader,
      { ...query, ...filters },
      { top, from, floor, isCounted: counted === undefined }
    )
    const page = found.positions.slice(0, limit)
    const last = page.at(-1)
    const hasMore = found.positions.length > limit
    return {
      records: await reader.records(page, filters),
      total: counted ?? found.matched,
      isTotalExact: counted !== undefined || found.isMatchedExact,
      nextCursor: hasMore && last !== undefined ? encodeCursor(positionBytesOf(last), filters) : null
    }
  } finally {
    await reader.close()
  }
}

/**
 * The newest photos with one term, for who needs no total: at a fraction of what a page costs, most of all where there is none.
 *
 * @param limit - 1…100
 * @throws `ERR_INDEX_BUILDING`; {@link DamageError} when index and records are inconsistent; the signal's reason
 */
export async function newestWith(
  { database, index }: Pick<QueryBase, 'database' | 'index'>,
  term: string,
  limit: number,
  init: Pick<IndexReaderInit, 'signal'> = {}
): Promise<DirectoryRecord[]> {
  const filters: Filters = { terms: [term], words: [] }
  requireLanguage(index, filters)
  const reader = new IndexReader(database, index, init)
  try {
    const keys = await reader.read(reader.iterate(termRange(reader.table, term), true), limit)
    const positions = keys.map(key => positionOf(key))
    return await reader.records(positions, filters)
  } finally {
    await reader.close()
  }
}

/** @returns what is asked for, in one form: without any filter, all live photos */
export function filtersOf(query: Filters): Filters {
  const words = [...new Set(query.words)].filter(word => word !== '')
  const terms = [...new Set(query.terms)]
  const { anyOf = [], order = 'added', fromMs, toMs, audiences } = query
  if (terms.length === 0 && words.length === 0 && anyOf.length === 0) terms.push('all')
  return { terms, words, anyOf, order, fromMs, toMs, audiences }
}

/** @returns what positions between the times are at or below, and at or above */
export function boundsOf({ order = 'added', fromMs, toMs }: Filters): { top: Position; floor: Position } {
  return {
    top: toMs === undefined ? TOP : positionText(orderBytes(order, toMs)),
    floor: fromMs === undefined ? '' : positionText(orderBytes(order, fromMs))
  }
}

/** @throws `ERR_INDEX_BUILDING` */
export function requireLanguage({ language }: Index, { terms, anyOf = [], order, audiences }: Filters): void {
  const isKnown = [...terms, ...anyOf.flat(), ...(audiences === undefined ? [] : [AUDIENCE])].every(term =>
    isTermOf(language, term)
  )
  if (!isKnown || (order === 'taken' && !language.isDated)) throw new SheafError('ERR_INDEX_BUILDING')
}

/** @returns the term whose counter is the total; undefined: there is none */
function counterOf(base: QueryBase, { terms, words, anyOf = [], fromMs, toMs }: Filters): string | undefined {
  if (words.length > 0 || anyOf.length > 0 || fromMs !== undefined || toMs !== undefined) return undefined
  const isEveryone = (term: string): boolean =>
    term === 'all' || (term === ENTRY && base.count(ENTRY) === base.count('all'))
  const [only, ...others] = terms.length > 1 ? terms.filter(term => !isEveryone(term)) : terms
  return others.length === 0 && only !== undefined && isCounted(only) ? only : undefined
}

/** @returns how many photos have a counted term; undefined: those of some audiences are not counted */
async function countOf(base: QueryBase, term: string, audiences: AudienceSet | undefined): Promise<number | undefined> {
  if (audiences === undefined) return base.count(term)
  return isCountedForEach(term) ? readCountOf(base.database, base.index, term, audiences) : undefined
}

interface PageBounds {
  /** Nothing above it, and nothing below `floor`, is wanted. */
  readonly top: Position
  readonly floor: Position
  /** The page is at or below it. */
  readonly from: Position
  /** Whether the photos of other pages are counted. */
  readonly isCounted: boolean
}

interface FoundPage {
  /** One more than the page has, if there is one. */
  readonly positions: readonly Position[]
  /** Photos that match, as far as they were counted. */
  readonly matched: number
  readonly isMatchedExact: boolean
}

async function findPage(
  reader: IndexReader,
  query: DirectoryQuery,
  { top, from, floor, ...bounds }: PageBounds
): Promise<FoundPage> {
  const { limit, countsAll = false } = query
  const matches = await Matches.open(reader, query)
  if (top !== TOP) matches.skipTo(top)
  const positions: Position[] = []
  let matched = 0
  let isMatchedExact = true
  const isAtEnd = (): boolean => matches.bound === undefined || matches.bound < floor
  while (matches.bound !== undefined && !isAtEnd()) {
    const isCounting = bounds.isCounted && (countsAll || reader.cost <= reader.sizes.counted)
    if (!isCounting && positions.length > limit) break
    if (!isCounting && matches.bound > from) {
      isMatchedExact = false
      matches.skipTo(from)
    }
    const wanted = isCounting ? QUERY_LIMIT_MAX : limit + 1 - positions.length
    for (const position of await matches.next(wanted)) {
      if (position < floor) return { positions, matched, isMatchedExact }
      matched++
      if (position <= from && positions.length <= limit) positions.push(position)
    }
  }
  return { positions, matched, isMatchedExact: isMatchedExact && isAtEnd() }
}
