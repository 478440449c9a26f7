import { crc32 } from '@node-rs/crc32'
import { SheafError } from '../core/errors.js'
import { type BucketRange, parseBucketKey } from '../domain/bucket-key.js'
import { type Day, dayAfter, dayOf, dayStartMs, FIRST_DAY, LAST_DAY } from '../domain/day.js'
import type { PhotoId } from '../domain/ids.js'
import { TIMELINE } from '../domain/terms.js'
import { readTile, type Tile } from '../domain/tile.js'
import { type Bucket, bucketsOf, type DayRuns, type Run, revisionOf } from './buckets.js'
import type { Filters } from './cursor.js'
import { DamageError } from './damage.js'
import { type DayCount, EMPTY_DAY } from './days.js'
import { msOfPosition, orderBytes, photoIdOfPosition } from './index-keys.js'
import { IndexReader, type IndexReaderInit } from './index-reader.js'
import { Matches } from './matches.js'
import { type Position, positionBytesOf, positionText, TOP } from './positions.js'
import { type QueryBase, requireLanguage } from './query.js'

/** Photos and videos as they follow each other, in buckets. */
export interface Timeline {
  readonly total: number
  /** Another one when any of the buckets has another one. */
  readonly revision: string
  /** Newest first. */
  readonly buckets: readonly Bucket[]
}

export interface TimelineTile extends Tile {
  readonly id: PhotoId
  /** As in the order that was asked for, ms, as if in UTC. */
  readonly ms: number
}

export interface TimelineBucket {
  readonly revision: string
  /** Newest first. */
  readonly tiles: readonly TimelineTile[]
}

type Init = Omit<IndexReaderInit, 'order'>

/** Of all photos it costs a row a day; else, and for days with very many, what reading their positions does. */
export async function readTimeline(base: QueryBase, filters: Filters, init: Init = {}): Promise<Timeline> {
  const sought = soughtBy(base, filters)
  const reader = new IndexReader(base.database, base.index, { ...init, order: sought.order })
  try {
    const counts = await reader.days()
    const days: DayRuns[] = []
    if (isWhole(sought)) {
      for (const [day, all] of [...counts].reverse()) {
        const isCut = all.count > reader.sizes.bucket
        days.push(...(isCut ? await matchedDays(reader, sought, { from: day, to: day }, counts) : [wholeDay(day, all)]))
      }
    } else days.push(...(await matchedDays(reader, sought, { from: FIRST_DAY, to: LAST_DAY }, counts)))
    const buckets = bucketsOf(days, reader.sizes.bucket)
    const total = buckets.reduce((sum, { count }) => sum + count, 0)
    return { total, revision: revisionOf(days), buckets }
  } finally {
    await reader.close()
  }
}

/** @throws `ERR_NO_SUCH_BUCKET` for what is no key, and where there are more photos by now than a bucket has */
export async function readBucket(
  base: QueryBase,
  filters: Filters,
  key: string,
  init: Init = {}
): Promise<TimelineBucket> {
  const range = parseBucketKey(key)
  if (range === undefined) throw new SheafError('ERR_NO_SUCH_BUCKET')
  const sought = soughtBy(base, filters)
  const reader = new IndexReader(base.database, base.index, { ...init, order: sought.order })
  try {
    const counts = await reader.days(range)
    const positions: Position[] = []
    for await (const position of matching(reader, sought, range)) {
      if (positions.push(position) > reader.sizes.bucket) throw new SheafError('ERR_NO_SUCH_BUCKET')
    }
    const days = new DayRunner(reader, counts, isWhole(sought))
    for (const position of positions) days.add(position)
    return { revision: revisionOf(days.finish()), tiles: await tilesAt(reader, positions) }
  } finally {
    await reader.close()
  }
}

function soughtBy({ index }: QueryBase, filters: Filters): Filters {
  const sought = { ...filters, terms: [...new Set([TIMELINE, ...filters.terms])] }
  requireLanguage(index, sought)
  return sought
}

