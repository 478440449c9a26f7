import { basename } from 'node:path'
import type { Clock } from '../../core/clock.js'
import { SheafError, systemErrorCode } from '../../core/errors.js'
import type { File, FileSystem } from '../../core/file-system.js'
import type { Logger } from '../../core/log.js'
import { fileDigest } from './model-files.js'

/** A request that brings no bytes for this long is aborted and retried. */
const STALL_MS = 30_000
/** Attempts in a row without any new bytes. */
const ATTEMPTS_MAX = 4
const RETRY_MS = 1_000
/** Statuses that are worth a retry. */
const RETRY_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

export type Fetch = (url: string, init: { headers: Record<string, string>; signal: AbortSignal }) => Promise<Response>

export interface DownloadComponents {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
  readonly fetch: Fetch
}

export interface DownloadInit {
  /** May carry a user and password, which are sent as Basic authentication and never logged. */
  readonly url: URL
  /** Target path. A partial download is in `path` + `.part`. */
  readonly path: string
  /** The file's digest. */
  readonly digest: { readonly algorithm: 'sha256' | 'sha512'; readonly value: Buffer }
  readonly bytesMax: number
  /** Called for every piece. @param total - undefined while unknown */
  readonly onBytes: (done: number, total: number | undefined) => void
  readonly signal: AbortSignal
}

/**
 * Downloads a file, resuming where an earlier attempt or process stopped. The file at `path` is always complete and verified.
 *
 * @throws `ERR_MODEL_DOWNLOAD`; the signal's reason; system errors
 */
export async function download(components: DownloadComponents, init: DownloadInit): Promise<void> {
  await new Download(components, init).run()
}

class Download {
  readonly #components: DownloadComponents
  readonly #init: DownloadInit
  readonly #part: string

  constructor(components: DownloadComponents, init: DownloadInit) {
    this.#components = components
    this.#init = init
    this.#part = `${init.path}.part`
  }

  async run(): Promise<void> {
    const { fileSystem } = this.#components
    const { path, digest, signal } = this.#init
    let resumed = await this.#fetchRest()
    for (;;) {
      const actual = await fileDigest(fileSystem, this.#part, digest.algorithm, signal)
      if (actual.equals(digest.value)) return await fileSystem.rename(this.#part, path)
      await fileSystem.remove(this.#part)
      if (!resumed) throw this.#error(`its ${digest.algorithm} is not the expected one`)
      // an earlier attempt may have downloaded its part from elsewhere
      resumed = await this.#fetchRest()
    }
  }

  /** @returns whether it resumed an earlier download */
  async #fetchRest(): Promise<boolean> {
    const { fileSystem, clock, log } = this.#components
    const file = await openPart(fileSystem, this.#part)
    try {
      const start = await file.size()
      for (let attempt = 1; ; attempt++) {
        const before = await file.size()
        const problem = await this.#attempt(file)
        if (problem === undefined) break
        if ((await file.size()) > before) attempt = 1
        if (attempt >= ATTEMPTS_MAX) throw this.#error(problem)
        log.warn({ host: this.#init.url.host, problem }, 'download was interrupted; resuming')
        await clock.sleep(RETRY_MS * 2 ** (attempt - 1), this.#init.signal)
      }
      await file.sync()
      return start > 0
    } finally {
      await file.close()
    }
  }

  /** @returns the problem, if a retry may help; undefined when the file is complete */
  async #attempt(file: File): Promise<string | undefined> {
    const { signal } = this.#init
    const watch = new StallWatch(this.#components.clock, signal)
    try {
      const response = await this.#ask(file, watch.signal)
      if (response === 'complete') return undefined
      return await this.#receive(file, response, watch)
    } catch (err) {
      signal.throwIfAborted()
      if (err instanceof SheafError || !(err instanceof Error)) throw err
      if (systemErrorCode(err) !== undefined) throw err // the disk's: fetch reports network errors as a cause
      return watch.signal.aborted ? `no bytes arrived for ${STALL_MS / 1_000} s` : reasonOf(err)
    } finally {
      watch.end()
    }
  }

  async #ask(file: File, signal: AbortSignal): Promise<Response | 'complete'> {
    const { url } = this.#init
    const offset = await file.size()
    const headers: Record<string, string> = { 'accept-encoding': 'identity' }
    if (offset > 0) headers.range = `bytes=${offset}-`
    const address = new URL(url)
    if (url.username !== '') {
      const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
      headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
      address.username = ''
      address.password = ''
    }
    const response = await this.#components.fetch(address.href, { headers, signal })
    if (response.status === 416 && offset > 0) return 'complete' // the digest shows whether it is
    if (response.status === 200 || (response.status === 206 && startsAt(response, offset))) return response
    await response.body?.cancel()
    if (response.status === 206) {
      await file.truncate(0)
      throw new Error('the server sent another range than requested')
    }
    if (RETRY_STATUSES.has(response.status)) throw new Error(`the server answered ${response.status}`)
    throw this.#error(`the server answered ${response.status}`)
  }

  async #receive(file: File, response: Response, watch: StallWatch): Promise<string | undefined> {
    const { bytesMax, onBytes } = this.#init
    if (response.status === 200) await file.truncate(0)
    let position = await file.size()
    const length = response.headers.get('content-length')
    const total = length === null ? undefined : position + Number(length)
    if (total !== undefined && total > bytesMax)
      throw this.#error(`it has ${total} bytes, more than the ${bytesMax} expected at most`)
    onBytes(position, total)
    for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      watch.restart()
      if (position + piece.byteLength > bytesMax)
        throw this.#error(`it has more than the ${bytesMax} bytes expected at most`)
      const written = await file.write([piece], position)
      if (written !== piece.byteLength)
        throw new SheafError('ERR_DISK_WRITE', `${this.#part} cannot be written: free some disk space`)
      position += written
      onBytes(position, total)
    }
    return total === undefined || position === total ? undefined : 'the connection ended early'
  }

  #error(problem: string): SheafError {
    const { url, path } = this.#init
    return new SheafError('ERR_MODEL_DOWNLOAD', `${basename(path)} cannot be downloaded from ${url.host}: ${problem}`)
  }
}

/** Aborts when no bytes have arrived for a while, or the caller aborts. */
class StallWatch {
  readonly #clock: Clock
  readonly #stalled = new AbortController()
  readonly signal: AbortSignal
  #cancel: () => void

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.signal = AbortSignal.any([signal, this.#stalled.signal])
    this.#cancel = this.#schedule()
  }

  restart(): void {
    this.#cancel()
    this.#cancel = this.#schedule()
  }

  end(): void {
    this.#cancel()
  }

  #schedule(): () => void {
    return this.#clock.schedule(STALL_MS, () => this.#stalled.abort(new Error('stalled')))
  }
}

async function openPart(fileSystem: FileSystem, path: string): Promise<File> {
  try {
    return await fileSystem.open(path, 'create')
  } catch (err) {
    if (err instanceof Error && 'code' in err && err.code === 'EEXIST') return await fileSystem.open(path, 'write')
    throw err
  }
}

/** @returns whether a 206 begins at the requested offset: `bytes 5-9/10` */
function startsAt(response: Response, offset: number): boolean {
  return response.headers.get('content-range')?.startsWith(`bytes ${offset}-`) === true
}

/** fetch reports only that it failed; the cause says why. */
function reasonOf(err: Error): string {
  return err.cause instanceof Error ? err.cause.message || err.message : err.message
}
