/*
 * A sidecar: what Sheaf knows of a photo beside its bytes, as JSON in a file beside it, `IMG_1.jpg.json` beside `IMG_1.jpg`.
 *
 *   format         2; sidecars without one are older, and hold the whole metadata
 *   photo_id, sha256, size, content_type, added_at     of the photo where it was exported
 *   name, caption, rating, tags, albums, attributes    as in metadata
 *   favourite, archived                                true, or not there
 *   taken_at       only if a person has set it: what the file says can be read again
 *   place          {lat, lon, alt?}, only if it is not the file itself that says so
 *   file_time, source, zone, imported_from             as in metadata
 *
 * Unknown members are passed over, so that a later version may add some.
 */

import { MARKS, type Marks } from '../../domain/photo.js'
import type { Place } from '../../domain/photo-facts.js'
import { placeAt } from '../../domain/place-text.js'

const SIDECAR_FORMAT = 2
/** No sidecar of Sheaf is longer: attributes 4 KB, 500 labels of 100 characters twice. */
export const SIDECAR_BYTES_MAX = 2 ** 20

interface SidecarPlace {
  readonly lat: number
  readonly lon: number
  readonly alt?: number | null
}

/** What a sidecar is made of. */
export interface Sidecared extends Marks {
  readonly photo_id: string
  readonly sha256: string
  readonly size: number
  readonly content_type: string
  readonly name: string
  readonly created_at: string
  readonly caption?: string | null
  readonly rating?: number | null
  readonly tags: readonly string[]
  readonly albums: readonly string[]
  readonly attributes?: Readonly<Record<string, string>>
  readonly taken_at?: string | null
  readonly taken_at_source?: string | null
  readonly place?: (SidecarPlace & { readonly source?: string }) | null
  readonly file_time?: string | null
  readonly source?: string | null
  readonly zone?: string | null
  readonly imported_from?: string | null
}

/** What is taken over from a sidecar; what it does not say is undefined. */
export interface SheafSidecar extends Marks {
  readonly photoId: string
  readonly sha256: string
  readonly name: string | undefined
  readonly caption: string | undefined
  readonly rating: number | undefined
  readonly tags: readonly string[]
  readonly albums: readonly string[]
  readonly attributes: Readonly<Record<string, string>>
  readonly takenAt: string | undefined
  readonly place: Place | undefined
  /** Ms since the Unix epoch. */
  readonly fileTimeMs: number | undefined
  readonly source: string | undefined
  readonly zone: string | undefined
}

export function sidecarBytes(photo: Sidecared): Buffer {
  const sidecar = {
    format: SIDECAR_FORMAT,
    photo_id: photo.photo_id,
    sha256: photo.sha256,
    size: photo.size,
    content_type: photo.content_type,
    name: photo.name,
    caption: photo.caption ?? null,
    rating: photo.rating ?? null,
    ...marksOf(photo),
    tags: photo.tags,
    albums: photo.albums,
    attributes: photo.attributes ?? {},
    taken_at: photo.taken_at_source === 'user' ? (photo.taken_at ?? null) : null,
    place: sidecarPlace(photo.place),
    file_time: photo.file_time ?? null,
    source: photo.source ?? null,
    zone: photo.zone ?? null,
    imported_from: photo.imported_from ?? null,
    added_at: photo.created_at
  }
  return Buffer.from(`${JSON.stringify(sidecar, null, 2)}\n`)
}

/** @param value - parsed JSON. @returns undefined for what Sheaf has not written */
export function readSheafSidecar(value: unknown): SheafSidecar | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const said = value as Readonly<Record<string, unknown>>
  const text = (key: string): string | undefined => (typeof said[key] === 'string' ? said[key] : undefined)
  const photoId = text('photo_id')
  const sha256 = text('sha256')
  if (photoId === undefined || sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) return undefined
  const isSet = said.format !== undefined || text('taken_at_source') === 'user'
  const fileTimeMs = Date.parse(text('file_time') ?? '')
  return {
    photoId,
    sha256,
    name: text('name'),
    caption: text('caption'),
    rating: typeof said.rating === 'number' ? said.rating : undefined,
    ...marksOf(said),
    tags: textsOf(said.tags),
    albums: textsOf(said.albums),
    attributes: attributesOf(said.attributes),
    takenAt: isSet ? text('taken_at') : undefined,
    place: isSet ? placeIn(said.place) : undefined,
    fileTimeMs: Number.isNaN(fileTimeMs) ? undefined : fileTimeMs,
    source: text('source'),
    zone: text('zone')
  }
}

/** @returns the marks that are there */
function marksOf(said: Readonly<Record<string, unknown>> | Marks): Marks {
  return Object.fromEntries(MARKS.filter(mark => said[mark] === true).map(mark => [mark, true]))
}

/** @returns what is in no file */
function sidecarPlace(place: Sidecared['place']): SidecarPlace | null {
  if (place == null || place.source === 'file') return null
  const { lat, lon, alt = null } = place
  return { lat, lon, ...(alt !== null && { alt }) }
}

function placeIn(value: unknown): Place | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { lat, lon, alt } = value as Readonly<Record<string, unknown>>
  if (typeof lat !== 'number' || typeof lon !== 'number') return undefined
  return placeAt({ latitude: lat, longitude: lon, ...(typeof alt === 'number' && { altitude: alt }) })
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(one => typeof one === 'string') : []
}

function attributesOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === 'string'))
}
