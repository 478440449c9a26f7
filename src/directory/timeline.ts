import { crc32 } from '@node-rs/crc32'
import { SheafError } from '../core/errors.js'
import { type BucketRange, parseBucketKey } from '../domain/bucket-key.js'
import { type Day, dayAfter, dayOf, dayStartMs, FIRST_DAY, LAST_DAY } from '../domain/day.js'
import type { PhotoId } from '../domain/ids.js'
import { ARCHIVED_TIMELINE, ENTRY, TIMELINE } from '../domain/terms.js'
import { readTile, type Tile } from '../domain/tile.js'
import { type Bucket, bucketsOf, type DayRuns, type Run, revisionOf } from './buckets.js'
import type { Filters } from './cursor.js'
import { DamageError } from './damage.js'
import { type DayCount, EMPTY_DAY } from './days.js'
import { msOfPosition, type Order, orderBytes, photoIdOfPosition } from './index-keys.js'
import { IndexReader, type IndexReaderInit, type TilePosition } from './index-reader.js'
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
    const counts = await reader.days({}, sought.audiences)
    const days: DayRuns[] = []
    if (isWhole(sought)) {
      for (const [day, all] of [...counts].reverse()) {
        if (all.count === 0) continue
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
    const counts = await reader.days(range, sought.audiences)
    const days = new DayRunner(reader, counts, isWhole(sought))
    const found: TilePosition[] = []
    for await (const some of matching(reader, sought, range)) {
      if (found.length + some.length > reader.sizes.bucket) throw new SheafError('ERR_NO_SUCH_BUCKET')
      for (const one of some) found.push(one)
    }
    for (const { position } of found) days.add(position)
    return { revision: revisionOf(days.finish()), tiles: await tilesOf(reader, found) }
  } finally {
    await reader.close()
  }
}

/** Yields all positions of a time line, newest first, many at once. @throws `ERR_INDEX_BUILDING` */
export async function* matchingInTimeline(
  base: QueryBase,
  reader: IndexReader,
  filters: Filters
): AsyncGenerator<Position[]> {
  const sought = soughtBy(base, filters)
  for await (const some of matching(reader, sought, { from: FIRST_DAY, to: LAST_DAY }))
    yield some.map(({ position }) => position)
}

/** What is archived is not in the time line of everything, but in that of an album, say. */
function soughtBy({ index }: QueryBase, filters: Filters): Filters {
  const { words, anyOf = [] } = filters
  const terms = filters.terms.filter(term => term !== ENTRY) // all in it are entries
  const isEverything = terms.length === 0 && words.length === 0 && anyOf.length === 0
  const sought = isEverything
    ? { ...filters, terms: [TIMELINE] }
    : { ...filters, terms, anyOf: [...anyOf, [TIMELINE, ARCHIVED_TIMELINE]] }
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
  for await (const some of matching(reader, filters, range)) for (const { position } of some) days.add(position)
  return days.finish()
}

/** Yields what is in a range, newest first, many at once. */
async function* matching(reader: IndexReader, filters: Filters, range: BucketRange): AsyncGenerator<TilePosition[]> {
  const { ceiling, floor } = boundsOf(reader.order, filters, range)
  const { below = '' } = range
  const isIn = ({ position }: TilePosition): boolean => position >= floor && position > below
  if (isWhole(filters)) {
    const { audiences } = filters
    for await (const some of reader.timeline(ceiling, below > floor ? below : floor)) {
      const within = some.filter(isIn)
      if (audiences === undefined) yield within
      else {
        const have = await reader.haveAudience(
          within.map(({ position }) => position),
          audiences
        )
        yield within.filter((_, i) => have[i])
      }
    }
    return
  }
  const matches = await Matches.open(reader, filters)
  matches.skipTo(ceiling)
  while (matches.bound !== undefined && matches.bound >= floor && matches.bound > below) {
    const positions = await matches.next(reader.sizes.bucket)
    yield positions.map(position => ({ position, tile: undefined })).filter(isIn)
  }
}

/** @returns what positions in the range are at or below, and at or above */
function boundsOf(
  order: Order,
  { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY }: Filters,
  { from, to, newest }: BucketRange
): { ceiling: Position; floor: Position } {
  const firstMs = Math.max(fromMs, from === FIRST_DAY ? Number.NEGATIVE_INFINITY : dayStartMs(from))
  const endMs = Math.min(toMs, to === LAST_DAY ? Number.POSITIVE_INFINITY : dayStartMs(dayAfter(to)))
  const floor = Number.isFinite(firstMs) ? positionText(orderBytes(order, firstMs)) : ''
  const ceiling = Number.isFinite(endMs) ? positionText(orderBytes(order, endMs)) : TOP
  return { ceiling: newest !== undefined && newest < ceiling ? newest : ceiling, floor }
}

async function tilesOf(reader: IndexReader, found: readonly TilePosition[]): Promise<TimelineTile[]> {
  const unread = found.filter(({ tile }) => tile === undefined).map(({ position }) => position)
  const read = unread.length === 0 ? [] : await reader.tiles(unread)
  return found.map(({ position, tile }, i): TimelineTile => {
    const bytes = tile ?? read[i]
    const shown = bytes && readTile(bytes)
    if (shown === undefined) throw new DamageError('the index lists a photo in the time line without its tile')
    const at = positionBytesOf(position)
    const { aspect, flags, thumbhash } = shown
    return { id: photoIdOfPosition(at), ms: msOfPosition(at, reader.order), aspect, flags, thumbhash }
  })
}

type GrowingRun = { -readonly [Field in keyof Run]: Run[Field] }

/** Makes runs of positions that come newest first. */
class DayRunner {
  readonly #reader: IndexReader
  readonly #counts: ReadonlyMap<Day, DayCount>
  /** Whether all photos of a day match, so that its digest tells of a change. */
  readonly #isWhole: boolean
  readonly #days: DayRuns[] = []
  #day: Day | undefined
  /** Where it begins: what is not below that is of it, too. */
  #dayFloor: Position = TOP
  #runs: GrowingRun[] = []

  constructor(reader: IndexReader, counts: ReadonlyMap<Day, DayCount>, isWhole: boolean) {
    this.#reader = reader
    this.#counts = counts
    this.#isWhole = isWhole
  }

  add(position: Position): void {
    if (position < this.#dayFloor) this.#endDay(dayOf(msOfPosition(positionBytesOf(position), this.#reader.order)))
    const last = this.#runs.at(-1)
    if (last === undefined || last.count === this.#reader.sizes.bucket) {
      const newest = last === undefined ? undefined : position
      this.#runs.push({ newest, count: 1, digest: this.#isWhole ? 0 : crc32(positionBytesOf(position)) })
    } else {
      last.count++
      if (!this.#isWhole) last.digest = crc32(positionBytesOf(position), last.digest)
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
    this.#dayFloor =
      next === undefined || next === FIRST_DAY ? '' : positionText(orderBytes(this.#reader.order, dayStartMs(next)))
  }
}
