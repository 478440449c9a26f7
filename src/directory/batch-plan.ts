import type { Hlc } from '../domain/hlc.js'
import type { VolumeId } from '../domain/ids.js'
import type { LogProgress } from '../domain/log-progress.js'
import { bucketOf, DIGEST_BYTES, leafDigest } from '../domain/merkle.js'
import type { DirectoryRecord, RecordKey } from '../domain/record.js'
import { formatOf } from '../domain/record-codec.js'
import { isForgotten, tombstoneStamp } from '../domain/tombstone.js'
import { markerRow } from './batch-markers.js'
import { DamageError } from './damage.js'
import {
  appliedKey,
  bucketKey,
  counterKey,
  formatRow,
  leafKey,
  opaqueRow,
  type Row,
  recordRowKey,
  sealedRow,
  termKey,
  tombstoneKey,
  u64
} from './keys.js'
import { type OpaqueFold, type VerbatimNeedle, verbatimRow } from './opaque-records.js'
import { type RecordFold, sameBytes } from './record-fold.js'
import { recordRow } from './stored-record.js'
import { indexChange, indexEntries, isCounted } from './term-index.js'

export type Operation = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array }

/** A record whose merged state a batch changed. */
export interface RecordChange {
  readonly key: RecordKey
  readonly before?: DirectoryRecord
  readonly after: DirectoryRecord
  /** The canonical encoding of `after`; must not be modified. */
  readonly bytes: Uint8Array
  /** The volumes of the needles that brought the change; empty when it came by `merge` alone. */
  readonly volumes: readonly VolumeId[]
}

/** The summary of the rows that a batch is planned from, and that it updates. */
export interface PlanBase {
  /** Number of the last batch. */
  readonly sequence: number
  /** Merkle root, 16 bytes. */
  readonly root: Uint8Array
  /** Records deleted up to this stamp have no leaf. */
  readonly horizon: Hlc
  /** The latest format that a record row ever had. */
  readonly formatMax: number
  bucket(bucket: number): Uint8Array
  count(term: string): number
}

/**
 * One batch: what to write, and the state in memory after it. Planning changes nothing, so a failed batch has no effect.
 */
export interface BatchPlan {
  readonly operations: Operation[]
  readonly applied: ReadonlyMap<VolumeId, LogProgress>
  readonly sequence: number
  readonly toggles: readonly LeafToggle[]
  /** New values of the counters that change. */
  readonly counters: ReadonlyMap<string, number>
  readonly changes: readonly RecordChange[]
  /** The horizon after the batch. */
  readonly horizon: Hlc
  /** Keys of records that this version cannot read, first seen in this batch. */
  readonly opaque: readonly RecordKey[]
}

export interface LeafToggle {
  readonly bucket: number
  readonly leaf: Uint8Array
}

const NO_BYTES = new Uint8Array(0)

/**
 * Plans one batch that updates record rows, Merkle leaves and buckets, the inverted index, counters and progress
 * together. The index changes by the difference between the old and the new merged record.
 */
export function planBatch(
  base: PlanBase,
  folds: Iterable<RecordFold>,
  applied: ReadonlyMap<VolumeId, LogProgress>,
  {
    folds: opaque = [],
    verbatim = []
  }: {
    readonly folds?: readonly OpaqueFold[]
    readonly verbatim?: readonly VerbatimNeedle[]
  } = {}
): BatchPlan {
  const operations: Operation[] = []
  const toggles: LeafToggle[] = []
  const deltas = new Map<string, number>()
  const changes: RecordChange[] = []
  for (const fold of folds) {
    const { key, before, after, volumes } = fold
    // every member has applied that delete, and holds nothing that it killed: nobody needs to hear of it again
    if (before === undefined && isForgotten(after.record, base.horizon)) continue
    if (before !== undefined && sameBytes(before.bytes, after.bytes)) {
      if (before.home !== after.home) putRow(operations, recordRow(recordRowKey(key), after))
      continue
    }
    putRow(operations, recordRow(recordRowKey(key), after))
    planLeaf(operations, toggles, fold, base.horizon)
    planTombstone(operations, fold)
    planTerms(operations, deltas, before?.record, after.record)
    const { record, bytes } = after
    changes.push({ key, ...(before && { before: before.record }), after: record, bytes, volumes })
  }
  const formatMax = Math.max(0, ...changes.map(({ bytes }) => formatOf(bytes)))
  if (formatMax > base.formatMax) putRow(operations, formatRow(formatMax))
  for (const needle of verbatim) putRow(operations, verbatimRow(needle))
  for (const fold of opaque) planOpaque(operations, toggles, deltas, fold, base.horizon)
  const counters = planCounters(operations, base, deltas)
  const root = planBuckets(operations, base, toggles)
  const isNumbered = changes.length > 0 || opaque.length > 0
  const sequence = isNumbered ? base.sequence + 1 : base.sequence
  if (isNumbered) putRow(operations, markerRow(sequence, root))
  for (const [volume, progress] of applied) putRow(operations, appliedRow(volume, progress, sequence))
  const opaqueKeys = opaque.map(({ key }) => key)
  return { operations, applied, sequence, toggles, counters, changes, horizon: base.horizon, opaque: opaqueKeys }
}

