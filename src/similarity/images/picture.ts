import sharp, { type Metadata, type Sharp } from 'sharp'
import { SheafError } from '../../core/errors.js'
import { exifDate } from './exif-date.js'

/** A picture of more pixels is not decoded: 100 million take up to 400 MB. */
const PIXELS_MAX = 100_000_000

/** Only the first frame is looked at, but all of them are counted when a file is opened. */
const FRAMES_MAX = 5_000

/** Longest side of what is made of a picture. */
const BASE_SIDE = 2_048

/**
 * Longest side of what hash and model see, which is also the size `small`: it is more than they take in, unless the picture
 * is a panorama, of which more is decoded.
 */
const SEEN_SIDE = 640
const SEEN_SIDE_SHORTEST = 256
const SEEN_SIDE_LONGEST = 4_096

/**
 * The decoders that are open to what people upload. All others of the library (among them SVG, which draws text and loads
 * files, and formats for which nobody hardens a decoder) stay shut.
 */
const DECODERS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif']

/** Sets the library up for this process: one thread per picture, nothing kept, a few decoders. */
export function configureDecoding(): void {
  sharp.concurrency(1)
  sharp.cache(false)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: DECODERS.map(name => `VipsForeignLoad${name}`) })
}

/** 8-bit sRGB. */
export interface Pixels {
  readonly data: Buffer
  readonly width: number
  readonly height: number
  /** 4: with alpha, not premultiplied. */
  readonly channels: 3 | 4
}

export interface Picture {
  /** Of the original, as displayed. */
  readonly width: number
  readonly height: number
  readonly takenAt: number | undefined
  /** Of the file: `jpeg`, `png`, … */
  readonly format: string
  readonly byteCount: number
  /** What hash and model are to look at: the same for the same bytes, whatever else is wanted. Upright. */
  readonly seen: Pixels
  /**
   * Decodes what the sizes are made of. Upright.
   *
   * @param side - longest side of the largest that is to be made of it, at most 2,048; the result may be larger
   * @throws `ERR_IMAGE_UNREADABLE`
   */
  readonly base: (side: number) => Promise<Pixels>
}

/**
 * Decodes the first frame. Most formats are decoded once for everything. A large JPEG is decoded once more where more
 * of it is wanted: it yields a fraction of its size at a fraction of the cost. Broken data is an error
 * even where a part could be shown, since half a picture would look like no copy of the whole; data that a decoder merely
 * warns of is not.
 *
 * @throws `ERR_IMAGE_UNREADABLE`, `ERR_IMAGE_TOO_LARGE`
 */
export async function openPicture(bytes: Buffer): Promise<Picture> {
  const metadata = await inspect(bytes)
  const { width, height } = metadata.autoOrient
  const takenAt = metadata.exif && exifDate(metadata.exif)
  const facts = { width, height, takenAt, format: metadata.format, byteCount: bytes.length }
  const decodeBase = (side: number): Promise<Pixels> => decode(bytes, metadata, { width: side, height: side })
  const box = boxOfSeen(width, height)
  const shrinks = metadata.format === 'jpeg' && metadata.isProgressive !== true && width >= 2 * box.width
  if (shrinks) {
    const seen = await decode(bytes, metadata, box)
    const isEnough = (side: number): boolean => Math.max(seen.width, seen.height) >= side
    return { ...facts, seen, base: async side => (isEnough(side) ? seen : decodeBase(side)) }
  }
  const base = await decodeBase(BASE_SIDE)
  return { ...facts, seen: base, base: async () => base }
}

interface Box {
  readonly width: number
  readonly height: number
}

function boxOfSeen(width: number, height: number): Box {
  const shortest = Math.min(width, height)
  const longest = Math.max(width, height)
  const scale = Math.max(SEEN_SIDE / longest, Math.min(SEEN_SIDE_SHORTEST / shortest, SEEN_SIDE_LONGEST / longest))
  return { width: Math.ceil(width * scale), height: Math.ceil(height * scale) }
}

async function decode(bytes: Buffer, { icc, space }: Metadata, box: Box): Promise<Pixels> {
  const image = sharp(bytes, { autoOrient: true, failOn: 'error', limitInputPixels: PIXELS_MAX }).resize({
    ...box,
    fit: 'inside',
    withoutEnlargement: true
  })
  const pixels = await readable(bytes, async () => {
    if (icc === undefined || space !== 'srgb') return pixelsOf(image)
    // colours are converted when there are few pixels left: most photos name a profile, and it takes longer than decoding
    return pixelsOf(sharp(await image.keepIccProfile().tiff({ compression: 'none' }).toBuffer()))
  })
  return pixels.channels === 4 && isOpaque(pixels.data) ? pixelsOf(toSharp(pixels).removeAlpha()) : pixels
}

/** @returns the pixels, to go on with */
export function toSharp({ data, width, height, channels }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels } })
}

/** @returns `pixels` on white where something could be seen through them, as a square of `side` pixels */
export async function squareOf(pixels: Pixels, side: number, fit: 'cover' | 'fill'): Promise<Buffer> {
  return toSharp(pixels).flatten({ background: '#fff' }).resize(side, side, { fit }).raw().toBuffer()
}

/** @returns side² bytes: how bright the picture, squeezed into a square, is at each of its pixels */
export async function luminanceOf(pixels: Pixels, side: number): Promise<Buffer> {
  const squeezed = toSharp(pixels).flatten({ background: '#fff' }).resize(side, side, { fit: 'fill' })
  return squeezed.toColourspace('b-w').raw().toBuffer()
}

export async function pixelsOf(image: Sharp): Promise<Pixels> {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: info.channels === 4 ? 4 : 3 }
}

/** Reads the head only, so that its claims are judged before anything is decoded. */
async function inspect(bytes: Buffer): Promise<Metadata> {
  const metadata = await readable(bytes, () => sharp(bytes, { limitInputPixels: false }).metadata())
  const { width, height, pages = 1 } = metadata
  if (width * height > PIXELS_MAX) {
    throw new SheafError(
      'ERR_IMAGE_TOO_LARGE',
      `the image has ${width}×${height} pixels, more than ${PIXELS_MAX} in all`
    )
  }
  if (pages > FRAMES_MAX) {
    throw new SheafError('ERR_IMAGE_TOO_LARGE', `the image has ${pages} frames, more than ${FRAMES_MAX}`)
  }
  return metadata
}

async function readable<Result>(bytes: Buffer, decode: () => Promise<Result>): Promise<Result> {
  try {
    return await decode()
  } catch (err) {
    const problem = isHevc(bytes) ? 'pictures coded with HEVC cannot be decoded here' : firstLine(err)
    throw new SheafError('ERR_IMAGE_UNREADABLE', problem, { cause: err })
  }
}

const MESSAGE_LENGTH_MAX = 200

function firstLine(err: unknown): string {
  const message = err instanceof Error ? err.message : String(err)
  return message.split('\n', 1)[0]!.slice(0, MESSAGE_LENGTH_MAX)
}

/** HEIF whose pictures are coded with HEVC, as telephones write it: the prebuilt library has no decoder for that. */
function isHevc(bytes: Buffer): boolean {
  return /^ftyp(hei[cxms]|hev[cxms])$/.test(bytes.toString('latin1', 4, 12))
}

function isOpaque(data: Buffer): boolean {
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] !== 255) return false
  }
  return true
}
