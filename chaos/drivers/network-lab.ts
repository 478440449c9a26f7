import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'

/** Where the port of the nodes is. */
const P2P_PORT = 4001
/** The cut of those who make only one at a time. */
const CUT = 'cut'

const execute = promisify(execFile)

/**
 * Several hosts on one machine, as network namespaces on one bridge, which has a namespace of its own so that no firewall
 * of the machine has a say. The machine itself is on the bridge as well, to talk HTTP with every host whatever is cut
 * between them. Needs root, `ip` and `nft`.
 */
export class NetworkLab {
  readonly #prefix: string
  readonly #hosts: number
  readonly #net: number

  /**
   * @param prefix - of the namespaces' and interfaces' names: letters, at most 8
   * @param net - labs that may run at the same time have different ones. Hosts are 10.213.`net`.1… and fd00:213:`net`::1…;
   *   the machine itself looks on from .254
   */
  constructor(prefix: string, hosts: number, net = 77) {
    this.#prefix = prefix
    this.#hosts = hosts
    this.#net = net
  }

  /** @returns why no lab can be made here; undefined when one can */
  static obstacle(): string | undefined {
    if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
    if (process.getuid?.() !== 0) return 'making network namespaces needs root'
    try {
      run('nft', '--version')
      const probe = `sheafprobe${process.pid}`
      run('ip', 'netns', 'add', probe)
      run('ip', 'netns', 'del', probe)
      return undefined
    } catch (err) {
      return `network namespaces cannot be made: ${String(err)}`
    }
  }

