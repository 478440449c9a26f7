/*
 * Canonical CBOR: the part of RFC 8949 that Sheaf's records use, in the one spelling that section 4.2.1 calls
 * deterministic, and nothing else. Equal values give equal bytes, and bytes that were not written so are refused:
 *
 *   - definite lengths, shortest heads, maps sorted by the bytes of their keys, no key twice, no tags
 *   - numbers that are safe integers are integers, other integers of 64 bits are `bigint`, all else is a 64-bit float;
 *     neither NaN nor infinities
 *   - text is valid UTF-8; keys of a `Value` map are text
 *
 * Written by hand because every read and write of a record passes here: about four times as fast as a general library,
 * which would also have to encode again in order to check that the spelling was canonical.
 */
import { isUtf8 } from 'node:buffer'
import { SheafError } from '../core/errors.js'
import { invariant } from '../core/invariant.js'

/** Data without a schema: what a version holds, and what fields of later versions of Sheaf may hold. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<string, Value>

/** Arrays and maps inside one another. */
export const VALUE_DEPTH_MAX = 16

const UINT = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const FALSE = 0xf4
const TRUE = 0xf5
const NULL = 0xf6
const FLOAT64 = 0xfb
const UINT64 = 0x1b

const UINT64_MAX = 2n ** 64n - 1n
/** Below this many characters a loop beats the call into native code. */
const SHORT_TEXT = 48

/** Appends items one after the other. The caller is answerable for the order of map keys that it writes itself. */
export class CborWriter {
  #bytes = Buffer.allocUnsafe(1024)
  #end = 0

