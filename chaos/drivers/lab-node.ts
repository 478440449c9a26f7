import { join } from 'node:path'
import { ClusterNode } from './cluster-node.js'
import { clockObstacle, type FakedClock, skewed } from './faked-clock.js'
import type { NetworkLab } from './network-lab.js'

export interface LabNodeInit {
  readonly lab: NetworkLab
  /** From 1. */
  readonly host: number
  /** How many there are. */
  readonly hosts: number
  readonly folder: string
  /** How it meets others; default: it tries the IPv4 addresses of all hosts. */
  readonly flags?: readonly string[]
  /** Beside those. */
  readonly settings?: readonly string[]
  /** By how much the machine's clock is ahead. */
  readonly skewSeconds?: number
  /** Of the machine, where it is not that of all. */
  readonly clock?: FakedClock
}

/** A real node on a host of its own. */
export class LabNode extends ClusterNode {
  readonly #init: LabNodeInit
  /** The number in its machine's address. */
  #address: number

  constructor(init: LabNodeInit) {
    const { lab, host, hosts, folder, clock, skewSeconds = 0, settings = [] } = init
    const others = Array.from({ length: hosts }, (_, i) => `${lab.address(i + 1)}:4001`)
    const openness = settings.includes('--cluster-key') ? [] : ['--open-cluster']
    const { flags = ['--p2p', '0.0.0.0:4001', ...openness, '--join', others.join()] } = init
    super({
      name: `n${host}`,
      data: join(folder, `n${host}`),
      url: urlOf(lab, host),
      ...(clock && { clock }),
      launch: {
        launcher: lab.on(host),
        environment: skewSeconds === 0 ? {} : skewed(skewSeconds),
        flags: ['--http', '0.0.0.0:8000', ...flags, ...settings]
      }
    })
    this.#init = init
    this.#address = host
  }

  /** Whether clocks can be faked here. */
  static canSkew(): boolean {
    return clockObstacle() === undefined
  }

  /** Its machine gets another IPv4 address while it runs. @param as - the number in the new one */
  moveTo(as: number): void {
    const { lab, host } = this.#init
    lab.readdress(host, this.#address, as)
    this.#address = as
    this.moveClient(urlOf(lab, as))
  }
}

function urlOf(lab: NetworkLab, address: number): string {
  return `http://${lab.address(address)}:8000`
}
