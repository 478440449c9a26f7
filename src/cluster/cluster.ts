import type { Clock } from '../core/clock.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { Tracer } from '../core/tracing.js'
import type { Directory } from '../directory/directory.js'
import type { HybridClock } from '../domain/hlc.js'
import type { NodeId, VolumeId } from '../domain/ids.js'
import { type RecordKey, recordName } from '../domain/record.js'
import { rendezvous } from '../domain/rendezvous.js'
import type { HeartbeatIndex } from '../network/membership/heartbeat.js'
import { JoinLoop } from '../network/membership/join.js'
import { MemberRefusal } from '../network/membership/member-refusal.js'
import { isPresent, type MemberView, memberEvent } from '../network/membership/member-view.js'
import { Membership } from '../network/membership/membership.js'
import { RelayTransport } from '../network/rpc/relay-transport.js'
import type { Transport } from '../network/transport.js'
import { AntiEntropy } from '../replication/records/anti-entropy.js'
import { PeerRecords } from '../replication/records/peer-records.js'
import { RecordGossip, type RecordGossipInit } from '../replication/records/record-gossip.js'
import { PeerReads } from '../replication/volumes/peer-reads.js'
import { PeerVolumes } from '../replication/volumes/peer-volumes.js'
import { ReplicationLag } from '../replication/volumes/replication-lag.js'
import { UnderReplication } from '../replication/volumes/under-replication.js'
import { type RepairProgress, VolumeShipping, type VolumeShippingInit } from '../replication/volumes/volume-shipping.js'
import type { NeedleVerdicts } from '../store/needle-verdicts.js'
import type { Past } from '../store/past.js'
import type { RecordWriter } from '../store/record-writer.js'
import type { DiskReserve, NodeSpace } from '../volumes/disk-reserve.js'
import type { Volume } from '../volumes/volume.js'
import type { VolumeCopies } from '../volumes/volume-copies.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import { DurableCopies } from './durable-copies.js'
import { EventGossip } from './events/event-gossip.js'
import type { NodeEventType } from './events/events.js'
import { ClusterFormat } from './members/cluster-format.js'
import { CompactionOwner } from './members/compaction-owner.js'
import { Decommission } from './members/decommission.js'
import { Departures } from './members/departures.js'
import { KnownHorizon } from './members/known-horizon.js'
import { MemberRecords } from './members/member-records.js'
import { MemberRoll } from './members/member-roll.js'
import { SelfDescription } from './members/self-description.js'
import { PeerComparison } from './peer-comparison.js'

/** Between two looks at whether all members read more: that costs nothing until they do. */
const FORMAT_ROUND_MS = 10_000
const DAY_MS = 24 * 3_600_000
const BURIAL_SKEW_MS_MAX = 60_000

export interface ClusterComponents {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
  readonly hybridClock: HybridClock
  readonly volumes: VolumeSet
  readonly copies: VolumeCopies
  readonly directory: Directory
  readonly past: Past
  readonly writer: RecordWriter
  readonly space: () => Promise<NodeSpace>
  readonly reserve: DiskReserve
  /** The models whose vectors this node searches. */
  readonly indexes: () => readonly HeartbeatIndex[]
  /** What this node decodes pictures with beside what every node has. */
  readonly tools: () => readonly string[]
  /** See `http` of a heartbeat. */
  readonly http?: () => readonly string[]
  /** See `purgedToMs` of a heartbeat. */
  readonly purgedToMs: () => number | undefined
  /** See `ageMs` of a heartbeat. */
  readonly ageMs: () => number
  /** Called with each heartbeat of a peer that tells its age. */
  readonly onPeerAge: (peer: NodeId, ageMs: number) => void
  /** All addresses of a host name. */
  readonly resolve: (host: string) => Promise<readonly string[]>
  /** @returns the node of an Ed25519 public key */
  readonly nodeOf: (origin: Uint8Array) => NodeId
  readonly verdicts: Pick<NeedleVerdicts, 'isRetired'>
  /** Called when the directory has been compared with a peer's as a whole. */
  readonly onRound: () => void
  /** Whether it ever was, so that this node has the records of all members. */
  readonly hasCompared: () => boolean
}

