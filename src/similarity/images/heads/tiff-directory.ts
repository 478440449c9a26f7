/*
 * A directory of a TIFF: u16 entries · entries of 12 bytes: u16 tag, u16 type, u32 count, u32 value, or its offset if longer than
 * 4 · u32 offset of the next directory, or 0. Offsets count from `start`, the head of the TIFF.
 */
import { ByteView, ENTRIES_MAX, type HeadBytes, TEXT_BYTES_MAX, textFrom } from './head-bytes.js'

const ENTRY_BYTES = 12
/** Bytes of one value, by type; 0: no type. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4]
const TYPE_SHORT = 3
const TYPE_LONG = 4
const TYPE_RATIONAL = 5
const TYPE_SIGNED_RATIONAL = 10
const TYPE_DIRECTORY = 13

export type ByteOrder = 'little' | 'big'

/** Where offsets count from, and how numbers are written. */
export interface TiffBase {
  readonly start: number
  readonly order: ByteOrder
}

export interface TiffField {
  readonly type: number
  readonly count: number
  readonly bytes: number
  /** Where its values are in the file. */
  readonly at: number
}

export class TiffDirectory {
  readonly #bytes: HeadBytes
  readonly #order: ByteOrder
  readonly #fields = new Map<number, TiffField>()
  /** Of the next directory, from the head of the TIFF; 0: there is none. */
  readonly next: number

  private constructor(bytes: HeadBytes, { start, order }: TiffBase, entries: Buffer, at: number, next: number) {
    this.#bytes = bytes
    this.#order = order
    this.next = next
    const view = new ByteView(entries, order)
    for (let entry = 0; entry + ENTRY_BYTES <= view.length; entry += ENTRY_BYTES) {
      const tag = view.u16(entry)
      const type = view.u16(entry + 2)
      const count = view.u32(entry + 4)
      const length = count * (TYPE_BYTES[type] ?? 0)
      if (length === 0 || this.#fields.has(tag)) continue
      const valueAt = length <= 4 ? at + entry + 8 : start + view.u32(entry + 8)
      this.#fields.set(tag, { type, count, bytes: length, at: valueAt })
    }
  }

  /** @param at - from the head of the TIFF */
  static async read(bytes: HeadBytes, base: TiffBase, at: number): Promise<TiffDirectory> {
    const place = base.start + at
    const stated = new ByteView(await bytes.read(place, 2), base.order).u16(0)
    const entriesBytes = Math.min(stated, ENTRIES_MAX) * ENTRY_BYTES
    const all = await bytes.read(place + 2, entriesBytes + 4)
    const next = stated > ENTRIES_MAX ? 0 : new ByteView(all, base.order).u32(entriesBytes)
    return new TiffDirectory(bytes, base, all.subarray(0, entriesBytes), place + 2, next)
  }

  has(tag: number): boolean {
    return this.#fields.has(tag)
  }

  get(tag: number): TiffField | undefined {
    return this.#fields.get(tag)
  }

  /** Of any type of one byte: some write dates as undefined bytes. */
  async text(tag: number): Promise<string | undefined> {
    const field = this.#fields.get(tag)
    if (field === undefined || field.bytes !== field.count) return undefined
    return textFrom(await this.#bytes.read(field.at, Math.min(field.bytes, TEXT_BYTES_MAX)))
  }

  async number(tag: number): Promise<number | undefined> {
    return (await this.numbers(tag, 1))[0]
  }

  async positive(tag: number): Promise<number | undefined> {
    const value = await this.number(tag)
    return value !== undefined && value > 0 && value < 2 ** 32 - 1 ? value : undefined
  }

  /** @returns the first offsets, `max` at most, from the head of the TIFF */
  async places(tag: number, max: number): Promise<number[]> {
    const type = this.#fields.get(tag)?.type
    return type === TYPE_LONG || type === TYPE_DIRECTORY ? this.numbers(tag, max) : []
  }

  /** @returns the first values, `max` at most; none when they are no finite numbers */
  async numbers(tag: number, max: number): Promise<number[]> {
    const field = this.#fields.get(tag)
    if (field === undefined) return []
    const unit = TYPE_BYTES[field.type] ?? 1
    const view = new ByteView(await this.#bytes.read(field.at, Math.min(field.count, max) * unit), this.#order)
    const numbers = Array.from({ length: Math.floor(view.length / unit) }, (_, i) =>
      valueAt(view, field.type, i * unit)
    )
    return numbers.every(Number.isFinite) ? numbers : []
  }
}

/** @returns NaN for types that are no numbers, and for n/0 */
function valueAt(view: ByteView, type: number, at: number): number {
  switch (type) {
    case 1:
      return view.u8(at)
    case TYPE_SHORT:
      return view.u16(at)
    case TYPE_LONG:
    case TYPE_DIRECTORY:
      return view.u32(at)
    case TYPE_RATIONAL:
      return view.u32(at) / view.u32(at + 4)
    case TYPE_SIGNED_RATIONAL:
      return view.i32(at) / view.i32(at + 4)
    default:
      return Number.NaN
  }
}
