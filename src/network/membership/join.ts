import { lookup } from 'node:dns/promises'
import type { Clock } from '../../core/clock.js'
import { hasCode, systemErrorCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { LoopWatch } from '../../core/loop-watch.js'
import type { Random } from '../../core/random.js'
import type { NodeId } from '../../domain/ids.js'
import { multiaddrOf } from '../addresses/advertised-addresses.js'
import { type JoinTarget, parseJoinTarget } from '../addresses/join-target.js'
import type { Transport } from '../transport.js'
import { Dials } from './dials.js'

/** A node that is not connected is dialed within this time for the first time, ms: nodes that start together do not act in step. */
const FIRST_MS = 2_000
/** Pause after the first failure, ms; doubles up to the maximum. Each pause is a random share of it, none to all. */
const BACKOFF_MS = 500
const BACKOFF_MS_MAX = 30_000
/** A node that is alone dials one address in turn this often, whatever the pauses, ms; half to all of it at random. */
const ALONE_MS = 1_500
/** Of two nodes the one with the smaller id dials; the other one does so once it has waited for so long, ms. */
const GREATER_MS = 20_000
/** Whom to dial is looked up at least this often, ms. */
const ROUND_MS_MAX = 1_500
/** A timer that is so late means that the event loop is busy, ms. */
const LATE_MS = 100
/** Where a known member has not answered so often, another node may have its address. */
const ABSENT_FAILURES = 5
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
  /** Whether peers hear it though this node does not. Default: no. */
  readonly isVia?: boolean
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
  /** Since when it is to be dialed, monotonic ms. */
  wantedMs: number
  /** Not to be dialed before, monotonic ms, unless this node is alone. */
  dueMs: number
  /** Not to be dialed before in any case: it was this node itself, or refused. */
  heldMs: number
  /** When it was last dialed, monotonic ms. */
  dialedMs: number
  isDialing: boolean
  isVia: boolean
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
 *
 * Handshakes cost CPU at both ends, so none is made twice: dials are few at a time (see {@link Dials}), pauses grow, one of
 * each two nodes dials, and a name of `--join` is dialed only for as long as it may lead to somebody new. What keeps a
 * cluster together all the same: a node that is alone does not wait, and where there is news of a node the pauses begin
 * anew.
 */
export class JoinLoop implements Startable {
  readonly #components: JoinLoopComponents
  readonly #names: readonly Name[]
  readonly #fixed: readonly string[]
  readonly #joinIsDefault: boolean
  readonly #discovered = new Set<string>()
  readonly #routes = new Map<string, Route>()
  readonly #loop: LoopWatch
  readonly #dials: Dials
  readonly #inFlight = new Set<Promise<void>>()
  #abort: AbortController | undefined
  #unsubscribe: (() => void)[] = []
  /** When a node that is alone next dials an address in turn, monotonic ms. */
  #aloneDueMs = 0
  #cancelRound = (): void => {}
  #cancelResolve = (): void => {}

  constructor(components: JoinLoopComponents, init: JoinLoopInit) {
    this.#components = components
    this.#loop = new LoopWatch(components, { lateMs: LATE_MS })
    this.#dials = new Dials({ ...components, loop: this.#loop, onRoom: () => this.#round() })
    const targets: readonly JoinTarget[] = init.join.map(text => parseJoinTarget(text, init.defaultPort))
    this.#names = targets.flatMap(target => {
      if (target.kind !== 'name') return []
      return [{ host: target.host, port: target.port, addresses: [], resolving: false, failing: false }]
    })
    this.#joinIsDefault = init.joinIsDefault === true
    this.#fixed = targets.flatMap(target => (target.kind === 'address' ? [target.address] : []))
  }

  /** Dials since the start. */
  get counts(): Dials['counts'] {
    return this.#dials.counts
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
    await Promise.all(this.#inFlight)
    this.#routes.clear()
  }

  /** Dials the routes that are due, and schedules the next round. */
  #round(): void {
    const signal = this.#abort?.signal
    if (signal === undefined) return
    this.#cancelRound()
    const { clock, transport, isPaused } = this.#components
    const connected = new Set(transport.peers())
    const isAlone = connected.size === 0
    const now = clock.monotonic()
    let nextMs = now + ROUND_MS_MAX
    const routes = isPaused?.() === true ? [] : this.#wantedRoutes(connected)
    if (isAlone) nextMs = Math.min(nextMs, this.#dialInTurn(routes, signal))
    // The longest overdue first: else many routes to nodes that are gone for good would starve the others.
    for (const route of routes.sort((a, b) => a.dueMs - b.dueMs)) {
      if (route.isDialing || (route.peer !== undefined && this.#dials.isBusyWith(route.peer))) continue
      const dueMs =
        isAlone || !this.#isOthersTurn(route) ? route.dueMs : Math.max(route.dueMs, route.wantedMs + GREATER_MS)
      if (dueMs > now) nextMs = Math.min(nextMs, dueMs)
      else if (this.#dials.hasRoom) this.#track(this.#dial(route, signal))
    }
    this.#cancelRound = this.#loop.schedule(nextMs - now, () => this.#round())
  }

  /** Dials what has not been dialed for longest, whether or not it is due. @returns when to do so again, monotonic ms */
  #dialInTurn(routes: readonly Route[], signal: AbortSignal): number {
    const { clock, random } = this.#components
    const now = clock.monotonic()
    if (now < this.#aloneDueMs) return this.#aloneDueMs
    const [route] = routes
      .filter(({ isDialing, heldMs }) => !isDialing && heldMs <= now)
      .sort((a, b) => a.dialedMs - b.dialedMs || a.dueMs - b.dueMs)
    if (route === undefined || !this.#dials.hasRoom) return Number.POSITIVE_INFINITY // what ends begins a round
    this.#aloneDueMs = now + (ALONE_MS / 2) * (1 + random.fraction())
    this.#track(this.#dial(route, signal))
    return this.#aloneDueMs
  }

  /** If both of two nodes dialed, one of the two connections would be made for nothing. */
  #isOthersTurn({ peer }: Route): boolean {
    return peer !== undefined && peer < this.#components.transport.self
  }

  /** @returns the routes to nodes that are not connected. Drops routes that have no source any more. */
  #wantedRoutes(connected: ReadonlySet<NodeId>): Route[] {
    const { transport, clock } = this.#components
    const known = this.#components.knownPeers().filter(({ id }) => id !== transport.self)
    const peerByAddress = new Map<string, NodeId | undefined>()
    for (const address of this.#places(known, connected.size === 0)) peerByAddress.set(address, undefined)
    for (const address of [...this.#fixed, ...this.#discovered]) {
      const peer = peerIn(address)
      if (peer !== undefined) peerByAddress.set(address, peer)
    }
    const via = new Set<NodeId>()
    for (const { id, addresses, isVia } of known) {
      if (isVia === true) via.add(id)
      for (const address of addresses) peerByAddress.set(address, id)
    }
    for (const [address, route] of this.#routes) {
      if (!peerByAddress.has(address) && !route.isDialing) this.#routes.delete(address)
    }
    const now = clock.monotonic()
    const wanted: Route[] = []
    const firstMs = new Map<NodeId | undefined, number>()
    for (const [address, peer] of peerByAddress) {
      // All addresses of a peer at once, so that the best is the first; of names each by itself.
      const dueMs = (peer && firstMs.get(peer)) ?? now + this.#firstMs()
      firstMs.set(peer, dueMs)
      const route = this.#routes.get(address) ?? newRoute(address, peer, now, dueMs)
      this.#routes.set(address, route)
      const isVia = route.peer !== undefined && via.has(route.peer)
      if (isVia && !route.isVia) beginAnew(route, dueMs)
      route.isVia = isVia
      if (route.peer === undefined || !connected.has(route.peer)) wanted.push(route)
    }
    return wanted
  }

  /** @returns the addresses of whom nobody knows yet: while this node is alone all that were named, else those of no member */
  #places(known: readonly KnownPeer[], isAlone: boolean): string[] {
    const named = this.#names.flatMap(({ addresses }) => addresses)
    const places = [...named, ...this.#fixed.filter(address => peerIn(address) === undefined)]
    if (isAlone || places.length === 0) return places
    const answers = (address: string): boolean => (this.#routes.get(address)?.failures ?? 0) < ABSENT_FAILURES
    const taken = new Set(known.flatMap(({ addresses }) => addresses.filter(answers).map(withoutPeer)))
    return places.filter(address => !taken.has(address))
  }

  async #dial(route: Route, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#components
    const { address } = route
    route.isDialing = true
    route.dialedMs = clock.monotonic()
    try {
      const peer = await this.#dials.dial(address, route.peer, signal)
      route.failures = 0
      // Without a pause, a connection that ends at once would be dialed in a tight loop.
      route.dueMs = clock.monotonic() + this.#firstMs()
      if (peer === undefined) this.#hold(route, SELF_MS)
      route.peer = peer
      log.debug({ address, peer }, 'dialed')
    } catch (err) {
      route.dueMs = clock.monotonic() + this.#backoffMs(route.failures)
      if (hasCode(err, 'ERR_PEER_REFUSED')) this.#hold(route, this.#jittered(REFUSED_MS))
      route.failures++
      log.debug({ err, address, failures: route.failures }, 'could not connect')
    } finally {
      route.isDialing = false
    }
  }

  #hold(route: Route, ms: number): void {
    route.heldMs = this.#components.clock.monotonic() + ms
    route.dueMs = route.heldMs
  }

  #peerChanged(peer: NodeId, state: 'up' | 'down'): void {
    const { clock, transport } = this.#components
    const now = clock.monotonic()
    const dueMs = now + this.#firstMs()
    if (state === 'down') {
      for (const route of this.#routes.values()) {
        if (route.peer !== peer) continue
        route.wantedMs = now
        route.failures = 0
        route.dueMs = dueMs
      }
    } else if (transport.peers().length === 1) {
      // It was alone, and perhaps cut off: what failed until now says nothing.
      for (const route of this.#routes.values()) beginAnew(route, now + this.#firstMs())
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
    this.#cancelResolve = this.#loop.schedule(this.#jittered(RESOLVE_MS), again)
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

  /** @returns the pause before a node is dialed for the first time since it is not connected, ms */
  #firstMs(): number {
    return FIRST_MS * this.#components.random.fraction()
  }

  /** @param failures - how many in a row before this one */
  #backoffMs(failures: number): number {
    return Math.min(BACKOFF_MS * 2 ** failures, BACKOFF_MS_MAX) * this.#components.random.fraction()
  }

  /** @returns half to all of `ms`, so that nodes that were cut off together do not act in step */
  #jittered(ms: number): number {
    return ms * (0.5 + this.#components.random.fraction() / 2)
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => {
      this.#inFlight.delete(tracked)
      this.#round()
    })
    this.#inFlight.add(tracked)
  }
}

function newRoute(address: string, peer: NodeId | undefined, now: number, dueMs: number): Route {
  const never = Number.NEGATIVE_INFINITY
  return {
    address,
    peer,
    failures: 0,
    wantedMs: now,
    dueMs,
    heldMs: never,
    dialedMs: never,
    isDialing: false,
    isVia: false
  }
}

/** Its pauses so far do not count. */
function beginAnew(route: Route, dueMs: number): void {
  route.failures = 0
  route.dueMs = Math.max(route.heldMs, Math.min(route.dueMs, dueMs))
}

/** `resolve` of a {@link JoinLoop}, by the system's resolver, which also knows hosts files and container networks. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  const addresses = await lookup(host, { all: true, verbatim: true })
  return addresses.map(({ address }) => address)
}

function peerIn(address: string): NodeId | undefined {
  return /\/p2p\/([1-9A-Za-z]+)$/.exec(address)?.[1] as NodeId | undefined
}

/** @returns the address alone, as that of a node that nobody knows */
function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[1-9A-Za-z]+$/, '')
}
