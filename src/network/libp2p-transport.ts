import type { Ed25519PrivateKey } from '@libp2p/interface'
import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { NodeId } from '../domain/ids.js'
import type { FetchHandler, RequestHandler, Transport } from './transport.js'

export interface Libp2pTransportComponents {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export interface Libp2pTransportInit {
  readonly privateKey: Ed25519PrivateKey
  /** IP address and port; port 0 picks one. */
  readonly listen: { readonly host: string; readonly port: number }
  /** What peers are told; undefined: found out. */
  readonly advertise?: { readonly host: string; readonly port?: number }
  readonly mdns: boolean
  readonly clusterName: string
  /** Newest first, at most two: the second is an older one that is still accepted. None: whoever knows the name gets in. */
  readonly clusterKeys: readonly Uint8Array[]
}

export declare class Libp2pTransport implements Transport {
  constructor(components: Libp2pTransportComponents, init: Libp2pTransportInit)
  readonly self: NodeId
  start(): Promise<void>
  stop(): Promise<void>
  addresses(): readonly string[]
  dial(address: string, signal: AbortSignal): Promise<NodeId | undefined>
  hangUp(peer: NodeId): Promise<void>
  peers(): readonly NodeId[]
  onPeer(listener: (peer: NodeId, state: 'up' | 'down') => void): () => void
  onDiscovered(listener: (addresses: readonly string[]) => void): () => void
  request(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array>
  notify(peer: NodeId, method: string, body: Uint8Array): void
  fetch(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>
  publish(topic: string, body: Uint8Array): void
  handle(method: string, handler: RequestHandler): void
  handleFetch(method: string, handler: FetchHandler): void
  subscribe(topic: string, handler: (from: NodeId, body: Uint8Array) => void): void
}
