import type { Startable } from '../core/lifecycle.js'
import type { NodeId } from '../domain/ids.js'

/** Bounds that both sides keep: a frame above them ends the stream. */
export const REQUEST_BYTES_MAX = 4 * 1024 * 1024
export const PUBLISH_BYTES_MAX = 1024 * 1024

/**
 * What nodes say to each other, whatever carries it. Two implementations under one contract suite: libp2p, and a simulated
 * network that delays, loses, repeats, reorders and cuts under a seed.
 *
 * A peer is here a node that is connected and was admitted: it has proven to hold the cluster key, where there is one.
 * Bodies are opaque bytes; their readers validate them.
 */
export interface Transport extends Startable {
  readonly self: NodeId
  /** Multiaddrs under which others can dial this node, best first. */
  addresses(): readonly string[]
  /**
   * Connects to a multiaddr, with or without a peer id. Harmless when connected already, and for one's own address.
   *
   * @returns who answered; undefined when it is this node itself
   * @throws `ERR_PEER_UNREACHABLE`, `ERR_PEER_REFUSED` (another cluster, or a wrong key)
   */
  dial(address: string, signal: AbortSignal): Promise<NodeId | undefined>
  /** Closes all connections to a peer. */
  hangUp(peer: NodeId): Promise<void>
  peers(): readonly NodeId[]
  /** @returns removes the listener */
  onPeer(listener: (peer: NodeId, state: 'up' | 'down') => void): () => void
  /** Addresses found on the local network, to be dialled by whoever wants to. */
  onDiscovered(listener: (addresses: readonly string[]) => void): () => void
  /**
   * One question, one answer, in order with nothing: many may be under way at once.
   *
   * @throws `ERR_PEER_UNREACHABLE` when the connection ends first; the peer's own error by its code; the signal's reason;
   * `ERR_PEER_PROTOCOL` for a body above {@link REQUEST_BYTES_MAX} or a method that the peer does not know;
   * `ERR_OVERLOADED` when thousands wait already. There is no time limit but the signal's
   */
  request(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array>
  /** Says something without waiting. Lost when the peer is gone or its queue is full: a hint, never a promise. */
  notify(peer: NodeId, method: string, body: Uint8Array): void
  /**
   * Bulk: the answer is read as it is consumed, at the reader's pace, the handler a few MiB ahead at most. Leaving the loop
   * ends it, and the handler. Pieces are cut anew on the way; an answer that ends without an error is complete.
   *
   * @throws as {@link request}, also after pieces
   */
  fetch(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * Spreads a message of at most {@link PUBLISH_BYTES_MAX} to all others who subscribe, also over others. At most once,
   * perhaps never: what is published just after connecting, or while cut off, is not heard.
   */
  publish(topic: string, body: Uint8Array): void
  /** Answers a method of `request` and `notify` (whose answer is dropped). Set before `start`. */
  handle(method: string, handler: RequestHandler): void
  handleFetch(method: string, handler: FetchHandler): void
  subscribe(topic: string, handler: (from: NodeId, body: Uint8Array) => void): void
}

/**
 * What a handler throws goes to the asker: a SheafError by code and message, anything else as `ERR_INTERNAL` alone. Its
 * signal aborts when the asker gives up or goes. Bytes that a handler returns or yields must not change afterwards.
 */
export type RequestHandler = (peer: NodeId, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>
export type FetchHandler = (peer: NodeId, body: Uint8Array, signal: AbortSignal) => AsyncIterable<Uint8Array>
