/** Sums of 8-bit numbers must fit 16 bits. */
export const FACTOR_MAX = 16

/** A part of a picture, or of one of its planes. */
export interface Tile {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
  /** Bytes from one row to the next. */
  readonly stride: number
}

/**
 * Puts tiles together to a picture whose sides are a whole fraction of theirs: each pixel is the mean of a square. So a large picture
 * is never in memory in full.
 */
export class ShrinkingCanvas {
  readonly #factor: number
  readonly #width: number
  readonly #height: number
  readonly #channels: 1 | 3 | 4
  readonly #sums: Uint16Array

  /**
   * @param size - of the result; what else there is of the tiles is left out
   * @param factor - by which sides are divided, 1…{@link FACTOR_MAX}
   */
  constructor(size: { readonly width: number; readonly height: number }, channels: 1 | 3 | 4, factor: number) {
    this.#factor = factor
    this.#width = size.width
    this.#height = size.height
    this.#channels = channels
    this.#sums = new Uint16Array(this.#width * this.#height * channels)
  }

  /** Adds a tile whose upper left corner is at x, y of the picture. What is outside of it is left out. */
  add({ data, width, height, stride }: Tile, x: number, y: number): void {
    const factor = this.#factor
    const channels = this.#channels
    const rows = Math.min(height, this.#height * factor - y)
    const columns = Math.min(width, this.#width * factor - x)
    const addRow = channels === 1 ? addNumbers : addColours
    for (let row = 0; row < rows; row++) {
      const to = (Math.floor((y + row) / factor) * this.#width + Math.floor(x / factor)) * channels
      const from = row * stride
      addRow(this.#sums, to, data, from, from + columns * channels, factor, x % factor, channels)
    }
  }

  /** Ends the canvas. @returns the numbers of each pixel, row by row, in the memory where the sums were */
  means(): Buffer {
    const sums = this.#sums
    const count = sums.length
    const area = this.#factor ** 2
    const half = area >> 1
    const means = Buffer.from(sums.buffer, 0, count)
    for (let i = 0; i < count; i++) means[i] = (sums[i]! + half) / area
    return means
  }
}

// What follows is done for every pixel of a picture: numbers are gathered before they are added to a sum.

/** @param phase - how many of the first sum's numbers were added before */
function addNumbers(
  sums: Uint16Array,
  first: number,
  data: Uint8Array,
  start: number,
  end: number,
  factor: number,
  phase: number
): void {
  let to = first
  let left = factor - phase
  for (let from = start; from < end; left = factor) {
    let sum = 0
    for (const stop = Math.min(from + left, end); from < stop; from++) sum += data[from]!
    sums[to++]! += sum
  }
}

function addColours(
  sums: Uint16Array,
  first: number,
  data: Uint8Array,
  start: number,
  end: number,
  factor: number,
  phase: number,
  channels: number
): void {
  let to = first
  let left = (factor - phase) * channels
  for (let from = start; from < end; left = factor * channels) {
    let [red, green, blue, alpha] = [0, 0, 0, 0]
    for (const stop = Math.min(from + left, end); from < stop; from += channels) {
      red += data[from]!
      green += data[from + 1]!
      blue += data[from + 2]!
      if (channels === 4) alpha += data[from + 3]!
    }
    sums[to]! += red
    sums[to + 1]! += green
    sums[to + 2]! += blue
    if (channels === 4) sums[to + 3]! += alpha
    to += channels
  }
}
