import { SheafError } from '../core/errors.js'
import type { DirectoryRecord } from '../domain/record.js'
import { decodeCursor, encodeCursor, type Filters } from './cursor.js'
import type { Database } from './database.js'
import { IndexReader, type IndexReaderInit } from './index-reader.js'
import { Matches } from './matches.js'
import { before, type Position, positionBytesOf, positionText, TOP } from './positions.js'
import { isCounted } from './term-index.js'

export interface DirectoryQuery {
  /** Terms as in `termsOf`; a photo must have all of them. Without terms and words: all live photos. */
  readonly terms: readonly string[]
  /** Lower-case prefixes; the photo must have a word for each. */
  readonly words: readonly string[]
  /** Records per page, 1…1000. */
  readonly limit: number
  /** `nextCursor` of the previous page, with the same filters. */
  readonly cursor?: string
  /** Whether all that match are counted, whatever that costs. Default: as far as it costs little. */
  readonly countsAll?: boolean
}

export interface DirectoryPage {
  /** Newest first by (birth hlc, photo id). */
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
  count(term: string): number
}

/**
 * Answers one page from one snapshot. The photos are found newest first, and no more of them than the page needs: so a page
 * costs the same however many match. The total of one counted term is known; else it is counted.
 *
 * @throws `ERR_BAD_PARAMETER`, `ERR_BAD_CURSOR`; {@link DamageError} when index and records are inconsistent; the signal's reason
 */
export async function runQuery(
  base: QueryBase,
  query: DirectoryQuery,
  init: IndexReaderInit = {}
): Promise<DirectoryPage> {
  const { limit } = query
  if (!Number.isInteger(limit) || limit < 1 || limit > QUERY_LIMIT_MAX) {
    throw new SheafError('ERR_BAD_PARAMETER', `limit must be a whole number from 1 to ${QUERY_LIMIT_MAX}`)
  }
  const words = [...new Set(query.words)].filter(word => word !== '')
  const terms = [...new Set(query.terms)]
  if (terms.length === 0 && words.length === 0) terms.push('all')
  const filters: Filters = { terms, words }
  const from = query.cursor === undefined ? TOP : before(positionText(decodeCursor(query.cursor, filters)))
  const counter = counterOf(filters)
  const reader = new IndexReader(base.database, init)
  try {
    const found = await findPage(reader, filters, { ...query, from, isCounted: counter === undefined })
    const page = found.positions.slice(0, limit)
    const last = page.at(-1)
    const hasMore = found.positions.length > limit
    return {
      records: await reader.records(page, filters),
      total: counter === undefined ? found.matched : base.count(counter),
      isTotalExact: counter !== undefined || found.isMatchedExact,
      nextCursor: hasMore && last !== undefined ? encodeCursor(positionBytesOf(last), filters) : null
    }
  } finally {
    await reader.close()
  }
}

/** @returns the term whose counter is the total; undefined: there is none */
function counterOf({ terms, words }: Filters): string | undefined {
  const [only, ...others] = terms.length > 1 ? terms.filter(term => term !== 'all') : terms
  return words.length === 0 && others.length === 0 && only !== undefined && isCounted(only) ? only : undefined
}

interface PageQuery extends DirectoryQuery {
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

async function findPage(reader: IndexReader, filters: Filters, query: PageQuery): Promise<FoundPage> {
  const { limit, from, countsAll = false } = query
  const matches = await Matches.open(reader, filters)
  const positions: Position[] = []
  let matched = 0
  let isMatchedExact = true
  while (matches.bound !== undefined) {
    const isCounting = query.isCounted && (countsAll || reader.cost <= reader.sizes.counted)
    if (!isCounting && positions.length > limit) break
    if (!isCounting && matches.bound > from) {
      isMatchedExact = false
      matches.skipTo(from)
    }
    const wanted = isCounting ? QUERY_LIMIT_MAX : limit + 1 - positions.length
    for (const position of await matches.next(wanted)) {
      matched++
      if (position <= from && positions.length <= limit) positions.push(position)
    }
  }
  return { positions, matched, isMatchedExact: isMatchedExact && matches.bound === undefined }
}
