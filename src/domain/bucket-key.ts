import { type Day, lastDayOf } from './day.js'

/*
 * A time line is cut into buckets: a month, or where it has too many photos one of its halves, and so on down to a day; what
 * is too many for a bucket in a day is cut into pieces. Keys:
 *
 *   2024-05                   a month
 *   2024-05-01_16             days of a month, the first and the last one
 *   2024-05-01                a day
 *   2024-05-01.NEWEST.BELOW   a piece of a day: positions, base64url, of the first photo in it and of the first one behind
 *                             it; without the first: from the end of the day on, without the second: to its beginning
 */
export const BUCKET_PHOTOS_MAX = 1_000
/** What a key of a bucket looks like; a regular expression. */
export const BUCKET_KEY =
  '^(\\d{4}-(?:0[1-9]|1[0-2]))(?:-(0[1-9]|[12]\\d|3[01])(?:_(0[1-9]|[12]\\d|3[01])|\\.([\\w-]{32}|[\\w-]{43})?\\.([\\w-]{32}|[\\w-]{43})?)?)?$'
const KEY = new RegExp(BUCKET_KEY)

export interface BucketRange {
  readonly from: Day
  readonly to: Day
  /** A position in the index, Latin-1. Inclusive; undefined: from the end of the day on. */
  readonly newest?: string | undefined
  /** Exclusive; undefined: to the beginning of the day. */
  readonly below?: string | undefined
}

/** @returns undefined for what is no key, or names days that no month has */
export function parseBucketKey(key: string): BucketRange | undefined {
  const parts = KEY.exec(key)
  if (parts === null) return undefined
  const [, month = '', first, last, newest, below] = parts
  if (first === undefined) return { from: `${month}-01`, to: lastDayOf(month) }
  const from = `${month}-${first}`
  const to = `${month}-${last ?? first}`
  if (to < from || to > lastDayOf(month)) return undefined
  return { from, to, newest: newest && positionFrom(newest), below: below && positionFrom(below) }
}

export function bucketKey({ from, to, newest, below }: BucketRange): string {
  if (newest !== undefined || below !== undefined) return `${from}.${textOf(newest)}.${textOf(below)}`
  if (from === to) return from
  const month = from.slice(0, 7)
  const isMonth = from.endsWith('-01') && to === lastDayOf(month)
  return isMonth ? month : `${from}_${to.slice(8)}`
}

function textOf(position: string | undefined): string {
  return position === undefined ? '' : Buffer.from(position, 'latin1').toString('base64url')
}

function positionFrom(text: string): string {
  return Buffer.from(text, 'base64url').toString('latin1')
}
