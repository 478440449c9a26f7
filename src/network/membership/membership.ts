import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import { type Hlc, hlcMs } from '../../domain/hlc.js'
import type { ActorId, NodeId } from '../../domain/ids.js'
import type { Transport } from '../transport.js'
import { AwakeTime } from './awake-time.js'
import { FailureDetector, type PeerState } from './failure-detector.js'
import { boundedAddresses, decodeHeartbeat, encodeHeartbeat, type Heartbeat } from './heartbeat.js'
import type { KnownPeer } from './join.js'
import type { MemberRecord, MemberState, MemberStore, MemberView, NodeDescription } from './member-view.js'
import { PeerExchange } from './peer-exchange.js'
import { Vouchers } from './vouchers.js'

/** Pauses between heartbeats are a random share of `heartbeatMs`, at least this one, so that nodes do not act in step. */
const HEARTBEAT_SHARE_MIN = 0.8
/** A heartbeat sent by `announce` follows the previous heartbeat after at least this long, ms. */
const ANNOUNCE_MS = 100
/** A random peer is asked for its members this often, ms; times 0.5 to 1.5 at random. */
const EXCHANGE_EVERY_MS = 5_000
/** This node's record is written no more often, so that flapping addresses cause few writes. */
const SAVE_EVERY_MS = 60_000
/** A larger skew is logged as a warning: stamps further ahead are not followed. */
const CLOCK_SKEW_MS_MAX = 60_000
/** The other parts of a node start after it and keep the process busy so long at most, ms: that is not standing still. */
const STARTING_MS = 10_000
/** Nodes without a record in the directory that stay listed once they are down. */
const UNRECORDED_MEMBERS_MAX = 1_000

/** A member that is reached through another one is sent a heartbeat no more often, ms. */
const RELAYED_HEARTBEAT_MS = 1_000

const STATE_MESSAGES = {
  alive: 'a member is up',
  via: 'a member is not connected, but reached through another one',
  suspect: 'a member is suspect: it is silent or disconnected',
  left: 'a member has left or was removed'
} as const

const UNKNOWN_MEMBER: Member = {
  record: undefined,
  heartbeat: undefined,
  lastSeenAtMs: undefined,
  clockSkewMs: undefined,
  skewWarnedEpoch: undefined
}

export interface MembershipComponents {
  /** Hints to a member that is not connected may go through one of `waysTo`. */
  readonly transport: Pick<Transport, 'self' | 'addresses' | 'peers' | 'onPeer' | 'request' | 'notify' | 'handle'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Called for each heartbeat: must be quick and must not throw. */
  readonly describe: () => NodeDescription
  /** The node's hybrid clock. */
  readonly now: () => Hlc
  readonly store: MemberStore
}

export interface MembershipInit {
  /** The longest pause between two heartbeats, ms; default 500. */
  readonly heartbeatMs?: number
  /** Silence that makes a member suspect, ms; several heartbeats; default 2 000. */
  readonly suspectMs?: number
  /** Silence that makes it down, ms; default 4 500. */
  readonly downMs?: number
}

interface Member {
  readonly record: MemberRecord | undefined
  readonly heartbeat: Heartbeat | undefined
  readonly lastSeenAtMs: number | undefined
  readonly clockSkewMs: number | undefined
  /** The peer's epoch for which a skew was logged. */
  readonly skewWarnedEpoch: ActorId | undefined
}

type ChangeListener = (view: MemberView, was: MemberState) => void
type HeartbeatListener = (peer: NodeId, heartbeat: Heartbeat) => void

/**
 * Tracks the members of the cluster and their states. Every node sends heartbeats to all connected peers and judges each of
 * them by its silence towards this node alone. Only where it would be down, an alive peer that hears it makes it `via`
 * instead: nodes behind different address translators never connect, and yet form one cluster with a node between them.
 *
 * A member stays listed while it is absent, and after a restart of this node: absent members count. Nodes known only from
 * peer exchange are not listed, but dialed.
 */
