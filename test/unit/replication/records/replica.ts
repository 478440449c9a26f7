import { type Logger, silentLog } from '../../../../src/core/log.js'
import { Directory } from '../../../../src/directory/directory.js'
import type { NodeId, VolumeId } from '../../../../src/domain/ids.js'
import type { DirectoryRecord } from '../../../../src/domain/record.js'
import type { NodeVersion } from '../../../../src/network/node-version.js'
import { AntiEntropy, type AntiEntropyInit } from '../../../../src/replication/records/anti-entropy.js'
import { RecordGossip, type RecordGossipInit } from '../../../../src/replication/records/record-gossip.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'
import { SimulatedNetwork } from '../../../support/simulated-network.js'
import type { SimulatedTransport } from '../../../support/simulated-transport.js'
import { MemoryDatabaseSource } from '../../directory/memory-database.js'
import { PhotoWriter, RecordLog } from '../../directory/photo-log.js'

/** One clock, one network, one seed. */
export class World {
  readonly clock = new SimulatedClock()
  readonly random: SeededRandom
  readonly network: SimulatedNetwork

  constructor(seed = 1) {
    this.random = new SeededRandom(seed)
    this.network = new SimulatedNetwork({ clock: this.clock, random: this.random })
  }

  /** Advances the clock until the work has settled. */
  async during<Result>(work: Promise<Result>, msMax = 600_000): Promise<Result> {
    let settled = false
    const settle = (): void => {
      settled = true
    }
    work.then(settle, settle)
    for (let ms = 0; !settled; ms++) {
      if (ms > msMax) throw new Error(`the work did not settle in ${msMax} ms`)
      await this.clock.advance(1)
    }
    return await work
  }

  async connect(a: Replica, b: Replica): Promise<void> {
    const signal = new AbortController().signal
    await this.during(a.transport.dial(b.transport.addresses()[0] ?? '', signal))
    await this.clock.advance(10)
  }

  /** @returns how many messages were sent so far whose name begins with `way` */
  messages(way: string): number {
    return this.network.links.total(name => name.startsWith(way)).messages
  }

  /** @returns bytes sent so far */
  bytes(): number {
    return this.network.links.total().bytes
  }
}

export interface ReplicaInit extends AntiEntropyInit {
  readonly log?: Logger
  /** What its version knows beyond the present one. */
  readonly version?: Partial<NodeVersion>
  readonly gossip?: RecordGossipInit
}

/** A directory with gossip and anti-entropy on a simulated network; without volumes and membership. */
export class Replica {
  readonly source = new MemoryDatabaseSource()
  readonly transport: SimulatedTransport
  readonly directory: Directory
  readonly antiEntropy: AntiEntropy
  readonly gossip: RecordGossip
  readonly writer: PhotoWriter
  /** The volume that this process writes. */
  readonly log: RecordLog

  private constructor(world: World, id: string, init: ReplicaInit) {
    const { clock, random, network } = world
    const log = init.log ?? silentLog
    this.log = new RecordLog(random.below(2 ** 31) + 1)
    this.writer = new PhotoWriter(random.below(2 ** 31))
    this.transport = network.transport(id as NodeId)
    this.transport.version = { ...this.transport.version, ...init.version }
    this.directory = new Directory({ database: this.source, log, observe: () => {} })
    const { transport, directory } = this
    this.antiEntropy = new AntiEntropy({ transport, directory, clock, random, log }, init)
    const isOwn = (volume: VolumeId): boolean => volume === this.log.volume
    this.gossip = new RecordGossip({ transport, directory, clock, log, isOwn }, init.gossip)
  }

  static async start(world: World, id: string, init: ReplicaInit = {}): Promise<Replica> {
    const replica = new Replica(world, id, init)
    await replica.directory.start()
    await replica.transport.start()
    return replica
  }

  get id(): NodeId {
    return this.transport.self
  }

  /** Commits records as writes of this node. */
  async write(...records: readonly DirectoryRecord[]): Promise<void> {
    const first = this.log.needles.length
    await this.directory.apply(this.log.append(...records).group(first))
  }

  /** Writes new photos. @returns their records */
  async births(count: number): Promise<DirectoryRecord[]> {
    const records = Array.from({ length: count }, (_, i) => this.writer.birth({ name: `photo ${i}` }))
    await this.write(...records)
    return records
  }

  async stop(): Promise<void> {
    await this.antiEntropy.stop()
    await this.gossip.stop()
    await this.transport.stop()
    await this.directory.stop()
  }
}
