/*
 *   member.refused   request   {how, at, now} → {returns}   the asked node is no longer a member
 *                                how         'left' or 'removed'
 *                                at          8 bytes, big-endian: the stamp of that
 *                                now         1: the asking node has known it as a member for a while; 0: it has just connected
 *                                returns     1: it wants to be a member again; 0: it stays out
 */
import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { HLC_ZERO, type Hlc } from '../../domain/hlc.js'
import type { NodeId } from '../../domain/ids.js'
import { RefusalLog } from '../refusal-log.js'
import { encodeMessage, Message, invalidField } from '../rpc/message.js'
import type { Transport } from '../transport.js'
import type { Departure } from './member-view.js'

const ASK_MS_MAX = 2_000
/** Who comes back meets some that have yet to hear that it is out: what they learn so soon is no news to it. */
const SETTLED_MS = 10_000
/** A node that died without a word and came back is no new peer to whom has not noticed: so all are looked at now and then. */
const CHECK_MS = 5_000
const METHOD = 'member.refused'
const STAMP_BYTES = 8

export interface MemberRefusalComponents {
  readonly transport: Pick<Transport, 'self' | 'onPeer' | 'request' | 'handle' | 'hangUp' | 'peers'>
  readonly clock: Clock
  readonly log: Logger
  /** @returns undefined for a member, and for who never was one */
  readonly departureOf: (node: NodeId) => Departure | undefined
  /** Makes a node that comes back a member again. */
  readonly readmit: (node: NodeId) => Promise<void>
  /** The node's hybrid clock. */
  readonly now: () => Hlc
  /** Whether this node is leaving by its own wish: then it does not ask to return. */
  readonly isLeaving: () => boolean
  /** Called when this node asks to be a member again. */
  readonly onReturn: () => void
}

/**
 * Keeps out who is no longer a member. A node that was removed while it was away comes back by connecting: it is asked
 * whether it wants to. One that was removed while it was there stays out until it is started again.
 */
export class MemberRefusal implements Startable {
  readonly #components: MemberRefusalComponents
  readonly #refusals: RefusalLog
  readonly #abort = new AbortController()
  readonly #inFlight = new Set<Promise<void>>()
  #unsubscribe: (() => void) | undefined
  readonly #connectedAt = new Map<NodeId, number>()
  #startedAt: Hlc = HLC_ZERO
  #isRemoved = false
  #cancelCheck = (): void => {}

  constructor(components: MemberRefusalComponents) {
    this.#components = components
    this.#refusals = new RefusalLog(components)
    components.transport.handle(METHOD, async (peer, body) => this.#answerRefusal(peer, body))
  }

  /** Whether this node was removed while it was there: then it dials nobody. */
  get isRemoved(): boolean {
    return this.#isRemoved
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
    await Promise.all(this.#inFlight)
  }

  /** A member has just been removed. */
  noteRemoval(node: NodeId): void {
    const { transport, clock } = this.#components
    if (!transport.peers().includes(node)) return
    const forMs = clock.monotonic() - (this.#connectedAt.get(node) ?? 0)
    this.#run(this.#refuseIfDeparted(node, forMs >= SETTLED_MS))
  }

  async #refuseIfDeparted(peer: NodeId, now: boolean): Promise<void> {
    const { transport, clock, log, departureOf, readmit } = this.#components
    try {
      const departure = departureOf(peer)
      if (departure === undefined) return
      const { how, at } = departure
      const stamp = Buffer.alloc(STAMP_BYTES)
      stamp.writeBigUInt64BE(at)
      const body = encodeMessage({ how, at: stamp, now: Number(now) })
      const answer = await withDeadline(clock, ASK_MS_MAX, this.#abort.signal, signal =>
        transport.request(peer, METHOD, body, signal)
      )
      if (Message.decode(answer).uint('returns', 1) === 1) {
        log.info({ peer, how }, 'a node that was no longer a member comes back')
        await readmit(peer)
        return
      }
      this.#refusals.refused(peer, `it has ${how === 'left' ? 'left' : 'been removed'}`, 'ERR_MEMBER_REMOVED')
    } catch (err) {
      if (this.#abort.signal.aborted) return
      log.debug({ err, peer }, 'could not tell a node that it is no longer a member')
    }
    await transport.hangUp(peer)
  }

  #answerRefusal(peer: NodeId, body: Uint8Array): Uint8Array {
    const { log } = this.#components
    const message = Message.decode(body)
    const at = message.bytes('at', STAMP_BYTES)
    if (at.length !== STAMP_BYTES) throw invalidField('at')
    const isSince = Buffer.from(at).readBigUInt64BE() > this.#startedAt
    const now = message.uint('now', 1) === 1 && isSince
    const how = message.text('how', 16)
    if (now && !this.#isRemoved && !this.#components.isLeaving()) {
      this.#isRemoved = true
      const fields = { code: 'ERR_MEMBER_REMOVED', peer }
      log.error(fields, 'this node was removed from the cluster; it stays out until it is started again')
    }
    const returns = !this.#isRemoved && !this.#components.isLeaving()
    if (returns)
      log.warn({ code: 'ERR_MEMBER_REMOVED', peer, how }, 'this node is no longer a member; it asks to return')
    if (returns) this.#components.onReturn()
    return encodeMessage({ returns: Number(returns) })
  }

  #run(task: Promise<void>): void {
    const done = task.catch(() => {}).finally(() => this.#inFlight.delete(done))
    this.#inFlight.add(done)
  }
}
