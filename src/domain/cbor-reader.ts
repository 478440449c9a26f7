import { isUtf8 } from 'node:buffer'
import { CBOR, compareKeys, malformed, SHORT_TEXT, VALUE_DEPTH_MAX, type Value } from './cbor.js'

/** Reads items in sequence. Results share no memory with the input. @throws `ERR_RECORD_MALFORMED` from every method */
export class CborReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** @returns an integer, 0…2⁵³−1 */
  uint(): number {
    const value = this.#argument(CBOR.UINT)
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is out of range')
    return value
  }

  /** @returns 0…2⁶⁴−1 */
  uint64(): bigint {
    if (this.#bytes[this.#at] !== CBOR.UINT64_HEAD) return BigInt(this.#argument(CBOR.UINT))
    return this.#argument64()
  }

  /** @returns the number of items; never more than there are bytes left */
  arrayHead(): number {
    return this.#count(CBOR.ARRAY)
  }

  /** @returns the number of pairs; never more than there are bytes left */
  mapHead(): number {
    return this.#count(CBOR.MAP)
  }

  bytes(): Uint8Array {
    const start = this.#span(CBOR.BYTES)
    return new Uint8Array(this.#bytes.subarray(start, this.#at))
  }

  text(): string {
    const start = this.#span(CBOR.TEXT)
    const bytes = this.#bytes
    const end = this.#at
    if (end - start < SHORT_TEXT && isAscii(bytes, start, end)) return bytes.toString('latin1', start, end)
    if (!isUtf8(bytes.subarray(start, end))) throw malformed('a text is not UTF-8')
    return bytes.toString('utf8', start, end)
  }

  boolean(): boolean {
    const head = this.#bytes[this.#at++]
    if (head !== CBOR.TRUE && head !== CBOR.FALSE) throw malformed('a boolean was expected')
    return head === CBOR.TRUE
  }

  value(depth = 0): Value {
    if (depth > VALUE_DEPTH_MAX) throw malformed(`a value is nested deeper than ${VALUE_DEPTH_MAX}`)
    const head = this.#bytes[this.#at]
    if (head === undefined) throw malformed('it ends too early')
    switch (head >> 5) {
      case CBOR.UINT:
        return head === CBOR.UINT64_HEAD ? toValue(this.#argument64()) : this.#argument(CBOR.UINT)
      case CBOR.NEGATIVE:
        return head === CBOR.NEGATIVE64_HEAD ? toValue(-1n - this.#argument64()) : -1 - this.#argument(CBOR.NEGATIVE)
      case CBOR.BYTES:
        return this.bytes()
      case CBOR.TEXT:
        return this.text()
      case CBOR.ARRAY:
        return Array.from({ length: this.arrayHead() }, () => this.value(depth + 1))
      case CBOR.MAP:
        return this.map(depth)
    }
    if (head === CBOR.FLOAT64) return this.#float()
    if (head !== CBOR.NULL) return this.boolean()
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

  /** Call it last: checks that no bytes are left. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw malformed('bytes follow its end')
  }

  #count(major: number): number {
    const count = this.#argument(major)
    if (count > this.#bytes.length - this.#at) throw malformed('a count exceeds the bytes that follow')
    return count
  }

  /** Skips a string. @returns where its content starts; it ends at the new `#at` */
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

  /** @returns the argument of a head of that major type, rounded above 2⁵³ */
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
