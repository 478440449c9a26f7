import { readVarint, writeVarint } from '../domain/graves.js'
import { DIGEST_BYTES } from '../domain/merkle.js'
import { graveOf, type RecordKey } from '../domain/record.js'
import { encodeRecord } from '../domain/record-codec.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { bucketOfLeafKey, leafRange, openSealed, type Row, recordKeyFrom, sealedRow } from './keys.js'
import type { RecordState } from './stored-record.js'

const GRAVE_BYTES_MAX = 3
/** Rows that are read and decoded at once: less than a millisecond. */
const READ_ROWS = 512

/** What is left of a record whose lives are all over. */
export interface GraveState {
  /** The last of them. */
  readonly generation: number
  /** Whether a needle here holds the grave, so that a rebuild finds it. */
  readonly isLogged: boolean
}

/** A leaf of the Merkle tree, by its row: the digest of a record, or a grave, of which it is all that is stored. */
export type Leaf = { readonly key: RecordKey } & (
  | { readonly digest: Uint8Array; readonly grave?: never }
  | { readonly grave: GraveState; readonly digest?: never }
)

export function graveRow(leafKey: Uint8Array, { generation, isLogged }: GraveState): Row {
  const bytes = Buffer.alloc(GRAVE_BYTES_MAX)
  const end = writeVarint(bytes, 0, 2 * generation + Number(isLogged))
  return sealedRow(leafKey, bytes.subarray(0, end))
}

/** Inverse of `graveRow`, and of `sealedRow` with a digest. @throws {@link DamageError} */
export function leafFrom(rowKey: Uint8Array, value: Uint8Array): Leaf {
  const payload = openSealed(rowKey, value)
  const key = recordKeyFrom(rowKey)
  if (payload.length === DIGEST_BYTES) return { key, digest: payload }
  if (payload.length === 0 || payload.length > GRAVE_BYTES_MAX) throw new DamageError('a leaf has the wrong length')
  const [number] = readVarint(payload, 0)
  return { key, grave: { generation: number >> 1, isLogged: number % 2 === 1 } }
}

/**
 * Yields the leaves of some buckets: for each in turn those of it, in the order of their keys. Buckets in a row are read
 * together, as opening an iterator costs as much as some dozen rows.
 *
 * @throws {@link DamageError}
 */
export async function* readLeaves(database: Database, buckets: readonly number[]): AsyncGenerator<Leaf[]> {
  for (let at = 0, count: number; at < buckets.length; at += count) {
    const first = buckets[at] as number
    count = 1
    while (buckets[at + count] === first + count) count++
    yield* readRun(database, first, count)
  }
}

async function* readRun(database: Database, first: number, count: number): AsyncGenerator<Leaf[]> {
  const iterator = database.iterator(leafRange(first, first + count - 1))
  try {
    let bucket = first
    let leaves: Leaf[] = []
    for (;;) {
      const rows = await iterator.nextv(READ_ROWS)
      for (const [key, value] of rows) {
        for (const of = bucketOfLeafKey(key); bucket < of; bucket++) {
          yield leaves
          leaves = []
        }
        leaves.push(leafFrom(key, value))
      }
      if (rows.length === 0) break
    }
    for (; bucket < first + count; bucket++) {
      yield leaves
      leaves = []
    }
  } finally {
    await iterator.close()
  }
}

/** @returns what is merged with whatever else turns up of the record */
export function graveState(key: RecordKey, { generation, isLogged }: GraveState): RecordState {
  const record = graveOf(key, generation)
  return { record, bytes: encodeRecord(record), home: undefined, isLogged }
}
