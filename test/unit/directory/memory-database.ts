import { MemoryLevel } from 'memory-level'
import type { Database, DatabaseSource } from '../../../src/directory/database.js'

const BATCHES_REMEMBERED = 8

/** A database in memory that keeps its contents when it is closed, like one on a disk, and that can be made to fail. */
export class MemoryDatabaseSource implements DatabaseSource {
  /** Number of calls of `remove`. */
  removed = 0
  /** Thrown by the next batches, while set. */
  batchError: Error | undefined
  /** Batches await it before they are written. */
  gate: Promise<void> = Promise.resolve()
  /** Thrown by the next calls of `open`, while set. */
  openError: Error | undefined
  /** Number of batches started. */
  batches = 0
  /** All rows before each of the last batches. */
  #before: [Uint8Array, Uint8Array][][] = []
  /** Whether rows are kept for `forgetBatches`. */
  readonly remembers: boolean
  #level = this.#create()

  constructor(remembers = false) {
    this.remembers = remembers
  }

  async open(): Promise<Database> {
    if (this.openError !== undefined) throw this.openError
    await this.#level.open()
    return this.#level
  }

  async remove(): Promise<void> {
    this.removed++
    this.openError = undefined
    this.#level = this.#create()
  }

  /** Undoes the newest `count` batches, at most BATCHES_REMEMBERED. */
  async forgetBatches(count: number): Promise<void> {
    const rows = this.#before.at(-count)
    if (count === 0 || rows === undefined) return
    this.#before.splice(-count)
    const level = await this.open()
    await level.clear()
    for (const [key, value] of rows) await level.put(key, value)
    await level.close()
  }

  #create(): Database {
    const level = new MemoryLevel<Uint8Array, Uint8Array>({
      keyEncoding: 'view',
      valueEncoding: 'view',
      storeEncoding: 'view'
    })
    const batch = level.batch.bind(level) as (operations: []) => Promise<void>
    level.batch = (async (operations: []) => {
      this.batches++
      await this.gate
      if (this.batchError !== undefined) throw this.batchError
      if (this.remembers) this.#before = [...this.#before, await level.iterator().all()].slice(-BATCHES_REMEMBERED)
      await batch(operations)
    }) as typeof level.batch
    return level
  }
}

/** @returns an error with a code, like those of abstract-level */
export function levelError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code })
}
