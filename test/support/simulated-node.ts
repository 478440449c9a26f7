import { MemoryLevel } from 'memory-level'
import { type Logger, silentLog } from '../../src/core/log.js'
import type { Database, DatabaseSource } from '../../src/directory/database.js'
import { Storage } from '../../src/service/storage.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedClock } from './simulated-clock.js'
import { SimulatedDisk } from './simulated-disk.js'
import { SimulatedFileSystem } from './simulated-file-system.js'

export interface SimulatedNodeOptions {
  readonly seed?: number
  readonly volumeBytes?: number
  readonly capacityBytes?: number
  readonly purgeMs?: number
  readonly log?: Logger
}

/** A whole node but for HTTP, on a disk and a clock of its own; its processes live one after the other. */
export class SimulatedNode {
  readonly clock = new SimulatedClock()
  readonly random: SeededRandom
  readonly disk: SimulatedDisk
  readonly #options: SimulatedNodeOptions
  #database = memoryDatabase()
  #storage: Storage | undefined

  constructor(options: SimulatedNodeOptions = {}) {
    this.#options = options
    this.random = new SeededRandom(options.seed ?? 1)
    this.disk = new SimulatedDisk({
      random: this.random,
      folders: ['/data'],
      ...(options.capacityBytes !== undefined && { capacityBytes: options.capacityBytes })
    })
  }

  get storage(): Storage {
    if (this.#storage === undefined) throw new Error('the node does not run')
    return this.#storage
  }

  async start(): Promise<Storage> {
    const { clock, random } = this
    this.#storage = new Storage(
      {
        fileSystem: new SimulatedFileSystem(this.disk),
        clock,
        random,
        log: this.#options.log ?? silentLog,
        database: this.#database,
        sign: () => new Uint8Array(64),
        verifySignature: () => true
      },
      {
        folder: '/data',
        origin: new Uint8Array(32),
        volumeBytes: this.#options.volumeBytes ?? 1_000_000,
        purgeMs: this.#options.purgeMs ?? 30 * 24 * 3_600_000,
        maxUploadBytes: 2 ** 40,
        minCopies: 1,
        requireCookie: false
      }
    )
    await this.#storage.start()
    return this.#storage
  }

  async stop(): Promise<void> {
    await this.#storage?.stop()
    this.#storage = undefined
  }

  /** `kill -9`, or a loss of power, which also takes what was not synced; LevelDB may come back as it was at some moment. */
  die(how: 'kill' | 'crash'): void {
    this.disk[how]()
    this.#database.die()
    this.#storage = undefined
  }

  /** The directory's folder is gone. */
  loseDirectory(): void {
    this.#database = memoryDatabase()
  }

  /** Waits for a job as an operator would. @returns its result; throws what it failed with */
  async finish<Result>(job: { readonly id: string }): Promise<Result> {
    for (;;) {
      const now = this.storage.jobs.get(job.id)
      if (now?.state === 'done') return now.result as Result
      if (now?.state === 'failed' || now?.state === 'cancelled') throw new Error(JSON.stringify(now.error))
      await new Promise(resolve => setImmediate(resolve))
      this.clock.advance(1) // throttled work waits for time to pass
    }
  }
}

interface MortalDatabase extends DatabaseSource {
  /** What the process that has it open still asks of it fails from now on; the rows stay for the next. */
  die(): void
}

function memoryDatabase(): MortalDatabase {
  let database = newDatabase()
  let dying = Promise.resolve()
  return {
    open: async () => {
      await dying
      await database.open()
      return database
    },
    remove: async () => {
      database = newDatabase()
    },
    die: () => {
      dying = database.close()
    }
  }
}

function newDatabase(): Database {
  return new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view', storeEncoding: 'view' })
}
