import type { Clock } from '../../src/core/clock.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import { Storage } from '../../src/service/storage.js'
import { ProcessClock, type Wall } from './process-clock.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedClock } from './simulated-clock.js'
import { SimulatedDatabase } from './simulated-database.js'
import { SimulatedDisk } from './simulated-disk.js'
import { SimulatedFileSystem } from './simulated-file-system.js'

export interface SimulatedNodeOptions {
  readonly seed?: number
  readonly volumeBytes?: number
  readonly capacityBytes?: number
  readonly purgeMs?: number
  readonly log?: Logger
  /** Shared with other nodes; default: one of its own. */
  readonly clock?: SimulatedClock
  /** Public key, 32 bytes; default: zeros. */
  readonly origin?: Uint8Array
}

/** What one process of a node has of the world. */
export interface NodeProcess {
  readonly clock: ProcessClock
  readonly storage: Storage
}

/** A whole node but for HTTP, on a disk and a wall clock of its own; its processes live one after the other. */
export class SimulatedNode {
  /** The true time. */
  readonly clock: SimulatedClock
  /** How far the machine's clock is off. */
  readonly wall: Wall = { skewMs: 0 }
  readonly random: SeededRandom
  disk: SimulatedDisk
  database: SimulatedDatabase
  readonly #options: SimulatedNodeOptions
  #process: NodeProcess | undefined

  constructor(options: SimulatedNodeOptions = {}) {
    this.#options = options
    this.clock = options.clock ?? new SimulatedClock()
    this.random = new SeededRandom(options.seed ?? 1)
    this.disk = this.#newDisk()
    this.database = new SimulatedDatabase(this.random)
  }

  get running(): boolean {
    return this.#process !== undefined
  }

  get storage(): Storage {
    if (this.#process === undefined) throw new Error('the node does not run')
    return this.#process.storage
  }

  /** @throws what the start of a real node throws; the node does not run then */
  async start(): Promise<Storage> {
    const clock = new ProcessClock(this.clock, this.wall)
    const storage = this.#newStorage(clock)
    this.#process = { clock, storage }
    try {
      await storage.start()
    } catch (err) {
      await this.stop().catch(() => {})
      throw err
    }
    return storage
  }

  async stop(): Promise<void> {
    const process = this.#process
    this.#process = undefined
    await process?.storage.stop()
    process?.clock.die()
  }

  /** `kill -9`, or a loss of power, which also takes what was not synced and some of what LevelDB wrote last. */
  die(how: 'kill' | 'crash'): void {
    this.#process?.clock.die()
    this.#process = undefined
    this.disk[how]()
    this.database.die(how)
  }

  /** The directory's folder is gone. */
  loseDirectory(): void {
    this.database = new SimulatedDatabase(this.random)
  }

  /** The node's disk is replaced by an empty one; it must not run. */
  wipe(): void {
    this.disk = this.#newDisk()
    this.loseDirectory()
  }

  /** Waits for a job as an operator would. @returns its result; throws what it failed with */
  async finish<Result>(job: { readonly id: string }): Promise<Result> {
    for (;;) {
      const now = this.storage.jobs.get(job.id)
      if (now?.state === 'done') return now.result as Result
      if (now?.state === 'failed' || now?.state === 'cancelled') throw new Error(JSON.stringify(now.error))
      await new Promise(resolve => setImmediate(resolve))
      await this.clock.advance(1) // throttled work waits for time to pass
    }
  }

  #newStorage(clock: Clock): Storage {
    const { log = silentLog, origin, volumeBytes, purgeMs } = this.#options
    return new Storage(
      {
        fileSystem: new SimulatedFileSystem(this.disk),
        clock,
        random: this.random,
        log,
        database: this.database.attach(),
        sign: () => new Uint8Array(64),
        verifySignature: () => true
      },
      {
        folder: '/data',
        origin: origin ?? new Uint8Array(32),
        volumeBytes: volumeBytes ?? 1_000_000,
        purgeMs: purgeMs ?? 30 * 24 * 3_600_000,
        maxUploadBytes: 2 ** 40,
        minCopies: 1,
        requireCookie: false
      }
    )
  }

  #newDisk(): SimulatedDisk {
    const { capacityBytes } = this.#options
    return new SimulatedDisk({
      random: this.random,
      folders: ['/data'],
      ...(capacityBytes !== undefined && { capacityBytes })
    })
  }
}
