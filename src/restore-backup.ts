import { openBackupTarget } from './archive/backup-target.js'
import { readBackup, restoreFolder } from './archive/restore-folder.js'
import type { RestoredFolder, RestoreOptions } from './cli/commands/backup.js'
import { type ConfigSources, loadConfig } from './config.js'
import type { Clock } from './core/clock.js'
import type { FileSystem } from './core/file-system.js'

/** For `sheaf restore`: the object store and the key are those that a node would have been given. */
export async function restoreBackup(
  components: { readonly clock: Clock; readonly fileSystem: FileSystem },
  sources: Pick<ConfigSources, 'environment' | 'readTextFile'>,
  { target, folder, keyFile, sameIdentity, admit, progress, signal }: RestoreOptions
): Promise<RestoredFolder> {
  const args = ['--data', folder, ...(keyFile === undefined ? [] : ['--archive-key', keyFile])]
  const { archive: s3, archiveKeyLines: keyLines } = loadConfig({ ...sources, args, hostName: '' })
  const archive = openBackupTarget(target, components, { s3, keyLines })
  try {
    const backup = await readBackup(archive, signal)
    if (sameIdentity) await admit(backup.nodeId)
    return await restoreFolder({ ...components, archive }, { backup, folder, sameIdentity }, progress, signal)
  } finally {
    archive.close()
  }
}
