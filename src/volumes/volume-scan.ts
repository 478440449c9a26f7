import { systemErrorCode } from '../core/errors.js'
import type { File } from '../core/file-system.js'
import {
  BLOCK_BYTES,
  blockIntact,
  checkFooter,
  decodeHeader,
  durableTo,
  NEEDLE_ALIGN,
  NEEDLE_HEADER_BYTES,
  NEEDLE_MAGIC_BYTES,
  type NeedleHeader,
  needleBytes
} from '../domain/needle.js'

const WINDOW_BYTES = 256 * 1024
/** The unit of a failed read. */
const SECTOR_BYTES = 4096

export interface ScanInit {
  readonly file: File
  readonly seed: number
  /** Where to start: a needle boundary. */
  readonly from: number
  /** Size of the file, bytes. */
  readonly size: number
  /** Needles at or after this offset are verified in full; of those before it only header and footer. */
  readonly verifyFrom: number
  /** Everything before this offset was durable, so damage there is a hole and never a torn tail. */
  readonly knownEnd: number
  /** Called after each read, and awaited: slows the scan down, or ends it with an error. */
  readonly pace?: ScanPace | undefined
}

/** @param position - in the file, of what was just read */
export type ScanPace = (position: number) => Promise<void>

export type ScanEvent =
  | {
      readonly kind: 'needle'
      readonly header: NeedleHeader
      readonly offset: number
      readonly footer: Uint8Array
      /** Durable end of the volume when the needle was written; 0: not known. */
      readonly durableTo: number
    }
  | { readonly kind: 'hole'; readonly from: number; readonly to: number; readonly reason: 'corrupt' | 'unreadable' }
  /** The rest of the file: a write that a crash interrupted before it was acknowledged. */
  | { readonly kind: 'torn'; readonly from: number; readonly to: number }

/**
 * Reads a volume needle by needle. Damage before `knownEnd`, or with a valid needle after it, is a hole; other damage is a
 * torn tail. After damage the scan searches for the next aligned magic with a valid header. The header checksum is seeded
 * with volume and offset, so a needle inside an uploaded file never matches.
 */
export async function* scanVolume(init: ScanInit): AsyncGenerator<ScanEvent> {
  const { file, size, knownEnd, pace } = init
  const window = new ReadWindow(file, size, pace)
  let offset = init.from
  while (offset < size) {
    const found = await examine(window, init, offset)
    if (found !== undefined) {
      yield { kind: 'needle', offset, ...found }
      offset += needleBytes(found.header.length)
      continue
    }
    const next = await findNeedle(window, init, offset)
    if (next !== undefined) {
      yield { kind: 'hole', from: offset, to: next, reason: window.unreadable ? 'unreadable' : 'corrupt' }
      window.unreadable = false
      offset = next
      continue
    }
    if (offset < knownEnd) {
      yield { kind: 'hole', from: offset, to: knownEnd, reason: window.unreadable ? 'unreadable' : 'corrupt' }
      offset = knownEnd
    }
    if (offset < size) yield { kind: 'torn', from: offset, to: size }
    return
  }
  if (offset < knownEnd) yield { kind: 'hole', from: offset, to: knownEnd, reason: 'corrupt' }
}

async function examine(
  window: ReadWindow,
  { seed, size, verifyFrom }: ScanInit,
  offset: number
): Promise<{ header: NeedleHeader; footer: Uint8Array; durableTo: number } | undefined> {
  const encodedHeader = Uint8Array.from(await window.view(offset, NEEDLE_HEADER_BYTES))
  const header = encodedHeader.byteLength < NEEDLE_HEADER_BYTES ? undefined : decodeHeader(encodedHeader, seed, offset)
  if (header === undefined) return undefined
  const end = offset + needleBytes(header.length)
  if (end > size) return undefined
  const dataAt = offset + NEEDLE_HEADER_BYTES
  const footerAt = dataAt + header.length
  const footer = Uint8Array.from(await window.view(footerAt, end - footerAt))
  const checksums = checkFooter(encodedHeader, footer, seed, offset)
  if (checksums === undefined) return undefined
  if (offset >= verifyFrom) {
    for (const [block, checksum] of checksums.entries()) {
      const at = block * BLOCK_BYTES
      const bytes = await window.view(dataAt + at, Math.min(BLOCK_BYTES, header.length - at))
      if (!blockIntact(header, block, bytes, checksum)) return undefined
    }
  }
  return { header, footer, durableTo: durableTo(encodedHeader) }
}

/** @returns the first offset after `from` with a valid needle */
async function findNeedle(window: ReadWindow, init: ScanInit, from: number): Promise<number | undefined> {
  for (let at = from + NEEDLE_ALIGN; at < init.size; ) {
    const bytes = await window.view(at, SECTOR_BYTES - (at % SECTOR_BYTES))
    const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(NEEDLE_MAGIC_BYTES)
    if (found === -1) {
      at += SECTOR_BYTES - (at % SECTOR_BYTES) // an aligned magic never straddles sectors; an unreadable sector is skipped
      continue
    }
    const candidate = at + found
    if (candidate % NEEDLE_ALIGN === 0 && (await examine(window, init, candidate)) !== undefined) return candidate
    at = candidate - (candidate % NEEDLE_ALIGN) + NEEDLE_ALIGN
  }
  return undefined
}

/** A buffered window over a file: few reads serve many small views. A read that fails with EIO yields fewer bytes. */
class ReadWindow {
  readonly #file: File
  readonly #size: number
  readonly #pace: ScanPace | undefined
  readonly #buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  #from = 0
  #bytes = 0
  /** Set when a read has failed since the flag was last cleared. */
  unreadable = false

  constructor(file: File, size: number, pace: ScanPace | undefined) {
    this.#file = file
    this.#size = size
    this.#pace = pace
  }

  /** @returns bytes [position, position + length), fewer at the end of the file or on EIO; valid until the next call */
  async view(position: number, length: number): Promise<Uint8Array> {
    if (position < this.#from || position + length > this.#from + this.#bytes) await this.#fill(position, length)
    const at = position - this.#from
    return this.#buffer.subarray(at, Math.max(at, Math.min(at + length, this.#bytes)))
  }

  async #fill(position: number, length: number): Promise<void> {
    this.#from = position
    this.#bytes = 0
    for (const want of [Math.min(WINDOW_BYTES, this.#size - position), length]) {
      try {
        this.#bytes = await this.#file.read(this.#buffer.subarray(0, want), position)
        break
      } catch (error) {
        if (systemErrorCode(error) !== 'EIO') throw error
        this.unreadable = true
      }
    }
    await this.#pace?.(position)
  }
}
