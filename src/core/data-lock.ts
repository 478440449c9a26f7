import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Level } from 'level'
import { SheafError, systemErrorCode } from './errors.js'
import type { Startable } from './lifecycle.js'
import { nodeFileSystem } from './node-file-system.js'

const HOLDER_FILE = 'holder.json'
/** LevelDB's own lock file. Opening and closing it in this process would give the lock away (POSIX `fcntl` locks do so). */
const LEVEL_LOCK_FILE = 'LOCK'

/** A process that has just got the lock takes a moment to write its name down. */
const HOLDER_READS_MAX = 50
const HOLDER_RETRY_MS = 30

interface Holder {
  readonly pid: number
  readonly host: string
}

/**
 * The exclusive lock on a data folder: `<folder>/lock`, an empty LevelDB held open.
 *
 * Node has no `flock`; LevelDB brings one for every platform. The kernel holds it for the process: it ends with the
 * process however that ends, it is not fooled by a reused pid, and two processes that race for it cannot both win. It is a
 * database of its own, since the directory's may be rebuilt while the node runs. `holder.json` beside it is for people
 * only.
 */
export class DataLock implements Startable {
  readonly #folder: string
  #level: Level | undefined

  constructor(init: { readonly folder: string }) {
    this.#folder = init.folder
  }

  /**
   * Takes the lock, at once or never. Makes the folder when it is not there.
   *
   * @throws `ERR_DATA_LOCKED`, with `pid` and `host` of the holder in its details when they are known; `ERR_DISK_WRITE`
   */
  async start(): Promise<void> {
    if (this.#level !== undefined) return
    await nodeFileSystem.makeDirectory(this.#path())
    this.#level = await this.#open()
    await this.#writeHolder()
  }

  async stop(): Promise<void> {
    const level = this.#level
    if (level === undefined) return
    this.#level = undefined
    await nodeFileSystem.remove(this.#path(HOLDER_FILE))
    await level.close()
  }

  async #open(): Promise<Level> {
    try {
      return await openLevel(this.#path())
    } catch (err) {
      if (isLocked(err)) throw await this.#lockedError()
    }
    // A crash damaged the database, or the disk is full to the last block. It keeps nothing: start afresh, in the room
    // that this frees. Should another process have got the lock by now, this does it no harm, for it has the lock file
    // open and needs no other; its name is left to it.
    for (const name of await nodeFileSystem.list(this.#path())) {
      if (name !== LEVEL_LOCK_FILE && name !== HOLDER_FILE) await nodeFileSystem.removeDirectory(this.#path(name))
    }
    try {
      return await openLevel(this.#path())
    } catch (err) {
      if (isLocked(err)) throw await this.#lockedError()
      throw new SheafError('ERR_DISK_WRITE', `the data folder ${this.#folder} cannot be locked`, { cause: err })
    }
  }

  async #writeHolder(): Promise<void> {
    const holder: Holder = { pid: process.pid, host: hostname() }
    try {
      await nodeFileSystem.writeFileAtomic(this.#path(HOLDER_FILE), Buffer.from(JSON.stringify(holder)))
    } catch (err) {
      if (systemErrorCode(err) === 'ENOSPC') return // the lock holds without it, and a full disk needs a running node
      await this.stop()
      throw new SheafError('ERR_DISK_WRITE', `the data folder ${this.#folder} cannot be written`, { cause: err })
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
    for (let look = 0; look < HOLDER_READS_MAX; look++) {
      if (look > 0) await sleep(HOLDER_RETRY_MS)
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
    return undefined // for people only: half of it is as good as none
  }
}

/** False for the name that a killed holder left. Of other hosts, containers among them, nothing is known. */
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
