import sharp, { type Sharp } from 'sharp'

/** 8-bit sRGB. */
export interface Pixels {
  readonly data: Buffer
  readonly width: number
  readonly height: number
  /** 4: with alpha, not premultiplied. */
  readonly channels: 3 | 4
}

/** @returns the pixels as input to further operations */
export function toSharp({ data, width, height, channels }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels } })
}

export async function pixelsOf(image: Sharp): Promise<Pixels> {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: info.channels === 4 ? 4 : 3 }
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

/** Without an alpha channel through which nothing is seen. */
export async function withoutIdleAlpha(pixels: Pixels): Promise<Pixels> {
  return pixels.channels === 4 && isOpaque(pixels.data) ? pixelsOf(toSharp(pixels).removeAlpha()) : pixels
}

function isOpaque(data: Buffer): boolean {
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] !== 255) return false
  }
  return true
}

/** By orientation from 1: clockwise, and then mirrored from left to right. */
const TURNS: readonly (readonly [degrees: number, mirrored: boolean])[] = [
  [0, false],
  [0, true],
  [180, false],
  [180, true],
  [90, true],
  [90, false],
  [270, true],
  [270, false]
]

/**
 * @param orientation - as in EXIF, 1…8; anything else counts as upright
 * @returns stored pixels as they are shown
 */
export async function upright(pixels: Pixels, orientation: number | undefined): Promise<Pixels> {
  const [degrees, mirrored] = TURNS[(orientation ?? 1) - 1] ?? [0, false]
  const turned = degrees === 0 ? pixels : await pixelsOf(toSharp(pixels).rotate(degrees))
  return mirrored ? pixelsOf(toSharp(turned).flop()) : turned
}
