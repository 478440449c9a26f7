/*
 * Topic `events`: events of one node that clients of all nodes may follow. A CBOR map (see network/rpc/message.ts):
 *
 *   version   uint   1; messages of another version are ignored
 *   sender    text   id of the node where the event happened
 *   type      text   'repair.done'; unknown types are ignored
 */
import type { Clock } from '../../core/clock.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { RateLimiter } from '../../core/rate-limiter.js'
import type { NodeId } from '../../domain/ids.js'
import { encodeMessage, invalidField, Message } from '../../network/rpc/message.js'
import type { Transport } from '../../network/transport.js'

const TOPIC = 'events'
const VERSION = 1
const SENDER_CHARACTERS_MAX = 128
const TYPE_CHARACTERS_MAX = 64
const RATE = { perSecond: 10, burst: 100 }

export interface EventGossipComponents {
  readonly transport: Pick<Transport, 'self' | 'publish' | 'subscribe'>
  readonly clock: Clock
  readonly log: Logger
  /** Called for events of this node and of others. */
  readonly note: (type: 'repair.done', node: NodeId) => void
}

/** Publishes events that only the node where they happen can know. Best effort: disconnected nodes miss them. */
export class EventGossip implements Startable {
  readonly #components: EventGossipComponents
  readonly #limiter: RateLimiter
  #running = false

  constructor(components: EventGossipComponents) {
    this.#components = components
    this.#limiter = new RateLimiter(components.clock, RATE)
    components.transport.subscribe(TOPIC, (from, body) => this.#receive(from, body))
  }

  async start(): Promise<void> {
    this.#running = true
  }

  async stop(): Promise<void> {
    this.#running = false
  }

  /** Announces that the last hole of a volume was filled here. */
  announceRepair(): void {
    const { transport, note } = this.#components
    note('repair.done', transport.self)
    transport.publish(TOPIC, encodeMessage({ version: VERSION, sender: transport.self, type: 'repair.done' }))
  }

  #receive(from: NodeId, body: Uint8Array): void {
    const { transport, note, log } = this.#components
    if (!this.#running || from === transport.self || !this.#limiter.tryTake(1)) return
    try {
      const message = Message.decode(body)
      if (message.uint('version') !== VERSION) throw invalidField('version')
      const sender = message.text('sender', SENDER_CHARACTERS_MAX)
      if (message.text('type', TYPE_CHARACTERS_MAX) === 'repair.done') note('repair.done', sender as NodeId)
    } catch (err) {
      log.debug({ err, peer: from }, 'ignored a malformed event of a peer')
    }
  }
}
