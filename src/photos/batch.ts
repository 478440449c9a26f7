import { type ErrorCode, SheafError } from '../core/errors.js'
import type { PhotoId } from '../domain/ids.js'
import { badField } from './photo-rules.js'
import type { BatchOutcome } from './photo-types.js'

const IDS_MAX = 10_000
/** Concurrent edits of a batch: enough to share syncs, few enough to leave room for other requests. */
const EDITS_MAX = 64

/**
 * @param ids - at most 10,000; one that comes again is done once
 * @returns the outcome of each, in their order
 * @throws `ERR_BAD_PARAMETER`; what `edit` throws, unless it is an operating error, which is its outcome
 */
export async function forEach(
  ids: readonly PhotoId[],
  edit: (id: PhotoId) => Promise<unknown>
): Promise<readonly BatchOutcome[]> {
  if (ids.length > IDS_MAX) throw badField('ids', `a batch may have at most ${IDS_MAX} ids`)
  const errors = new Map<PhotoId, ErrorCode | undefined>()
  const left = new Set(ids).values()
  const work = async (): Promise<void> => {
    for (const id of left) errors.set(id, await edit(id).then(() => undefined, codeOf))
  }
  await Promise.all(Array.from({ length: EDITS_MAX }, work))
  return ids.map(photoId => ({ photoId, error: errors.get(photoId) }))
}

/** @throws the error itself unless it is an operating error */
function codeOf(err: unknown): ErrorCode {
  if (err instanceof SheafError) return err.code
  throw err
}
