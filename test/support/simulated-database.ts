import type { AbstractBatchOperation } from 'abstract-level'
import { MemoryLevel } from 'memory-level'
import type { Database, DatabaseSource } from '../../src/directory/database.js'
import type { SeededRandom } from './seeded-random.js'

/** Batches that a loss of power may take: what stands in LevelDB's log only. */
const UNSYNCED_MAX = 24

interface Row {
  readonly key: Uint8Array
  /** Undefined: there is none. */
  readonly value: Uint8Array | undefined
}

type Batch = AbstractBatchOperation<MemoryLevel<Uint8Array, Uint8Array>, Uint8Array, Uint8Array>[]

interface Written {
  readonly type: 'put' | 'del'
  readonly key: Uint8Array
  readonly value?: Uint8Array
}

/** What a write changed: each row as it is since, and as it was. */
type Change = readonly { readonly after: Row; readonly before: Row }[]

/**
 * A directory's database folder, which outlives the processes that open it, as LevelDB's does: a loss of power takes any of
 * the last batches that no sync followed, writes fail and bits flip on demand.
 */
export class SimulatedDatabase {
  readonly #random: SeededRandom
  readonly #rows = new Map<string, Row>()
  #unsynced: Change[] = []
  #failures = 0
  /** What the present process has open. */
  #opened: Database | undefined
  #process = Symbol('process')

  constructor(random: SeededRandom) {
    this.#random = random.fork()
  }

  /** What one process uses; after `die` it never answers. */
  attach(): DatabaseSource {
    const process = Symbol('process')
    this.#process = process
    const living = (): Promise<void> => (this.#process === process ? Promise.resolve() : new Promise(() => {}))
    return {
      open: async () => {
        await living()
        return this.#open(living)
      },
      remove: async () => {
        await living()
        this.#rows.clear()
        this.#unsynced = []
      }
    }
  }

  /** @returns all rows as they are, for {@link restore}; any number of times */
  snapshot(): readonly Row[] {
    return [...this.#rows.values()]
  }

  /** Puts old rows back; no process may run. */
  restore(rows: readonly Row[]): void {
    this.#rows.clear()
    for (const row of rows) this.#put(row)
    this.#unsynced = []
  }

  /** The next `times` batches fail; nothing of them is written. */
  failBatches(times: number): void {
    this.#failures = times
  }

  heal(): void {
    this.#failures = 0
  }

  /** Flips a bit of some row's value, if a process has the database open. */
  async flipBit(): Promise<void> {
    const filled = [...this.#rows.values()].filter(({ value }) => value !== undefined && value.byteLength > 0)
    if (filled.length === 0) return
    const { key, value } = this.#random.pick(filled)
    const damaged = Uint8Array.from(value ?? [])
    damaged[this.#random.below(damaged.byteLength)]! ^= 1 << this.#random.below(8)
    if (this.#opened?.status === 'open') await this.#opened.put(key, damaged)
  }

  /** The process is gone, by `kill -9` or by a loss of power, which takes unsynced batches. */
  die(how: 'kill' | 'crash'): void {
    this.#process = Symbol('nobody')
    if (how === 'kill') return
    const lost = this.#unsynced.splice(this.#random.below(this.#unsynced.length + 1))
    for (const change of lost.toReversed()) for (const { before } of change) this.#put(before)
    const lossShare = this.#random.pick([1, 0.5, 0.1])
    for (const change of lost) if (!this.#random.chance(lossShare)) for (const { after } of change) this.#put(after)
    this.#unsynced = []
  }

  async #open(living: () => Promise<void>): Promise<Database> {
    const level = new MemoryLevel<Uint8Array, Uint8Array>({
      keyEncoding: 'view',
      valueEncoding: 'view',
      storeEncoding: 'view'
    })
    await level.open()
    const rows = [...this.#rows.values()].flatMap(({ key, value }) => (value === undefined ? [] : { key, value }))
    await level.batch(rows.map(row => ({ type: 'put', ...row })))
    const process = this.#process
    level.on('write', (operations: readonly Written[]) => {
      if (this.#process !== process) return
      this.#wrote(
        operations.map(operation => ({
          key: operation.key,
          value: operation.type === 'put' ? operation.value : undefined
        }))
      )
    })
    const batch = level.batch.bind(level)
    Object.assign(level, {
      batch: async (operations: Batch): Promise<void> => {
        await living()
        if (this.#failures > 0) {
          this.#failures--
          throw new Error('EIO: simulated, the database cannot write')
        }
        await batch(operations)
        await living()
      }
    })
    const put = level.put.bind(level)
    Object.assign(level, {
      put: async (key: Uint8Array, value: Uint8Array, options: { readonly sync?: boolean } = {}): Promise<void> => {
        await living()
        await put(key, value, {})
        if (options.sync && this.#process === process) this.#unsynced = []
      }
    })
    this.#opened = level
    return level
  }

  #wrote(rows: readonly Row[]): void {
    const change = rows.map(after => ({
      after,
      before: this.#rows.get(textOf(after.key)) ?? { key: after.key, value: undefined }
    }))
    for (const { after } of change) this.#put(after)
    this.#unsynced.push(change)
    if (this.#unsynced.length > UNSYNCED_MAX) this.#unsynced.shift()
  }

  #put(row: Row): void {
    if (row.value === undefined) this.#rows.delete(textOf(row.key))
    else this.#rows.set(textOf(row.key), row)
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}
