import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Counter, Histogram, Metrics, Sample } from '../core/metrics.js'
import type { NodeId } from '../domain/ids.js'
import { ForwardingTransport } from './forwarding-transport.js'
import type { FetchHandler, HandleOptions, NotifyOptions, RequestHandler, Transport } from './transport.js'

/** Bodies that went to and came from a peer since it connected. */
interface PeerBytes {
  sent: number
  received: number
}

type Direction = 'calls' | 'requests'

/**
 * A transport that counts, times and weighs what goes through another one. Methods and topics are those of the program, peers
 * those that are connected: series are bounded.
 */
export class MeteredTransport extends ForwardingTransport {
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #peers = new Map<NodeId, PeerBytes>()
  #inFlight = 0

  constructor(transport: Transport, components: { readonly metrics: Metrics; readonly clock: Clock }) {
    super(transport)
    const { metrics, clock } = components
    this.#metrics = metrics
    this.#clock = clock
    // A peer that comes back counts anew, which Prometheus takes for a restart.
    transport.onPeer((peer, state) => {
      if (state === 'down') this.#peers.delete(peer)
    })
    const samples = (part: keyof PeerBytes): readonly Sample[] =>
      Array.from(this.#peers, ([peer, bytes]) => ({ labels: { peer }, value: bytes[part] }))
    metrics.read('sheaf_rpc_requests_in_flight', () => this.#inFlight)
    metrics.read('sheaf_peer_sent_bytes_total', () => samples('sent'))
    metrics.read('sheaf_peer_received_bytes_total', () => samples('received'))
  }

  override async request(peer: NodeId, method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const end = this.#begin('calls', method)
    const bytes = this.#bytesOf(peer)
    bytes.sent += body.byteLength
    try {
      const answer = await this.below.request(peer, method, body, signal)
      bytes.received += answer.byteLength
      end('ok')
      return answer
    } catch (err) {
      end('error')
      throw err
    }
  }

  override notify(peer: NodeId, method: string, body: Uint8Array, options?: NotifyOptions): void {
    this.#bytesOf(peer).sent += body.byteLength
    this.below.notify(peer, method, body, options)
  }

  override async *fetch(
    peer: NodeId,
    method: string,
    body: Uint8Array,
    signal: AbortSignal
  ): AsyncGenerator<Uint8Array> {
    const end = this.#begin('calls', method)
    const bytes = this.#bytesOf(peer)
    bytes.sent += body.byteLength
    try {
      for await (const piece of this.below.fetch(peer, method, body, signal)) {
        bytes.received += piece.byteLength
        yield piece
      }
    } catch (err) {
      end('error')
      throw err
    } finally {
      end('ok') // also when the reader has left
    }
  }

  override publish(topic: string, body: Uint8Array): void {
    this.#countGossip(topic, 'sent', body)
    this.below.publish(topic, body)
  }

  override handle(method: string, handler: RequestHandler, options?: HandleOptions): void {
    const measured: RequestHandler = async (peer, body, signal) => {
      const end = this.#begin('requests', method)
      const bytes = this.#bytesOf(peer)
      bytes.received += body.byteLength
      this.#inFlight++
      try {
        const answer = await handler(peer, body, signal)
        bytes.sent += answer.byteLength
        end('ok')
        return answer
      } catch (err) {
        end('error')
        this.#countRefused(err)
        throw err
      } finally {
        this.#inFlight--
      }
    }
    this.below.handle(method, measured, options)
  }

  override handleFetch(method: string, handler: FetchHandler): void {
    const serve: FetchHandler = (peer, body, signal) => this.#serve(method, handler(peer, body, signal), peer, body)
    this.below.handleFetch(method, serve)
  }

  override subscribe(topic: string, handler: (from: NodeId, body: Uint8Array) => void): void {
    this.below.subscribe(topic, (from, body) => {
      this.#countGossip(topic, 'received', body)
      handler(from, body)
    })
  }

  async *#serve(
    method: string,
    pieces: AsyncIterable<Uint8Array>,
    peer: NodeId,
    body: Uint8Array
  ): AsyncGenerator<Uint8Array> {
    const end = this.#begin('requests', method)
    const bytes = this.#bytesOf(peer)
    bytes.received += body.byteLength
    this.#inFlight++
    try {
      for await (const piece of pieces) {
        bytes.sent += piece.byteLength
        yield piece
      }
    } catch (err) {
      end('error')
      this.#countRefused(err)
      throw err
    } finally {
      end('ok')
      this.#inFlight--
    }
  }

  /** @returns to be called with the outcome; only the first call counts */
  #begin(direction: Direction, method: string): (outcome: 'ok' | 'error') => void {
    const startedAtMs = this.#clock.monotonic()
    let ended = false
    return outcome => {
      if (ended) return
      ended = true
      this.#counter(direction, method, outcome).add()
      this.#seconds(direction, method).observe((this.#clock.monotonic() - startedAtMs) / 1_000)
    }
  }

  #counter(direction: Direction, method: string, outcome: string): Counter {
    return this.#metrics.counter(`sheaf_rpc_${direction}_total`, { method, outcome })
  }

  #seconds(direction: Direction, method: string): Histogram {
    const name = direction === 'calls' ? 'sheaf_rpc_call_duration_seconds' : 'sheaf_rpc_request_duration_seconds'
    return this.#metrics.histogram(name, { method })
  }

  #countRefused(err: unknown): void {
    const code = err instanceof SheafError ? err.code : 'ERR_INTERNAL'
    this.#metrics.counter('sheaf_rpc_refused_total', { code }).add()
  }

  #countGossip(topic: string, direction: 'sent' | 'received', body: Uint8Array): void {
    this.#metrics.counter('sheaf_gossip_messages_total', { topic, direction }).add()
    this.#metrics.counter('sheaf_gossip_bytes_total', { topic, direction }).add(body.byteLength)
  }

  #bytesOf(peer: NodeId): PeerBytes {
    let bytes = this.#peers.get(peer)
    if (bytes === undefined) {
      bytes = { sent: 0, received: 0 }
      // What still ends after the peer is gone is counted nowhere.
      if (this.below.peers().includes(peer)) this.#peers.set(peer, bytes)
    }
    return bytes
  }
}
