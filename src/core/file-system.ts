import { dirname } from 'node:path'
import { systemErrorCode } from './errors.js'

/** Of one disk. */
export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

/**
 * The disk as an argument. Two implementations under one contract suite: Node's, and a simulated one that loses what
 * was not synced, fails on demand and fills up.
 *
 * Errors are Node's own (`code` is `ENOENT`, `ENOSPC`, `EIO`, `EEXIST`, …). Positions and lengths are bytes.
 */
export interface FileSystem {
  /**
   * @param mode - `read`: must exist, read only; `write`: must exist, read and write; `create`: must not exist, read and write
   */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<File>
  /** @returns names of files and folders in `path`, sorted, without `.` and `..` */
  list(path: string): Promise<string[]>
  /** Creates the folder and its missing parents; harmless when it exists. */
  makeDirectory(path: string): Promise<void>
  /** @returns the file's bytes, or undefined when it does not exist */
  readFile(path: string): Promise<Uint8Array | undefined>
  /**
   * Replaces the file so that a crash leaves the old or the new one whole; it is durable when the promise resolves.
   * One call at a time for one path.
   */
  writeFileAtomic(path: string, bytes: Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes one file; harmless when it is not there. */
  remove(path: string): Promise<void>
  /** Removes a folder and all in it; harmless when it is not there. */
  removeDirectory(path: string): Promise<void>
  /** Makes created, renamed and removed entries of the folder durable. */
  syncDirectory(path: string): Promise<void>
  space(path: string): Promise<DiskSpace>
}

export interface File {
  /** @returns bytes read, fewer than asked only at the end of the file */
  read(into: Uint8Array, position: number): Promise<number>
  /** The same, blocking: only for small reads that are likely in the page cache. */
  readSync(into: Uint8Array, position: number): number
  /** Writes all parts one after the other. @returns bytes written; fewer than given is a failed write */
  write(parts: readonly Uint8Array[], position: number): Promise<number>
  /** Makes written bytes durable (`fdatasync`). After a failure the bytes are in an unknown state: never call it again. */
  sync(): Promise<void>
  truncate(byteCount: number): Promise<void>
  size(): Promise<number>
  /** Waits for what is in flight. Every later call fails with `EBADF`; closing again is harmless. */
  close(): Promise<void>
}

/**
 * `writeFileAtomic` in terms of the other calls: temporary file, sync, rename, sync of the folder. A temporary file that
 * a crash left is replaced by the next call for the same path.
 */
export async function replaceFile(
  fileSystem: Pick<FileSystem, 'open' | 'remove' | 'rename' | 'syncDirectory'>,
  path: string,
  bytes: Uint8Array
): Promise<void> {
  const temporary = `${path}.tmp`
  await fileSystem.remove(temporary)
  try {
    await writeNew(fileSystem, temporary, bytes)
    await fileSystem.rename(temporary, path)
  } catch (err) {
    // Its space may be what a full disk lacks. Should this fail too, then the next call for the path removes it.
    await fileSystem.remove(temporary).catch(() => {})
    throw err
  }
  await fileSystem.syncDirectory(dirname(path))
}

async function writeNew(fileSystem: Pick<FileSystem, 'open'>, path: string, bytes: Uint8Array): Promise<void> {
  const file = await fileSystem.open(path, 'create')
  try {
    const written = await file.write([bytes], 0)
    if (written !== bytes.byteLength) throw shortWrite(path, written, bytes.byteLength)
    await file.sync()
  } finally {
    await file.close()
  }
}

function shortWrite(path: string, written: number, wanted: number): Error {
  return Object.assign(new Error(`ENOSPC: ${written} of ${wanted} bytes written, '${path}'`), { code: 'ENOSPC', path })
}

/** Makes a folder, and its parents where they are missing, so that it survives a loss of power. */
export async function makeDurableDirectory(fileSystem: FileSystem, path: string): Promise<void> {
  const parent = dirname(path)
  try {
    await fileSystem.list(parent)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') await makeDurableDirectory(fileSystem, parent)
  }
  await fileSystem.makeDirectory(path)
  // also when it was there: a process that made it may have died before this step
  await fileSystem.syncDirectory(parent).catch(error => {
    if (systemErrorCode(error) !== 'EACCES') throw error // a parent that may be passed through, but not read
  })
}
