import { turn } from '../core/turn.js'
import type { Directory } from '../directory/directory.js'
import { PHOTO_KIND, viewPhoto } from '../domain/photo.js'
import type { KnownPhoto } from './photo-types.js'

/** Steps without a turn of the event loop. */
const IN_A_TURN = 64

/**
 * Looks for photos by the bytes of their originals. Deleted ones have no terms, so all of them are gone through, once, when some
 * are not found otherwise.
 *
 * @param digests - SHA-256, lower-case hex
 * @returns one photo of each that there is, a live one if there is one
 */
export async function findKnown(
  directory: Pick<Directory, 'query' | 'deaths' | 'lookUp'>,
  digests: readonly string[],
  signal?: AbortSignal
): Promise<ReadonlyMap<string, KnownPhoto>> {
  const known = new Map<string, KnownPhoto>()
  const missing = new Set<string>()
  for (const [i, sha256] of [...new Set(digests)].entries()) {
    signal?.throwIfAborted()
    if (i % IN_A_TURN === IN_A_TURN - 1) await turn()
    const { records } = await directory.query({ terms: [`sha256\0${sha256}`], words: [], limit: 1 }, signal)
    const [record] = records
    if (record === undefined) missing.add(sha256)
    else known.set(sha256, { photoId: viewPhoto(record).id, state: 'live' })
  }
  if (missing.size === 0) return known
  let seen = 0
  for await (const { kind, id } of directory.deaths()) {
    if (++seen % IN_A_TURN === 0) {
      await turn()
      signal?.throwIfAborted()
    }
    const { stored } = kind === PHOTO_KIND ? directory.lookUp({ kind, id }) : {}
    if (stored === undefined) continue
    const photo = viewPhoto(stored.record)
    if (photo.deleted && missing.has(photo.sha256)) known.set(photo.sha256, { photoId: photo.id, state: 'trashed' })
  }
  return known
}
