import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Stands for whoever connects by a Unix socket. */
const UNIX = 'unix'

/** Who sent a request, and what for, as far as it can be believed. */
export interface Sender {
  /** IP address; undefined: it came by a Unix socket. */
  readonly address: string | undefined
  /** The host that it asked for, as in a Host header. */
  readonly host: string | undefined
  /** It asked by https. */
  readonly isSecure: boolean
}

/**
 * Believes `X-Forwarded-For`, `-Host` and `-Proto` of the proxies that the operator names, and of nobody else: anybody can
 * send them.
 */
export class Forwarded {
  readonly #trusted = new BlockList()
  readonly #trustsUnix: boolean

  /** @param proxies - IP addresses, CIDRs, or `unix` */
  constructor(proxies: readonly string[]) {
    this.#trustsUnix = proxies.includes(UNIX)
    for (const proxy of proxies) {
      const [address = '', bits] = proxy.split('/')
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
      if (isIP(address) === 0) continue // unix
      if (bits === undefined) this.#trusted.addAddress(address, family)
      else this.#trusted.addSubnet(address, Number(bits), family)
    }
  }

  senderOf({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): Sender {
    const { remoteAddress } = socket
    const isSecure = (socket as TLSSocket).encrypted === true
    if (!this.#trusts(remoteAddress)) return { address: remoteAddress, host: headers.host, isSecure }
    const proto = lastOf(headers['x-forwarded-proto'])?.toLowerCase()
    return {
      address: this.#client(remoteAddress, headers['x-forwarded-for']),
      host: lastOf(headers['x-forwarded-host']) ?? headers.host,
      isSecure: proto === 'https' || (proto !== 'http' && isSecure)
    }
  }

  /** From the nearest hop outwards, the first that is no proxy of ours: what stands before it, that one may have made up. */
  #client(nearest: string | undefined, forwardedFor: string | string[] | undefined): string | undefined {
    let client = nearest
    for (const hop of listOf(forwardedFor).reverse()) {
      if (isIP(hop) === 0) break
      client = hop
      if (!this.#trusts(hop)) break
    }
    return client
  }

  #trusts(address: string | undefined): boolean {
    if (address === undefined) return this.#trustsUnix
    const family = isIP(address)
    return family !== 0 && this.#trusted.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
}

function listOf(header: string | string[] | undefined): string[] {
  return header === undefined
    ? []
    : [header]
        .flat()
        .join(',')
        .split(',')
        .map(item => item.trim())
}

function lastOf(header: string | string[] | undefined): string | undefined {
  return listOf(header).at(-1)
}
