import { createHash } from 'node:crypto'
import { type BucketRange, bucketKey } from '../domain/bucket-key.js'
import { type Day, dayAfter, dayOf, dayStartMs, lastDayOf } from '../domain/day.js'
import type { DayCount } from './days.js'
import type { Position } from './positions.js'

export interface Bucket extends BucketRange {
  readonly key: string
  readonly count: number
  /** Another one when anything in the bucket is different. */
  readonly revision: string
}

/** Photos of one day that follow each other, no more than a bucket has. */
export interface Run {
  /** The first of them in the list; undefined: it is the first run of the day. */
  readonly newest: Position | undefined
  readonly count: number
  /** Of which photos these are, 32 bits; 0: of all that the day has there. */
  readonly digest: number
}

/** The photos of one day that match. */
export interface DayRuns {
  readonly day: Day
  /** What the day has, also of photos that do not match. */
  readonly all: DayCount
  /** Newest first, one at least. */
  readonly runs: readonly Run[]
}

/**
 * @param days - newest first
 * @param max - photos in a bucket, and in a run
 * @returns their buckets, newest first
 */
export function bucketsOf(days: readonly DayRuns[], max: number): Bucket[] {
  const buckets: Bucket[] = []
  for (let at = 0; at < days.length; ) {
    const month = days[at]?.day.slice(0, 7) ?? ''
    let end = at
    while (days[end]?.day.startsWith(month)) end++
    addHalves(buckets, days.slice(at, end), { from: `${month}-01`, to: lastDayOf(month) }, max)
    at = end
  }
  return buckets
}

function addHalves(buckets: Bucket[], days: readonly DayRuns[], { from, to }: BucketRange, max: number): void {
  const [only] = days
  if (only === undefined) return
  if (countOf(days) <= max) buckets.push(bucketOf(days, { from, to }))
  else if (from === to) addPieces(buckets, only)
  else {
    const middle = dayOf((dayStartMs(from) + dayStartMs(to)) / 2)
    const later = days.filter(({ day }) => day > middle)
    addHalves(buckets, later, { from: dayAfter(middle), to }, max)
    addHalves(buckets, days.slice(later.length), { from, to: middle }, max)
  }
}

function addPieces(buckets: Bucket[], { day, all, runs }: DayRuns): void {
  for (const [i, run] of runs.entries()) {
    const below = runs[i + 1]?.newest
    buckets.push(bucketOf([{ day, all, runs: [run] }], { from: day, to: day, newest: run.newest, below }))
  }
}

function bucketOf(days: readonly DayRuns[], range: BucketRange): Bucket {
  return { ...range, key: bucketKey(range), count: countOf(days), revision: revisionOf(days) }
}

function countOf(days: readonly DayRuns[]): number {
  return days.reduce((sum, { runs }) => runs.reduce((count, run) => count + run.count, sum), 0)
}

/** @returns what is another one when anything about the photos is different: 12 characters */
export function revisionOf(days: readonly DayRuns[]): string {
  const hash = createHash('sha256')
  for (const { day, all, runs } of days) {
    hash.update(`${day} ${all.count} ${all.digest}`)
    for (const { count, digest } of runs) hash.update(` ${count} ${digest}`)
  }
  return hash.digest().subarray(0, 9).toString('base64url')
}
