import type { BigIntStats } from 'node:fs'
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

const SLASH = Buffer.from('/')

/**
 * Finds all files in folders, and those named. Folders are sorted by the bytes of their names. Links to files are followed, links to
 * folders are not, since they may lead in a circle.
 */
export async function* walk(
  roots: readonly string[],
  { decode, isExcluded }: WalkInit
): AsyncGenerator<FoundFile | PassedOver> {
  for (const root of roots) {
    const rootName = basename(resolve(root)).normalize('NFC')
    yield* visit(Buffer.from(resolve(root)), { shown: root, name: rootName, inside: '' })
    continue

    async function* visit(path: Buffer, at: Place): AsyncGenerator<FoundFile | PassedOver> {
      const { shown, name, inside } = at
      try {
        const stats = await stat(path, { bigint: true })
        if (stats.isDirectory()) yield* visitFolder(path, at)
        else if (!stats.isFile()) yield { shown, rule: 'not a file' }
        else {
          const folder = inside.slice(0, Math.max(0, inside.lastIndexOf('/')))
          const source = inside === '' ? '' : [rootName, folder].filter(part => part !== '').join('/')
          yield { path, shown, name, folder, source, state: stateOf(stats) }
        }
      } catch (error) {
        yield { shown, error }
      }
    }

    async function* visitFolder(path: Buffer, { shown, inside }: Place): AsyncGenerator<FoundFile | PassedOver> {
      const entries = await readdir(path, { encoding: 'buffer', withFileTypes: true })
      entries.sort((a, b) => Buffer.compare(a.name, b.name))
      for (const entry of entries) {
        const name = decode(entry.name)
        const child = {
          shown: `${shown.replace(/\/+$/, '')}/${name}`,
          name,
          inside: inside === '' ? name : `${inside}/${name}`
        }
        const childPath = Buffer.concat([path, SLASH, entry.name])
        const rule = ignoredBy(name) ?? (isExcluded(child.inside) ? 'excluded' : undefined)
        if (rule !== undefined) yield { shown: child.shown, rule }
        else if (entry.isSymbolicLink() && (await isFolder(childPath)))
          yield { shown: child.shown, rule: 'a link to a folder' }
        else yield* visit(childPath, child)
      }
    }
  }
}

interface Place {
  readonly shown: string
  readonly name: string
  /** From the root on. */
  readonly inside: string
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
