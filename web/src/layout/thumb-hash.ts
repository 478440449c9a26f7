/*
 * ThumbHash by Evan Wallace, decoded: a blurred picture out of 5 to 25 bytes. A cosine transform of luminance (L), two colour
 * differences (P, Q) and perhaps alpha (A); https://evanw.github.io/thumbhash/. The encoder is
 * src/similarity/images/thumb-hash.ts.
 */
export interface BlurredPicture {
  readonly width: number
  readonly height: number
  /** 4 bytes a pixel, row by row. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>
}

const HASH_BYTES_MIN = 5
const HASH_BYTES_MAX = 25
const EDGE_PX = 32

/** @returns undefined for what is no ThumbHash */
export function decodeThumbHash(hash: Uint8Array): BlurredPicture | undefined {
  if (hash.length < HASH_BYTES_MIN || hash.length > HASH_BYTES_MAX) return undefined
  const byte = (i: number): number => hash[i] ?? 0
  const head = headOf(hash)
  const tail = byte(3) | (byte(4) << 8)
  const hasAlpha = head >> 23 !== 0
  const isLandscape = tail >> 15 !== 0
  const lx = Math.max(3, isLandscape ? (hasAlpha ? 5 : 7) : tail & 7)
  const ly = Math.max(3, isLandscape ? tail & 7 : hasAlpha ? 5 : 7)
  const mean = { ...meanOf(head), a: hasAlpha ? (byte(5) & 15) / 15 : 1 }
  let nibble = 0
  const start = hasAlpha ? 6 : 5
  const channel = (nx: number, ny: number, scale: number): number[] => {
    const terms: number[] = []
    for (let cy = 0; cy < ny; cy++)
      for (let cx = cy > 0 ? 0 : 1; cx * ny < nx * (ny - cy); cx++) {
        terms.push((((byte(start + (nibble >> 1)) >> ((nibble & 1) << 2)) & 15) / 7.5 - 1) * scale)
        nibble++
      }
    return terms
  }
  const l = channel(lx, ly, ((head >> 18) & 31) / 31)
  const p = channel(3, 3, (((tail >> 3) & 63) / 63) * 1.25)
  const q = channel(3, 3, (((tail >> 9) & 63) / 63) * 1.25)
  const a = hasAlpha ? channel(5, 5, (byte(5) >> 4) / 15) : []

  const ratio = lx / ly
  const width = Math.round(ratio > 1 ? EDGE_PX : EDGE_PX * ratio)
  const height = Math.round(ratio > 1 ? EDGE_PX / ratio : EDGE_PX)
  const termsX = cosines(width, Math.max(lx, hasAlpha ? 5 : 3))
  const termsY = cosines(height, Math.max(ly, hasAlpha ? 5 : 3))
  const rgba = new Uint8ClampedArray(width * height * 4)
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i += 4) {
      const fx = termsX[x] as readonly number[]
      const fy = termsY[y] as readonly number[]
      const light = mean.l + sum(l, lx, ly, fx, fy)
      const yellow = mean.p + sum(p, 3, 3, fx, fy)
      const purple = mean.q + sum(q, 3, 3, fx, fy)
      const [red, green, blue] = rgbOf(light, yellow, purple)
      rgba[i] = red
      rgba[i + 1] = green
      rgba[i + 2] = blue
      rgba[i + 3] = (mean.a + sum(a, 5, 5, fx, fy)) * 255
    }
  return { width, height, rgba }
}

/** @returns the colour of the whole picture, for CSS; it costs next to nothing. Of what is no ThumbHash, any */
export function meanColour(hash: Uint8Array): string {
  const { l, p, q } = meanOf(headOf(hash))
  return `rgb(${new Uint8ClampedArray(rgbOf(l, p, q))})`
}

function headOf(hash: Uint8Array): number {
  return (hash[0] ?? 0) | ((hash[1] ?? 0) << 8) | ((hash[2] ?? 0) << 16)
}

function meanOf(head: number): { readonly l: number; readonly p: number; readonly q: number } {
  return { l: (head & 63) / 63, p: ((head >> 6) & 63) / 31.5 - 1, q: ((head >> 12) & 63) / 31.5 - 1 }
}

/** @returns red, green, blue, 0 to 255 and perhaps beyond */
function rgbOf(l: number, p: number, q: number): [number, number, number] {
  const blue = l - (2 / 3) * p
  const red = (3 * l - blue + q) / 2
  return [red * 255, (red - q) * 255, blue * 255]
}

function cosines(length: number, terms: number): number[][] {
  return Array.from({ length }, (_, at) =>
    Array.from({ length: terms }, (__, term) => Math.cos((Math.PI / length) * (at + 0.5) * term))
  )
}

function sum(terms: readonly number[], nx: number, ny: number, fx: readonly number[], fy: readonly number[]): number {
  if (terms.length === 0) return 0
  let total = 0
  for (let cy = 0, j = 0; cy < ny; cy++) {
    const doubled = (fy[cy] as number) * 2
    for (let cx = cy > 0 ? 0 : 1; cx * ny < nx * (ny - cy); cx++, j++)
      total += (terms[j] as number) * (fx[cx] as number) * doubled
  }
  return total
}
