import { join } from 'node:path'
import type { FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import { formatHlc, HLC_ZERO, type Hlc, parseHlc } from '../domain/hlc.js'

const FILE_NAME = 'promises.json'
const NAMES = ['settled', 'applied', 'clean', 'horizon'] as const
/** The greatest schema of a directory from before graves. */
const SCHEMA_BEFORE_GRAVES_MAX = 2

type Promises = Readonly<Record<(typeof NAMES)[number], Hlc>>

/** Of a folder from before graves that has promised nothing yet, or whose promises cannot be read. */
const NOTHING: Promises = { settled: HLC_ZERO, applied: HLC_ZERO, clean: HLC_ZERO, horizon: HLC_ZERO }

/**
 * What the data folder keeps of the time before graves. Then a delete was forgotten once all members had promised to hold
 * nothing of it any more, and what a node had promised stood in `promises.json`. The file stays for good: whoever forgot
 * more than this folder promised may have deleted photos that are still in it.
 */
export class Past {
  readonly #fileSystem: Pick<FileSystem, 'readFile' | 'writeFileAtomic'>
  readonly #log: Logger
  readonly #path: string
  #promises: Promises | undefined

  /** @param folder - the data folder */
  constructor(
    components: { readonly fileSystem: Pick<FileSystem, 'readFile' | 'writeFileAtomic'>; readonly log: Logger },
    folder: string
  ) {
    this.#fileSystem = components.fileSystem
    this.#log = components.log
    this.#path = join(folder, FILE_NAME)
  }

  /** Up to which stamp no needle of a deleted photo is in the folder; undefined: the folder was made with graves. */
  get promise(): Hlc | undefined {
    return this.#promises?.clean
  }

  /** Up to which stamp deletes were forgotten here. */
  get horizon(): Hlc {
    return this.#promises?.horizon ?? HLC_ZERO
  }

  /** To be called before the directory is opened. A damaged file counts as one without any promise. */
  async load(): Promise<void> {
    const bytes = await this.#fileSystem.readFile(this.#path)
    if (bytes === undefined) return
    const promises = parse(bytes)
    if (promises === undefined)
      this.#log.error({ path: this.#path }, 'what this node has promised cannot be read; it counts as nothing')
    this.#promises = promises ?? NOTHING
  }

  /**
   * To be called before the directory is migrated, which hides that it is from before.
   *
   * @param schema - of the directory that was found
   */
  async noteSchema(schema: number): Promise<void> {
    if (schema > SCHEMA_BEFORE_GRAVES_MAX || this.#promises !== undefined) return
    const text = JSON.stringify(Object.fromEntries(NAMES.map(name => [name, formatHlc(NOTHING[name])])))
    await this.#fileSystem.writeFileAtomic(this.#path, Buffer.from(`${text}\n`))
    this.#promises = NOTHING
  }
}

/** @returns undefined for what the build of before did not write */
function parse(bytes: Uint8Array): Promises | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
  if (typeof fields !== 'object' || fields === null) return undefined
  const [settled, applied, clean, horizon] = NAMES.map(name => {
    const text: unknown = Reflect.get(fields, name)
    return typeof text === 'string' ? parseHlc(text) : undefined
  })
  if (settled === undefined || applied === undefined || clean === undefined || horizon === undefined) return undefined
  return { settled, applied, clean, horizon }
}
