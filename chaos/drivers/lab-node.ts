import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ClusterNode } from './cluster-node.js'
import type { NetworkLab } from './network-lab.js'

const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'

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
}

/** A real node on a host of its own. */
export class LabNode extends ClusterNode {
  readonly #init: LabNodeInit
  /** The number in its machine's address. */
  #address: number

  constructor(init: LabNodeInit) {
    const { lab, host, hosts, folder, skewSeconds = 0, settings = [] } = init
    const others = Array.from({ length: hosts }, (_, i) => `${lab.address(i + 1)}:4001`)
    const { flags = ['--p2p', '0.0.0.0:4001', '--open-cluster', '--join', others.join()] } = init
    super({
      name: `n${host}`,
      data: join(folder, `n${host}`),
      url: urlOf(lab, host),
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
    return existsSync(FAKETIME)
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

function skewed(seconds: number): Readonly<Record<string, string>> {
  return { LD_PRELOAD: FAKETIME, FAKETIME: `${seconds > 0 ? '+' : ''}${seconds}s`, DONT_FAKE_MONOTONIC: '1' }
}
