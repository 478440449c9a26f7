import { Readable } from 'node:stream'
import { createInflate, constants as zlib } from 'node:zlib'
import type { Metadata } from 'sharp'
import type { Pixels } from './pixels.js'

/** From this share on only a sliver is missing, as of a JPEG without its last bytes. */
const WHOLE_SHARE_MIN = 0.98
/** Less is no picture. */
const SHARE_MIN = 0.05
/** Rows above the cut that shrinking may have mixed with what is below it. */
const MIXED_ROWS = 3
/** Neutral, and what the decoder of JPEG puts there. */
const GREY = 128

/** A picture of which not everything could be decoded. */
export interface Part {
  /** `whole` when hardly anything is missing. */
  readonly state: 'whole' | 'partial'
  readonly pixels: Pixels
}

/** Whether the decoder gives what there is of a cut file, beginning with its first rows. Of other formats it gives nothing. */
export function hasRowsWhenCut({ format, isProgressive }: Metadata): boolean {
  return format === 'jpeg' || format === 'gif' || (format === 'png' && isProgressive !== true)
}

/**
 * Judges what a lenient decoder made of a cut file. It says nothing of how much it had, and fills the rest: of a JPEG and a GIF
 * with one row over and over, of a PNG with rows of whatever was in its memory before. So that is painted over. A progressive JPEG has
 * something of all rows.
 *
 * @param pixels - as stored, not turned upright; changed
 * @returns undefined when there is too little of a picture
 */
export async function judgeCut(bytes: Buffer, metadata: Metadata, pixels: Pixels): Promise<Part | undefined> {
  const isProgressive = metadata.format === 'jpeg' && metadata.isProgressive === true
  const share = metadata.format === 'png' ? await shareOfPng(bytes, metadata) : shareOfRows(pixels)
  if (share < SHARE_MIN) return undefined
  if (isProgressive) return { state: 'partial', pixels }
  if (share >= WHOLE_SHARE_MIN) return { state: 'whole', pixels }
  paintFrom(Math.max(0, Math.floor(share * pixels.height) - MIXED_ROWS), pixels)
  return { state: 'partial', pixels }
}

/** @returns up to where rows differ from each other, 0…1 */
function shareOfRows({ data, width, height, channels }: Pixels): number {
  const rowBytes = width * channels
  const row = (y: number): Buffer => data.subarray(y * rowBytes, (y + 1) * rowBytes)
  const last = row(height - 1)
  let y = height - 1
  while (y > 0 && row(y - 1).equals(last)) y--
  return y / height
}

function paintFrom(y: number, { data, width, channels }: Pixels): void {
  data.fill(GREY, y * width * channels)
  if (channels === 4) for (let at = y * width * channels + 3; at < data.length; at += channels) data[at] = 255
}

const SIGNATURE_BYTES = 8
/** Length, type and checksum. */
const CHUNK_BYTES = 12
const INFLATED_BYTES = 256 * 1024
/** Samples of a pixel, by the colour type of a PNG; 0: no type. */
const PNG_SAMPLES = [1, 0, 3, 1, 2, 0, 4]

/** @returns the share of a PNG's rows that its data inflates to, 0…1 */
async function shareOfPng(bytes: Buffer, { width, height }: Metadata): Promise<number> {
  const [depth = 0, colourType = 0] = bytes.subarray(24, 26)
  const rowBytes = 1 + Math.ceil((width * depth * (PNG_SAMPLES[colourType] ?? 0)) / 8)
  const inflated = await inflatedLength(pixelChunksOf(bytes), rowBytes * height)
  return Math.min(1, Math.floor(inflated / rowBytes) / height)
}

/** @yields what is there of the data of IDAT chunks */
function* pixelChunksOf(bytes: Buffer): Generator<Buffer> {
  let at = SIGNATURE_BYTES
  while (at + 8 <= bytes.length) {
    const length = bytes.readUInt32BE(at)
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') yield bytes.subarray(at + 8, at + 8 + length)
    at += CHUNK_BYTES + length
  }
}

/** @returns bytes that the data inflates to, as far as it is sound, `max` at most; none of them is kept */
function inflatedLength(chunks: Iterable<Buffer>, max: number): Promise<number> {
  return new Promise(resolve => {
    let length = 0
    const inflate = createInflate({ finishFlush: zlib.Z_SYNC_FLUSH, chunkSize: INFLATED_BYTES })
    const end = (): void => {
      inflate.destroy()
      resolve(length)
    }
    inflate.on('data', (part: Buffer) => {
      length += part.length
      if (length >= max) end()
    })
    inflate.on('end', end).on('error', end)
    Readable.from(chunks).pipe(inflate)
  })
}
