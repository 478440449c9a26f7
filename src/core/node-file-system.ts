import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { systemErrorCode } from './errors.js'
import { type File, type FileSystem, replaceFile } from './file-system.js'

/** One system call reads at most 2 GiB, and Node rejects larger requests. */
const READ_BYTES_MAX = 2 ** 30

const { O_RDONLY, O_NONBLOCK } = fs.constants
/** Opening a pipe to read would else wait for a writer, for ever, in one of the few threads that all files share. */
const OPEN_FLAGS = { read: O_RDONLY | O_NONBLOCK, write: 'r+', create: 'wx+' } as const

/** The real disk. */
export const nodeFileSystem: FileSystem = {
  open: (path, mode) =>
    new Promise((resolve, reject) => {
      fs.open(path, OPEN_FLAGS[mode], (err, fd) => (err === null ? resolve(new NodeFile(fd, path)) : reject(err)))
    }),
  list: async path => (await fs.promises.readdir(path)).sort(),
  makeDirectory,
  readFile: path => unlessMissing(fs.promises.readFile(path)),
  writeFileAtomic: (path, bytes) => replaceFile(nodeFileSystem, path, bytes),
  rename: (from, to) => fs.promises.rename(from, to),
  remove: path => unlessMissing(fs.promises.unlink(path)),
  removeDirectory: path => fs.promises.rm(path, { recursive: true, force: true }),
  syncDirectory: async path => {
    const directory = await fs.promises.open(path, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
  space: async path => {
    const { bavail, blocks, bsize } = await fs.promises.statfs(path)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  }
}

/** Node's own recursive `mkdir` tries for ever where no folder can be made and the answer is `ENOENT`, as in /proc. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await makeOneDirectory(path)
  } catch (err) {
    const parent = dirname(path)
    if (systemErrorCode(err) !== 'ENOENT' || parent === path) throw err
    await makeDirectory(parent)
    await makeOneDirectory(path)
  }
}

async function makeOneDirectory(path: string): Promise<void> {
  try {
    await fs.promises.mkdir(path)
  } catch (err) {
    const present = await fs.promises.stat(path).catch(() => undefined)
    if (present?.isDirectory() !== true) throw err
  }
}

async function unlessMissing<Result>(operation: Promise<Result>): Promise<Result | undefined> {
  try {
    return await operation
  } catch (err) {
    if (systemErrorCode(err) === 'ENOENT') return undefined
    throw err
  }
}

/** Uses a plain descriptor with callbacks: half the cost per read of a `FileHandle`. */
class NodeFile implements File {
  readonly #fd: number
  readonly #path: string
  readonly #inFlight = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(fd: number, path: string) {
    this.#fd = fd
    this.#path = path
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#track(async () => {
      let done = 0
      while (done < into.byteLength) {
        const length = Math.min(into.byteLength - done, READ_BYTES_MAX)
        const count = await call<number>(callback => fs.read(this.#fd, into, done, length, position + done, callback))
        if (count === 0) break
        done += count
      }
      return done
    })
  }

  readSync(into: Uint8Array, position: number): number {
    this.#requireOpen()
    let done = 0
    while (done < into.byteLength) {
      const length = Math.min(into.byteLength - done, READ_BYTES_MAX)
      const count = fs.readSync(this.#fd, into, done, length, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  /** libuv accepts any number of parts and continues after a short write until a write fails (`uv__fs_write_all`). */
  write(parts: readonly Uint8Array[], position: number): Promise<number> {
    return this.#track(() => call<number>(callback => fs.writev(this.#fd, parts, position, callback)))
  }

  sync(): Promise<void> {
    return this.#track(() => call<void>(callback => fs.fdatasync(this.#fd, callback)))
  }

  truncate(byteCount: number): Promise<void> {
    return this.#track(() => call<void>(callback => fs.ftruncate(this.#fd, byteCount, callback)))
  }

  async size(): Promise<number> {
    const { size } = await this.#track(() => call<fs.Stats>(callback => fs.fstat(this.#fd, callback)))
    return size
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Waits for calls in flight: they could otherwise reach another file that got the same descriptor number. */
  async #close(): Promise<void> {
    await Promise.allSettled(this.#inFlight)
    await call<void>(callback => fs.close(this.#fd, callback))
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
    if (this.#closing !== undefined) {
      throw Object.assign(new Error(`EBADF: the file is closed, '${this.#path}'`), { code: 'EBADF', path: this.#path })
    }
  }
}

function call<Result>(start: (callback: (err: Error | null, result?: Result) => void) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((err, result) => {
      if (err) reject(err)
      else resolve(result as Result)
    })
  })
}
