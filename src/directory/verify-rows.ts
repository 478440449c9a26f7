import { createHash } from 'node:crypto'
import type { AbstractSnapshot } from 'abstract-level'
import { type Day, dayOf } from '../domain/day.js'
import { bucketOf, DIGEST_BYTES, leafDigest } from '../domain/merkle.js'
import type { DirectoryRecord } from '../domain/record.js'
import { endOf } from '../domain/tombstone.js'
import { xorInto } from './batch-plan.js'
import { damageOf } from './damage.js'
import type { Database } from './database.js'
import { type DayCount, dayCountBytes, dayCountFrom, dayWith, EMPTY_DAY, isEmptyDay, rowDigest } from './days.js'
import { counterKey, dayKey, msOfPosition, type Order, positionOfKey, termKey, termOfKey } from './index-keys.js'
import type { IndexLanguages } from './index-languages.js'
import { holds, type Index, loadIndexState } from './index-state.js'
import {
  bucketKey,
  bucketOfLeafKey,
  deathFrom,
  deathKey,
  endedNumber,
  type KeyRange,
  leafKey,
  opaqueRange,
  openSealed,
  recordRange,
  recordRowKeyOfOpaque,
  TABLE_BUCKET,
  TABLE_DEATH,
  TABLE_LEAF,
  tableRange,
  u64
} from './keys.js'
import { graveState, leafFrom } from './leaf-rows.js'
import { recordStateOf } from './stored-record.js'
import { countersBeside, hasTile, indexEntries, isCounted, type Postings, postingValue } from './term-index.js'

/** Rows per read: checking them blocks the event loop for about a millisecond. */
const VERIFY_READ_ROWS = 32

/** Order-independent digest of a set of rows: equal sets have equal digests. Rows are distinct, so XOR suffices. */
class RowSet {
  readonly #digest = Buffer.alloc(DIGEST_BYTES)

  add(key: Uint8Array, payload: Uint8Array): void {
    const row = createHash('sha256').update(u64(key.length)).update(key).update(payload).digest()
    xorInto(this.#digest, row)
  }

  equals(other: RowSet): boolean {
    return this.#digest.equals(other.#digest)
  }
}

/** A derived table: the rows found, and the rows expected. */
class TableCheck {
  readonly found = new RowSet()
  readonly expected = new RowSet()
}

/** The tables of one index. */
class IndexCheck {
  readonly index: Index
  readonly postings = new TableCheck()
  readonly counters = new TableCheck()
  readonly days = new TableCheck()
  readonly #holds: (recordRowKey: Uint8Array) => boolean
  /** What is counted for each audience, and of what is used. */
  readonly #counts = new Map<string, number>()
  readonly #days = new Map<string, { readonly key: Uint8Array; readonly count: DayCount }>()

  /** @param holds - which records it has */
  constructor(index: Index, holds: (recordRowKey: Uint8Array) => boolean) {
    this.index = index
    this.#holds = holds
  }

  expect(recordRowKey: Uint8Array, record: DirectoryRecord): void {
    if (!this.#holds(recordRowKey)) return
    const { language, tables } = this.index
    const entries = indexEntries(record, language)
    for (const [counter, amount] of countersBeside(entries.added))
      this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + amount)
    for (const [order, postings] of Object.entries(entries)) {
      const { terms, position } = postings
      if (position === undefined) continue
      for (const term of terms) {
        const key = termKey(tables.order[order as Order], term, position)
        this.postings.expected.add(key, postingValue(term, postings))
        this.#countDay(order as Order, term, key, postings)
      }
    }
  }

  #countDay(order: Order, term: string, key: Uint8Array, postings: Postings): void {
    const { audience, position } = postings
    if (audience === undefined || position === undefined || !hasTile(term)) return
    const row = dayKey(this.index.tables, order, dayOf(msOfPosition(position, order)), audience)
    const name = Buffer.from(row).toString('latin1')
    const before = this.#days.get(name)?.count ?? EMPTY_DAY
    const digest = rowDigest(key, postingValue(term, postings))
    this.#days.set(name, { key: row, count: dayWith(before, term, digest) })
  }

