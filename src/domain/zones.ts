import { readOffset } from './date-text.js'

/** There are some 600 names of zones; a program asks for a few of them again and again. */
const FORMATS_MAX = 32
const NAME_LENGTH_MAX = 64
const FIXED = /^[+-]\d\d:\d\d$/
const formats = new Map<string, Intl.DateTimeFormat>()

/**
 * @param zone - a name such as `Europe/Berlin`, or an offset such as `+02:00`
 * @param ms - since the Unix epoch
 * @returns by how many minutes clocks of the zone are ahead of UTC at that moment; undefined when there is no such zone
 */
export function offsetInZone(zone: string, ms: number): number | undefined {
  if (zone === 'Z' || FIXED.test(zone)) return readOffset(zone)
  const text = formatOf(zone)
    ?.formatToParts(ms)
    .find(({ type }) => type === 'timeZoneName')?.value
  if (text === undefined) return undefined
  const [, sign, hours = 0, minutes = 0] = /([+-])(\d\d):(\d\d)/.exec(text) ?? []
  const offset = Number(hours) * 60 + Number(minutes)
  return sign === '-' ? -offset : offset
}

/**
 * @param zone - as {@link offsetInZone}
 * @param localMs - what clocks of the zone showed, in ms as if in UTC
 * @returns by how many minutes they were ahead of UTC then; of a time that there was twice, or never, one of the two around it
 */
export function offsetAtLocal(zone: string, localMs: number): number | undefined {
  const about = offsetInZone(zone, localMs)
  return about === undefined ? undefined : offsetInZone(zone, localMs - about * 60_000)
}

function formatOf(zone: string): Intl.DateTimeFormat | undefined {
  const known = formats.get(zone)
  if (known !== undefined) return known
  if (zone.length > NAME_LENGTH_MAX) return undefined
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    const [oldest] = formats.keys()
    if (oldest !== undefined && formats.size >= FORMATS_MAX) formats.delete(oldest)
    formats.set(zone, format)
    return format
  } catch {
    return undefined // a RangeError: there is no such zone
  }
}
