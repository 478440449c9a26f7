import sharp from 'sharp'
import type { Variant, VariantName } from './image-analyst.js'
import { type Picture, type Pixels, pixelsOf, toSharp } from './picture.js'

const QUALITY = 82
/** WebP at its usual effort takes ten times as long as JPEG, for 3 % of the bytes. */
const WEBP_EFFORT = 2

/** The longest side of each size in pixels; none is larger than the original. */
const SIDES: Readonly<Record<VariantName, number>> = { large: 2_048, small: 640, thumb: 256 }

/** What the bytes of a variant depend on besides the original. */
const LIBRARY = `sharp-${(sharp.versions.sharp ?? '').split('.').slice(0, 2).join('.')}`

function recipeOf(name: VariantName): string {
  return `${LIBRARY} q${QUALITY} ${SIDES[name]}`
}

/** The smaller sizes of a picture: JPEG, or WebP where something can be seen through; without any metadata. */
export async function makeVariants(picture: Picture): Promise<Variant[]> {
  const base = await picture.base()
  const small = fitted(base, SIDES.small)
  const thumb = small.then(pixels => fitted(pixels, SIDES.thumb))
  return Promise.all([
    encoded('large', base),
    small.then(pixels => encoded('small', pixels)),
    thumb.then(pixels => encoded('thumb', pixels))
  ])
}

async function fitted(pixels: Pixels, side: number): Promise<Pixels> {
  if (pixels.width <= side && pixels.height <= side) return pixels
  return pixelsOf(toSharp(pixels).resize({ width: side, height: side, fit: 'inside' }))
}

async function encoded(alt: VariantName, pixels: Pixels): Promise<Variant> {
  const { width, height, channels } = pixels
  const image = toSharp(pixels)
  const format =
    channels === 4 ? image.webp({ quality: QUALITY, effort: WEBP_EFFORT }) : image.jpeg({ quality: QUALITY })
  const contentType = channels === 4 ? 'image/webp' : 'image/jpeg'
  return { alt, recipe: recipeOf(alt), contentType, bytes: await format.toBuffer(), width, height }
}
