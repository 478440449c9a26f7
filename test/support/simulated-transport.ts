import { SheafError } from '../../src/core/errors.js'
import type { NodeId } from '../../src/domain/ids.js'
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
  /** @param address - without a peer id */
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
  readonly #links: SimulatedLinks
  readonly #hosts: Hosts
  readonly #requests = new Map<string, RequestHandler>()
  readonly #fetches = new Map<string, FetchHandler>()
  readonly #topics = new Map<string, TopicHandler>()
  readonly #peerListeners = new Set<PeerListener>()
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

  addresses(): readonly string[] {
    return [`${this.address}/p2p/${this.self}`]
  }

  dial(address: string, signal: AbortSignal): Promise<NodeId | undefined> {
    return this.#living(async () => {
      const [place = '', expected] = address.split('/p2p/')
      if (place === this.address) return undefined
      const known = this.peers().find(peer => peer === expected || this.#peerAddress(peer) === place)
      if (known !== undefined) return known
      const peer = await this.#knock(place, signal)
      if (peer === undefined || (expected !== undefined && peer.self !== expected))
        throw new SheafError('ERR_PEER_UNREACHABLE', `${address} does not answer`)
      if (peer.clusterKey !== this.clusterKey) throw new SheafError('ERR_PEER_REFUSED')
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
        const answer = Uint8Array.from(bounded(await server.#serve(this.self, method, question, serverSignal), REQUEST_BYTES_MAX))
        this.#links.count(`answer ${method}`, answer.byteLength)
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
      server.#serve(this.self, method, message, connection.signal(server)).catch(() => {}) // a hint has no answer
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
          pieces ??= server.#require(method, server.#fetches)(this.self, question, serverSignal)[Symbol.asyncIterator]()
          const { done, value } = await pieces.next()
          return done === true ? undefined : Uint8Array.from(value)
        })
        if (piece === undefined) return
        this.#links.count(`piece ${method}`, piece.byteLength)
        yield piece
      }
    } finally {
      connection.send(this, () => left.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the reader left')))
    }
  }
