import { type DateRead, readDate } from '../../../domain/date-text.js'

const NAME_LENGTH_MAX = 255

/** Year, month and day in one way of writing; then perhaps a time, with a short word between: `at`, `um`, `à`. */
const MOMENT =
  /(?<!\d)(\d{4})([-_.]?)(\d\d)\2(\d\d)(?:[-_ T]{0,2}(?:\p{L}{1,3} )?(\d\d)[-_.:]?(\d\d)[-_.:]?(\d\d)(?:[-_.]?(\d{3}))?(?: ?([AP]M))?)?(?!\d)/iu
/** Of Google's telephones, whose names are in UTC. */
const IN_UTC = /^PXL_/i
/** Milliseconds since the Unix epoch. */
const MILLISECONDS = /^FB_IMG_(\d{13})(?!\d)/i
const YEAR_MIN = 1900

/**
 * Reads the date in a file's name as cameras, telephones and people write it: `IMG_20200423_183341.jpg`,
 * `Screenshot 2023-07-08 at 12.30.45.png`, `IMG-20230708-WA0001.jpg`, `1985-07-01 Oma.tif`.
 */
export function dateInName(name: string): DateRead | undefined {
  const text = name.slice(0, NAME_LENGTH_MAX)
  const ms = MILLISECONDS.exec(text)?.[1]
  if (ms !== undefined) return { localMs: Number(ms), offsetMinutes: 0, precision: 'second' }
  const match = MOMENT.exec(text)
  if (match === null || Number(match[1]) < YEAR_MIN) return undefined
  const [, year, , month, day, hour, minute, second, fraction = '0', half = ''] = match
  const date = `${year}:${month}:${day}`
  const read = hour === undefined ? undefined : readDate(`${date} ${hour}:${minute}:${second}.${fraction} ${half}`)
  if (read === undefined) return readDate(date)
  return IN_UTC.test(text) ? { ...read, offsetMinutes: 0 } : read
}
