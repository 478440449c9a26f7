import type { Clock } from '../core/clock.js'
import { withDeadline } from '../core/deadline.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import { type Hlc, hlcMs } from '../domain/hlc.js'
import type { NodeId } from '../domain/ids.js'
import { type Beat, decodeBeat, encodeBeat, tellable } from './beat.js'
import type { KnownPeer } from './join.js'
import { FailureDetector, type MemberState } from './membership-detector.js'
import { decodePeers, encodePeers, PEERS_MAX } from './membership-messages.js'
import { encodeMessage } from './message.js'
import type { Transport } from './transport.js'

/** Jitter: pauses between beats are this share of `beatMs` at least, and all of it at most. */
const BEAT_SHARE_MIN = 0.8
/** Beats that something new brings about are at least this far from the one before, ms. */
const ANNOUNCE_MS = 100
/** Late by more than this, and the process is taken to have stood still, ms. */
const STALL_MS = 250
const ASK_MS_MAX = 5_000
/** Peers are asked whom they know after about this long; half to one and a half of it. */
const ASK_EVERY_MS = 30_000
/** What this node says of itself goes into the directory no more often, so that addresses that flap write little. */
const SAVE_EVERY_MS = 60_000
const CLOCK_SKEW_MS_MAX = 60_000

/** What a node says of itself in its beats; sequence, addresses and time are added by its membership. */
export type NodeDescription = Omit<Beat, 'sequence' | 'addresses' | 'now'>

/** What the directory says of a member, also of one that is absent. */
export interface KnownMember {
  readonly id: NodeId
  readonly name: string
  readonly addresses: readonly string[]
  /** When it first met another node, by its own clock, ms since the Unix epoch. */
  readonly joinedAtMs: number
}

/** Where members are remembered beyond this process. Each node writes about itself only. */
export interface MemberStore {
  load(): Promise<readonly KnownMember[]>
  /** Calls the listener when a member is new or has changed, this node too. @returns removes it */
  onChange(listener: (member: KnownMember) => void): () => void
  /** Writes what this node says of itself, unless it stands there already. @throws the disk's errors, `ERR_DIRECTORY_UNAVAILABLE` */
  save(self: Pick<KnownMember, 'id' | 'name' | 'addresses'>): Promise<void>
}

/** A member as this node sees it. */
export interface MemberView {
  readonly id: NodeId
  readonly name: string
  /** Multiaddrs, best first. */
  readonly addresses: readonly string[]
  readonly self: boolean
  readonly state: MemberState
  /** When it was last heard, ms since the Unix epoch; undefined when this process never heard it. */
  readonly lastSeenAtMs: number | undefined
  readonly joinedAtMs: number | undefined
  /** The newest that it said of itself. */
  readonly beat: Beat | undefined
  /** How far its hybrid clock was ahead of this node's when the beat came, ms; negative when it is behind. */
  readonly clockSkewMs: number | undefined
}

export interface MembershipComponents {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Asked for each beat, so it must be quick, and must not throw. */
  readonly describe: () => NodeDescription
  /** The node's hybrid clock. */
  readonly now: () => Hlc
  readonly store: MemberStore
}

export interface MembershipInit {
  /** The longest pause between two beats. */
  readonly beatMs?: number
  readonly suspectMs?: number
  readonly downMs?: number
}

/** What a change of state means to who watches the cluster: suspicion is no news. */
export function memberEvent(view: MemberView, was: MemberState): 'member.up' | 'member.down' | undefined {
  if (view.state === 'down') return 'member.down'
  return view.state === 'alive' && was === 'down' ? 'member.up' : undefined
}

interface Member {
  known: KnownMember | undefined
  beat: Beat | undefined
  lastSeenAtMs: number | undefined
  clockSkewMs: number | undefined
  skewWarned: boolean
}

type ChangeListener = (view: MemberView, was: MemberState) => void
type BeatListener = (peer: NodeId, beat: Beat) => void

/**
 * Who belongs to the cluster, and who of them is there: every node beats to all it is connected with and judges the others
 * by their silence. Nobody is asked for an opinion on a third.
 *
 * A member that was seen once stays listed when it is gone, after a restart too: absent members count. Nodes that a peer
 * only spoke of are not listed, they are just dialled.
 */
