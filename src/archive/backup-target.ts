import { isAbsolute } from 'node:path'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { FileSystem } from '../core/file-system.js'
import { FolderObjectStore } from './folder-object-store.js'
import { type S3Init, S3ObjectStore } from './s3-object-store.js'
import { SealingKey } from './sealed-object.js'
import { VolumeArchive } from './volume-archive.js'

const S3_TARGET = /^s3:\/\/([A-Za-z0-9._-]{1,255})(?:\/([A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*)\/?)?$/

export interface BackupTargetInit {
  /** Server, region and credentials for `s3://` targets; undefined: there are none. */
  readonly s3: Omit<S3Init, 'bucket' | 'prefix'> | undefined
  readonly keyLines: readonly string[]
}

/**
 * @param target - `s3://BUCKET[/PREFIX]`, or the absolute path of a folder
 * @throws `ERR_BAD_PARAMETER`, `ERR_NO_ARCHIVE`
 */
export function openBackupTarget(
  target: string,
  { clock, fileSystem }: { readonly clock: Clock; readonly fileSystem: FileSystem },
  { s3, keyLines }: BackupTargetInit
): VolumeArchive {
  const keys = keyLines.map(line => new SealingKey(line))
  const [, bucket, prefix = ''] = S3_TARGET.exec(target) ?? []
  if (bucket !== undefined) {
    if (s3 === undefined)
      throw new SheafError('ERR_NO_ARCHIVE', 's3:// needs --archive-endpoint, --archive-bucket and credentials')
    const store = new S3ObjectStore({ now: () => clock.now() }, { ...s3, bucket, prefix })
    return new VolumeArchive({ store, clock }, { keys })
  }
  if (target.startsWith('s3:') || !isAbsolute(target) || target.includes('\0'))
    throw new SheafError('ERR_BAD_PARAMETER', 'the target must be s3://BUCKET/PREFIX or the absolute path of a folder')
  return new VolumeArchive({ store: new FolderObjectStore({ fileSystem }, { folder: target }), clock }, { keys })
}
