import { type Day, dayOf } from '../domain/day.js'
import type { DirectoryRecord } from '../domain/record.js'
import { DamageError } from './damage.js'
import { type DayCount, dayCountRow, dayWith, EMPTY_DAY, isEmptyDay, rowDigest } from './days.js'
import { counterKey, dayKey, type IndexTables, msOfPosition, type Order, termKey } from './index-keys.js'
import type { Index } from './index-state.js'
import { type Operation, sealedRow, u64 } from './keys.js'
import {
  countersBeside,
  hasTile,
  indexEntries,
  isCounted,
  type Postings,
  postingsChange,
  postingValue
} from './term-index.js'

/** What an index counts. */
export interface IndexCounts {
  count(term: string, tables: IndexTables): number
  /** @param audience - digest of that whose photos are counted; undefined: all are */
  day(order: Order, day: Day, tables: IndexTables, audience?: Uint8Array): DayCount
}

/** New values of what one index counts. */
export interface CountChanges {
  readonly tables: IndexTables
  readonly counters: ReadonlyMap<string, number>
  readonly days: Readonly<Record<Order, readonly CountedDay[]>>
}

/** A day of the time line, of all photos or of one audience. */
export interface CountedDay {
  readonly day: Day
  /** Its digest; undefined: all photos are counted. */
  readonly audience: Uint8Array | undefined
  readonly count: DayCount
}

interface Deltas {
  readonly counters: Map<string, number>
  readonly days: Readonly<Record<Order, Map<string, CountedDay>>>
}

/** The part of a batch that keeps indexes: it changes by the difference between the old and the new merged record. */
export class TermPlan {
  readonly #operations: Operation[]
  readonly #deltas = new Map<IndexTables, Deltas>()

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
    this.#countBeside(tables, was.added, -1)
    this.#countBeside(tables, is.added, 1)
  }

  #countBeside(tables: IndexTables, postings: Postings, by: 1 | -1): void {
    const beside = countersBeside(postings)
    if (beside.size === 0) return
    const { counters } = this.#deltasOf(tables)
    for (const [counter, amount] of beside) counters.set(counter, (counters.get(counter) ?? 0) + by * amount)
  }

  #put(tables: IndexTables, order: Order, postings: Postings, by: 1 | -1): void {
    const { terms, position, audience } = postings
    if (position === undefined) return
    const { counters, days } = this.#deltasOf(tables)
    for (const term of terms) {
      const key = termKey(tables.order[order], term, position)
      const value = postingValue(term, postings)
      this.#operations.push(by === 1 ? { type: 'put', key, value } : { type: 'del', key })
      if (order === 'added' && isCounted(term)) counters.set(term, (counters.get(term) ?? 0) + by)
      if (!hasTile(term)) continue
      const day = dayOf(msOfPosition(position, order))
      const digest = rowDigest(key, value)
      for (const whose of audience === undefined ? [undefined] : [undefined, audience]) {
        const name = `${day} ${whose === undefined ? '' : Buffer.from(whose).toString('hex')}`
        const before = days[order].get(name)?.count ?? EMPTY_DAY
        days[order].set(name, { day, audience: whose, count: dayWith(before, term, digest, by) })
      }
    }
  }

  #deltasOf(tables: IndexTables): Deltas {
    const known = this.#deltas.get(tables)
    if (known !== undefined) return known
    const deltas = { counters: new Map(), days: { added: new Map(), taken: new Map() } }
    this.#deltas.set(tables, deltas)
    return deltas
  }

  /**
   * Adds the counters to the batch.
   *
   * @param base - what they are before it
   * @throws {@link DamageError}
   */
  finish(base: IndexCounts): CountChanges[] {
    return [...this.#deltas].map(([tables, deltas]) => ({
      tables,
      counters: this.#finishCounters(base, tables, deltas),
      days: {
        added: this.#finishDays(base, tables, 'added', deltas),
        taken: this.#finishDays(base, tables, 'taken', deltas)
      }
    }))
  }

  #finishCounters(base: IndexCounts, tables: IndexTables, { counters }: Deltas): Map<string, number> {
    const changed = new Map<string, number>()
    for (const [term, delta] of counters) {
      if (delta === 0) continue
      const after = base.count(term, tables) + delta
      if (after < 0) throw new DamageError('a counter is too low')
      changed.set(term, after)
      const key = counterKey(tables, term)
      this.#operations.push(after === 0 ? { type: 'del', key } : { type: 'put', ...sealedRow(key, u64(after)) })
    }
    return changed
  }

  #finishDays(base: IndexCounts, tables: IndexTables, order: Order, { days }: Deltas): CountedDay[] {
    const changed: CountedDay[] = []
    for (const { day, audience, count: delta } of days[order].values()) {
      if (isEmptyDay(delta)) continue
      const before = base.day(order, day, tables, audience)
      const after = { count: before.count + delta.count, digest: (before.digest ^ delta.digest) >>> 0 }
      if (after.count < 0) throw new DamageError('the counter of a day is too low')
      changed.push({ day, audience, count: after })
      const key = dayKey(tables, order, day, audience)
      this.#operations.push(isEmptyDay(after) ? { type: 'del', key } : { type: 'put', ...dayCountRow(key, after) })
    }
    return changed
  }
}
