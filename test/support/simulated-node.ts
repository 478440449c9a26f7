import type { VolumeArchive } from '../../src/archive/volume-archive.js'
import type { ClusterInit } from '../../src/cluster/cluster.js'
import type { Clock } from '../../src/core/clock.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import type { RecordFormats } from '../../src/domain/formats.js'
import type { NodeId } from '../../src/domain/ids.js'
import { NodeServices, type UploadBounds } from '../../src/node-services.js'
import type { PhotoCacheInit } from '../../src/photos/photo-cache.js'
import type { ImageAnalyzer } from '../../src/similarity/images/image-analyzer.js'
import { ExactVectorIndexes } from './exact-vector-indexes.js'
import { ProcessClock, type Wall } from './process-clock.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedClock } from './simulated-clock.js'
import { SimulatedDatabase } from './simulated-database.js'
import { SimulatedDisk } from './simulated-disk.js'
import { SimulatedFileSystem } from './simulated-file-system.js'
import type { SimulatedNetwork } from './simulated-network.js'
import { SimulatedProcessor } from './simulated-processor.js'
import type { SimulatedTransport } from './simulated-transport.js'

/** What a node may take of its memory. */
export interface MemoryBudgets {
  readonly uploads?: UploadBounds
  readonly queues?: NonNullable<ClusterInit['queues']>
  readonly cache?: PhotoCacheInit
}

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
  /** Of its program, asked at each start; default: those of this version. */
  readonly formats?: () => RecordFormats
  /** Asked at each start; default: what a node has by default, and no cache. */
  readonly memory?: () => MemoryBudgets
  /** Makes it one of many, which dials those that are named. */
  readonly member?: {
    readonly network: SimulatedNetwork
    readonly id: NodeId
    readonly join?: readonly NodeId[]
    readonly pauses?: NonNullable<ClusterInit['pauses']>
  }
  /** Where its volumes are archived, for each of its processes; default: nowhere. */
  readonly archive?: (clock: Clock) => VolumeArchive
  /** What looks at photos, for each of its processes; default: nothing does. Indexes are exact, and kept with its disk. */
  readonly analyzer?: () => ImageAnalyzer
}

/** What one process of a node has of the world. */
interface NodeProcess {
  readonly clock: ProcessClock
  readonly services: NodeServices
  readonly transport: SimulatedTransport | undefined
}

/** All that outlives a node's processes, as a backup has it. */
export type NodeBackup = readonly [ReturnType<SimulatedDisk['snapshot']>, ReturnType<SimulatedDatabase['snapshot']>]

/** A whole node but for HTTP, on a disk and a wall clock of its own; its processes live one after the other. */
export class SimulatedNode {
  /** The true time. */
  readonly clock: SimulatedClock
  /** How far the machine's clock is off. */
  readonly wall: Wall = { skewMs: 0 }
  readonly random: SeededRandom
  readonly processor: SimulatedProcessor
  disk: SimulatedDisk
  database: SimulatedDatabase
  #indexes = new ExactVectorIndexes()
  readonly #options: SimulatedNodeOptions
  #process: NodeProcess | undefined

  constructor(options: SimulatedNodeOptions = {}) {
    this.#options = options
    this.clock = options.clock ?? new SimulatedClock()
    const seed = options.seed ?? 1
    this.random = new SeededRandom(seed)
    // of its own, so that a node does the same as ever while it costs nothing to think
    this.processor = new SimulatedProcessor({ random: new SeededRandom(~seed), time: this.clock })
    this.disk = this.#newDisk()
    this.database = new SimulatedDatabase(this.random)
  }

  get running(): boolean {
    return this.#process !== undefined
  }

