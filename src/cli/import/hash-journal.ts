import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { type FileState, isSameState } from './walk.js'

/*
 * Digests of files that were read, one line of JSON each: p path (base64), s bytes, m time of the last change (ns), i inode, h SHA-256
 * (hex). It spares a second run reading what has not changed, and nothing more: what a node has, the node is asked.
 */

export interface HashedFile {
  readonly path: Buffer
  readonly state: FileState
  readonly sha256: string
}

/** Lines of a file that changed, or is gone, are dropped once they are as many as the others, and this many more. */
const STALE_LINES_MAX = 1_000

export class HashJournal {
  readonly #path: string
  readonly #hashes: Map<string, Omit<HashedFile, 'path'>>

  private constructor(path: string, hashes: Map<string, Omit<HashedFile, 'path'>>) {
    this.#path = path
    this.#hashes = hashes
  }

  /**
   * @param folder - made when there is something to write
   * @param roots - absolute paths of what is imported
   */
  static async open(folder: string, roots: readonly string[]): Promise<HashJournal> {
    const name = createHash('sha256').update(roots.join('\0')).digest('hex').slice(0, 32)
    const path = join(folder, `${name}.jsonl`)
    const hashes = new Map<string, Omit<HashedFile, 'path'>>()
    let lines = 0
    try {
      for await (const line of createInterface({ input: createReadStream(path) })) {
        lines++
        const read = hashedFrom(line)
        if (read !== undefined) hashes.set(keyOf(read.path), { state: read.state, sha256: read.sha256 })
      }
    } catch {
      // there is none, or it cannot be read: then all files are
    }
    if (lines > 2 * hashes.size + STALE_LINES_MAX) {
      const all = Array.from(hashes, ([key, hashed]) => lineOf({ ...hashed, path: Buffer.from(key, 'latin1') }))
      await writeFile(path, all.join('')).catch(() => {})
    }
    return new HashJournal(path, hashes)
  }

  get(path: Buffer, state: FileState): string | undefined {
    const known = this.#hashes.get(keyOf(path))
    return known !== undefined && isSameState(known.state, state) ? known.sha256 : undefined
  }

  /** @throws system errors */
  async add(files: readonly HashedFile[]): Promise<void> {
    if (files.length === 0) return
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
    await appendFile(this.#path, files.map(lineOf).join(''), { mode: 0o600 })
  }
}

function keyOf(path: Buffer): string {
  return path.toString('latin1')
}

function lineOf({ path, state, sha256 }: HashedFile): string {
  const { byteCount, mtimeNs, inode } = state
  return `${JSON.stringify({ p: path.toString('base64'), s: byteCount, m: `${mtimeNs}`, i: `${inode}`, h: sha256 })}\n`
}

/** @returns undefined for a line that is torn, or not of this form */
function hashedFrom(line: string): HashedFile | undefined {
  try {
    const { p, s, m, i, h } = JSON.parse(line) as Readonly<Record<string, unknown>>
    if (typeof p !== 'string' || typeof s !== 'number' || typeof h !== 'string' || !/^[0-9a-f]{64}$/.test(h))
      return undefined
    const state = { byteCount: s, mtimeNs: BigInt(String(m)), inode: BigInt(String(i)) }
    return { path: Buffer.from(p, 'base64'), state, sha256: h }
  } catch {
    return undefined
  }
}