  /** @returns what was written; the caller owns it, and the writer must not be used any more */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#end))
  }

  /** @param value - an integer, 0…2⁵³−1 */
  uint(value: number): void {
    this.#head(UINT, value)
  }

  /** @param value - 0…2⁶⁴−1 */
  uint64(value: bigint): void {
    if (value <= 0xffff_ffffn) this.#head(UINT, Number(value))
    else this.#head64(UINT, value)
  }

  arrayHead(itemCount: number): void {
    this.#head(ARRAY, itemCount)
  }

  mapHead(pairCount: number): void {
    this.#head(MAP, pairCount)
  }

  bytes(value: Uint8Array): void {
    this.#head(BYTES, value.length)
    this.#reserve(value.length)
    this.#bytes.set(value, this.#end)
    this.#end += value.length
  }

  /** @param value - `wellFormed` */
  text(value: string): void {
    if (value.length < SHORT_TEXT && this.#asciiText(value)) return
    const byteCount = Buffer.byteLength(value)
    this.#head(TEXT, byteCount)
    this.#reserve(byteCount)
    this.#end += this.#bytes.write(value, this.#end)
  }

  boolean(value: boolean): void {
    this.#byte(value ? TRUE : FALSE)
  }

  value(value: Value, depth = 0): void {
    invariant(depth <= VALUE_DEPTH_MAX, `a value is nested deeper than ${VALUE_DEPTH_MAX}`)
    if (typeof value === 'string') this.text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'bigint') this.#bigint(value)
    else if (typeof value === 'boolean') this.boolean(value)
    else if (value === null) this.#byte(NULL)
    else if (value instanceof Uint8Array) this.bytes(value)
    else if (value instanceof Map) this.map(value, depth)
    else {
      invariant(Array.isArray(value), 'a value is of a type that records cannot hold')
      this.arrayHead(value.length)
      for (const item of value) this.value(item, depth + 1)
    }
  }

  /** Sorts the keys if they are not sorted yet. */
  map(map: ReadonlyMap<string, Value>, depth = 0): void {
    this.mapHead(map.size)
    for (const [key, value] of inKeyOrder(map)) {
      this.text(key)
      this.value(value, depth + 1)
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value >= 0) this.#head(UINT, value)
      else this.#head(NEGATIVE, -1 - value)
      return
    }
    invariant(Number.isFinite(value), 'records hold neither NaN nor infinities')
    this.#byte(FLOAT64)
    this.#reserve(8)
    this.#end = this.#bytes.writeDoubleBE(value, this.#end)
  }

  #bigint(value: bigint): void {
    const magnitude = value < 0n ? -1n - value : value
    invariant(magnitude <= UINT64_MAX, 'records hold integers of at most 64 bits')
    if (magnitude <= BigInt(Number.MAX_SAFE_INTEGER)) this.#head(value < 0n ? NEGATIVE : UINT, Number(magnitude))
    else this.#head64(value < 0n ? NEGATIVE : UINT, magnitude)
  }

  #head(major: number, argument: number): void {
    if (this.#end + 9 > this.#bytes.length) this.#reserve(9)
    const bytes = this.#bytes
    if (argument < 24) {
      bytes[this.#end++] = (major << 5) | argument
    } else if (argument <= 0xff) {
      bytes[this.#end++] = (major << 5) | 24
      bytes[this.#end++] = argument
    } else if (argument <= 0xffff) {
      bytes[this.#end++] = (major << 5) | 25
      this.#end = bytes.writeUInt16BE(argument, this.#end)
    } else if (argument <= 0xffff_ffff) {
      bytes[this.#end++] = (major << 5) | 26
      this.#end = bytes.writeUInt32BE(argument, this.#end)
    } else {
      this.#head64(major, BigInt(argument))
    }
  }

  #head64(major: number, argument: bigint): void {
    this.#byte((major << 5) | 27)
    this.#reserve(8)
    this.#end = this.#bytes.writeBigUInt64BE(argument, this.#end)
  }

  #byte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#end++] = byte
  }

  /** @returns false, with nothing written, if the text is not ASCII */
  #asciiText(value: string): boolean {
    this.#reserve(value.length + 2)
    const start = this.#end
    this.#head(TEXT, value.length)
    const bytes = this.#bytes
    let end = this.#end
    for (let index = 0; index < value.length; index++) {
      const unit = value.charCodeAt(index)
      if (unit > 0x7f) {
        this.#end = start
        return false
      }
      bytes[end++] = unit
    }
    this.#end = end
    return true
  }

  #reserve(byteCount: number): void {
    const wanted = this.#end + byteCount
    if (wanted <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#bytes.length))
    larger.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = larger
  }
}

/** Takes items one after the other. Everything it gives is a copy. @throws `ERR_RECORD_MALFORMED` from every method */
export class CborReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** @returns an integer, 0…2⁵³−1 */
  uint(): number {
    const value = this.#argument(UINT)
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is out of range')
    return value
  }

  /** @returns 0…2⁶⁴−1 */
  uint64(): bigint {
    if (this.#bytes[this.#at] !== UINT64) return BigInt(this.#argument(UINT))
    return this.#argument64()
  }

  /** @returns the number of items; never more than there are bytes left */
  arrayHead(): number {
    return this.#count(ARRAY, 1)
  }

  /** @returns the number of pairs; never more than there are bytes left for */
  mapHead(): number {
    return this.#count(MAP, 2)
  }

  bytes(): Uint8Array {
    const start = this.#span(BYTES)
    return new Uint8Array(this.#bytes.subarray(start, this.#at))
  }

  text(): string {
    const start = this.#span(TEXT)
    const bytes = this.#bytes
    const end = this.#at
    if (end - start < SHORT_TEXT && isAscii(bytes, start, end)) return bytes.toString('latin1', start, end)
    if (!isUtf8(bytes.subarray(start, end))) throw malformed('a text is not UTF-8')
    return bytes.toString('utf8', start, end)
  }

  boolean(): boolean {
    const head = this.#bytes[this.#at++]
    if (head !== TRUE && head !== FALSE) throw malformed('a boolean was expected')
    return head === TRUE
  }

  value(depth = 0): Value {
    if (depth > VALUE_DEPTH_MAX) throw malformed(`a value is nested deeper than ${VALUE_DEPTH_MAX}`)
    const head = this.#bytes[this.#at]
    if (head === undefined) throw malformed('it ends too early')
    switch (head >> 5) {
      case UINT:
        return head === UINT64 ? toValue(this.#argument64()) : this.#argument(UINT)
      case NEGATIVE:
        return head === ((NEGATIVE << 5) | 27) ? toValue(-1n - this.#argument64()) : -1 - this.#argument(NEGATIVE)
      case BYTES:
        return this.bytes()
      case TEXT:
        return this.text()
      case ARRAY:
        return Array.from({ length: this.arrayHead() }, () => this.value(depth + 1))
      case MAP:
        return this.map(depth)
    }
    if (head === FLOAT64) return this.#float()
    if (head !== NULL) return this.boolean()
    this.#at += 1
    return null
  }

  map(depth = 0): ReadonlyMap<string, Value> {
    const map = new Map<string, Value>()
    let previous: string | undefined
    for (let left = this.mapHead(); left > 0; left--) {
      const key = this.text()
      if (previous !== undefined && compareKeys(previous, key) >= 0) throw malformed('map keys are not sorted')
      map.set(key, this.value(depth + 1))
      previous = key
    }
    return map
  }

  /** To be called last. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw malformed('bytes follow its end')
  }

  #count(major: number, bytesEach: number): number {
    const count = this.#argument(major)
    if (count * bytesEach > this.#bytes.length - this.#at) throw malformed('a count exceeds the bytes that follow')
    return count
  }

  /** Skips a string and @returns where its content starts; it ends where the reader then stands. */
  #span(major: number): number {
    const length = this.#argument(major)
    const start = this.#at
    if (length > this.#bytes.length - start) throw malformed('a length exceeds the bytes that follow')
    this.#at = start + length
    return start
  }

  #float(): number {
    this.#need(9)
    const value = this.#bytes.readDoubleBE(this.#at + 1)
    this.#at += 9
    if (!Number.isFinite(value) || Number.isSafeInteger(value)) throw malformed('a number is not in its shortest form')
    return value
  }

  /** @returns the argument of a head of that major type, rounded if it is beyond 2⁵³ */
  #argument(major: number): number {
    const head = this.#bytes[this.#at]
    if (head === undefined || head >> 5 !== major) throw malformed('an item is of another type than expected')
    const short = head & 0x1f
    if (short < 24) {
      this.#at += 1
      return short
    }
    if (short > 27) throw malformed('an item has no definite length')
    const byteCount = 1 << (short - 24)
    this.#need(1 + byteCount)
    const at = this.#at + 1
    this.#at = at + byteCount
    const bytes = this.#bytes
    if (byteCount === 1) return shortest(bytes.readUInt8(at), 24)
    if (byteCount === 2) return shortest(bytes.readUInt16BE(at), 0x100)
    if (byteCount === 4) return shortest(bytes.readUInt32BE(at), 0x1_0000)
    return shortest(bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4), 2 ** 32)
  }

  /** @returns the exact argument of a head with eight bytes */
  #argument64(): bigint {
    this.#need(9)
    const value = this.#bytes.readBigUInt64BE(this.#at + 1)
    this.#at += 9
    if (value <= 0xffff_ffffn) throw malformed('a number is not in its shortest form')
    return value
  }

  #need(byteCount: number): void {
    if (byteCount > this.#bytes.length - this.#at) throw malformed('it ends too early')
  }
}

