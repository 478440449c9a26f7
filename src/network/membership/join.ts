import { lookup } from 'node:dns/promises'
import type { Clock } from '../../core/clock.js'
import { hasCode, systemErrorCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import type { NodeId } from '../../domain/ids.js'
import { multiaddrOf } from '../addresses/advertised-addresses.js'
import { type JoinTarget, parseJoinTarget } from '../addresses/join-target.js'
import type { Transport } from '../transport.js'

/** Pause after the first failure, ms; doubles up to the maximum. Each pause is a random share of it, half to all. */
const BACKOFF_MS = 200
const BACKOFF_MS_MAX = 1_500
/** Limit of one dial, ms. */
const DIAL_MS_MAX = 1_500
const DIALS_MAX = 16
/** Pause after a refusal, ms: the node is of another cluster, or does not have the new key yet. */
const REFUSED_MS = 5_000
/** How often names are resolved again, ms. */
const RESOLVE_MS = 3_000
/** Pause after this node reached itself, ms: the address may belong to another node later. */
const SELF_MS = 60_000
/** Of one name; the first are used. */
const RESOLVED_MAX = 1_000
/** Addresses found on the local network; the newest are kept. */
const DISCOVERED_MAX = 256

/** A node that may be dialed. */
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
  /** Members and nodes that peers told of, connected ones too; may contain this node. */
  readonly knownPeers: () => readonly KnownPeer[]
  /** Whether to dial nobody for now; default: no. */
  readonly isPaused?: () => boolean
}

export interface JoinLoopInit {
  /** DNS names, HOST:PORT, multiaddrs: as in `--join`. */
  readonly join: readonly string[]
  /** Nobody asked for the names in `join`, so what becomes of them is logged at level debug. Default: false. */
  readonly joinIsDefault?: boolean | undefined
  /** For entries of `join` without a port. */
  readonly defaultPort: number
}

/** One address to dial. */
interface Route {
  readonly address: string
  /** The node at the address; undefined until one has answered. */
  peer: NodeId | undefined
  failures: number
  /** Not to be dialed before, monotonic ms. */
  dueMs: number
  dialing: boolean
}

interface Name {
  readonly host: string
  readonly port: number
  addresses: readonly string[]
  resolving: boolean
  /** A failure is logged once, until the name resolves again. */
  failing: boolean
}

/**
 * Dials every configured, known or discovered node that is not connected, for as long as the node runs. So a cluster that
 * was partitioned in any way, for any time, reconnects by itself. (libp2p's own reconnecting gives up.)
 */
export class JoinLoop implements Startable {
  readonly #components: JoinLoopComponents
  readonly #names: readonly Name[]
  readonly #fixed: readonly string[]
  readonly #joinIsDefault: boolean
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
    this.#joinIsDefault = init.joinIsDefault === true
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

  /** Dials the routes that are due, and schedules the next round. */
  #round(): void {
    const signal = this.#abort?.signal
    if (signal === undefined) return
    this.#cancelRound()
    const { clock, transport } = this.#components
    const connected = new Set(transport.peers())
    const now = clock.monotonic()
    let nextMs = now + BACKOFF_MS_MAX
    // The longest overdue first: else many routes to nodes that are gone for good would starve the others.
    const isPaused = this.#components.isPaused?.() ?? false
    for (const route of this.#wantedRoutes(connected).sort((a, b) => a.dueMs - b.dueMs)) {
      if (route.dialing || isPaused) continue
      if (route.dueMs > now) nextMs = Math.min(nextMs, route.dueMs)
      else if (this.#dials.size < DIALS_MAX) this.#track(this.#dial(route, signal))
    }
    this.#cancelRound = clock.schedule(nextMs - now, () => this.#round())
  }

