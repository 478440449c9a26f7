/** A day of the calendar: `2024-05-01`. Texts sort as days do. */
export type Day = string

export const FIRST_DAY: Day = '0000-01-01'
export const LAST_DAY: Day = '9999-12-31'

const DAY_MS = 86_400_000
const FIRST_MS = dayStartMs(FIRST_DAY)
const LAST_MS = dayStartMs(LAST_DAY)

/** @param ms - as if in UTC; what is before the first day counts as it, what is behind the last one as that */
export function dayOf(ms: number): Day {
  return new Date(Math.min(Math.max(ms, FIRST_MS), LAST_MS)).toISOString().slice(0, 10)
}

export function dayStartMs(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`)
}

export function dayAfter(day: Day): Day {
  return dayOf(dayStartMs(day) + DAY_MS)
}

/** @param month - `2024-05` */
export function lastDayOf(month: string): Day {
  const first = new Date(dayStartMs(`${month}-01`))
  return dayOf(first.setUTCMonth(first.getUTCMonth() + 1, 0))
}
