import type { Clock } from '../core/clock.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import type { HybridClock } from '../domain/hlc.js'
import type { NodeId, VolumeId } from '../domain/ids.js'
import { JoinLoop } from '../network/join.js'
import { Membership } from '../network/membership.js'
import { memberEvent } from '../network/membership-view.js'
import type { Transport } from '../network/transport.js'
import { AntiEntropy } from '../replication/anti-entropy.js'
import { EventGossip } from '../replication/event-gossip.js'
import { PeerReads } from '../replication/peer-reads.js'
import { PeerRecords } from '../replication/peer-records.js'
import { PeerVolumes } from '../replication/peer-volumes.js'
import { RecordGossip } from '../replication/record-gossip.js'
import { ReplicationLag } from '../replication/replication-lag.js'
import { type RepairProgress, VolumeShipping } from '../replication/volume-shipping.js'
import type { VolumeCopies } from '../volumes/volume-copies.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import { ClusterDescription } from './cluster-description.js'
import { MemberRecords } from './cluster-members.js'
import { Durability } from './durability.js'
import type { NodeEventType } from './events.js'
import type { RecordWriter } from './record-writer.js'

export interface ClusterComponents {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly hybridClock: HybridClock
  readonly volumes: VolumeSet
  readonly copies: VolumeCopies
  readonly directory: Directory
  readonly writer: RecordWriter
  readonly isRetired: (volume: VolumeId) => boolean
  readonly space: () => Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
  /** All addresses of a host name. */
  readonly resolve: (host: string) => Promise<readonly string[]>
}

export interface ClusterInit {
  /** Shown to people. */
  readonly name: string
  readonly version: string
  /** Where to look for others: names, HOST:PORT, multiaddrs. */
  readonly join: readonly string[]
  /** For those without a port. */
  readonly defaultPort: number
}

export interface ReplicationStatus {
  readonly repair: RepairProgress
  /** Age of the oldest bytes that no other node is known to have; undefined when there are none. */
  readonly oldestUnreplicatedMs: number | undefined
}

/** What makes a node one of many: finding the others, and sharing everything with them. */
export class Cluster implements Startable {
  readonly membership: Membership
  readonly shipping: VolumeShipping
  readonly reads: PeerReads
  readonly records: PeerRecords
  readonly durability: Durability
  readonly #peers: PeerVolumes
  readonly #lag: ReplicationLag
  readonly #listeners: ((type: NodeEventType, node: NodeId) => void)[] = []
  readonly #components: ClusterComponents
  /** In the order of starting. */
  readonly #parts: readonly Startable[]

  constructor(components: ClusterComponents, init: ClusterInit) {
    const { transport, clock, random, log, hybridClock, volumes, copies, directory, writer, isRetired } = components
    const shared = { transport, clock, random, log }
    const description = new ClusterDescription({ ...components }, init)
    this.membership = new Membership({
      ...shared,
      describe: () => description.describe(),
      now: () => hybridClock.now(),
      store: new MemberRecords({ directory, writer, now: () => clock.now() })
    })
    const peers = new PeerVolumes()
    this.#peers = peers
    this.#components = components
    this.#lag = new ReplicationLag({ clock, peers, volumes })
    const events = new EventGossip({ ...shared, note: (type, node) => this.#tell(type, node) })
    this.membership.onChange((view, was) => {
      const type = memberEvent(view, was)
      if (type !== undefined) this.#tell(type, view.id)
    })
    const repaired = (): void => events.repaired()
    this.shipping = new VolumeShipping({ ...shared, volumes, copies, peers, isRetired, repaired })
    this.reads = new PeerReads({ ...shared, store: volumes })
    this.durability = new Durability({ directory, volumes, peers, clock })
    const others = (): NodeId[] => this.membership.members().flatMap(({ id, self }) => (self ? [] : [id]))
    this.records = new PeerRecords({ ...shared, directory, others })
    const gossip = new RecordGossip({ ...shared, directory, isOwn: volume => volumes.isOfThisProcess(volume) })
    const antiEntropy = new AntiEntropy({ ...shared, directory })
    this.membership.onBeat((peer, { directoryDigest }) => {
      if (directoryDigest !== '') antiEntropy.noteDigest(peer, directoryDigest) // empty while it cannot be read there
    })
    const join = new JoinLoop({ ...shared, resolve: components.resolve, known: () => this.membership.known() }, init)
    this.#parts = [description, transport, this.membership, gossip, events, antiEntropy, this.shipping, join]
  }

  /** Calls the listener for what happens to members, here and elsewhere. */
  onEvent(listener: (type: NodeEventType, node: NodeId) => void): void {
    this.#listeners.push(listener)
  }

  #tell(type: NodeEventType, node: NodeId): void {
    for (const listener of this.#listeners) listener(type, node)
  }

  /** How far sharing has come. */
  replication(): ReplicationStatus {
    const alone = this.membership.members().every(({ self }) => self)
    return { repair: this.shipping.progress(), oldestUnreplicatedMs: alone ? undefined : this.#lag.oldestMs() }
  }

  /** @returns bytes that this node holds and the member lacks; undefined when it is not connected */
  lagBytes(member: NodeId): number | undefined {
    const { transport, volumes, isRetired } = this.#components
    if (member === transport.self) return this.shipping.progress().backlogBytes
    return this.#peers.missing(
      member,
      volumes.volumes().filter(({ id }) => !isRetired(id))
    )
  }

  /** @returns nodes known to hold a volume up to there, this one included */
  copies(volume: VolumeId, end: number): number {
    return 1 + this.#peers.holders([{ volume, end }])
  }

  async start(): Promise<void> {
    for (const part of this.#parts) await part.start()
  }

  async stop(): Promise<void> {
    for (const part of [...this.#parts].reverse()) await part.stop()
  }
}
