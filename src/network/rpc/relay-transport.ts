/*
 * One node passes messages on between two others that cannot connect to each other. Bodies are CBOR maps (see message.ts).
 *
 *   relay.pass  request, notify  {to, method, body, answer} → the answer     to the node in the middle
 *                                  to      text: a member that is connected to it
 *                                  method  text: one whose handler says that it may be passed on; none of relay.* does
 *                                  body    of that method, at most RELAYED_BYTES_MAX
 *                                  answer  1: the answer is wanted; 0: it is a hint
 *   relay.take  request, notify  {from, method, body} → the answer           from the node in the middle
 *                                  from    text: the member that asks
 */
import type { Clock } from '../../core/clock.js'
import { ConcurrencyLimit } from '../../core/concurrency-limit.js'
import { withDeadline } from '../../core/deadline.js'
import { SheafError } from '../../core/errors.js'
import { RateLimiter } from '../../core/rate-limiter.js'
import type { NodeId } from '../../domain/ids.js'
import { ForwardingTransport } from '../forwarding-transport.js'
import type { HandleOptions, NotifyOptions, RequestHandler, Transport } from '../transport.js'
import { encodeMessage, Message } from './message.js'

const MIB = 2 ** 20
export const RELAYED_BYTES_MAX = MIB
/** Passed on at the same time, for all peers together. An answer has 4 MiB at most, as any. */
const PASSING = { countMax: 32, bytesMax: 16 * MIB, waitingMax: 256 } as const
/** Messages of one peer, hints included. */
const PASSED = { perSecond: 500, burst: 1_000 } as const
/** For the answer of the other node; the asker has a deadline of its own. */
const PASS_MS_MAX = 60_000
const NODE_ID_CHARACTERS_MAX = 128
const METHOD_CHARACTERS_MAX = 64
const NOTHING = new Uint8Array()

export interface RelayTransportComponents {
  readonly transport: Transport
  readonly clock: Clock
  /** @returns connected peers through which a node that is not connected can be reached, the best first */
  readonly waysTo: (node: NodeId) => readonly NodeId[]
  /** Messages are passed on between members only. */
  readonly isMember: (node: NodeId) => boolean
}

/**
 * A transport over which a few requests and hints reach members that are not connected, too: through a peer that is connected
 * to both. `peers()` are still the connected ones, and bulk answers come from these only.
 *
 * The node in the middle says who asks. It is a member and could read and write everything itself, so it is believed.
 */
export class RelayTransport extends ForwardingTransport {
  readonly #components: RelayTransportComponents
  /** Of the methods that are passed on: all nodes register the same. */
  readonly #relayed = new Map<string, RequestHandler>()
  readonly #passing = new ConcurrencyLimit(PASSING)
  /** By the connected peer whose messages are passed on. */
  readonly #rates = new Map<NodeId, RateLimiter>()

  constructor(components: RelayTransportComponents) {
    const { transport } = components
    super(transport)
    this.#components = components
    transport.handle('relay.pass', (peer, body, signal) => this.#pass(peer, body, signal))
    transport.handle('relay.take', (_peer, body, signal) => this.#take(body, signal))
    transport.onPeer(peer => void this.#rates.delete(peer))
  }

  override async request(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const way = this.#wayTo(peer, method, body)
    if (way === undefined) return await this.below.request(peer, method, body, signal)
    return await this.below.request(way, 'relay.pass', encodeMessage({ to: peer, method, body, answer: 1 }), signal)
  }

  override notify(peer: NodeId, method: string, body: Uint8Array, options?: NotifyOptions): void {
    const way = this.#wayTo(peer, method, body)
    if (way === undefined) this.below.notify(peer, method, body, options)
    else this.below.notify(way, 'relay.pass', encodeMessage({ to: peer, method, body, answer: 0 }), options)
  }

  override handle(method: string, handler: RequestHandler, options?: HandleOptions): void {
    if (options?.relayed === true) this.#relayed.set(method, handler)
    this.below.handle(method, handler)
  }

  /** @returns the peer to send it to instead; undefined: none, or the node is connected */
  #wayTo(peer: NodeId, method: string, body: Uint8Array): NodeId | undefined {
    const connected = this.below.peers()
    if (connected.includes(peer) || !this.#relayed.has(method) || body.byteLength > RELAYED_BYTES_MAX) return undefined
    return this.#components.waysTo(peer).find(way => connected.includes(way))
  }

  /** In the middle. */
  async #pass(from: NodeId, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const message = Message.decode(body)
    const to = message.text('to', NODE_ID_CHARACTERS_MAX) as NodeId
    const isAnswered = message.uint('answer', 1) === 1
    const { isMember } = this.#components
    const { method, body: inner } = this.#relayedIn(message)
    if (!isMember(from) || !isMember(to)) throw new SheafError('ERR_MEMBER_REMOVED', 'one of the two is no member')
    if (!this.below.peers().includes(to))
      throw new SheafError('ERR_PEER_UNREACHABLE', 'the node in the middle is not connected to the other one')
    if (!this.#rateOf(from).tryTake(1)) throw overloaded()
    const passed = encodeMessage({ from, method, body: inner })
    if (!isAnswered) {
      // heartbeats and acknowledgements, whose handlers wait for nothing
      this.below.notify(to, 'relay.take', passed, { urgent: true })
      return NOTHING
    }
    try {
      return await this.#ask(to, passed, signal)
    } catch (cause) {
      if (!signal.aborted) throw cause
      throw new SheafError('ERR_PEER_UNREACHABLE', 'the asking node no longer waits', { cause })
    }
  }

  async #ask(to: NodeId, passed: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const leave = await this.#passing.enter(passed.byteLength, signal)
    try {
      return await withDeadline(this.#components.clock, PASS_MS_MAX, signal, limit =>
        this.below.request(to, 'relay.take', passed, limit)
      )
    } finally {
      leave()
    }
  }

  /** At the far end. */
  async #take(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const message = Message.decode(body)
    const from = message.text('from', NODE_ID_CHARACTERS_MAX) as NodeId
    const { handler, body: inner } = this.#relayedIn(message)
    if (!this.#components.isMember(from)) throw new SheafError('ERR_MEMBER_REMOVED', 'the asking node is no member')
    return await handler(from, inner, signal)
  }

  /** @throws `ERR_PEER_PROTOCOL`, also for a method that is not passed on */
  #relayedIn(message: Message): {
    readonly method: string
    readonly handler: RequestHandler
    readonly body: Uint8Array
  } {
    const method = message.text('method', METHOD_CHARACTERS_MAX)
    const handler = this.#relayed.get(method)
    if (handler === undefined)
      throw new SheafError(
        'ERR_PEER_PROTOCOL',
        `${method} is not passed on between nodes; one may run an older version`
      )
    return { method, handler, body: message.bytes('body', RELAYED_BYTES_MAX) }
  }

  #rateOf(peer: NodeId): RateLimiter {
    const rate = this.#rates.get(peer) ?? new RateLimiter(this.#components.clock, PASSED)
    this.#rates.set(peer, rate)
    return rate
  }
}

function overloaded(): SheafError {
  return new SheafError('ERR_OVERLOADED', 'too many messages to pass on to other nodes; try again')
}
