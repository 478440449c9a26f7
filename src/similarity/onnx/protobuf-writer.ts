/**
 * Writes the subset of Protocol Buffers that ONNX needs. Parts are joined only once, at the end, so that a model's weights
 * are not copied at every level of nesting.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export class ProtobufWriter {
  readonly #parts: Uint8Array[] = []
  #byteCount = 0

  /** A signed or unsigned whole number; negative ones take ten bytes, as `int64` requires. */
  int(field: number, value: number | bigint): this {
    return this.#varint(tag(field, 0)).#varint(BigInt.asUintN(64, BigInt(value)))
  }

  float(field: number, value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    return this.#varint(tag(field, 5)).#append(bytes)
  }

  /** @param value - not copied: it must not change until `finish` */
  bytes(field: number, value: Uint8Array): this {
    return this.#varint(tag(field, 2)).#varint(BigInt(value.byteLength)).#append(value)
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value))
  }

  message(field: number, value: ProtobufWriter): this {
    this.#varint(tag(field, 2)).#varint(BigInt(value.#byteCount))
    for (const part of value.#parts) this.#append(part)
    return this
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts, this.#byteCount)
  }

  #varint(value: bigint): this {
    const bytes: number[] = []
    let rest = value
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    bytes.push(Number(rest))
    return this.#append(Uint8Array.from(bytes))
  }

  #append(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    this.#byteCount += bytes.byteLength
    return this
  }
}

function tag(field: number, wireType: 0 | 2 | 5): bigint {
  return BigInt((field << 3) | wireType)
}
