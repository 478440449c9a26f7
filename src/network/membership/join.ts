import { lookup } from 'node:dns/promises'
import type { Clock } from '../../core/clock.js'
import { hasCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import type { NodeId } from '../../domain/ids.js'
import { multiaddrOf } from '../addresses/advertised-addresses.js'
import { type JoinTarget, parseJoinTarget } from '../addresses/join-target.js'
import type { Transport } from '../transport.js'

/** Pause after the first failure, ms; doubles up to the longest, each time by chance between half of it and all. */
const BACKOFF_MS = 200
const BACKOFF_MS_MAX = 1_500
/** How long one address may take. */
const DIAL_MS_MAX = 1_500
const DIALS_MAX = 16
/** Before a node that refused is asked again: it is of another cluster, or has yet to be given the new key. */
const REFUSED_MS = 5_000
/** How often names are looked up again, ms. */
const RESOLVE_MS = 3_000
/** An address at which this node found itself may be another's later. */
const SELF_MS = 60_000
/** Found on the local network: of so many the newest are remembered. */
const DISCOVERED_MAX = 256

/** A member, with the addresses that it told others. */
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
  readonly knownPeers: () => readonly KnownPeer[]
  /** Whether this node is to dial nobody now. Default: it dials. */
  readonly isPaused?: () => boolean
}

export interface JoinLoopInit {
  /** DNS names, HOST:PORT, multiaddrs: as in `--join`. */
  readonly join: readonly string[]
  /** Where `join` gives none. */
  readonly defaultPort: number
}

/** One way to one node; who is there is known once somebody has answered. */
interface Route {
  readonly address: string
  peer: NodeId | undefined
  failures: number
  /** Not before this monotonic ms. */
  dueMs: number
  dialling: boolean
}

interface Name {
  readonly host: string
  readonly port: number
  addresses: readonly string[]
  resolving: boolean
  /** Said once, until it succeeds again. */
  failing: boolean
}

/**
 * Keeps dialling whatever is named, learned or discovered and not connected, for as long as the node lives: a cluster
 * that was cut into any pieces for any time comes together again by itself. (libp2p's own reconnecting gives up.)
 */
export class JoinLoop implements Startable {
  readonly #components: JoinLoopComponents
  readonly #names: readonly Name[]
  readonly #fixed: readonly string[]
  readonly #discovered = new Set<string>()
  readonly #routes = new Map<string, Route>()
  readonly #dials = new Set<Promise<void>>()
  #abort: AbortController | undefined
  #unsubscribe: (() => void)[] = []
  #cancelRound = (): void => {}
  #cancelResolve = (): void => {}

