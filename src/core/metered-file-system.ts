import type { Clock } from './clock.js'
import type { File, FileSystem } from './file-system.js'
import type { Histogram } from './metrics.js'

/** @returns the file system, measuring how long syncs of open files take, s */
export function meteredFileSystem(
  fileSystem: FileSystem,
  { clock, syncSeconds }: { readonly clock: Clock; readonly syncSeconds: Histogram }
): FileSystem {
  return {
    open: async (path, mode) => new MeteredFile(await fileSystem.open(path, mode), clock, syncSeconds),
    list: path => fileSystem.list(path),
    makeDirectory: path => fileSystem.makeDirectory(path),
    readFile: path => fileSystem.readFile(path),
    writeFileAtomic: (path, bytes) => fileSystem.writeFileAtomic(path, bytes),
    rename: (from, to) => fileSystem.rename(from, to),
    remove: path => fileSystem.remove(path),
    removeDirectory: path => fileSystem.removeDirectory(path),
    syncDirectory: path => fileSystem.syncDirectory(path),
    space: path => fileSystem.space(path)
  }
}

class MeteredFile implements File {
  readonly #file: File
  readonly #clock: Clock
  readonly #syncSeconds: Histogram

  constructor(file: File, clock: Clock, syncSeconds: Histogram) {
    this.#file = file
    this.#clock = clock
    this.#syncSeconds = syncSeconds
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#file.read(into, position)
  }

  readSync(into: Uint8Array, position: number): number {
    return this.#file.readSync(into, position)
  }

  write(parts: readonly Uint8Array[], position: number): Promise<number> {
    return this.#file.write(parts, position)
  }

  async sync(): Promise<void> {
    const startedAt = this.#clock.monotonic()
    await this.#file.sync()
    this.#syncSeconds.observe((this.#clock.monotonic() - startedAt) / 1_000)
  }

  truncate(byteCount: number): Promise<void> {
    return this.#file.truncate(byteCount)
  }

  size(): Promise<number> {
    return this.#file.size()
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
