import type { Clock } from '../core/clock.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { NodeId } from '../domain/ids.js'
import type { Transport } from './transport.js'

/** A member that is not connected, with the addresses that it told others. */
export interface KnownPeer {
  readonly id: NodeId
  /** Multiaddrs, best first. */
  readonly addresses: readonly string[]
}

export interface JoinLoopComponents {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly transport: Pick<Transport, 'self' | 'dial' | 'peers' | 'onPeer' | 'onDiscovered'>
  /** All IPv4 and IPv6 addresses of a name; rejects when it has none. */
  readonly resolve: (host: string) => Promise<readonly string[]>
  /** Members learned of from others, connected ones too; may hold this node. */
  readonly known: () => readonly KnownPeer[]
}

export interface JoinLoopInit {
  /** DNS names, HOST:PORT, multiaddrs: as in `--join`. */
  readonly join: readonly string[]
  /** Where `join` gives none. */
  readonly defaultPort: number
}

export declare class JoinLoop implements Startable {
  constructor(components: JoinLoopComponents, init: JoinLoopInit)
  start(): Promise<void>
  stop(): Promise<void>
}

/** `resolve` of a {@link JoinLoop}, by the system's resolver: hosts files and container networks count. */
export declare function resolveHost(host: string): Promise<readonly string[]>
