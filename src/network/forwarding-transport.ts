import type { NodeId } from '../domain/ids.js'
import type { NodeVersion } from './node-version.js'
import type { ToldPast } from './told-past.js'
import type { FetchHandler, HandleOptions, NotifyOptions, RequestHandler, Transport } from './transport.js'

/** A transport that does everything by another one: what differs is overridden. */
export class ForwardingTransport implements Transport {
  protected readonly below: Transport

  constructor(below: Transport) {
    this.below = below
  }

  get self(): NodeId {
    return this.below.self
  }

  get version(): NodeVersion {
    return this.below.version
  }

  start(): Promise<void> {
    return this.below.start()
  }

  stop(): Promise<void> {
    return this.below.stop()
  }

  versionOf(peer: NodeId): NodeVersion | undefined {
    return this.below.versionOf(peer)
  }

  requireFormat(format: number): void {
    this.below.requireFormat(format)
  }

  tellPast(past: ToldPast): void {
    this.below.tellPast(past)
  }

  onPast(listener: (past: ToldPast) => void): void {
    this.below.onPast(listener)
  }

  addresses(): readonly string[] {
    return this.below.addresses()
  }

  dial(address: string, signal: AbortSignal, onOpen?: () => void): Promise<NodeId | undefined> {
    return this.below.dial(address, signal, onOpen)
  }

  hangUp(peer: NodeId): Promise<void> {
    return this.below.hangUp(peer)
  }

  peers(): readonly NodeId[] {
    return this.below.peers()
  }

  onPeer(listener: (peer: NodeId, state: 'up' | 'down') => void): () => void {
    return this.below.onPeer(listener)
  }

  onDiscovered(listener: (addresses: readonly string[]) => void): () => void {
    return this.below.onDiscovered(listener)
  }

  request(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return this.below.request(peer, method, body, signal)
  }

  notify(peer: NodeId, method: string, body: Uint8Array, options?: NotifyOptions): void {
    this.below.notify(peer, method, body, options)
  }

  fetch(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.below.fetch(peer, method, body, signal)
  }

  publish(topic: string, body: Uint8Array): void {
    this.below.publish(topic, body)
  }

  handle(method: string, handler: RequestHandler, options?: HandleOptions): void {
    this.below.handle(method, handler, options)
  }

  handleFetch(method: string, handler: FetchHandler): void {
    this.below.handleFetch(method, handler)
  }

  subscribe(topic: string, handler: (from: NodeId, body: Uint8Array) => void): void {
    this.below.subscribe(topic, handler)
  }
}
