import { type Order, POSITION_BYTES_MAX, positionOfKey } from './index-keys.js'
import { asBuffer } from './keys.js'

/**
 * The sort key of a photo as a string of Latin-1 characters, which is ordered like the bytes. A bound may also be a beginning of
 * one.
 */
export type Position = string

/** At or above all positions. */
export const TOP: Position = '\xff'.repeat(POSITION_BYTES_MAX)

/** @returns the position at the end of an index key */
export function positionOf(indexKey: Uint8Array, order: Order = 'added'): Position {
  return positionText(positionOfKey(indexKey, order))
}

export function positionText(bytes: Uint8Array): Position {
  return asBuffer(bytes).toString('latin1')
}

export function positionBytesOf(position: Position): Buffer {
  return Buffer.from(position, 'latin1')
}

/** @returns the greatest bound below the position */
export function before(position: Position): Position {
  const end = position.length - 1
  const last = position.charCodeAt(end)
  return last === 0 ? position.slice(0, end) : position.slice(0, end) + String.fromCharCode(last - 1)
}

/** @returns the positions newest first, each once */
export function newestFirst(positions: Iterable<Position>): Position[] {
  return [...new Set(positions)].sort().reverse()
}
