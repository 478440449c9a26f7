import sharp from 'sharp'
import { type EncodedVariant, VARIANTS, type VariantName } from './image-analyzer.js'
import { type Picture, type Pixels, pixelsOf, toSharp } from './picture.js'

const QUALITY = 82
/** WebP at its usual effort takes ten times as long as JPEG, for 3 % of the bytes. */
const WEBP_EFFORT = 2
/** Huffman tables of a picture's own take as long as all else in a JPEG, for 2 % of the bytes. */
const JPEG = { quality: QUALITY, optimiseCoding: false }

/** The longest side of each size in pixels. */
const SIDES: Readonly<Record<VariantName, number>> = { large: 2_048, small: 640, thumb: 256 }

/** An original with these bounds can stand for a size itself, if browsers show its format. */
const BYTES_MAX: Readonly<Record<VariantName, number>> = {
  large: 2 * 2 ** 20,
  small: 256 * 2 ** 10,
  thumb: 64 * 2 ** 10
}
const SHOWN_FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif']

/** What the bytes of a variant depend on besides the original. */
const LIBRARY = `sharp-${(sharp.versions.sharp ?? '').split('.').slice(0, 2).join('.')}`

/** Counts up when the bytes change for any other reason. */
const METHOD = 2

function recipeOf(name: VariantName): string {
  return `${LIBRARY} m${METHOD} q${QUALITY} ${SIDES[name]}`
}

/**
 * The smaller sizes of a picture: JPEG, or WebP where something can be seen through; without any metadata. None is larger
 * than the original. A size that is not made is one that the original can stand for: it is no larger.
 */
export async function makeVariants(picture: Picture): Promise<EncodedVariant[]> {
  const variants: EncodedVariant[] = []
  let pixels: Pixels | undefined
  for (const name of VARIANTS) {
    if (canStandFor(name, picture)) continue
    pixels = await fitted(pixels ?? (await picture.base(SIDES[name])), SIDES[name])
    variants.push(await encoded(name, pixels))
  }
  return variants
}

function canStandFor(name: VariantName, { width, height, format, byteCount }: Picture): boolean {
  return Math.max(width, height) <= SIDES[name] && byteCount <= BYTES_MAX[name] && SHOWN_FORMATS.includes(format)
}

async function fitted(pixels: Pixels, side: number): Promise<Pixels> {
  if (pixels.width <= side && pixels.height <= side) return pixels
  return pixelsOf(toSharp(pixels).resize({ width: side, height: side, fit: 'inside' }))
}

async function encoded(alt: VariantName, pixels: Pixels): Promise<EncodedVariant> {
  const { width, height, channels } = pixels
  const image = toSharp(pixels)
  const format = channels === 4 ? image.webp({ quality: QUALITY, effort: WEBP_EFFORT }) : image.jpeg(JPEG)
  const contentType = channels === 4 ? 'image/webp' : 'image/jpeg'
  return { alt, recipe: recipeOf(alt), contentType, bytes: await format.toBuffer(), width, height }
}
