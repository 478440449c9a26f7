import { hasCode, SheafError } from '../core/errors.js'
import type { File } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import type { VolumeId } from '../domain/ids.js'
import { decodeSuperblock, SUPERBLOCK_BYTES, type Superblock } from '../domain/superblock.js'

type VerifySignature = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean

/** @throws `ERR_VOLUME_CORRUPT` unless the superblock names the volume and has a valid signature; `ERR_FORMAT_TOO_NEW` */
export function superblockOf(id: VolumeId, encoded: Uint8Array, verify: VerifySignature): Superblock {
  const superblock = decodeSuperblock(encoded, verify)
  if (superblock.volume !== id) throw new SheafError('ERR_VOLUME_CORRUPT', 'the superblock names another volume')
  return superblock
}

/** @returns undefined if it is damaged or unreadable, which is logged. @throws `ERR_FORMAT_TOO_NEW` */
export async function readSuperblock(
  file: File,
  id: VolumeId,
  verify: VerifySignature,
  log: Logger
): Promise<Superblock | undefined> {
  const bytes = new Uint8Array(SUPERBLOCK_BYTES)
  try {
    const read = await file.read(bytes, 0)
    return superblockOf(id, bytes.subarray(0, read), verify)
  } catch (err) {
    if (hasCode(err, 'ERR_FORMAT_TOO_NEW')) throw err
    log.error({ volume: id, err }, 'the superblock of the volume is damaged; its needles can still be read')
    return undefined
  }
}
