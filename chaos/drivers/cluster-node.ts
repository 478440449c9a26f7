import { rmSync } from 'node:fs'
import { type CopyState, differencesBetween, type ReplicaState } from '../../test/checkers/agreement.js'
import { runJob } from '../../test/support/admin-job.js'
import { HttpClient } from '../../test/support/http-client.js'
import { NodeProcess, type NodeProcessInit } from '../../test/support/node-process.js'
import { DataFolder } from './data-folder.js'
import type { FakedClock } from './faked-clock.js'

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
  /** Nodes that are known to hold all of it, this one included. */
  readonly copies: number
  readonly head: { readonly length: number; readonly digest: string }
  readonly holes: readonly { readonly from: number; readonly to: number }[]
}

/** What `verify` and `scrub` find. */
export interface FaultJson {
  readonly volume: string | null
  readonly problem: string
}

export interface ClusterNodeInit {
  readonly name: string
  /** Where it keeps its data. */
  readonly data: string
  /** Where its HTTP is, now and after each start. */
  readonly url: string
  /** How it is started, beside its folder and name. */
  readonly launch: Omit<NodeProcessInit, 'dataDir'>
  /** Of its machine; default: the real one, which nobody sets. */
  readonly clock?: FakedClock
}

/** Silence after which a client takes no more answers to come. */
const CLIENT_MS = 15_000
/** What operators are told to give a node that they stop. */
const STOP_MS_MAX = 30_000

/** A real node; its processes live one after the other. */
export class ClusterNode {
  readonly name: string
  readonly #init: ClusterNodeInit
  #url: string
  #client: HttpClient
  readonly #clients = new Map<string, HttpClient>()
  #process: NodeProcess | undefined

  constructor(init: ClusterNodeInit) {
    this.#init = init
    this.name = init.name
    this.#url = init.url
    this.#client = new HttpClient(init.url, { timeoutMs: CLIENT_MS })
  }

  get url(): string {
    return this.#url
  }

  /** @param credential - of who asks; undefined: who asks else */
  clientOf(credential: string | undefined): HttpClient {
    if (credential === undefined) return this.client
    const client = this.#clients.get(credential) ?? new HttpClient(this.url, { timeoutMs: CLIENT_MS, credential })
    this.#clients.set(credential, client)
    return client
  }

  /** @param credential - of whoever asks it from now on, unless somebody else is named */
  logIn(credential: string): void {
    this.#client.close()
    this.#client = new HttpClient(this.url, { timeoutMs: CLIENT_MS, credential })
  }

  get client(): HttpClient {
    return this.#client
  }

