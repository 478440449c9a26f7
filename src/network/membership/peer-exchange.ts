import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import { hasCode } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { NodeId } from '../../domain/ids.js'
import { encodeMessage } from '../rpc/message.js'
import type { Transport } from '../transport.js'
import type { KnownPeer } from './join.js'
import { decodePeers, encodePeers, PEERS_MAX } from './peer-exchange-messages.js'

const ASK_MS_MAX = 5_000

export interface PeerExchangeComponents {
  readonly transport: Pick<Transport, 'self' | 'handle' | 'request'>
  readonly clock: Clock
  readonly log: Logger
  /** Members to tell others about. */
  readonly members: () => readonly KnownPeer[]
}

/**
 * Nodes tell each other the addresses of their members. Addresses known only from peers are dialed, but not passed on, so
 * that nodes which are gone for good are forgotten.
 */
export class PeerExchange {
  readonly #components: PeerExchangeComponents
  /** The latest entry last. */
  readonly #addressBook = new Map<NodeId, readonly string[]>()

  constructor(components: PeerExchangeComponents) {
    this.#components = components
    components.transport.handle('member.peers', async () => encodePeers(components.members()))
  }

  /** Addresses of nodes that peers told of; at most PEERS_MAX nodes. */
  get addressBook(): ReadonlyMap<NodeId, readonly string[]> {
    return this.#addressBook
  }

  /** Asks a peer for its members. A failure is only logged: another peer, or the same one later, will do as well. */
  async ask(peer: NodeId, stop: AbortSignal): Promise<void> {
    const { transport, clock, log } = this.#components
    try {
      const question = encodeMessage({})
      const answer = await withDeadline(clock, ASK_MS_MAX, stop, signal =>
        transport.request(peer, 'member.peers', question, signal)
      )
      for (const { id, addresses } of decodePeers(answer)) if (id !== transport.self) this.#note(id, addresses)
    } catch (err) {
      if (stop.aborted) return
      if (hasCode(err, 'ERR_PEER_PROTOCOL')) log.warn({ err, peer }, 'a peer sent a malformed list of members')
      else log.debug({ err, peer }, 'could not ask a peer for its members')
    }
  }

  #note(id: NodeId, addresses: readonly string[]): void {
    this.#addressBook.delete(id)
    this.#addressBook.set(id, addresses)
    for (const oldest of this.#addressBook.keys()) {
      if (this.#addressBook.size <= PEERS_MAX) return
      this.#addressBook.delete(oldest)
    }
  }
}
