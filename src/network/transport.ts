import type { Startable } from '../core/lifecycle.js'
import type { NodeId } from '../domain/ids.js'
import type { NodeVersion } from './node-version.js'
import type { ToldPast } from './told-past.js'

/** Bounds that both sides enforce: a larger frame ends the stream. */
export const REQUEST_BYTES_MAX = 4 * 1024 * 1024
export const PUBLISH_BYTES_MAX = 1024 * 1024

/**
 * Carries messages between nodes. Two implementations share one contract suite: libp2p, and a simulated network that
 * delays, loses, repeats, reorders and cuts under a seed.
 *
 * A peer here is a connected and admitted node: it has proven that it holds the cluster key, if there is one. Bodies are
 * opaque bytes; their readers validate them.
 */
export interface Transport extends Startable {
  readonly self: NodeId
  /** What this node tells of its version when it connects. */
  readonly version: NodeVersion
  /** @returns what a connected peer told of its version */
  versionOf(peer: NodeId): NodeVersion | undefined
  /** Tells from now on that the cluster has this record format: nodes that do not read it are refused, or hung up on. */
  requireFormat(format: number): void
  /** Tells this from now on when it connects: nodes that this one cannot be with are refused, or hung up on. */
  tellPast(past: ToldPast): void
  /** Calls the listener with what other nodes of the cluster tell when they connect, refused ones included. */
  onPast(listener: (past: ToldPast) => void): void
  /** Multiaddrs under which others can dial this node, best first. */
  addresses(): readonly string[]
  /**
   * Connects to a multiaddr, with or without a peer id. Harmless for a peer that is already connected, and for this
   * node's own address.
   *
   * @param onOpen - called once the network has opened a connection, before the two sides have said anything
   * @returns the node that answered; undefined when it is this node itself
   * @throws `ERR_PEER_UNREACHABLE`, `ERR_PEER_REFUSED` (another cluster, a wrong key, or another version)
   */
  dial(address: string, signal: AbortSignal, onOpen?: () => void): Promise<NodeId | undefined>
  /** Closes all connections to a peer. */
  hangUp(peer: NodeId): Promise<void>
  peers(): readonly NodeId[]
  /** @returns removes the listener */
  onPeer(listener: (peer: NodeId, state: 'up' | 'down') => void): () => void
  /** Calls the listener with addresses found on the local network. Nothing is dialed. @returns removes the listener */
  onDiscovered(listener: (addresses: readonly string[]) => void): () => void
  /**
   * Sends one request and waits for its answer. Many may be in flight at once; answers come in any order. Only the signal
   * limits the time.
   *
   * @throws `ERR_PEER_UNREACHABLE` when the connection ends first; the peer's own error by its code; the signal's reason;
   * `ERR_PEER_PROTOCOL` for a body above {@link REQUEST_BYTES_MAX} or a method that the peer does not know;
   * `ERR_OVERLOADED` when thousands of requests wait already
   */
  request(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array>
  /** Sends a message without waiting. It is lost when the peer is not connected or its queue is full. */
  notify(peer: NodeId, method: string, body: Uint8Array, options?: NotifyOptions): void
  /**
   * Streams a bulk answer at the reader's pace; the handler runs at most a few MiB ahead. Leaving the loop ends the stream
   * and the handler. Pieces need not arrive as the handler yielded them. An answer that ends without an error is complete.
   *
   * @throws as {@link request}, also after some pieces
   */
  fetch(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * Spreads a message of at most {@link PUBLISH_BYTES_MAX} to all other subscribers, also through third nodes. Each
   * receives it at most once, perhaps never: messages published just after connecting, or while cut off, are lost.
   */
  publish(topic: string, body: Uint8Array): void
  /** Registers the handler of a method for `request` and `notify` (whose answer is dropped). To be called before `start`. */
  handle(method: string, handler: RequestHandler, options?: HandleOptions): void
  handleFetch(method: string, handler: FetchHandler): void
  subscribe(topic: string, handler: (from: NodeId, body: Uint8Array) => void): void
}

export interface NotifyOptions {
  /**
   * It goes beside all other messages, not behind what waits to be sent or to be handled: for few and small ones, whose
   * handlers wait for nothing. Default: no.
   */
  readonly urgent?: boolean
}

export interface HandleOptions {
  /** Another node may pass it on, to or from a member that is not connected (`rpc/relay-transport.ts`). Default: no. */
  readonly relayed?: boolean
}

/**
 * An error that a handler throws goes to the requester: a SheafError by code and message, any other as a bare
 * `ERR_INTERNAL`. The signal aborts when the requester gives up or disconnects. Bytes that a handler returns or yields
 * must not change afterwards.
 */
export type RequestHandler = (peer: NodeId, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>
export type FetchHandler = (peer: NodeId, body: Uint8Array, signal: AbortSignal) => AsyncIterable<Uint8Array>
