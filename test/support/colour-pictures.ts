import sharp from 'sharp'
import type { SeededRandom } from './seeded-random.js'

export const COLOURS = ['red', 'green', 'blue'] as const
export type Colour = (typeof COLOURS)[number]

/** @returns a PNG in shades of a colour */
export async function colourPicture(random: SeededRandom, colour: Colour): Promise<Buffer> {
  const side = 16
  const bright = COLOURS.indexOf(colour)
  const pixels = Uint8Array.from({ length: 3 * side * side }, (_, at) =>
    at % 3 === bright ? 200 + random.below(56) : random.below(60)
  )
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer()
}
