import { SheafError } from '../core/errors.js'
import { readTakenAt } from '../domain/date-text.js'
import {
  FILE_TIME_MS_MAX,
  LABEL_CHARACTERS_MAX,
  LABELS_MAX,
  NAME_CHARACTERS_MAX,
  RATING_MAX,
  SHIFT_S_MAX,
  SOURCE_BYTES_MAX
} from '../domain/limits.js'
import { MARKS, type Mark, type Photo, type PhotoEdit } from '../domain/photo.js'
import { type FileFacts, localMs, type Place, type TakenAt } from '../domain/photo-facts.js'
import { placeAt, readPlace } from '../domain/place-text.js'
import { offsetInZone } from '../domain/zones.js'
import type { FileStatements, PhotoPatch, SetPatch } from './photo-types.js'

/*
 * Limits on what a client may attach to a photo. A broken rule is `ERR_BAD_PARAMETER` with the field in `details`; name,
 * caption and attributes above 4 KB together are `ERR_ATTRIBUTES_TOO_LARGE`. Records from other nodes are never checked.
 */
const ATTRIBUTES_BYTES_MAX = 4_096
/** A date may be as much later than the upload: clocks are wrong, and zones unknown. */
const FUTURE_MS_MAX = 86_400_000
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/

/** The last segment of a client's path, without control characters, cut to the maximum length of a name. */
export function nameOf(filename: string | undefined): string {
  const base = (filename ?? '').split(/[/\\]/).at(-1) ?? ''
  return [...base.replace(/\p{Cc}/gu, '').trim()].slice(0, NAME_CHARACTERS_MAX).join('')
}

/** @returns the labels, trimmed and without duplicates */
export function checkLabels(field: 'tags' | 'albums' | 'title', labels: readonly string[] = []): string[] {
  const trimmed = labels.map(label => label.trim().normalize('NFC'))
  if (trimmed.length > LABELS_MAX) throw badField(field, `a photo may have at most ${LABELS_MAX} ${field}`)
  for (const label of trimmed) {
    if (label === '' || [...label].length > LABEL_CHARACTERS_MAX || /\p{Cc}/u.test(label)) {
      throw badField(
        field,
        `${field === 'title' ? 'the title' : `each of ${field}`} must have 1–${LABEL_CHARACTERS_MAX} characters, without control characters`
      )
    }
  }
  return [...new Set(trimmed)]
}

/** Checks that need no photo. @returns the edit */
export function checkPatch({ takenAt, place, ...patch }: PhotoPatch): PhotoEdit {
  const { name, caption, rating, tags, albums, attributes } = patch
  if (name !== undefined && ([...name].length > NAME_CHARACTERS_MAX || /\p{Cc}/u.test(name))) {
    throw badField('name', `a name may have at most ${NAME_CHARACTERS_MAX} characters, without control characters`)
  }
  checkRating(rating ?? undefined)
  checkAttributeBytes(name ?? '', caption ?? undefined, Object.entries(attributes ?? {}))
  return {
    ...patch,
    ...(takenAt === undefined ? {} : { takenAt: takenAt === null ? null : checkTakenAt(takenAt) }),
    ...(place === undefined ? {} : { place: place === null ? null : checkPlace(place) }),
    ...(tags === undefined ? {} : { tags: checkSetPatch('tags', tags) }),
    ...(albums === undefined ? {} : { albums: checkSetPatch('albums', albums) })
  }
}

/**
 * Checks what a client says of the file that it sends.
 *
 * @param name - that the photo will have
 * @param nowMs - of the upload
 */
export function checkStatements(
  { takenAt, caption, rating, favourite, archived, ...file }: FileStatements,
  name: string,
  nowMs: number
): {
  readonly caption: string | undefined
  readonly rating: number | undefined
  readonly setTakenAt: TakenAt | undefined
  readonly marks: readonly Mark[]
  readonly file: FileFacts
} {
  checkAttributeBytes(name, caption, [])
  checkRating(rating)
  const setTakenAt = takenAt === undefined ? undefined : checkTakenAt(takenAt)
  if (setTakenAt !== undefined) requirePast(setTakenAt, nowMs)
  const said = { favourite, archived }
  return { caption, rating, setTakenAt, marks: MARKS.filter(mark => said[mark] === true), file: checkFile(file) }
}

