/*
 * All bounds of reading a head. What is beyond one of them counts as not there.
 */
import { toWellFormed } from '../../../domain/cbor.js'

/** Reads of the source, each of at most {@link READ_BYTES_MAX}. */
export const READS_MAX = 64
const READ_BYTES_MAX = 2 ** 20
/** All reads together. */
export const TOTAL_BYTES_MAX = 16 * 2 ** 20
/** What a first read takes, and each later one at least: most heads are in the first. */
const FIRST_BYTES = 64 * 1024
const WINDOW_BYTES = 16 * 1024
/** Windows kept. */
const WINDOWS_MAX = 4

/** Segments of a JPEG, chunks of a PNG or WebP, boxes in a box. */
export const PARTS_MAX = 512
/** Chunks of a PNG from the first with pixels on: what follows them is seldom of use, and each may take a read. */
export const PIXEL_CHUNKS_MAX = 16
/** Directories of a TIFF, and entries in each; no camera writes more. */
export const DIRECTORIES_MAX = 24
export const ENTRIES_MAX = 1_000
/** Directories that one entry may name. */
export const SUBDIRECTORIES_MAX = 8
/** Places that are looked at for a preview. */
export const PREVIEW_PLACES_MAX = 12
/** Blocks of EXIF and packets of XMP in one file. */
const BLOCKS_MAX = 8
/** Items of a HEIF, and properties of them. */
export const ITEMS_MAX = 4_096
/** The box 'meta' of a HEIF, which is read at once. */
export const META_BYTES_MAX = 2 ** 20
export const XMP_BYTES_MAX = 256 * 1024
export const XMP_TAGS_MAX = 10_000
export const XMP_DEPTH_MAX = 16
export const IPTC_BYTES_MAX = 64 * 1024
/** Places where the movie of a picture may be. */
export const MOTION_PLACES_MAX = 6
/** Items that XMP lists of a file. */
export const CONTAINER_ITEMS_MAX = 32
/** What Samsung writes behind pictures: the list of it, and what is in it. */
export const TRAILER_BYTES_MAX = 16 * 1024
export const TRAILER_ENTRIES_MAX = 64
/** A text that is kept, in bytes of UTF-8. */
export const TEXT_BYTES_MAX = 64
export const CAPTION_BYTES_MAX = 1_024
export const KEYWORDS_MAX = 64

/** A file that can be read anywhere. */
export interface ByteSource {
  readonly size: number
  /**
   * @param length - at most {@link READ_BYTES_MAX}
   * @returns these bytes, fewer where the file ends
   */
  read(at: number, length: number): Promise<Uint8Array>
}

/** Bytes of a file at any place, from a bounded number of reads. Beyond the file, or the bound, there are none. */
export class HeadBytes {
  readonly #source: ByteSource
  /** The latest first. */
  readonly #windows: { readonly at: number; readonly bytes: Buffer }[] = []
  #readCount = 0
  #byteCount = 0
  #blockCount = 0

  constructor(source: ByteSource) {
    this.#source = source
  }

  get size(): number {
    return this.#source.size
  }

  /** Call before reading a block of EXIF or a packet of XMP. @returns whether it may be read: there were not too many */
  takeBlock(): boolean {
    return this.#blockCount++ < BLOCKS_MAX
  }

  /** @returns bytes [at, at + length) as far as they are there; not to be changed */
  async read(at: number, length: number): Promise<Buffer> {
    if (!(at >= 0 && at < this.size && length > 0)) return Buffer.alloc(0)
    const end = Math.min(at + Math.min(length, READ_BYTES_MAX), this.size)
    let window = this.#windows.find(one => one.at <= at && end <= one.at + one.bytes.length)
    if (window === undefined) {
      const least = this.#readCount === 0 ? FIRST_BYTES : WINDOW_BYTES
      const wanted = Math.min(Math.max(end - at, least), this.size - at)
      if (this.#readCount >= READS_MAX || this.#byteCount + wanted > TOTAL_BYTES_MAX) return Buffer.alloc(0)
      this.#readCount++
      this.#byteCount += wanted
      const bytes = await this.#source.read(at, wanted)
      window = { at, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) }
      this.#windows.unshift(window)
      this.#windows.splice(WINDOWS_MAX)
    }
    return window.bytes.subarray(at - window.at, end - window.at)
  }
}

/** A source of bytes that are in memory. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: async (at, length) => bytes.subarray(at, at + length) }
}

/** Numbers and texts in some bytes. Numbers outside of them read as 0. */
export class ByteView {
  readonly bytes: Buffer
  readonly #little: boolean

  constructor(bytes: Buffer, order: 'little' | 'big' = 'big') {
    this.bytes = bytes
    this.#little = order === 'little'
  }

  get length(): number {
    return this.bytes.length
  }

  u8(at: number): number {
    return this.bytes[at] ?? 0
  }

  u16(at: number): number {
    if (at < 0 || at + 2 > this.bytes.length) return 0
    return this.#little ? this.bytes.readUInt16LE(at) : this.bytes.readUInt16BE(at)
  }

  u32(at: number): number {
    if (at < 0 || at + 4 > this.bytes.length) return 0
    return this.#little ? this.bytes.readUInt32LE(at) : this.bytes.readUInt32BE(at)
  }

  i32(at: number): number {
    return this.u32(at) | 0
  }

  /** A number above 2⁵³ is no place in a file: it reads as a little more. */
  u64(at: number): number {
    const [first, second] = [this.u32(at), this.u32(at + 4)]
    return this.#little ? second * 2 ** 32 + first : first * 2 ** 32 + second
  }

  latin1(at: number, length: number): string {
    return this.bytes.toString('latin1', Math.max(0, at), Math.max(0, at + length))
  }
}

/** @returns bytes as UTF-8, else as Latin-1, up to a zero; undefined when nothing is left */
export function textFrom(bytes: Buffer, bytesMax = TEXT_BYTES_MAX): string | undefined {
  const zero = bytes.indexOf(0)
  const used = zero === -1 ? bytes : bytes.subarray(0, zero)
  const utf8 = used.toString('utf8')
  return cleanText(utf8.includes('\ufffd') ? used.toString('latin1') : utf8, bytesMax)
}

/** @returns a text without control characters and outer blanks, as much of it as is kept; undefined when nothing is left */
export function cleanText(text: string, bytesMax = TEXT_BYTES_MAX): string | undefined {
  let clean = toWellFormed(
    text
      .slice(0, 4 * bytesMax)
      .replace(/\p{Cc}+/gu, ' ')
      .trim()
  )
  if (Buffer.byteLength(clean) > bytesMax) {
    // cut between characters: a character that is cut becomes U+FFFD
    clean = Buffer.from(clean)
      .subarray(0, bytesMax)
      .toString('utf8')
      .replace(/\ufffd+$/, '')
      .trim()
  }
  return clean === '' ? undefined : clean
}
