import sharp from 'sharp'
import { SheafError } from '../../../core/errors.js'
import { sourceOf } from '../heads/head-bytes.js'
import { readHead } from '../heads/read-head.js'
import { type Pixels, pixelsOf, toSharp, upright, withoutIdleAlpha } from '../pixels.js'
import { HeifPicture, type Tiling } from './libheif.js'
import { rgbOf } from './planes.js'
import { FACTOR_MAX, ShrinkingCanvas } from './shrinking-canvas.js'

const MEGA = 1_000_000
/** A tile is decoded at once, with 7.3 bytes a pixel; a picture may be one tile. */
const TILE_PIXELS_MAX = 64 * MEGA
/** Of a picture in small tiles: it takes time, but no memory. */
const PIXELS_MAX = 300 * MEGA
const SMALL_TILE_PIXELS_MAX = 4 * MEGA
/** As libheif bounds it. */
const TILES_MAX = 1_000
/** The side that is wanted may be missed by as much: halves of 4,032 do for 2,048. */
const SIDE_SHARE_MIN = 0.95
/** Of Display P3 in H.273. */
const PRIMARIES_P3 = 12

export interface HeicPicture {
  /** Upright, in sRGB. */
  readonly pixels: Pixels
  /** Of the whole picture, upright. */
  readonly width: number
  readonly height: number
}

/**
 * Decodes a HEIC, tile by tile.
 *
 * @param side - the longest side that is wanted; the result may be larger, or smaller by a twentieth
 * @throws `ERR_IMAGE_UNREADABLE`, `ERR_IMAGE_TOO_LARGE`, `ERR_ANALYST_UNAVAILABLE` when the library cannot be loaded
 */
export async function decodeHeic(bytes: Buffer, side: number): Promise<HeicPicture> {
  const orientation = (await readHead(sourceOf(bytes), { latestMs: 0, name: '' }))?.orientation ?? 1
  const picture = await HeifPicture.open(bytes)
  const { tiling } = picture
  requireDecodable(tiling)
  const factor = Math.max(1, Math.floor(Math.max(tiling.width, tiling.height) / (SIDE_SHARE_MIN * side)))
  const stored = decodeShrunk(picture, Math.min(factor, FACTOR_MAX))
  const profile = picture.profile() ?? (picture.primaries() === PRIMARIES_P3 ? await displayP3() : undefined)
  const pixels = await withoutIdleAlpha(profile === undefined ? stored : await inSrgb(stored, profile))
  const isTurned = orientation > 4
  return {
    pixels: await upright(pixels, orientation),
    width: isTurned ? tiling.height : tiling.width,
    height: isTurned ? tiling.width : tiling.height
  }
}

/** @param factor - by which sides are divided */
function decodeShrunk(picture: HeifPicture, factor: number): Pixels {
  const { tileWidth, tileHeight } = picture.tiling
  const isHalved = [factor, tileWidth, tileHeight].every(number => number % 2 === 0)
  return (picture.isPlanar && isHalved ? decodePlanes(picture, factor) : undefined) ?? decodeColours(picture, factor)
}

/**
 * Colours are converted after shrinking: there are fewer of them then, and half as many numbers to add up.
 *
 * @param factor - even, so that colour differences, of half the sides, are shrunk by whole numbers as well
 * @returns undefined when what the planes mean is not known here
 */
function decodePlanes(picture: HeifPicture, factor: number): Pixels | undefined {
  const size = shrunkSize(picture.tiling, factor)
  const canvases = [factor, factor / 2, factor / 2].map(by => new ShrinkingCanvas(size, 1, by))
  const [luminance, blueness, redness] = canvases as [ShrinkingCanvas, ShrinkingCanvas, ShrinkingCanvas]
  for (const { column, row, x, y } of tilesOf(picture.tiling)) {
    const isUsual = picture.decodePlanes(column, row, planes => {
      luminance.add(planes[0], x, y)
      blueness.add(planes[1], x / 2, y / 2)
      redness.add(planes[2], x / 2, y / 2)
    })
    if (!isUsual) return undefined
  }
  const planes = { luminance: luminance.means(), blueness: blueness.means(), redness: redness.means() }
  return { ...size, channels: 3, data: rgbOf(planes) }
}

