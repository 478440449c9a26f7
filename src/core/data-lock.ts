import { randomBytes, randomInt } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Level } from 'level'
import { SheafError, systemErrorCode } from './errors.js'
import type { Startable } from './lifecycle.js'
import { nodeFileSystem } from './node-file-system.js'

const HOLDER_FILE = 'holder.json'
/** LevelDB's own lock file. Opening and closing it in this process would drop the lock (POSIX `fcntl` semantics). */
const LEVEL_LOCK_FILE = 'LOCK'
/** Space that LevelDB gets to open on a disk that is full to the last byte: it writes some small files anew. */
const SPARE_FILE = 'spare'
const SPARE_BYTES = 64 * 1024

/** A process writes the holder file shortly after it gets the lock, so readers retry. */
const HOLDER_READS_MAX = 50
const HOLDER_RETRY_MS = 30
/** Processes that start over at the same time may each delete what another one makes. */
const OPEN_TRIES_MAX = 8
const OPEN_RETRY_MS_MAX = 100

interface Holder {
  readonly pid: number
  readonly host: string
}

/**
 * The exclusive lock on a data folder: `<folder>/lock`, an empty LevelDB held open.
 *
 * Node has no `flock`; LevelDB has a file lock on every platform. The kernel releases it whenever the process ends, a reused
 * pid cannot fake it, and two processes that race for it cannot both win. It has a database of its own because the
 * directory's may be rebuilt while the node runs. `holder.json` beside it is information for people only.
 */
export class DataLock implements Startable {
  readonly #folder: string
  #level: Level | undefined

  constructor(init: { readonly folder: string }) {
    this.#folder = init.folder
  }

  /**
   * Takes the lock, or fails without waiting. Creates the folder if it is missing.
   *
   * @throws `ERR_DATA_LOCKED`, with the holder's `pid` and `host` in its details when known; `ERR_DISK_WRITE`
   */
  async start(): Promise<void> {
    if (this.#level !== undefined) return
    await nodeFileSystem.makeDirectory(this.#folder) // first, so that an error names the folder that the user knows
    await nodeFileSystem.makeDirectory(this.#path())
    this.#level = await this.#open()
    await this.#writeHolder()
    await this.#writeSpare()
  }

  async stop(): Promise<void> {
    const level = this.#level
    if (level === undefined) return
    this.#level = undefined
    await nodeFileSystem.remove(this.#path(HOLDER_FILE))
    await level.close()
  }

  async #open(): Promise<Level> {
    for (let tries = 1; ; tries++) {
      try {
        return await openLevel(this.#path())
      } catch (err) {
        if (isLocked(err)) throw await this.#lockedError()
        if (tries === OPEN_TRIES_MAX)
          throw new SheafError(
            'ERR_DISK_WRITE',
            `the data folder ${this.#folder} cannot be locked; check its permissions and free space`,
            { cause: err }
          )
      }
      // others that have found the same damage may have deleted what this one was making: not again at the same time
      if (tries > 1) await sleep(randomInt(OPEN_RETRY_MS_MAX))
      await this.#startOver()
    }
  }

  /**
   * A crash damaged the database, or the disk is completely full. It holds no data, so delete it and the spare file and start
   * over in the space that this frees. Another process that has taken the lock meanwhile needs only the lock file and its name
   * in the holder file, which stay.
   */
  async #startOver(): Promise<void> {
    for (const name of await nodeFileSystem.list(this.#path())) {
      if (name !== LEVEL_LOCK_FILE && name !== HOLDER_FILE) await nodeFileSystem.removeDirectory(this.#path(name))
    }
  }

  async #writeHolder(): Promise<void> {
    const holder: Holder = { pid: process.pid, host: hostname() }
    await this.#write(HOLDER_FILE, Buffer.from(JSON.stringify(holder)))
  }

  async #writeSpare(): Promise<void> {
    if ((await nodeFileSystem.list(this.#path())).includes(SPARE_FILE)) return
    await this.#write(SPARE_FILE, randomBytes(SPARE_BYTES)) // a file system may store zeros in no space at all
  }

  /** Writes a file without which the lock works, too: on a full disk that is left out, as deletes need a running node. */
  async #write(name: string, bytes: Uint8Array): Promise<void> {
    try {
      await nodeFileSystem.writeFileAtomic(this.#path(name), bytes)
    } catch (err) {
      if (systemErrorCode(err) === 'ENOSPC') return
      await this.stop()
      throw new SheafError(
        'ERR_DISK_WRITE',
        `the data folder ${this.#folder} cannot be written; check its permissions`,
        { cause: err }
      )
    }
  }

  async #lockedError(): Promise<SheafError> {
    const holder = await this.#findHolder()
    const by = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`
    return new SheafError(
      'ERR_DATA_LOCKED',
      `the data folder ${this.#folder} is in use by ${by}; stop it, or choose another folder with --data`,
      { details: { folder: this.#folder, ...holder } }
    )
  }

  async #findHolder(): Promise<Holder | undefined> {
    for (let attempt = 0; attempt < HOLDER_READS_MAX; attempt++) {
      if (attempt > 0) await sleep(HOLDER_RETRY_MS)
      const bytes = await nodeFileSystem.readFile(this.#path(HOLDER_FILE))
      const holder = bytes && parseHolder(bytes)
      if (holder !== undefined && mayBeAlive(holder)) return holder
    }
    return undefined
  }

  #path(...names: string[]): string {
    return join(this.#folder, 'lock', ...names)
  }
}

async function openLevel(path: string): Promise<Level> {
  const level = new Level(path)
  await level.open()
  return level
}

function isLocked(error: unknown): boolean {
  return error instanceof Error && systemErrorCode(error.cause) === 'LEVEL_LOCKED'
}

function parseHolder(bytes: Uint8Array): Holder | undefined {
  try {
    const { pid, host } = JSON.parse(Buffer.from(bytes).toString()) as Partial<Holder>
    return Number.isSafeInteger(pid) && typeof host === 'string' ? { pid: Number(pid), host } : undefined
  } catch {
    return undefined // a partial file is treated as a missing one
  }
}

/** False for a file that a killed process left behind. True for other hosts (and containers), which cannot be checked. */
function mayBeAlive({ pid, host }: Holder): boolean {
  if (host !== hostname()) return true
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (err) {
    return systemErrorCode(err) === 'EPERM'
  }
}
