import type { Directory } from '../../directory/directory.js'
import type { Tombstone } from '../../directory/keys.js'
import { type PhotoId, photoIdFrom } from '../../domain/ids.js'
import { viewPhoto } from '../../domain/photo.js'
import { decodeRecord } from '../../domain/record-codec.js'
import { tombstoneStamp } from '../../domain/tombstone.js'
import type { VolumeSet } from '../../volumes/volume-set.js'

const READ_AT_ONCE = 256

export interface NeedleCensusComponents {
  readonly volumes: Pick<VolumeSet, 'volumes'>
  readonly directory: Pick<Directory, 'formats' | 'getMany'>
}

/**
 * Finds out of which deleted photos this node holds needles from before their deletion: bytes, or records in which they
 * live. A record needle that is itself a tombstone is none: whoever replays it drops it. Nor are bytes of a generation that
 * no record names: an undo that failed left them, or one that is under way brings the record that undoes the delete.
 *
 * @param tombstones - of the photos asked about
 * @returns those of which there is something, in whichever volume, retired ones included
 * @throws `ERR_NEEDLE_CORRUPT`, `ERR_DISK_READ`
 */
export async function heldPhotos(
  { volumes, directory }: NeedleCensusComponents,
  tombstones: readonly Tombstone[],
  signal: AbortSignal
): Promise<Set<PhotoId>> {
  const held = new Set<PhotoId>()
  const generations = await generationsOf(directory, tombstones)
  if (generations.size === 0) return held
  for (const volume of volumes.volumes()) {
    for await (const rows of volume.rows()) {
      signal.throwIfAborted()
      for (const row of rows) {
        const id = photoIdFrom(row.id)
        const generation = generations.get(id)
        if (generation === undefined || held.has(id)) continue
        if (row.kind !== 'record' && row.generation > generation) continue
        const isTombstone =
          row.kind === 'record' &&
          tombstoneStamp(decodeRecord(await volume.read(row.offset, row, row.length), directory.formats.max)) !==
            undefined
        if (!isTombstone) held.add(id)
      }
    }
  }
  return held
}

async function generationsOf(
  directory: NeedleCensusComponents['directory'],
  tombstones: readonly Tombstone[]
): Promise<Map<string, number>> {
  const generations = new Map<string, number>()
  for (let at = 0; at < tombstones.length; at += READ_AT_ONCE) {
    const keys = tombstones.slice(at, at + READ_AT_ONCE).map(({ key }) => key)
    for (const stored of await directory.getMany(keys)) {
      if (stored !== undefined) generations.set(stored.record.id, viewPhoto(stored.record).generation)
    }
  }
  return generations
}