  get services(): NodeServices {
    if (this.#process === undefined) throw new Error('the node does not run')
    return this.#process.services
  }

  /** Of the process that runs, when it is one of many. */
  get transport(): SimulatedTransport | undefined {
    return this.#process?.transport
  }

  /** @throws what the start of a real node throws; the node does not run then */
  async start(): Promise<NodeServices> {
    const { member } = this.#options
    const clock = new ProcessClock(this.clock, this.wall)
    const formats = this.#options.formats?.()
    const transport = member?.network.transport(member.id, formats && { formats })
    const services = this.#newServices(clock, transport, formats)
    this.#process = { clock, services, transport }
    try {
      await services.start()
    } catch (err) {
      await this.stop().catch(() => {})
      throw err
    }
    return services
  }

  async stop(): Promise<void> {
    const process = this.#process
    this.#process = undefined
    await process?.services.stop()
    process?.clock.die()
  }

  /** `kill -9`, or a loss of power, which also takes what was not synced and some of what LevelDB wrote last. */
  die(how: 'kill' | 'crash'): void {
    this.#process?.clock.die()
    this.#process?.transport?.die(how)
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
    this.#indexes = new ExactVectorIndexes()
    this.disk = this.#newDisk()
    this.loseDirectory()
  }

  /** How often such bytes stand on its disk, in all volumes. */
  occurrences(bytes: Uint8Array): number {
    return this.services.local.volumes.volumes().reduce((count, { path, end }) => {
      const file = Buffer.alloc(end)
      this.disk.read(this.disk.file(path), file, 0)
      return count + file.toString('latin1').split(Buffer.from(bytes).toString('latin1')).length - 1
    }, 0)
  }

  /** SIGSTOP; the rest of the world has to be cut off by whoever stops it. */
  pause(): void {
    this.#process?.clock.stop()
  }

  /** SIGCONT. */
  continue(): void {
    this.#process?.clock.continue()
  }

  backUp(): NodeBackup {
    return [this.disk.snapshot(), this.database.snapshot()]
  }

  /** Puts back what was backed up; the node must not run. */
  restore([disk, database]: NodeBackup): void {
    this.disk.restore(disk)
    this.database.restore(database)
  }

  /** Waits for a job as an operator would. @returns its result; throws what it failed with */
  async finish<Result>(job: { readonly id: string }): Promise<Result> {
    for (;;) {
      const now = this.services.jobs.get(job.id)
      if (now?.state === 'done') return now.result as Result
      if (now?.state === 'failed' || now?.state === 'cancelled') throw new Error(JSON.stringify(now.error))
      await new Promise(resolve => setImmediate(resolve))
      await this.clock.advance(1) // throttled work waits for time to pass
    }
  }

  #newServices(
    processClock: Clock,
    transport: SimulatedTransport | undefined,
    formats: RecordFormats | undefined
  ): NodeServices {
    const { log = silentLog, origin, volumeBytes, purgeMs, analyzer, archive } = this.#options
    const memory = this.#options.memory?.() ?? {}
    const clock = this.processor.clock(processClock)
    return new NodeServices(
      {
        fileSystem: new SimulatedFileSystem(this.disk, clock),
        clock,
        random: this.random,
        log,
        database: this.processor.database(this.database.attach(), processClock),
        sign: () => new Uint8Array(64),
        verifySignature: () => true,
        ...(archive !== undefined && { archive: archive(clock) }),
        ...(analyzer !== undefined && { similarity: { analyzer: analyzer(), indexes: this.#indexes } }),
        ...(transport !== undefined && {
          network: {
            transport: this.processor.transport(transport, processClock),
            resolve: noNames,
            nodeOf,
            init: { ...this.#clusterInit(), ...(memory.queues && { queues: memory.queues }) }
          }
        })
      },
      {
        folder: '/data',
        origin: origin ?? new Uint8Array(32),
        volumeBytes: volumeBytes ?? 1_000_000,
        purgeMs: purgeMs ?? 30 * 24 * 3_600_000,
        maxUploadBytes: 2 ** 40,
        minCopies: 1,
        requireCookie: false,
        ...(memory.uploads && { uploads: memory.uploads }),
        ...(memory.cache && { cache: memory.cache }),
        ...(formats && { formats })
      }
    )
  }

  #clusterInit(): ClusterInit {
    const { member } = this.#options
    const join = (member?.join ?? []).map(other => member?.network.addressOf(other) ?? '')
    const pauses = member?.pauses
    return { name: member?.id ?? '', version: '0', join, defaultPort: 4001, ...(pauses && { pauses }) }
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

/** @param origin - {@link originOf} the node */
function nodeOf(origin: Uint8Array): NodeId {
  const end = origin.indexOf(0)
  return Buffer.from(origin.subarray(0, end === -1 ? origin.length : end)).toString() as NodeId
}

/** @returns what stands for the public key of a simulated node: its name */
export function originOf(node: NodeId): Uint8Array {
  const origin = Buffer.alloc(32)
  origin.write(node)
  return origin
}

async function noNames(host: string): Promise<never> {
  throw new Error(`${host} is not known`)
}
