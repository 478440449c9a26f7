/*
 * Topic `events`: something happened at one node that clients of all nodes may follow. A CBOR map (see
 * network/rpc/message.ts):
 *
 *   version   uint   1; what has another one is not read
 *   sender    text   id of the node where it happened
 *   type      text   'repair.done'; others are of later versions
 */
import type { Clock } from '../../core/clock.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { RateLimiter } from '../../core/rate-limiter.js'
import type { NodeId } from '../../domain/ids.js'
import { encodeMessage, Message, invalidField } from '../../network/rpc/message.js'
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
  /** Called for what happened here and at others. */
  readonly note: (type: 'repair.done', node: NodeId) => void
}

/** Spreads what only the node where it happens can know. A hint: who is not connected does not hear of it. */
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

  /** Volumes or records that were missing here are all there again. */
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
      log.debug({ err, peer: from }, 'an event that a peer told was not taken')
    }
  }
}
