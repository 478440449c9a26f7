import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import { type ErrorCode, hasCode, SheafError } from '../../core/errors.js'
import { KeyedLock } from '../../core/keyed-lock.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import { RateLimiter } from '../../core/rate-limiter.js'
import { WorkerLoop } from '../../core/worker-loop.js'
import type { Directory } from '../../directory/directory.js'
import { greatestCommon } from '../../domain/formats.js'
import type { NodeId } from '../../domain/ids.js'
import type { Transport } from '../../network/transport.js'
import { answerGet, answerLeaves, answerNodes, answerPut } from './anti-entropy-answers.js'
import { decodeNodesRequest, METHOD_GET, METHOD_LEAVES, METHOD_NODES, METHOD_PUT } from './anti-entropy-messages.js'
import { type ExchangeOutcome, TreeExchange } from './tree-exchange.js'
import { TreeReplica } from './tree-replica.js'

const REQUEST_MS_MAX = 15_000
/** After this long an exchange ends early, so that the next peer gets its turn. */
const EXCHANGE_MS_MAX = 30_000
/** Gossip resolves younger differences by itself. */
const DIFFERENCE_MS_MIN = 1_000
/** Of two nodes that see the same difference, the one with the greater id waits this long for the other to begin. */
const TIE_BREAK_MS = 1_000
/** Least time between two exchanges with a peer; doubles while they change nothing, up to the interval. */
const PAUSE_MS = 1_000
const CHECK_MS = 1_000
const EXCHANGE = 'exchange'

/** Errors of a peer that disconnects or is not ready: logged as debug only. */
const EXPECTED: readonly ErrorCode[] = [
  'ERR_PEER_UNREACHABLE',
  'ERR_MEMBER_REMOVED',
  'ERR_DIRECTORY_UNAVAILABLE',
  'ERR_DISK_FULL',
  'ERR_STOPPING'
]

export interface AntiEntropyComponents {
  readonly transport: Pick<Transport, 'self' | 'version' | 'versionOf' | 'onPeer' | 'request' | 'handle'>
  readonly directory: Pick<
    Directory,
    'formats' | 'state' | 'digest' | 'merkle' | 'leaves' | 'lookUpMany' | 'merge' | 'mergeGraves'
  >
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Called when the directory has been compared with a peer's as a whole, or is known to be equal to it. */
  readonly onRound?: () => void
}

export interface AntiEntropyInit {
  /** Records that exchanges move per second, both directions together; default 2 000, which takes half a core. */
  readonly recordsPerSecondMax?: number
  /** Each peer is compared with about this often, even while digests agree; default 60 s. */
  readonly intervalMs?: number
}

/** Since the process started. */
export interface AntiEntropyCounts {
  /** Exchanges begun here: complete, ended early to give the next peer its turn, failed. */
  readonly complete: number
  readonly cutShort: number
  readonly failed: number
  /** Records that these changed. */
  readonly changedHere: number
  readonly changedThere: number
}

/** When to compare with a peer. All times are monotonic ms. */
interface PeerSchedule {
  /** The next regular exchange. */
  dueAt: number
  /** No exchange before this, whatever differs. */
  notBefore: number
  /** Since when its digest has differed from this node's in every heartbeat. */
  differsSince: number | undefined
  pauseMs: number
}

/**
 * Makes the directories of this node and its peers converge, whatever gossip lost. It compares Merkle trees with one peer
 * at a time: when it connects, when its digest has differed for a while, and at a regular interval. Convergence depends on
 * this alone; gossip only makes it faster.
 *
 * An exchange does not run until both sides are equal: under constant writes they never would be. It repairs what differed
 * when it compared; if the digests still differ after a pause, another one follows.
 */
export class AntiEntropy implements Startable {
  readonly #components: AntiEntropyComponents
  readonly #replica: TreeReplica
  readonly #intervalMs: number
  readonly #limiter: RateLimiter
  readonly #loop: WorkerLoop
  readonly #lock = new KeyedLock()
  readonly #schedules = new Map<NodeId, PeerSchedule>()
  readonly #stopping = new AbortController()
  readonly #unsubscribe: () => void
  readonly #counts = { complete: 0, cutShort: 0, failed: 0, changedHere: 0, changedThere: 0 }
  /** When the directory was last equal to a peer's, or compared as a whole; at first, when it began. Monotonic ms. */
  #lastRoundAtMs: number

