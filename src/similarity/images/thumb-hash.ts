/*
 * ThumbHash, by Evan Wallace: a picture in 5 to 25 bytes, to be shown while one waits for it. Averages and a few cosine
 * coefficients of luminance and two colour differences, and of alpha where there is any. Pages decode it with code that is public.
 *
 *   u24  6 bits average of luminance · 6, 6 of both differences · 5 scale of luminance · 1 has alpha
 *   u16  3 bits coefficients of luminance along the shorter side · 6, 6 scales of the differences · 1 is wider than high
 *   u8   with alpha only: 4 bits average · 4 scale
 *   4 bits for each coefficient
 *
 * Many a coefficient is next to zero, in the middle between two values: products and quotients are taken in the order in which
 * the published code takes them, so that the last bit, and with it the hash, is the same.
 */
import { type Pixels, toSharp } from './pixels.js'

/** A blur needs no more. */
const SIDE = 32

/** Its coefficients are in the range of 0 to 1. */
interface Channel {
  readonly average: number
  readonly scale: number
  readonly coefficients: readonly number[]
}

/** @returns 5 to 25 bytes */
export async function thumbHash(pixels: Pixels): Promise<Uint8Array> {
  const { data, info } = await toSharp(pixels)
    .resize(SIDE, SIDE, { fit: 'inside' })
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  return hashOf(info.width, info.height, data)
}

/** @param rgba - of a picture whose sides are 100 pixels at most, alpha not premultiplied */
export function hashOf(width: number, height: number, rgba: Uint8Array): Uint8Array {
  const { l, p, q, a } = channelsOf(width * height, rgba)
  const hasAlpha = a.some(alpha => alpha < 1)
  const longest = Math.max(width, height)
  const most = hasAlpha ? 5 : 7
  const [across, down] = [width, height].map(side => Math.max(1, Math.round((most * side) / longest))) as [
    number,
    number
  ]
  const encode = (channel: Float64Array, nx: number, ny: number): Channel => transform(channel, width, height, nx, ny)
  const luminance = encode(l, Math.max(3, across), Math.max(3, down))
  const [yellowBlue, redGreen] = [encode(p, 3, 3), encode(q, 3, 3)]
  const alpha = hasAlpha ? [encode(a, 5, 5)] : []
  const isWide = width > height
  const first =
    Math.round(63 * luminance.average) |
    (Math.round(31.5 + 31.5 * yellowBlue.average) << 6) |
    (Math.round(31.5 + 31.5 * redGreen.average) << 12) |
    (Math.round(31 * luminance.scale) << 18) |
    (Number(hasAlpha) << 23)
  const second =
    (isWide ? down : across) |
    (Math.round(63 * yellowBlue.scale) << 3) |
    (Math.round(63 * redGreen.scale) << 9) |
    (Number(isWide) << 15)
  const head = [first & 255, (first >> 8) & 255, first >> 16, second & 255, second >> 8]
  const opacity = alpha.map(({ average, scale }) => Math.round(15 * average) | (Math.round(15 * scale) << 4))
  const coefficients = [luminance, yellowBlue, redGreen, ...alpha].flatMap(channel => channel.coefficients)
  return Uint8Array.from([...head, ...opacity, ...inHalfBytes(coefficients)])
}

interface Channels {
  /** Luminance, and the differences of yellow and blue, and of red and green. */
  readonly l: Float64Array
  readonly p: Float64Array
  readonly q: Float64Array
  readonly a: Float64Array
}

/** @returns the channels of the picture on its average colour */
function channelsOf(count: number, rgba: Uint8Array): Channels {
  const at = (pixel: number, channel: number): number => rgba[4 * pixel + channel] ?? 0
  const sums = [0, 0, 0]
  let opacity = 0
  for (let i = 0; i < count; i++) {
    const alpha = at(i, 3) / 255
    opacity += alpha
    for (let c = 0; c < 3; c++) sums[c]! += (alpha / 255) * at(i, c)
  }
  const mean = sums.map(sum => (opacity > 0 ? sum / opacity : 0))
  const [l, p, q, a] = Array.from({ length: 4 }, () => new Float64Array(count)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array
  ]
  for (let i = 0; i < count; i++) {
    const alpha = at(i, 3) / 255
    const [r, g, b] = mean.map((value, c) => value * (1 - alpha) + (alpha / 255) * at(i, c)) as [number, number, number]
    l[i] = (r + g + b) / 3
    p[i] = (r + g) / 2 - b
    q[i] = r - g
    a[i] = alpha
  }
  return { l, p, q, a }
}

/** The lowest frequencies, from a triangle of them. */
function transform(channel: Float64Array, width: number, height: number, nx: number, ny: number): Channel {
  let average = 0
  const found: number[] = []
  for (let cy = 0; cy < ny; cy++) {
    for (let cx = 0; cx * ny < nx * (ny - cy); cx++) {
      let sum = 0
      for (let y = 0; y < height; y++) {
        const fy = Math.cos((Math.PI / height) * cy * (y + 0.5))
        for (let x = 0; x < width; x++)
          sum += channel[x + y * width]! * Math.cos((Math.PI / width) * cx * (x + 0.5)) * fy
      }
      if (cx === 0 && cy === 0) average = sum / (width * height)
      else found.push(sum / (width * height))
    }
  }
  const scale = Math.max(0, ...found.map(Math.abs))
  return { average, scale, coefficients: scale > 0 ? found.map(value => 0.5 + (0.5 / scale) * value) : found }
}

function inHalfBytes(values: readonly number[]): number[] {
  const halves = values.map(value => Math.round(15 * value))
  return Array.from(
    { length: Math.ceil(halves.length / 2) },
    (_, i) => halves[2 * i]! | ((halves[2 * i + 1] ?? 0) << 4)
  )
}
