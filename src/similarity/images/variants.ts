import sharp from 'sharp'
import { type EncodedVariant, VARIANTS, type VariantName } from './image-analyzer.js'
import type { Picture } from './picture.js'
import { type Pixels, pixelsOf, toSharp } from './pixels.js'

const QUALITY = 82
/** WebP at its default effort takes ten times as long as JPEG and saves 3 % of the bytes. */
const WEBP_EFFORT = 2
/** Optimized Huffman tables double the time to encode a JPEG and save 2 % of the bytes. */
const JPEG = { quality: QUALITY, optimiseCoding: false }

/** The longest side of each size in pixels. */
const SIDES: Readonly<Record<VariantName, number>> = { large: 2_048, small: 640, thumb: 256 }

/** An original within these limits replaces a size, if browsers show its format. */
const BYTES_MAX: Readonly<Record<VariantName, number>> = {
  large: 2 * 2 ** 20,
  small: 256 * 2 ** 10,
  thumb: 64 * 2 ** 10
}
const SHOWN_FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif']

/** The library's version, which affects the bytes of a variant. */
const LIBRARY = `sharp-${(sharp.versions.sharp ?? '').split('.').slice(0, 2).join('.')}`

/** Increment when the bytes change for any other reason. */
const METHOD = 2

function recipeOf(name: VariantName): string {
  return `${LIBRARY} m${METHOD} q${QUALITY} ${SIDES[name]}`
}

/**
 * Makes the smaller sizes of a picture: JPEG, or WebP for pictures with transparency; without metadata. None is larger than
 * the original. A size is omitted if the original is no larger and can replace it, which only a whole one does.
 */
export async function makeVariants(picture: Picture): Promise<EncodedVariant[]> {
  const variants: EncodedVariant[] = []
  let pixels: Pixels | undefined
  for (const name of VARIANTS) {
    if (canReplace(name, picture)) continue
    pixels = await resizeToFit(pixels ?? (await picture.base(SIDES[name])), SIDES[name])
    variants.push(await encode(name, pixels))
  }
  return variants
}

function canReplace(name: VariantName, { width, height, format, byteCount, state }: Picture): boolean {
  if (state !== 'whole') return false
  return Math.max(width, height) <= SIDES[name] && byteCount <= BYTES_MAX[name] && SHOWN_FORMATS.includes(format)
}

async function resizeToFit(pixels: Pixels, side: number): Promise<Pixels> {
  if (pixels.width <= side && pixels.height <= side) return pixels
  return pixelsOf(toSharp(pixels).resize({ width: side, height: side, fit: 'inside' }))
}

async function encode(alt: VariantName, pixels: Pixels): Promise<EncodedVariant> {
  const { width, height, channels } = pixels
  const image = toSharp(pixels)
  const format = channels === 4 ? image.webp({ quality: QUALITY, effort: WEBP_EFFORT }) : image.jpeg(JPEG)
  const contentType = channels === 4 ? 'image/webp' : 'image/jpeg'
  return { alt, recipe: recipeOf(alt), contentType, bytes: await format.toBuffer(), width, height }
}
