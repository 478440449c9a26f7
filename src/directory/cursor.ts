import { createHash } from 'node:crypto'
import { SheafError } from '../core/errors.js'
import { POSITION_BYTES } from './keys.js'

/*
 * A cursor holds the position of the last photo listed; the next page starts below it, whatever was written meanwhile.
 * In base64url without padding, 43 characters:
 *
 *   offset  bytes  field
 *        0     24  position: birth hlc · photo id
 *       24      8  first bytes of SHA-256(filters, position): binds the cursor to its filters and detects other text
 */
const CHECK_BYTES = 8
const CURSOR_BYTES = POSITION_BYTES + CHECK_BYTES

export interface Filters {
  readonly terms: readonly string[]
  readonly words: readonly string[]
}

export function encodeCursor(position: Uint8Array, filters: Filters): string {
  return Buffer.concat([position, check(position, filters)]).toString('base64url')
}

/**
 * @returns the position, 24 bytes
 * @throws `ERR_BAD_CURSOR` for anything that `encodeCursor` did not make for the same filters
 */
export function decodeCursor(cursor: string, filters: Filters): Uint8Array {
  const bytes = Buffer.from(cursor, 'base64url')
  const position = bytes.subarray(0, POSITION_BYTES)
  const genuine =
    bytes.length === CURSOR_BYTES &&
    bytes.toString('base64url') === cursor &&
    check(position, filters).equals(bytes.subarray(POSITION_BYTES))
  if (!genuine) throw new SheafError('ERR_BAD_CURSOR')
  return position
}

function check(position: Uint8Array, filters: Filters): Buffer {
  const canonical = JSON.stringify([[...filters.terms].sort(), [...filters.words].sort()])
  return createHash('sha256').update(canonical).update(position).digest().subarray(0, CHECK_BYTES)
}
