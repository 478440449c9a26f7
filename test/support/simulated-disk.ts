import { posix } from 'node:path'
import type { SeededRandom } from './seeded-random.js'
import { SimulatedFile } from './simulated-file.js'
import { type Entry, SimulatedFolder } from './simulated-folder.js'

export interface SimulatedDiskInit {
  /** Decides what survives a crash and in what order calls take effect. Without it a crash loses all that it may lose. */
  readonly random?: SeededRandom
  /** Folders that are there, durably, from the beginning. */
  readonly folders?: readonly string[]
  readonly capacityBytes?: number
}

export interface Fault {
  /** The file (or, for a sync, folder) that fails; every one when omitted. */
  readonly path?: string
  /** Reads and writes: only those that touch bytes [from, to). */
  readonly from?: number
  readonly to?: number
  /** How often; for ever when omitted. */
  readonly times?: number
}

export type FaultyOperation = 'read' | 'write' | 'sync'

/** The longest that each operation takes, ms; how long one does is drawn anew each time. */
export type Slowness = Readonly<Record<FaultyOperation, number>>

/** A process that uses the disk. */
export interface DiskUser {
  /** Ends it. @param random - decides how much of what it was writing is written */
  die(random: SeededRandom | undefined): void
}

/**
 * A disk in memory that outlives the processes that use it, loses what was not synced, fills up and fails on demand.
 * `SimulatedFileSystem` is what one process sees of it.
 */
export class SimulatedDisk {
  /** Bytes that files may take. */
  capacityBytes: number
  readonly counts = { reads: 0, writes: 0, syncs: 0 }
  /** Undefined: nothing takes any time. */
  slowness: Slowness | undefined
  /** Orders calls; a stream of its own, so that what survives a crash does not depend on how much was read. */
  readonly order: SeededRandom | undefined
  readonly #loss: SeededRandom | undefined
  readonly #users = new Set<DiskUser>()
  #root = new SimulatedFolder()
  #usedBytes = 0
  #faults: { operation: FaultyOperation; fault: Fault; left: number }[] = []