function decodeColours(picture: HeifPicture, factor: number): Pixels {
  const { tiling, channels } = picture
  const size = shrunkSize(tiling, factor)
  const canvas = new ShrinkingCanvas(size, channels, factor)
  for (const { column, row, x, y } of tilesOf(tiling)) picture.decodeTile(column, row, tile => canvas.add(tile, x, y))
  return { ...size, channels, data: canvas.means() }
}

/** What remains of a side is left out. */
function shrunkSize({ width, height }: Tiling, factor: number): { readonly width: number; readonly height: number } {
  return { width: Math.max(1, Math.floor(width / factor)), height: Math.max(1, Math.floor(height / factor)) }
}

function* tilesOf({ columns, rows, tileWidth, tileHeight }: Tiling): Generator<{
  readonly column: number
  readonly row: number
  /** Of its upper left corner in the picture. */
  readonly x: number
  readonly y: number
}> {
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) yield { column, row, x: column * tileWidth, y: row * tileHeight }
}

function requireDecodable({ columns, rows, tileWidth, tileHeight, width, height }: Tiling): void {
  const tilePixels = tileWidth * tileHeight
  const pixelsMax = tilePixels <= SMALL_TILE_PIXELS_MAX ? PIXELS_MAX : TILE_PIXELS_MAX
  if (width * height > pixelsMax || tilePixels > TILE_PIXELS_MAX || columns * rows > TILES_MAX) {
    throw new SheafError(
      'ERR_IMAGE_TOO_LARGE',
      `the image has ${width}×${height} pixels in ${columns}×${rows} tiles, more than the maximum of ${pixelsMax} for HEIC`
    )
  }
}

/** Pixels alone have no profile: they get the head of a file that has one. */
async function inSrgb(pixels: Pixels, profile: Buffer): Promise<Pixels> {
  return pixelsOf(sharp(tiffOf(pixels, profile)))
}

let p3: Promise<Buffer | undefined> | undefined

/** @returns the profile that the decoder brings along */
function displayP3(): Promise<Buffer | undefined> {
  const pixel: Pixels = { data: Buffer.alloc(3), width: 1, height: 1, channels: 3 }
  p3 ??= toSharp(pixel)
    .withIccProfile('p3')
    .png()
    .toBuffer()
    .then(async png => (await sharp(png).metadata()).icc)
  return p3
}

const TAG_BYTES = 12

/** @returns an uncompressed TIFF, little-endian: head · directory · bits of each channel · profile · pixels */
function tiffOf({ data, width, height, channels }: Pixels, profile: Buffer): Buffer {
  const directoryAt = 8
  const tagCount = channels === 4 ? 11 : 10
  const bitsAt = directoryAt + 2 + tagCount * TAG_BYTES + 4
  const profileAt = bitsAt + 2 * channels
  const pixelsAt = profileAt + profile.length
  const head = Buffer.alloc(profileAt)
  head.write('II*\0', 'latin1')
  head.writeUInt32LE(directoryAt, 4)
  head.writeUInt16LE(tagCount, directoryAt)
  let at = directoryAt + 2
  const [SHORT, LONG, UNDEFINED] = [3, 4, 7]
  const put = (tag: number, type: number, count: number, value: number): void => {
    head.writeUInt16LE(tag, at)
    head.writeUInt16LE(type, at + 2)
    head.writeUInt32LE(count, at + 4)
    head.writeUInt32LE(value, at + 8)
    at += TAG_BYTES
  }
  put(0x100, LONG, 1, width)
  put(0x101, LONG, 1, height)
  put(0x102, SHORT, channels, bitsAt)
  put(0x103, SHORT, 1, 1)
  put(0x106, SHORT, 1, 2)
  put(0x111, LONG, 1, pixelsAt)
  put(0x115, SHORT, 1, channels)
  put(0x116, LONG, 1, height)
  put(0x117, LONG, 1, data.length)
  if (channels === 4) put(0x152, SHORT, 1, 2)
  put(0x8773, UNDEFINED, profile.length, profileAt)
  for (let i = 0; i < channels; i++) head.writeUInt16LE(8, bitsAt + 2 * i)
  return Buffer.concat([head, profile, data])
}
