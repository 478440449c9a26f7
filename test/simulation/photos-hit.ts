import { decodeGraves } from '../../src/domain/graves.js'
import { type PhotoId, photoIdFrom } from '../../src/domain/ids.js'
import { NEEDLE_HEADER_BYTES, needleBytes } from '../../src/domain/needle.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import type { Volume } from '../../src/volumes/volume.js'

/**
 * Whose needle is at a place of a volume. A needle of graves is of many: where it is damaged, the node forgets their deletes
 * until peers tell of them.
 *
 * @param size - of the volume's file
 */
export async function photosHit(volume: Volume, position: number, size: number): Promise<PhotoId[]> {
  for await (const event of volume.scan(SUPERBLOCK_BYTES, Number.POSITIVE_INFINITY, 0, size)) {
    if (event.kind !== 'needle') continue
    const { header, offset } = event
    if (position < offset || position >= offset + needleBytes(header.length)) continue
    if (header.kind !== 'graves') return [photoIdFrom(header.id)]
    const data = new Uint8Array(header.length)
    await volume.file.read(data, offset + NEEDLE_HEADER_BYTES)
    const { kind, graves } = decodeGraves(data)
    return kind === PHOTO_KIND ? graves.map(({ id }) => id as PhotoId) : []
  }
  return []
}
