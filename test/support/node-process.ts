import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OPERATOR_TOKEN_FILE } from '../../src/core/operator-token.js'

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
/** The program under test; `SHEAF_TEST_MAIN` tries another build, e.g. one with a planted fault. */
export const MAIN = process.env.SHEAF_TEST_MAIN ?? join(REPOSITORY, 'dist', 'main.js')

export interface NodeProcessInit {
  readonly dataDir: string
  /** Default: the program under test. */
  readonly main?: string
  /** Flags of `sheaf start` beside `--data`, `--log-level` and those that keep it alone; a later one wins. */
  readonly flags?: readonly string[]
  /** Command that runs what follows it as the same process, e.g. on another host of a lab. */
  readonly launcher?: readonly string[]
  /** Beside the test's own environment. */
  readonly environment?: Readonly<Record<string, string>>
  /** Node's own flags, e.g. `--cpu-prof`. */
  readonly nodeFlags?: readonly string[]
  readonly logLevel?: string
  /** How long the node may take to print its ready line, in ms. */
  readonly readyMsMax?: number
}

/** One JSON line of the node's log. */
export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

export interface Memory {
  readonly rssBytes: number
  /** Greatest resident set since the process began. */
  readonly peakBytes: number
}

/** Ports of its own choice on loopback, and no search for others: tests at once must not find each other. */
const ALONE = ['--p2p', '127.0.0.1:0', '--mdns', 'off', '--model', 'none']

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A real `sheaf start`, as a child process on a port of its own choice. */
export class NodeProcess {
  readonly #init: NodeProcessInit
  readonly #child: ChildProcess
  readonly #exit: Promise<number | string>
  readonly #spawnedAt = performance.now()
  #stdout = ''
  #stderr = ''
  #ready: { readonly http: string; readonly p2p: readonly string[]; readonly metrics?: string } | undefined
  #readyMs = Number.NaN

