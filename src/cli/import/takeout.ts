import { LABEL_CHARACTERS_MAX } from '../../domain/limits.js'
import type { Place } from '../../domain/photo-facts.js'
import { placeAt } from '../../domain/place-text.js'

/** What Google says of a photo. */
export interface TakeoutSidecar {
  readonly title: string
  /** Ms since the Unix epoch; undefined: not known. */
  readonly takenMs: number | undefined
  readonly caption: string | undefined
  readonly place: Place | undefined
  readonly tags: readonly string[]
  readonly isFavourite: boolean
  readonly isArchived: boolean
  readonly isTrashed: boolean
}

/** What lies in a JSON file of Takeout: of a photo, of an album, or neither. */
export type TakeoutJson = { readonly photo: TakeoutSidecar } | { readonly albumTitle: string }

const PEOPLE_MAX = 100

/** Folders of a year are no albums, whatever they are called. */
const YEAR_FOLDER =
  /^(photos? from|fotos? von|photos? de|fotos? de|fotos? del|foto dal|foto's uit|fotos från|billeder fra|bilder fra|zdjęcia z|фото за) \d{4}$/iu

/** @param value - parsed JSON. @returns undefined for what is not of Takeout */
export function readTakeoutJson(value: unknown): TakeoutJson | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const said = value as Readonly<Record<string, unknown>>
  const title = typeof said.title === 'string' ? said.title.normalize('NFC') : undefined
  if (title === undefined) return undefined
  if (said.photoTakenTime === undefined) {
    const albumTitle = labelOf(title)
    return albumTitle === '' || YEAR_FOLDER.test(albumTitle) ? undefined : { albumTitle }
  }
  const caption = typeof said.description === 'string' && said.description !== '' ? said.description : undefined
  const isPartners = (said.googlePhotosOrigin as Partial<Record<string, unknown>> | undefined)?.fromPartnerSharing
  const tags = [...peopleIn(said.people), ...(isPartners === undefined ? [] : ['partner-shared'])]
  const takenMs = takenMsOf(said.photoTakenTime)
  const place = placeIn(said.geoDataExif) ?? placeIn(said.geoData)
  const marks = { isFavourite: said.favorited === true, isArchived: said.archived === true }
  return { photo: { title, takenMs, caption, place, tags, ...marks, isTrashed: said.trashed === true } }
}

/** @returns a text as the name of an album may be */
export function labelOf(text: string): string {
  return [...text.replace(/\p{Cc}+/gu, ' ').trim()].slice(0, LABEL_CHARACTERS_MAX).join('').trim()
}

/** @param value - `[{name}]`. @returns who is on the photo, as the owner named them */
function peopleIn(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  const names = value.slice(0, PEOPLE_MAX).map(one => (one as Partial<Record<string, unknown>> | null)?.name)
  return names.filter(name => typeof name === 'string').map(name => labelOf(`person/${name}`))
}

/** @param value - `{latitude, longitude, altitude}`; 0, 0: not known */
function placeIn(value: unknown): Place | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { latitude, longitude, altitude } = value as Readonly<Record<string, unknown>>
  if (typeof latitude !== 'number' || typeof longitude !== 'number') return undefined
  // an altitude of 0 is not known, either
  const isHigh = typeof altitude === 'number' && altitude !== 0
  return placeAt({ latitude, longitude, ...(isHigh && { altitude }) })
}

/** @param value - `{timestamp: "1704063752"}`, seconds */
function takenMsOf(value: unknown): number | undefined {
  const timestamp = (value as Partial<Record<string, unknown>> | null)?.timestamp
  const isNumber = typeof timestamp === 'string' && /^-?\d{1,11}$/.test(timestamp)
  return isNumber && timestamp !== '0' ? Number(timestamp) * 1_000 : undefined
}
