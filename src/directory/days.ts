import { hash } from 'node:crypto'
import { TIMELINE } from '../domain/terms.js'
import type { Row } from './keys.js'
import { openSealed, sealedRow, u64, u64From } from './keys.js'

const COUNT_BYTES = 8
const DIGEST_BYTES = 4

/** What a day of the time line holds. */
export interface DayCount {
  /** Its photos; those that are archived not among them. */
  readonly count: number
  /** XOR of the digests of the rows of both: another one when anything about them is different. 32 bits. */
  readonly digest: number
}

export const EMPTY_DAY: DayCount = { count: 0, digest: 0 }

export function isEmptyDay({ count, digest }: DayCount): boolean {
  return count === 0 && digest === 0
}

/** @returns the day with the row of a term `timeline` more, or less */
export function dayWith({ count, digest }: DayCount, term: string, rowDigest: number, by: 1 | -1 = 1): DayCount {
  return { count: term === TIMELINE ? count + by : count, digest: (digest ^ rowDigest) >>> 0 }
}

export function dayCountRow(key: Uint8Array, day: DayCount): Row {
  return sealedRow(key, dayCountBytes(day))
}

/** @throws {@link DamageError} */
export function dayCountFrom(key: Uint8Array, value: Uint8Array): DayCount {
  const payload = openSealed(key, value, COUNT_BYTES + DIGEST_BYTES)
  return { count: u64From(payload), digest: payload.readUInt32BE(COUNT_BYTES) }
}

/** @returns the digest of one row of the time line, 32 bits */
export function rowDigest(key: Uint8Array, value: Uint8Array): number {
  return hash('sha256', Buffer.concat([key, value]), 'buffer').readUInt32BE(0)
}

export function dayCountBytes({ count, digest }: DayCount): Uint8Array {
  const bytes = Buffer.alloc(COUNT_BYTES + DIGEST_BYTES)
  bytes.set(u64(count))
  bytes.writeUInt32BE(digest, COUNT_BYTES)
  return bytes
}
