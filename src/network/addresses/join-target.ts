import { isIP, isIPv6 } from 'node:net'
import { multiaddrOf } from './advertised-addresses.js'

/** An entry of `--join`: an address to dial as it is, or a name that may resolve to any number of nodes. */
export type JoinTarget =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'name'; readonly host: string; readonly port: number }

/** `/dns4/host/tcp/4001` is resolved here, since libp2p would dial only one of the host's addresses. */
const DNS_MULTIADDR = /^\/dns[46]?\/([^/]+)\/tcp\/(\d+)$/
const HOST_AND_PORT = /^(.+):(\d{1,5})$/

/** @param text - a DNS name or IP address with or without port (IPv6 in brackets), or a multiaddr; already validated */
export function parseJoinTarget(text: string, defaultPort: number): JoinTarget {
  if (text.startsWith('/')) {
    const [, host, port] = DNS_MULTIADDR.exec(text) ?? []
    return host === undefined ? { kind: 'address', address: text } : { kind: 'name', host, port: Number(port) }
  }
  const [, hostWithPort, portText] = isIPv6(text) ? [] : (HOST_AND_PORT.exec(text) ?? [])
  const host = (hostWithPort ?? text).replace(/^\[(.*)\]$/, '$1')
  const port = portText === undefined ? defaultPort : Number(portText)
  return isIP(host) === 0 ? { kind: 'name', host, port } : { kind: 'address', address: multiaddrOf(host, port) }
}
