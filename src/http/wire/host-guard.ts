import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { SheafError } from '../../core/errors.js'

/** Distinct Host headers remembered as allowed. */
const REMEMBERED_HOSTS_MAX = 64

/**
 * Keeps web pages of elsewhere from driving this node through the browser of someone who may reach it.
 *
 * - Host: an attacker's DNS name can be pointed at this node after the page was loaded (DNS rebinding). Only names that nobody
 *   outside can register are taken: IP literals, names without a dot, the machine's own, and those the operator allows.
 * - Origin and Sec-Fetch-Site: what a browser says about the page that asks. Another origin is refused, but for following a link
 *   (a top-level navigation by GET), which shows the answer to its user alone.
 *
 * A client that is no browser sends neither header and is not concerned.
 */
export class HostGuard {
  readonly #names: ReadonlySet<string>
  /** Host headers found allowed, as they were sent. Bounded, as a client could make up any number of them. */
  readonly #remembered = new Set<string>()

  /** @param names - allowed beside IP literals and names without a dot; without port, any case */
  constructor(names: readonly string[]) {
    this.#names = new Set(names.map(name => withoutRootDot(name.toLowerCase())))
  }

  /** @param host - the Host header as it stands */
  allowsHost(host: string): boolean {
    if (this.#remembered.has(host)) return true
    const name = hostName(host)
    if (name === undefined || !(isIP(name) !== 0 || !name.includes('.') || this.#names.has(name))) return false
    if (this.#remembered.size >= REMEMBERED_HOSTS_MAX) this.#remembered.clear()
    this.#remembered.add(host)
    return true
  }

  /** @throws `ERR_FOREIGN_ORIGIN` */
  check(method: string, headers: IncomingHttpHeaders): void {
    const { host, origin } = headers
    // Only HTTP/1.0, which no browser speaks, may leave Host out.
    if (host !== undefined && !this.allowsHost(host)) {
      throw new SheafError(
        'ERR_FOREIGN_ORIGIN',
        `the host name ${JSON.stringify(host)} is not known as this node's; allow it in the configuration or use an IP address`
      )
    }
    if (origin !== undefined && (host === undefined || originHost(origin) !== withoutDefaultPort(host.toLowerCase()))) {
      throw new SheafError('ERR_FOREIGN_ORIGIN', 'a page of another origin may not drive this node')
    }
    const site = headers['sec-fetch-site']
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation(method, headers)) {
      throw new SheafError('ERR_FOREIGN_ORIGIN', 'a page of another site may not drive this node')
    }
  }
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

/** @returns host and port as a Host header has them, without a default port; undefined for opaque origins */
function originHost(origin: string): string | undefined {
  const match = /^https?:\/\/([^/?#@]+)$/i.exec(origin)
  return match?.[1] === undefined ? undefined : withoutDefaultPort(match[1].toLowerCase())
}

function withoutDefaultPort(host: string): string {
  return host.replace(/:(80|443)?$/, '')
}
