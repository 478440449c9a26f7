import type { File } from '../core/file-system.js'
import { writeWhole } from './durable-write.js'

/** What goes through the stages. */
export interface Staged {
  readonly byteCount: number
}

export interface WriteStagesComponents<Item extends Staged> {
  readonly file: File
  /**
   * Takes from the front of the queue what one write holds, at least one item.
   *
   * @param position - where in the file it goes
   * @returns the items' bytes, in order
   */
  readonly layOut: (
    queued: Item[],
    position: number
  ) => { readonly items: readonly Item[]; readonly parts: Uint8Array[] }
  /** Called with what has become durable, in order, never twice at a time. Must not reject. */
  readonly commit: (items: readonly Item[]) => Promise<void>
  /** Called when a write or sync failed, and for what is pushed or found waiting afterwards: the items are lost. */
  readonly failed: (cause: unknown, lost: readonly Item[]) => void
}

/**
 * The way of bytes to the end of a file. Three stages run at once, each taking all that the one before it has finished:
 * write (one `writev`), sync (one `fdatasync` for everything written before it began), commit.
 *
 * A failed or short write or sync ends it for good: after a failed `fdatasync` the kernel may call lost pages clean, so
 * nothing is retried (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
 */
export class WriteStages<Item extends Staged> {
  readonly #components: WriteStagesComponents<Item>
  #queued: Item[] = []
  #written: Item[] = []
  #durable: Item[] = []
  /** Where the next write goes. */
  #writeEnd: number
  #durableEnd: number
  #writing: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #committing: Promise<void> | undefined
  #failure: { readonly cause: unknown } | undefined

  /** @param end - where in the file the first item goes */
  constructor(components: WriteStagesComponents<Item>, end: number) {
    this.#components = components
    this.#writeEnd = this.#durableEnd = end
  }

  /** Everything before it is durable. */
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
