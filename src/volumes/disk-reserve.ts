import { basename, dirname } from 'node:path'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { DiskSpace, FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import { writeWhole } from './durable-write.js'

/** Maximum age of a measurement of the free space, ms; bytes admitted since are subtracted. */
const FREE_BYTES_AGE_MS_MAX = 1_000
const BALLAST_BYTES_MAX = 16 * 1024 * 1024
/** Room is made for an upload that was refused this lately, ms. */
const REFUSAL_AGE_MS_MAX = 10 * 60_000
const BALLAST_PIECE_BYTES = 1024 * 1024

/** Space of the disk that holds a node's data. */
export interface NodeSpace extends DiskSpace {
  /** Whether it is too little for uploads and copies. Default: it is not. */
  readonly isFull?: boolean
}

export interface DiskReserveInit {
  /** A folder on the disk to watch. */
  readonly folder: string
  readonly ballastPath: string
  /** Free bytes that uploads and copies must leave: one volume for compaction, and space for LevelDB and tombstones. */
  readonly reserveBytes: number
  /** The part of it that records of other nodes must leave: for what this node writes. Default: none. */
  readonly recordReserveBytes?: number
}

/**
 * Keeps a full disk recoverable by deletes alone. Uploads and copies stop while a reserve is still free; records of other
 * nodes stop when less is left; deletes, edits and compaction may use all of it. If other programs have used up the reserve,
 * a ballast file is removed to make room for tombstones; it is written again when there is space.
 */
export class DiskReserve {
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  readonly #log: Logger
  readonly #init: DiskReserveInit
  #freeBytes = Number.POSITIVE_INFINITY
  #measuredAt = Number.NEGATIVE_INFINITY
  #measuring: Promise<void> | undefined
  #hasBallast = false
  #restoring: Promise<void> | undefined
  #refused: { readonly at: number; readonly byteCount: number } | undefined
  /** What was refused last and would not fit yet. */
  #lacking: { readonly byteCount: number; readonly reserveBytes: number } | undefined

  readonly #onRefusal: () => void

  /** @param components.onRefusal - called when an upload was refused */
  constructor(
    components: { fileSystem: FileSystem; clock: Clock; log: Logger; onRefusal?: () => void },
    init: DiskReserveInit
  ) {
    this.#onRefusal = components.onRefusal ?? (() => {})
    this.#fileSystem = components.fileSystem
    this.#clock = components.clock
    this.#log = components.log
    this.#init = init
  }

  get reserveBytes(): number {
    return this.#init.reserveBytes
  }

  async start(): Promise<void> {
    await this.#measure()
    this.#hasBallast = (await this.#ballastFileBytes()) === this.#ballastBytes
    if (!(await this.#makeRoom())) await this.#restoreBallast()
  }

  /** Call before LevelDB is opened, which writes some files anew: removes the ballast where there is less room than that. */
  async makeRoom(): Promise<void> {
    await this.#measure()
    await this.#makeRoom()
  }

  /** @returns whether there is too little room, measured just now */
  async #makeRoom(): Promise<boolean> {
    if (this.#freeBytes >= this.#ballastBytes) return false
    await this.releaseBallast()
    return true
  }

  /** Whether something was refused that would not fit yet. `refresh` says when it would. */
  get isFull(): boolean {
    return this.#lacking !== undefined
  }

  /** Looks for space if the disk is full. */
  async refresh(): Promise<void> {
    if (this.isFull) await this.#measure()
  }

  /**
   * Accounts for an upload, or a part of a copy, of `byteCount` bytes.
   *
   * @throws `ERR_DISK_FULL` when it would eat into the reserve
   */
  async admit(byteCount: number): Promise<void> {
    const { reserveBytes } = this.#init
    if (!(await this.#hasRoom(byteCount, reserveBytes))) {
      this.#refused = { at: this.#clock.monotonic(), byteCount }
      this.#onRefusal()
      throw this.#refuse(byteCount, reserveBytes)
    }
    this.#freeBytes -= byteCount
    if (this.#hasBallast) return
    this.#restoring ??= this.#restoreBallast().finally(() => {
      this.#restoring = undefined
    })
    await this.#restoring
  }

  /**
   * Accounts for records of other nodes, `byteCount` bytes.
   *
   * @throws `ERR_DISK_FULL`
   */
  async admitRecords(byteCount: number): Promise<void> {
    const { recordReserveBytes = 0 } = this.#init
    if (!(await this.#hasRoom(byteCount, recordReserveBytes))) throw this.#refuse(byteCount, recordReserveBytes)
    this.#freeBytes -= byteCount
  }

  async #hasRoom(byteCount: number, reserveBytes: number): Promise<boolean> {
    if (this.#clock.monotonic() - this.#measuredAt > FREE_BYTES_AGE_MS_MAX) await this.#measure()
    if (this.#freeBytes - byteCount < reserveBytes) await this.#measure() // space may just have been freed
    return this.#freeBytes - byteCount >= reserveBytes
  }

  #refuse(byteCount: number, reserveBytes: number): SheafError {
    const details = { free_bytes: Math.max(0, Math.floor(this.#freeBytes)), reserve_bytes: reserveBytes }
    if (!this.isFull)
      this.#log.warn(details, 'the disk is full: taking nothing more until there is space; delete photos or free some')
    this.#lacking = { byteCount, reserveBytes }
    return new SheafError('ERR_DISK_FULL', undefined, { details })
  }

  /** Whether an upload that was refused lately would still not fit. */
  async isScarce(): Promise<boolean> {
    if (this.#refused === undefined) return false
    const { at, byteCount } = this.#refused
    await this.#measure()
    const isOver = this.#freeBytes - byteCount >= this.#init.reserveBytes
    if (isOver || this.#clock.monotonic() - at > REFUSAL_AGE_MS_MAX) this.#refused = undefined
    return this.#refused !== undefined
  }

  /** Removes the ballast file. @returns whether there was one */
  async releaseBallast(): Promise<boolean> {
    if (!this.#hasBallast) return false
    this.#hasBallast = false
    await this.#fileSystem.remove(this.#init.ballastPath)
    this.invalidateFreeBytes()
    this.#log.warn({}, 'the disk is full: removed the ballast file to make room for deletes; free some space')
    return true
  }

  /** Writes the ballast file once there is space for it besides the reserve. */
  async #restoreBallast(): Promise<void> {
    const { ballastPath, reserveBytes } = this.#init
    if (this.#hasBallast || this.#freeBytes < reserveBytes + this.#ballastBytes) return
    try {
      await this.#fileSystem.remove(ballastPath) // it may be incomplete
      const file = await this.#fileSystem.open(ballastPath, 'create')
      try {
        for (let at = 0; at < this.#ballastBytes; at += BALLAST_PIECE_BYTES) {
          await writeWhole(file, [new Uint8Array(Math.min(BALLAST_PIECE_BYTES, this.#ballastBytes - at))], at)
        }
        await file.sync() // before that, its blocks may not be allocated
      } finally {
        await file.close()
      }
      await this.#fileSystem.syncDirectory(dirname(ballastPath))
      this.#freeBytes -= this.#ballastBytes
      this.#hasBallast = true
    } catch (err) {
      this.#log.warn({ err }, 'could not write the ballast file; deletes may fail once the disk is full')
      await this.#fileSystem.remove(ballastPath)
    }
  }

  get #ballastBytes(): number {
    return Math.min(BALLAST_BYTES_MAX, Math.floor(this.#init.reserveBytes / 8))
  }

  /** @returns the size of the ballast file; 0 when there is none */
  async #ballastFileBytes(): Promise<number> {
    const { ballastPath } = this.#init
    if (!(await this.#fileSystem.list(dirname(ballastPath))).includes(basename(ballastPath))) return 0
    const file = await this.#fileSystem.open(ballastPath, 'read')
    try {
      return await file.size()
    } finally {
      await file.close()
    }
  }

  /** Makes the next admission measure the free space again, because files were removed or the disk has refused a write. */
  invalidateFreeBytes(): void {
    this.#measuredAt = Number.NEGATIVE_INFINITY
  }

  #measure(): Promise<void> {
    this.#measuring ??= this.#fileSystem
      .space(this.#init.folder)
      .then(({ freeBytes }) => {
        this.#freeBytes = freeBytes
        this.#measuredAt = this.#clock.monotonic()
        if (this.#lacking === undefined || freeBytes - this.#lacking.byteCount < this.#lacking.reserveBytes) return
        this.#lacking = undefined
        this.#log.info({ free_bytes: freeBytes }, 'the disk has space again')
      })
      .finally(() => {
        this.#measuring = undefined
      })
    return this.#measuring
  }
}
