import { silentLog } from '../../src/core/log.js'
import type { NodeId, PhotoId, VolumeId } from '../../src/domain/ids.js'
import { PeerReads } from '../../src/replication/volumes/peer-reads.js'
import { PeerVolumes } from '../../src/replication/volumes/peer-volumes.js'
import { VolumeShipping } from '../../src/replication/volumes/volume-shipping.js'
import type { DiskReserve } from '../../src/volumes/disk-reserve.js'
import type { Volume } from '../../src/volumes/volume.js'
import { VolumeCopies } from '../../src/volumes/volume-copies.js'
import type { VolumeSet } from '../../src/volumes/volume-set.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedClock } from './simulated-clock.js'
import { SimulatedNetwork } from './simulated-network.js'
import type { SimulatedTransport } from './simulated-transport.js'
import { draftOf, identityOf, only, VolumeFixture } from './volume-fixture.js'

/** One node as far as volumes go, on a simulated disk and network. */
export interface Host {
  readonly id: NodeId
  readonly fixture: VolumeFixture
  readonly retired: Set<VolumeId>
  /** Peers that are not connected to the others, as far as this host has heard. */
  readonly deaf: Set<NodeId>
  volumes: VolumeSet
  transport: SimulatedTransport
  peers: PeerVolumes
  reads: PeerReads
  shipping: VolumeShipping
}

/** Hosts that all ship their volumes to each other. */
export class ShippingCluster {
  readonly clock = new SimulatedClock()
  readonly random: SeededRandom
  readonly network: SimulatedNetwork
  readonly hosts: Host[] = []

  constructor(seed = 5) {
    this.random = new SeededRandom(seed)
    this.network = new SimulatedNetwork({ clock: this.clock, random: this.random })
  }

  async add(volumeBytes = 1_000_000, capacityBytes?: number): Promise<Host> {
    const number = this.hosts.length + 1
    const fixture = new VolumeFixture({
      seed: number,
      volumeBytes,
      ...(capacityBytes !== undefined && { capacityBytes }),
      clock: this.clock,
      origin: new Uint8Array(32).fill(number)
    })
    const host = { id: `node-${number}` as NodeId, fixture, retired: new Set(), deaf: new Set() } as unknown as Host
    this.hosts.push(host)
    await this.start(host)
    return host
  }

  /** A process of the host, on the disk as the one before left it. */
  async start(host: Host): Promise<void> {
    const { fixture } = host
    const volumes = await fixture.start()
    const [reserve] = fixture.reserve as [DiskReserve]
    const copies = new VolumeCopies({ volumes, clock: this.clock, reserve })
    const transport = this.network.transport(host.id)
    const peers = new PeerVolumes()
    const shared = { transport, clock: this.clock, log: silentLog }
    const isRetired = (volume: VolumeId): boolean => host.retired.has(volume)
    const holders = (volume: VolumeId): NodeId[] => peers.suppliers(volume, 0)
    const reads = new PeerReads({ ...shared, store: volumes, holders })
    const writerOf = ({ superblock }: Volume): NodeId | undefined => superblock && hostOf(superblock.origin)
    const shipping = new VolumeShipping({
      ...shared,
      volumes,
      copies,
      reserve,
      peers,
      random: this.random,
      isRetired,
      writerOf,
      hears: peer => !host.deaf.has(peer)
    })
    Object.assign(host, { volumes, transport, peers, reads, shipping })
    await transport.start()
    await shipping.start()
    for (const other of this.hosts) {
      if (other !== host && other.transport !== undefined) await this.connect(host, other)
    }
  }

  async connect(a: Host, b: Host): Promise<void> {
    let settled = false
    const dialled = a.transport
      .dial(b.transport.addresses()[0] as string, new AbortController().signal)
      .catch(() => undefined)
      .finally(() => {
        settled = true
      })
    while (!settled) await this.pass(5)
    await dialled
  }

  /** Lets simulated time go by, with everything that happens in it. */
  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 5) {
      await this.clock.advance(5)
      for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve))
    }
  }

  /** Lets time go by until the task has ended. */
  async run<Result>(task: Promise<Result>): Promise<Result> {
    let settled = false
    const watched = task.finally(() => {
      settled = true
    })
    watched.catch(() => {}) // thrown below
    while (!settled) await this.pass(5)
    return watched
  }

  async until(what: () => boolean, msMax = 60_000): Promise<void> {
    for (let at = 0; !what(); at += 20) {
      if (at > msMax) throw new Error('it did not happen in time')
      await this.pass(20)
    }
  }
}

/** @param origin - as {@link ShippingCluster.add} gives it to the host */
function hostOf(origin: Uint8Array): NodeId {
  return `node-${origin[0]}` as NodeId
}

/** Stores a photo of so many random bytes, with a record. */
export async function put(host: Host, byteCount: number): Promise<{ id: PhotoId; bytes: Uint8Array }> {
  const id = host.fixture.photoId()
  const bytes = host.fixture.bytes(byteCount)
  const record = host.fixture.bytes(90)
  await host.volumes.append([draftOf(identityOf(id), bytes), draftOf(identityOf(id, 'record'), record)], 'upload')
  return { id, bytes }
}

export function holds(host: Host, id: PhotoId): boolean {
  return host.volumes.locate(identityOf(id)).length > 0
}

export async function read(host: Host, id: PhotoId): Promise<Buffer> {
  return Buffer.from(await host.volumes.read(only(host.volumes.locate(identityOf(id))), identityOf(id)))
}

/** @returns equal texts for hosts that hold the same volumes */
export async function heads(host: Host): Promise<string> {
  const lines: string[] = []
  for (const volume of host.volumes.volumes()) {
    lines.push(`${volume.id} ${JSON.stringify(await volume.head())} ${volume.holes.length}`)
  }
  return lines.join('\n')
}
