import { dirname } from 'node:path'
import { systemErrorCode } from './errors.js'

/** Space of the file system that holds a path. */
export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

/**
 * The disk as an argument. One contract suite tests two implementations: Node's, and a simulated one that loses unsynced
 * data, fails on demand and fills up.
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
  /** Creates the folder and its missing parents; does nothing if it exists. */
  makeDirectory(path: string): Promise<void>
  /** @returns the file's bytes, or undefined when it does not exist */
  readFile(path: string): Promise<Uint8Array | undefined>
  /**
   * Replaces the file so that a crash leaves either the old or the new content; durable when the promise resolves.
   * Calls for the same path must not overlap.
   */
  writeFileAtomic(path: string, bytes: Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes one file; does nothing if it does not exist. */
  remove(path: string): Promise<void>
  /** Removes a folder and its contents; does nothing if it does not exist. */
  removeDirectory(path: string): Promise<void>
  /** Makes created, renamed and removed entries of the folder durable. */
  syncDirectory(path: string): Promise<void>
  space(path: string): Promise<DiskSpace>
}

export interface File {
  /** @returns bytes read, fewer than asked only at the end of the file */
  read(into: Uint8Array, position: number): Promise<number>
  /** Like `read`, but blocks: only for small reads that are likely in the page cache. */
  readSync(into: Uint8Array, position: number): number
  /** Writes the parts contiguously. @returns bytes written; fewer than given means that the write failed */
  write(parts: readonly Uint8Array[], position: number): Promise<number>
  /** Makes written bytes durable (`fdatasync`). After a failure only what is written anew is made so by another one. */
  sync(): Promise<void>
  truncate(byteCount: number): Promise<void>
  size(): Promise<number>
  /** Waits for calls in flight. Every later call fails with `EBADF`; closing again does nothing. */
  close(): Promise<void>
}

/**
 * `writeFileAtomic` in terms of the other calls: temporary file, sync, rename, sync of the folder. The next call for the
 * same path replaces a temporary file that a crash left.
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
    // A full disk may need its space. If this fails too, the next call for the path removes the file.
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

/** Creates a folder and its missing parents so that they survive a power failure. */
export async function makeDurableDirectory(fileSystem: FileSystem, path: string): Promise<void> {
  const parent = dirname(path)
  try {
    await fileSystem.list(parent)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') await makeDurableDirectory(fileSystem, parent)
  }
  await fileSystem.makeDirectory(path)
  // even if the folder existed: the process that created it may have died before this step
  await fileSystem.syncDirectory(parent).catch(error => {
    if (systemErrorCode(error) !== 'EACCES') throw error // a parent that may be traversed, but not read
  })
}
