import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { HttpClient } from '../../support/http-client.js'
import { NodeProcess } from '../../support/node-process.js'
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
  /** By how much the machine's clock is ahead. */
  readonly skewSeconds?: number
}

export interface MemberJson {
  readonly id: string
  readonly name: string
  readonly self: boolean
  readonly addresses: readonly string[]
  readonly state: 'alive' | 'via' | 'suspect' | 'down' | 'left'
}

export interface VolumeJson {
  readonly logical_volume: string
  readonly state: string
  readonly head: { readonly length: number; readonly digest: string }
  readonly holes: readonly unknown[]
}

/** A real node on a host of its own; its processes live one after the other. */
export class LabNode {
  readonly name: string
  readonly #init: LabNodeInit
  #client: HttpClient
  /** The number in its machine's address. */
  #address: number
  #process: NodeProcess | undefined

  constructor(init: LabNodeInit) {
    this.#init = init
    this.name = `n${init.host}`
    this.#address = init.host
    this.#client = this.#newClient()
  }

  get client(): HttpClient {
    return this.#client
  }

  /** Whether clocks can be faked here. */
  static canSkew(): boolean {
    return existsSync(FAKETIME)
  }

  get process(): NodeProcess {
    if (this.#process === undefined) throw new Error(`${this.name} does not run`)
    return this.#process
  }

  async start(): Promise<void> {
    const { lab, host, hosts, skewSeconds = 0 } = this.#init
    const others = Array.from({ length: hosts }, (_, i) => `${lab.address(i + 1)}:4001`)
    const { flags = ['--p2p', '0.0.0.0:4001', '--open-cluster', '--join', others.join()] } = this.#init
    this.#process = await NodeProcess.start({
      dataDir: this.#data,
      launcher: lab.on(host),
      environment:
        skewSeconds === 0
          ? {}
          : {
              LD_PRELOAD: FAKETIME,
              FAKETIME: `${skewSeconds > 0 ? '+' : ''}${skewSeconds}s`,
              DONT_FAKE_MONOTONIC: '1'
            },
      flags: ['--http', '0.0.0.0:8000', ...flags, '--name', this.name]
    })
  }

  async kill(): Promise<void> {
    await this.process.kill9()
    this.#process = undefined
  }

  /** Its machine gets another IPv4 address while it runs. @param as - the number in the new one */
  moveTo(as: number): void {
    this.#client.close()
    this.#init.lab.readdress(this.#init.host, this.#address, as)
    this.#address = as
    this.#client = this.#newClient()
  }

  /** Empties the disk of a node that does not run: it comes back as a new one. */
  wipe(): void {
    rmSync(this.#data, { recursive: true })
  }

  async stop(): Promise<void> {
    this.client.close()
    await this.#process?.stop()
    this.#process = undefined
  }

  async members(): Promise<readonly MemberJson[]> {
    const { members } = await this.client.json<{ members: MemberJson[] }>('GET', '/cluster', 200)
    return members
  }

  /** @returns how many members, this one included, it takes to be alive */
  async aliveCount(): Promise<number> {
    return (await this.members()).filter(({ state }) => state === 'alive').length
  }

  async directoryDigest(): Promise<string> {
    return (await this.client.json<{ directory_digest: string }>('GET', '/status', 200)).directory_digest
  }

  async volumes(): Promise<readonly VolumeJson[]> {
    return (await this.client.json<{ volumes: VolumeJson[] }>('GET', '/volumes', 200)).volumes
  }

  #newClient(): HttpClient {
    return new HttpClient(`http://${this.#init.lab.address(this.#address)}:8000`, { timeoutMs: 15_000 })
  }

  get #data(): string {
    return join(this.#init.folder, this.name)
  }
}
