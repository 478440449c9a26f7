import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { SeededRandom } from '../../test/support/seeded-random.js'
import type { VolumeFile } from '../history.js'
import type { Damage } from '../nemeses/nemesis.js'

const IDENTITY = 'identity.key'

/** The data folder of a node that does not run, to be harmed. */
export class DataFolder {
  readonly #path: string

  /** @param path - a copy of the folder may be kept beside it */
  constructor(path: string) {
    this.#path = path
  }

  /** @returns what was done, in words; undefined when there was nothing to do it to, or no older copy yet */
  harm(damage: Damage, random: SeededRandom): string | undefined {
    const isFirst = !existsSync(this.#copy)
    if (isFirst) copyFolder(this.#path, this.#copy)
    switch (damage) {
      case 'flip-volume':
        return this.#flip(/\.volume$/, random)
      case 'flip-index':
        return this.#flip(/\.index$/, random)
      case 'flip-directory':
        return this.#flip(/\bdirectory\/(.*\.(ldb|log)|CURRENT|MANIFEST-\d+)$/, random)
      case 'truncate':
        return this.#truncate(random)
      case 'wipe':
        return this.#wipe([IDENTITY])
      case 'replace':
        return this.#wipe([])
      case 'older-copy':
        return this.#restoreCopy(isFirst)
    }
  }

  /** What its volumes are in the end. */
  volumes(): readonly VolumeFile[] {
    return this.#files(/\.volume$/).map(path => {
      const bytes = readFileSync(path)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      return { name: basename(path), byteCount: bytes.length, sha256 }
    })
  }

  #flip(files: RegExp, random: SeededRandom): string | undefined {
    const file = this.#pick(files, random)
    if (file === undefined) return undefined
    const bytes = readFileSync(file)
    const at = random.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    writeFileSync(file, bytes)
    return `a bit of byte ${at} of ${basename(file)} flipped`
  }

  #truncate(random: SeededRandom): string | undefined {
    const file = this.#pick(/\.volume$/, random)
    if (file === undefined) return undefined
    const { size } = statSync(file)
    const rest = random.below(size)
    truncateSync(file, rest)
    return `${basename(file)} truncated from ${size} to ${rest} bytes`
  }

  #wipe(kept: readonly string[]): string {
    for (const name of readdirSync(this.#path))
      if (!kept.includes(name)) rmSync(join(this.#path, name), { recursive: true })
    return kept.length === 0 ? 'an empty disk' : `an empty disk but for ${kept.join()}`
  }

  /** One is kept the first time that anything is done to the folder. */
  #restoreCopy(isNew: boolean): string | undefined {
    if (isNew) return undefined
    rmSync(this.#path, { recursive: true })
    copyFolder(this.#copy, this.#path)
    return 'an older copy of the folder'
  }

  get #copy(): string {
    return `${this.#path}.copy`
  }

  /** One of the files with anything in them. */
  #pick(files: RegExp, random: SeededRandom): string | undefined {
    const found = this.#files(files).filter(path => statSync(path).size > 0)
    return found.length === 0 ? undefined : random.pick(found)
  }

  #files(which: RegExp): readonly string[] {
    return readdirSync(this.#path, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .filter(path => which.test(path))
      .sort()
  }
}

function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true, preserveTimestamps: true })
}
