import { join } from 'node:path'
import { furthest, type HeadName } from '../archive/archived-volume.js'
import { BACKED_UP_FILES, backupName, backupNames, encodeBackup } from '../archive/node-backup.js'
import { readBackup } from '../archive/restore-folder.js'
import type { VolumeArchive } from '../archive/volume-archive.js'
import type { Clock } from '../core/clock.js'
import { hasCode, SheafError, systemErrorCode } from '../core/errors.js'
import type { FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import type { Progress } from '../core/progress.js'
import type { VolumeId } from '../domain/ids.js'
import { FAULTS_MAX, type Fault } from '../store/verify.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import type { Job, Jobs, JobTask } from './jobs.js'
import { VolumeUploader } from './volume-uploader.js'

const BYTES_PER_SECOND_MAX = 100_000_000

export const BACKUP_ACTIONS = ['run', 'verify', 'prune'] as const
export type BackupAction = (typeof BACKUP_ACTIONS)[number]

export interface BackupComponents {
  readonly volumes: Pick<VolumeSet, 'volumes' | 'get'>
  readonly jobs: Jobs
  readonly fileSystem: Pick<FileSystem, 'readFile'>
  readonly clock: Clock
  readonly log: Logger
  readonly isRetired: (volume: VolumeId) => boolean
  /** @throws `ERR_BAD_PARAMETER`, `ERR_NO_ARCHIVE` */
  readonly open: (target: string) => VolumeArchive
}

export interface BackupInit {
  /** The data folder. */
  readonly folder: string
  readonly nodeId: string
}

export interface BackupReport {
  readonly volumes: number
  readonly bytes: number
  readonly faults: readonly Fault[]
}

type Task = (
  archive: VolumeArchive,
  progress: (progress: Progress) => void,
  signal: AbortSignal
) => Promise<BackupReport>

/**
 * Backs this node up, into a folder or an S3 bucket that holds the backup of one node. Each run adds what is new and takes
 * away what compaction has replaced, so the backup is the node as of the last run.
 */
export class Backup {
  readonly #components: BackupComponents
  readonly #init: BackupInit
  #succeededAtMs: number | undefined
  #failedAtMs: number | undefined

  constructor(components: BackupComponents, init: BackupInit) {
    this.#components = components
    this.#init = init
  }

  /** When a run last ended that has everything, ms since the Unix epoch; undefined: none has in this process. */
  get succeededAtMs(): number | undefined {
    return this.#succeededAtMs
  }

  /** When a run last failed or left something out, ms since the Unix epoch; undefined: none has in this process. */
  get failedAtMs(): number | undefined {
    return this.#failedAtMs
  }

  /** @throws `ERR_BAD_PARAMETER`, `ERR_NO_ARCHIVE` for the target */
  start(action: BackupAction, target: string): Job {
    const { jobs, open } = this.#components
    const kind = `backup-${action}`
    const running = jobs.running(kind, target)
    if (running !== undefined) return running
    const archive = open(target)
    const tasks: Record<BackupAction, Task> = {
      run: (...args) => this.#notedRun(...args),
      verify: (...args) => this.#verify(...args),
      prune: (...args) => this.#prune(...args)
    }
    const work: JobTask = async (progress, signal) => {
      try {
        return await tasks[action](archive, progress, signal)
      } finally {
        archive.close()
      }
    }
    return jobs.start(kind, work, { subject: target })
  }

  async #notedRun(...args: Parameters<Task>): Promise<BackupReport> {
    let isWhole = false
    try {
      const report = await this.#run(...args)
      isWhole = report.faults.length === 0
      return report
    } finally {
      const now = this.#components.clock.now()
      if (isWhole) this.#succeededAtMs = now
      else this.#failedAtMs = now
    }
  }

  async #run(...[archive, progress, signal]: Parameters<Task>): Promise<BackupReport> {
    const { volumes, clock } = this.#components
    await this.#requireOwn(archive, signal)
    const uploader = new VolumeUploader({ ...this.#components, archive }, { bytesPerSecondMax: BYTES_PER_SECOND_MAX })
    const faults: Fault[] = []
    const ends = new Map<VolumeId, number>()
    let heads = await archive.heads(signal)
    let byteCount = 0
    // what was moved out of these is in what follows; of one that goes later, it may be in what was uploaded before
    const replaced = this.#replacedIn(heads)
    const mine = volumes.volumes()
    for (const [i, volume] of mine.entries()) {
      progress({ done: i, total: mine.length, unit: 'volumes' })
      const before = this.#endIn(archive, heads, volume.id)
      try {
        if (volume.holes.length > 0) throw new SheafError('ERR_NEEDLE_CORRUPT', 'it has damage')
        heads = await uploader.upload(volume, heads, signal)
      } catch (err) {
        signal.throwIfAborted()
        if (!isOfVolume(err)) throw err
        const isGone = volumes.get(volume.id) === undefined
        const fault = isGone
          ? 'it was compacted meanwhile; run the backup again'
          : `${err.message}; repair this node, then back it up again`
        addFault(faults, volume.id, fault)
      }
      const end = this.#endIn(archive, heads, volume.id)
      if (end > 0) ends.set(volume.id, end)
      byteCount += end - before
    }
    const files = await this.#files()
    const { nodeId } = this.#init
    const document = encodeBackup({ nodeId, takenAtMs: clock.now(), ends, files })
    await archive.putDocument(backupName(nodeId), document, signal)
    if (faults.length === 0) for (const id of replaced) await archive.remove(id, signal)
    return { volumes: ends.size, bytes: byteCount, faults }
  }

  /** Reads everything back. */
  async #verify(...[archive, progress, signal]: Parameters<Task>): Promise<BackupReport> {
    const faults: Fault[] = []
    const heads = furthest(await archive.heads(signal))
    const { ends } = await readBackup(archive, signal)
    for (const [id, end] of ends)
      if ((heads.get(id)?.end ?? 0) < end) addFault(faults, id, 'it is missing in the backup, or shorter than it was')
    const total = [...heads.values()].reduce((sum, { end }) => sum + end, 0)
    let byteCount = 0
    for (const head of heads.values()) {
      try {
        const archived = await archive.read(head, signal)
        for (const piece of archived.pieces) {
          await archive.piece(archived, piece, signal)
          byteCount += piece.to - piece.from
          progress({ done: byteCount, total, unit: 'bytes' })
        }
      } catch (err) {
        if (!hasCode(err, 'ERR_ARCHIVE_DAMAGED')) throw err
        addFault(faults, head.volume, err.message)
        // so that the next run makes it anew, if this node still has it
        if (this.#components.volumes.get(head.volume) !== undefined) await archive.removeHead(head, signal)
      }
    }
    return { volumes: heads.size, bytes: byteCount, faults }
  }

  /** Takes away what runs that ended early have left. */
  async #prune(...[archive, progress, signal]: Parameters<Task>): Promise<BackupReport> {
    await this.#requireOwn(archive, signal)
    const ids = [...furthest(await archive.heads(signal)).keys()]
    for (const [i, id] of ids.entries()) {
      progress({ done: i, total: ids.length, unit: 'volumes' })
      await archive.sweep(id, signal, 0)
    }
    return { volumes: ids.length, bytes: 0, faults: [] }
  }

  /**
   * @returns archived volumes of which all that is needed is in other volumes here. While a retired one is here, that may
   *   still be on its way to this node; one that is neither here nor retired was lost here, so the backup keeps it
   */
  #replacedIn(heads: readonly HeadName[]): readonly VolumeId[] {
    const { isRetired, volumes } = this.#components
    const ids = [...new Set(heads.map(({ volume }) => volume))]
    return ids.filter(id => isRetired(id) && volumes.get(id) === undefined)
  }

  #endIn(archive: VolumeArchive, heads: readonly HeadName[], id: VolumeId): number {
    return furthest(heads.filter(head => head.volume === id && archive.isCurrent(head))).get(id)?.end ?? 0
  }

  async #requireOwn(archive: VolumeArchive, signal: AbortSignal): Promise<void> {
    const names = await backupNames(archive, signal)
    if (names.every(name => name === backupName(this.#init.nodeId))) return
    throw new SheafError('ERR_ARCHIVE_REFUSED', 'this is the backup of another node; give each node a place of its own')
  }

  async #files(): Promise<Map<string, Uint8Array>> {
    const files = new Map<string, Uint8Array>()
    for (const name of BACKED_UP_FILES) {
      const bytes = await this.#components.fileSystem.readFile(join(this.#init.folder, name))
      if (bytes !== undefined) files.set(name, bytes)
    }
    return files
  }
}

/** It was not read, as it is damaged, or its disk fails; the others are backed up all the same. */
function isOfVolume(err: unknown): err is Error {
  if (err instanceof SheafError) return err.code.startsWith('ERR_NEEDLE') || err.code === 'ERR_DISK_READ'
  return systemErrorCode(err) !== undefined
}

function addFault(faults: Fault[], volume: VolumeId, problem: string): void {
  if (faults.length < FAULTS_MAX) faults.push({ volume, photoId: undefined, problem })
}
