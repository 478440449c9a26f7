import { invariant } from '../core/invariant.js'
import { CBOR, compareKeys, SHORT_TEXT, VALUE_DEPTH_MAX, type Value } from './cbor.js'

const UINT64_MAX = 2n ** 64n - 1n

/** Writes items in sequence. Callers that write map keys themselves must write them in canonical order. */
export class CborWriter {
  #bytes = Buffer.allocUnsafe(1024)
  #end = 0

  /** @returns the encoded bytes; the caller owns them, and the writer must not be used again */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#end))
  }

  /** @param value - an integer, 0…2⁵³−1 */
  uint(value: number): void {
    this.#head(CBOR.UINT, value)
  }

  /** @param value - 0…2⁶⁴−1 */
  uint64(value: bigint): void {
    if (value <= 0xffff_ffffn) this.#head(CBOR.UINT, Number(value))
    else this.#head64(CBOR.UINT, value)
  }

  arrayHead(itemCount: number): void {
    this.#head(CBOR.ARRAY, itemCount)
  }

  mapHead(pairCount: number): void {
    this.#head(CBOR.MAP, pairCount)
  }

  bytes(value: Uint8Array): void {
    this.#head(CBOR.BYTES, value.length)
    this.#reserve(value.length)
    this.#bytes.set(value, this.#end)
    this.#end += value.length
  }

  /** @param value - without lone surrogates, see `toWellFormed` */
  text(value: string): void {
    if (value.length < SHORT_TEXT && this.#asciiText(value)) return
    const byteCount = Buffer.byteLength(value)
    this.#head(CBOR.TEXT, byteCount)
    this.#reserve(byteCount)
    this.#end += this.#bytes.write(value, this.#end)
  }

  boolean(value: boolean): void {
    this.#byte(value ? CBOR.TRUE : CBOR.FALSE)
  }

  value(value: Value, depth = 0): void {
    invariant(depth <= VALUE_DEPTH_MAX, `a value is nested deeper than ${VALUE_DEPTH_MAX}`)
    if (typeof value === 'string') this.text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'bigint') this.#bigint(value)
    else if (typeof value === 'boolean') this.boolean(value)
    else if (value === null) this.#byte(CBOR.NULL)
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
      if (value >= 0) this.#head(CBOR.UINT, value)
      else this.#head(CBOR.NEGATIVE, -1 - value)
      return
    }
    invariant(Number.isFinite(value), 'records hold neither NaN nor infinities')
    this.#byte(CBOR.FLOAT64)
    this.#reserve(8)
    this.#end = this.#bytes.writeDoubleBE(value, this.#end)
  }

  #bigint(value: bigint): void {
    const magnitude = value < 0n ? -1n - value : value
    invariant(magnitude <= UINT64_MAX, 'records hold integers of at most 64 bits')
    if (magnitude <= BigInt(Number.MAX_SAFE_INTEGER))
      this.#head(value < 0n ? CBOR.NEGATIVE : CBOR.UINT, Number(magnitude))
    else this.#head64(value < 0n ? CBOR.NEGATIVE : CBOR.UINT, magnitude)
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

  /** @returns false, and writes nothing, if the text is not ASCII */
  #asciiText(value: string): boolean {
    this.#reserve(value.length + 2)
    const start = this.#end
    this.#head(CBOR.TEXT, value.length)
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

/** @returns the canonical encoding of the value */
export function encodeValue(value: Value): Uint8Array {
  const writer = new CborWriter()
  writer.value(value)
  return writer.finish()
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
