import { SheafError } from '../../src/core/errors.js'
import type { NodeId } from '../../src/domain/ids.js'
import { type NodeVersion, obstacleBetween } from '../../src/network/node-version.js'
import type { ToldPast } from '../../src/network/told-past.js'
import {
  type FetchHandler,
  PUBLISH_BYTES_MAX,
  REQUEST_BYTES_MAX,
  type RequestHandler,
  type Transport
} from '../../src/network/transport.js'
import { type Endpoint, SimulatedConnection } from './simulated-connection.js'
import type { SimulatedLinks } from './simulated-links.js'

const DIAL_MS_MAX = 2_000

/** Who listens where. */
export interface Hosts {
  /** @returns the node that the address (without a peer id) belongs to, whether or not it runs */
  owner(address: string): NodeId | undefined
  /** @returns the transport that listens at the address now */
  at(address: string): SimulatedTransport | undefined
  join(transport: SimulatedTransport): void
  leave(transport: SimulatedTransport): void
}

export interface SimulatedTransportInit {
  readonly self: NodeId
  /** Without a peer id. */
  readonly address: string
  /** Nodes with different ones refuse each other. */
  readonly clusterKey: string
  readonly version: NodeVersion
  /** Told of errors that handlers should not throw: anything but a SheafError. */
  readonly onDefect: (err: unknown) => void
}

type Connection = SimulatedConnection<SimulatedTransport>
type PeerListener = (peer: NodeId, state: 'up' | 'down') => void
type TopicHandler = (from: NodeId, body: Uint8Array) => void

interface Message {
  readonly topic: string
  readonly from: NodeId
  readonly body: Uint8Array
}

/** One process's transport on a simulated network. */
export class SimulatedTransport implements Transport, Endpoint {
  readonly self: NodeId
  readonly address: string
  readonly clusterKey: string
  version: NodeVersion
  readonly #links: SimulatedLinks
  readonly #hosts: Hosts
  readonly #onDefect: (err: unknown) => void
  readonly #requests = new Map<string, RequestHandler>()
  readonly #fetches = new Map<string, FetchHandler>()
  readonly #topics = new Map<string, TopicHandler>()
  readonly #peerListeners = new Set<PeerListener>()
  readonly #pastListeners = new Set<(past: ToldPast) => void>()
  readonly #discoveryListeners = new Set<(addresses: readonly string[]) => void>()
  /** By peer, oldest first; both sides may have dialled at once. */
  readonly #connections = new Map<NodeId, Connection[]>()
  readonly #seen = new WeakSet<Message>()
  #state: 'new' | 'up' | 'stopped' | 'dead' = 'new'

  constructor(components: { readonly links: SimulatedLinks; readonly hosts: Hosts }, init: SimulatedTransportInit) {
    this.#links = components.links
    this.#hosts = components.hosts
    this.self = init.self
    this.address = init.address
    this.clusterKey = init.clusterKey
    this.version = init.version
    this.#onDefect = init.onDefect
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return
    this.#state = 'up'
    this.#hosts.join(this)
  }

  async stop(): Promise<void> {
    if (this.#state === 'up') this.#end('stopped', false)
  }

  /** The process is gone: what it still asks is never answered, and it hears nothing more. */
  die(how: 'kill' | 'crash'): void {
    this.#end('dead', how === 'crash')
  }

  versionOf(peer: NodeId): NodeVersion | undefined {
    return this.#newest(peer)?.other(this).version
  }

  requireFormat(format: number): void {
    this.version = { ...this.version, clusterFormat: format }
    for (const peer of this.peers()) this.#recheck(peer)
  }

  /** The format may have risen at either side while the two connected. */
  #recheck(peer: NodeId): void {
    const version = this.versionOf(peer)
    if (version !== undefined && obstacleBetween(this.version, version) !== undefined) void this.hangUp(peer)
  }

  tellPast(past: ToldPast): void {
    this.version = { ...this.version, past }
    for (const peer of this.peers()) this.#recheck(peer)
  }

  onPast(listener: (past: ToldPast) => void): void {
    this.#pastListeners.add(listener)
  }

  addresses(): readonly string[] {
    return [`${this.address}/p2p/${this.self}`]
  }