  /** @returns the routes to nodes that are not connected. Drops routes that have no source any more. */
  #wantedRoutes(connected: ReadonlySet<NodeId>): Route[] {
    const { transport, knownPeers } = this.#components
    const peerByAddress = new Map<string, NodeId | undefined>()
    for (const { addresses } of this.#names) for (const address of addresses) peerByAddress.set(address, undefined)
    for (const address of [...this.#fixed, ...this.#discovered]) peerByAddress.set(address, peerIn(address))
    for (const { id, addresses } of knownPeers()) {
      if (id !== transport.self) for (const address of addresses) peerByAddress.set(address, id)
    }
    for (const [address, route] of this.#routes) {
      if (!peerByAddress.has(address) && !route.dialing) this.#routes.delete(address)
    }
    const wanted: Route[] = []
    for (const [address, peer] of peerByAddress) {
      const route = this.#routes.get(address) ?? { address, peer, failures: 0, dueMs: 0, dialing: false }
      this.#routes.set(address, route)
      if (route.peer === undefined || !connected.has(route.peer)) wanted.push(route)
    }
    return wanted
  }

  async #dial(route: Route, signal: AbortSignal): Promise<void> {
    const { clock, log, transport } = this.#components
    const { address } = route
    route.dialing = true
    const limit = new AbortController()
    const cancel = clock.schedule(DIAL_MS_MAX, () => limit.abort(new Error('no answer in time')))
    try {
      const peer = await transport.dial(address, AbortSignal.any([signal, limit.signal]))
      route.failures = 0
      // Without a pause, a connection that ends at once would be dialed in a tight loop.
      route.dueMs = clock.monotonic() + (peer === undefined ? SELF_MS : BACKOFF_MS)
      route.peer = peer
      log.debug({ address, peer }, 'dialed')
    } catch (err) {
      const refused = hasCode(err, 'ERR_PEER_REFUSED')
      const pauseMs = refused ? this.#jittered(REFUSED_MS) : this.#backoffMs(route.failures)
      route.dueMs = clock.monotonic() + pauseMs
      route.failures++
      log.debug({ err, address, failures: route.failures }, 'could not connect')
    } finally {
      cancel()
      route.dialing = false
    }
  }

  #peerChanged(peer: NodeId, state: 'up' | 'down'): void {
    if (state === 'down') {
      // The peer dials, too. With random pauses one of the two is usually first, which avoids a second connection.
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

  /** Never rejects. A resolver may take longer than the loop runs. */
  async #resolveName(name: Name, signal: AbortSignal): Promise<void> {
    if (name.resolving) return
    name.resolving = true
    const { log, resolve } = this.#components
    const { host, port } = name
    const level = this.#joinIsDefault ? 'debug' : 'info'
    try {
      const addresses = await resolve(host)
      name.addresses = addresses.slice(0, RESOLVED_MAX).map(address => multiaddrOf(address, port))
      if (name.failing) log[level]({ host, addresses }, 'a --join name resolves again')
      name.failing = false
    } catch (err) {
      // Its last addresses are still dialed: perhaps only the name server is out of reach.
      if (!name.failing) {
        const why = systemErrorCode(err) === 'ENOTFOUND' ? { reason: 'ENOTFOUND' } : { err }
        log[level]({ host, ...why }, 'cannot resolve a --join name; retrying without further log lines')
      }
      name.failing = true
    }
    name.resolving = false
    if (!signal.aborted) this.#round()
  }

  /** @param failures - how many in a row before this one */
  #backoffMs(failures: number): number {
    return this.#jittered(Math.min(BACKOFF_MS * 2 ** failures, BACKOFF_MS_MAX))
  }

  /** @returns half to all of `ms`, so that nodes that were cut off together do not act in step */
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

/** `resolve` of a {@link JoinLoop}, by the system's resolver, which also knows hosts files and container networks. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  const addresses = await lookup(host, { all: true, verbatim: true })
  return addresses.map(({ address }) => address)
}

function peerIn(address: string): NodeId | undefined {
  return /\/p2p\/([1-9A-Za-z]+)$/.exec(address)?.[1] as NodeId | undefined
}
