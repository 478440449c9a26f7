import type { Connection, Stream } from '@libp2p/interface'
import { abortable } from '../../core/abortable.js'
import { ConcurrencyLimit } from '../../core/concurrency-limit.js'
import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { NodeId } from '../../domain/ids.js'
import { fetchOver } from '../rpc/fetch-stream.js'
import { RpcCaller } from '../rpc/rpc-caller.js'
import type { NotifyOptions } from '../transport.js'
import { WIRE_VERSION } from '../wire-version.js'
import { Libp2pChannel } from './libp2p-channel.js'

export const RPC_PROTOCOL = `/sheaf/rpc/${WIRE_VERSION}`
export const FETCH_PROTOCOL = `/sheaf/fetch/${WIRE_VERSION}`

const FETCHES_MAX = 64
/** Leaves room for streams that only one side has ended yet. */
export const FETCH_STREAMS_MAX = 4 * FETCHES_MAX
const FETCHES_WAITING_MAX = 1024
const NOTIFICATIONS_WAITING_MAX = 256

/** One long-lived RPC stream to a peer, opened on first use and again when it has ended. */
interface Lane {
  caller?: RpcCaller
  opening?: Promise<RpcCaller> | undefined
  /** Notifications that wait for the stream to open. */
  notificationsWaiting: number
}

/**
 * Sends requests to one connected peer: over one long-lived stream for all requests (a stream for each would cost 4 ms and
 * allow 400 a second), over a second one for what is urgent, and over one stream for each bulk read. A stream is read in
 * order and only as fast as its messages are handled: what is urgent would else wait for a disk at the other end.
 */
export class PeerLink {
  readonly #peer: NodeId
  readonly #connections: () => readonly Connection[]
  readonly #log: Logger
  readonly #fetches = new ConcurrencyLimit({ countMax: FETCHES_MAX, bytesMax: 0, waitingMax: FETCHES_WAITING_MAX })
  readonly #usual: Lane = { notificationsWaiting: 0 }
  readonly #urgent: Lane = { notificationsWaiting: 0 }

  constructor(
    components: { readonly connections: () => readonly Connection[]; readonly log: Logger },
    init: { readonly peer: NodeId }
  ) {
    this.#connections = components.connections
    this.#log = components.log
    this.#peer = init.peer
  }

  async request(method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const caller = callerOf(this.#usual) ?? (await abortable(this.#open(this.#usual), signal))
    return await caller.request(method, body, signal)
  }

  notify(method: string, body: Uint8Array, { urgent = false }: NotifyOptions = {}): void {
    const lane = urgent ? this.#urgent : this.#usual
    const caller = callerOf(lane)
    if (caller !== undefined) {
      caller.notify(method, body)
      return
    }
    if (lane.notificationsWaiting >= NOTIFICATIONS_WAITING_MAX) return
    lane.notificationsWaiting++
    this.#open(lane)
      .then(opened => void opened.notify(method, body))
      .catch((err: unknown) => this.#log.debug({ err, peer: this.#peer, method }, 'a notification was lost'))
      .finally(() => lane.notificationsWaiting--)
  }

  async *fetch(method: string, body: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const leave = await this.#fetches.enter(0, signal)
    try {
      const opening = this.#newStream(FETCH_PROTOCOL)
      try {
        await abortable(opening, signal)
      } catch (err) {
        opening.then(
          stream => stream.abort(new Error('the reader gave up')),
          () => {} // the error that was caught here
        )
        throw err
      }
      yield* fetchOver(new Libp2pChannel(await opening), method, body, signal)
    } finally {
      leave()
    }
  }

  /** Ends pending requests. */
  end(): void {
    for (const lane of [this.#usual, this.#urgent]) lane.caller?.end()
  }

  #open(lane: Lane): Promise<RpcCaller> {
    lane.opening ??= this.#openCaller(lane).finally(() => {
      lane.opening = undefined
    })
    return lane.opening
  }

  async #openCaller(lane: Lane): Promise<RpcCaller> {
    const caller = new RpcCaller(new Libp2pChannel(await this.#newStream(RPC_PROTOCOL)))
    lane.caller = caller
    void caller.run().then(fault => {
      if (fault === undefined) return
      const fields = { code: fault.code, reason: fault.message, peer: this.#peer }
      this.#log.warn(fields, 'a malformed frame of a peer ended a stream')
    })
    return caller
  }

  /** On the oldest connection: when two nodes dialed each other at once, the second one may soon be closed. */
  async #newStream(protocol: string): Promise<Stream> {
    const [connection] = this.#connections()
      .filter(({ status }) => status === 'open')
      .sort((a, b) => a.timeline.open - b.timeline.open)
    if (connection === undefined) throw new SheafError('ERR_PEER_UNREACHABLE', 'the node is not connected')
    try {
      return await connection.newStream(protocol, { maxOutboundStreams: FETCH_STREAMS_MAX })
    } catch (cause) {
      throw new SheafError('ERR_PEER_UNREACHABLE', 'cannot open a stream to the node; try again', { cause })
    }
  }
}

/** @returns undefined until the lane's stream is open, and when it has ended */
function callerOf({ caller }: Lane): RpcCaller | undefined {
  return caller?.ended === false ? caller : undefined
}
