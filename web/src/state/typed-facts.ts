/*
 * Dates and places as people type them. What form a date can have is known here; whether there was such a day, the node says.
 */

const DECIMALS = 4
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MONTH_NAME =
  /^(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?$/i
const TIME = /^(.*?)(?:(?<=\d)T|,?\s+)(\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*(Z|[+-]\d\d:\d\d)?$/
/** Of three numbers nobody knows which is the day, unless the year is the first. */
const FORMS = [
  /^(?<year>\d{4})(?:[-/.](?<month>\d{1,2})(?:[-/.](?<day>\d{1,2}))?)?$/,
  /^(?<month>\d{1,2})[-/.](?<year>\d{4})$/,
  /^(?<name>\p{L}+\.?),?\s+(?<year>\d{4})$/u,
  /^(?<day>\d{1,2})(?:st|nd|rd|th|\.)?\s+(?<name>\p{L}+\.?),?\s+(?<year>\d{4})$/u,
  /^(?<name>\p{L}+\.?)\s+(?<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?<year>\d{4})$/u
]

/** @param takenAt - as in metadata @returns it as it may be typed: to the second, and with its offset, where they are known */
export function dateText(takenAt: string | null): string {
  const [, date = takenAt ?? '', time, seconds = '', zone = ''] =
    /^([\d-]+)T(\d\d:\d\d)(:\d\d)?(?:\.\d+)?(.*)$/.exec(takenAt ?? '') ?? []
  if (time === undefined) return date
  return `${date} ${time}${seconds === ':00' ? '' : seconds}${zone === '' ? '' : ` ${zone}`}`
}

/** @returns as the node takes it; undefined for what is no date, or could be two */
export function typedDate(text: string): string | undefined {
  const [, dateOnly = text, time, zone = ''] = TIME.exec(text) ?? []
  const { year, month, name, day } = FORMS.map(form => form.exec(dateOnly)?.groups).find(it => it !== undefined) ?? {}
  if (year === undefined) return undefined
  const number = name === undefined ? month : monthOf(name)
  if (name !== undefined && number === undefined) return undefined
  const date = [year, ...[number, day].filter(it => it !== undefined).map(two)].join('-')
  if (time === undefined) return date
  return day === undefined ? undefined : `${date}T${time.indexOf(':') === 1 ? '0' : ''}${time}${zone}`
}

function monthOf(name: string): string | undefined {
  return MONTH_NAME.test(name) ? String(MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1) : undefined
}

function two(digits: string): string {
  return digits.padStart(2, '0')
}

export interface TypedPlace {
  readonly lat: number
  readonly lon: number
}

export function placeText(place: TypedPlace | null): string {
  return place === null ? '' : `${place.lat.toFixed(DECIMALS)}, ${place.lon.toFixed(DECIMALS)}`
}

/** @param text - degrees, as maps show and copy them. @returns null for none; undefined for what is no place */
export function typedPlace(text: string): TypedPlace | null | undefined {
  if (text === '') return null
  const [, latitude, longitude] = /^(-?\d{1,2}(?:\.\d+)?)°?\s*[,; ]\s*(-?\d{1,3}(?:\.\d+)?)°?$/.exec(text) ?? []
  if (latitude === undefined || longitude === undefined) return undefined
  const [lat, lon] = [Number(latitude), Number(longitude)]
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : undefined
}
