import sharp, { type Metadata, type Sharp } from 'sharp'
import { SheafError } from '../../core/errors.js'
import { requireDecodable } from './decode-cost.js'

/** Longest side of the largest size made of a picture. */
const BASE_SIDE = 2_048

/**
 * Longest side of the input to hash and model, which also serves for the size `small`. It exceeds what they take, except for
 * panoramas, which are decoded larger.
 */
const INPUT_SIDE = 640
const INPUT_SIDE_SHORTEST = 256
const INPUT_SIDE_LONGEST = 4_096

/**
 * Decoders enabled for uploads. The library's others stay blocked, among them SVG, which draws text and loads files, and
 * formats whose decoders nobody hardens.
 */
const DECODERS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif']

/** Configures the library for this process: one thread per picture, no cache, only a few decoders. */
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
  /** Width of the original, as displayed. */
  readonly width: number
  readonly height: number
  /** The file's format: `jpeg`, `png`, … */
  readonly format: string
  readonly byteCount: number
  /** Input to hash and model, upright. The same for the same bytes, whatever else is requested. */
  readonly input: Pixels
  /**
   * Decodes the pixels that smaller sizes are made of, upright.
   *
   * @param side - longest side of the largest size to be made, at most 2,048; the result may be larger
   * @throws `ERR_IMAGE_UNREADABLE`
   */
  readonly base: (side: number) => Promise<Pixels>
}

/**
 * Decodes the first frame. Most formats are decoded once. A large JPEG is decoded again if a larger version is needed,
 * because decoding it at a fraction of its size costs a fraction of the time. Damaged data is an error even where a part
 * could be shown, since half a picture would not match copies of the whole. Decoder warnings are not errors.
 *
 * @throws `ERR_IMAGE_UNREADABLE`, `ERR_IMAGE_TOO_LARGE`
 */
export async function openPicture(bytes: Buffer): Promise<Picture> {
  const metadata = await inspect(bytes)
  const { width, height } = metadata.autoOrient
  const facts = { width, height, format: metadata.format, byteCount: bytes.length }
  const decodeBase = (side: number): Promise<Pixels> => decode(bytes, metadata, { width: side, height: side })
  const box = inputBox(width, height)
  const shrinks = metadata.format === 'jpeg' && metadata.isProgressive !== true && width >= 2 * box.width
  if (shrinks) {
    const input = await decode(bytes, metadata, box)
    const isEnough = (side: number): boolean => Math.max(input.width, input.height) >= side
    return { ...facts, input, base: async side => (isEnough(side) ? input : decodeBase(side)) }
  }
  const base = await decodeBase(BASE_SIDE)
  return { ...facts, input: base, base: async () => base }
}

interface Box {
  readonly width: number
  readonly height: number
}

function inputBox(width: number, height: number): Box {
  const shortest = Math.min(width, height)
  const longest = Math.max(width, height)
  const scale = Math.max(INPUT_SIDE / longest, Math.min(INPUT_SIDE_SHORTEST / shortest, INPUT_SIDE_LONGEST / longest))
  return { width: Math.ceil(width * scale), height: Math.ceil(height * scale) }
}

async function decode(bytes: Buffer, { icc, space }: Metadata, box: Box): Promise<Pixels> {
  const image = sharp(bytes, { autoOrient: true, failOn: 'error', limitInputPixels: false }).resize({
    ...box,
    fit: 'inside',
    withoutEnlargement: true
  })
  const pixels = await readable(bytes, async () => {
    if (icc === undefined || space !== 'srgb') return pixelsOf(image)
    // colors are converted after shrinking: most photos have a profile, and converting takes longer than decoding
    return pixelsOf(sharp(await image.keepIccProfile().tiff({ compression: 'none' }).toBuffer()))
  })
  return pixels.channels === 4 && isOpaque(pixels.data) ? pixelsOf(toSharp(pixels).removeAlpha()) : pixels
}

/** @returns the pixels as input to further operations */
export function toSharp({ data, width, height, channels }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels } })
}

/** @returns `pixels` on a white background, as a square of `side` pixels */
export async function squareOf(pixels: Pixels, side: number, fit: 'cover' | 'fill'): Promise<Buffer> {
  return toSharp(pixels).flatten({ background: '#fff' }).resize(side, side, { fit }).raw().toBuffer()
}

/** @returns side² bytes: the luminance of the picture, squeezed into a square */
export async function luminanceOf(pixels: Pixels, side: number): Promise<Buffer> {
  const squeezed = toSharp(pixels).flatten({ background: '#fff' }).resize(side, side, { fit: 'fill' })
  return squeezed.toColourspace('b-w').raw().toBuffer()
}

export async function pixelsOf(image: Sharp): Promise<Pixels> {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: info.channels === 4 ? 4 : 3 }
}

/** Reads the header only, so that its claims are checked before anything is decoded. */
async function inspect(bytes: Buffer): Promise<Metadata> {
  const metadata = await readable(bytes, () => sharp(bytes, { limitInputPixels: false }).metadata())
  requireDecodable(metadata)
  return metadata
}

async function readable<Result>(bytes: Buffer, decode: () => Promise<Result>): Promise<Result> {
  try {
    return await decode()
  } catch (err) {
    const problem = isHevc(bytes)
      ? 'HEIC images (HEVC) cannot be decoded here; convert the image to JPEG'
      : firstLine(err)
    throw new SheafError('ERR_IMAGE_UNREADABLE', problem, { cause: err })
  }
}

const MESSAGE_LENGTH_MAX = 200

function firstLine(err: unknown): string {
  const message = err instanceof Error ? err.message : String(err)
  return message.split('\n', 1)[0]!.slice(0, MESSAGE_LENGTH_MAX)
}

/** HEIF with HEVC coding, as phones write it: the prebuilt library has no decoder for it. */
function isHevc(bytes: Buffer): boolean {
  return /^ftyp(hei[cxms]|hev[cxms])$/.test(bytes.toString('latin1', 4, 12))
}

function isOpaque(data: Buffer): boolean {
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] !== 255) return false
  }
  return true
}