  constructor(components: JoinLoopComponents, init: JoinLoopInit) {
    this.#components = components
    const targets: readonly JoinTarget[] = init.join.map(text => parseJoinTarget(text, init.defaultPort))
    this.#names = targets.flatMap(target => {
      if (target.kind !== 'name') return []
      return [{ host: target.host, port: target.port, addresses: [], resolving: false, failing: false }]
    })
    this.#fixed = targets.flatMap(target => (target.kind === 'address' ? [target.address] : []))
  }

  async start(): Promise<void> {
    if (this.#abort !== undefined) return
    this.#abort = new AbortController()
    const { transport } = this.#components
    this.#unsubscribe = [
      transport.onPeer((peer, state) => this.#peerChanged(peer, state)),
      transport.onDiscovered(addresses => this.#noteDiscovered(addresses))
    ]
    this.#resolveNames(this.#abort.signal)
    this.#round()
  }

  async stop(): Promise<void> {
    this.#abort?.abort(new Error('the node is stopping'))
    this.#abort = undefined
    for (const unlisten of this.#unsubscribe.splice(0)) unlisten()
    this.#cancelRound()
    this.#cancelResolve()
    await Promise.all(this.#dials)
    this.#routes.clear()
  }

  /** Dials what is due, and comes back when the next one is. */
  #round(): void {
    const signal = this.#abort?.signal
    if (signal === undefined) return
    this.#cancelRound()
    const { clock, transport } = this.#components
    const connected = new Set(transport.peers())
    const now = clock.monotonic()
    let nextMs = now + BACKOFF_MS_MAX
    // Who has waited longest first: else many that are gone for good would keep the others from their turn.
    const isPaused = this.#components.isPaused?.() ?? false
    for (const route of this.#wantedRoutes(connected).sort((a, b) => a.dueMs - b.dueMs)) {
      if (route.dialling || isPaused) continue
      if (route.dueMs > now) nextMs = Math.min(nextMs, route.dueMs)
      else if (this.#dials.size < DIALS_MAX) this.#track(this.#dial(route, signal))
    }
    this.#cancelRound = clock.schedule(nextMs - now, () => this.#round())
  }

  /** All ways to nodes that are not connected; what is no longer named by anybody is forgotten. */
  #wantedRoutes(connected: ReadonlySet<NodeId>): Route[] {
    const { transport, knownPeers } = this.#components
    const peerByAddress = new Map<string, NodeId | undefined>()
    for (const { addresses } of this.#names) for (const address of addresses) peerByAddress.set(address, undefined)
    for (const address of [...this.#fixed, ...this.#discovered]) peerByAddress.set(address, peerIn(address))
    for (const { id, addresses } of knownPeers()) {
      if (id !== transport.self) for (const address of addresses) peerByAddress.set(address, id)
    }
    for (const [address, route] of this.#routes) {
      if (!peerByAddress.has(address) && !route.dialling) this.#routes.delete(address)
    }
    const wanted: Route[] = []
    for (const [address, peer] of peerByAddress) {
      const route = this.#routes.get(address) ?? { address, peer, failures: 0, dueMs: 0, dialling: false }
      this.#routes.set(address, route)
      if (route.peer === undefined || !connected.has(route.peer)) wanted.push(route)
    }
    return wanted
  }

  async #dial(route: Route, signal: AbortSignal): Promise<void> {
    const { clock, log, transport } = this.#components
    const { address } = route
    route.dialling = true
    const limit = new AbortController()
    const cancel = clock.schedule(DIAL_MS_MAX, () => limit.abort(new Error('nobody answered in time')))
    try {
      const peer = await transport.dial(address, AbortSignal.any([signal, limit.signal]))
      route.failures = 0
      // A connection that ends at once must not be dialled in a circle.
      route.dueMs = clock.monotonic() + (peer === undefined ? SELF_MS : BACKOFF_MS)
      route.peer = peer
      log.debug({ address, peer }, 'dialled')
    } catch (err) {
      const refused = hasCode(err, 'ERR_PEER_REFUSED')
      const pauseMs = refused ? this.#jittered(REFUSED_MS) : this.#backoffMs(route.failures)
      route.dueMs = clock.monotonic() + pauseMs
      route.failures++
      log.debug({ err, address, failures: route.failures }, 'could not connect')
    } finally {
      cancel()
      route.dialling = false
    }
  }

  #peerChanged(peer: NodeId, state: 'up' | 'down'): void {
    if (state === 'down') {
      // It dials, too: by chance one is first, or there are two connections.
      const dueMs = this.#components.clock.monotonic() + this.#backoffMs(0)
      for (const route of this.#routes.values()) {
        if (route.peer !== peer) continue
        route.failures = 0
        route.dueMs = dueMs
      }
    }
    this.#round()
  }

  #noteDiscovered(addresses: readonly string[]): void {
    for (const address of addresses) {
      this.#discovered.delete(address)
      this.#discovered.add(address)
    }
    for (const oldest of this.#discovered) {
      if (this.#discovered.size <= DISCOVERED_MAX) break
      this.#discovered.delete(oldest)
    }
    this.#round()
  }

  #resolveNames(signal: AbortSignal): void {
    if (this.#names.length === 0) return
    for (const name of this.#names) void this.#resolveName(name, signal)
    const again = (): void => this.#resolveNames(signal)
    this.#cancelResolve = this.#components.clock.schedule(this.#jittered(RESOLVE_MS), again)
  }

  /** Never rejects. A resolver may take its time, also beyond the end of the loop. */
  async #resolveName(name: Name, signal: AbortSignal): Promise<void> {
    if (name.resolving) return
    name.resolving = true
    const { log, resolve } = this.#components
    const { host, port } = name
    try {
      const addresses = await resolve(host)
      name.addresses = addresses.map(address => multiaddrOf(address, port))
      if (name.failing) log.info({ host, addresses }, 'a name to join can be resolved again')
      name.failing = false
    } catch (err) {
      // What it last stood for is dialled on: the name server may be what is cut off.
      if (!name.failing) log.info({ host, err }, 'a name to join cannot be resolved; trying on quietly')
      name.failing = true
    }
    name.resolving = false
    if (!signal.aborted) this.#round()
  }

  /** After a number of failures in a row. */
  #backoffMs(failures: number): number {
    return this.#jittered(Math.min(BACKOFF_MS * 2 ** failures, BACKOFF_MS_MAX))
  }

  /** @returns between half of `ms` and all of it, so that nodes that were cut off together do not act together */
  #jittered(ms: number): number {
    return ms * (0.5 + this.#components.random.fraction() / 2)
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => {
      this.#dials.delete(tracked)
      this.#round()
    })
    this.#dials.add(tracked)
  }
}

/** `resolve` of a {@link JoinLoop}, by the system's resolver: hosts files and container networks count. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  const addresses = await lookup(host, { all: true, verbatim: true })
  return addresses.map(({ address }) => address)
}

function peerIn(address: string): NodeId | undefined {
  return /\/p2p\/([1-9A-Za-z]+)$/.exec(address)?.[1] as NodeId | undefined
}