export interface ClusterInit {
  /** Shown to people. */
  readonly name: string
  readonly version: string
  /** Where to find other nodes: names, HOST:PORT, multiaddrs. */
  readonly join: readonly string[]
  /** `join` is the default, not what the operator asked for. */
  readonly joinIsDefault?: boolean
  /** For entries of `join` without a port. */
  readonly defaultPort: number
  /** Shortened in tests only. */
  readonly pauses?: { readonly absentMs: number; readonly roundMs?: number }
  /** Of what waits in memory; tightened in tests only. */
  readonly queues?: RecordGossipInit & VolumeShippingInit
}

export interface ReplicationStatus {
  readonly repair: RepairProgress
  /** Age of the oldest bytes that no other node is known to hold; undefined when there are none. */
  readonly oldestUnreplicatedMs: number | undefined
}

/** Everything that connects a node with others: membership, replication of records and volumes, events. */
export class Cluster implements Startable {
  /** Reaches members that are not connected, too, through those that are connected to both. */
  readonly transport: Transport
  readonly membership: Membership
  readonly shipping: VolumeShipping
  readonly reads: PeerReads
  readonly records: PeerRecords
  readonly durableCopies: DurableCopies
  readonly comparison: PeerComparison
  readonly roll: MemberRoll
  readonly format: ClusterFormat
  readonly departures: Departures
  readonly decommission: Decommission
  readonly compactionOwner: CompactionOwner
  readonly gossip: RecordGossip
  readonly antiEntropy: AntiEntropy
  readonly underReplication: UnderReplication
  readonly #peers: PeerVolumes
  readonly #lag: ReplicationLag
  readonly #joining: JoinLoop
  readonly #refusal: MemberRefusal
  readonly #listeners: ((type: NodeEventType, node: NodeId) => void)[] = []
  readonly #components: ClusterComponents
  readonly #madeAtMs: number
  /** In the order of starting. */
  readonly #parts: readonly Startable[]

