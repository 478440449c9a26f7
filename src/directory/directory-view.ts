import { LRUCache } from 'lru-cache'
import type { Day } from '../domain/day.js'
import type { VolumeId } from '../domain/ids.js'
import type { LogProgress } from '../domain/log-progress.js'
import { DIGEST_BYTES, MERKLE_BUCKETS, MerkleTree } from '../domain/merkle.js'
import type { Range } from '../domain/ranges.js'
import { readMarkers } from './batch-markers.js'
import type { BatchPlan, PlanBase } from './batch-plan.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { type DayCount, dayCountFrom, EMPTY_DAY } from './days.js'
import { counterKey, dayKey, type IndexTables, type Order } from './index-keys.js'
import type { IndexLanguages } from './index-languages.js'
import { type IndexState, loadIndexState } from './index-state.js'
import {
  formatFrom,
  openSealed,
  RECORD_FORMAT_KEY,
  TABLE_APPLIED,
  TABLE_BUCKET,
  tableRange,
  u64From,
  volumeOfAppliedKey
} from './keys.js'
import { countOpaque } from './opaque-records.js'
import { sameBytes } from './record-fold.js'

const COUNTERS_MAX = 10_000
const DAYS_MAX = 1_000

/**
 * The part of the rows that the directory keeps in memory: the Merkle tree (1 MiB of buckets), the progress in each volume, counters
 * of recently used terms and days.
 */
export class DirectoryView implements PlanBase {
  readonly merkle: MerkleTree
  readonly applied: Map<VolumeId, LogProgress>
  readonly #database: Database
  readonly #counters = new LRUCache<string, number>({ max: COUNTERS_MAX })
  readonly #days = new LRUCache<string, DayCount>({ max: DAYS_MAX })
  #sequence: number
  #opaqueCount: number
  #formatMax: number
  /** Which indexes there are. */
  index: IndexState

  private constructor(
    database: Database,
    rows: {
      merkle: MerkleTree
      applied: Map<VolumeId, LogProgress>
      sequence: number
      opaqueCount: number
      formatMax: number
      index: IndexState
    }
  ) {
    this.#database = database
    this.merkle = rows.merkle
    this.applied = rows.applied
    this.#sequence = rows.sequence
    this.#opaqueCount = rows.opaqueCount
    this.#formatMax = rows.formatMax
    this.index = rows.index
  }

  /** @throws {@link DamageError} when the rows are inconsistent */
  static async load(database: Database, languages?: IndexLanguages): Promise<DirectoryView> {
    const { sequence, root } = await readMarkers(database)
    const merkle = new MerkleTree(await readBuckets(database))
    if (!sameBytes(merkle.node(0, 0), root ?? new Uint8Array(DIGEST_BYTES)))
      throw new DamageError('the Merkle buckets do not match the root')
    const applied = await readApplied(database, sequence)
    const opaqueCount = await countOpaque(database)
    const formatMax = formatFrom(await database.get(RECORD_FORMAT_KEY))
    const index = await loadIndexState(database, languages)
    return new DirectoryView(database, { merkle, applied, sequence, opaqueCount, formatMax, index })
  }

  get sequence(): number {
    return this.#sequence
  }

  /** Records that this version cannot read. */
  get opaqueCount(): number {
    return this.#opaqueCount
  }

  /** The latest format that a record row ever had. */
  get formatMax(): number {
    return this.#formatMax
  }

  get root(): Uint8Array {
    return this.merkle.node(0, 0)
  }

  bucket(bucket: number): Uint8Array {
    return this.merkle.bucket(bucket)
  }

  /** @returns the number of photos with the term. @throws {@link DamageError}, LevelDB's errors */
  count(term: string, tables: IndexTables = this.index.served.tables): number {
    const name = counterName(tables, term)
    const known = this.#counters.get(name)
    if (known !== undefined) return known
    const key = counterKey(tables, term)
    const value = this.#database.getSync(key)
    const count = value === undefined ? 0 : u64From(openSealed(key, value, 8))
    this.#counters.set(name, count)
    return count
  }

  /** @returns what a day of the time line holds. @throws as `count` */
  day(order: Order, day: Day, tables: IndexTables, audience?: Uint8Array): DayCount {
    const name = dayName(tables, order, day, audience)
    const known = this.#days.get(name)
    if (known !== undefined) return known
    const key = dayKey(tables, order, day, audience)
    const value = this.#database.getSync(key)
    const count = value === undefined ? EMPTY_DAY : dayCountFrom(key, value)
    this.#days.set(name, count)
    return count
  }

  /** Applies a batch that has been written to the state in memory. */
  commit(plan: BatchPlan): void {
    for (const { bucket, leaf } of plan.toggles) this.merkle.toggle(bucket, leaf)
    for (const { tables, counters, days } of plan.counts) {
      for (const [term, count] of counters) this.#counters.set(counterName(tables, term), count)
      for (const order of ['added', 'taken'] as const)
        for (const { day, audience, count } of days[order]) this.#days.set(dayName(tables, order, day, audience), count)
    }
    for (const [volume, progress] of plan.applied) this.applied.set(volume, progress)
    this.#sequence = plan.sequence
    this.#opaqueCount += plan.opaque.length
    this.#formatMax = plan.formatMax
  }
}

function counterName({ counter }: IndexTables, term: string): string {
  return `${counter} ${term}`
}

function dayName({ day: table }: IndexTables, order: Order, day: Day, audience?: Uint8Array): string {
  return `${table} ${order} ${day} ${audience === undefined ? '' : Buffer.from(audience).toString('hex')}`
}

async function readBuckets(database: Database): Promise<Uint8Array> {
  const buckets = new Uint8Array(MERKLE_BUCKETS * DIGEST_BYTES)
  for (const [key, value] of await database.iterator(tableRange(TABLE_BUCKET)).all()) {
    const digest = openSealed(key, value, DIGEST_BYTES)
    if (key.length !== 3) throw new DamageError('a Merkle bucket has a malformed key')
    buckets.set(digest, ((key[1] ?? 0) * 256 + (key[2] ?? 0)) * DIGEST_BYTES)
  }
  return buckets
}

/**
 * Reads the progress in each volume. A batch of data needles only is not numbered. It may survive a power failure that loses
 * the numbered batch before it, and would then claim that the lost records are in the rows; so each row names its last batch.
 */
async function readApplied(database: Database, last: number): Promise<Map<VolumeId, LogProgress>> {
  const applied = new Map<VolumeId, LogProgress>()
  for (const [key, value] of await database.iterator(tableRange(TABLE_APPLIED)).all()) {
    const payload = openSealed(key, value)
    if (payload.length < 16 || payload.length % 16 !== 0) throw new DamageError('an applied row has the wrong length')
    if (u64From(payload.subarray(8)) > last) throw new DamageError('a batch is missing before an applied row')
    const gaps: Range[] = []
    for (let at = 16; at < payload.length; at += 16) {
      gaps.push({ from: u64From(payload.subarray(at)), to: u64From(payload.subarray(at + 8)) })
    }
    applied.set(volumeOfAppliedKey(key), { reached: u64From(payload), gaps })
  }
  return applied
}
