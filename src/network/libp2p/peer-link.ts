import type { Connection, Stream } from '@libp2p/interface'
import { abortable } from '../../core/abortable.js'
import { ConcurrencyLimit } from '../../core/concurrency-limit.js'
import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { NodeId } from '../../domain/ids.js'
import { fetchOver } from '../rpc/fetch-stream.js'
import { RpcCaller } from '../rpc/rpc-caller.js'
import { WIRE_VERSION } from '../wire-version.js'
import { Libp2pChannel } from './libp2p-channel.js'

export const RPC_PROTOCOL = `/sheaf/rpc/${WIRE_VERSION}`
export const FETCH_PROTOCOL = `/sheaf/fetch/${WIRE_VERSION}`

const FETCHES_MAX = 64
/** Leaves room for streams that only one side has ended yet. */
export const FETCH_STREAMS_MAX = 4 * FETCHES_MAX
const FETCHES_WAITING_MAX = 1024
const NOTIFICATIONS_WAITING_MAX = 256

/**
 * Sends requests to one connected peer: over one long-lived stream for all requests (a stream for each would cost 4 ms and
 * allow 400 a second), opened on first use and again when it has ended, and over one stream for each bulk read.
 */
export class PeerLink {
  readonly #peer: NodeId
  readonly #connections: () => readonly Connection[]
  readonly #log: Logger
  readonly #fetches = new ConcurrencyLimit({ countMax: FETCHES_MAX, bytesMax: 0, waitingMax: FETCHES_WAITING_MAX })
  #caller: RpcCaller | undefined
  #opening: Promise<RpcCaller> | undefined
  /** Notifications that wait for the stream to open. */
  #notificationsWaiting = 0

  constructor(
    components: { readonly connections: () => readonly Connection[]; readonly log: Logger },
    init: { readonly peer: NodeId }
  ) {
    this.#connections = components.connections
    this.#log = components.log
    this.#peer = init.peer
  }

  async request(method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const caller = this.#ready() ?? (await abortable(this.#open(), signal))
    return await caller.request(method, body, signal)
  }

  notify(method: string, body: Uint8Array): void {
    const caller = this.#ready()
    if (caller !== undefined) {
      caller.notify(method, body)
      return
    }
    if (this.#notificationsWaiting >= NOTIFICATIONS_WAITING_MAX) return
    this.#notificationsWaiting++
    this.#open()
      .then(opened => void opened.notify(method, body))
      .catch((err: unknown) => this.#log.debug({ err, peer: this.#peer, method }, 'a notification was lost'))
      .finally(() => this.#notificationsWaiting--)
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
    this.#caller?.end()
  }

  #ready(): RpcCaller | undefined {
    return this.#caller?.ended === false ? this.#caller : undefined
  }

  #open(): Promise<RpcCaller> {
    this.#opening ??= this.#openCaller().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #openCaller(): Promise<RpcCaller> {
    const caller = new RpcCaller(new Libp2pChannel(await this.#newStream(RPC_PROTOCOL)))
    this.#caller = caller
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