  dial(address: string, signal: AbortSignal): Promise<NodeId | undefined> {
    return this.#living(async () => {
      const [place = '', expected] = address.split('/p2p/')
      if (place === this.address) return undefined
      const known = [...this.#connections.values()].flat().find(open => open.other(this).address === place)
      if (known !== undefined) return known.other(this).self
      const peer = await this.#knock(place, signal)
      if (this.#state === 'dead') return new Promise(() => {})
      if (peer === undefined || peer.#state !== 'up' || this.#state !== 'up' || (expected ?? peer.self) !== peer.self)
        throw new SheafError('ERR_PEER_UNREACHABLE', `${address} does not answer`)
      if (peer.clusterKey !== this.clusterKey) throw new SheafError('ERR_PEER_REFUSED')
      const [own, other] = [this.version, peer.version]
      this.#hearOf(other)
      peer.#hearOf(own)
      const obstacle = obstacleBetween(own, other)
      if (obstacle !== undefined) throw new SheafError('ERR_PEER_REFUSED', obstacle)
      const connection = new SimulatedConnection<SimulatedTransport>(this.#links, [this, peer])
      this.#opened(connection)
      peer.#opened(connection)
      return peer.self
    })
  }

  async hangUp(peer: NodeId): Promise<void> {
    for (const connection of [...(this.#connections.get(peer) ?? [])]) connection.close(this)
  }

  peers(): readonly NodeId[] {
    return [...this.#connections.keys()]
  }

  onPeer(listener: PeerListener): () => void {
    this.#peerListeners.add(listener)
    return () => this.#peerListeners.delete(listener)
  }

  onDiscovered(listener: (addresses: readonly string[]) => void): () => void {
    this.#discoveryListeners.add(listener)
    return () => this.#discoveryListeners.delete(listener)
  }

  request(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return this.#living(async () => {
      const question = Uint8Array.from(bounded(body, REQUEST_BYTES_MAX))
      this.#links.count(`request ${method}`, question.byteLength)
      return this.#ask(this.#require(peer), signal, async (server, serverSignal) => {
        const answer = Uint8Array.from(
          bounded(await server.#serve(this.self, method, question, serverSignal), REQUEST_BYTES_MAX)
        )
        this.#links.count(`answer ${method}`, answer.byteLength)
        const leaving = this.#links.upload(server.self, answer.byteLength)
        if (leaving !== undefined) await leaving
        return answer
      })
    })
  }

  notify(peer: NodeId, method: string, body: Uint8Array): void {
    const connection = this.#newest(peer)
    if (connection === undefined) return
    const message = Uint8Array.from(bounded(body, REQUEST_BYTES_MAX))
    this.#links.count(`notify ${method}`, message.byteLength)
    const { notifyLoss, notifyTwice } = this.#links.quality
    this.#links.toss(this.self, peer, notifyLoss, notifyTwice, () => {
      const server = connection.other(this)
      if (!connection.isOpen(server)) return
      server.#serve(this.self, method, message, connection.signal(server)).catch(err => {
        if (!(err instanceof SheafError) && server.#state === 'up') this.#onDefect(err) // else: a hint has no answer
      })
    })
  }

  async *fetch(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const question = Uint8Array.from(bounded(body, REQUEST_BYTES_MAX))
    const connection = await this.#living(async () => this.#require(peer))
    const server = connection.other(this)
    this.#links.count(`fetch ${method}`, question.byteLength)
    const left = new AbortController()
    const serverSignal = AbortSignal.any([connection.signal(server), left.signal])
    let pieces: AsyncIterator<Uint8Array> | undefined
    serverSignal.addEventListener('abort', () => void pieces?.return?.().catch(() => {}), { once: true })
    try {
      for (;;) {
        const piece = await this.#ask(connection, signal, async () => {
          const handler = handlerOf(server.#fetches, method)
          pieces ??= handler(this.self, question, serverSignal)[Symbol.asyncIterator]()
          const { done, value } = await pieces.next()
          if (done === true) return undefined
          const leaving = this.#links.upload(server.self, value.byteLength)
          if (leaving !== undefined) await leaving
          return Uint8Array.from(value)
        })
        if (piece === undefined) return
        this.#links.count(`piece ${method}`, piece.byteLength)
        yield piece
      }
    } finally {
      connection.send(this, () => left.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the reader left')))
    }
  }

