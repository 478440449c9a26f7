import type { Place } from './photo-facts.js'

/** Degrees north, degrees east, and perhaps metres above the sea: `54.3233,10.1228,3.5`. */
export const PLACE_FORM = '^-?\\d{1,3}(\\.\\d{1,12})?,-?\\d{1,3}(\\.\\d{1,12})?(,-?\\d{1,6}(\\.\\d{1,3})?)?$'

/** Digits of a degree that are kept: a centimetre. */
const DIGITS = 7
/** Metres, up or down. */
const ALTITUDE_MAX = 100_000

/** @returns undefined for another form, and for what is no place */
export function readPlace(text: string): Place | undefined {
  if (!new RegExp(PLACE_FORM).test(text)) return undefined
  const [latitude = Number.NaN, longitude = Number.NaN, altitude] = text.split(',').map(Number)
  return placeAt({ latitude, longitude, altitude })
}

/** @returns the form that {@link readPlace} reads */
export function placeText({ latitude, longitude, altitude }: Place): string {
  const numbers = [latitude.toFixed(DIGITS), longitude.toFixed(DIGITS)]
  return [...numbers, ...(altitude === undefined ? [] : [altitude.toFixed(1)])].join(',')
}

/** @returns the place as precisely as it is kept; undefined if it is not on Earth, or 0,0, where cameras are that do not know */
export function placeAt({ latitude, longitude, altitude }: Place): Place | undefined {
  const isOnEarth = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180
  if (!isOnEarth || (latitude === 0 && longitude === 0)) return undefined
  const isHigh = altitude !== undefined && Math.abs(altitude) <= ALTITUDE_MAX
  return {
    latitude: rounded(latitude, DIGITS),
    longitude: rounded(longitude, DIGITS),
    ...(isHigh && { altitude: rounded(altitude, 1) })
  }
}

/** @returns never −0 */
function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits + 0
}
