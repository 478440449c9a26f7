import type { VolumeId } from '../domain/ids.js'
import type { LogProgress } from '../domain/log-progress.js'
import { bucketOf, DIGEST_BYTES, leafDigest } from '../domain/merkle.js'
import { type DirectoryRecord, isGrave, type RecordKey } from '../domain/record.js'
import { formatOf } from '../domain/record-codec.js'
import { endOf } from '../domain/tombstone.js'
import type { NeedleLocation } from '../volumes/needle-store.js'
import { markerRow } from './batch-markers.js'
import { holds, type IndexState } from './index-state.js'
import {
  appliedKey,
  bucketKey,
  deathKey,
  deathRow,
  endedNumber,
  formatRow,
  leafKey,
  type Operation,
  opaqueRow,
  type Row,
  recordRowKey,
  sealedRow,
  u64
} from './keys.js'
import { graveRow } from './leaf-rows.js'
import { type OpaqueFold, type VerbatimNeedle, verbatimRow } from './opaque-records.js'
import { type RecordFold, sameBytes } from './record-fold.js'
import { type RecordState, recordRow } from './stored-record.js'
import { type CountChanges, type IndexCounts, TermPlan } from './term-plan.js'

/** A record whose merged state a batch changed. */
export interface RecordChange {
  readonly key: RecordKey
  /** Absent if the record is new, or only its grave was here. */
  readonly before?: DirectoryRecord
  /** Absent if only its grave is left. */
  readonly after?: DirectoryRecord
  /** The canonical encoding of `after`, or of the grave; must not be modified. */
  readonly bytes: Uint8Array
  /** The needle that held the state before. */
  readonly left?: NeedleLocation
  /** The volumes of the needles that brought the change; empty when it came by `merge` alone. */
  readonly volumes: readonly VolumeId[]
}

/** The summary of the rows that a batch is planned from, and that it updates. */
export interface PlanBase extends IndexCounts {
  /** Number of the last batch. */
  readonly sequence: number
  /** Merkle root, 16 bytes. */
  readonly root: Uint8Array
  /** The latest format that a record row ever had. */
  readonly formatMax: number
  readonly index: IndexState
  bucket(bucket: number): Uint8Array
}

/**
 * One batch: what to write, and the state in memory after it. Planning changes nothing, so a failed batch has no effect.
 */
export interface BatchPlan {
  readonly operations: Operation[]
  readonly applied: ReadonlyMap<VolumeId, LogProgress>
  readonly sequence: number
  readonly toggles: readonly LeafToggle[]
  /** New values of what the indexes count, where it changes. */
  readonly counts: readonly CountChanges[]
  readonly changes: readonly RecordChange[]
  /** Keys of records that this version cannot read, first seen in this batch. */
  readonly opaque: readonly RecordKey[]
  /** The latest format that a record row ever had, after the batch. */
  readonly formatMax: number
}

export interface LeafToggle {
  readonly bucket: number
  readonly leaf: Uint8Array
}

/**
 * Plans one batch that updates record rows, Merkle leaves and buckets, the inverted index, counters and progress
 * together.
 *
 * @param heardAt - the node's age, ms
 */