/** Whether all of the time line is wanted. */
function isWhole({ terms, words, anyOf = [], fromMs, toMs }: Filters): boolean {
  return terms.length === 1 && words.length === 0 && anyOf.length === 0 && fromMs === undefined && toMs === undefined
}

function wholeDay(day: Day, all: DayCount): DayRuns {
  return { day, all, runs: [{ newest: undefined, count: all.count, digest: 0 }] }
}

async function matchedDays(
  reader: IndexReader,
  filters: Filters,
  range: BucketRange,
  counts: ReadonlyMap<Day, DayCount>
): Promise<DayRuns[]> {
  const days = new DayRunner(reader, counts, isWhole(filters))
  for await (const position of matching(reader, filters, range)) days.add(position)
  return days.finish()
}

/** Yields the positions in a range, newest first. */
async function* matching(reader: IndexReader, filters: Filters, range: BucketRange): AsyncGenerator<Position> {
  const { order } = reader
  const { fromMs = -Infinity, toMs = Infinity } = filters
  const firstMs = Math.max(fromMs, range.from === FIRST_DAY ? -Infinity : dayStartMs(range.from))
  const endMs = Math.min(toMs, range.to === LAST_DAY ? Infinity : dayStartMs(dayAfter(range.to)))
  const floor = firstMs === -Infinity ? '' : positionText(orderBytes(order, firstMs))
  const ceiling = endMs === Infinity ? TOP : positionText(orderBytes(order, endMs))
  const { newest = ceiling, below = '' } = range
  const matches = await Matches.open(reader, filters)
  matches.skipTo(newest < ceiling ? newest : ceiling)
  while (matches.bound !== undefined && matches.bound >= floor && matches.bound > below) {
    for (const position of await matches.next(reader.sizes.bucket)) {
      if (position < floor || position <= below) return
      yield position
    }
  }
}

async function tilesAt(reader: IndexReader, positions: readonly Position[]): Promise<TimelineTile[]> {
  const values = await reader.tiles(positions)
  return positions.map((position, i): TimelineTile => {
    const tile = values[i] && readTile(values[i])
    if (tile === undefined) throw new DamageError('the index lists a photo in the time line without its tile')
    const bytes = positionBytesOf(position)
    return { ...tile, id: photoIdOfPosition(bytes), ms: msOfPosition(bytes, reader.order) }
  })
}

/** Makes runs of positions that come newest first. */
class DayRunner {
  readonly #reader: IndexReader
  readonly #counts: ReadonlyMap<Day, DayCount>
  /** Whether all photos of a day match, so that its digest tells of a change. */
  readonly #isWhole: boolean
  readonly #days: DayRuns[] = []
  #day: Day | undefined
  #runs: Run[] = []

  constructor(reader: IndexReader, counts: ReadonlyMap<Day, DayCount>, isWhole: boolean) {
    this.#reader = reader
    this.#counts = counts
    this.#isWhole = isWhole
  }

  add(position: Position): void {
    const bytes = positionBytesOf(position)
    const day = dayOf(msOfPosition(bytes, this.#reader.order))
    if (day !== this.#day) this.#endDay(day)
    const last = this.#runs.at(-1)
    if (last === undefined || last.count === this.#reader.sizes.bucket) {
      const newest = last === undefined ? undefined : position
      this.#runs.push({ newest, count: 1, digest: this.#isWhole ? 0 : crc32(bytes) })
    } else {
      const digest = this.#isWhole ? 0 : crc32(bytes, last.digest)
      this.#runs[this.#runs.length - 1] = { ...last, count: last.count + 1, digest }
    }
  }

  finish(): DayRuns[] {
    this.#endDay(undefined)
    return this.#days
  }

  #endDay(next: Day | undefined): void {
    const day = this.#day
    if (day !== undefined) this.#days.push({ day, all: this.#counts.get(day) ?? EMPTY_DAY, runs: this.#runs })
    this.#runs = []
    this.#day = next
  }
}