  up(): void {
    this.down()
    run('ip', 'netns', 'add', this.#switch)
    this.#inSwitch('ip', 'link', 'set', 'lo', 'up')
    this.#inSwitch('ip', 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0')
    this.#inSwitch('ip', 'link', 'set', 'br0', 'up')
    for (let host = 1; host <= this.#hosts; host++) this.#plugIn(host)
    const inside = `${this.#prefix}in`
    const outside = `${this.#prefix}out`
    run('ip', 'link', 'add', inside, 'netns', this.#switch, 'type', 'veth', 'peer', 'name', outside)
    this.#inSwitch('ip', 'link', 'set', inside, 'master', 'br0', 'up')
    run('ip', 'addr', 'add', `${this.address(254)}/24`, 'dev', outside)
    run('ip', 'link', 'set', outside, 'up')
  }

  /** Ends what still runs in the namespaces, and removes them. Harmless when there are none. */
  down(): void {
    const names = run('ip', 'netns', 'list')
      .split('\n')
      .map(line => line.split(' ')[0] ?? '')
    for (const name of names.filter(name => name.startsWith(`${this.#prefix}-`))) {
      for (const pid of run('ip', 'netns', 'pids', name).split('\n').filter(Boolean))
        process.kill(Number(pid), 'SIGKILL')
      run('ip', 'netns', 'del', name)
    }
  }

  address(host: number): string {
    return `10.213.${this.#net}.${host}`
  }

  /** @returns without brackets */
  address6(host: number): string {
    return `fd00:213:${this.#net}::${host}`
  }

  /** Gives a host another IPv4 address, as a router does. @param as - the number in the new address */
  readdress(host: number, from: number, as: number): void {
    const inHost = (...command: string[]): string => run(...this.on(host), ...command)
    inHost('ip', 'addr', 'del', `${this.address(from)}/24`, 'dev', 'eth0')
    inHost('ip', 'addr', 'add', `${this.address(as)}/24`, 'brd', '+', 'dev', 'eth0')
    inHost('ip', 'route', 'replace', '224.0.0.0/4', 'dev', 'eth0')
  }

  /** The name of the host's namespace. */
  namespace(host: number): string {
    return this.#host(host)
  }

  /** Nobody can connect to the nodes of these hosts any more, while they can connect to others. */
  async dialOutOnly(hosts: readonly number[]): Promise<void> {
    await this.heal()
    await this.#drop(
      CUT,
      hosts.map(host => `oifname ${this.#port(host)} tcp dport ${P2P_PORT}`)
    )
  }

  /** @returns the command that runs what follows it on the host, as the same process */
  on(host: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#host(host)]
  }

  /** Nothing passes between hosts of different groups any more; nobody is told. */
  async partition(...groups: readonly (readonly number[])[]): Promise<void> {
    await this.heal()
    await this.cut(
      CUT,
      groups.flatMap((group, i) => {
        const others = groups.toSpliced(i, 1).flat()
        return group.flatMap(from => others.map(to => [from, to] as const))
      })
    )
  }

  /** Nothing gets from one host to the others any more, while all gets back. */
  async oneWay(from: number, to: readonly number[]): Promise<void> {
    await this.heal()
    await this.cut(
      CUT,
      to.map(host => [from, host] as const)
    )
  }

  /**
   * Nothing gets from one host to the other of each pair any more, whatever other cuts there are. Each is a table of its own.
   *
   * @param name - of the cut: letters, digits, `_` and `-`; it is not in force now
   */
  cut(name: string, pairs: readonly (readonly [from: number, to: number])[]): Promise<void> {
    return this.#drop(
      name,
      pairs.map(([from, to]) => `iifname ${this.#port(from)} oifname ${this.#port(to)}`)
    )
  }

  /** Ends a cut. @returns how many packets it dropped; 0 when it was not in force */
  async heal(name = CUT): Promise<number> {
    const table = tableOf(name)
    const tables = (await this.#nft('list', 'tables', 'bridge')).split('\n')
    if (!tables.includes(`table bridge ${table}`)) return 0
    const rules = await this.#nft('list', 'table', 'bridge', table)
    await this.#nft('delete', 'table', 'bridge', table)
    return [...rules.matchAll(/counter packets (\d+)/g)].reduce((sum, [, packets]) => sum + Number(packets), 0)
  }

  #plugIn(host: number): void {
    const name = this.#host(host)
    const port = this.#port(host)
    run('ip', 'netns', 'add', name)
    run('ip', 'link', 'add', port, 'netns', this.#switch, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    this.#inSwitch('ip', 'link', 'set', port, 'master', 'br0', 'up')
    const inHost = (...command: string[]): string => run(...this.on(host), ...command)
    inHost('ip', 'link', 'set', 'lo', 'up')
    inHost('ip', 'addr', 'add', `${this.address(host)}/24`, 'brd', '+', 'dev', 'eth0')
    inHost('ip', 'addr', 'add', `${this.address6(host)}/64`, 'dev', 'eth0', 'nodad')
    inHost('ip', 'link', 'set', 'eth0', 'up')
    inHost('ip', 'route', 'add', '224.0.0.0/4', 'dev', 'eth0') // multicast has no other route
  }

  /** @param matches - rules of nft, without the verdict; all come into force at once */
  async #drop(name: string, matches: readonly string[]): Promise<void> {
    const rules = matches.map(match => `${match} counter drop`)
    const chain = ['type filter hook forward priority 0', ...rules].join('\n')
    await this.#nft(`table bridge ${tableOf(name)} {\nchain passing {\n${chain}\n}\n}`)
  }

  /** Does not block, so that clients of the nodes go on meanwhile. @returns what it wrote. @throws with what it complained about */
  async #nft(...command: string[]): Promise<string> {
    const { stdout } = await execute('ip', ['netns', 'exec', this.#switch, 'nft', ...command])
    return stdout
  }

  get #switch(): string {
    return `${this.#prefix}-switch`
  }

  #host(host: number): string {
    return `${this.#prefix}-${host}`
  }

  #port(host: number): string {
    return `${this.#prefix}p${host}`
  }

  #inSwitch(...command: string[]): string {
    return run('ip', 'netns', 'exec', this.#switch, ...command)
  }
}

/** A cut may be called like a word of nft. */
function tableOf(name: string): string {
  return `cut-${name}`
}

/** @returns what the command wrote. @throws with what it complained about */
function run(...command: readonly string[]): string {
  const [program = '', ...args] = command
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
