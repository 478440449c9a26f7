import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { SheafError } from '../../core/errors.js'
import type { Sender } from './forwarded.js'

/** Names that nobody can register: RFC 6762, RFC 8375. */
const LOCAL_NAME = /\.(?:local|home\.arpa)$/
/** Allowed Host headers remembered, at most. */
const ALLOWED_HOSTS_MAX = 64

/**
 * Keeps other sites' web pages from using this node through the browser of someone who can reach it.
 *
 * - Host: an attacker can point a DNS name at this node after the page was loaded (DNS rebinding). Only names that outsiders
 *   cannot register are allowed: IP literals, names without a dot or below `local` and `home.arpa`, the machine's own, and
 *   those the operator allows.
 * - Origin and Sec-Fetch-Site: the browser names the page that sends the request. Other origins are refused, except for
 *   following a link (a top-level navigation by GET), which shows the answer only to the user.
 *
 * Clients other than browsers do not send Origin or Sec-Fetch-Site.
 */
export class HostGuard {
  readonly #names: ReadonlySet<string>
  /** Host headers already checked and allowed. Bounded, because a client could send any number of them. */
  readonly #allowedHosts = new Set<string>()

  /** @param names - allowed besides IP literals and names without a dot; without port, any case */
  constructor(names: readonly string[]) {
    this.#names = new Set(names.map(name => withoutRootDot(name.toLowerCase())))
  }

  /** @param host - the Host header, unchanged */
  allowsHost(host: string): boolean {
    if (this.#allowedHosts.has(host)) return true
    const name = hostName(host)
    if (name === undefined || !(isIP(name) !== 0 || isUnregistrable(name) || this.#names.has(name))) return false
    if (this.#allowedHosts.size >= ALLOWED_HOSTS_MAX) this.#allowedHosts.clear()
    this.#allowedHosts.add(host)
    return true
  }

  /**
   * @param sender - what the client asked for, as a proxy says; the Host header counts as well, since a page that was
   *   brought here by its DNS name can send what a proxy on its machine would
   * @throws `ERR_FOREIGN_ORIGIN` for a name that is not this node's
   */
  checkHost(headers: Pick<IncomingHttpHeaders, 'host'>, sender: Pick<Sender, 'host'>): void {
    for (const { host } of [headers, sender]) {
      // Only HTTP/1.0, which browsers do not use, may omit Host.
      if (host !== undefined && !this.allowsHost(host))
        throw new SheafError(
          'ERR_FOREIGN_ORIGIN',
          `the host name ${JSON.stringify(host)} is not known to this node; start it with --allow-host, or use an IP address`
        )
    }
  }

  /** @throws `ERR_FOREIGN_ORIGIN` for a request that a web page of another origin sends */
  checkOrigin(method: string, headers: IncomingHttpHeaders, sender: Pick<Sender, 'host' | 'isSecure'>): void {
    const { origin } = headers
    const { host, isSecure } = sender
    const isForeign = host === undefined || originHost(origin ?? '') !== withoutDefaultPort(host.toLowerCase())
    // Whoever is between could have made a page that came by plain HTTP.
    if (origin !== undefined && (isForeign || (isSecure && /^http:/i.test(origin)))) {
      throw new SheafError('ERR_FOREIGN_ORIGIN', 'a web page of another origin may not use this node')
    }
    const site = headers['sec-fetch-site']
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation(method, headers)) {
      throw new SheafError('ERR_FOREIGN_ORIGIN', 'a web page of another site may not use this node')
    }
  }
}

function isUnregistrable(name: string): boolean {
  return !name.includes('.') || LOCAL_NAME.test(name)
}

function isNavigation(method: string, headers: IncomingHttpHeaders): boolean {
  return method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
}

/** @returns lower case, without port, brackets and root dot; undefined when malformed */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d*)?$/i.exec(host)
  if (match === null) return undefined
  const [, literal, name] = match
  if (literal !== undefined) return isIP(literal) === 6 ? literal : undefined
  return name === undefined ? undefined : withoutRootDot(name.toLowerCase())
}

function withoutRootDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name
}

/** @returns host and port as in a Host header, without a default port; undefined for opaque origins */
function originHost(origin: string): string | undefined {
  const match = /^https?:\/\/([^/?#@]+)$/i.exec(origin)
  return match?.[1] === undefined ? undefined : withoutDefaultPort(match[1].toLowerCase())
}

function withoutDefaultPort(host: string): string {
  return host.replace(/:(80|443)?$/, '')
}
