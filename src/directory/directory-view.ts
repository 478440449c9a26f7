import { LRUCache } from 'lru-cache'
import type { Hlc } from '../domain/hlc.js'
import type { VolumeId } from '../domain/ids.js'
import { DIGEST_BYTES, MERKLE_BUCKETS, MerkleTree } from '../domain/merkle.js'
import { readMarkers } from './batch-markers.js'
import type { BatchPlan, PlanBase } from './batch-plan.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import {
  counterKey,
  HORIZON_KEY,
  horizonFrom,
  openSealed,
  TABLE_APPLIED,
  TABLE_BUCKET,
  tableRange,
  u64From,
  volumeOfAppliedKey
} from './keys.js'
import { sameBytes } from './record-fold.js'

const COUNTERS_MAX = 10_000

/**
 * What the directory keeps in memory of its rows: the Merkle tree (1 MiB of buckets), applied offsets, counters of
 * recent terms.
 */
export class DirectoryView implements PlanBase {
  readonly merkle: MerkleTree
  readonly applied: Map<VolumeId, number>
  readonly #database: Database
  readonly #counters = new LRUCache<string, number>({ max: COUNTERS_MAX })
  #sequence: number
  #horizon: Hlc

  private constructor(
    database: Database,
    rows: { merkle: MerkleTree; applied: Map<VolumeId, number>; sequence: number; horizon: Hlc }
  ) {
    this.#database = database
    this.merkle = rows.merkle
    this.applied = rows.applied
    this.#sequence = rows.sequence
    this.#horizon = rows.horizon
  }

  /** @throws {@link DamageError} when the rows do not fit each other */
  static async load(database: Database): Promise<DirectoryView> {
    const { sequence, root } = await readMarkers(database)
    const merkle = new MerkleTree(await readBuckets(database))
    if (!sameBytes(merkle.node(0, 0), root ?? new Uint8Array(DIGEST_BYTES)))
      throw new DamageError('the Merkle buckets do not give the root')
    const applied = await readApplied(database, sequence)
    const horizon = horizonFrom(await database.get(HORIZON_KEY))
    return new DirectoryView(database, { merkle, applied, sequence, horizon })
  }

  get sequence(): number {
    return this.#sequence
  }

  get horizon(): Hlc {
    return this.#horizon
  }

  get root(): Uint8Array {
    return this.merkle.node(0, 0)
  }

  bucket(bucket: number): Uint8Array {
    return this.merkle.bucket(bucket)
  }

  /** @returns photos that have the counted term. @throws {@link DamageError}, LevelDB's errors */
  count(term: string): number {
    const known = this.#counters.get(term)
    if (known !== undefined) return known
    const key = counterKey(term)
    const value = this.#database.getSync(key)
    const count = value === undefined ? 0 : u64From(openSealed(key, value, 8))
    this.#counters.set(term, count)
    return count
  }

  /** Brings the memory to where the batch, now written, has brought the rows. */
  commit(plan: BatchPlan): void {
    for (const { bucket, leaf } of plan.toggles) this.merkle.toggle(bucket, leaf)
    for (const [term, count] of plan.counters) this.#counters.set(term, count)
    for (const [volume, offset] of plan.applied) this.applied.set(volume, offset)
    this.#sequence = plan.sequence
    this.#horizon = plan.horizon
  }
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
 * A batch that brings no record, but data needles, is not numbered. It may have survived a loss of power that took the
 * numbered one before it, and then claims that its records are in the rows.
 */
async function readApplied(database: Database, last: number): Promise<Map<VolumeId, number>> {
  const applied = new Map<VolumeId, number>()
  for (const [key, value] of await database.iterator(tableRange(TABLE_APPLIED)).all()) {
    const payload = openSealed(key, value, 16)
    if (u64From(payload.subarray(8)) > last) throw new DamageError('a batch is missing before an applied offset')
    applied.set(volumeOfAppliedKey(key), u64From(payload))
  }
  return applied
}
