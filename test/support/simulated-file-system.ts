import type { Clock } from '../../src/core/clock.js'
import { type File, type FileSystem, replaceFile } from '../../src/core/file-system.js'
import type { SeededRandom } from './seeded-random.js'
import { type DiskUser, type FaultyOperation, SimulatedDisk, systemError } from './simulated-disk.js'
import type { SimulatedFile } from './simulated-file.js'

interface WriteInFlight {
  readonly file: SimulatedFile
  readonly bytes: Uint8Array
  readonly position: number
}

/**
 * One process's view of a {@link SimulatedDisk}. Dies with the process: after `disk.kill()` or `disk.crash()` every call,
 * also of files opened before, fails with `ESRCH`, so that code that is still running cannot touch what the next process
 * does. That one takes `new SimulatedFileSystem(disk)`.
 *
 * A call takes effect, all at once, some turns of the microtask queue after it was made, and on a slow disk after some time:
 * always in the same order under one seed.
 */
export class SimulatedFileSystem implements FileSystem, DiskUser {
  readonly disk: SimulatedDisk
  readonly #clock: Pick<Clock, 'sleep'> | undefined
  readonly #writes = new Set<WriteInFlight>()
  #alive = true

  /** @param clock - for disks that may be slow */
  constructor(disk: SimulatedDisk = new SimulatedDisk(), clock?: Pick<Clock, 'sleep'>) {
    this.disk = disk
    this.#clock = clock
    disk.attach(this)
  }

  open(path: string, mode: 'read' | 'write' | 'create'): Promise<File> {
    return this.call(() => {
      const file = mode === 'create' ? this.disk.create(path) : this.disk.file(path)
      return new Handle(this, file, mode !== 'read')
    })
  }

  list(path: string): Promise<string[]> {
    return this.call(() => this.disk.folder(path).names())
  }

  makeDirectory(path: string): Promise<void> {
    return this.call(() => this.disk.makeFolder(path))
  }

  readFile(path: string): Promise<Uint8Array | undefined> {
    return this.call(() => {
      if (this.disk.find(path) === undefined) return undefined
      const file = this.disk.file(path)
      const bytes = new Uint8Array(file.size)
      this.disk.read(file, bytes, 0)
      return bytes
    })
  }

  writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
    return replaceFile(this, path, bytes)
  }

  rename(from: string, to: string): Promise<void> {
    return this.call(() => this.disk.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.call(() => {
      if (this.disk.find(path) === undefined) return
      this.disk.file(path) // not a folder
      this.disk.remove(path)
    })
  }

  removeDirectory(path: string): Promise<void> {
    return this.call(() => {
      if (this.disk.find(path) !== undefined) this.disk.remove(path)
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.call(() => this.disk.sync(this.disk.folder(path)), 'sync')
  }

  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    return this.call(() => ({ freeBytes: this.disk.freeBytes, totalBytes: this.disk.capacityBytes }))
  }

  /** A system call of this process. @throws `ESRCH` when the process has died before `effect` */
  async call<Result>(effect: () => Result, operation?: FaultyOperation): Promise<Result> {
    this.requireAlive()
    const delayMs = operation === undefined ? 0 : this.disk.delayMs(operation)
    if (delayMs > 0) await this.#clock?.sleep(delayMs)
    for (let turns = this.disk.order?.below(4) ?? 0; turns >= 0; turns--) await Promise.resolve()
    this.requireAlive()
    return effect()
  }

  write(file: SimulatedFile, bytes: Uint8Array, position: number): Promise<number> {
    const write = { file, bytes, position }
    this.#writes.add(write)
    return this.call(() => {
      this.#writes.delete(write)
      return this.disk.write(file, bytes, position)
    }, 'write')
  }

  die(random: SeededRandom | undefined): void {
    this.#alive = false
    for (const { file, bytes, position } of this.#writes) {
      file.write(bytes.subarray(0, random?.below(bytes.byteLength + 1) ?? 0), position)
    }
    this.#writes.clear()
  }

  requireAlive(): void {
    if (!this.#alive) throw systemError('ESRCH', 'the process was killed')
  }
}

class Handle implements File {
  readonly #process: SimulatedFileSystem
  readonly #file: SimulatedFile
  readonly #writable: boolean
  readonly #inFlight = new Set<Promise<unknown>>()
  #open = true

  constructor(process: SimulatedFileSystem, file: SimulatedFile, writable: boolean) {
    this.#process = process
    this.#file = file
    this.#writable = writable
    file.handles++
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#track(() => this.#process.call(() => this.#process.disk.read(this.#file, into, position), 'read'))
  }

  readSync(into: Uint8Array, position: number): number {
    this.#requireOpen()
    return this.#process.disk.read(this.#file, into, position)
  }

  write(parts: readonly Uint8Array[], position: number): Promise<number> {
    return this.#track(async () => {
      this.#requireWritable()
      return await this.#process.write(this.#file, Buffer.concat(parts), position)
    })
  }

  sync(): Promise<void> {
    return this.#track(() => this.#process.call(() => this.#process.disk.sync(this.#file), 'sync'))
  }

  truncate(byteCount: number): Promise<void> {
    return this.#track(async () => {
      this.#requireWritable()
      await this.#process.call(() => this.#process.disk.resize(this.#file, byteCount))
    })
  }

  size(): Promise<number> {
    return this.#track(() => this.#process.call(() => this.#file.size))
  }

  async close(): Promise<void> {
    this.#process.requireAlive()
    if (!this.#open) return
    this.#open = false
    await Promise.allSettled(this.#inFlight)
    await this.#process.call(() => {
      this.#file.handles--
      this.#process.disk.release(this.#file)
    })
  }

  async #track<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.#requireOpen()
    const result = operation()
    this.#inFlight.add(result)
    try {
      return await result
    } finally {
      this.#inFlight.delete(result)
    }
  }

  #requireOpen(): void {
    this.#process.requireAlive()
    if (!this.#open) throw systemError('EBADF', 'closed')
  }

  #requireWritable(): void {
    if (!this.#writable) throw systemError('EBADF', 'opened for reading')
  }
}
