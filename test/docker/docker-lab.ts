import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import type { MemberJson, VolumeJson } from '../../chaos/drivers/cluster-node.js'
import { HttpClient, NoAnswer } from '../support/http-client.js'
import { REPOSITORY } from '../support/node-process.js'
import { sha256Hex } from '../support/photo-maker.js'
import { SeededRandom } from '../support/seeded-random.js'
import { until } from '../support/until.js'

const execute = promisify(execFile)
/** From the end of all faults to nodes that agree. */
const CONVERGENCE_MS_MAX = 60_000
const PHOTO_BYTES_MAX = 300_000
/** Room for what `docker inspect` and a node's log print. */
const OUTPUT_BYTES_MAX = 64 * 2 ** 20
/** Kernel table of the packets that are dropped, one in each node's namespace. */
const TABLE = 'sheaf_test'

export type NetworkKind = 'bridge' | 'overlay'

/** What a client was told of a photo. */
interface Known {
  readonly sha256: string
  deleted: boolean
}

/** @returns why no containers can be had here, as the setup found out and said */
export function dockerObstacle(): string | undefined {
  return process.env.SHEAF_DOCKER_OBSTACLE
}

/** The client that the setup chose. */
export function docker(...args: string[]): Promise<string> {
  return output(process.env.DOCKER ?? 'docker', args)
}

/** @throws with all that was printed when the command fails */
export async function output(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}
): Promise<string> {
  try {
    const { stdout } = await execute(command, args, { maxBuffer: OUTPUT_BYTES_MAX, ...options })
    return stdout.trim()
  } catch (err) {
    const { stdout = '', stderr = '' } = err as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`, { cause: err })
  }
}

/** One node in a container. */
export class DockerNode {
  readonly name: string
  readonly #kind: NetworkKind
  readonly #network: string
  #client: HttpClient | undefined

  constructor(name: string, kind: NetworkKind, network: string) {
    this.name = name
    this.#kind = kind
    this.#network = network
  }

  /** At its present address, which another start may change. */
  get client(): HttpClient {
    if (this.#client === undefined) throw new Error(`nobody has waited for ${this.name}`)
    return this.#client
  }

  close(): void {
    this.#client?.close()
  }

  /** Waits until it serves. */
  async untilReady(msMax = 60_000): Promise<void> {
    await until(`${this.name} serves`, msMax, async () => {
      try {
        this.close()
        // this machine is on the bridge; into an overlay network it comes by the gateway bridge that each container has
        const network = this.#kind === 'bridge' ? this.#network : 'docker_gwbridge'
        this.#client = new HttpClient(`http://${await this.#addressIn(network)}:8000`, { timeoutMs: 15_000 })
        return (await this.#client.request('GET', '/health/ready')).status === 200
      } catch {
        return false // not running yet, or without an address
      }
    })
  }

  /** Its address among the nodes. */
  address(): Promise<string> {
    return this.#addressIn(this.#network)
  }

  async #addressIn(network: string): Promise<string> {
    const networks = JSON.parse(await docker('network', 'inspect', network)) as [
      { Containers: Record<string, { IPv4Address: string }> }
    ]
    const id = await this.inspect('{{.Id}}')
    const address = networks[0].Containers[id]?.IPv4Address.split('/')[0]
    if (!address) throw new Error(`${this.name} has no address in ${network}`)
    return address
  }

  inspect(format: string): Promise<string> {
    return docker('inspect', '--type', 'container', '--format', format, this.name)
  }

  /** On this machine, of the container's first process. */
  async pid(): Promise<number> {
    return Number(await this.inspect('{{.State.Pid}}'))
  }

  /** On this machine: of the node itself, then of its image process, if there is one. */
  async nodePids(): Promise<number[]> {
    const children = (pid: number): number[] =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
    const [node = 0] = children(await this.pid())
    return [node, ...children(node)]
  }

  restartCount(): Promise<string> {
    return this.inspect('{{.RestartCount}}')
  }

  /** A command inside. */
  exec(...args: string[]): Promise<string> {
    return docker('exec', this.name, ...args)
  }

  /** Stores bytes from inside, which works without any network. @returns the photo's id */
  putInside(bytes: Uint8Array): string {
    const args = ['exec', '--interactive', this.name, 'sh', '-c', 'cat > /tmp/inside.bin && sheaf put /tmp/inside.bin']
    return execFileSync(process.env.DOCKER ?? 'docker', args, { input: bytes, encoding: 'utf8' }).trim()
  }

  /** Stdout and stderr. */
  async log(): Promise<string> {
    const { stdout, stderr } = await execute(process.env.DOCKER ?? 'docker', ['logs', this.name], {
      maxBuffer: OUTPUT_BYTES_MAX
    })
    return stdout + stderr
  }

  async members(): Promise<readonly MemberJson[]> {
    return (await this.client.json<{ members: MemberJson[] }>('GET', '/cluster', 200)).members
  }

  async aliveCount(): Promise<number> {
    return (await this.members()).filter(({ state }) => state === 'alive').length
  }

  /** Drops all packets from and to the addresses, silently, in this node's own namespace. */
  async cutFrom(addresses: readonly string[]): Promise<void> {
    const set = addresses.join(', ')
    const rules = [
      `table inet ${TABLE} {`,
      `  chain in { type filter hook input priority 0; ip saddr { ${set} } drop; }`,
      `  chain out { type filter hook output priority 0; ip daddr { ${set} } drop; }`,
      '}'
    ]
    await this.#nft(rules.join('\n'))
  }

  async heal(): Promise<void> {
    await this.#nft(`delete table inet ${TABLE}`)
  }

  async #nft(rules: string): Promise<void> {
    const args = [`--net=/proc/${await this.pid()}/ns/net`, 'nft', '-f', '-']
    execFileSync('nsenter', args, { input: `${rules}\n`, stdio: ['pipe', 'ignore', 'pipe'] })
  }
}

