/** A field of a FlatBuffers table, as `tflite-file.ts` describes them. */
export type Field =
  | { readonly byte: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly bytes: Uint8Array }
  | { readonly table: Fields }
  | { readonly tables: readonly Fields[] }

/** By field number; missing ones are absent. */
export type Fields = Readonly<Record<number, Field>>

/** @returns a FlatBuffer whose root is the table */
export function flatBuffer(root: Fields): Uint8Array {
  const writer = new FlatBufferWriter()
  writer.int(0, 4)
  writer.table(root)
  return writer.bytes()
}

/** A referenced object comes after the reference. */
class FlatBufferWriter {
  #buffer = Buffer.alloc(1 << 16)
  #end = 0
  #root = 0

  bytes(): Uint8Array {
    this.#buffer.writeUInt32LE(this.#root, 0)
    return this.#buffer.subarray(0, this.#end)
  }

  /** @returns its position */
  table(fields: Fields): number {
    const count = Math.max(-1, ...Object.keys(fields).map(Number)) + 1
    const vtable = this.int(0, 4 + 2 * count + ((2 * count) % 4))
    this.#buffer.writeUInt16LE(4 + 2 * count, vtable)
    this.#buffer.writeUInt16LE(4 + 4 * count, vtable + 2)
    const position = this.int(0, 4 + 4 * count)
    if (this.#root === 0) this.#root = position
    this.#buffer.writeInt32LE(position - vtable, position)
    for (const [number, field] of Object.entries(fields)) {
      const slot = 4 + 4 * Number(number)
      this.#buffer.writeUInt16LE(slot, vtable + 4 + 2 * Number(number))
      this.#field(position + slot, field)
    }
    return position
  }

  #field(at: number, field: Field): void {
    if ('byte' in field) this.#buffer.writeInt8(field.byte, at)
    else if ('int' in field) this.#buffer.writeInt32LE(field.int, at)
    else if ('table' in field) this.#refer(at, this.table(field.table))
    else if ('bytes' in field) {
      const vector = this.int(field.bytes.length, 4 + field.bytes.length + (-field.bytes.length & 3))
      this.#buffer.set(field.bytes, vector + 4)
      this.#refer(at, vector)
    } else {
      const items = 'ints' in field ? field.ints : field.tables
      const vector = this.int(items.length, 4 + 4 * items.length)
      this.#refer(at, vector)
      for (const [i, item] of items.entries()) {
        const element = vector + 4 + 4 * i
        if (typeof item === 'number') this.#buffer.writeInt32LE(item, element)
        else this.#refer(element, this.table(item))
      }
    }
  }

  #refer(at: number, position: number): void {
    this.#buffer.writeUInt32LE(position - at, at)
  }

  /** Appends `byteCount` zeros and writes a number into the first four. @returns where they begin */
  int(value: number, byteCount: number): number {
    const position = this.#end
    this.#end += byteCount
    if (this.#end > this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(this.#end)])
    this.#buffer.writeInt32LE(value, position)
    return position
  }
}
