import { hasCode } from '../core/errors.js'
import type { ModelId } from '../domain/features.js'
import { viewFindings } from '../domain/findings.js'
import { type Photo, viewPhoto } from '../domain/photo.js'
import type { DirectoryRecord } from '../domain/record.js'
import { featuresBlob, type PhotoBlob } from '../store/photo-needles.js'

/** @returns undefined for a deleted photo, and for a malformed record, which must not hide the others */
export function livePhoto(record: DirectoryRecord | undefined): Photo | undefined {
  if (record === undefined) return undefined
  try {
    const photo = viewPhoto(record)
    return photo.deleted ? undefined : photo
  } catch (err) {
    if (hasCode(err, 'ERR_RECORD_MALFORMED')) return undefined
    throw err
  }
}

/** @returns the needle with a model's features; undefined when the photo is not live, or the model has not analyzed it */
export function featuresOf(record: DirectoryRecord | undefined, model: ModelId): PhotoBlob | undefined {
  const photo = livePhoto(record)
  return photo && featuresOfPhoto(photo, model)
}

/** As {@link featuresOf}, of a live photo. */
export function featuresOfPhoto(photo: Photo, model: ModelId): PhotoBlob | undefined {
  const named = viewFindings(photo.record).features.get(model)
  return named && featuresBlob(photo, named)
}