  /** Call it when all records have been expected. */
  expectCounts(): void {
    for (const [counter, count] of this.#counts)
      if (count > 0) this.counters.expected.add(counterKey(this.index.tables, counter), u64(count))
    for (const { key, count } of this.#days.values())
      if (!isEmptyDay(count)) this.days.expected.add(key, dayCountBytes(count))
  }
}

/**
 * Checks every derived row against the rows that it is derived from, in one snapshot: leaves, index and deaths against
 * records, buckets against leaves, counters against the index. Memory grows with what is counted for each
 * audience and each owner, and with no other rows.
 *
 * @returns the problems found, in words
 */
export async function verifyRows(database: Database, languages?: IndexLanguages): Promise<string[]> {
  const snapshot = database.snapshot()
  try {
    return await new RowsCheck(database, snapshot, languages).run()
  } catch (err) {
    const damage = damageOf(err)
    if (damage === undefined) throw err
    return [damage]
  } finally {
    await snapshot.close()
  }
}

/** Counts equal names that follow each other. */
class Runs {
  readonly #ended: (name: string, count: number) => void
  #name: string | undefined
  #count = 0

  constructor(ended: (name: string, count: number) => void) {
    this.#ended = ended
  }

  add(name: string): void {
    if (this.#name !== name) this.end()
    this.#name = name
    this.#count++
  }

  end(): void {
    if (this.#name !== undefined) this.#ended(this.#name, this.#count)
    this.#name = undefined
    this.#count = 0
  }
}

class RowsCheck {
  readonly #database: Database
  readonly #snapshot: AbstractSnapshot
  readonly #languages: IndexLanguages | undefined
  readonly #leaves = new TableCheck()
  readonly #indexes: IndexCheck[] = []
  readonly #buckets = new TableCheck()
  readonly #deaths = new TableCheck()

  constructor(database: Database, snapshot: AbstractSnapshot, languages: IndexLanguages | undefined) {
    this.#database = database
    this.#languages = languages
    this.#snapshot = snapshot
  }

  async run(): Promise<string[]> {
    const { served, built } = await loadIndexState(this.#database, this.#languages, this.#snapshot)
    this.#indexes.push(new IndexCheck(served, () => true))
    if (built !== undefined) this.#indexes.push(new IndexCheck(built, key => holds(built, key)))
    await this.#readRecords()
    for (const index of this.#indexes) index.expectCounts()
    await this.#readLeaves()
    for (const index of this.#indexes) await this.#readIndex(index)
    await this.#read(tableRange(TABLE_BUCKET), (key, value) => {
      this.#buckets.found.add(key, openSealed(key, value, DIGEST_BYTES))
    })
    await this.#read(tableRange(TABLE_DEATH), (key, value) => {
      this.#deaths.found.add(key, u64(endedNumber(deathFrom(key, value))))
    })
    const checks = {
      leaves: this.#leaves,
      buckets: this.#buckets,
      deaths: this.#deaths
    }
    const tables = [
      ...Object.entries(checks),
      ...this.#indexes.flatMap(({ postings, counters, days }) => [
        ['index', postings] as const,
        ['counters', counters] as const,
        ['days', days] as const
      ])
    ]
    const faults = tables
      .filter(([, { found, expected }]) => !found.equals(expected))
      .map(([table]) => `the rows of the table "${table}" do not match the rows that they are derived from`)
    if (await this.#opaqueIsShown()) faults.push('a record of a later format is shown in an earlier state')
    return faults
  }

  async #opaqueIsShown(): Promise<boolean> {
    const snapshot = this.#snapshot
    for await (const key of this.#database.keys({ ...opaqueRange(), snapshot })) {
      if ((await this.#database.get(recordRowKeyOfOpaque(key), { snapshot })) !== undefined) return true
    }
    return false
  }

  #readRecords(): Promise<void> {
    return this.#read(recordRange(), (key, value) => {
      const { record, bytes } = recordStateOf(key, value)
      this.#leaves.expected.add(leafKey(bucketOf(record), record), leafDigest(record, bytes))
      const ended = endOf(record)
      if (ended !== undefined) this.#deaths.expected.add(deathKey(record), u64(endedNumber(ended)))
      for (const index of this.#indexes) index.expect(key, record)
    })
  }

  async #readLeaves(): Promise<void> {
    const buckets = new Map<number, Uint8Array>()
    await this.#read(tableRange(TABLE_LEAF), (key, value) => {
      const { key: name, digest, grave } = leafFrom(key, value)
      // a grave stands in its leaf alone; were there a record, too, its leaf would be missing
      const leaf = grave === undefined ? digest : leafDigest(name, graveState(name, grave).bytes)
      if (grave === undefined) this.#leaves.found.add(key, leaf)
      const sum = buckets.get(bucketOfLeafKey(key))
      if (sum === undefined) buckets.set(bucketOfLeafKey(key), Uint8Array.from(leaf))
      else xorInto(sum, leaf)
    })
    for (const [bucket, sum] of buckets) this.#buckets.expected.add(bucketKey(bucket), sum)
  }

  /** Index rows are sorted by term and position, so the counter of a term is the length of its run. */
  async #readIndex({ index: { tables }, postings, counters, days }: IndexCheck): Promise<void> {
    for (const order of ['added', 'taken'] as const) {
      const terms = new Runs((term, count) => {
        if (order === 'added' && isCounted(term)) counters.expected.add(counterKey(tables, term), u64(count))
      })
      const dated = new Map<Day, DayCount>()
      await this.#read(tableRange(tables.order[order]), (key, value) => {
        postings.found.add(key, value)
        const term = termOfKey(key, order)
        terms.add(term)
        if (!hasTile(term)) return
        const day = dayOf(msOfPosition(positionOfKey(key, order), order))
        dated.set(day, dayWith(dated.get(day) ?? EMPTY_DAY, term, rowDigest(key, value)))
      })
      terms.end()
      for (const [day, count] of dated) {
        if (!isEmptyDay(count)) days.expected.add(dayKey(tables, order, day), dayCountBytes(count))
      }
    }
    await this.#read(tableRange(tables.counter), (key, value) => counters.found.add(key, openSealed(key, value, 8)))
    await this.#read(tableRange(tables.day), (key, value) => {
      days.found.add(key, dayCountBytes(dayCountFrom(key, value)))
    })
  }

  async #read(range: KeyRange, visit: (key: Uint8Array, value: Uint8Array) => void): Promise<void> {
    const iterator = this.#database.iterator({ ...range, snapshot: this.#snapshot })
    try {
      for (
        let rows = await iterator.nextv(VERIFY_READ_ROWS);
        rows.length > 0;
        rows = await iterator.nextv(VERIFY_READ_ROWS)
      ) {
        for (const [key, value] of rows) visit(key, value)
      }
    } finally {
      await iterator.close()
    }
  }
}