  get process(): NodeProcess {
    if (this.#process === undefined) throw new Error(`${this.name} does not run`)
    return this.#process
  }

  get isRunning(): boolean {
    return this.#process?.alive === true
  }

  /** Of a node that does not run. */
  get folder(): DataFolder {
    return new DataFolder(this.data)
  }

  get data(): string {
    return this.#init.data
  }

  async start(): Promise<void> {
    const { launch, clock } = this.#init
    const environment = { ...launch.environment, ...clock?.environment }
    const flags = [...(launch.flags ?? []), '--name', this.name]
    this.#process = await NodeProcess.start({ ...launch, environment, dataDir: this.data, flags })
  }

  async kill(): Promise<void> {
    await this.process.kill9()
    this.#process = undefined
  }

  /** Empties the disk of a node that does not run: it comes back as a new one. */
  wipe(): void {
    rmSync(this.data, { recursive: true })
  }

  /**
   * Stops it as an operator would.
   *
   * @throws when it has not ended in time (it is killed then), and when it ends with anything but 0
   */
  async stop(): Promise<void> {
    const { process } = this
    try {
      const code = await process.stop(STOP_MS_MAX)
      if (code !== 0) throw new Error(`it ended with ${code} after SIGTERM\n${process.stderr.slice(-2_000)}`)
    } finally {
      this.#process = undefined
    }
  }

  /** Ends all that was opened to it. */
  close(): void {
    for (const client of [this.client, ...this.#clients.values()]) client.close()
  }

  /** @param offsetMs - by which the clock of its machine is ahead of the real one from now on, or a second later */
  setClock(offsetMs: number): void {
    const { clock } = this.#init
    if (clock === undefined) throw new Error(`the clock of ${this.name} is the real one, which cannot be set`)
    clock.set(offsetMs)
  }

  /** @returns what it takes the time to be, some two seconds ago at most */
  async time(): Promise<number> {
    const { headers } = await this.client.request('GET', '/health/live')
    return Date.parse(headers.date ?? '')
  }

  async members(): Promise<readonly MemberJson[]> {
    const read = (client: HttpClient) => client.json<{ members: MemberJson[] }>('GET', '/cluster', 200)
    return (await this.#asOperator(read)).members
  }

  /** @returns how many members, this one included, it takes to be alive */
  async aliveCount(): Promise<number> {
    return (await this.members()).filter(({ state }) => state === 'alive').length
  }

  async directoryDigest(): Promise<string> {
    const read = (client: HttpClient) => client.json<{ directory_digest: string }>('GET', '/status', 200)
    return (await this.#asOperator(read)).directory_digest
  }

  async volumes(): Promise<readonly VolumeJson[]> {
    const read = (client: HttpClient) => client.json<{ volumes: VolumeJson[] }>('GET', '/volumes', 200)
    return (await this.#asOperator(read)).volumes
  }

  /** What it has, to be held against what others have. */
  async replica(): Promise<ReplicaState> {
    const [directoryDigest, volumes] = await Promise.all([this.directoryDigest(), this.volumes()])
    return { name: this.name, directoryDigest, volumes: volumes.map(copyState) }
  }

  /** @returns what it finds damaged here or different at others */
  verifyAllPeers(): Promise<readonly FaultJson[]> {
    return this.#faultsOf('verify?all_peers=true')
  }

  /** Reads all its bytes. @returns what it finds damaged; what can be had elsewhere is mended */
  scrub(): Promise<readonly FaultJson[]> {
    return this.#faultsOf('scrub')
  }

  /** Tells all that a member will not come back. */
  async removeMember(id: string): Promise<void> {
    await this.#asOperator(client => client.json('DELETE', `/v1/admin/members/${id}`, 200))
  }

  /** @param job - that looks for faults */
  async #faultsOf(job: string): Promise<readonly FaultJson[]> {
    const { faults } = await this.#asOperator(client => runJob<{ faults: readonly FaultJson[] }>(client, job))
    return faults
  }

  /** Whose token is no account's, so that no clock and no lost file ends it. */
  async #asOperator<Result>(act: (client: HttpClient) => Promise<Result>): Promise<Result> {
    const client = new HttpClient(this.url, { credential: this.process.operatorToken })
    try {
      return await act(client)
    } finally {
      client.close()
    }
  }

  /** Speaks to it elsewhere from now on. */
  protected moveClient(url: string): void {
    this.#client.close()
    this.#url = url
    this.#client = new HttpClient(url, { timeoutMs: CLIENT_MS })
  }
}

/** Whether each takes all to be alive. */
export async function allSee(nodes: readonly ClusterNode[]): Promise<boolean> {
  return (await Promise.all(nodes.map(node => node.aliveCount()))).every(alive => alive === nodes.length)
}

/** @returns what differs between their directories and volumes, or is damaged, in words */
export async function differencesOf(nodes: readonly ClusterNode[]): Promise<readonly string[]> {
  return differencesBetween(await Promise.all(nodes.map(node => node.replica())))
}

/**
 * Lets the first node read all that it has, and compare itself with all others. Volumes whose needles are elsewhere by now
 * may be there or not.
 *
 * @returns what differs or is damaged, in words
 */
export async function faultsOf(nodes: readonly ClusterNode[]): Promise<readonly string[]> {
  const [first] = nodes
  return ((await first?.verifyAllPeers()) ?? []).map(fault => JSON.stringify(fault))
}

function copyState({ logical_volume: id, head, holes }: VolumeJson): CopyState {
  return { id, content: `${head.length} ${head.digest}`, holes: holes.map(({ from, to }) => `${from}-${to}`).join() }
}
