import type { Clock } from '../../src/core/clock.js'
import { RECORD_FORMATS, type RecordFormats } from '../../src/domain/formats.js'
import type { NodeId } from '../../src/domain/ids.js'
import { ownVersion } from '../../src/network/node-version.js'
import type { SeededRandom } from './seeded-random.js'
import { type LinkQuality, SimulatedLinks } from './simulated-links.js'
import { type Hosts, SimulatedTransport } from './simulated-transport.js'

const ANNOUNCE_MS = 50

/**
 * A network in memory, under one seed: links with delays that are cut one way or both, connections that end with a process
 * or, after a while, when a link stays silent, and hints that are lost, repeated and overtaken.
 */
export class SimulatedNetwork implements Hosts {
  /** Cuts, delays and counts. */
  readonly links: SimulatedLinks
  /** What handlers threw that they should not: anything but a SheafError. */
  readonly defects: unknown[] = []
  readonly #clock: Clock
  readonly #addresses = new Map<NodeId, string>()
  readonly #listening = new Map<string, SimulatedTransport>()

  constructor(
    components: { readonly clock: Clock; readonly random: SeededRandom },
    init: { readonly quality?: Partial<LinkQuality> } = {}
  ) {
    this.#clock = components.clock
    this.links = new SimulatedLinks(components, init)
  }

  /**
   * The transport of a new process of a node. That of its last process must have been stopped or have died.
   *
   * @param init.clusterKey - nodes with different ones refuse each other
   */
  transport(
    self: NodeId,
    init: { readonly clusterKey?: string; readonly formats?: RecordFormats } = {}
  ): SimulatedTransport {
    const { clusterKey = '', formats = RECORD_FORMATS } = init
    const version = ownVersion('simulated', formats)
    const onDefect = (err: unknown): void => void this.defects.push(err)
    return new SimulatedTransport(
      { links: this.links, hosts: this },
      { self, address: this.addressOf(self), clusterKey, version, onDefect }
    )
  }

  owner(address: string): NodeId | undefined {
    for (const [node, own] of this.#addresses) if (own === address) return node
    return undefined
  }

  at(address: string): SimulatedTransport | undefined {
    return this.#listening.get(address)
  }

  /** A process has begun to listen: those on the network find each other. */
  join(transport: SimulatedTransport): void {
    this.#listening.set(transport.address, transport)
    for (const other of this.#listening.values()) {
      if (other === transport) continue
      this.#announce(transport, other)
      this.#announce(other, transport)
    }
  }

  leave(transport: SimulatedTransport): void {
    if (this.#listening.get(transport.address) === transport) this.#listening.delete(transport.address)
  }

  #announce(from: SimulatedTransport, to: SimulatedTransport): void {
    this.#clock.schedule(ANNOUNCE_MS, () => {
      if (!this.links.isCut(from.self, to.self)) to.discovered(from.addresses())
    })
  }

  /** @returns where the node listens when it runs, without a peer id */
  addressOf(node: NodeId): string {
    let address = this.#addresses.get(node)
    if (address === undefined) {
      const number = this.#addresses.size + 1
      address = `/ip4/10.0.${number >> 8}.${number & 255}/tcp/4001`
      this.#addresses.set(node, address)
    }
    return address
  }
}