export class Membership implements Startable {
  readonly #components: MembershipComponents
  readonly #beatMs: number
  readonly #detector: FailureDetector
  readonly #members = new Map<NodeId, Member>()
  /** Addresses that peers told of, the ones told last at the end. */
  readonly #hearsay = new Map<NodeId, readonly string[]>()
  readonly #changeListeners = new Set<ChangeListener>()
  readonly #beatListeners = new Set<BeatListener>()
  readonly #unsubscribe: (() => void)[] = []
  readonly #inFlight = new Set<Promise<void>>()
  readonly #abort = new AbortController()
  #sequence = 0
  #beatAtMs = Number.NEGATIVE_INFINITY
  #nextBeatMs = 0
  #nextAskMs = 0
  #nextSaveMs = 0
  /** Has met another node in this process. */
  #met = false
  #saved: string | undefined
  #cancelTimer: (() => void) | undefined
  /** When the timer should run; what is later is a stall. */
  #wakeMs = Number.POSITIVE_INFINITY
  #stalledMs = 0
  #cancelAnnouncement: (() => void) | undefined

  constructor(components: MembershipComponents, init: MembershipInit = {}) {
    const { beatMs = 500, suspectMs = 2_000, downMs = 4_500 } = init
    this.#components = components
    this.#beatMs = beatMs
    this.#detector = new FailureDetector({ suspectMs, downMs })
    components.transport.handle('member.beat', async (peer, body) => this.#beatCame(peer, decodeBeat(body)))
    components.transport.handle('member.peers', async () => encodePeers(this.#listed()))
  }

  /** The transport has been started, the directory is complete. */
  async start(): Promise<void> {
    const { transport, store } = this.#components
    this.#unsubscribe.push(
      store.onChange(member => this.#learned(member)),
      transport.onPeer((peer, state) => (state === 'up' ? this.#connected(peer) : this.#disconnected(peer)))
    )
    for (const member of await store.load()) this.#learned(member)
    for (const peer of transport.peers()) this.#connected(peer)
    this.#tick()
  }

  async stop(): Promise<void> {
    this.#abort.abort(new SheafError('ERR_STOPPING'))
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe()
    this.#cancelTimer?.()
    this.#cancelAnnouncement?.()
    this.#wakeMs = Number.POSITIVE_INFINITY
    await Promise.all(this.#inFlight)
  }

  /** All members, this node included, in the order of their ids. */
  members(): MemberView[] {
    const ids = new Set([this.#components.transport.self, ...this.#members.keys()])
    return [...ids].sort().map(id => this.#view(id))
  }

  /** Members that can be asked now: connected, not suspect, this node left out. */
  alive(): NodeId[] {
    return this.#components.transport.peers().filter(peer => this.#detector.state(peer) === 'alive')
  }

  /** Nodes that may be dialled: all members with the addresses that they have told, and nodes that peers have told of. */
  known(): KnownPeer[] {
    const listed = this.#listed()
    const rest = [...this.#hearsay].filter(([id]) => !this.#members.has(id))
    return [...listed, ...rest.map(([id, addresses]) => ({ id, addresses }))]
  }

  /** Calls the listener when the state of a member changes. @returns removes it */
  onChange(listener: ChangeListener): () => void {
    this.#changeListeners.add(listener)
    return () => this.#changeListeners.delete(listener)
  }

  /** Calls the listener with each beat that says something newer than the one before. @returns removes it */
  onBeat(listener: BeatListener): () => void {
    this.#beatListeners.add(listener)
    return () => this.#beatListeners.delete(listener)
  }

  /** What this node says of itself has changed: the next beat goes out at once. */
  announce(): void {
    if (this.#cancelAnnouncement !== undefined || this.#cancelTimer === undefined) return
    const { clock } = this.#components
    this.#cancelAnnouncement = clock.schedule(this.#beatAtMs + ANNOUNCE_MS - clock.monotonic(), () => {
      this.#cancelAnnouncement = undefined
      this.#beat()
    })
  }