  publish(topic: string, body: Uint8Array): void {
    if (this.#state !== 'up') return
    const message = { topic, from: this.self, body: Uint8Array.from(bounded(body, PUBLISH_BYTES_MAX)) }
    this.#seen.add(message)
    this.#spread(message)
  }

  handle(method: string, handler: RequestHandler): void {
    this.#requests.set(method, handler)
  }

  handleFetch(method: string, handler: FetchHandler): void {
    this.#fetches.set(method, handler)
  }

  subscribe(topic: string, handler: TopicHandler): void {
    this.#topics.set(topic, handler)
  }

  /** A connection of this side has closed. */
  closed(connection: Connection): void {
    const peer = connection.other(this).self
    const left = (this.#connections.get(peer) ?? []).filter(other => other !== connection)
    this.#connections.set(peer, left)
    if (left.length > 0) return
    this.#connections.delete(peer)
    this.#tell(peer, 'down')
  }

  /** Somebody on the local network has said where it listens. */
  discovered(addresses: readonly string[]): void {
    if (this.#state === 'up') for (const listener of this.#discoveryListeners) listener(addresses)
  }

  // --- what other transports call ---

  #opened(connection: Connection): void {
    const peer = connection.other(this).self
    const before = this.#connections.get(peer) ?? []
    this.#connections.set(peer, [...before, connection])
    if (before.length === 0) this.#tell(peer, 'up')
  }

  async #serve(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return await handlerOf(this.#requests, method)(peer, body, signal)
  }

  #hear(message: Message): void {
    if (this.#state !== 'up' || this.#seen.has(message)) return
    this.#seen.add(message)
    const handler = this.#topics.get(message.topic)
    if (handler === undefined) return // only who wants a topic passes it on
    this.#spread(message)
    handler(message.from, Uint8Array.from(message.body))
  }

  #hearOf({ past }: NodeVersion): void {
    if (past !== undefined) for (const listener of this.#pastListeners) listener(past)
  }

  // --- inside ---

  /** A dead process gets no answer, not even an error. */
  #living<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#state === 'dead') return new Promise(() => {})
    if (this.#state !== 'up')
      return Promise.reject(new SheafError('ERR_PEER_UNREACHABLE', 'the transport is not running'))
    return task()
  }

  #end(state: 'stopped' | 'dead', quietly: boolean): void {
    this.#state = state
    this.#hosts.leave(this)
    for (const connection of [...this.#connections.values()].flat()) connection.close(this, quietly)
  }

  /** Goes to an address and back. @returns who listens there, if anybody */
  #knock(address: string, signal: AbortSignal): Promise<SimulatedTransport | undefined> {
    return new Promise((resolve, reject) => {
      const host = this.#hosts.owner(address)
      const settle = (result: SimulatedTransport | undefined): void => {
        over = true
        giveUp()
        signal.removeEventListener('abort', abort)
        resolve(result)
      }
      const abort = (): void => {
        over = true
        giveUp()
        reject(signal.reason)
      }
      let over = false
      const giveUp = this.#links.clock.schedule(DIAL_MS_MAX, () => settle(undefined))
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      if (host === undefined) return
      const gone = (): boolean => over || this.#state !== 'up'
      this.#links.carry(this.self, host, gone, () => {
        this.#links.carry(host, this.self, gone, () => settle(this.#hosts.at(address)))
      })
    })
  }

  /** Has `serve` run at the other side, and takes its result or error back. */
  #ask<Result>(
    connection: Connection,
    signal: AbortSignal,
    serve: (server: SimulatedTransport, signal: AbortSignal) => Promise<Result>
  ): Promise<Result> {
    const server = connection.other(this)
    return new Promise((resolve, reject) => {
      const closed = connection.signal(this)
      const cancelled = new AbortController()
      const settle = (finish: () => void): void => {
        signal.removeEventListener('abort', abort)
        closed.removeEventListener('abort', end)
        if (this.#state !== 'dead') finish()
      }
      const abort = (): void => {
        settle(() => reject(signal.reason))
        connection.send(this, () => cancelled.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the asker gave up')))
      }
      const end = (): void => settle(() => reject(new SheafError('ERR_PEER_UNREACHABLE')))
      if (signal.aborted) return reject(signal.reason)
      if (closed.aborted) return end()
      signal.addEventListener('abort', abort, { once: true })
      closed.addEventListener('abort', end, { once: true })
      connection.send(this, () => {
        const serverSignal = AbortSignal.any([connection.signal(server), cancelled.signal])
        serve(server, serverSignal).then(
          result => connection.send(server, () => settle(() => resolve(result))),
          err => {
            if (!(err instanceof SheafError) && server.#state === 'up') this.#onDefect(err)
            connection.send(server, () => settle(() => reject(asSent(err))))
          }
        )
      })
    })
  }

  #spread(message: Message): void {
    const { publishLoss, publishTwice } = this.#links.quality
    for (const peer of this.#connections.keys()) {
      if (peer === message.from) continue
      const connection = this.#newest(peer)
      const other = connection?.other(this)
      if (connection === undefined || other === undefined) continue
      this.#links.count(`publish ${message.topic}`, message.body.byteLength)
      this.#links.toss(
        this.self,
        peer,
        publishLoss,
        publishTwice,
        () => connection.isOpen(other) && other.#hear(message)
      )
    }
  }

  #tell(peer: NodeId, state: 'up' | 'down'): void {
    if (this.#state === 'up') for (const listener of this.#peerListeners) listener(peer, state)
  }

  #newest(peer: NodeId): Connection | undefined {
    return this.#connections.get(peer)?.at(-1)
  }

  #require(peer: NodeId): Connection {
    const connection = this.#newest(peer)
    if (connection === undefined) throw new SheafError('ERR_PEER_UNREACHABLE')
    return connection
  }
}

function handlerOf<Handler>(handlers: ReadonlyMap<string, Handler>, method: string): Handler {
  const handler = handlers.get(method)
  if (handler === undefined) throw new SheafError('ERR_PEER_PROTOCOL', `there is no method ${method}`)
  return handler
}

function bounded(body: Uint8Array, byteCountMax: number): Uint8Array {
  if (body.byteLength > byteCountMax)
    throw new SheafError('ERR_PEER_PROTOCOL', `a message of ${body.byteLength} bytes is too large`)
  return body
}

/** What of an error gets to the asker. */
function asSent(err: unknown): SheafError {
  return err instanceof SheafError ? new SheafError(err.code, err.message) : new SheafError('ERR_INTERNAL')
}
