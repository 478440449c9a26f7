import { turn } from '../core/turn.js'
import type { Directory } from '../directory/directory.js'
import type { PhotoId } from '../domain/ids.js'
import { viewPhoto } from '../domain/photo.js'
import type { KnownPhoto } from './photo-types.js'

/** Steps without a turn of the event loop. */
const IN_A_TURN = 64

/**
 * Looks for photos by the bytes of their originals.
 *
 * @param digests - SHA-256, lower-case hex
 * @returns one photo of each that there is, a live one if there is one
 * @throws `ERR_INDEX_BUILDING`: it is not live, and the index that is read does not know whether it is deleted
 */
export async function findKnown(
  directory: Pick<Directory, 'newestWith'>,
  digests: readonly string[],
  signal?: AbortSignal
): Promise<ReadonlyMap<string, KnownPhoto>> {
  const known = new Map<string, KnownPhoto>()
  const find = async (term: string): Promise<PhotoId | undefined> => {
    const [record] = await directory.newestWith(term, 1, signal)
    return record && viewPhoto(record).id
  }
  for (const [i, sha256] of [...new Set(digests)].entries()) {
    signal?.throwIfAborted()
    if (i % IN_A_TURN === IN_A_TURN - 1) await turn()
    const live = await find(`sha256\0${sha256}`)
    const photoId = live ?? (await find(`trashed\0${sha256}`))
    if (photoId !== undefined) known.set(sha256, { photoId, state: live === undefined ? 'trashed' : 'live' })
  }
  return known
}