/** Plans a numbered batch that changes rows without merging records. */
export function planNumbered(base: PlanBase, plan: Pick<BatchPlan, 'operations' | 'toggles' | 'horizon'>): BatchPlan {
  const sequence = base.sequence + 1
  const root = planBuckets(plan.operations, base, plan.toggles)
  putRow(plan.operations, markerRow(sequence, root))
  return { ...plan, sequence, applied: new Map(), counters: new Map(), changes: [], opaque: [] }
}

function appliedRow(volume: VolumeId, { reached, gaps }: LogProgress, sequence: number): Row {
  const ranges = gaps.flatMap(({ from, to }) => [u64(from), u64(to)])
  return sealedRow(appliedKey(volume), u64(reached), u64(sequence), ...ranges)
}

function planLeaf(
  operations: Operation[],
  toggles: LeafToggle[],
  { key, before, after }: RecordFold,
  horizon: Hlc
): void {
  const bucket = bucketOf(key)
  const had = before !== undefined && !isForgotten(before.record, horizon)
  const has = !isForgotten(after.record, horizon)
  if (had) toggles.push({ bucket, leaf: leafDigest(key, before.bytes) })
  if (has) {
    const leaf = leafDigest(key, after.bytes)
    toggles.push({ bucket, leaf })
    putRow(operations, sealedRow(leafKey(bucket, key), leaf))
  } else if (had) operations.push({ type: 'del', key: leafKey(bucket, key) })
}

function planTombstone(operations: Operation[], { key, before, after }: RecordFold): void {
  const was = before && tombstoneStamp(before.record)
  const is = tombstoneStamp(after.record)
  if (was === is) return
  if (was !== undefined) operations.push({ type: 'del', key: tombstoneKey(was, key) })
  if (is !== undefined) operations.push({ type: 'put', key: tombstoneKey(is, key), value: NO_BYTES })
}

/** Only the opaque row stays: what could be read of the record is out of date, and must not be shown. */
function planOpaque(
  operations: Operation[],
  toggles: LeafToggle[],
  deltas: Map<string, number>,
  { key, format, before }: OpaqueFold,
  horizon: Hlc
): void {
  putRow(operations, opaqueRow(key, format))
  if (before === undefined) return
  operations.push({ type: 'del', key: recordRowKey(key) })
  const deletedAt = tombstoneStamp(before.record)
  if (deletedAt !== undefined) operations.push({ type: 'del', key: tombstoneKey(deletedAt, key) })
  if (!isForgotten(before.record, horizon)) {
    const bucket = bucketOf(key)
    toggles.push({ bucket, leaf: leafDigest(key, before.bytes) })
    operations.push({ type: 'del', key: leafKey(bucket, key) })
  }
  planTerms(operations, deltas, before.record, undefined)
}

function planTerms(
  operations: Operation[],
  deltas: Map<string, number>,
  before: DirectoryRecord | undefined,
  after: DirectoryRecord | undefined
): void {
  const { removed, added } = indexChange(indexEntries(before), indexEntries(after))
  if (removed.position !== undefined) {
    for (const term of removed.terms) {
      operations.push({ type: 'del', key: termKey(term, removed.position) })
      if (isCounted(term)) deltas.set(term, (deltas.get(term) ?? 0) - 1)
    }
  }
  if (added.position !== undefined) {
    for (const term of added.terms) {
      operations.push({ type: 'put', key: termKey(term, added.position), value: NO_BYTES })
      if (isCounted(term)) deltas.set(term, (deltas.get(term) ?? 0) + 1)
    }
  }
}

function planCounters(
  operations: Operation[],
  base: PlanBase,
  deltas: ReadonlyMap<string, number>
): Map<string, number> {
  const counters = new Map<string, number>()
  for (const [term, delta] of deltas) {
    if (delta === 0) continue
    const count = base.count(term) + delta
    if (count < 0) throw new DamageError('a counter is too low')
    counters.set(term, count)
    if (count === 0) operations.push({ type: 'del', key: counterKey(term) })
    else putRow(operations, sealedRow(counterKey(term), u64(count)))
  }
  return counters
}

/** @returns the Merkle root after the toggles */
function planBuckets(operations: Operation[], base: PlanBase, toggles: readonly LeafToggle[]): Uint8Array {
  const buckets = new Map<number, Uint8Array>()
  const root = Uint8Array.from(base.root)
  for (const { bucket, leaf } of toggles) {
    let digest = buckets.get(bucket)
    if (digest === undefined) {
      digest = Uint8Array.from(base.bucket(bucket))
      buckets.set(bucket, digest)
    }
    xorInto(digest, leaf)
    xorInto(root, leaf)
  }
  for (const [bucket, digest] of buckets) {
    const isEmpty = digest.every(byte => byte === 0)
    if (isEmpty) operations.push({ type: 'del', key: bucketKey(bucket) })
    else putRow(operations, sealedRow(bucketKey(bucket), digest))
  }
  return root
}

/** XORs the first DIGEST_BYTES of `other` into `target`. */
export function xorInto(target: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < DIGEST_BYTES; i++) target[i] = (target[i] ?? 0) ^ (other[i] ?? 0)
}

function putRow(operations: Operation[], { key, value }: Row): void {
  operations.push({ type: 'put', key, value })
}
