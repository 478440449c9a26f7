import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:https'
import { type AddressInfo, isIPv4, isIPv6 } from 'node:net'
import type { Clock } from '../../core/clock.js'
import { SheafError, systemErrorCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { TlsFiles, TlsPair } from './tls-files.js'
import { removeStaleSocket } from './unix-socket.js'

/** How often a stopping server closes connections that have become idle, ms. */
const SWEEP_MS = 25
const BACKLOG = 1_024
/** What the system says of `::` where there is no IPv6. */
const NO_IPV6: ReadonlySet<string | undefined> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'])

/** An address and port, where port 0 lets the system choose one, or the path of a Unix socket. */
export type ListenAddress =
  | { readonly host: string; readonly port: number; readonly path?: never }
  | { readonly path: string }

/** What answers requests, ready but not listening. */
export interface HttpApp {
  /** @param tls - undefined: for plain HTTP. @returns a server for one address; all of them answer alike */
  createServer(tls?: TlsPair): Server
  /** Called when no server listens any more. */
  close(): Promise<void>
}

export interface HttpServerComponents {
  readonly app: HttpApp
  readonly clock: Clock
  readonly log: Logger
  /** Started before. Absent: plain HTTP. Unix sockets never speak TLS: nobody else can listen in on them. */
  readonly tls?: TlsFiles
}

export interface HttpServerInit {
  readonly listen: readonly ListenAddress[]
  /** The flag that chose the addresses, for errors; default `--http`. */
  readonly flag?: string
  /** How long `stop` waits for running requests, ms; default 10,000. */
  readonly stopMsMax?: number
}

/** Makes an app of {@link buildHttpApp} listen at all its addresses, and stops it gracefully. */
export class HttpServer implements Startable {
  readonly #app: HttpApp
  readonly #clock: Clock
  readonly #log: Logger
  readonly #tls: TlsFiles | undefined
  readonly #init: HttpServerInit
  /** In the order of the addresses. */
  readonly #servers: Server[] = []
  /** Those that leave IPv4 to another one. */
  readonly #ipv6Only = new WeakSet<Server>()
  #stopping: Promise<void> | undefined

  constructor(components: HttpServerComponents, init: HttpServerInit) {
    this.#app = components.app
    this.#clock = components.clock
    this.#log = components.log
    this.#tls = components.tls
    this.#init = init
  }

  /** Node's own, one for each address. */
  get servers(): readonly Server[] {
    return this.#servers
  }

  /** @throws `ERR_ADDRESS_IN_USE`; `ERR_CONFIG` when an address cannot be used */
  async start(): Promise<void> {
    for (const address of this.#init.listen) await this.#listenAt(address)
    this.#tls?.onChange(pair => {
      for (const server of this.#servers) if (server instanceof TlsServer) server.setSecureContext(pair)
    })
  }

  /** What clients on this machine can use: a URL, or `unix:PATH`. Empty: it does not listen. */
  urls(): string[] {
    return this.#servers.flatMap(server => {
      const address = server.listening ? server.address() : null
      if (address === null) return []
      return typeof address === 'string' ? [`unix:${address}`] : [urlOf(server, address, this.#ipv6Only.has(server))]
    })
  }

  /**
   * @param interfaces - this machine's addresses that others can use
   * @returns origins that are true on other machines as well, best first, at most one for each address; so none of loopback
   */
  publicOrigins(interfaces: () => readonly string[]): string[] {
    const origins = this.#servers.flatMap(server => {
      const address = server.listening ? server.address() : null
      if (address === null || typeof address === 'string' || isLoopback(address.address)) return []
      const isWildcard = address.address === '0.0.0.0' || address.address === '::'
      const takesIPv4 = address.address !== '::' || !this.#ipv6Only.has(server)
      const takesIPv6 = address.address !== '0.0.0.0'
      const hosts = isWildcard
        ? interfaces().filter(host => (isIPv6(host) ? takesIPv6 : takesIPv4))
        : address.address.includes('%')
          ? []
          : [address.address]
      return hosts.map(host => originOf(server, host, address.port))
    })
    // browsers on the same network know IPv4 as a rule
    return [...new Set(origins)].sort((a, b) => Number(a.includes('[')) - Number(b.includes('[')))
  }

  /** The first address that it listens on; undefined: it does not, or only on Unix sockets. */
  address(): { readonly host: string; readonly port: number } | undefined {
    const addresses = this.#servers.map(server => server.address())
    const tcp = addresses.find((address): address is AddressInfo => typeof address === 'object' && address !== null)
    return tcp && { host: tcp.address, port: tcp.port }
  }

  /** Accepts no more requests, waits for running ones to end, and cuts those left after the deadline. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #listenAt(address: ListenAddress): Promise<void> {
    const server = this.#app.createServer(address.path === undefined ? this.#tls?.pair : undefined)
    this.#servers.push(server)
    try {
      await listen(server, this.#optionsOf(server, address))
    } catch (cause) {
      const code = systemErrorCode(cause)
      if (address.path !== undefined && code === 'EADDRINUSE' && (await removeStaleSocket(address.path)))
        await listen(server, this.#optionsOf(server, address)).catch(this.#refuse(address))
      else if (address.path === undefined && address.host === '::' && NO_IPV6.has(code)) {
        this.#log.warn({ port: address.port }, 'this machine has no IPv6: HTTP listens on 0.0.0.0 instead of [::]')
        await listen(server, this.#optionsOf(server, { ...address, host: '0.0.0.0' })).catch(this.#refuse(address))
      } else this.#refuse(address)(cause)
    }
  }

  #optionsOf(server: Server, address: ListenAddress): object {
    if (address.path !== undefined) return { path: address.path, backlog: BACKLOG }
    const { host, port } = address
    if (!isIPv6(host)) return { host, port, backlog: BACKLOG }
    // `::` takes IPv4, too, unless that has an address of its own.
    const ipv6Only = this.#init.listen.some(
      other => other.path === undefined && isIPv4(other.host) && other.port === port
    )
    if (ipv6Only) this.#ipv6Only.add(server)
    return { host, port, ipv6Only, backlog: BACKLOG }
  }

  /** @returns what throws `ERR_ADDRESS_IN_USE` or `ERR_CONFIG` for a system error */
  #refuse(address: ListenAddress): (cause: unknown) => never {
    const { flag = '--http' } = this.#init
    return cause => {
      const code = systemErrorCode(cause)
      const where = address.path === undefined ? hostAndPort(address) : `unix:${address.path}`
      if (code === 'EADDRINUSE')
        throw new SheafError('ERR_ADDRESS_IN_USE', `${where} is in use; choose another with ${flag}`, { cause })
      throw new SheafError('ERR_CONFIG', `cannot listen on ${where} (${code ?? String(cause)}); see ${flag}`, { cause })
    }
  }

  async #stop(): Promise<void> {
    const deadline = this.#clock.monotonic() + (this.#init.stopMsMax ?? 10_000)
    const open = new Set(this.#servers.filter(server => server.listening))
    for (const server of open) server.close(() => void open.delete(server))
    // Node closes only connections that are idle now; others become idle when their last answer was sent.
    while (open.size > 0 && this.#clock.monotonic() < deadline) {
      for (const server of open) server.closeIdleConnections()
      await this.#clock.sleep(SWEEP_MS)
    }
    if (open.size > 0) this.#log.warn({}, 'requests still running at the stop deadline were cut off')
    for (const server of this.#servers) server.closeAllConnections()
    await this.#app.close()
  }
}

function listen(server: Server, options: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** A wildcard address becomes loopback: 127.0.0.1 where IPv4 is taken, because a container often has no ::1. */
function urlOf(server: Server, { address, port }: AddressInfo, ipv6Only: boolean): string {
  const isWildcard = address === '0.0.0.0' || address === '::'
  const host = isWildcard ? (ipv6Only ? '::1' : '127.0.0.1') : address
  return originOf(server, host, port)
}

function originOf(server: Server, host: string, port: number): string {
  return `${server instanceof TlsServer ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}

function hostAndPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}
