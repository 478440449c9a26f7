import { createHash } from 'node:crypto'
import { bucketOf, DIGEST_BYTES, leafDigest } from '../domain/merkle.js'
import { damageOf } from './damage.js'
import type { Database } from './database.js'
import {
  bucketKey,
  bucketOfLeafKey,
  counterKey,
  leafKey,
  openSealed,
  recordRange,
  TABLE_BUCKET,
  TABLE_COUNTER,
  TABLE_LEAF,
  TABLE_TERM,
  tableRange,
  termKey,
  termOfKey,
  u64
} from './keys.js'
import { recordStateOf } from './stored-record.js'
import { indexEntries, isCounted } from './term-index.js'

const READ_ROWS = 256
const NO_BYTES = new Uint8Array(0)

/** Digest of a set of rows in any order: equal sets have equal digests. Rows are distinct, so XOR does. */
class RowSet {
  readonly #digest = Buffer.alloc(32)

  add(key: Uint8Array, payload: Uint8Array): void {
    const row = createHash('sha256').update(u64(key.length)).update(key).update(payload).digest()
    for (const [i, byte] of row.entries()) this.#digest[i] = (this.#digest[i] ?? 0) ^ byte
  }

  equals(other: RowSet): boolean {
    return this.#digest.equals(other.#digest)
  }
}

/** What a table holds, and what follows from the rows that it is made from. */
class TableCheck {
  readonly found = new RowSet()
  readonly expected = new RowSet()
}

/**
 * Checks every derived row against the records of one snapshot, in constant memory: leaves and index rows against
 * records, buckets against leaves, counters against index rows.
 *
 * @returns what is wrong, in words
 */
export async function verifyRows(database: Database): Promise<string[]> {
  const snapshot = database.snapshot()
  const checks = {
    leaves: new TableCheck(),
    index: new TableCheck(),
    buckets: new TableCheck(),
    counters: new TableCheck()
  }
  const faults: string[] = []

  const each = async (
    range: { gte: Uint8Array; lt: Uint8Array },
    visit: (key: Uint8Array, value: Uint8Array) => void
  ): Promise<void> => {
    const iterator = database.iterator({ ...range, snapshot })
    try {
      for (let rows = await iterator.nextv(READ_ROWS); rows.length > 0; rows = await iterator.nextv(READ_ROWS)) {
        for (const [key, value] of rows) visit(key, value)
      }
    } finally {
      await iterator.close()
    }
  }

  try {
    await each(recordRange(), (key, value) => {
      const { record, bytes } = recordStateOf(key, value)
      checks.leaves.expected.add(leafKey(bucketOf(record), record), leafDigest(record, bytes))
      const { terms, position } = indexEntries(record)
      if (position !== undefined) for (const term of terms) checks.index.expected.add(termKey(term, position), NO_BYTES)
    })
    const buckets = new Map<number, Uint8Array>()
    await each(tableRange(TABLE_LEAF), (key, value) => {
      const leaf = openSealed(key, value, DIGEST_BYTES)
      checks.leaves.found.add(key, leaf)
      const bucket = bucketOfLeafKey(key)
      const sum = buckets.get(bucket)
      if (sum === undefined) buckets.set(bucket, Uint8Array.from(leaf))
      else for (const [i, byte] of leaf.entries()) sum[i] = (sum[i] ?? 0) ^ byte
    })
    for (const [bucket, sum] of buckets) checks.buckets.expected.add(bucketKey(bucket), sum)
    await each(tableRange(TABLE_BUCKET), (key, value) =>
      checks.buckets.found.add(key, openSealed(key, value, DIGEST_BYTES))
    )
    let run: { term: string; count: number } | undefined
    const endRun = (): void => {
      if (run !== undefined && isCounted(run.term)) checks.counters.expected.add(counterKey(run.term), u64(run.count))
    }
    await each(tableRange(TABLE_TERM), key => {
      checks.index.found.add(key, NO_BYTES)
      const term = termOfKey(key)
      if (run?.term === term) run.count++
      else {
        endRun()
        run = { term, count: 1 }
      }
    })
    endRun()
    await each(tableRange(TABLE_COUNTER), (key, value) => checks.counters.found.add(key, openSealed(key, value, 8)))
  } catch (err) {
    const damage = damageOf(err)
    if (damage === undefined) throw err
    return [damage]
  } finally {
    await snapshot.close()
  }
  for (const [name, check] of Object.entries(checks)) {
    if (!check.found.equals(check.expected)) faults.push(`the ${name} do not fit the rows that they are made from`)
  }
  return faults
}