function checkFile({ fileTimeMs, zone, source, importedFrom, place: placeText }: FileStatements): FileFacts {
  if (fileTimeMs !== undefined && !(Number.isSafeInteger(fileTimeMs) && Math.abs(fileTimeMs) <= FILE_TIME_MS_MAX))
    throw badField('file_time', 'file_time must be a whole number of milliseconds since 1970, in the years 2 to 3937')
  const offsetMinutes = zone === undefined ? undefined : offsetInZone(zone, fileTimeMs ?? 0)
  if (zone !== undefined && offsetMinutes === undefined)
    throw badField('zone', 'zone must be the name of a time zone such as Europe/Berlin, or an offset such as +02:00')
  checkPlainText('source', source)
  checkPlainText('imported_from', importedFrom)
  const offset = fileTimeMs === undefined ? undefined : offsetMinutes
  const place = placeText === undefined ? undefined : checkPlace(readPlace(placeText))
  return { ms: fileTimeMs, offsetMinutes: offset, zone, source, importedFrom, place }
}

/** @param place - undefined: it was not said in the form that it has */
function checkPlace(place: Place | undefined): Place {
  const checked = place && placeAt(place)
  if (checked === undefined)
    throw badField(
      'place',
      'place must be degrees north, -90 to 90, and east, -180 to 180, but not 0,0; then perhaps metres'
    )
  return checked
}

function checkPlainText(field: string, text: string | undefined): void {
  if (text === undefined) return
  if (text === '' || Buffer.byteLength(text) > SOURCE_BYTES_MAX || /\p{Cc}/u.test(text))
    throw badField(field, `${field} must have 1–${SOURCE_BYTES_MAX} bytes of UTF-8, without control characters`)
}

function checkRating(rating: number | undefined): void {
  if (rating !== undefined && !(Number.isInteger(rating) && rating >= 0 && rating <= RATING_MAX))
    throw badField('rating', `rating must be a whole number from 0 to ${RATING_MAX}`)
}

function checkTakenAt(text: string): TakenAt {
  const takenAt = readTakenAt(text)
  if (takenAt === undefined)
    throw badField('taken_at', 'taken_at must be a date such as 2024-01-01T08:02:32+11:00, 2024-01-01T08:02 or 1985-07')
  return takenAt
}

/** @param createdMs - when the photo came. @throws for a date that was not yet then */
export function requirePast(takenAt: TakenAt, createdMs: number): void {
  if (localMs(takenAt) > createdMs + FUTURE_MS_MAX)
    throw badField('taken_at', 'taken_at must not be later than a day after the photo was uploaded')
}

export function checkShift(seconds: number): number {
  if (!Number.isSafeInteger(seconds) || Math.abs(seconds) > SHIFT_S_MAX)
    throw badField('shift_s', `shift_s must be a whole number of seconds, from -${SHIFT_S_MAX} to ${SHIFT_S_MAX}`)
  return seconds
}

function checkSetPatch(field: 'tags' | 'albums', patch: SetPatch): SetPatch {
  return { add: checkLabels(field, patch.add), remove: checkLabels(field, patch.remove) }
}

/** The photo must respect the limits after the edit, too. */
export function checkEdited(photo: Pick<Photo, 'name' | 'caption' | 'attributes' | 'tags' | 'albums'>): void {
  checkAttributeBytes(photo.name, photo.caption, photo.attributes)
  for (const field of ['tags', 'albums'] as const) {
    if (photo[field].length > LABELS_MAX) throw badField(field, `a photo may have at most ${LABELS_MAX} ${field}`)
  }
}

export function checkIdempotencyKey(key: string): string {
  if (!IDEMPOTENCY_KEY.test(key)) {
    throw badField('Idempotency-Key', 'an Idempotency-Key must have 1–255 printable ASCII characters')
  }
  return key
}

export function checkMinCopies(minCopies: number): number {
  if (!Number.isInteger(minCopies) || minCopies < 1)
    throw badField('min_copies', 'min_copies must be a whole number, at least 1')
  return minCopies
}

function checkAttributeBytes(
  name: string,
  caption: string | undefined,
  attributes: Iterable<readonly [string, string | null]>
): void {
  let bytes = Buffer.byteLength(name) + Buffer.byteLength(caption ?? '')
  for (const [key, value] of attributes) bytes += Buffer.byteLength(key) + Buffer.byteLength(value ?? '')
  if (bytes > ATTRIBUTES_BYTES_MAX) throw new SheafError('ERR_ATTRIBUTES_TOO_LARGE')
}

export function badField(field: string, message: string): SheafError {
  return new SheafError('ERR_BAD_PARAMETER', message, { details: { field } })
}
