import { readVarint, writeVarint } from '../domain/graves.js'
import { DIGEST_BYTES } from '../domain/merkle.js'
import { graveOf, type RecordKey } from '../domain/record.js'
import { encodeRecord } from '../domain/record-codec.js'
import { DamageError } from './damage.js'
import { openSealed, type Row, recordKeyFrom, sealedRow } from './keys.js'
import type { RecordState } from './stored-record.js'

const GRAVE_BYTES_MAX = 3

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

/** @returns what is merged with whatever else turns up of the record */
export function graveState(key: RecordKey, { generation, isLogged }: GraveState): RecordState {
  const record = graveOf(key, generation)
  return { record, bytes: encodeRecord(record), home: undefined, isLogged }
}
