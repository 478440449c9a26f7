/** A year, month, day, minute or second, as ms: the last one excluded. */
export interface Moment {
  readonly fromMs: number
  readonly toMs: number
}

/** A year, or as much more of an ISO 8601 date and time as is meant, without a zone; a regular expression. */
export const MOMENT_TEXT =
  '^(\\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\\d|3[01])(?:T([01]\\d|2[0-3]):([0-5]\\d)(?::([0-5]\\d))?)?)?)?$'
const MOMENT = new RegExp(MOMENT_TEXT)
const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * @param text - as {@link MOMENT_TEXT}; days behind the last one of a month are in the next
 * @returns the time that it covers, as if in UTC; undefined for any other text
 */
export function parseMoment(text: string): Moment | undefined {
  const parts = MOMENT.exec(text)
  if (parts === null) return undefined
  const [year = 0, month, day, hour, minute = 0, second] = parts
    .slice(1)
    .map(part => (part === undefined ? undefined : Number(part)))
  const dayMs = (monthIndex: number, dayOfMonth: number): number =>
    new Date(0).setUTCFullYear(year, monthIndex, dayOfMonth)
  if (month === undefined) return { fromMs: dayMs(0, 1), toMs: dayMs(12, 1) }
  if (day === undefined) return { fromMs: dayMs(month - 1, 1), toMs: dayMs(month, 1) }
  const fromMs = dayMs(month - 1, day)
  if (hour === undefined) return { fromMs, toMs: fromMs + DAY_MS }
  const timeMs = fromMs + hour * HOUR_MS + minute * MINUTE_MS + (second ?? 0) * SECOND_MS
  return { fromMs: timeMs, toMs: timeMs + (second === undefined ? MINUTE_MS : SECOND_MS) }
}
