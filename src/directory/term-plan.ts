import type { DirectoryRecord } from '../domain/record.js'
import { DamageError } from './damage.js'
import { counterKey, type IndexTables, type Order, termKey } from './index-keys.js'
import type { Index } from './index-state.js'
import { type Operation, sealedRow, u64 } from './keys.js'
import { indexEntries, isCounted, type Postings, postingsChange } from './term-index.js'

/** New values of counters. */
export type Counters = ReadonlyMap<IndexTables, ReadonlyMap<string, number>>

const NO_BYTES = new Uint8Array(0)

/** The part of a batch that keeps indexes: it changes by the difference between the old and the new merged record. */
export class TermPlan {
  readonly #operations: Operation[]
  readonly #deltas = new Map<IndexTables, Map<string, number>>()

  /** @param operations - of the batch, to which those of the index are added */
  constructor(operations: Operation[]) {
    this.#operations = operations
  }

  change({ language, tables }: Index, before: DirectoryRecord | undefined, after: DirectoryRecord | undefined): void {
    const [was, is] = [indexEntries(before, language), indexEntries(after, language)]
    for (const order of ['added', 'taken'] as const) {
      const { removed, added } = postingsChange(was[order], is[order])
      this.#put(tables, order, removed, -1)
      this.#put(tables, order, added, 1)
    }
  }

  #put(tables: IndexTables, order: Order, { terms, position }: Postings, by: 1 | -1): void {
    if (position === undefined) return
    const deltas = this.#deltas.get(tables) ?? new Map<string, number>()
    this.#deltas.set(tables, deltas)
    for (const term of terms) {
      const key = termKey(tables.order[order], term, position)
      this.#operations.push(by === 1 ? { type: 'put', key, value: NO_BYTES } : { type: 'del', key })
      if (order === 'added' && isCounted(term)) deltas.set(term, (deltas.get(term) ?? 0) + by)
    }
  }

  /**
   * Adds the counters to the batch.
   *
   * @param count - what they are before it
   * @throws {@link DamageError}
   */
  finish(count: (term: string, tables: IndexTables) => number): Counters {
    const counters = new Map<IndexTables, Map<string, number>>()
    for (const [tables, deltas] of this.#deltas) {
      const changed = new Map<string, number>()
      for (const [term, delta] of deltas) {
        if (delta === 0) continue
        const after = count(term, tables) + delta
        if (after < 0) throw new DamageError('a counter is too low')
        changed.set(term, after)
        const key = counterKey(tables, term)
        this.#operations.push(after === 0 ? { type: 'del', key } : { type: 'put', ...sealedRow(key, u64(after)) })
      }
      counters.set(tables, changed)
    }
    return counters
  }
}