export class Membership implements Startable {
  readonly #components: MembershipComponents
  readonly #heartbeatMs: number
  readonly #awake: AwakeTime
  readonly #detector: FailureDetector
  readonly #vouchers: Vouchers
  readonly #exchange: PeerExchange
  /** Contains this node, too, once the directory has its record. */
  readonly #members = new Map<NodeId, Member>()
  readonly #changeListeners = new Set<ChangeListener>()
  readonly #heartbeatListeners = new Set<HeartbeatListener>()
  readonly #unsubscribe: (() => void)[] = []
  readonly #inFlight = new Set<Promise<void>>()
  readonly #abort = new AbortController()
  #sequence = 0
  #startedMs = 0
  #lastHeartbeatMs = 0
  #nextHeartbeatMs = 0
  #nextRelayedMs = 0
  #nextExchangeMs: number
  #nextSaveMs = 0
  #savedText = ''
  /** Whether this process was ever connected to another node. Until then it needs no record of itself. */
  #hasMetPeer = false
  #cancelTimer: (() => void) | undefined
  #cancelAnnouncement: (() => void) | undefined

  constructor(components: MembershipComponents, init: MembershipInit = {}) {
    const { transport, clock, log } = components
    const { heartbeatMs = 500, suspectMs = 2_000, downMs = 4_500 } = init
    this.#components = components
    this.#heartbeatMs = heartbeatMs
    this.#awake = new AwakeTime({ clock })
    this.#detector = new FailureDetector({ suspectMs, downMs })
    this.#vouchers = new Vouchers({ freshMs: suspectMs, validMs: downMs })
    this.#exchange = new PeerExchange({ transport, clock, log, members: () => this.#others() })
    this.#nextExchangeMs = this.#exchangePauseMs()
    transport.handle('member.beat', async (peer, body) => {
      this.#noteHeartbeat(peer, decodeHeartbeat(body))
      return new Uint8Array()
    })
    const takeRelayed = async (member: NodeId, body: Uint8Array): Promise<Uint8Array> => {
      this.#noteRelayedHeartbeat(member, decodeHeartbeat(body))
      return new Uint8Array()
    }
    transport.handle('member.beat-via', takeRelayed, { relayed: true })
  }