/** Nodes in containers on a network of their own, and what clients were told of their photos. */
export class DockerLab {
  readonly network: string
  readonly kind: NetworkKind
  nodes: DockerNode[] = []
  readonly #photos = new Map<string, Known>()
  /** Digests of uploads that got no answer: they may be there, whole, or not. */
  readonly #unanswered = new Set<string>()
  readonly #random: SeededRandom
  /** Of the scripts. */
  readonly #environment: Readonly<Record<string, string>>

  /** @param runOptions - more options of `docker run` */
  constructor(name: string, kind: NetworkKind, seed: number, runOptions = '') {
    this.network = `sheaf-test-${name}`
    this.kind = kind
    this.#random = new SeededRandom(seed)
    this.#environment = {
      SHEAF_PREFIX: `sheaf-test-${name}`,
      SHEAF_NETWORK: this.network,
      SHEAF_RUN_OPTIONS: runOptions
    }
  }

  async up(): Promise<void> {
    await this.down()
    await this.script('network', this.kind)
  }

  script(name: string, ...args: string[]): Promise<string> {
    return this.scriptWith({}, name, ...args)
  }

  scriptWith(environment: Readonly<Record<string, string>>, name: string, ...args: string[]): Promise<string> {
    const env = { ...process.env, ...this.#environment, SHEAF_ADVERTISE_ADDR: '127.0.0.1', ...environment }
    return output(join(REPOSITORY, 'docker', name), args, { env })
  }

  /** Runs `docker/scale`, then waits for every node there is. */
  async scale(count: number, ...settings: string[]): Promise<void> {
    await this.script('scale', String(count), ...settings)
    await this.findNodes()
    await this.untilWhole()
  }

  /** Takes the containers as they are now. */
  async findNodes(): Promise<void> {
    const names = await docker(
      'ps',
      '--all',
      '--filter',
      `label=io.sheaf.cluster=${this.network}`,
      '--format',
      '{{.Names}}'
    )
    const known = new Map(this.nodes.map(node => [node.name, node]))
    const sorted = names.split('\n').filter(Boolean).sort()
    this.nodes = sorted.map(name => known.get(name) ?? new DockerNode(name, this.kind, this.network))
    await Promise.all(this.nodes.map(node => node.untilReady()))
  }

  async untilWhole(msMax = 60_000): Promise<void> {
    const count = this.nodes.length
    await until(`all of ${count} see all`, msMax, async () => {
      return (await Promise.all(this.nodes.map(node => node.aliveCount()))).every(alive => alive === count)
    })
  }

  /** @returns the photo's id */
  async upload(node: DockerNode): Promise<string> {
    const bytes = this.randomBytes(1 + this.#random.below(PHOTO_BYTES_MAX))
    try {
      const { photo_id: id } = await node.client.putPhoto(bytes, `${node.name}.bin`, 'application/octet-stream')
      this.note(id, bytes)
      return id
    } catch (err) {
      if (err instanceof NoAnswer && err.maybeApplied) this.#unanswered.add(sha256Hex(bytes))
      throw err
    }
  }

  /** Remembers a photo that was stored by other means. */
  note(id: string, bytes: Uint8Array): void {
    this.#photos.set(id, { sha256: sha256Hex(bytes), deleted: false })
  }

  randomBytes(count: number): Buffer {
    return Buffer.from(this.#random.bytes(count))
  }

  async uploadOnAll(count: number): Promise<void> {
    for (const node of this.nodes) for (let i = 0; i < count; i++) await this.upload(node)
  }

  async remove(node: DockerNode, id: string): Promise<void> {
    expect((await node.client.remove(id)).status).toBe(200)
    const photo = this.#photos.get(id)
    if (photo !== undefined) photo.deleted = true
  }

  /** Both sides of the cut see only themselves afterwards. */
  async partition(some: readonly DockerNode[], others: readonly DockerNode[]): Promise<void> {
    const addresses = await Promise.all(others.map(node => node.address()))
    for (const node of some) await node.cutFrom(addresses)
    await until('each side misses the other', 60_000, async () => {
      const counts = async (side: readonly DockerNode[]): Promise<boolean> =>
        (await Promise.all(side.map(node => node.aliveCount()))).every(alive => alive === side.length)
      return (await counts(some)) && (await counts(others))
    })
  }

  /** Waits until all have the same, whole; then reads every photo at every node, and lets one compare all disks. */
  async expectIdentical(): Promise<void> {
    const start = performance.now()
    await this.untilWhole()
    await until('all directories and volumes agree', CONVERGENCE_MS_MAX, () => this.#agree())
    const seconds = ((performance.now() - start) / 1_000).toFixed(1)
    process.stderr.write(`  ${this.nodes.length} nodes, ${this.#photos.size} photos: identical after ${seconds} s\n`)
    for (const { photo_id: id, sha256 } of (await this.nodes[0]?.client.list())?.photos ?? []) {
      // a node was killed after it had stored this and before it could say so
      if (!this.#photos.has(id) && this.#unanswered.delete(sha256)) this.#photos.set(id, { sha256, deleted: false })
    }
    const live = [...this.#photos].filter(([, { deleted }]) => !deleted).map(([id]) => id)
    for (const { client, name } of this.nodes) {
      for (const [id, { sha256, deleted }] of this.#photos) {
        const answer = await client.photo(id)
        expect(answer.status, `${id} at ${name}`).toBe(deleted ? 410 : 200)
        if (deleted) continue
        expect(sha256Hex(answer.body), `${id} at ${name}`).toBe(sha256)
        expect(answer.headers['x-sheaf-source'], `${id} at ${name}`).toBe('local')
      }
      expect((await client.list()).photos.map(({ photo_id: id }) => id).sort()).toEqual(live.sort())
    }
    await this.nodes[0]?.exec('sheaf', 'verify', '--all-peers') // fails when anything differs
  }

  async #agree(): Promise<boolean> {
    const states = await Promise.all(
      this.nodes.map(async ({ client }) => {
        const { directory_digest: digest } = await client.json<{ directory_digest: string }>('GET', '/status', 200)
        const { volumes } = await client.json<{ volumes: VolumeJson[] }>('GET', '/volumes', 200)
        const heads = volumes.map(
          ({ logical_volume: id, head, holes }) => `${id} ${head.length} ${head.digest} ${holes.length}`
        )
        return { text: [digest, ...heads.sort()].join('\n'), whole: volumes.every(({ holes }) => holes.length === 0) }
      })
    )
    return new Set(states.map(({ text }) => text)).size === 1 && states.every(({ whole }) => whole)
  }

  /** Removes containers, volumes and network. Harmless when there are none. */
  async down(): Promise<void> {
    for (const node of this.nodes) node.close()
    this.nodes = []
    const containers = await docker('ps', '--all', '--quiet', '--filter', `network=${this.network}`)
    const labelled = await docker('ps', '--all', '--quiet', '--filter', `label=io.sheaf.cluster=${this.network}`)
    const ids = new Set([...containers.split('\n'), ...labelled.split('\n')].filter(Boolean))
    if (ids.size > 0) await docker('rm', '--force', '--volumes', ...ids)
    const volumes = (await docker('volume', 'ls', '--quiet', '--filter', `name=^${this.network}-`))
      .split('\n')
      .filter(Boolean)
    if (volumes.length > 0) await docker('volume', 'rm', ...volumes)
    const networks = await docker('network', 'ls', '--quiet', '--filter', `name=^${this.network}$`)
    if (networks !== '') await docker('network', 'rm', this.network)
  }
}