  constructor(components: AntiEntropyComponents, init: AntiEntropyInit = {}) {
    const { transport, clock, log } = components
    const { recordsPerSecondMax = 2_000, intervalMs = 60_000 } = init
    this.#components = components
    this.#lastRoundAtMs = clock.monotonic()
    this.#intervalMs = intervalMs
    this.#replica = new TreeReplica(components)
    this.#limiter = new RateLimiter(clock, { perSecond: recordsPerSecondMax, burst: recordsPerSecondMax })
    this.#loop = new WorkerLoop({ clock, log }, { name: 'anti-entropy', idleMs: CHECK_MS, step: this.#step.bind(this) })
    transport.handle(METHOD_NODES, async (peer, body) => {
      const request = decodeNodesRequest(body, transport.version.tree)
      if (request.level === 0) this.#notePeerExchange(peer)
      return answerNodes(this.#replica, request)
    })
    transport.handle(METHOD_LEAVES, (_peer, body) => answerLeaves(this.#replica, body))
    transport.handle(METHOD_GET, (_peer, body) => answerGet(this.#replica, body), { relayed: true })
    transport.handle(METHOD_PUT, (peer, body) => answerPut(this.#replica, body, peer))
    this.#unsubscribe = transport.onPeer((peer, state) => {
      if (state === 'down') this.#schedules.delete(peer)
      else this.#noteConnected(peer)
    })
  }

  async start(): Promise<void> {
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    this.#stopping.abort(new SheafError('ERR_STOPPING'))
    await this.#loop.stop()
  }

  get counts(): AntiEntropyCounts {
    return { ...this.#counts }
  }

  /** Since the directory was last equal to a peer's, or compared as a whole; at first, since the start. */
  get lastRoundAgeMs(): number {
    return this.#components.clock.monotonic() - this.#lastRoundAtMs
  }

  /**
   * To be called with the directory digest of each of a peer's heartbeats. Every write makes digests differ for a moment, so
   * an exchange follows only when they differed in all heartbeats of a second.
   *
   * @param digest - as returned by `Directory.digest`
   */
  noteDigest(peer: NodeId, digest: string): void {
    const { directory, clock } = this.#components
    const schedule = this.#schedules.get(peer)
    if (schedule === undefined || directory.state !== 'open') return
    if (digest === directory.digest()) {
      schedule.differsSince = undefined
      this.#noteRound()
      return
    }
    schedule.differsSince ??= clock.monotonic()
    if (this.#isDue(peer, schedule)) this.#loop.wake()
  }

  /**
   * Compares with a peer and repairs both sides. Exchanges run one after the other.
   *
   * @returns how many records changed, here and there together
   * @throws `ERR_PEER_UNREACHABLE`, `ERR_PEER_PROTOCOL`, `ERR_DIRECTORY_UNAVAILABLE`; the signal's reason. Records moved
   * before the error stay
   */
  async exchange(peer: NodeId, signal: AbortSignal): Promise<number> {
    const running = AbortSignal.any([signal, this.#stopping.signal])
    const { changedHere, changedThere } = await this.#exchange(peer, running)
    return changedHere + changedThere
  }

  /**
   * As {@link exchange}.
   *
   * @returns whether everything that differed was repaired; false when the exchange ran out of time
   */
  async compare(peer: NodeId, signal: AbortSignal): Promise<boolean> {
    const { cutShort } = await this.#exchange(peer, AbortSignal.any([signal, this.#stopping.signal]))
    return !cutShort
  }

  #exchange(peer: NodeId, signal: AbortSignal): Promise<ExchangeOutcome> {
    return this.#lock.run(EXCHANGE, async () => {
      signal.throwIfAborted()
      const { transport, clock, log } = this.#components
      const startedAt = clock.monotonic()
      const theirs = transport.versionOf(peer)
      const version = theirs && greatestCommon(transport.version.tree, theirs.tree)
      const exchange = new TreeExchange({
        peer,
        ...(version !== undefined && { version }),
        replica: this.#replica,
        ask: (method, body) =>
          withDeadline(clock, REQUEST_MS_MAX, signal, limit => transport.request(peer, method, body, limit)),
        pace: async records => {
          const waitMs = this.#limiter.take(records)
          if (waitMs > 0) await clock.sleep(waitMs, signal)
          signal.throwIfAborted()
        },
        isOver: () => clock.monotonic() - startedAt > EXCHANGE_MS_MAX
      })
      let outcome: ExchangeOutcome
      try {
        outcome = await exchange.run()
      } catch (err) {
        this.#counts.failed++
        throw err
      }
      const ms = Math.round(clock.monotonic() - startedAt)
      log.debug({ peer, ...outcome, ms }, 'compared directories with a peer')
      this.#counts.changedHere += outcome.changedHere
      this.#counts.changedThere += outcome.changedThere
      if (outcome.cutShort) this.#counts.cutShort++
      else {
        this.#counts.complete++
        this.#noteRound()
      }
      return outcome
    })
  }

  #noteRound(): void {
    this.#lastRoundAtMs = this.#components.clock.monotonic()
    this.#components.onRound?.()
  }

  async #step(signal: AbortSignal): Promise<'busy' | 'idle'> {
    const { directory, clock, log } = this.#components
    if (directory.state !== 'open') return 'idle'
    const peer = this.#next()
    const schedule = peer && this.#schedules.get(peer)
    if (peer === undefined || schedule === undefined) return 'idle'
    let useful = false
    let cutShort = false
    try {
      const outcome = await this.#exchange(peer, signal)
      useful = outcome.equal || outcome.changedHere + outcome.changedThere > 0
      cutShort = outcome.cutShort
    } catch (err) {
      if (signal.aborted) return 'idle'
      const message = 'could not compare directories with a peer; trying again'
      if (EXPECTED.some(code => hasCode(err, code))) log.debug({ err, peer }, message)
      else log.warn({ err, peer }, message)
    }
    const now = clock.monotonic()
    schedule.pauseMs = useful ? PAUSE_MS : Math.min(schedule.pauseMs * 2, this.#intervalMs)
    schedule.notBefore = now + schedule.pauseMs
    schedule.dueAt = cutShort ? now : now + this.#jittered(this.#intervalMs)
    schedule.differsSince = undefined
    return 'busy'
  }

  /** @returns the peer that has been due for longest */
  #next(): NodeId | undefined {
    let next: NodeId | undefined
    let nextDueAt = Number.POSITIVE_INFINITY
    for (const [peer, schedule] of this.#schedules) {
      if (!this.#isDue(peer, schedule) || schedule.dueAt >= nextDueAt) continue
      next = peer
      nextDueAt = schedule.dueAt
    }
    return next
  }

  #isDue(peer: NodeId, { dueAt, notBefore, differsSince }: PeerSchedule): boolean {
    const now = this.#components.clock.monotonic()
    if (now < notBefore) return false
    return (
      dueAt <= now || (differsSince !== undefined && now - differsSince >= DIFFERENCE_MS_MIN + this.#tieBreakMs(peer))
    )
  }

  #noteConnected(peer: NodeId): void {
    const { clock } = this.#components
    const dueAt = clock.monotonic() + this.#tieBreakMs(peer)
    this.#schedules.set(peer, { dueAt, notBefore: 0, differsSince: undefined, pauseMs: PAUSE_MS })
    this.#loop.wake()
  }

  /** The peer has begun an exchange, which repairs both sides. */
  #notePeerExchange(peer: NodeId): void {
    const schedule = this.#schedules.get(peer)
    if (schedule === undefined) return
    const now = this.#components.clock.monotonic()
    schedule.dueAt = Math.max(schedule.dueAt, now + this.#jittered(this.#intervalMs))
    schedule.notBefore = Math.max(schedule.notBefore, now + PAUSE_MS)
    schedule.differsSince = undefined
  }

  #tieBreakMs(peer: NodeId): number {
    return this.#components.transport.self < peer ? 0 : TIE_BREAK_MS
  }

  /** @returns `ms` times 0.5 to 1.5 at random, so that nodes do not act in step */
  #jittered(ms: number): number {
    return ms * (0.5 + this.#components.random.fraction())
  }
}