export function planBatch(
  base: PlanBase,
  folds: Iterable<RecordFold>,
  applied: ReadonlyMap<VolumeId, LogProgress>,
  heardAt: number,
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
  const terms = new TermPlan(operations)
  const changes: RecordChange[] = []
  for (const fold of folds) {
    const { key, before, after, volumes } = fold
    const isSame = before !== undefined && sameBytes(before.bytes, after.bytes)
    if (isSame && before.home === after.home && before.isLogged === after.isLogged) continue
    planRows(operations, fold)
    if (isSame) continue
    planLeaf(operations, toggles, fold)
    const [was, is] = [shownIn(before), shownIn(after)]
    planDeath(operations, key, was, is, heardAt)
    planTerms(terms, base.index, fold.place.record, was, is)
    changes.push({
      key,
      ...(was && { before: was }),
      ...(is && { after: is }),
      ...(before?.home && { left: before.home }),
      bytes: after.bytes,
      volumes
    })
  }
  const formatMax = changes.reduce((max, { bytes }) => Math.max(max, formatOf(bytes)), base.formatMax)
  if (formatMax > base.formatMax) putRow(operations, formatRow(formatMax))
  for (const needle of verbatim) putRow(operations, verbatimRow(needle))
  for (const fold of opaque) planOpaque(operations, toggles, terms, base.index, fold)
  const counts = terms.finish(base)
  const root = planBuckets(operations, base, toggles)
  const isNumbered = changes.length > 0 || opaque.length > 0
  const sequence = isNumbered ? base.sequence + 1 : base.sequence
  const isSmall = changes.every(({ after }) => after === undefined)
  if (isNumbered) putRow(operations, markerRow(sequence, root, isSmall))
  for (const [volume, progress] of applied) putRow(operations, appliedRow(volume, progress, sequence))
  const opaqueKeys = opaque.map(({ key }) => key)
  return { operations, applied, sequence, toggles, counts, changes, opaque: opaqueKeys, formatMax }
}

function appliedRow(volume: VolumeId, { reached, gaps }: LogProgress, sequence: number): Row {
  const ranges = gaps.flatMap(({ from, to }) => [u64(from), u64(to)])
  return sealedRow(appliedKey(volume), u64(reached), u64(sequence), ...ranges)
}

/** A grave is in its leaf alone, any other record in a row of its own. */
function planRows(operations: Operation[], { place, before, after }: RecordFold): void {
  if (shownIn(after) !== undefined) putRow(operations, recordRow(place.record, after))
  else {
    if (shownIn(before) !== undefined) operations.push({ type: 'del', key: place.record })
    const { buried = 1 } = after.record
    putRow(operations, graveRow(place.leaf, { generation: buried - 1, isLogged: after.isLogged === true }))
  }
}

function planLeaf(operations: Operation[], toggles: LeafToggle[], { key, place, before, after }: RecordFold): void {
  const { bucket } = place
  if (before !== undefined) toggles.push({ bucket, leaf: leafDigest(key, before.bytes) })
  const leaf = leafDigest(key, after.bytes)
  toggles.push({ bucket, leaf })
  if (shownIn(after) !== undefined) putRow(operations, sealedRow(place.leaf, leaf))
}

/** A record that has been deleted for a while is buried: so it is noted when this node heard of it. */
function planDeath(
  operations: Operation[],
  key: RecordKey,
  before: DirectoryRecord | undefined,
  after: DirectoryRecord | undefined,
  heardAt: number
): void {
  const was = before && endOf(before)
  const ended = after && endOf(after)
  if ((was && endedNumber(was)) === (ended && endedNumber(ended))) return
  if (ended !== undefined) putRow(operations, deathRow(key, { heardAt, ...ended }))
  else operations.push({ type: 'del', key: deathKey(key) })
}

/** @returns undefined for a grave, which shows nothing */
function shownIn(state: RecordState | undefined): DirectoryRecord | undefined {
  return state === undefined || isGrave(state.record) ? undefined : state.record
}

/** Only the opaque row stays: what could be read of the record is out of date, and must not be shown. */
function planOpaque(
  operations: Operation[],
  toggles: LeafToggle[],
  terms: TermPlan,
  index: IndexState,
  { key, format, before }: OpaqueFold
): void {
  putRow(operations, opaqueRow(key, format))
  if (before === undefined) return
  const bucket = bucketOf(key)
  toggles.push({ bucket, leaf: leafDigest(key, before.bytes) })
  const recordKey = recordRowKey(key)
  for (const row of [recordKey, leafKey(bucket, key), deathKey(key)]) operations.push({ type: 'del', key: row })
  planTerms(terms, index, recordKey, shownIn(before), undefined)
}

function planTerms(
  terms: TermPlan,
  { served, built }: IndexState,
  recordKey: Uint8Array,
  before: DirectoryRecord | undefined,
  after: DirectoryRecord | undefined
): void {
  terms.change(served, before, after)
  if (built !== undefined && holds(built, recordKey)) terms.change(built, before, after)
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
