import { PackedIds } from '../domain/packed-ids.js'
import type { Filters } from './cursor.js'
import { photoIdOfPosition } from './index-keys.js'
import { IndexReader, type IndexReaderInit } from './index-reader.js'
import { Matches } from './matches.js'
import { type Position, positionBytesOf } from './positions.js'
import { boundsOf, filtersOf, type QueryBase, requireLanguage } from './query.js'
import { matchingInTimeline } from './timeline.js'

/** Positions that are asked for at once. */
const AT_ONCE = 1_000

export interface AllMatchesInit extends Omit<IndexReaderInit, 'order'> {
  /** Whether it is what the time line shows of these photos, and not what lists do. */
  readonly inTimeline: boolean
  /** One id more than that says that there are more. */
  readonly max: number
}

/**
 * All photos that match, as of one snapshot: what is written while it reads changes nothing. Reads no records.
 *
 * @returns their ids, newest first, no more than `max` + 1
 * @throws `ERR_INDEX_BUILDING`, the signal's reason
 */
export async function readAllMatches(base: QueryBase, filters: Filters, init: AllMatchesInit): Promise<PackedIds> {
  const { inTimeline, max, ...readerInit } = init
  const { order = 'added' } = filters
  const reader = new IndexReader(base.database, base.index, { ...readerInit, order })
  try {
    const ids = new PackedIds()
    for await (const positions of inTimeline
      ? matchingInTimeline(base, reader, filters)
      : matching(base, reader, filters)) {
      for (const position of positions) {
        ids.add(photoIdOfPosition(positionBytesOf(position)))
        if (ids.size > max) return ids
      }
    }
    return ids
  } finally {
    await reader.close()
  }
}

async function* matching(base: QueryBase, reader: IndexReader, query: Filters): AsyncGenerator<Position[]> {
  const filters = filtersOf(query)
  requireLanguage(base.index, filters)
  const { top, floor } = boundsOf(filters)
  const matches = await Matches.open(reader, filters)
  matches.skipTo(top)
  while (matches.bound !== undefined && matches.bound >= floor)
    yield (await matches.next(AT_ONCE)).filter(position => position >= floor)
}
