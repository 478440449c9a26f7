import { turn } from '../core/turn.js'
import type { Directory } from '../directory/directory.js'
import { type PhotoAct, photoAudience } from '../domain/audience.js'
import type { PhotoId } from '../domain/ids.js'
import { viewPhoto } from '../domain/photo.js'
import type { KnownPhoto } from './photo-types.js'
import { ALL_SEEING, type Viewer } from './viewers/viewer.js'

/** Photos of the same bytes that are looked at for one that somebody sees, the newest. */
const SAME_BYTES_MAX = 64
/** Steps without a turn of the event loop. */
const IN_A_TURN = 64

/**
 * Looks for photos by the bytes of their originals.
 *
 * @param digests - SHA-256, lower-case hex
 * @param viewer - only what that one sees, or may undelete, is known
 * @returns one photo of each that there is, a live one if there is one
 * @throws `ERR_INDEX_BUILDING`: it is not live, and the index that is read does not know whether it is deleted
 */
export async function findKnown(
  directory: Pick<Directory, 'newestWith'>,
  digests: readonly string[],
  viewer: Viewer,
  signal?: AbortSignal
): Promise<ReadonlyMap<string, KnownPhoto>> {
  const known = new Map<string, KnownPhoto>()
  const find = async (term: string, act: PhotoAct): Promise<PhotoId | undefined> => {
    const records = await directory.newestWith(term, viewer === ALL_SEEING ? 1 : SAME_BYTES_MAX, signal)
    return records.map(record => viewPhoto(record)).find(photo => viewer.may(act, photoAudience(photo)))?.id
  }
  for (const [i, sha256] of [...new Set(digests)].entries()) {
    signal?.throwIfAborted()
    if (i % IN_A_TURN === IN_A_TURN - 1) await turn()
    const live = await find(`sha256\0${sha256}`, 'see')
    const photoId = live ?? (await find(`trashed\0${sha256}`, 'delete'))
    if (photoId !== undefined) known.set(sha256, { photoId, state: live === undefined ? 'trashed' : 'live' })
  }
  return known
}
