import { crc32 } from '@node-rs/crc32'
import sharp, { type Sharp } from 'sharp'
import type { Pixels } from '../../src/similarity/images/pixels.js'
import { SeededRandom } from './seeded-random.js'

/** A picture as a camera might see it: a few soft spots of colour on a slope, the same for the same seed. No two sides alike. */
export function scene(seed: number, width = 96, height = 64): Pixels {
  const random = new SeededRandom(seed)
  const spots = Array.from({ length: 12 }, () => ({
    x: random.fraction(),
    y: random.fraction(),
    radius: 0.05 + 0.2 * random.fraction(),
    colour: Array.from({ length: 3 }, () => 400 * (random.fraction() - 0.5))
  }))
  const data = Buffer.alloc(width * height * 3)
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [x, y] = [column / width, row / height]
      const weights = spots.map(spot => Math.exp(-(((x - spot.x) ** 2 + (y - spot.y) ** 2) / spot.radius ** 2)))
      for (let channel = 0; channel < 3; channel++) {
        const light = spots.reduce((sum, { colour }, i) => sum + colour[channel]! * weights[i]!, 60 + 80 * x + 50 * y)
        data[(row * width + column) * 3 + channel] = Math.max(0, Math.min(255, Math.round(light)))
      }
    }
  }
  return { data, width, height, channels: 3 }
}

export function toImage({ data, width, height, channels }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels } })
}

/** Where row and column of a stored picture are shown, by the EXIF standard's "0th row is …, 0th column is …". */
const SHOWN_AT: readonly ((row: number, column: number, right: number, bottom: number) => [x: number, y: number])[] = [
  (row, column) => [column, row],
  (row, column, right) => [right - column, row],
  (row, column, right, bottom) => [right - column, bottom - row],
  (row, column, _, bottom) => [column, bottom - row],
  (row, column) => [row, column],
  (row, column, right) => [right - row, column],
  (row, column, right, bottom) => [right - row, bottom - column],
  (row, column, _, bottom) => [row, bottom - column]
]

/** @returns how a camera held so that it writes `orientation` (1…8) stores what is upright like this */
export function storedAs(orientation: number, upright: Pixels): Pixels {
  const { data, width, height, channels } = upright
  const turned = orientation > 4
  const [storedWidth, storedHeight] = turned ? [height, width] : [width, height]
  const stored = Buffer.alloc(data.length)
  for (let row = 0; row < storedHeight; row++) {
    for (let column = 0; column < storedWidth; column++) {
      const [x, y] = SHOWN_AT[orientation - 1]!(row, column, width - 1, height - 1)
      data.copy(
        stored,
        (row * storedWidth + column) * channels,
        (y * width + x) * channels,
        (y * width + x + 1) * channels
      )
    }
  }
  return { data: stored, width: storedWidth, height: storedHeight, channels }
}

/** @returns a PNG whose head claims this size, with next to no data behind it */
export async function claimedPng(width: number, height: number): Promise<Buffer> {
  const png = await toImage(scene(1, 8, 8))
    .png()
    .toBuffer()
  png.writeUInt32BE(width, 16)
  png.writeUInt32BE(height, 20)
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
  return png
}

/** @returns an AVIF whose head claims this size, with next to no data behind it */
export async function claimedAvif(width: number, height: number, bitdepth: 8 | 10 = 8): Promise<Buffer> {
  const avif = await toImage(scene(1, 64, 64))
    .avif({ bitdepth, effort: 0 })
    .toBuffer()
  const size = avif.indexOf('ispe') + 8
  avif.writeUInt32BE(width, size)
  avif.writeUInt32BE(height, size + 4)
  return avif
}

/** @returns a GIF that repeats one frame */
export async function gifOf(frames: number): Promise<Buffer> {
  const gif = await toImage(scene(1, 16, 16))
    .gif({ colours: 4 })
    .toBuffer()
  const tableBytes = (gif[10]! & 0x80) === 0 ? 0 : 3 * 2 ** ((gif[10]! & 7) + 1)
  const head = gif.subarray(0, 13 + tableBytes)
  const frame = gif.subarray(head.length, -1)
  return Buffer.concat([head, ...Array.from({ length: frames }, () => frame), gif.subarray(-1)])
}
