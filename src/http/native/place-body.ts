import type { Place } from '../../domain/photo-facts.js'

/** A place as requests say it: degrees, metres. */
export interface PlaceBody {
  readonly lat: number
  readonly lon: number
  readonly alt?: number
}

export function placeOfBody(body: PlaceBody | null): Place | null {
  return body && { latitude: body.lat, longitude: body.lon, altitude: body.alt }
}
