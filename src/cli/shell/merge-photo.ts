import { MARKS, type Marks } from '../../domain/photo.js'
import type { Place } from '../../domain/photo-facts.js'
import { jsonBody } from './node-client.js'
import { photoPath } from './photo-path.js'
import type { Session } from './session.js'

/** What is to be known of a photo. */
export interface WantedFields extends Marks {
  readonly tags?: readonly string[] | undefined
  readonly albums?: readonly string[] | undefined
  readonly caption?: string | undefined
  readonly rating?: number | undefined
  readonly attributes?: Readonly<Record<string, string>> | undefined
  /** As a person says. */
  readonly takenAt?: string | undefined
  readonly place?: Place | undefined
}

interface Present extends Marks {
  readonly tags: readonly string[]
  readonly albums: readonly string[]
  readonly caption?: string | null
  readonly rating?: number | null
  readonly attributes?: Readonly<Record<string, string>>
  readonly taken_at_source?: string | null
  readonly place?: object | null
}

/**
 * Adds what a photo lacks, in one edit, and overwrites nothing.
 *
 * @param options.isDry - only looks
 * @returns whether anything was lacking
 */
export async function mergeIntoPhoto(
  { client }: Pick<Session, 'client'>,
  id: string,
  wanted: WantedFields,
  options: { readonly isDry?: boolean } = {}
): Promise<boolean> {
  if (!isAnything(wanted)) return false
  const path = photoPath(id, '/meta')
  const patch = lacking(await client.json<Present>(path), wanted)
  if (Object.keys(patch).length === 0) return false
  if (options.isDry !== true) await client.json(path, { method: 'PATCH', ...jsonBody(patch) })
  return true
}

function isAnything({
  tags = [],
  albums = [],
  attributes = {},
  caption,
  rating,
  takenAt,
  place,
  ...marks
}: WantedFields): boolean {
  const isSaid = [caption, rating, takenAt, place].some(one => one !== undefined)
  return isSaid || MARKS.some(mark => marks[mark]) || tags.length + albums.length + Object.keys(attributes).length > 0
}

function placeBody({ latitude, longitude, altitude }: Place): object {
  return { lat: latitude, lon: longitude, ...(altitude !== undefined && { alt: altitude }) }
}

function lacking(present: Present, wanted: WantedFields): Readonly<Record<string, unknown>> {
  const { tags = [], albums = [], attributes = {}, caption, rating, takenAt, place } = wanted
  const newTags = tags.filter(tag => !present.tags.includes(tag))
  const newAlbums = albums.filter(album => !present.albums.includes(album))
  const newAttributes = Object.entries(attributes).filter(([key]) => present.attributes?.[key] === undefined)
  return {
    ...(newTags.length > 0 && { tags: { add: newTags } }),
    ...(newAlbums.length > 0 && { albums: { add: newAlbums } }),
    ...(newAttributes.length > 0 && { attributes: Object.fromEntries(newAttributes) }),
    ...(present.caption == null && caption !== undefined && { caption }),
    ...Object.fromEntries(
      MARKS.filter(mark => wanted[mark] === true && present[mark] === false).map(mark => [mark, true])
    ),
    ...(present.rating == null && rating !== undefined && { rating }),
    ...(present.taken_at_source !== 'user' && takenAt !== undefined && { taken_at: takenAt }),
    ...(present.place === null && place !== undefined && { place: placeBody(place) })
  }
}
