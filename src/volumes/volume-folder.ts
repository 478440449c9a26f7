import { basename, join } from 'node:path'
import { systemErrorCode } from '../core/errors.js'
import { type File, type FileSystem, makeDurableDirectory } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import { parseVolumeId, type VolumeId, volumeId } from '../domain/ids.js'
import { writeError, writeWhole } from './durable-write.js'

export interface VolumeFolderComponents {
  readonly fileSystem: FileSystem
  readonly log: Logger
}

/** A volume's file, open for reading and writing. */
export interface VolumeFile {
  readonly id: VolumeId
  readonly path: string
  readonly file: File
}

const VOLUME_ENDING = '.volume'

/** The folder of the volume and index files: lists, opens, creates and removes volumes. */
export class VolumeFolder {
  readonly #components: VolumeFolderComponents
  readonly #path: string

  constructor(components: VolumeFolderComponents, path: string) {
    this.#components = components
    this.#path = path
  }

  /** Creates the folder if it is missing, and removes leftovers of crashes. @returns names of files that may be volumes */
  async list(): Promise<string[]> {
    const { fileSystem } = this.#components
    await makeDurableDirectory(fileSystem, this.#path)
    const names = await fileSystem.list(this.#path)
    for (const name of names) await this.#removeOrphan(name, names)
    return names.filter(name => name.endsWith(VOLUME_ENDING))
  }

  /** @returns undefined if the file cannot be a volume; it is logged and ignored */
  async open(name: string): Promise<VolumeFile | undefined> {
    const { fileSystem, log } = this.#components
    const parsed = parseVolumeId(name.slice(0, -VOLUME_ENDING.length))
    if (parsed === undefined) {
      log.warn({ file: name }, 'ignoring a file in the volume folder whose name is not a volume id')
      return undefined
    }
    const path = join(this.#path, name)
    try {
      return { id: volumeId(parsed.epoch, parsed.sequence), path, file: await fileSystem.open(path, 'write') }
    } catch (err) {
      if (systemErrorCode(err) !== 'EISDIR') throw err
      log.warn({ file: name }, 'ignoring a folder that has the name of a volume')
      return undefined
    }
  }

  /**
   * Creates a volume's file durably. A file that stands in its place and is no volume is set aside: a crash amid an earlier
   * creation can leave one.
   *
   * @param superblock - as its writer signed it
   * @param adopt - makes a volume of the file; if it throws, the file is removed
   * @throws `ERR_DISK_FULL`, `ERR_DISK_WRITE`
   */
  async create<Made>(id: VolumeId, superblock: Uint8Array, adopt: (opened: VolumeFile) => Made): Promise<Made> {
    const { log } = this.#components
    const path = join(this.#path, `${id}${VOLUME_ENDING}`)
    const file = await this.#createFile(path).catch(cause => {
      throw writeError(cause, id)
    })
    try {
      await writeWhole(file, [superblock], 0)
      await file.sync()
      await this.sync()
      const made = adopt({ id, path, file })
      log.info({ volume: id }, 'volume opened')
      return made
    } catch (cause) {
      await this.removeEmpty({ id, path, file }).catch(err =>
        log.warn({ err, path }, 'could not remove an unfinished volume file; the next start takes care of it')
      )
      throw writeError(cause, id)
    }
  }

  async #createFile(path: string): Promise<File> {
    const { fileSystem } = this.#components
    try {
      return await fileSystem.open(path, 'create')
    } catch (err) {
      if (systemErrorCode(err) !== 'EEXIST') throw err
      await this.#setAside(path)
      return fileSystem.open(path, 'create')
    }
  }

  /** @throws the file system's error, also for a folder */
  async #setAside(path: string): Promise<void> {
    const { fileSystem, log } = this.#components
    const file = await fileSystem.open(path, 'write') // which no folder can be
    await file.close()
    const names = await fileSystem.list(this.#path)
    let n = 1
    while (names.includes(`${basename(path)}.foreign-${n}`)) n++
    const name = `${basename(path)}.foreign-${n}`
    await fileSystem.rename(path, join(this.#path, name))
    log.warn({ file: name }, 'set aside a file that stood in the place of a volume and is none')
  }

  /** Removes a file without needles: the process died, or the disk failed, between creating and writing it. */
  async removeEmpty({ path, file }: VolumeFile): Promise<void> {
    await file.close()
    await this.#components.fileSystem.remove(path)
  }

  /** Makes created and removed files durable. */
  sync(): Promise<void> {
    return this.#components.fileSystem.syncDirectory(this.#path)
  }

  /** Removes an index file without a volume: a crash between the two removals left it. */
  async #removeOrphan(name: string, names: readonly string[]): Promise<void> {
    if (!name.endsWith('.index') || names.includes(name.replace(/\.index$/, VOLUME_ENDING))) return
    this.#components.log.info({ file: name }, 'removed an index file without a volume')
    await this.#components.fileSystem.remove(join(this.#path, name))
  }
}
