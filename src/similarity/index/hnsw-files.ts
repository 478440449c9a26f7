/*
 * The files of an index. The head file, `<model>-<space>.index`, names the current graph, which is in
 * `<model>-<space>.<number>.graph` beside it, in the library's own format. The head file, little-endian:
 *
 *   offset  bytes  field
 *        0      4  magic 'SHIX'
 *        4      1  version, 1
 *        5      1  space: 1 image, 2 text
 *        6      2  dimension
 *        8      8  model id
 *       16      4  number of the graph's file
 *       20      4  rows
 *       24      8  bytes of the graph's file
 *       32     32  SHA-256 of the graph's file
 *       64         rows, one per label from 0, see label-table.ts
 *      end     32  SHA-256 of all bytes before
 *
 * An invalid file is no error: the index is rebuilt from the features in the volumes.
 */
import { createHash, hash } from 'node:crypto'
import type { IndexName } from './vector-index.js'

export const ROW_BYTES = 24
/** Where a row holds its label's state. */
export const ROW_STATE_OFFSET = 22

const MAGIC = 0x58494853 // 'SHIX' read little-endian
const VERSION = 1
const HEAD_BYTES = 64
const DIGEST_BYTES = 32
const SPACES = [undefined, 'image', 'text'] as const
const NAME = /^([0-9a-f]{16})-(?:image|text)\./

/** The contents of an index's head file. */
export interface SavedIndex {
  readonly graphNumber: number
  readonly graphBytes: number
  readonly graphSha256: Uint8Array
  readonly rows: Uint8Array
}

/** @returns the name of an index's head file */
export function headFileName({ model, space }: Pick<IndexName, 'model' | 'space'>): string {
  return `${model}-${space}.index`
}

export function graphFileName({ model, space }: Pick<IndexName, 'model' | 'space'>, number: number): string {
  return `${model}-${space}.${number}.graph`
}

/** @returns the number of a graph file; undefined when it is not one of this index */
export function graphNumberOf(
  { model, space }: Pick<IndexName, 'model' | 'space'>,
  fileName: string
): number | undefined {
  const prefix = `${model}-${space}.`
  const match = fileName.startsWith(prefix) ? /^(\d{1,10})\.graph/.exec(fileName.slice(prefix.length)) : null
  return match === null ? undefined : Number(match[1])
}

/** @returns the model that a file's index belongs to */
export function modelOfFile(fileName: string): string | undefined {
  return NAME.exec(fileName)?.[1]
}

export function encodeSavedIndex(name: IndexName, saved: SavedIndex): Uint8Array {
  const bytes = Buffer.alloc(HEAD_BYTES + saved.rows.length + DIGEST_BYTES)
  bytes.writeUInt32LE(MAGIC)
  bytes.writeUInt8(VERSION, 4)
  bytes.writeUInt8(SPACES.indexOf(name.space), 5)
  bytes.writeUInt16LE(name.dimension, 6)
  bytes.write(name.model, 8, 8, 'hex')
  bytes.writeUInt32LE(saved.graphNumber, 16)
  bytes.writeUInt32LE(saved.rows.length / ROW_BYTES, 20)
  bytes.writeBigUInt64LE(BigInt(saved.graphBytes), 24)
  bytes.set(saved.graphSha256, 32)
  bytes.set(saved.rows, HEAD_BYTES)
  const end = HEAD_BYTES + saved.rows.length
  bytes.set(createHash('sha256').update(bytes.subarray(0, end)).digest(), end)
  return bytes
}

/** @returns undefined for damaged bytes, or those of another index or version; rows are a view of the bytes */
export function decodeSavedIndex(name: IndexName, bytes: Uint8Array): SavedIndex | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length < HEAD_BYTES + DIGEST_BYTES) return undefined
  const end = view.length - DIGEST_BYTES
  if (hash('sha256', view.subarray(0, end), 'hex') !== view.toString('hex', end)) return undefined
  const isOurs =
    view.readUInt32LE(0) === MAGIC &&
    view.readUInt8(4) === VERSION &&
    SPACES[view.readUInt8(5)] === name.space &&
    view.readUInt16LE(6) === name.dimension &&
    view.toString('hex', 8, 16) === name.model &&
    view.readUInt32LE(20) * ROW_BYTES === end - HEAD_BYTES
  if (!isOurs) return undefined
  return {
    graphNumber: view.readUInt32LE(16),
    graphBytes: Number(view.readBigUInt64LE(24)),
    graphSha256: view.subarray(32, 64),
    rows: view.subarray(HEAD_BYTES, end)
  }
}
