import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Directory } from '../directory/directory.js'
import type { AlbumId, UserId } from '../domain/ids.js'
import type { DirectoryRecord } from '../domain/record.js'

/** Of all accounts together, of one kind. */
const HELD_MAX = 200_000

type Owner = UserId | AlbumId

export interface OwnedRecordsComponents {
  readonly directory: Pick<Directory, 'onChange' | 'onOpaque' | 'records' | 'lookUp'>
  readonly log: Logger
}

/** Which records of a kind belong to which account, or album, in memory: sessions, API keys and links are looked up by that, too. */
export class OwnedRecords implements Startable {
  readonly #components: OwnedRecordsComponents
  readonly #kind: string
  readonly #ownerIn: (record: DirectoryRecord) => Owner | undefined
  readonly #owners = new Map<string, Owner>()
  readonly #ids = new Map<Owner, Set<string>>()
  #isFull = false
  #unsubscribe = (): void => {}

  /** @param init.ownerIn - undefined for what lives no more */
  constructor(
    components: OwnedRecordsComponents,
    init: { readonly kind: string; readonly ownerIn: (record: DirectoryRecord) => Owner | undefined }
  ) {
    this.#components = components
    this.#kind = init.kind
    this.#ownerIn = init.ownerIn
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  async start(): Promise<void> {
    const { directory } = this.#components
    const kind = this.#kind
    const offChange = directory.onChange(changes => {
      for (const { key, after } of changes) if (key.kind === kind) this.#note(key.id, after)
    })
    const offOpaque = directory.onOpaque(keys => {
      for (const key of keys) if (key.kind === kind) this.#note(key.id, undefined)
    })
    this.#unsubscribe = () => {
      offChange()
      offOpaque()
    }
    for await (const { id } of directory.records(kind)) this.#note(id, directory.lookUp({ kind, id }).stored?.record)
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
  }

  /** @returns the ids of the records of an account, or an album */
  of(owner: Owner): readonly string[] {
    return [...(this.#ids.get(owner) ?? [])]
  }

  #note(id: string, record: DirectoryRecord | undefined): void {
    this.#forget(id)
    const owner = record && this.#ownerIn(record)
    if (owner === undefined) return
    if (this.#owners.size >= HELD_MAX) {
      if (!this.#isFull)
        this.#components.log.warn({ kind: this.#kind }, 'more sessions, API keys or links than can be listed')
      this.#isFull = true
      return
    }
    this.#owners.set(id, owner)
    this.#ids.set(owner, (this.#ids.get(owner) ?? new Set<string>()).add(id))
  }

  #forget(id: string): void {
    const owner = this.#owners.get(id)
    if (owner === undefined) return
    this.#owners.delete(id)
    const ids = this.#ids.get(owner)
    ids?.delete(id)
    if (ids?.size === 0) this.#ids.delete(owner)
  }
}
