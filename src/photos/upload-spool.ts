import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Clock } from '../core/clock.js'
import { deadline } from '../core/deadline.js'
import { SheafError } from '../core/errors.js'
import type { File, FileSystem } from '../core/file-system.js'
import type { DiskReserve } from '../volumes/disk-reserve.js'
import { writeError, writeWhole } from '../volumes/durable-write.js'
import { ByteBudget } from './byte-budget.js'

const FOLDER = 'uploads'
const FILES_MAX = 256
const WAITERS_MAX = 1_024
/** How long an upload waits for a file before it is refused. */
const WAIT_MS_MAX = 5_000

export interface UploadSpoolComponents {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly reserve: Pick<DiskReserve, 'admit'>
}

export interface UploadSpoolInit {
  /** Data folder of the node. */
  readonly folder: string
  /** Uploads that may be on disk at once; default 256. */
  readonly filesMax?: number
  /** Uploads that may wait for a file, for 5 s at most; default 1,024. Any more are refused at once. */
  readonly waitersMax?: number
}

/**
 * Where uploads go that memory has no room for: a file each. It has no name any more once it is open, so that nothing is
 * left of it when it is closed, or the process dies.
 */
export class UploadSpool {
  readonly #components: UploadSpoolComponents
  readonly #folder: string
  readonly #files: ByteBudget
  #opened = 0

  constructor(components: UploadSpoolComponents, init: UploadSpoolInit) {
    const { folder, filesMax = FILES_MAX, waitersMax = WAITERS_MAX } = init
    this.#components = components
    this.#folder = join(folder, FOLDER)
    this.#files = new ByteBudget({ bytesMax: filesMax, waitersMax })
  }

  /** Removes what a crash left between the opening of a file and its removal. */
  async start(): Promise<void> {
    const { fileSystem } = this.#components
    await fileSystem.removeDirectory(this.#folder)
    await fileSystem.makeDirectory(this.#folder)
  }

  /**
   * @param bytesMax - that will be in the file at once
   * @throws `ERR_OVERLOADED` when too many uploads are on disk already, `ERR_DISK_FULL`, `ERR_DISK_WRITE`
   */
  async open(bytesMax: number): Promise<SpoolFile> {
    const { clock, reserve } = this.#components
    const { signal, cancel } = deadline(clock, WAIT_MS_MAX, undefined, tooMany)
    await this.#files.take(1, signal).finally(cancel)
    try {
      await reserve.admit(bytesMax)
      return new SpoolFile(await this.#openNameless(), () => this.#files.release(1))
    } catch (err) {
      this.#files.release(1)
      throw err
    }
  }

  async #openNameless(): Promise<File> {
    const { fileSystem } = this.#components
    const path = join(this.#folder, `${this.#opened++}`)
    let file: File | undefined
    try {
      file = await fileSystem.open(path, 'create')
      await fileSystem.remove(path)
      return file
    } catch (cause) {
      await file?.close()
      throw writeError(cause)
    }
  }
}

/** Bytes on disk, to be read again by the process that wrote them. */
export class SpoolFile {
  readonly #file: File
  readonly #onClose: () => void
  #byteCount = 0
  #checksum = 0

  constructor(file: File, onClose: () => void) {
    this.#file = file
    this.#onClose = onClose
  }

  /** @throws `ERR_DISK_FULL`, `ERR_DISK_WRITE` */
  async append(bytes: Uint8Array): Promise<void> {
    await writeWhole(this.#file, [bytes], this.#byteCount).catch(cause => {
      throw writeError(cause)
    })
    this.#byteCount += bytes.byteLength
    this.#checksum = crc32(bytes, this.#checksum)
  }

  /** @returns all bytes since the last {@link clear}. @throws `ERR_DISK_READ` when they are not what was written */
  async read(): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(this.#byteCount)
    const read = await this.#file.read(bytes, 0).catch((cause: unknown) => {
      throw new SheafError('ERR_DISK_READ', undefined, { cause })
    })
    if (read !== bytes.byteLength || crc32(bytes) !== this.#checksum) throw new SheafError('ERR_DISK_READ')
    return bytes
  }

  clear(): void {
    this.#byteCount = 0
    this.#checksum = 0
  }

  async close(): Promise<void> {
    await this.#file.close().finally(this.#onClose)
  }
}

function tooMany(): SheafError {
  return new SheafError('ERR_OVERLOADED')
}