  /** To be called once the directory is complete. The transport may have peers already. */
  async start(): Promise<void> {
    const { transport, clock, store } = this.#components
    this.#startedMs = clock.monotonic()
    this.#unsubscribe.push(
      store.onChange(member => this.#noteRecord(member)),
      transport.onPeer((peer, state) => (state === 'up' ? this.#noteConnected(peer) : this.#noteDisconnected(peer)))
    )
    for (const member of await store.load()) this.#noteRecord(member)
    if (this.#abort.signal.aborted) return
    for (const peer of transport.peers()) this.#noteConnected(peer)
    this.#tick()
  }

  async stop(): Promise<void> {
    this.#abort.abort(new SheafError('ERR_STOPPING'))
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe()
    this.#cancelTimer?.()
    this.#cancelAnnouncement?.()
    await Promise.all(this.#inFlight)
  }

  /** @returns all members, this node included, ordered by id */
  members(): MemberView[] {
    const ids = new Set([this.#components.transport.self, ...this.#members.keys()])
    return [...ids].sort().map(id => this.#view(id))
  }

  /** @returns the peers worth asking now: connected and alive; without this node */
  alive(): NodeId[] {
    return this.#components.transport.peers().filter(peer => this.#state(peer) === 'alive')
  }

  /** @returns the members to count on: alive, or reached through others; without this node */
  present(): NodeId[] {
    return [...this.alive(), ...this.#via()]
  }

  /** @returns the nodes that can be asked, be it through others; without this node */
  reachable(): NodeId[] {
    return [...this.#components.transport.peers(), ...this.distant()]
  }

  /** @returns the members that only others are connected to */
  distant(): NodeId[] {
    const peers = this.#components.transport.peers()
    return this.#via().filter(id => !peers.includes(id))
  }

  /** @returns whether the peer said in its last heartbeat that it hears the other node itself */
  hears(peer: NodeId, other: NodeId): boolean {
    return this.#members.get(peer)?.heartbeat?.reaches?.includes(other) === true
  }

  /** @returns whether the peer said in its last heartbeat that it has the tool */
  hasTool(peer: NodeId, tool: string): boolean {
    return this.#members.get(peer)?.heartbeat?.tools?.includes(tool) === true
  }

  /** @returns the alive peers that hear a member in state `via` themselves, the latest heard first; else none */
  waysTo(member: NodeId): NodeId[] {
    if (!this.#vouchers.via.has(member)) return []
    return this.#vouchers.of(member, this.#awakeMs()).filter(peer => this.#state(peer) === 'alive')
  }

  /** @returns the nodes that may be dialed: members, connected or not, and nodes from peer exchange; without this node */
  knownPeers(): KnownPeer[] {
    const nonMembers = [...this.#exchange.addressBook].filter(([id]) => !this.#members.has(id))
    return [...this.#others(), ...nonMembers.map(([id, addresses]) => ({ id, addresses }))]
  }

  /** Calls the listener when a member's state has changed: see `memberEvent`. @returns removes the listener */
  onChange(listener: ChangeListener): () => void {
    this.#changeListeners.add(listener)
    return () => this.#changeListeners.delete(listener)
  }

  /** Calls the listener with each heartbeat that is newer than all before. @returns removes the listener */
  onHeartbeat(listener: HeartbeatListener): () => void {
    this.#heartbeatListeners.add(listener)
    return () => this.#heartbeatListeners.delete(listener)
  }

  /** To be called when this node's description has changed: sends a heartbeat, at least ANNOUNCE_MS after the last one. */
  announce(): void {
    const { clock } = this.#components
    if (this.#abort.signal.aborted || this.#cancelAnnouncement !== undefined) return
    const waitMs = Math.max(0, this.#lastHeartbeatMs + ANNOUNCE_MS - clock.monotonic())
    this.#cancelAnnouncement = clock.schedule(waitMs, () => {
      this.#cancelAnnouncement = undefined
      this.#sendHeartbeat()
    })
  }

  // --- sending ---

  #tick(): void {
    const { clock, random } = this.#components
    this.#judgeVouchers(new Map(this.#detector.judge(this.#awakeMs()).map(({ peer, was }) => [peer, was])))
    const now = clock.monotonic()
    if (now >= this.#nextHeartbeatMs) this.#sendHeartbeat()
    if (now >= this.#nextExchangeMs) {
      this.#nextExchangeMs = now + this.#exchangePauseMs()
      const alive = this.alive()
      const peer = alive[Math.floor(random.fraction() * alive.length)]
      if (peer !== undefined) this.#run(this.#exchange.ask(peer, this.#abort.signal))
    }
    const waitMs = Math.max(1, Math.min(this.#nextHeartbeatMs - now, this.#detector.nextMs() - this.#awakeMs()))
    this.#awake.expectWakeIn(waitMs)
    this.#cancelTimer = clock.schedule(waitMs, () => this.#tick())
  }

  #sendHeartbeat(): void {
    const { transport, clock, random } = this.#components
    const share = HEARTBEAT_SHARE_MIN + (1 - HEARTBEAT_SHARE_MIN) * random.fraction()
    this.#lastHeartbeatMs = clock.monotonic()
    this.#nextHeartbeatMs = this.#lastHeartbeatMs + this.#heartbeatMs * share
    const isForAll = this.#lastHeartbeatMs >= this.#nextRelayedMs
    if (isForAll) this.#nextRelayedMs = this.#lastHeartbeatMs + RELAYED_HEARTBEAT_MS
    this.#saveOwnRecord(this.#sendHeartbeatTo(transport.peers(), isForAll ? this.#via() : []))
  }

  #sendHeartbeatTo(peers: readonly NodeId[], via: readonly NodeId[]): Heartbeat {
    const { transport } = this.#components
    this.#sequence++
    const heartbeat = this.#ownHeartbeat()
    const body = encodeHeartbeat(heartbeat)
    for (const peer of peers) transport.notify(peer, 'member.beat', body, { urgent: true })
    for (const member of via) transport.notify(member, 'member.beat-via', body, { urgent: true })
    return heartbeat
  }

  #ownHeartbeat(): Heartbeat {
    const { transport, clock, describe, now } = this.#components
    return {
      ...describe(),
      sequence: this.#sequence,
      addresses: boundedAddresses(transport.addresses()),
      now: now(),
      wallMs: clock.now(),
      // an older build would answer what is passed on to it with an error, once a second
      reaches: this.alive().filter(peer => this.#members.get(peer)?.heartbeat?.reaches !== undefined)
    }
  }

  /** Writes this node's name and addresses into the directory, so that others remember it while it is absent. */
  #saveOwnRecord({ name, addresses }: Heartbeat): void {
    const { transport, clock, store, log } = this.#components
    const record = { id: transport.self, name, addresses: addresses.toSorted() }
    const text = JSON.stringify(record)
    if (!this.#hasMetPeer || text === this.#savedText || clock.monotonic() < this.#nextSaveMs) return
    this.#nextSaveMs = clock.monotonic() + SAVE_EVERY_MS
    const saved = (): void => {
      this.#savedText = text
    }
    const failed = (err: unknown): void => log.warn({ err }, "could not write this node's member record; trying again")
    this.#run(store.save(record).then(saved, failed))
  }

  // --- receiving ---

  #noteConnected(peer: NodeId): void {
    this.#hasMetPeer = true
    this.#detector.noteConnected(peer, this.#awakeMs())
    this.#sendHeartbeatTo([peer], [])
    this.#run(this.#exchange.ask(peer, this.#abort.signal))
  }

  #noteDisconnected(peer: NodeId): void {
    const was = this.#detector.noteDisconnected(peer)
    if (was === 'alive') this.#noteTransition(peer, was)
  }

  #noteHeartbeat(peer: NodeId, heartbeat: Heartbeat): void {
    if (!this.#components.transport.peers().includes(peer)) return // the connection has ended meanwhile
    const isNewer = this.#noteDescription(peer, heartbeat)
    const before = this.#presence(peer)
    this.#detector.noteHeartbeat(peer, this.#awakeMs())
    if (isNewer) this.#vouchers.note(peer, heartbeat.reaches ?? [], this.#awakeMs())
    if (before !== 'alive' && before !== 'via') this.#noteTransition(peer, before)
    this.#judgeVouchers(new Map())
    if (isNewer) this.#tell(peer, heartbeat)
  }

  /** A member in state `via` described itself through another one. */
  #noteRelayedHeartbeat(member: NodeId, heartbeat: Heartbeat): void {
    if (this.#state(member) === 'via' && this.#noteDescription(member, heartbeat)) this.#tell(member, heartbeat)
  }

  /** @returns whether it is newer than all before */
  #noteDescription(peer: NodeId, heartbeat: Heartbeat): boolean {
    const before = this.#members.get(peer) ?? UNKNOWN_MEMBER
    const isNewer =
      before.heartbeat === undefined ||
      heartbeat.epoch !== before.heartbeat.epoch ||
      heartbeat.sequence > before.heartbeat.sequence
    const update = isNewer ? { heartbeat, ...this.#skew(peer, heartbeat, before) } : {}
    this.#members.set(peer, { ...before, ...update, lastSeenAtMs: this.#components.clock.now() })
    return isNewer
  }

  #tell(peer: NodeId, heartbeat: Heartbeat): void {
    for (const listener of this.#heartbeatListeners) listener(peer, heartbeat)
  }

  /** Warns once per epoch of the peer. */
  #skew(peer: NodeId, heartbeat: Heartbeat, before: Member): Pick<Member, 'clockSkewMs' | 'skewWarnedEpoch'> {
    const { wallMs = hlcMs(heartbeat.now) } = heartbeat
    const skewMs = wallMs - this.#components.clock.now()
    const isFar = Math.abs(skewMs) > CLOCK_SKEW_MS_MAX
    if (isFar && before.skewWarnedEpoch !== heartbeat.epoch) {
      this.#components.log.warn(
        { peer, skewMs },
        'the clocks of this node and a member differ by more than a minute; check NTP on both'
      )
    }
    return { clockSkewMs: skewMs, skewWarnedEpoch: isFar ? heartbeat.epoch : before.skewWarnedEpoch }
  }

  /** A member's record was read or has changed. */
  #noteRecord(record: MemberRecord): void {
    const before = this.#members.get(record.id) ?? UNKNOWN_MEMBER
    this.#members.set(record.id, { ...before, record })
    if (record.id === this.#components.transport.self) this.#noteOwnRecord(before.record, record)
    const was = this.#presence(record.id)
    if (record.departure === undefined || before.record?.departure !== undefined || was === 'down') return
    this.#reportChange(record.id, was)
  }

  /** A departure, a readmission or a concurrent write may have dropped what this node says of itself: it says it again. */
  #noteOwnRecord(before: MemberRecord | undefined, record: MemberRecord): void {
    this.#savedText = ''
    if (before?.departure !== undefined && record.departure === undefined) this.#nextSaveMs = 0
  }

  /** Looks who is reached through others now. @param before - the states of members that changed already, to be reported */
  #judgeVouchers(before: Map<NodeId, MemberState>): void {
    const candidates = [...this.#members].filter(([id, { record }]) => {
      const isMember = record !== undefined && record.departure === undefined
      return isMember && id !== this.#components.transport.self && this.#detector.state(id) === 'down'
    })
    const wasVia = new Set(this.#vouchers.via)
    for (const id of this.#vouchers.judge(
      candidates.map(([id]) => id),
      this.#awakeMs()
    )) {
      if (!before.has(id)) before.set(id, wasVia.has(id) ? 'via' : 'down')
    }
    for (const [id, was] of before) if (this.#presence(id) !== was) this.#noteTransition(id, was)
  }

  #noteTransition(peer: NodeId, was: MemberState): void {
    if (this.#state(peer) !== 'left') this.#reportChange(peer, was)
  }

  #reportChange(peer: NodeId, was: MemberState): void {
    const { log } = this.#components
    const view = this.#view(peer)
    const fields = { member: { id: peer, name: view.name }, was }
    if (view.state === 'down') log.warn(fields, 'a member is down; if it will not return, run sheaf member remove')
    else log.info(fields, STATE_MESSAGES[view.state])
    if (view.state === 'down') this.#forgetUnrecordedMembers()
    for (const listener of this.#changeListeners) listener(view, was)
  }

  /** Bounds the list: without a cluster key any node can join again and again under new ids. */
  #forgetUnrecordedMembers(): void {
    const down = [...this.#members].filter(
      ([id, { record }]) => record === undefined && this.#detector.state(id) === 'down'
    )
    for (const [id] of down.slice(0, -UNRECORDED_MEMBERS_MAX)) {
      this.#members.delete(id)
      this.#detector.forget(id)
    }
  }

  // --- views ---

  #view(id: NodeId): MemberView {
    const { transport, clock } = this.#components
    const { record, heartbeat, lastSeenAtMs, clockSkewMs } = this.#members.get(id) ?? UNKNOWN_MEMBER
    const joinedAtMs = record?.joinedAtMs
    if (id === transport.self) {
      const own = this.#ownHeartbeat()
      const { name, addresses } = own
      const now = clock.now()
      return {
        id,
        name,
        addresses,
        self: true,
        state: record?.departure === undefined ? 'alive' : 'left',
        lastSeenAtMs: now,
        joinedAtMs,
        heartbeat: own,
        clockSkewMs: 0
      }
    }
    return {
      id,
      name: heartbeat?.name ?? record?.name ?? '',
      addresses: this.#addresses(id),
      self: false,
      state: this.#state(id),
      lastSeenAtMs,
      joinedAtMs,
      heartbeat,
      clockSkewMs
    }
  }

  #state(id: NodeId): MemberState {
    return this.#members.get(id)?.record?.departure === undefined ? this.#presence(id) : 'left'
  }

  /** @returns its state, whether or not it is a member */
  #presence(id: NodeId): PeerState | 'via' {
    const state = this.#detector.state(id)
    return state === 'down' && this.#vouchers.via.has(id) ? 'via' : state
  }

  /** @returns the members in state `via` */
  #via(): NodeId[] {
    return [...this.#vouchers.via].filter(id => this.#state(id) === 'via')
  }

  /** @returns the members that may be dialed; a departed node dials itself if it wants to return */
  #others(): KnownPeer[] {
    const { self } = this.#components.transport
    const ids = [...this.#members.keys()].filter(id => id !== self && this.#state(id) !== 'left')
    return ids.map(id => ({ id, addresses: this.#addresses(id), ...(this.#state(id) === 'via' && { isVia: true }) }))
  }

  /** A silent member may have moved; its record and peer exchange may have newer addresses. */
  #addresses(id: NodeId): readonly string[] {
    const { record, heartbeat } = this.#members.get(id) ?? UNKNOWN_MEMBER
    const last = heartbeat?.addresses ?? []
    if (this.#detector.state(id) === 'alive') return last
    return boundedAddresses([
      ...new Set([...last, ...(record?.addresses ?? []), ...(this.#exchange.addressBook.get(id) ?? [])])
    ])
  }

  // --- time ---

  #awakeMs(): number {
    const { stalledMs } = this.#awake
    const now = this.#awake.now()
    const stallMs = this.#awake.stalledMs - stalledMs
    if (stallMs > 0 && this.#components.clock.monotonic() - this.#startedMs > STARTING_MS)
      this.#components.log.info(
        { stallMs: Math.round(stallMs) },
        'this process was stalled; the time does not count as silence of its peers'
      )
    return now
  }

  #exchangePauseMs(): number {
    return EXCHANGE_EVERY_MS * (0.5 + this.#components.random.fraction())
  }

  #run(task: Promise<void>): void {
    const done = task.finally(() => this.#inFlight.delete(done))
    this.#inFlight.add(done)
  }
}
