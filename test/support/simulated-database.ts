import type { AbstractBatchOperation } from 'abstract-level'
import { MemoryLevel } from 'memory-level'
import type { Database, DatabaseSource } from '../../src/directory/database.js'
import type { SeededRandom } from './seeded-random.js'

/** Batches that a loss of power may take: what stands in LevelDB's log only. */
const UNSYNCED_MAX = 24

type Batch = AbstractBatchOperation<Database, Uint8Array, Uint8Array>[]
type Snapshot = ReturnType<Database['snapshot']>

interface Unsynced {
  readonly before: Snapshot
  readonly batch: Batch
}

/**
 * A directory's database that outlives the processes that open it, as LevelDB's folder does: a loss of power takes any of
 * the last batches, writes fail and bits flip on demand.
 */
export class SimulatedDatabase implements DatabaseSource {
  readonly #random: SeededRandom
  #rows = newRows()
  #unsynced: Unsynced[] = []
  #failures = 0
  /** What the end of the last process left is not there before this has settled. */
  #dying: Promise<void> = Promise.resolve()

  constructor(random: SeededRandom) {
    this.#random = random.fork()
  }

  async open(): Promise<Database> {
    await this.#dying
    const rows = this.#rows
    await rows.open()
    const write = rows.batch.bind(rows)
    const batch = async (batch: Batch): Promise<void> => {
      if (this.#failures > 0) {
        this.#failures--
        throw new Error('EIO: simulated, the database cannot write')
      }
      this.#unsynced.push({ before: rows.snapshot(), batch })
      await write(batch)
      if (this.#unsynced.length > UNSYNCED_MAX) await this.#unsynced.shift()?.before.close()
    }
    Object.assign(rows, { batch })
    return rows
  }

  async remove(): Promise<void> {
    this.#unsynced = []
    this.#rows = newRows()
  }

  /** The next `times` batches fail; nothing of them is written. */
  failBatches(times: number): void {
    this.#failures = times
  }

  heal(): void {
    this.#failures = 0
  }

  /** Flips a bit of some row's value. The database must be open. */
  async flipBit(): Promise<void> {
    const rows = await this.#rows.iterator().all()
    const filled = rows.filter(([, value]) => value.byteLength > 0)
    if (filled.length === 0) return
    const [key, value] = this.#random.pick(filled)
    const damaged = Uint8Array.from(value)
    damaged[this.#random.below(damaged.byteLength)]! ^= 1 << this.#random.below(8)
    await this.#rows.put(key, damaged)
  }

  /** The process that has it open is gone, by `kill -9` or by a loss of power, which takes unsynced batches. */
  die(how: 'kill' | 'crash'): void {
    const old = this.#rows
    const unsynced = how === 'crash' ? this.#unsynced.slice(this.#random.below(this.#unsynced.length + 1)) : []
    const lossShare = this.#random.pick([1, 0.5, 0.1])
    const kept = unsynced.filter(() => !this.#random.chance(lossShare)).map(({ batch }) => batch)
    const start = unsynced[0]?.before ?? (old.status === 'open' ? old.snapshot() : undefined)
    this.#unsynced = []
    this.#rows = newRows()
    this.#dying = this.#inherit(old, start, kept)
  }

  async #inherit(old: Database, start: Snapshot | undefined, batches: readonly Batch[]): Promise<void> {
    const rows = this.#rows
    await rows.open()
    if (start !== undefined) {
      const inherited = await old.iterator({ snapshot: start }).all()
      await rows.batch(inherited.map(([key, value]) => ({ type: 'put', key, value })))
    }
    for (const batch of batches) await rows.batch(batch)
    await rows.close()
    await old.close()
  }
}

function newRows(): Database {
  return new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view', storeEncoding: 'view' })
}
