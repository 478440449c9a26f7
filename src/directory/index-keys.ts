import type { Day } from '../domain/day.js'
import { type Hlc, hlcFrom, hlcMs } from '../domain/hlc.js'
import { type PhotoId, photoIdBytes, photoIdFrom } from '../domain/ids.js'
import { asBuffer, type KeyRange, rangeOf, tableRange, textKey, textOfKey } from './keys.js'

/** Photos by when they were added, or deleted; or by when they were taken, those without a date by when they were added. */
export type Order = 'added' | 'taken'

/** The tables of the index. There are two generations, so that one can be made while the other one is read; see keys.ts. */
export interface IndexTables {
  readonly order: Readonly<Record<Order, number>>
  readonly counter: number
  readonly day: number
}

const GENERATIONS: readonly [IndexTables, IndexTables] = [
  { order: { added: 0x07, taken: 0x0d }, counter: 0x03, day: 0x13 },
  { order: { added: 0x0f, taken: 0x10 }, counter: 0x0e, day: 0x14 }
]
export type Generation = 0 | 1

export function indexTables(generation: Generation): IndexTables {
  return GENERATIONS[generation]
}

export function indexRanges({ order, counter, day }: IndexTables): KeyRange[] {
  return [order.added, order.taken, counter, day].map(tableRange)
}

const ORDER_BYTE: Readonly<Record<Order, number>> = { added: 0, taken: 1 }

/** Of rows for one audience, whose digest stands behind it. */
const AUDIENCE_ORDER_BYTE: Readonly<Record<Order, number>> = { added: 2, taken: 3 }
const DAY_CHARACTERS = 'yyyy-mm-dd'.length

/** Bytes of a position, the sort key of the index within a term, oldest first. */
const POSITION_BYTES: Readonly<Record<Order, number>> = { added: 24, taken: 32 }
export const POSITION_BYTES_MAX = 32
const PHOTO_ID_BYTES = 16
/** So that times before 1970 sort as unsigned numbers. */
const TIME_BIAS = 2n ** 62n
/** More than any date has, either way. */
const TIME_MS_MAX = 1e15

/** @returns the prefix of all index rows of a term */
export function termPrefix(table: number, term: string): Uint8Array {
  return textKey(table, term, true)
}

/** @returns the prefix of all index rows of terms that begin with `start` */
export function termStartPrefix(table: number, start: string): Uint8Array {
  return textKey(table, start, false)
}

export function termRange(table: number, term: string): KeyRange {
  return rangeOf(termPrefix(table, term))
}

export function termKey(table: number, term: string, position: Uint8Array): Uint8Array {
  return Buffer.concat([termPrefix(table, term), position])
}

/** @throws {@link DamageError} when the key is too short for the index */
export function termOfKey(key: Uint8Array, order: Order = 'added'): string {
  return textOfKey(key, key.length - POSITION_BYTES[order])
}

/** @returns the position at the end of an index key */
export function positionOfKey(key: Uint8Array, order: Order): Uint8Array {
  return key.subarray(key.length - POSITION_BYTES[order])
}

export function counterKey(tables: IndexTables, term: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(tables.counter), Buffer.from(term)])
}

export function termOfCounterKey(key: Uint8Array): string {
  return asBuffer(key).toString('utf8', 1)
}

/** @param audience - digest of that whose photos are counted; undefined: all are */
export function dayKey(tables: IndexTables, order: Order, day: Day, audience?: Uint8Array): Uint8Array {
  return Buffer.concat([dayPrefix(tables, order, audience), Buffer.from(day)])
}

function dayPrefix(tables: IndexTables, order: Order, audience?: Uint8Array): Uint8Array {
  if (audience === undefined) return Uint8Array.of(tables.day, ORDER_BYTE[order])
  return Buffer.concat([Uint8Array.of(tables.day, AUDIENCE_ORDER_BYTE[order]), audience])
}

export function dayOfKey(key: Uint8Array): Day {
  return asBuffer(key).toString('latin1', key.length - DAY_CHARACTERS)
}

/** @returns 24 bytes; their descending order is newest first */
export function addedPosition(added: Hlc, id: PhotoId): Buffer {
  const bytes = Buffer.allocUnsafe(POSITION_BYTES.added)
  bytes.writeBigUInt64BE(added)
  bytes.set(photoIdBytes(id), 8)
  return bytes
}

/** @returns 32 bytes, of which the last 24 are the position by when it was added */
export function takenPosition(localMs: number, added: Uint8Array): Buffer {
  return Buffer.concat([takenBytes(localMs), added])
}

/** @returns the 8 bytes that the positions of photos that were taken then, or added then, begin with */
export function orderBytes(order: Order, ms: number): Uint8Array {
  if (order === 'taken') return takenBytes(ms)
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(hlcFrom(ms))
  return bytes
}

function takenBytes(localMs: number): Buffer {
  const bounded = Math.min(Math.max(Math.round(localMs), -TIME_MS_MAX), TIME_MS_MAX)
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(bounded) + TIME_BIAS)
  return bytes
}

/** @returns when the photo at a position was added, or what a clock on the wall showed when it was taken: ms, as if in UTC */
export function msOfPosition(position: Uint8Array, order: Order): number {
  const first = asBuffer(position).readBigUInt64BE(0)
  return order === 'added' ? hlcMs(first as Hlc) : Number(first - TIME_BIAS)
}

/** @returns of a position in either order that by when the photo was added */
export function addedOf(position: Uint8Array): Uint8Array {
  return position.subarray(position.length - POSITION_BYTES.added)
}

export function photoIdOfPosition(position: Uint8Array): PhotoId {
  return photoIdFrom(position.subarray(position.length - PHOTO_ID_BYTES))
}
