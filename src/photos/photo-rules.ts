import { SheafError } from '../core/errors.js'
import { LABEL_CHARACTERS_MAX, LABELS_MAX, NAME_CHARACTERS_MAX, RATING_MAX } from '../domain/limits.js'
import type { Photo } from '../domain/photo.js'
import type { PhotoPatch, SetPatch } from './photo-types.js'

/*
 * Limits on what a client may attach to a photo. A broken rule is `ERR_BAD_PARAMETER` with the field in `details`; name,
 * caption and attributes above 4 KB together are `ERR_ATTRIBUTES_TOO_LARGE`. Records from other nodes are never checked.
 */
const ATTRIBUTES_BYTES_MAX = 4_096
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/

/** The last segment of a client's path, without control characters, cut to the maximum length of a name. */
export function nameOf(filename: string | undefined): string {
  const base = (filename ?? '').split(/[/\\]/).at(-1) ?? ''
  return [...base.replace(/\p{Cc}/gu, '').trim()].slice(0, NAME_CHARACTERS_MAX).join('')
}

/** @returns the labels, trimmed and without duplicates */
export function checkLabels(field: 'tags' | 'albums', labels: readonly string[] = []): string[] {
  const trimmed = labels.map(label => label.trim())
  if (trimmed.length > LABELS_MAX) throw badField(field, `a photo may have at most ${LABELS_MAX} ${field}`)
  for (const label of trimmed) {
    if (label === '' || [...label].length > LABEL_CHARACTERS_MAX || /\p{Cc}/u.test(label)) {
      throw badField(
        field,
        `each of ${field} must have 1–${LABEL_CHARACTERS_MAX} characters, without control characters`
      )
    }
  }
  return [...new Set(trimmed)]
}

/** Checks that need no photo. @returns the patch with its labels trimmed */
export function checkPatch(patch: PhotoPatch): PhotoPatch {
  const { name, caption, rating, tags, albums, attributes } = patch
  if (name !== undefined && ([...name].length > NAME_CHARACTERS_MAX || /\p{Cc}/u.test(name))) {
    throw badField('name', `a name may have at most ${NAME_CHARACTERS_MAX} characters, without control characters`)
  }
  if (rating !== undefined && rating !== null && !(Number.isInteger(rating) && rating >= 0 && rating <= RATING_MAX)) {
    throw badField('rating', `rating must be a whole number from 0 to ${RATING_MAX}`)
  }
  checkAttributeBytes(name ?? '', caption ?? undefined, Object.entries(attributes ?? {}))
  return {
    ...patch,
    ...(tags === undefined ? {} : { tags: checkSetPatch('tags', tags) }),
    ...(albums === undefined ? {} : { albums: checkSetPatch('albums', albums) })
  }
}

export function checkSetPatch(field: 'tags' | 'albums', patch: SetPatch): SetPatch {
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
