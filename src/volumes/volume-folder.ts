import { join } from 'node:path'
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

/** The folder of the volume and index files: which of its files are volumes, and how one comes into being and goes. */
export class VolumeFolder {
  readonly #components: VolumeFolderComponents
  readonly #path: string

  constructor(components: VolumeFolderComponents, path: string) {
    this.#components = components
    this.#path = path
  }

  /** Makes the folder if need be, and clears away what crashes left in it. @returns names of what look like volumes */
  async list(): Promise<string[]> {
    const { fileSystem } = this.#components
    await makeDurableDirectory(fileSystem, this.#path)
    const names = await fileSystem.list(this.#path)
    for (const name of names) await this.#removeOrphan(name, names)
    return names.filter(name => name.endsWith(VOLUME_ENDING))
  }

  /** @returns undefined, and says so in the log, when the file cannot be a volume: it is left alone */
  async open(name: string): Promise<VolumeFile | undefined> {
    const { fileSystem, log } = this.#components
    const parsed = parseVolumeId(name.slice(0, -VOLUME_ENDING.length))
    if (parsed === undefined) {
      log.warn({ file: name }, 'a file in the volume folder has no volume name; it is left alone')
      return undefined
    }
    const path = join(this.#path, name)
    try {
      return { id: volumeId(parsed.epoch, parsed.sequence), path, file: await fileSystem.open(path, 'write') }
    } catch (err) {
      if (systemErrorCode(err) !== 'EISDIR') throw err
      log.warn({ file: name }, 'a folder has the name of a volume; it is left alone')
      return undefined
    }
  }

  /**
   * Makes a volume's file, durably.
   *
   * @param superblock - as its writer signed it
   * @param adopt - makes a volume of the file; the file is removed when that throws
   * @throws `ERR_DISK_FULL`, `ERR_DISK_WRITE`
   */
  async create<Made>(id: VolumeId, superblock: Uint8Array, adopt: (opened: VolumeFile) => Made): Promise<Made> {
    const { fileSystem, log } = this.#components
    const path = join(this.#path, `${id}${VOLUME_ENDING}`)
    const file = await fileSystem.open(path, 'create').catch(cause => {
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
        log.warn({ err, path }, 'could not remove a volume that failed to open')
      )
      throw writeError(cause, id)
    }
  }

  /** Removes a file that holds no needles: its process died, or its disk failed, between creating and writing. */
  async removeEmpty({ path, file }: VolumeFile): Promise<void> {
    await file.close()
    await this.#components.fileSystem.remove(path)
  }

  /** Makes durable which files there are. */
  sync(): Promise<void> {
    return this.#components.fileSystem.syncDirectory(this.#path)
  }

  /** An index file without its volume: left by a crash between two removals. */
  async #removeOrphan(name: string, names: readonly string[]): Promise<void> {
    if (!name.endsWith('.index') || names.includes(name.replace(/\.index$/, VOLUME_ENDING))) return
    this.#components.log.info({ file: name }, 'removed an index file without a volume')
    await this.#components.fileSystem.remove(join(this.#path, name))
  }
}
