/*
 * Canonical CBOR: the subset of RFC 8949 that Sheaf's records use, in the deterministic encoding of section 4.2.1. Equal
 * values have equal bytes, and any other encoding is rejected:
 *
 *   - definite lengths, shortest heads, maps sorted by the bytes of their keys, no key twice, no tags
 *   - safe integers are `number`, other 64-bit integers `bigint`; all other numbers are 64-bit floats, finite
 *   - text is valid UTF-8; keys of a `Value` map are text
 *
 * Hand-written because every read and write of a record passes through it: about four times as fast as a general library,
 * which would also have to encode the result again to check that the input was canonical.
 */
import { SheafError } from '../core/errors.js'

/** Data without a schema: the content of a version, and of fields that later versions of Sheaf may add. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<string, Value>

/** Bound on nested arrays and maps. */
export const VALUE_DEPTH_MAX = 16

/** Major types, and heads that are complete bytes. @see RFC 8949, section 3 */
export const CBOR = {
  UINT: 0,
  NEGATIVE: 1,
  BYTES: 2,
  TEXT: 3,
  ARRAY: 4,
  MAP: 5,
  UINT64_HEAD: 0x1b,
  NEGATIVE64_HEAD: 0x3b,
  FALSE: 0xf4,
  TRUE: 0xf5,
  NULL: 0xf6,
  FLOAT64: 0xfb
} as const

/** Below this many characters, a loop over a text is faster than a call into native code. */
export const SHORT_TEXT = 48

/**
 * Order of map keys: shorter UTF-8 first, then by bytes, which for text is the order of code points.
 *
 * @see RFC 8949, section 4.2.1: the head with the length is part of the encoded key
 */
export function compareKeys(a: string, b: string): number {
  const difference = utf8Length(a) - utf8Length(b)
  if (difference !== 0) return difference
  for (let index = 0; index < a.length && index < b.length; index++) {
    const x = a.charCodeAt(index)
    const y = b.charCodeAt(index)
    if (x !== y) return codePointRank(x) - codePointRank(y)
  }
  return 0
}

/** @returns whether two values are structurally equal; false does not prove that their encodings differ */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false
    for (const [key, item] of a) if (!b.has(key) || !sameValue(item, b.get(key))) return false
    return true
  }
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, at) => sameValue(item, b[at]))
}

/** @returns the value with U+FFFD in place of lone surrogates, which UTF-8 cannot encode */
export function toWellFormed<V extends Value>(value: V): V
export function toWellFormed(value: Value): Value {
  if (typeof value === 'string') return value.replace(/\p{Surrogate}/gu, '\ufffd')
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [toWellFormed(key), toWellFormed(item)]))
  return [...value].map(item => toWellFormed(item))
}

export function malformed(reason: string): SheafError {
  return new SheafError('ERR_RECORD_MALFORMED', `the record is malformed: ${reason}`)
}

/** UTF-16 sorts surrogates below U+E000…U+FFFF, although the code points that they encode are greater. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

function utf8Length(text: string): number {
  let length = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit <= 0x7f) continue
    // A surrogate pair takes four bytes: two for each half.
    length += unit <= 0x7ff || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return length
}