  constructor(init: SimulatedDiskInit = {}) {
    this.capacityBytes = init.capacityBytes ?? 2 ** 40
    this.order = init.random?.fork()
    this.#loss = init.random?.fork()
    for (const path of init.folders ?? []) this.makeFolder(path)
    syncAll(this.#root)
  }

  // --- faults ---

  /** `kill -9` of every process: its calls fail from now on; what was written stays as the page cache has it. */
  kill(): void {
    for (const user of this.#users) user.die(this.#loss)
    this.#users.clear()
    this.#usedBytes = recount(this.#root)
  }

  /** Loss of power: `kill`, and what was not synced survives in part or not at all. */
  crash(): void {
    this.kill()
    this.#root.crash(this.#loss)
    this.#usedBytes = recount(this.#root)
  }

  /** From now on such operations fail with `EIO`. */
  fail(operation: FaultyOperation, fault: Fault = {}): void {
    this.#faults.push({ operation, fault, left: fault.times ?? Number.POSITIVE_INFINITY })
  }

  /** Ends all faults, slowness too. Damage that they did stays. */
  heal(): void {
    this.#faults = []
    this.slowness = undefined
  }

  /** @returns how long such an operation takes now, ms */
  delayMs(operation: FaultyOperation): number {
    return this.slowness === undefined ? 0 : this.slowness[operation] * (this.order?.fraction() ?? 1)
  }

  /** @param bit - 0 (least significant) … 7 */
  flipBit(path: string, position: number, bit: number): void {
    this.file(path).flipBit(position, bit)
  }

  /** Cuts the file off, durably. */
  truncate(path: string, byteCount: number): void {
    const file = this.file(path)
    this.resize(file, byteCount)
    file.sync()
  }

  /** @returns the whole disk as it is, for {@link restore}; any number of times */
  snapshot(): SimulatedFolder {
    return this.#root.clone()
  }

  /** Puts an old image back, as an operator would while no process runs: those that run are killed. */
  restore(snapshot: SimulatedFolder): void {
    this.kill()
    this.#root = snapshot.clone()
    this.#usedBytes = recount(this.#root)
  }

  // --- what a file system does, all at once ---

  attach(user: DiskUser): void {
    this.#users.add(user)
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.#usedBytes)
  }

  find(path: string): Entry | undefined {
    let entry: Entry | undefined = this.#root
    for (const name of namesOf(path)) {
      if (entry instanceof SimulatedFile) throw systemError('ENOTDIR', path)
      entry = entry?.get(name)
    }
    return entry
  }

  file(path: string): SimulatedFile {
    const entry = this.find(path)
    if (entry === undefined) throw systemError('ENOENT', path)
    if (entry instanceof SimulatedFolder) throw systemError('EISDIR', path)
    return entry
  }

  folder(path: string): SimulatedFolder {
    const entry = this.find(path)
    if (entry === undefined) throw systemError('ENOENT', path)
    if (entry instanceof SimulatedFile) throw systemError('ENOTDIR', path)
    return entry
  }

  makeFolder(path: string): void {
    let folder = this.#root
    const names = namesOf(path)
    for (const [i, name] of names.entries()) {
      const entry = folder.get(name) ?? new SimulatedFolder()
      if (entry instanceof SimulatedFile) throw systemError(i === names.length - 1 ? 'EEXIST' : 'ENOTDIR', path)
      if (folder.get(name) === undefined) folder.change([[name, entry]])
      folder = entry
    }
  }

  create(path: string): SimulatedFile {
    const folder = this.folder(posix.dirname(path))
    if (folder.get(posix.basename(path)) !== undefined) throw systemError('EEXIST', path)
    const file = new SimulatedFile()
    file.linked = true
    folder.change([[posix.basename(path), file]])
    return file
  }

  rename(from: string, to: string): void {
    const [source, target] = [this.folder(posix.dirname(from)), this.folder(posix.dirname(to))]
    const [oldName, newName] = [posix.basename(from), posix.basename(to)]
    const entry = source.get(oldName)
    if (entry === undefined) throw systemError('ENOENT', from)
    const replaced = target.get(newName)
    if (replaced === entry) return
    if (source === target)
      source.change([
        [oldName, undefined],
        [newName, entry]
      ])
    else {
      source.change([[oldName, undefined]])
      target.change([[newName, entry]])
    }
    if (replaced !== undefined) this.#unlink(replaced)
  }

  /** Removes a file, or a folder with all in it. */
  remove(path: string): void {
    const folder = this.folder(posix.dirname(path))
    const entry = folder.get(posix.basename(path))
    if (entry === undefined) throw systemError('ENOENT', path)
    folder.change([[posix.basename(path), undefined]])
    this.#unlink(entry)
  }

  /** @returns bytes written: fewer than asked when the disk becomes full. @throws `ENOSPC` when none fits, `EIO` */
  write(file: SimulatedFile, bytes: Uint8Array, position: number): number {
    this.counts.writes++
    const end = position + bytes.byteLength
    if (this.#fails('write', file, position, end)) {
      this.#put(file, bytes.subarray(0, this.order?.below(bytes.byteLength + 1) ?? 0), position)
      throw systemError('EIO', 'write')
    }
    const room = Math.max(0, file.size + this.freeBytes - position)
    if (bytes.byteLength > 0 && room === 0) throw systemError('ENOSPC', 'write')
    return this.#put(file, bytes.subarray(0, room), position)
  }

  read(file: SimulatedFile, into: Uint8Array, position: number): number {
    this.counts.reads++
    if (this.#fails('read', file, position, position + into.byteLength)) throw systemError('EIO', 'read')
    return file.read(into, position)
  }

  sync(entry: Entry): void {
    this.counts.syncs++
    if (this.#fails('sync', entry, 0, Number.POSITIVE_INFINITY)) {
      if (entry instanceof SimulatedFile) entry.failSync()
      throw systemError('EIO', 'sync')
    }
    entry.sync()
  }

  resize(file: SimulatedFile, byteCount: number): void {
    this.#usedBytes += byteCount - file.size
    file.resize(byteCount)
  }

  /** Frees the space of a removed file once nobody has it open. */
  release(file: SimulatedFile): void {
    if (!file.linked && file.handles === 0) this.#usedBytes -= file.size
  }

  #put(file: SimulatedFile, bytes: Uint8Array, position: number): number {
    const before = file.size
    if (bytes.byteLength > 0) file.write(bytes, position)
    this.#usedBytes += file.size - before
    return bytes.byteLength
  }

  #unlink(entry: Entry): void {
    if (entry instanceof SimulatedFolder) {
      for (const inner of entry.entries()) this.#unlink(inner)
      return
    }
    entry.linked = false
    this.release(entry)
  }

  #fails(operation: FaultyOperation, entry: Entry, from: number, to: number): boolean {
    const hit = this.#faults.find(
      ({ operation: faulty, fault, left }) =>
        faulty === operation &&
        left > 0 &&
        (fault.path === undefined || this.find(fault.path) === entry) &&
        from < (fault.to ?? Number.POSITIVE_INFINITY) &&
        to > (fault.from ?? 0)
    )
    if (hit !== undefined) hit.left--
    return hit !== undefined
  }
}

export function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, '${path}'`), { code, path })
}

function namesOf(path: string): string[] {
  return posix
    .resolve('/', path)
    .split('/')
    .slice(1)
    .filter(name => name !== '')
}

function syncAll(folder: SimulatedFolder): void {
  folder.sync()
  for (const entry of folder.entries()) if (entry instanceof SimulatedFolder) syncAll(entry)
}

/** After the end of all processes: no file is open, and those that no folder names are gone. @returns bytes used */
function recount(folder: SimulatedFolder): number {
  let byteCount = 0
  for (const entry of folder.entries()) {
    if (entry instanceof SimulatedFolder) byteCount += recount(entry)
    else {
      entry.handles = 0
      entry.linked = true
      byteCount += entry.size
    }
  }
  return byteCount
}
