import { execFileSync } from 'node:child_process'

/** Hosts are 10.213.77.1…; the machine itself looks on from .254. */
const NET = '10.213.77'
const OBSERVER = `${NET}.254`

/**
 * Several hosts on one machine, as network namespaces on one bridge, which has a namespace of its own so that no firewall
 * of the machine has a say. The machine itself is on the bridge as well, to talk HTTP with every host whatever is cut
 * between them. Needs root, `ip` and `nft`.
 */
export class NetworkLab {
  readonly #prefix: string
  readonly #hosts: number

  /** @param prefix - of the namespaces' and interfaces' names: letters, at most 8 */
  constructor(prefix: string, hosts: number) {
    this.#prefix = prefix
    this.#hosts = hosts
  }

  /** @returns why no lab can be made here; undefined when one can */
  static obstacle(): string | undefined {
    if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
    if (process.getuid?.() !== 0) return 'making network namespaces needs root'
    try {
      run('nft', '--version')
      run('ip', 'netns', 'add', 'sheafprobe')
      run('ip', 'netns', 'del', 'sheafprobe')
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
    run('ip', 'addr', 'add', `${OBSERVER}/24`, 'dev', outside)
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
    return `${NET}.${host}`
  }

  /** @returns the command that runs what follows it on the host, as the same process */
  on(host: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#host(host)]
  }

  /** Nothing passes between hosts of different groups any more; nobody is told. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.heal()
    const pairs = groups.flatMap((group, i) => {
      const others = groups.toSpliced(i, 1).flat()
      return group.flatMap(from => others.map(to => [from, to] as const))
    })
    this.#drop(pairs)
  }

  /** Nothing gets from one host to the others any more, while all gets back. */
  oneWay(from: number, to: readonly number[]): void {
    this.heal()
    this.#drop(to.map(host => [from, host] as const))
  }

  heal(): void {
    const tables = this.#inSwitch('nft', 'list', 'tables', 'bridge')
    if (tables.includes('cut')) this.#inSwitch('nft', 'delete', 'table', 'bridge', 'cut')
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
    inHost('ip', 'link', 'set', 'eth0', 'up')
    inHost('ip', 'route', 'add', '224.0.0.0/4', 'dev', 'eth0') // multicast has no other route
  }

  #drop(pairs: readonly (readonly [from: number, to: number])[]): void {
    this.#inSwitch('nft', 'add', 'table', 'bridge', 'cut')
    this.#inSwitch('nft', 'add', 'chain', 'bridge', 'cut', 'passing', '{ type filter hook forward priority 0; }')
    for (const [from, to] of pairs) {
      const match = ['iifname', this.#port(from), 'oifname', this.#port(to)]
      this.#inSwitch('nft', 'add', 'rule', 'bridge', 'cut', 'passing', ...match, 'drop')
    }
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

/** @returns what the command wrote. @throws with what it complained about */
function run(...command: readonly string[]): string {
  const [program = '', ...args] = command
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
