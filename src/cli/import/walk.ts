import type { BigIntStats, Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { ignoredBy } from '../shell/ignored-names.js'
import type { NameDecoder } from './file-names.js'

/** A file as the walk found it. */
export interface FoundFile {
  /** As the file system has it. */
  readonly path: Buffer
  /** For people. */
  readonly shown: string
  readonly name: string
  /** Folders from the root on, with `/`; the same in all roots for what lies at the same place. */
  readonly folder: string
  /** The folder with the name of the root before it. */
  readonly source: string
  readonly state: FileState
}

/** What changes when a file does. */
export interface FileState {
  readonly byteCount: number
  readonly mtimeNs: bigint
  readonly inode: bigint
}

/** What is not looked into: by which rule, or for which error. */
export interface PassedOver {
  readonly shown: string
  readonly rule?: string
  readonly error?: unknown
}

export interface WalkInit {
  readonly decode: NameDecoder
  /** @param path - inside the root, with `/` */
  readonly isExcluded: (path: string) => boolean
}

/** A folder that is walked, in a root or as one. */
export interface FoundFolder {
  readonly path: Buffer
  readonly shown: string
  /** From the root on, with `/`; empty: it is the root. */
  readonly inside: string
  readonly rootName: string
  /** Another one when it was made anew, though numbers of folders are used again. */
  readonly identity: string
}

const SLASH = Buffer.from('/')

/**
 * Finds all files in folders, and those named. Folders are sorted by the bytes of their names. Links to files are followed, links to
 * folders are not, since they may lead in a circle.
 */
export async function* walk(roots: readonly string[], init: WalkInit): AsyncGenerator<FoundFile | PassedOver> {
  for (const root of roots) yield* visit(await findRoot(root))

  async function* visit(found: Found): AsyncGenerator<FoundFile | PassedOver> {
    if (!('identity' in found)) yield found
    else for await (const child of list(found, init)) yield* visit(child)
  }
}

export type Found = FoundFile | PassedOver | FoundFolder

/** @param root - as a person names it */
export function findRoot(root: string): Promise<Found> {
  const rootName = basename(resolve(root)).normalize('NFC')
  return find({ path: Buffer.from(resolve(root)), shown: root, name: rootName, inside: '', rootName })
}

/** Finds what lies in a folder itself. */
export async function* list(folder: FoundFolder, { decode, isExcluded }: WalkInit): AsyncGenerator<Found> {
  const { path, shown, inside, rootName } = folder
  let entries: Dirent<Buffer>[]
  try {
    entries = await readdir(path, { encoding: 'buffer', withFileTypes: true })
  } catch (error) {
    yield { shown, error }
    return
  }
  entries.sort((a, b) => Buffer.compare(a.name, b.name))
  for (const entry of entries) {
    const name = decode(entry.name)
    const child = {
      path: Buffer.concat([path, SLASH, entry.name]),
      shown: `${shown.replace(/\/+$/, '')}/${name}`,
      name,
      inside: inside === '' ? name : `${inside}/${name}`,
      rootName
    }
    const rule = ignoredBy(name) ?? (isExcluded(child.inside) ? 'excluded' : undefined)
    if (rule !== undefined) yield { shown: child.shown, rule }
    else if (entry.isSymbolicLink() && (await isFolder(child.path)))
      yield { shown: child.shown, rule: 'a link to a folder' }
    else yield await find(child)
  }
}

async function find({ path, shown, name, inside, rootName }: Place): Promise<Found> {
  try {
    const stats = await stat(path, { bigint: true })
    if (stats.isDirectory()) return { path, shown, inside, rootName, identity: `${stats.ino} ${stats.birthtimeNs}` }
    if (!stats.isFile()) return { shown, rule: 'not a file' }
    const folder = inside.slice(0, Math.max(0, inside.lastIndexOf('/')))
    const source = inside === '' ? '' : [rootName, folder].filter(part => part !== '').join('/')
    return { path, shown, name, folder, source, state: stateOf(stats) }
  } catch (error) {
    return { shown, error }
  }
}

interface Place extends Omit<FoundFolder, 'identity'> {
  readonly name: string
}

async function isFolder(path: Buffer): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined) // a dangling link is reported by the visit
  return stats?.isDirectory() === true
}

export async function readState(path: Buffer): Promise<FileState> {
  return stateOf(await stat(path, { bigint: true }))
}

export function isSameState(a: FileState, b: FileState): boolean {
  return a.byteCount === b.byteCount && a.mtimeNs === b.mtimeNs && a.inode === b.inode
}

/** @returns ms since the Unix epoch */
export function timeOf({ mtimeNs }: FileState): number {
  return Math.round(Number(mtimeNs) / 1e6)
}

function stateOf({ size, mtimeNs, ino }: BigIntStats): FileState {
  return { byteCount: Number(size), mtimeNs, inode: ino }
}
