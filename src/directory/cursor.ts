import { createHash } from 'node:crypto'
import { SheafError } from '../core/errors.js'
import type { AudienceSet } from '../domain/audience.js'
import type { Order } from './index-keys.js'

/*
 * A cursor holds the position of the last photo listed; the next page starts below it, whatever was written meanwhile.
 * In base64url without padding:
 *
 *   bytes  field
 *      24  position, see keys.ts; 32 in the order in which photos were taken
 *       8  first bytes of SHA-256(filters, position): binds the cursor to its filters and detects other text
 */
const CHECK_BYTES = 8
const CURSOR_BYTES_MAX = 64

export interface Filters {
  readonly terms: readonly string[]
  readonly words: readonly string[]
  /** A photo must have one term of each of these. */
  readonly anyOf?: readonly (readonly string[])[] | undefined
  /** Default: `added`. */
  readonly order?: Order | undefined
  /** In that order, ms: of when a photo was added, or of what a clock on the wall showed when it was taken. Inclusive. */
  readonly fromMs?: number | undefined
  /** Exclusive. */
  readonly toMs?: number | undefined
  /** Only photos of these. Not of what a cursor is bound to: they may change between two pages. Default: all. */
  readonly audiences?: AudienceSet | undefined
}

export function encodeCursor(position: Uint8Array, filters: Filters): string {
  return Buffer.concat([position, check(position, filters)]).toString('base64url')
}

/**
 * @returns the position
 * @throws `ERR_BAD_CURSOR` for anything that `encodeCursor` did not make for the same filters
 */
export function decodeCursor(cursor: string, filters: Filters): Uint8Array {
  const bytes = Buffer.from(cursor, 'base64url')
  const position = bytes.subarray(0, -CHECK_BYTES)
  const genuine =
    bytes.length <= CURSOR_BYTES_MAX &&
    bytes.toString('base64url') === cursor &&
    check(position, filters).equals(bytes.subarray(-CHECK_BYTES))
  if (!genuine) throw new SheafError('ERR_BAD_CURSOR')
  return position
}

function check(position: Uint8Array, filters: Filters): Buffer {
  const { terms, words, anyOf = [], order = 'added', fromMs, toMs } = filters
  const more = anyOf.length > 0 || order !== 'added' || fromMs !== undefined || toMs !== undefined
  const canonical = JSON.stringify([
    [...terms].sort(),
    [...words].sort(),
    ...(more ? [anyOf, order, fromMs ?? null, toMs ?? null] : [])
  ])
  return createHash('sha256').update(canonical).update(position).digest().subarray(0, CHECK_BYTES)
}
