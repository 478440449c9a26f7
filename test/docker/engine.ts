import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { until } from '../support/until.js'

/** The engine and the base images stay here: the next run takes a tenth of the time. */
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sheaf-test-docker')

/** Debian's; another client may come before it on the PATH, and it may be a newer one that asks for BuildKit. */
const DEBIAN_CLIENT = '/usr/bin/docker'
const DEBIAN_DAEMON = '/usr/sbin/dockerd'
const DEBIAN_PACKAGES = ['docker.io', 'debootstrap', 'nftables', 'iproute2', 'util-linux']
const TOOLS = ['debootstrap', 'nft', 'nsenter', 'ip']

export interface Engine {
  /** The client to call. */
  readonly docker: string
  /** For DOCKER_HOST; undefined: the client's own default. */
  readonly host: string | undefined
  /** Whether {@link prepareEngine} started it, with a folder of its own. */
  readonly isOwn: boolean
  /** Stops what {@link prepareEngine} started. */
  stop(): Promise<void>
}

/**
 * Uses the engine that answers, else starts one of Debian's packages, which are installed when they are not there.
 *
 * @throws with what is missing
 */
export async function prepareEngine(say: (line: string) => void): Promise<Engine> {
  if (process.platform !== 'linux')
    throw new Error('the networks of containers are cut with nftables, which needs Linux')
  if (process.getuid?.() !== 0) throw new Error('making a base image and cutting networks needs root')
  const own = process.env.DOCKER ?? 'docker'
  const answers = (docker: string, host?: string): boolean => {
    try {
      execFileSync(docker, ['info'], { stdio: 'ignore', env: environment(host) })
      return true
    } catch {
      return false
    }
  }
  const packages = TOOLS.every(isOnPath) ? [] : DEBIAN_PACKAGES.slice(1)
  const foundEngine = answers(own)
  if (!foundEngine && !existsSync(DEBIAN_DAEMON)) packages.unshift('docker.io')
  if (packages.length > 0) install(packages, say)
  if (foundEngine) {
    say(`containers: the engine that answers ${own}`)
    return { docker: own, host: process.env.DOCKER_HOST, isOwn: false, stop: async () => {} }
  }

  mkdirSync(CACHE, { recursive: true })
  const host = `unix://${join(CACHE, 'engine.sock')}`
  const pidFile = join(CACHE, 'engine.pid')
  if (!answers(DEBIAN_CLIENT, host)) {
    const log = openSync(join(CACHE, 'engine.log'), 'a')
    const args = [
      '--data-root',
      join(CACHE, 'engine'),
      '--exec-root',
      '/run/sheaf-test-docker',
      '-H',
      host,
      '-p',
      pidFile
    ]
    spawn(DEBIAN_DAEMON, args, { detached: true, stdio: ['ignore', log, log] }).unref()
    await until('the engine answers', 30_000, async () => answers(DEBIAN_CLIENT, host))
  }
  say(`containers: an engine of its own, ${DEBIAN_DAEMON}, asked by ${DEBIAN_CLIENT} at ${host}`)
  const stop = async (): Promise<void> => {
    const pid = Number(readFileSync(pidFile, 'utf8'))
    process.kill(pid, 'SIGTERM')
    await until('the engine has ended', 60_000, async () => !existsSync(`/proc/${pid}`))
  }
  return { docker: DEBIAN_CLIENT, host, isOwn: true, stop }
}

/** @returns the environment for a client of the engine */
export function environment(host: string | undefined): NodeJS.ProcessEnv {
  return { ...process.env, DOCKER_BUILDKIT: '0', ...(host !== undefined && { DOCKER_HOST: host }) }
}

function install(packages: readonly string[], say: (line: string) => void): void {
  say(`installing ${packages.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  execFileSync('apt-get', ['update', '-qq'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const args = ['install', '-y', '-qq', '--no-install-recommends', ...packages]
  execFileSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
}

function isOnPath(tool: string): boolean {
  return (process.env.PATH ?? '').split(':').some(folder => existsSync(join(folder, tool)))
}
