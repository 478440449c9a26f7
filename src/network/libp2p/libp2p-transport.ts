import { lookup } from 'node:dns/promises'
import { setMaxListeners } from 'node:events'
import { createServer, isIP } from 'node:net'
import type { Connection, Ed25519PrivateKey, MultiaddrConnection, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../core/clock.js'
import { type ErrorCode, SheafError } from '../../core/errors.js'
import { invariant } from '../../core/invariant.js'
import type { Logger } from '../../core/log.js'
import { LoopWatch } from '../../core/loop-watch.js'
import type { Random } from '../../core/random.js'
import type { NodeId } from '../../domain/ids.js'
import { AdvertisedAddresses, type AdvertisedAddressesInit, multiaddrOf } from '../addresses/advertised-addresses.js'
import { defaultRoutes, interfaceAddresses, routeTo } from '../addresses/local-addresses.js'
import { type NodeVersion, obstacleBetween } from '../node-version.js'
import { RefusalLog } from '../refusal-log.js'
import { serveFetch } from '../rpc/fetch-stream.js'
import { RpcResponder } from '../rpc/rpc-responder.js'
import type { ToldPast } from '../told-past.js'
import {
  type FetchHandler,
  type NotifyOptions,
  REQUEST_BYTES_MAX,
  type RequestHandler,
  type Transport
} from '../transport.js'
import { type ClusterSecrets, deriveSecrets } from './admission.js'
import { isSelfDial } from './admitting-encrypter.js'
import { Gossip, type TopicHandler } from './gossip.js'
import { Libp2pChannel } from './libp2p-channel.js'
import { createLibp2pNode, type Libp2pNode, listenError } from './libp2p-node.js'
import { FETCH_PROTOCOL, FETCH_STREAMS_MAX, PeerLink, RPC_PROTOCOL } from './peer-link.js'
import { PendingConnections } from './pending-connections.js'
import { refusalIn } from './refusal.js'
import { SilenceWatch, STALL_MS } from './silence-watch.js'

/** For closing a connection gracefully, ms; then it is aborted. */
const HANG_UP_MS = 1_000
/** How often this machine's default routes are looked up, ms; its addresses are at every heartbeat. */
const ADDRESSES_MS = 3_000
/** Two for each connection, and some that have ended on one side only. */
const RPC_STREAMS_MAX = 8
/** Peers whose versions are remembered, connected or not. */
const VERSIONS_MAX = 4_096

export interface Libp2pTransportComponents {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export interface Libp2pTransportInit {
  readonly privateKey: Ed25519PrivateKey
  /** Address and port; port 0 picks one. */
  readonly listen: { readonly host: string; readonly port: number }
  /** The addresses to advertise; undefined: found automatically. */
  readonly advertise?: AdvertisedAddressesInit['advertise']
  /** Whether to look for peers on the local network, and to be found there. */
  readonly mdns: boolean
  readonly clusterName: string
  /** Newest first, at most two; the second is an older one that is still accepted. None: the cluster name suffices. */
  readonly clusterKeys: readonly Uint8Array[]
  /** Told to every peer; one that cannot be in one cluster with it is refused. */
  readonly version: NodeVersion
}

type PeerListener = (peer: NodeId, state: 'up' | 'down') => void

/** The transport over libp2p: TCP, Noise with admission, yamux; gossipsub for published messages. */
export class Libp2pTransport implements Transport {
  readonly self: NodeId
  readonly #clock: Clock
  readonly #random: Random
  readonly #log: Logger
  readonly #init: Libp2pTransportInit
  readonly #refusals: RefusalLog
  readonly #silenceWatch: SilenceWatch
  readonly #pending: PendingConnections
  readonly #requestHandlers = new Map<string, RequestHandler>()
  readonly #fetchHandlers = new Map<string, FetchHandler>()
  readonly #topicHandlers = new Map<string, TopicHandler>()
  readonly #peerListeners = new Set<PeerListener>()
  readonly #discoveryListeners = new Set<(addresses: readonly string[]) => void>()
  /** One for each connected peer. */
  readonly #links = new Map<NodeId, PeerLink>()
  /** What peers told of their versions when they last connected, the latest last. */
  readonly #versions = new Map<NodeId, NodeVersion>()
  readonly #pastListeners = new Set<(past: ToldPast) => void>()
  /** Streams of peers that are being served. */
  readonly #answering = new Set<Promise<void>>()
  #version: NodeVersion
  #node: Libp2pNode | undefined
  #gossip: Gossip | undefined
  #advertised: AdvertisedAddresses | undefined
  #cancelRefresh = (): void => {}

  constructor(components: Libp2pTransportComponents, init: Libp2pTransportInit) {
    this.#clock = components.clock
    this.#random = components.random
    this.#log = components.log
    this.#init = init
    this.#version = init.version
    this.#refusals = new RefusalLog(components)
    const loop = new LoopWatch(components, { lateMs: STALL_MS })
    this.#silenceWatch = new SilenceWatch({ loop })
    this.#pending = new PendingConnections({ loop })
    this.self = nodeIdOf(peerIdFromPrivateKey(init.privateKey))
  }

  /** @throws `ERR_ADDRESS_IN_USE`; `ERR_CONFIG` when the address is not this machine's or may not be used */
  async start(): Promise<void> {
    if (this.#node !== undefined) return
    const { listen, clusterName, clusterKeys } = this.#init
    if (clusterKeys.length === 0) {
      this.#log.warn(
        { clusterName },
        'NO CLUSTER KEY: any node that can reach this one may join; create a key with sheaf keygen and set --cluster-key'
      )
    }
    const { host, port } = await this.#listenAt(await ipAddress(listen.host), listen.port)
    const addresses =
      host === '::' ? [multiaddrOf('::', port), multiaddrOf('0.0.0.0', port)] : [multiaddrOf(host, port)]
    const node = await this.#createNode(addresses, await deriveSecrets(clusterName, clusterKeys))
    await this.#handleStreams(node)
    try {
      await node.start()
    } catch (err) {
      throw listenError(err, `${listen.host}:${listen.port}`)
    }
    this.#node = node
    this.#gossip = this.#startGossip(node)
    this.#advertised = await this.#findAddresses(node, host)
    this.#refreshAddresses(this.#advertised)
  }

  async stop(): Promise<void> {
    const node = this.#node
    if (node === undefined) return
    this.#node = undefined
    this.#gossip = undefined
    this.#cancelRefresh()
    for (const link of this.#links.values()) link.end()
    await Promise.all(node.getConnections().map(closeConnection))
    await node.stop()
    await Promise.all(this.#answering)
    for (const peer of [...this.#links.keys()]) this.#peerDown(peer)
  }

  get version(): NodeVersion {
    return this.#version
  }

  /** Connections refused so far, by code. */
  get refusals(): ReadonlyMap<ErrorCode, number> {
    return this.#refusals.counts
  }

  versionOf(peer: NodeId): NodeVersion | undefined {
    return this.#links.has(peer) ? this.#versions.get(peer) : undefined
  }

  requireFormat(format: number): void {
    this.#version = { ...this.#version, clusterFormat: format }
    for (const peer of this.#links.keys()) this.#recheck(peer)
  }

  tellPast(past: ToldPast): void {
    this.#version = { ...this.#version, past }
    for (const peer of this.#links.keys()) this.#recheck(peer)
  }

  onPast(listener: (past: ToldPast) => void): void {
    this.#pastListeners.add(listener)
  }

  addresses(): readonly string[] {
    return this.#advertised?.list() ?? []
  }

  async dial(address: string, signal: AbortSignal, onOpen?: () => void): Promise<NodeId | undefined> {
    const node = this.#requireNode()
    const target = parseMultiaddr(address)
    if (peerIn(target) === this.self) return undefined
    const before = new Set(node.getConnections().map(({ id }) => id))
    setMaxListeners(0, signal)
    try {
      const connection = await node.dial(target, {
        signal,
        onProgress: ({ type }) => type === 'upgrader:encrypt-outbound-connection' && onOpen?.()
      })
      const others = node.getConnections(connection.remotePeer)
      const wasConnected = others.some(({ id, status }) => before.has(id) && status === 'open')
      if (wasConnected && !before.has(connection.id)) await closeConnection(connection)
      return nodeIdOf(connection.remotePeer)
    } catch (cause) {
      if (isSelfDial(cause)) return undefined
      signal.throwIfAborted()
      const refusal = refusalIn(cause)
      if (refusal !== undefined) throw new SheafError('ERR_PEER_REFUSED', refusal, { cause, details: { address } })
      throw new SheafError('ERR_PEER_UNREACHABLE', `cannot reach ${address}`, { cause, details: { address } })
    }
  }

  async hangUp(peer: NodeId): Promise<void> {
    await this.#node?.hangUp(peerIdFromString(peer), { signal: hangUpLimit() })
  }

  peers(): readonly NodeId[] {
    return [...this.#links.keys()]
  }

  onPeer(listener: PeerListener): () => void {
    this.#peerListeners.add(listener)
    return () => this.#peerListeners.delete(listener)
  }

  onDiscovered(listener: (addresses: readonly string[]) => void): () => void {
    this.#discoveryListeners.add(listener)
    return () => this.#discoveryListeners.delete(listener)
  }

  async request(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    setMaxListeners(0, signal) // hundreds of requests may listen to one signal
    return await this.#requireLink(peer, body).request(method, body, signal)
  }

  notify(peer: NodeId, method: string, body: Uint8Array, options?: NotifyOptions): void {
    requireSize(body)
    this.#links.get(peer)?.notify(method, body, options)
  }

  async *fetch(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    setMaxListeners(0, signal)
    yield* this.#requireLink(peer, body).fetch(method, body, signal)
  }

  publish(topic: string, body: Uint8Array): void {
    this.#gossip?.publish(topic, body)
  }

  handle(method: string, handler: RequestHandler): void {
    this.#requestHandlers.set(method, handler)
  }

  handleFetch(method: string, handler: FetchHandler): void {
    this.#fetchHandlers.set(method, handler)
  }

  subscribe(topic: string, handler: TopicHandler): void {
    this.#topicHandlers.set(topic, handler)
  }

  async #createNode(listen: readonly string[], { secrets, tags }: ClusterSecrets): Promise<Libp2pNode> {
    const { privateKey, mdns } = this.#init
    const node = await createLibp2pNode({
      privateKey,
      listen,
      announce: addresses => this.#announceable(addresses),
      admission: {
        secrets,
        version: () => this.#version,
        random: this.#random,
        onTold: ({ past }) => {
          if (past !== undefined) for (const listener of this.#pastListeners) listener(past)
        },
        onRefused: (peer, { code, message: reason }, connection) => {
          // libp2p hands its transport's connection to the encryption, since no other layer is configured below it
          const { remoteAddr } = connection as MultiaddrConnection
          this.#refusals.refused({
            peer: nodeIdOf(peer),
            reason,
            code,
            host: hostOf(remoteAddr),
            address: remoteAddr.toString()
          })
        },
        onAdmitted: (peer, connection, version) => {
          this.#pending.admitted(connection)
          this.#noteVersion(nodeIdOf(peer), version)
          this.#silenceWatch.watch(connection)
        }
      },
      pending: this.#pending,
      mdnsTags: mdns ? tags : [],
      onDiscovered: addresses => {
        for (const listener of this.#discoveryListeners) listener(addresses)
      }
    })
    // libp2p reports a peer when its first connection is open, that is after admission, and when its last one is closed.
    node.addEventListener('peer:connect', ({ detail }) => this.#peerUp(nodeIdOf(detail), node))
    node.addEventListener('peer:disconnect', ({ detail }) => this.#peerDown(nodeIdOf(detail)))
    return node
  }

  async #handleStreams(node: Libp2pNode): Promise<void> {
    const answer = (
      serve: (channel: Libp2pChannel, requester: { readonly peer: NodeId; readonly log: Logger }) => Promise<void>
    ): ((stream: Stream, connection: Connection) => void) => {
      return (stream, connection) => {
        const requester = { peer: nodeIdOf(connection.remotePeer), log: this.#log }
        const done = serve(new Libp2pChannel(stream), requester).finally(() => this.#answering.delete(done))
        this.#answering.add(done)
      }
    }
    await node.handle(
      RPC_PROTOCOL,
      answer((channel, requester) => new RpcResponder({ channel, requester, handlers: this.#requestHandlers }).run()),
      { maxInboundStreams: RPC_STREAMS_MAX, maxOutboundStreams: RPC_STREAMS_MAX }
    )
    await node.handle(
      FETCH_PROTOCOL,
      answer((channel, requester) => serveFetch(channel, requester, this.#fetchHandlers)),
      { maxInboundStreams: FETCH_STREAMS_MAX, maxOutboundStreams: FETCH_STREAMS_MAX }
    )
  }

  #startGossip(node: Libp2pNode): Gossip {
    const { pubsub, identify } = node.services
    const gossip = new Gossip(
      {
        random: this.#random,
        log: this.#log,
        pubsub,
        connections: () => node.getConnections(),
        identify: connection => identify.identify(connection),
        hangUp: peer => this.hangUp(peer)
      },
      this.self
    )
    gossip.start(this.#topicHandlers)
    return gossip
  }

  async #findAddresses(node: Libp2pNode, listenHost: string): Promise<AdvertisedAddresses> {
    const [first] = node.getMultiaddrs()
    const port = first?.getComponents().find(({ name }) => name === 'tcp')?.value
    invariant(port !== undefined, 'the node listens')
    const { advertise } = this.#init
    const advertised = new AdvertisedAddresses(
      { interfaces: interfaceAddresses, routeTo, defaultRoutes },
      { self: this.self, listenHost, port: Number(port), advertise }
    )
    await advertised.refresh()
    return advertised
  }

  /** A machine's addresses and routes come and go while the node runs. */
  #refreshAddresses(advertised: AdvertisedAddresses): void {
    this.#cancelRefresh = this.#clock.schedule(ADDRESSES_MS, () => {
      void advertised.refresh().then(() => this.#node && this.#refreshAddresses(advertised))
    })
  }

  /**
   * `::` means all addresses of both families, but libp2p's IPv6 sockets accept IPv6 only, so there are two, on one port.
   * Where a machine has no IPv6, it means all of IPv4.
   */
  async #listenAt(host: string, port: number): Promise<{ readonly host: string; readonly port: number }> {
    if (host !== '::') return { host, port }
    const free = await freePort()
    if (free === undefined) this.#log.info({ host }, 'this machine has no IPv6; listening on IPv4 only')
    return free === undefined ? { host: '0.0.0.0', port } : { host, port: port === 0 ? free : port }
  }

  /** Loopback addresses are announced only when there are no others: other machines cannot use them. */
  #announceable(addresses: readonly string[]): readonly string[] {
    const forOthers = addresses.filter(address => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address))
    return forOthers.length === 0 ? addresses : forOthers
  }

  #peerUp(peer: NodeId, node: Libp2pNode): void {
    const id = peerIdFromString(peer)
    const link = new PeerLink({ connections: () => node.getConnections(id), log: this.#log }, { peer })
    this.#links.set(peer, link)
    const remote = node.getConnections(id)[0]?.remoteAddr
    if (remote !== undefined) void this.#advertised?.noteConnected(peer, hostOf(remote))
    this.#report(peer, 'up')
    this.#recheck(peer) // what this node tells may have changed since
  }

  #noteVersion(peer: NodeId, version: NodeVersion): void {
    this.#versions.delete(peer)
    this.#versions.set(peer, version)
    const [oldest] = this.#versions.keys()
    if (this.#versions.size > VERSIONS_MAX && oldest !== undefined) this.#versions.delete(oldest)
  }

  /** Hangs up on a connected peer that would be refused now; the next handshake tells both sides why. */
  #recheck(peer: NodeId): void {
    const version = this.versionOf(peer)
    if (version === undefined || obstacleBetween(this.#version, version) === undefined) return
    this.hangUp(peer).catch(err => this.#log.debug({ err, peer }, 'could not hang up on a peer'))
  }

  #peerDown(peer: NodeId): void {
    this.#links.get(peer)?.end()
    if (!this.#links.delete(peer)) return
    this.#advertised?.noteDisconnected(peer)
    this.#report(peer, 'down')
  }

  #report(peer: NodeId, state: 'up' | 'down'): void {
    for (const listener of this.#peerListeners) listener(peer, state)
  }

  #requireNode(): Libp2pNode {
    if (this.#node === undefined)
      throw new SheafError('ERR_PEER_UNREACHABLE', 'the transport of this node is not running')
    return this.#node
  }

  #requireLink(peer: NodeId, body: Uint8Array): PeerLink {
    requireSize(body)
    const link = this.#links.get(peer)
    if (link === undefined) throw new SheafError('ERR_PEER_UNREACHABLE', 'the node is not connected')
    return link
  }
}

/** @throws `ERR_PEER_PROTOCOL` */
function requireSize(body: Uint8Array): void {
  if (body.length <= REQUEST_BYTES_MAX) return
  throw new SheafError(
    'ERR_PEER_PROTOCOL',
    `a request of ${body.length} bytes is above the limit of ${REQUEST_BYTES_MAX}`
  )
}

function nodeIdOf(peer: PeerId): NodeId {
  return peer.toString() as NodeId
}

function parseMultiaddr(address: string): Multiaddr {
  try {
    return multiaddr(address)
  } catch (cause) {
    throw new SheafError('ERR_PEER_UNREACHABLE', `${address} is not a multiaddr`, { cause })
  }
}

function peerIn(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value
}

function hostOf(address: Multiaddr): string {
  return address.getComponents()[0]?.value ?? ''
}

async function closeConnection(connection: Connection): Promise<void> {
  try {
    await connection.close({ signal: hangUpLimit() })
  } catch (err) {
    connection.abort(err instanceof Error ? err : new Error('the connection could not be closed', { cause: err }))
  }
}

function hangUpLimit(): AbortSignal {
  const signal = AbortSignal.timeout(HANG_UP_MS)
  setMaxListeners(0, signal) // each stream of the connection listens to it
  return signal
}

/** @returns a port that was free a moment ago for IPv4 and IPv6; undefined where there is no IPv6 */
function freePort(): Promise<number | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(0, '::', () => {
      const address = server.address()
      invariant(typeof address === 'object' && address !== null, 'the server listens on TCP')
      server.close(() => resolve(address.port))
    })
  })
}

/** libp2p listens on IP addresses only. */
async function ipAddress(host: string): Promise<string> {
  if (isIP(host) !== 0) return host
  try {
    return (await lookup(host)).address
  } catch (cause) {
    throw new SheafError('ERR_CONFIG', `cannot resolve ${host}; give an address of this machine with --p2p`, { cause })
  }
}
