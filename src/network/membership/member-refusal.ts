/*
 *   member.refused   request   {how, at, now} → {returns}   tells a node that it is no longer a member
 *                                how         'left' or 'removed'
 *                                at          8 bytes, big-endian: stamp of the departure
 *                                now         1: it was removed after a while of connection to the sender; 0: otherwise
 *                                returns     1: it asks to be a member again; 0: it stays out
 */
import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import type { ErrorCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { HLC_ZERO, type Hlc } from '../../domain/hlc.js'
import type { NodeId } from '../../domain/ids.js'
import { RefusalLog } from '../refusal-log.js'
import { encodeMessage, invalidField, Message } from '../rpc/message.js'
import type { Transport } from '../transport.js'
import type { Departure } from './member-view.js'

const ASK_MS_MAX = 2_000
/** A removal learned within this time after a node connected may be the one that it is returning from, ms. */
const SETTLED_MS = 10_000
/** The record of a removal comes by gossip within milliseconds of the refusal, ms; less than ASK_MS_MAX. */
const RECORD_MS_MAX = 1_500
/** All peers are checked this often: a node that crashed and returned unnoticed causes no new connection event. */
const CHECK_MS = 5_000
const METHOD = 'member.refused'
const STAMP_BYTES = 8

export interface MemberRefusalComponents {
  readonly transport: Pick<Transport, 'self' | 'onPeer' | 'request' | 'handle' | 'hangUp' | 'peers'>
  readonly clock: Clock
  readonly log: Logger
  /** @returns undefined for a member, and for a node that never was one */
  readonly departureOf: (node: NodeId) => Departure | undefined
  /** Makes a node a member again. */
  readonly readmit: (node: NodeId) => Promise<void>
  /** The node's hybrid clock. */
  readonly now: () => Hlc
  /** Whether this node is leaving on its own: then it does not ask to return. */
  readonly isLeaving: () => boolean
  /** Called when a peer has told this node that it is no longer a member. */
  readonly onRefused: (peer: NodeId) => void
}

/**
 * Refuses nodes that are no longer members. A node that was removed while it was away can return: when it connects it is
 * told, and may ask to be readmitted. One that was removed while it was connected stays out until it is restarted; that it
 * was, its own directory has to say: the word of one peer puts nobody out.
 */
export class MemberRefusal implements Startable {
  readonly #components: MemberRefusalComponents
  readonly #refusals: RefusalLog
  readonly #abort = new AbortController()
  readonly #inFlight = new Set<Promise<void>>()
  #unsubscribe: (() => void) | undefined
  readonly #connectedAt = new Map<NodeId, number>()
  /** Refusals that wait for the record of this node's removal. */
  readonly #doubted = new Set<() => void>()
  #startedAt: Hlc = HLC_ZERO
  #isRemoved = false
  #cancelCheck = (): void => {}

  constructor(components: MemberRefusalComponents) {
    this.#components = components
    this.#refusals = new RefusalLog(components)
    components.transport.handle(METHOD, async (peer, body) => this.#answerRefusal(peer, body))
  }

  /** Whether this node was removed while it was connected: then it dials nobody. */
  get isRemoved(): boolean {
    return this.#isRemoved
  }

  /** Refusals so far, by code. */
  get refusals(): ReadonlyMap<ErrorCode, number> {
    return this.#refusals.counts
  }

  async start(): Promise<void> {
    const { transport, clock, now } = this.#components
    this.#startedAt = now()
    const connected = (peer: NodeId): void => {
      this.#connectedAt.set(peer, clock.monotonic())
      this.#run(this.#refuseIfDeparted(peer, false))
    }
    this.#unsubscribe ??= transport.onPeer((peer, state) => {
      if (state === 'up') connected(peer)
      else this.#connectedAt.delete(peer)
    })
    for (const peer of transport.peers()) connected(peer)
    const check = (): void => {
      for (const peer of transport.peers()) this.#run(this.#refuseIfDeparted(peer, false))
      this.#cancelCheck = clock.schedule(CHECK_MS, check)
    }
    this.#cancelCheck = clock.schedule(CHECK_MS, check)
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#cancelCheck()
    this.#abort.abort(new Error('the node is stopping'))
    this.#settleDoubts()
    await Promise.all(this.#inFlight)
  }

  /** To be called when a member, or this node, has left or was removed. */
  noteDeparture(node: NodeId): void {
    const { transport, clock } = this.#components
    if (node === transport.self) this.#settleDoubts()
    if (!transport.peers().includes(node)) return
    const connectedMs = clock.monotonic() - (this.#connectedAt.get(node) ?? 0)
    this.#run(this.#refuseIfDeparted(node, connectedMs >= SETTLED_MS))
  }

  /** @param whileConnected - whether the peer was removed while it had been connected for a while */
  async #refuseIfDeparted(peer: NodeId, whileConnected: boolean): Promise<void> {
    const { transport, clock, log, departureOf, readmit } = this.#components
    try {
      const departure = departureOf(peer)
      if (departure === undefined) return
      const { how, at } = departure
      const stamp = Buffer.alloc(STAMP_BYTES)
      stamp.writeBigUInt64BE(at)
      const body = encodeMessage({ how, at: stamp, now: Number(whileConnected) })
      const answer = await withDeadline(clock, ASK_MS_MAX, this.#abort.signal, signal =>
        transport.request(peer, METHOD, body, signal)
      )
      if (Message.decode(answer).uint('returns', 1) === 1) {
        log.info({ peer, how }, 'a departed node asks to be a member again; readmitting it')
        await readmit(peer)
        return
      }
      const reason =
        how === 'left' ? 'it has left the cluster' : 'it was removed from the cluster; restart it to rejoin'
      this.#refusals.refused({ peer, reason, code: 'ERR_MEMBER_REMOVED' })
    } catch (err) {
      if (this.#abort.signal.aborted) return
      log.debug({ err, peer }, 'could not tell a peer that it is no longer a member')
    }
    await transport.hangUp(peer)
  }

  async #answerRefusal(peer: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const { log } = this.#components
    const message = Message.decode(body)
    const at = message.bytes('at', STAMP_BYTES)
    if (at.length !== STAMP_BYTES) throw invalidField('at')
    const isAfterStart = Buffer.from(at).readBigUInt64BE() > this.#startedAt
    const how = message.text('how', 16)
    const whileConnected = message.uint('now', 1) === 1 && isAfterStart && (await this.#isOnRecord())
    if (whileConnected && !this.#isRemoved && !this.#components.isLeaving()) {
      this.#isRemoved = true
      const fields = { code: 'ERR_MEMBER_REMOVED', peer }
      log.error(fields, 'this node was removed from the cluster; restart it to rejoin')
    }
    const returns = !this.#isRemoved && !this.#components.isLeaving()
    if (returns)
      log.warn({ code: 'ERR_MEMBER_REMOVED', peer, how }, 'this node is no longer a member; asking to be readmitted')
    this.#components.onRefused(peer)
    return encodeMessage({ returns: Number(returns) })
  }

  /** @returns whether this node's directory says, at once or soon, that it was removed since it started */
  async #isOnRecord(): Promise<boolean> {
    const { clock, transport, departureOf } = this.#components
    const isHere = (): boolean => (departureOf(transport.self)?.at ?? HLC_ZERO) > this.#startedAt
    if (isHere()) return true
    await new Promise<void>(resolve => {
      const settle = (): void => {
        cancel()
        this.#doubted.delete(settle)
        resolve()
      }
      const cancel = clock.schedule(RECORD_MS_MAX, settle)
      this.#doubted.add(settle)
    })
    return isHere()
  }

  #settleDoubts(): void {
    for (const settle of this.#doubted) settle()
  }

  #run(task: Promise<void>): void {
    const done = task.catch(() => {}).finally(() => this.#inFlight.delete(done))
    this.#inFlight.add(done)
  }
}