  private constructor(init: NodeProcessInit) {
    this.#init = init
    const args = ['start', '--data', init.dataDir, '--log-level', init.logLevel ?? 'info', ...ALONE]
    // addresses of HTTP add up
    if (init.flags?.includes('--http') !== true) args.push('--http', '127.0.0.1:0')
    const program = [...(init.launcher ?? []), process.execPath, ...(init.nodeFlags ?? []), init.main ?? MAIN]
    const child = spawn(program[0] as string, [...program.slice(1), ...args, ...(init.flags ?? [])], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...cleanEnvironment(), ...init.environment }
    })
    running.add(child)
    this.#child = child
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#exit = new Promise((resolve, reject) => {
      child.once('error', reject)
      // 'close' and not 'exit', so that all the process wrote has been read
      child.once('close', (code, signal) => {
        running.delete(child)
        resolve(code ?? signal ?? 'unknown')
      })
    })
  }

  /** Starts the process without waiting for its ready line. */
  static spawn(init: NodeProcessInit): NodeProcess {
    return new NodeProcess(init)
  }

  /** @throws with the node's log when it ends or stays silent instead of becoming ready */
  static async start(init: NodeProcessInit): Promise<NodeProcess> {
    const node = new NodeProcess(init)
    await node.untilReady()
    return node
  }

  get url(): string {
    if (this.#ready === undefined) throw new Error('the node is not ready')
    return this.#ready.http
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the node was not started')
    return this.#child.pid
  }

  /** Where others find the node. */
  get p2p(): string {
    const [address] = this.#ready?.p2p ?? []
    if (address === undefined) throw new Error('the node is not ready')
    return address
  }

  /** Where a node with `--metrics` serves them. */
  get metrics(): string {
    if (this.#ready?.metrics === undefined) throw new Error('the node is not ready, or has no port for metrics')
    return this.#ready.metrics
  }

  /** Milliseconds from the spawn to the ready line. */
  get readyMs(): number {
    return this.#readyMs
  }

  /** Undefined: the node is of a build that has none. */
  get operatorToken(): string | undefined {
    const path = join(this.#init.dataDir, OPERATOR_TOKEN_FILE)
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
  }

  /** All that the node wrote to stderr so far. */
  get stderr(): string {
    return this.#stderr
  }

  get alive(): boolean {
    return running.has(this.#child)
  }

  async untilReady(): Promise<void> {
    if (this.#ready !== undefined) return
    const msMax = this.#init.readyMsMax ?? 120_000
    const line = await Promise.race([
      this.#readyLine(),
      this.#exit.then(code => `exit ${code}`),
      new Promise<string>(resolve => setTimeout(resolve, msMax, `no ready line within ${msMax} ms`).unref())
    ])
    if (!line.startsWith('ready ')) {
      await this.kill9()
      throw new Error(`the node did not start: ${line}\n${this.#stderr.slice(-4_000)}`)
    }
    this.#readyMs = performance.now() - this.#spawnedAt
    this.#ready = JSON.parse(line.slice('ready '.length)) as { http: string; p2p: string[]; metrics?: string }
  }

  /** @returns the log's JSON lines; lines that are none are left out */
  log(): LogLine[] {
    return this.#stderr.split('\n').flatMap(line => {
      try {
        return line.startsWith('{') ? [JSON.parse(line) as LogLine] : []
      } catch {
        return [] // the last line of a killed process may be torn
      }
    })
  }

  memory(): Memory {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const bytesOf = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
    return { rssBytes: bytesOf('VmRSS'), peakBytes: bytesOf('VmHWM') }
  }

  /** @returns what `work` answers, and by how much the resident set rose meanwhile above what it was before */
  async whileWatchingMemory<Result>(
    work: () => Promise<Result>
  ): Promise<{ readonly result: Result; readonly riseBytes: number }> {
    const before = this.memory().rssBytes
    let greatest = before
    const watching = setInterval(() => {
      greatest = Math.max(greatest, this.memory().rssBytes)
    }, 50)
    try {
      const result = await work()
      return { result, riseBytes: Math.max(greatest, this.memory().rssBytes) - before }
    } finally {
      clearInterval(watching)
    }
  }

  /** SIGSTOP: the process stands still until it is to go on. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  /** SIGCONT. */
  continue(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends the process without a chance to clean up; harmless when it has ended. */
  async kill9(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }

  /**
   * Stops the node as an operator would.
   *
   * @returns the exit code
   * @throws when it has not ended in time (it is killed then)
   */
  async stop(msMax = 60_000): Promise<number | string> {
    this.#child.kill('SIGTERM')
    const code = await Promise.race([
      this.#exit,
      new Promise<undefined>(resolve => setTimeout(resolve, msMax, undefined).unref())
    ])
    if (code !== undefined) return code
    await this.kill9()
    throw new Error(`the node did not stop within ${msMax / 1_000} s of SIGTERM\n${this.#stderr.slice(-4_000)}`)
  }

  /** Stops this process if it still runs and starts a fresh one on the same folder. */
  async restart(change: Partial<NodeProcessInit> = {}): Promise<NodeProcess> {
    if (this.alive) await this.stop()
    return NodeProcess.start({ ...this.#init, ...change })
  }

  /** @returns how the process ended: its exit code or the signal's name */
  exit(): Promise<number | string> {
    return this.#exit
  }

  #readyLine(): Promise<string> {
    return new Promise(resolve => {
      this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        this.#stdout += text
        const line = this.#stdout.split('\n').find(candidate => candidate.startsWith('ready '))
        if (line !== undefined && this.#stdout.includes(`${line}\n`)) resolve(line)
      })
    })
  }
}

/** Kills every node that this process started and that still runs; for `afterEach` and failures. */
export async function killAllNodes(): Promise<void> {
  await Promise.all(
    [...running].map(async child => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    })
  )
}

export interface CommandResult {
  readonly code: number | string
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs a client command of the real program to its end. */
export function sheaf(args: readonly string[], nodeUrl?: string): Promise<CommandResult> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...(nodeUrl === undefined ? {} : { SHEAF_NODE: nodeUrl }) }
  })
  running.add(child)
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (piece: Buffer) => stdout.push(piece))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code: code ?? signal ?? 'unknown', stdout: Buffer.concat(stdout), stderr })
    })
  })
}

/** @returns the environment without SHEAF_ variables, which would reach into the test */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SHEAF_')))
}

/** A folder that is removed when `remove` is called, or with the machine's temporary files. */
export function temporaryFolder(label: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `sheaf-${label}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