/** @returns the one encoding of the value */
export function encodeValue(value: Value): Uint8Array {
  const writer = new CborWriter()
  writer.value(value)
  return writer.finish()
}

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

/** @returns the value with U+FFFD in place of lone surrogates, which UTF-8 cannot spell; the same object if there are none */
export function wellFormed<V extends Value>(value: V): V
export function wellFormed(value: Value): Value {
  if (typeof value === 'string') return value.replace(/\p{Surrogate}/gu, '\ufffd')
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [wellFormed(key), wellFormed(item)]))
  return [...value].map(item => wellFormed(item))
}

export function malformed(reason: string): SheafError {
  return new SheafError('ERR_RECORD_MALFORMED', `the record is malformed: ${reason}`)
}

function inKeyOrder(map: ReadonlyMap<string, Value>): Iterable<readonly [string, Value]> {
  let previous: string | undefined
  for (const key of map.keys()) {
    if (previous !== undefined && compareKeys(previous, key) > 0) {
      return [...map].sort(([a], [b]) => compareKeys(a, b))
    }
    previous = key
  }
  return map
}

/** UTF-16 puts surrogates below U+E000…U+FFFF, though what they spell lies above. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

function utf8Length(text: string): number {
  let length = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit <= 0x7f) continue
    // Each half of a surrogate pair stands for two of its four bytes.
    length += unit <= 0x7ff || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return length
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let union = 0
  for (let at = start; at < end; at++) union |= bytes[at] ?? 0
  return union < 0x80
}

function toValue(value: bigint): Value {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function shortest(value: number, least: number): number {
  if (value < least) throw malformed('a number is not in its shortest form')
  return value
}
