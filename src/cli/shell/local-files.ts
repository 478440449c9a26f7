import { createHash, hash as hashAtOnce } from 'node:crypto'
import { createReadStream, type Dirent } from 'node:fs'
import { open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Random } from '../../core/random.js'
import { ignoredBy } from './ignored-names.js'
import { readSheafSidecar, SIDECAR_BYTES_MAX } from './sheaf-sidecar.js'

const READ_BYTES = 256 * 1_024

/** A file that the user named, or that lies in a folder that the user named. */
export interface LocalFile {
  /** Bytes where the name need not be UTF-8. */
  readonly path: string | Buffer
  readonly name: string
  readonly byteCount: number
}

/** A file whose path is a text. */
export interface NamedFile extends LocalFile {
  readonly path: string
  /** When it was last changed, ms since the Unix epoch. */
  readonly mtimeMs: number
}

/** A path named by the user that does not exist or cannot be read. */
export interface UnreadablePath {
  readonly path: string
  readonly error: unknown
}

/**
 * Finds files: those named, and those in the folders named, recursively and sorted. In folders, names that no photo has, sidecars of
 * Sheaf and what is not a file are skipped; links to files are followed, links to folders are not (they may lead in a circle).
 *
 * @param onSkip - called for everything skipped but by its name
 */
export async function findFiles(
  paths: readonly string[],
  onSkip: (path: string, why: string) => void
): Promise<(NamedFile | UnreadablePath)[]> {
  const found: (NamedFile | UnreadablePath)[] = []
  const visit = async (path: string): Promise<void> => {
    try {
      const stats = await stat(path)
      if (stats.isFile())
        found.push({ path, name: basename(path), byteCount: stats.size, mtimeMs: Math.round(stats.mtimeMs) })
      else if (stats.isDirectory()) await visitFolder(path)
      else onSkip(path, 'not a file')
    } catch (error) {
      found.push({ path, error })
    }
  }
  const visitFolder = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true })
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) {
      if (ignoredBy(entry.name) !== undefined) continue
      const path = join(folder, entry.name)
      if (entry.isFile() && (await isSheafSidecar(path))) onSkip(path, 'a sidecar of Sheaf: sheaf import reads it')
      else if (await isFolderLink(entry, path)) onSkip(path, 'a link to a folder')
      else await visit(path)
    }
  }
  for (const path of paths) await visit(path)
  return found
}

async function isSheafSidecar(path: string): Promise<boolean> {
  if (!path.toLowerCase().endsWith('.json')) return false
  try {
    const { size } = await stat(path)
    if (size > SIDECAR_BYTES_MAX) return false
    return readSheafSidecar(JSON.parse(await readFile(path, 'utf8'))) !== undefined
  } catch {
    return false // no JSON, or the visit says why it cannot be read
  }
}

async function isFolderLink(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return false
  const target = await stat(path).catch(() => undefined) // a dangling link is reported by the visit
  return target?.isDirectory() === true
}

/** The first `byteCount` bytes of a file. @throws system errors, and when it has become shorter */
export async function* readPieces(file: LocalFile): AsyncGenerator<Uint8Array, void, undefined> {
  if (file.byteCount === 0) return
  if (file.byteCount <= READ_BYTES) return yield await readSmall(file)
  let byteCount = 0
  for await (const piece of createReadStream(file.path, { end: file.byteCount - 1, highWaterMark: READ_BYTES })) {
    byteCount += piece.length
    yield piece as Uint8Array
  }
  if (byteCount < file.byteCount) throw becameShorter()
}

/** A stream would take longer than the reading. */
async function readSmall({ path, byteCount }: LocalFile): Promise<Uint8Array> {
  const handle = await open(path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(byteCount), 0, byteCount, 0)
    if (bytesRead < byteCount) throw becameShorter()
    return buffer
  } finally {
    await handle.close()
  }
}

function becameShorter(): Error {
  return new Error('the file became shorter while it was read; try again')
}

/** @returns lower-case hex */
export async function fileSha256(file: LocalFile): Promise<string> {
  return (await readAndHash(file)).sha256
}

export interface ReadFile {
  /** Lower-case hex. */
  readonly sha256: string
  /** All of it, of a small file; undefined for others. */
  readonly bytes: Uint8Array | undefined
}

/** @throws as `readPieces` */
export async function readAndHash(file: LocalFile): Promise<ReadFile> {
  if (file.byteCount > 0 && file.byteCount <= READ_BYTES) {
    const bytes = await readSmall(file)
    return { sha256: hashAtOnce('sha256', bytes, 'hex'), bytes }
  }
  const hash = createHash('sha256')
  for await (const piece of readPieces(file)) hash.update(piece)
  return { sha256: hash.digest('hex'), bytes: undefined }
}

/**
 * Writes a file so that its name holds either the old content or all of the new: a temporary file beside it is written,
 * synced, and renamed once `check` has passed. What is not a file (a device, a pipe) is written to directly.
 *
 * @throws what `pieces` or `check` threw, after removal of the temporary file; system errors
 */
export async function writeFileWhole(
  components: { readonly random: Random },
  path: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  check: () => void = () => {}
): Promise<void> {
  const target = await realpath(path).catch(() => path) // a link stays a link
  const present = await stat(target).catch(() => undefined)
  if (present !== undefined && !present.isFile()) {
    await writeFile(target, pieces)
    return check()
  }
  const suffix = Buffer.from(components.random.bytes(6)).toString('hex')
  const temporary = join(dirname(target), `.sheaf-${suffix}.part`)
  try {
    const handle = await open(temporary, 'wx')
    try {
      await writeFile(handle, pieces)
      check()
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, target)
  } catch (err) {
    await rm(temporary, { force: true })
    throw err
  }
}
