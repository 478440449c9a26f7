/*
 * Records of a later format. This version knows their keys and nothing else, so such a key is opaque: it has no record row,
 * no leaf and no terms, whatever could be read of it before or arrives later. All of its needles are kept as they are, for
 * a version that reads them: what they would merge to is not known here. A `verbatim` row for each says where a needle
 * with these bytes was applied from last, so that compaction moves them once and not once a round.
 */
import { isGrave, type RecordKey, recordName } from '../domain/record.js'
import type { OpaqueRecord } from '../domain/record-codec.js'
import type { NeedleLocation } from '../volumes/needle-store.js'
import type { Database } from './database.js'
import {
  formatOfOpaqueRow,
  opaqueKey,
  opaqueRange,
  openSealed,
  type Row,
  sealedRow,
  TABLE_APPLIED,
  tableRange,
  verbatimKey,
  verbatimRange
} from './keys.js'
import type { IncomingRecord } from './record-fold.js'
import { readState } from './record-rows.js'
import { HOME_BYTES, homeBytes, homeFrom, type RecordState } from './stored-record.js'

/** A record of a later format: it takes the place of what this version could read of it. */
export interface OpaqueFold {
  readonly key: RecordKey
  readonly format: number
  readonly before: RecordState | undefined
}

/** A record needle of an opaque key, or of a record that nobody can read. */
export interface VerbatimNeedle {
  readonly bytes: Uint8Array
  readonly location: NeedleLocation
}

/** A record of a later format that came in a needle. */
export interface IncomingOpaque extends VerbatimNeedle {
  readonly record: OpaqueRecord
}

/** After an upgrade `readmitOpaque` has let go of what this version reads. */
export function isOpaque(database: Database, key: RecordKey): boolean {
  const rowKey = opaqueKey(key)
  const value = database.getSync(rowKey)
  return value !== undefined && formatOfOpaqueRow(rowKey, value) > 0
}

export function verbatimRow({ bytes, location }: VerbatimNeedle): Row {
  return sealedRow(verbatimKey(bytes), homeBytes(location))
}

/** @returns where such a needle with these bytes was applied from last */
export function readVerbatimHome(database: Database, bytes: Uint8Array): NeedleLocation | undefined {
  const key = verbatimKey(bytes)
  const value = database.getSync(key)
  return value && homeFrom(openSealed(key, value, HOME_BYTES))
}

/** @returns what one batch has to do with these records: keys that become opaque, and needles of keys that are */
export function foldOpaque(
  database: Database,
  incoming: readonly IncomingOpaque[]
): { readonly folds: readonly OpaqueFold[]; readonly verbatim: readonly VerbatimNeedle[] } {
  const folds = new Map<string, OpaqueFold>()
  for (const { record } of incoming) {
    const { kind, id, format } = record
    if (isOpaque(database, record)) continue
    const key = { kind, id }
    folds.set(recordName(record), { key, format, before: readState(database, key) })
  }
  return { folds: [...folds.values()], verbatim: incoming }
}

/**
 * Parts records that can be merged from those of opaque keys.
 *
 * @param becoming - keys that become opaque in the same batch
 */
export function partOpaque(
  database: Database,
  incoming: readonly IncomingRecord[],
  becoming: readonly OpaqueFold[]
): { readonly records: readonly IncomingRecord[]; readonly verbatim: readonly VerbatimNeedle[] } {
  const names = new Set(becoming.map(({ key }) => recordName(key)))
  const records: IncomingRecord[] = []
  const verbatim: VerbatimNeedle[] = []
  for (const each of incoming) {
    const { record, bytes, location } = each
    if (!names.has(recordName(record)) && !isOpaque(database, record)) records.push(each)
    // a grave stays in its needle in any case
    else if (location !== undefined && !isGrave(record)) verbatim.push({ bytes, location })
  }
  return { records, verbatim }
}

export async function countOpaque(database: Database): Promise<number> {
  let count = 0
  for await (const _key of database.keys(opaqueRange())) count++
  return count
}

/**
 * Lets go of opaque keys whose format this version reads, after an upgrade. All volumes are then replayed from their starts, so the
 * records come back from their needles, merged into whatever else the rows hold.
 *
 * @returns how many there were
 */
export async function readmitOpaque(database: Database, formatMax: number): Promise<number> {
  const operations: { type: 'del'; key: Uint8Array }[] = []
  for await (const [key, value] of database.iterator(opaqueRange())) {
    if (formatOfOpaqueRow(key, value) <= formatMax) operations.push({ type: 'del', key })
  }
  const count = operations.length
  if (count === 0) return 0
  for (const range of [verbatimRange(), tableRange(TABLE_APPLIED)]) {
    for await (const key of database.keys(range)) operations.push({ type: 'del', key })
  }
  await database.batch(operations)
  return count
}
