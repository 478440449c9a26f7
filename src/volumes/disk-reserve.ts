import { basename, dirname } from 'node:path'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'

/** How old a look at the free space may be, ms; what was appended since is subtracted. */
const LOOK_MS_MAX = 1_000
const BALLAST_BYTES_MAX = 16 * 1024 * 1024
const BALLAST_PIECE_BYTES = 1024 * 1024

export interface DiskReserveInit {
  /** Folder on the disk in question. */
  readonly directory: string
  readonly ballastPath: string
  /** Free bytes that uploads must leave: a volume for compaction to work in, and room for LevelDB and tombstones. */
  readonly reserveBytes: number
}

/**
 * Keeps a full disk recoverable by deletes alone. Uploads stop while a reserve is still free; deletes, edits and compaction
 * may use it. When something else has taken even that, a ballast file is given up once, which makes room for tombstones.
 */
export class DiskReserve {
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  readonly #log: Logger
  readonly #init: DiskReserveInit
  #freeBytes = Number.POSITIVE_INFINITY
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #ballastHeld = false

  constructor(components: { fileSystem: FileSystem; clock: Clock; log: Logger }, init: DiskReserveInit) {
    this.#fileSystem = components.fileSystem
    this.#clock = components.clock
    this.#log = components.log
    this.#init = init
  }

  get reserveBytes(): number {
    return this.#init.reserveBytes
  }

  async start(): Promise<void> {
    await this.#look()
    const names = await this.#fileSystem.list(dirname(this.#init.ballastPath))
    this.#ballastHeld = names.includes(basename(this.#init.ballastPath))
    await this.restoreBallast()
  }

  /**
   * Accounts for an upload of `byteCount` bytes.
   *
   * @throws `ERR_DISK_FULL` when it would eat into the reserve
   */
  async admit(byteCount: number): Promise<void> {
    if (this.#clock.monotonic() - this.#lookedAt > LOOK_MS_MAX) await this.#look()
    const fits = (): boolean => this.#freeBytes - byteCount >= this.#init.reserveBytes
    if (!fits()) await this.#look() // somebody may have made room a moment ago
    if (!fits()) {
      throw new SheafError('ERR_DISK_FULL', undefined, {
        details: { free_bytes: Math.max(0, Math.floor(this.#freeBytes)), reserve_bytes: this.#init.reserveBytes }
      })
    }
    this.#freeBytes -= byteCount
  }

  /** Gives up the ballast. @returns whether there was one */
  async releaseBallast(): Promise<boolean> {
    if (!this.#ballastHeld) return false
    this.#ballastHeld = false
    await this.#fileSystem.remove(this.#init.ballastPath)
    this.#log.warn({}, 'the disk is full: the ballast file was given up to make room for deletes')
    return true
  }

  /** Takes the ballast back once the reserve is free again. */
  async restoreBallast(): Promise<void> {
    if (this.#ballastHeld || this.#freeBytes < this.#init.reserveBytes) return
    const byteCount = Math.min(BALLAST_BYTES_MAX, Math.floor(this.#init.reserveBytes / 8))
    try {
      const file = await this.#fileSystem.open(this.#init.ballastPath, 'create')
      try {
        const piece = new Uint8Array(BALLAST_PIECE_BYTES)
        for (let at = 0; at < byteCount; at += piece.byteLength) {
          await file.write([piece.subarray(0, Math.min(piece.byteLength, byteCount - at))], at)
        }
      } finally {
        await file.close()
      }
      this.#ballastHeld = true
    } catch (err) {
      this.#log.warn({ err }, 'could not set ballast aside')
      await this.#fileSystem.remove(this.#init.ballastPath)
    }
  }

  /** The next admission looks at the disk again: something was removed. */
  forgetLook(): void {
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  #look(): Promise<void> {
    this.#looking ??= this.#fileSystem
      .space(this.#init.directory)
      .then(({ freeBytes }) => {
        this.#freeBytes = freeBytes
        this.#lookedAt = this.#clock.monotonic()
      })
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }
}
