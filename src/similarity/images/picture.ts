import sharp, { type Metadata } from 'sharp'
import { hasCode, SheafError } from '../../core/errors.js'
import { hasRowsWhenCut, judgeCut } from './cut-picture.js'
import { requireDecodable } from './decode-cost.js'
import type { DecodingTool } from './decoding-tools.js'
import { decodeHeic } from './heif/heic-picture.js'
import { type Pixels, pixelsOf, upright, withoutIdleAlpha } from './pixels.js'

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

export interface Picture {
  /** Width of the original, as displayed. */
  readonly width: number
  readonly height: number
  /** The file's format: `jpeg`, `png`, … */
  readonly format: string
  readonly byteCount: number
  /** `partial`: the file is cut or damaged, and what it lacks is grey. `preview`: it is one out of another file. */
  readonly state: 'whole' | 'partial' | 'preview'
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
 * Decodes the first frame. Of a file that is cut or damaged it decodes what there is. Decoder warnings are not errors.
 *
 * @param tools - it may decode with, beside the library
 * @throws `ERR_IMAGE_UNREADABLE`, `ERR_IMAGE_TOO_LARGE`, `ERR_ANALYST_UNAVAILABLE` when a tool cannot be loaded
 */
export async function openPicture(bytes: Buffer, tools: ReadonlySet<DecodingTool> = new Set()): Promise<Picture> {
  const metadata = await inspect(bytes)
  if (isHevc(metadata)) return openHeic(bytes, tools)
  requireDecodable(metadata)
  try {
    return await openWhole(bytes, metadata)
  } catch (err) {
    const part =
      hasCode(err, 'ERR_IMAGE_UNREADABLE') && hasRowsWhenCut(metadata) ? await openPart(bytes, metadata) : undefined
    if (part === undefined) throw err
    return part
  }
}

/**
 * Decodes a preview out of another file.
 *
 * @param orientation - of that file, as in EXIF: how the preview is turned where it does not say itself
 * @throws as {@link openPicture}
 */
export async function openPreview(bytes: Buffer, orientation: number | undefined): Promise<Picture> {
  const { orientation: own } = await inspect(bytes)
  const picture = await openPicture(bytes)
  const state = picture.state === 'whole' ? 'preview' : picture.state
  if (own !== undefined || orientation === undefined || orientation === 1) return { ...picture, state }
  const isTurned = orientation > 4
  const { width, height, input, base } = picture
  return {
    ...picture,
    state,
    ...(isTurned && { width: height, height: width }),
    input: await upright(input, orientation),
    base: async side => upright(await base(side), orientation)
  }
}

/**
 * Most formats are decoded once. A large JPEG is decoded again if a larger version is needed, because decoding it at a fraction of
 * its size costs a fraction of the time.
 */
async function openWhole(bytes: Buffer, metadata: Metadata): Promise<Picture> {
  const facts = { ...factsOf(bytes, metadata), state: 'whole' } as const
  const { width, height } = facts
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

async function openHeic(bytes: Buffer, tools: ReadonlySet<DecodingTool>): Promise<Picture> {
  if (!tools.has('heif')) {
    throw new SheafError(
      'ERR_IMAGE_UNREADABLE',
      'HEIC images (HEVC) cannot be decoded here; install libheif-js on the node, or convert the image to JPEG'
    )
  }
  const { width, height, pixels } = await decodeHeic(bytes, BASE_SIDE)
  const facts = { width, height, format: 'heif', byteCount: bytes.length, state: 'whole' } as const
  return { ...facts, input: pixels, base: async () => pixels }
}

/** @returns undefined when there is too little of it */
async function openPart(bytes: Buffer, metadata: Metadata): Promise<Picture | undefined> {
  const stored = await decode(bytes, metadata, { width: BASE_SIDE, height: BASE_SIDE }, 'part')
  const part = await judgeCut(bytes, metadata, stored)
  if (part === undefined) return undefined
  const base = await upright(part.pixels, metadata.orientation)
  return { ...factsOf(bytes, metadata), state: part.state, input: base, base: async () => base }
}

function factsOf(bytes: Buffer, { autoOrient, format }: Metadata): Omit<Picture, 'state' | 'input' | 'base'> {
  return { width: autoOrient.width, height: autoOrient.height, format, byteCount: bytes.length }
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

/** @param how - `whole`: upright, or an error; `part`: what there is, as it is stored */
async function decode(
  bytes: Buffer,
  { icc, space }: Metadata,
  box: Box,
  how: 'whole' | 'part' = 'whole'
): Promise<Pixels> {
  const strictness = how === 'whole' ? ({ autoOrient: true, failOn: 'error' } as const) : ({ failOn: 'none' } as const)
  // the pixels were counted, by what they take in this format
  const image = sharp(bytes, { ...strictness, limitInputPixels: false }).resize({
    ...box,
    fit: 'inside',
    withoutEnlargement: true
  })
  const pixels = await readable(async () => {
    if (icc === undefined || space !== 'srgb') return pixelsOf(image)
    // colors are converted after shrinking: most photos have a profile, and converting takes longer than decoding
    return pixelsOf(sharp(await image.keepIccProfile().tiff({ compression: 'none' }).toBuffer()))
  })
  return withoutIdleAlpha(pixels)
}

/** Reads the header only: its claims are checked before anything is decoded. */
async function inspect(bytes: Buffer): Promise<Metadata> {
  const metadata = await readable(() => sharp(bytes, { failOn: 'none', limitInputPixels: false }).metadata())
  return metadata
}

async function readable<Result>(decode: () => Promise<Result>): Promise<Result> {
  try {
    return await decode()
  } catch (err) {
    throw new SheafError('ERR_IMAGE_UNREADABLE', firstLine(err), { cause: err })
  }
}

const MESSAGE_LENGTH_MAX = 200

function firstLine(err: unknown): string {
  const message = err instanceof Error ? err.message : String(err)
  return message.split('\n', 1)[0]!.slice(0, MESSAGE_LENGTH_MAX)
}

/** HEIF with HEVC coding, as telephones write it. Brands do not tell: `mif1` may be this, or AVIF. */
function isHevc({ format, compression }: Metadata): boolean {
  return format === 'heif' && compression === 'hevc'
}
