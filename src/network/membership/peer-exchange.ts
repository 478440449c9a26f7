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
  /** What others are told. */
  readonly members: () => readonly KnownPeer[]
}

/**
 * Nodes tell each other where members are to be found. What was only heard is good for dialling and is not passed on, so
 * that nodes which nobody can find are forgotten.
 */
export class PeerExchange {
  readonly #components: PeerExchangeComponents
  /** Those told last at the end. */
  readonly #addressBook = new Map<NodeId, readonly string[]>()

  constructor(components: PeerExchangeComponents) {
    this.#components = components
    components.transport.handle('member.peers', async () => encodePeers(components.members()))
  }

  /** Nodes that peers told of, with their addresses; at most PEERS_MAX. */
  get addressBook(): ReadonlyMap<NodeId, readonly string[]> {
    return this.#addressBook
  }

  /** Asks a peer whom it knows. Its failure is logged: another peer, or the same later, can say as much. */
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
      if (hasCode(err, 'ERR_PEER_PROTOCOL')) log.warn({ err, peer }, 'a peer told of its members in a malformed way')
      else log.debug({ err, peer }, 'a peer could not be asked for its members')
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
