import type { Pixels } from '../pixels.js'
import type { Tile } from './libheif.js'

/** Sums of 8-bit numbers must fit 16 bits. */
const FACTOR_MAX = 16

/**
 * Puts tiles together to a picture whose sides are a whole fraction of theirs: each pixel is the mean of a square. So a large picture
 * is never in memory in full.
 */
export class ShrinkingCanvas {
  readonly #factor: number
  readonly #width: number
  readonly #height: number
  readonly #channels: 3 | 4
  readonly #sums: Uint16Array

  /** @param factor - by which sides are divided, 1…16; what remains of a side is left out */
  constructor(size: { readonly width: number; readonly height: number }, channels: 3 | 4, factor: number) {
    this.#factor = Math.min(factor, FACTOR_MAX)
    this.#width = Math.max(1, Math.floor(size.width / this.#factor))
    this.#height = Math.max(1, Math.floor(size.height / this.#factor))
    this.#channels = channels
    this.#sums = new Uint16Array(this.#width * this.#height * channels)
  }

  /** Adds a tile whose upper left corner is at x, y of the picture. What is outside of it is left out. */
  add({ data, width, height, stride }: Tile, x: number, y: number): void {
    const factor = this.#factor
    const channels = this.#channels
    const sums = this.#sums
    const rows = Math.min(height, this.#height * factor - y)
    const rowBytes = Math.min(width, this.#width * factor - x) * channels
    for (let row = 0; row < rows; row++) {
      let to = (Math.floor((y + row) / factor) * this.#width + Math.floor(x / factor)) * channels
      let left = factor - (x % factor) // pixels that are added to the same sum
      const end = row * stride + rowBytes
      for (let from = row * stride; from < end; from += channels) {
        // this is done for every pixel of a picture, so there is no loop
        sums[to]! += data[from]!
        sums[to + 1]! += data[from + 1]!
        sums[to + 2]! += data[from + 2]!
        if (channels === 4) sums[to + 3]! += data[from + 3]!
        if (--left > 0) continue
        left = factor
        to += channels
      }
    }
  }

  pixels(): Pixels {
    const area = this.#factor ** 2
    const data = Buffer.allocUnsafeSlow(this.#sums.length)
    for (let i = 0; i < data.length; i++) data[i] = (this.#sums[i]! + area / 2) / area
    return { data, width: this.#width, height: this.#height, channels: this.#channels }
  }
}
