/*
 * Dates and places as people type them. What is no date the node refuses, with a word on what is one.
 */

const DECIMALS = 4

/** @param takenAt - as in metadata. @returns it as it is typed: without the `T`, without parts of a second that are 0 */
export function dateText(takenAt: string | null): string {
  return (takenAt ?? '').replace('T', ' ').replace(/\.000/, '')
}

/** @returns as the node takes it */
export function typedDate(text: string): string {
  const [, date = text, time, zone = ''] = /^(\S+)[T ]\s*(\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?)\s*(\S*)$/.exec(text) ?? []
  return time === undefined ? date : `${date}T${time.indexOf(':') === 1 ? '0' : ''}${time}${zone}`
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
