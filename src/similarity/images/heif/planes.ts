/*
 * Colours as video has them: luminance, and how far blue and red are from it, by the matrix of BT.601 in full range (number 6 of
 * H.273), as in a JPEG. They are linear in red, green and blue, so a picture may be shrunk first.
 */

/** 128 is no difference. */
export interface Planes {
  readonly luminance: Uint8Array
  readonly blueness: Uint8Array
  readonly redness: Uint8Array
}

/** Fractions are counted in parts of 2¹⁶. */
const BITS = 16
const HALF = 1 << (BITS - 1)

const RED_OF_REDNESS = partsOf(1.402)
const GREEN_OF_BLUENESS = partsOf(-0.344136)
const GREEN_OF_REDNESS = partsOf(-0.714136)
const BLUE_OF_BLUENESS = partsOf(1.772)

/** @returns red, green and blue of each pixel */
export function rgbOf({ luminance, blueness, redness }: Planes): Buffer {
  const count = luminance.length
  const rgb = Buffer.allocUnsafeSlow(3 * count)
  for (let i = 0, to = 0; i < count; i++, to += 3) {
    const grey = (luminance[i]! << BITS) + HALF
    const blue = blueness[i]!
    const red = redness[i]!
    rgb[to] = toByte((grey + RED_OF_REDNESS[red]!) >> BITS)
    rgb[to + 1] = toByte((grey + GREEN_OF_BLUENESS[blue]! + GREEN_OF_REDNESS[red]!) >> BITS)
    rgb[to + 2] = toByte((grey + BLUE_OF_BLUENESS[blue]!) >> BITS)
  }
  return rgb
}

/** @returns the share of each difference in a colour */
function partsOf(factor: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, number) => Math.round(factor * (number - 128) * 2 ** BITS))
}

/** Three times as fast as an array that bounds its numbers itself. */
function toByte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value
}
