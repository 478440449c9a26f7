import { isIPv4, isIPv6 } from 'node:net'
import type { NodeId } from '../../domain/ids.js'
import { isLoopback } from './local-addresses.js'

/** A machine may have many interfaces; peers try the advertised addresses one after the other. */
const ADDRESSES_MAX = 4

export interface AdvertisedAddressesComponents {
  /** This machine's addresses that others can use. */
  readonly interfaces: () => readonly string[]
  /** The address from which packets to `remote` go out. */
  readonly routeTo: (remote: string) => Promise<string | undefined>
  /** The addresses from which packets to the rest of the world go out, at most one of each family. */
  readonly defaultRoutes: () => Promise<readonly string[]>
}

export interface AdvertisedAddressesInit {
  readonly self: NodeId
  /** The configured IP address, perhaps a wildcard. */
  readonly listenHost: string
  /** The port that the node listens on. */
  readonly port: number
  /** At least one. */
  readonly advertise?: readonly { readonly host: string; readonly port?: number }[] | undefined
}

/**
 * The addresses under which others reach this node: the configured ones, else the address that it listens on, else those
 * that its interfaces have at the moment, of both families where it listens on both. Interfaces that reach the most peers
 * come first, then those of the default routes.
 */
export class AdvertisedAddresses {
  readonly #components: AdvertisedAddressesComponents
  readonly #init: AdvertisedAddressesInit
  /** The interface over which each connected peer is reached. */
  readonly #routes = new Map<NodeId, string>()
  #defaultRoutes: readonly string[] = []

  constructor(components: AdvertisedAddressesComponents, init: AdvertisedAddressesInit) {
    this.#components = components
    this.#init = init
  }

  /** To be called from time to time: looks up the default routes again. */
  async refresh(): Promise<void> {
    this.#defaultRoutes = await this.#components.defaultRoutes()
  }

  /** @param remote - the peer's IP address */
  async noteConnected(peer: NodeId, remote: string): Promise<void> {
    const local = await this.#components.routeTo(remote)
    if (local !== undefined) this.#routes.set(peer, local)
  }

  noteDisconnected(peer: NodeId): void {
    this.#routes.delete(peer)
  }

  /** @returns multiaddrs with the peer id, best first, at least one */
  list(): string[] {
    const { self, listenHost, port, advertise } = this.#init
    if (advertise !== undefined) return advertise.map(({ host, port: at = port }) => multiaddrOf(host, at, self))
    if (!isWildcard(listenHost)) return [multiaddrOf(listenHost, port, self)]
    const listening = this.#components.interfaces().filter(address => listenHost === '::' || isIPv4(address))
    const rank = (address: string): number => {
      const peers = [...this.#routes.values()].filter(local => local === address).length
      return 2 * peers + (this.#defaultRoutes.includes(address) ? 1 : 0)
    }
    const ranked = listening
      .map((address, order) => ({ address, order, rank: rank(address) }))
      .sort((a, b) => b.rank - a.rank || a.order - b.order)
      .map(({ address }) => address)
    // A machine without any network can still have peers on the machine itself.
    const addresses = ranked.length === 0 ? ['127.0.0.1'] : bestOf(ranked)
    return addresses.map(address => multiaddrOf(address, port, self))
  }

  /** Whether only this machine can reach this node. */
  get localOnly(): boolean {
    return isLoopback(this.#init.listenHost)
  }
}

export function multiaddrOf(host: string, port: number, peer?: NodeId): string {
  const kind = isIPv4(host) ? 'ip4' : isIPv6(host) ? 'ip6' : 'dns'
  return `/${kind}/${host}/tcp/${port}${peer === undefined ? '' : `/p2p/${peer}`}`
}

/** @returns the first of them, and at least one of each family: an interface may have any number of IPv6 addresses */
function bestOf(ranked: readonly string[]): readonly string[] {
  const best = ranked.slice(0, ADDRESSES_MAX)
  const lacking = [isIPv4, isIPv6].find(isOf => !best.some(isOf))
  const other = lacking && ranked.find(lacking)
  return other === undefined ? best : [...best.slice(0, ADDRESSES_MAX - 1), other]
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
