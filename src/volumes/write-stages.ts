import type { File } from '../core/file-system.js'
import { writeWhole } from './durable-write.js'

/** An item that passes through the stages. */
export interface Staged {
  readonly byteCount: number
}

export interface WriteStagesComponents<Item extends Staged> {
  readonly file: File
  /**
   * Removes from the front of the queue as many items as fit into one write, at least one.
   *
   * @param position - offset of the write in the file
   * @returns the items' bytes, in order
   */
  readonly layOut: (
    queued: Item[],
    position: number
  ) => { readonly items: readonly Item[]; readonly parts: Uint8Array[] }
  /** Called with items that have become durable, in order and without overlap. Must not reject. */
  readonly commit: (items: readonly Item[]) => Promise<void>
  /** Called with the items that are lost when a write or sync fails, and again for items pushed afterwards. */
  readonly failed: (cause: unknown, lost: readonly Item[]) => void
}

/**
 * Appends to a file in three concurrent stages, each of which takes everything that the previous one has finished: write
 * (one `writev`), sync (one `fdatasync` for everything written before it began), commit.
 *
 * The first failed write or sync stops it permanently: after a failed `fdatasync` the kernel may mark lost pages clean, so
 * nothing is retried (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
 */
export class WriteStages<Item extends Staged> {
  readonly #components: WriteStagesComponents<Item>
  #queued: Item[] = []
  #written: Item[] = []
  #durable: Item[] = []
  /** Offset of the next write. */
  #writeEnd: number
  #durableEnd: number
  #writing: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #committing: Promise<void> | undefined
  #failure: { readonly cause: unknown } | undefined

  /** @param end - offset of the first item in the file */
  constructor(components: WriteStagesComponents<Item>, end: number) {
    this.#components = components
    this.#writeEnd = this.#durableEnd = end
  }

  /** Everything before this offset is durable. */
  get durableEnd(): number {
    return this.#durableEnd
  }

  get idle(): boolean {
    return this.#writing === undefined && this.#syncing === undefined && this.#committing === undefined
  }

  push(item: Item): void {
    if (this.#failure !== undefined) {
      this.#components.failed(this.#failure.cause, [item])
      return
    }
    this.#queued.push(item)
    this.#writing ??= this.#write()
  }

  /** Waits until everything pushed so far has settled. */
  async drain(): Promise<void> {
    while (!this.idle) await (this.#writing ?? this.#syncing ?? this.#committing)
  }

  async #write(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve)) // lets the items of one turn of the event loop share a write
    while (this.#queued.length > 0 && this.#failure === undefined) {
      const position = this.#writeEnd
      const { items, parts } = this.#components.layOut(this.#queued, position)
      for (const { byteCount } of items) this.#writeEnd += byteCount
      try {
        await writeWhole(this.#components.file, parts, position)
      } catch (cause) {
        this.#fail(cause, items)
        break
      }
      this.#written.push(...items)
      if (this.#failure !== undefined)
        this.#fail(undefined, []) // a sync failed meanwhile
      else this.#syncing ??= this.#sync()
    }
    this.#writing = undefined
  }

  async #sync(): Promise<void> {
    while (this.#written.length > 0 && this.#failure === undefined) {
      const covered = this.#written
      this.#written = []
      try {
        await this.#components.file.sync()
      } catch (cause) {
        this.#fail(cause, covered)
        break
      }
      this.#durable.push(...covered)
      for (const { byteCount } of covered) this.#durableEnd += byteCount
      this.#committing ??= this.#commit()
    }
    this.#syncing = undefined
  }

  async #commit(): Promise<void> {
    while (this.#durable.length > 0) {
      const items = this.#durable
      this.#durable = []
      await this.#components.commit(items)
    }
    this.#committing = undefined
  }

  /** Only the first cause counts. */
  #fail(cause: unknown, inFlight: readonly Item[]): void {
    this.#failure ??= { cause }
    const lost = [...inFlight, ...this.#written, ...this.#queued]
    this.#written = []
    this.#queued = []
    this.#components.failed(this.#failure.cause, lost)
  }
}
