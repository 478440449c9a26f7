import { dirname, join } from 'node:path'
import { SheafError, systemErrorCode } from '../core/errors.js'
import { type FileSystem, makeDurableDirectory } from '../core/file-system.js'
import type { ObjectStore, StoredObject } from './object-store.js'

/** A folder inside a folder inside the store: no name goes deeper. */
const DEPTH_MAX = 4
/** `writeFileAtomic` leaves one behind when it is killed. */
const TEMPORARY = /\.tmp$/
/** What the system says of a folder or a pipe that is read like a file. */
const NO_FILE: ReadonlySet<string | undefined> = new Set(['EISDIR', 'ESPIPE', 'ENXIO'])

/** Objects as files below a folder, each written whole or not at all. It has no dates: all objects are of one age. */
export class FolderObjectStore implements ObjectStore {
  readonly #fileSystem: FileSystem
  readonly #folder: string

  constructor(components: { readonly fileSystem: FileSystem }, { folder }: { readonly folder: string }) {
    this.#fileSystem = components.fileSystem
    this.#folder = folder
  }

  put(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#run(signal, async () => {
      const path = join(this.#folder, name)
      await makeDurableDirectory(this.#fileSystem, dirname(path))
      await this.#fileSystem.writeFileAtomic(path, bytes)
    })
  }

  get(name: string, byteCountMax: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#run(signal, async () => {
      const path = join(this.#folder, name)
      const file = await this.#fileSystem.open(path, 'read').catch(unlessMissing)
      if (file === undefined) return undefined
      try {
        const size = await file.size()
        if (size > byteCountMax)
          throw new SheafError(
            'ERR_ARCHIVE_DAMAGED',
            `the file ${path} is longer than the ${byteCountMax} bytes it may have`
          )
        const bytes = Buffer.allocUnsafeSlow(size)
        return bytes.subarray(0, await file.read(bytes, 0))
      } catch (cause) {
        if (!NO_FILE.has(systemErrorCode(cause))) throw cause
        throw new SheafError('ERR_ARCHIVE_DAMAGED', `${path} is no file`, { cause })
      } finally {
        await file.close()
      }
    })
  }

  /** Looks only where such names can be: what else lies in the folder, as in that of a whole disk, is nobody's business. */
  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    const folders = prefix.split('/').slice(0, -1)
    const names = await this.#run(signal, () => this.#namesIn(folders.join('/'), folders.length))
    for (const name of names) if (name.startsWith(prefix)) yield { name, modifiedMs: 0 }
  }

  remove(name: string, signal: AbortSignal): Promise<void> {
    return this.#run(signal, () => this.#fileSystem.remove(join(this.#folder, name)))
  }

  close(): void {}

  async #namesIn(folder: string, depth: number): Promise<string[]> {
    const names: string[] = []
    const here = join(this.#folder, folder)
    const entries = await this.#fileSystem.list(here).catch(err => {
      if (systemErrorCode(err) === 'ENOTDIR' && depth > 0) return undefined
      return unlessMissing(err) ?? []
    })
    if (entries === undefined) return TEMPORARY.test(folder) ? [] : [folder]
    if (depth >= DEPTH_MAX) return []
    for (const entry of entries)
      names.push(...(await this.#namesIn(depth === 0 ? entry : `${folder}/${entry}`, depth + 1)))
    return names
  }

  async #run<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
    signal.throwIfAborted()
    try {
      return await task()
    } catch (cause) {
      if (cause instanceof SheafError) throw cause
      const code = systemErrorCode(cause)
      if (code === undefined) throw cause
      const isFull = code === 'ENOSPC' || code === 'EDQUOT'
      const message = `${this.#folder} cannot be used (${cause instanceof Error ? cause.message : code})`
      throw new SheafError(isFull ? 'ERR_ARCHIVE_FULL' : 'ERR_ARCHIVE_REFUSED', message, { cause })
    }
  }
}

function unlessMissing(err: unknown): undefined {
  if (systemErrorCode(err) !== 'ENOENT') throw err
  return undefined
}