  /** @param options.purgeMs - how long the bytes of a deleted photo may stay here */
  constructor(components: ClusterComponents, init: ClusterInit, { purgeMs }: { readonly purgeMs: number }) {
    const { clock, random, log, hybridClock, volumes, copies, directory, writer, verdicts } = components
    this.#madeAtMs = clock.now()
    const transport = new RelayTransport({
      transport: components.transport,
      clock,
      waysTo: node => this.membership.waysTo(node),
      isMember: node => this.departures.isMember(node)
    })
    this.transport = transport
    const isRetired = (volume: VolumeId): boolean => verdicts.isRetired(volume)
    const { self } = transport
    const { min, max } = directory.formats
    const terms = { formats: { min, max }, purgeDays: purgeMs / DAY_MS }
    const records = new MemberRecords({ directory, writer, now: () => clock.now(), terms })
    this.roll = new MemberRoll({ self, records, purgeMs })
    const departures = new Departures({ self, records, log })
    this.departures = departures
    const isOut = (node: NodeId): boolean => departures.departureOf(node) !== undefined
    const shared = { transport, clock, random, log }
    const catchingUp = () => this.shipping.progress()
    const description = new SelfDescription({ ...components, isRetired, catchingUp }, init)
    this.membership = new Membership({
      ...shared,
      describe: () => description.describe(),
      now: () => hybridClock.now(),
      store: records
    })
    const peers = new PeerVolumes()
    this.#peers = peers
    this.#components = components
    this.#lag = new ReplicationLag({ clock, peers, volumes })
    const events = new EventGossip({ ...shared, note: (type, node) => this.#emit(type, node) })
    this.membership.onChange((view, was) => {
      const type = memberEvent(view, was)
      if (type !== undefined) this.#emit(type, view.id)
    })
    const writerOf = ({ superblock }: Volume): NodeId | undefined => superblock && components.nodeOf(superblock.origin)
    const onRepaired = (): void => events.announceRepair()
    this.shipping = new VolumeShipping(
      {
        ...shared,
        tracer: components.tracer,
        volumes,
        copies,
        reserve: components.reserve,
        peers,
        isRetired,
        onRepaired,
        distant: () => this.membership.distant(),
        hears: (peer, other) => this.membership.hears(peer, other),
        writerOf
      },
      init.queues
    )
    const holders = (id: VolumeId): NodeId[] => {
      const volume = volumes.get(id)
      const writer = volume && writerOf(volume)
      const known = [...peers.suppliers(id, volume?.end ?? 0), ...peers.suppliers(id, 0)]
      return writer === undefined ? known : [writer, ...known]
    }
    this.reads = new PeerReads({ ...shared, store: volumes, holders })
    this.durableCopies = new DurableCopies({ directory, volumes, peers, clock, ask: () => this.shipping.askAll() })
    const members = () => this.membership.members().filter(({ self, state }) => !self && state !== 'left')
    const reachable = (): NodeId[] => this.membership.reachable()
    this.comparison = new PeerComparison({ ...shared, directory, volumes, isRetired, others: members, reachable })
    const others = (): NodeId[] => departures.recordedMembers().filter(node => node !== self)
    this.records = new PeerRecords({ ...shared, directory, others, reachable })
    const gossip = new RecordGossip(
      { ...shared, directory, isOwn: volume => volumes.isOfThisProcess(volume) },
      init.queues
    )
    const antiEntropy = new AntiEntropy({ ...shared, directory, onRound: components.onRound })
    this.gossip = gossip
    this.antiEntropy = antiEntropy
    this.underReplication = new UnderReplication({
      clock,
      volumes,
      peers,
      isRetired,
      isAlone: () => this.membership.alive().length === 0
    })
    this.membership.onHeartbeat((peer, { directoryDigest, ageMs }) => {
      if (ageMs !== undefined) components.onPeerAge(peer, ageMs)
      if (directoryDigest !== '') antiEntropy.noteDigest(peer, directoryDigest) // empty while it cannot be read there
    })
    const refusal = new MemberRefusal({
      ...shared,
      departureOf: node => departures.departureOf(node),
      readmit: node => records.readmit(node),
      now: () => hybridClock.now(),
      isLeaving: () => this.decommission.isUnderWay,
      onRefused: peer => this.decommission.noteRefusal(peer)
    })
    this.#refusal = refusal
    departures.onChange(({ id, departure }) => {
      if (departure !== undefined) refusal.noteDeparture(id)
    })
    this.#joining = new JoinLoop(
      {
        ...shared,
        resolve: components.resolve,
        knownPeers: () => this.membership.knownPeers(),
        isPaused: () => refusal.isRemoved || (this.decommission.isUnderWay && isOut(self))
      },
      init
    )
    const compare = (peer: NodeId, signal: AbortSignal): Promise<boolean> => antiEntropy.compare(peer, signal)
    this.format = new ClusterFormat(
      { ...shared, directory, writer, compare, roll: this.roll, isOut: () => isOut(self) },
      {
        roundMs: init.pauses?.roundMs ?? FORMAT_ROUND_MS,
        isToJoin: init.join.length > 0 && init.joinIsDefault !== true
      }
    )
    this.decommission = new Decommission({
      ...components,
      self,
      alive: () => this.membership.alive(),
      peers,
      departures,
      isRetired,
      compare
    })
    this.compactionOwner = new CompactionOwner(
      { ...components, self, members: () => this.membership.members() },
      init.pauses
    )
    this.#parts = [
      this.roll,
      departures,
      description,
      this.format,
      new KnownHorizon(components),
      transport,
      this.membership,
      refusal,
      gossip,
      events,
      antiEntropy,
      this.shipping,
      this.#joining
    ]
  }

  /** Whether this node was removed while it was connected: it stays out until it is restarted. */
  get isRemoved(): boolean {
    return this.#refusal.isRemoved
  }

  /** Dials of other nodes so far. */
  get dials(): JoinLoop['counts'] {
    return this.#joining.counts
  }

