import { type DatePrecision, localMs, OFFSET_MINUTES_MAX, type TakenAt } from './photo-facts.js'

/** A date as it was read. */
export interface DateRead {
  /** What the clock showed, in ms as if it had been in UTC. */
  readonly localMs: number
  /** Minutes ahead of UTC; undefined: not said. */
  readonly offsetMinutes: number | undefined
  readonly precision: DatePrecision
}

/** There were no photographs before. */
const YEAR_MIN = 1826
export const TAKEN_MS_MIN = Date.UTC(YEAR_MIN, 0)
const TEXT_LENGTH_MAX = 64
const DAY_MS = 86_400_000

/** Separators vary, digits may be missing, and blanks stand for them. */
const DATE = /^(\d{4})(?:[:/.-] ?(\d{1,2})(?:[:/.-] ?(\d{1,2}))?)?(?:[ T]+(.+))?$/
const TIME = /^(\d{1,2}): ?(\d{1,2})(?:: ?(\d{1,2})(?:[.,](\d+))?)? ?(AM|PM)? ?(.*)$/i
const OFFSET = /^(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?$/i

/**
 * Reads one date as cameras and programs write it: `2024:06:30 12:34:56`, `2024-06-30T12:34:56.25+02:00`, `2023/07/08 9:03 PM`.
 *
 * @returns undefined unless it is a moment that there was since {@link YEAR_MIN}
 */
export function readDate(text: string): DateRead | undefined {
  const date = DATE.exec(text.slice(0, TEXT_LENGTH_MAX).trim())
  if (date === null) return undefined
  const [, year = '', month, day, rest] = date
  if (Number(year) < YEAR_MIN) return undefined
  const dayMs = dayOf(Number(year), Number(month ?? 1), Number(day ?? 1))
  if (dayMs === undefined) return undefined
  if (rest === undefined) {
    const precision = day !== undefined ? 'day' : month !== undefined ? 'month' : 'year'
    // noon is the least wrong moment of a day
    return { localMs: dayMs + DAY_MS / 2, offsetMinutes: undefined, precision }
  }
  if (day === undefined) return undefined
  const time = readTime(rest)
  return time && { localMs: dayMs + time.ms, offsetMinutes: time.offsetMinutes, precision: time.precision }
}

/** The form of `taken_at` in requests and answers; there, less is taken than by {@link readDate}. */
export const TAKEN_AT_FORM =
  '^\\d{4}(-\\d\\d(-\\d\\d(T\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,9})?)?(Z|[+-]\\d\\d:\\d\\d)?)?)?)?$'

/** @returns a date of this form, if there was such a moment; its source is not said */
export function readTakenAt(text: string): TakenAt | undefined {
  const read = new RegExp(TAKEN_AT_FORM).test(text) ? readDate(text) : undefined
  // what is said and cannot be is not passed over
  const isOffsetSaid = /T.*[Z+-]/.test(text)
  if (read === undefined || (isOffsetSaid && read.offsetMinutes === undefined)) return undefined
  const { offsetMinutes, precision } = read
  const ms = read.localMs - (offsetMinutes ?? 0) * 60_000
  return { ms, ...(offsetMinutes !== undefined && { offsetMinutes }), precision }
}

/** Of a date, as many characters as are known; a time is always whole. */
const DATE_LENGTHS: Readonly<Record<string, number>> = { year: 4, month: 7, day: 10 }

/** @returns what a clock on the wall showed, as far as it is known, with its offset where that is */
export function takenAtText(takenAt: TakenAt): string {
  const { offsetMinutes, precision = 'second' } = takenAt
  const local = new Date(localMs(takenAt)).toISOString().slice(0, -1)
  const length = DATE_LENGTHS[precision]
  if (length !== undefined) return local.slice(0, length)
  if (offsetMinutes === undefined) return local
  const [hours, minutes] = [Math.floor(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60]
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${two(hours)}:${two(minutes)}`
}

/** @returns a day's first ms; undefined for 31 February */
function dayOf(year: number, month: number, day: number): number | undefined {
  const ms = Date.UTC(year, month - 1, day)
  const back = new Date(ms)
  return back.getUTCMonth() === month - 1 && back.getUTCDate() === day ? ms : undefined
}

function readTime(
  text: string
): { readonly ms: number; readonly offsetMinutes: number | undefined; readonly precision: DatePrecision } | undefined {
  const time = TIME.exec(text)
  if (time === null) return undefined
  const [, hour = '', minute = '', second, fraction, half, zone = ''] = time
  const hours = hoursOf(Number(hour), half?.toUpperCase())
  const seconds = Number(second ?? 0)
  // 24:00:00 is the next day's 00:00; the second 60 is a leap second
  const isLast = hours === 24 && Number(minute) === 0 && seconds === 0
  if (hours === undefined || (hours > 23 && !isLast) || Number(minute) > 59 || seconds > 60) return undefined
  const ms = ((hours * 60 + Number(minute)) * 60 + Math.min(seconds, 59)) * 1_000 + fractionMs(fraction)
  return { ms, offsetMinutes: readOffset(zone), precision: second === undefined ? 'minute' : 'second' }
}

function hoursOf(hours: number, half: string | undefined): number | undefined {
  if (half === undefined) return hours
  if (hours < 1 || hours > 12) return undefined
  return (hours % 12) + (half === 'PM' ? 12 : 0)
}

/** @returns minutes ahead of UTC; undefined when the text says nothing of it, or nothing possible */
export function readOffset(text: string): number | undefined {
  const zone = text.trim()
  if (/^(Z|UTC|GMT)$/i.test(zone)) return 0
  const match = OFFSET.exec(zone)
  if (match === null) return undefined
  const [, sign, hours, minutes = '0'] = match
  const total = Number(hours) * 60 + Number(minutes)
  if (Number(minutes) > 59 || total > OFFSET_MINUTES_MAX) return undefined
  return sign === '-' && total !== 0 ? -total : total
}

/** @param digits - of the fraction of a second; undefined, or anything else: none */
export function fractionMs(digits: string | undefined): number {
  const text = digits?.trim() ?? ''
  return /^\d+$/.test(text) ? Math.floor(Number(`0.${text.slice(0, 9)}`) * 1_000) : 0
}
