import { join } from 'node:path'
import { hasCode, SheafError, systemErrorCode } from '../core/errors.js'
import { type File, type FileSystem, makeDurableDirectory } from '../core/file-system.js'
import type { Progress } from '../core/progress.js'
import type { VolumeId } from '../domain/ids.js'
import { furthest } from './archived-volume.js'
import { backupName, backupNames, decodeBackup, IDENTITY_FILE, type NodeBackup } from './node-backup.js'
import type { VolumeArchive } from './volume-archive.js'

/** Of the faults in a report; the first ones show the kind of damage. */
const FAULTS_MAX = 1000

export interface RestoreReport {
  readonly nodeId: string
  readonly takenAtMs: number
  readonly volumes: number
  readonly bytes: number
  /** What was left out, in words. */
  readonly faults: readonly string[]
}

export interface RestoreInit {
  readonly backup: NodeBackup
  /** Must not be there, or be empty. */
  readonly folder: string
  /** False: the node that starts on it gets a new key. */
  readonly sameIdentity: boolean
  /** Leaves out what is missing or damaged; a gap between intact needles becomes a hole of the node that starts on it. */
  readonly skipDamaged: boolean
}

const NO_BACKUP = 'there is no backup of a node at the target, or none that a run has finished'

/** @returns the one node's backup in the archive. @throws `ERR_NOT_FOUND`; what reading throws */
export async function readBackup(archive: VolumeArchive, signal: AbortSignal): Promise<NodeBackup> {
  const [name, another] = await backupNames(archive, signal)
  if (name === undefined) throw new SheafError('ERR_NOT_FOUND', NO_BACKUP)
  if (another !== undefined)
    throw new SheafError(
      'ERR_ARCHIVE_REFUSED',
      'there are backups of several nodes in one place; that is not made by Sheaf'
    )
  const bytes = await archive.document(name, signal)
  if (bytes === undefined) throw new SheafError('ERR_NOT_FOUND', NO_BACKUP)
  const backup = decodeBackup(bytes)
  if (backupName(backup.nodeId) !== name)
    throw new SheafError('ERR_ARCHIVE_DAMAGED', 'the list of what the backup has belongs to another node')
  return backup
}

/**
 * Makes a data folder of a backup, beside its place at first, so that one that was not finished is not taken for a folder.
 *
 * @throws `ERR_USAGE` when the folder has something in it; `ERR_ARCHIVE_DAMAGED` when a volume is missing or damaged, unless
 * that is to be left out
 */
export async function restoreFolder(
  { archive, fileSystem }: { readonly archive: VolumeArchive; readonly fileSystem: FileSystem },
  { backup, folder, sameIdentity, skipDamaged }: RestoreInit,
  progress: (progress: Progress) => void,
  signal: AbortSignal
): Promise<RestoreReport> {
  await requireEmpty(fileSystem, folder)
  const making = `${folder}.restoring`
  await fileSystem.removeDirectory(making)
  await makeDurableDirectory(fileSystem, join(making, 'volumes'))
  const faults: string[] = []
  const intact = async <Result>(volume: VolumeId, task: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await task()
    } catch (err) {
      if (!skipDamaged || !hasCode(err, 'ERR_ARCHIVE_DAMAGED')) throw err
      if (faults.length < FAULTS_MAX) faults.push(`volume ${volume}: ${err.message}`)
      return undefined
    }
  }
  const heads = furthest(await archive.heads(signal))
  for (const [volume, end] of backup.ends)
    await intact(volume, async () => {
      if ((heads.get(volume)?.end ?? 0) >= end) return
      throw new SheafError('ERR_ARCHIVE_DAMAGED', `volume ${volume} is missing in the backup, or shorter than it was`)
    })
  const total = [...heads.values()].reduce((sum, { end }) => sum + end, 0)
  let volumes = 0
  let bytes = 0
  for (const head of heads.values()) {
    const archived = await intact(head.volume, () => archive.read(head, signal))
    if (archived === undefined) continue
    const file = await fileSystem.open(join(making, 'volumes', `${head.volume}.volume`), 'create')
    try {
      await write(file, archived.superblock, 0)
      for (const piece of archived.pieces) {
        const content = await intact(head.volume, () => archive.piece(archived, piece, signal))
        if (content === undefined) continue
        await write(file, content, piece.from)
        bytes += content.byteLength
        progress({ done: bytes, total, unit: 'bytes' })
      }
      await file.sync()
    } finally {
      await file.close()
    }
    volumes++
  }
  for (const [name, content] of backup.files)
    if (name !== IDENTITY_FILE || sameIdentity) await fileSystem.writeFileAtomic(join(making, name), content)
  await fileSystem.syncDirectory(join(making, 'volumes'))
  await fileSystem.removeDirectory(folder)
  await fileSystem.rename(making, folder)
  await fileSystem.syncDirectory(join(folder, '..'))
  return { nodeId: backup.nodeId, takenAtMs: backup.takenAtMs, volumes, bytes, faults }
}

async function write(file: File, bytes: Uint8Array, at: number): Promise<void> {
  if ((await file.write([bytes], at)) !== bytes.byteLength) throw new SheafError('ERR_DISK_FULL')
}

async function requireEmpty(fileSystem: FileSystem, folder: string): Promise<void> {
  const entries = await fileSystem.list(folder).catch(err => {
    if (systemErrorCode(err) !== 'ENOENT') throw err
    return []
  })
  if (entries.length > 0)
    throw new SheafError('ERR_USAGE', `${folder} is not empty; restore into a folder that is not there yet`)
}