  /** Nodes refused so far because they are no longer members, by code. */
  get refusals(): MemberRefusal['refusals'] {
    return this.#refusal.refusals
  }

  /** This node's place among the present members that could bury a record, from 0. */
  burialRank(key: RecordKey): number {
    const { self } = this.#components.transport
    return rendezvous(recordName(key), [self, ...this.membership.present()]).indexOf(self)
  }

  /** This node's place among the present members that could archive a volume, from 0. */
  archiveRank(volume: VolumeId): number {
    const { self } = this.#components.transport
    return rendezvous(volume, [self, ...this.membership.alive()]).indexOf(self)
  }

  /** This node's place among the present members for work that one of them does for all, from 0. */
  rankFor(task: string): number {
    const { self } = this.#components.transport
    return rendezvous(task, [self, ...this.membership.present()]).indexOf(self)
  }

  /** @returns up to where a connected node holds the volume; 0: none does */
  heldByPeers(volume: VolumeId): number {
    return this.#peers.furthestEnd(volume)
  }

  /** Why this node must not bury deletes now; undefined: it may. */
  burialObstacle(): string | undefined {
    const others = this.membership.members().filter(({ self, state }) => !self && state !== 'left')
    const alive = others.filter(({ state }) => isPresent(state))
    const recorded = new Set(this.roll.others().map(({ id }) => id))
    const isNew = alive.length > 0 && !this.#components.hasCompared()
    if (isNew || others.some(({ id }) => !recorded.has(id)))
      return 'it is not known yet how long all members let a delete be undone'
    const skews = alive.flatMap(({ clockSkewMs }) => clockSkewMs ?? [])
    const isAhead = skews.length > 0 && skews.every(skewMs => Math.abs(skewMs) > BURIAL_SKEW_MS_MAX)
    return isAhead ? 'the clock of this node is more than a minute off those of all other members' : undefined
  }

  /** Since when some member has not been heard, ms since the Unix epoch; undefined: all are in reach. */
  cutSinceMs(): number | undefined {
    const others = this.membership.members().filter(({ self, state }) => !self && state !== 'left')
    const absent = others.filter(({ state }) => !isPresent(state))
    if (absent.length === 0) return undefined
    return Math.min(...absent.map(({ lastSeenAtMs }) => lastSeenAtMs ?? this.#madeAtMs))
  }

  /** Calls the listener for events of members, reported here or by other nodes. */
  onEvent(listener: (type: NodeEventType, node: NodeId) => void): void {
    this.#listeners.push(listener)
  }

  #emit(type: NodeEventType, node: NodeId): void {
    for (const listener of this.#listeners) listener(type, node)
  }

  /** @returns what this node lacks of others' data, and what others lack of its own */
  replication(): ReplicationStatus {
    return {
      repair: this.shipping.progress(),
      oldestUnreplicatedMs: this.oldestUnreplicatedMs(this.membership.members())
    }
  }

  /** @returns age of the oldest bytes that no other node is known to hold; undefined when there are none, or no other node */
  oldestUnreplicatedMs(members: readonly Pick<MemberView, 'self'>[]): number | undefined {
    return members.every(({ self }) => self) ? undefined : this.#lag.oldestMs()
  }

  /** @returns bytes that this node holds and the member lacks; undefined when it is not connected */
  lagBytes(member: NodeId): number | undefined {
    const { transport, volumes, verdicts } = this.#components
    if (member === transport.self) return this.shipping.progress().backlogBytes
    return this.#peers.missing(
      member,
      volumes.volumes().filter(({ id }) => !verdicts.isRetired(id))
    )
  }

  /** @returns how many nodes are known to hold the volume durably up to `end`, this one included */
  copies(volume: VolumeId, end: number): number {
    return this.durableCopies.ofVolume(volume, end)
  }

  async start(): Promise<void> {
    for (const part of this.#parts) await part.start()
  }

  async stop(): Promise<void> {
    for (const part of [...this.#parts].reverse()) await part.stop()
  }
}
