import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { FileSystem } from '../core/file-system.js'
import { FolderObjectStore } from './folder-object-store.js'
import { type S3Init, S3ObjectStore } from './s3-object-store.js'
import { SealingKey } from './sealed-object.js'
import { VolumeArchive } from './volume-archive.js'

const S3_TARGET = /^s3:\/\/([A-Za-z0-9._-]{1,255})(?:\/([A-Za-z0-9._/-]{0,200}?)\/?)?$/
/** Servers resolve `.` and `..`, which would lead out of the bucket. */
const NO_FOLDER = /^\.{0,2}$/

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
  if (bucket !== undefined && (prefix === '' || !prefix.split('/').some(name => NO_FOLDER.test(name)))) {
    if (s3 === undefined)
      throw new SheafError('ERR_NO_ARCHIVE', 's3:// needs --archive-endpoint, --archive-bucket and credentials')
    const store = new S3ObjectStore({ now: () => clock.now() }, { ...s3, bucket, prefix })
    return new VolumeArchive({ store, clock }, { keys })
  }
  if (target.startsWith('s3:') || !isAbsolute(target) || target.includes('\0'))
    throw new SheafError('ERR_BAD_PARAMETER', 'the target must be s3://BUCKET/PREFIX or the absolute path of a folder')
  return new VolumeArchive({ store: new FolderObjectStore({ fileSystem }, { folder: target }), clock }, { keys })
}

/** @returns the bucket of an `s3://` target */
export function bucketOf(target: string): string | undefined {
  return S3_TARGET.exec(target)?.[1]
}

/**
 * A backup in the data folder would be lost with it. One in the archive would be taken for a part of it, and the archive for
 * a part of the backup, which takes away what its node no longer has.
 *
 * @throws `ERR_BAD_PARAMETER` when the target is one of the two
 */
export function requireApart(
  target: string,
  { folder, archive }: { readonly folder: string; readonly archive: ArchivePlace | undefined }
): void {
  const [, bucket, prefix = ''] = S3_TARGET.exec(target) ?? []
  if (archive !== undefined && bucket === archive.bucket && prefix === archive.prefix)
    throw new SheafError('ERR_BAD_PARAMETER', 'this is the archive of the cluster; give the backup a prefix of its own')
  if (bucket === undefined && isInside(folder, target))
    throw new SheafError('ERR_BAD_PARAMETER', `the target is in the data folder ${folder}, and would be lost with it`)
}

type ArchivePlace = Pick<S3Init, 'bucket' | 'prefix'>

function isInside(folder: string, path: string): boolean {
  const way = relative(resolve(folder), path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}
