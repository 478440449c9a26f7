import { isIPv6 } from 'node:net'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import type { Config } from './config.js'
import type { Clock } from './core/clock.js'
import { DataLock } from './core/data-lock.js'
import { SheafError, systemErrorCode } from './core/errors.js'
import type { FileSystem } from './core/file-system.js'
import { invariant } from './core/invariant.js'
import type { Startable } from './core/lifecycle.js'
import type { Logger } from './core/log.js'
import type { Random } from './core/random.js'
import { levelDatabase } from './directory/database.js'
import { buildHttpApp } from './http/app.js'
import { HttpServer } from './http/server.js'
import { loadIdentity, type NodeIdentity, verifySignature } from './identity.js'
import { Storage } from './service/storage.js'

const DAY_MS = 24 * 3_600_000

export interface NodeComponents {
  readonly clock: Clock
  readonly random: Random
  readonly fileSystem: FileSystem
  readonly log: Logger
  /** Ends the process: an invariant is broken. */
  readonly fatal: (error: Error) => void
}

/** What the outside needs to know of a node that serves. */
export interface ReadyInfo {
  /** Can be connected to as it stands. */
  readonly http: string
  /** Multiaddrs that can be dialled; none in this version. */
  readonly p2p: readonly string[]
  readonly nodeId: string
}

/** One node: the place that knows every adapter. */
export class SheafNode implements Startable {
  readonly #config: Config
  readonly #version: string
  readonly #components: NodeComponents
  /** What has been started, in that order. */
  readonly #started: Startable[] = []
  #ready: ReadyInfo | undefined

  constructor(components: NodeComponents, init: { readonly config: Config; readonly version: string }) {
    this.#components = components
    this.#config = init.config
    this.#version = init.version
  }

  /** Only while the node serves. */
  get ready(): ReadyInfo {
    invariant(this.#ready !== undefined, 'the node serves')
    return this.#ready
  }

  /**
   * Takes the data folder, brings the directory up to the log, then serves. What was begun is undone when a step fails.
   *
   * @throws `ERR_DATA_LOCKED`, `ERR_IDENTITY_CORRUPT`, `ERR_FORMAT_TOO_NEW`, `ERR_DISK_WRITE`, `ERR_ADDRESS_IN_USE`, `ERR_CONFIG`
   */
  async start(): Promise<void> {
    const folder = resolve(this.#config.data)
    try {
      await this.#begin(new DataLock({ folder }))
      const identity = await loadIdentity(this.#components, folder)
      this.#components.log.info({ nodeId: identity.nodeId, version: this.#version, folder }, 'starting')
      const storage = this.#createStorage(folder, identity)
      await this.#begin(storage)
      const server = await this.#createServer(storage, identity.nodeId)
      await this.#begin(server)
      const address = server.address()
      invariant(address !== undefined, 'the server listens')
      this.#ready = { http: connectableUrl(address), p2p: [], nodeId: identity.nodeId }
    } catch (err) {
      await this.stop().catch(stopErr =>
        this.#components.log.error({ err: stopErr }, 'could not stop what was started')
      )
      const bySystem = !(err instanceof SheafError) && systemErrorCode(err) !== undefined
      throw bySystem ? folderError(folder, err) : err
    }
    this.#components.log.info({ ...this.#ready }, 'ready')
  }

  /** Takes no more requests, lets those that run end, and leaves a folder that the next start has little to do with. */
  async stop(): Promise<void> {
    this.#ready = undefined
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) await part.stop()
  }

  async #begin(part: Startable): Promise<void> {
    // First: a part that fails half way may hold something already, and stopping what did not start is harmless.
    this.#started.push(part)
    await part.start()
  }

  #createStorage(folder: string, identity: NodeIdentity): Storage {
    const { volumeBytes, purgeDays, maxUploadBytes, minCopies, requireCookie } = this.#config
    return new Storage(
      {
        ...this.#components,
        database: levelDatabase(join(folder, 'directory'), this.#components.fileSystem),
        sign: bytes => identity.sign(bytes),
        verifySignature
      },
      {
        folder,
        origin: identity.publicKey,
        volumeBytes,
        purgeMs: purgeDays * DAY_MS,
        maxUploadBytes,
        minCopies,
        requireCookie
      }
    )
  }

  async #createServer(storage: Storage, nodeId: string): Promise<HttpServer> {
    const { clock, log, fatal } = this.#components
    const { photos, maintenance, jobs } = storage
    const { http, allowHost, maxUploadBytes } = this.#config
    const app = await buildHttpApp(
      { photos, maintenance, jobs, clock, log, fatal, unready: () => storage.unready() },
      { nodeId, version: this.#version, hostName: hostname(), allowHosts: allowHost, maxUploadBytes }
    )
    return new HttpServer({ app, clock, log }, http)
  }
}

/** @returns a URL that a client on this machine can use: the address that stands for all is shown as loopback */
function connectableUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`
}

function folderError(folder: string, cause: unknown): SheafError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new SheafError('ERR_DISK_WRITE', `the data folder ${folder} cannot be used (${reason}); see --data`, { cause })
}
