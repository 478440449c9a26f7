import type { Metadata } from 'sharp'
import { SheafError } from '../../core/errors.js'

/** What decoding one picture may take, as estimated from its head. */
const DECODED_BYTES_MAX = 600_000_000

/** Only the first frame is analyzed, but the library scans all of them when it opens a file. */
const FRAMES_MAX = 5_000

const MEGA = 1_000_000

interface Cost {
  /** As people call the format. */
  readonly name: string
  /** Memory that a pixel takes while it is decoded; 0: rows come one after the other. */
  readonly pixelBytes: number
  /** Where time counts, or what a row takes. */
  readonly pixelsMax: number
}

/**
 * Refuses what would take too much, from what its head claims: before anything is decoded. Files of a kilobyte can have 64 million
 * pixels, so it counts what the decoder of the format takes for each. Figures: test/bench/decoding.ts.
 *
 * @throws `ERR_IMAGE_TOO_LARGE`
 */
export function requireDecodable(metadata: Metadata): void {
  const { width, height, pages = 1 } = metadata
  const { name, pixelBytes, pixelsMax } = costOf(metadata)
  const most = Math.min(pixelsMax, Math.floor(DECODED_BYTES_MAX / pixelBytes))
  if (width * height > most) {
    throw new SheafError(
      'ERR_IMAGE_TOO_LARGE',
      `the image has ${width}×${height} pixels, more than the maximum of ${most} for ${name}`
    )
  }
  if (pages > FRAMES_MAX)
    throw new SheafError('ERR_IMAGE_TOO_LARGE', `the image has ${pages} frames, more than the maximum of ${FRAMES_MAX}`)
}

function costOf(metadata: Metadata): Cost {
  const { format, channels, isProgressive = false } = metadata
  const isDeep = metadata.depth !== 'uchar'
  switch (format) {
    case 'jpeg':
      return isProgressive
        ? { name: 'progressive JPEG', pixelBytes: 2 * coefficientsOf(metadata), pixelsMax: 120 * MEGA }
        : { name: 'JPEG', pixelBytes: 0, pixelsMax: 65_535 ** 2 }
    case 'png':
      return isProgressive
        ? { name: 'interlaced PNG', pixelBytes: 1 + channels * (isDeep ? 2 : 1), pixelsMax: 120 * MEGA }
        : { name: 'PNG', pixelBytes: 1, pixelsMax: 200 * MEGA }
    case 'gif':
      return { name: 'GIF', pixelBytes: 5, pixelsMax: 100 * MEGA }
    case 'heif':
      return isDeep
        ? { name: 'AVIF of more than 8 bits', pixelBytes: 26, pixelsMax: 22 * MEGA }
        : { name: 'AVIF', pixelBytes: 18, pixelsMax: 32 * MEGA }
    default:
      return { name: format.toUpperCase(), pixelBytes: 1, pixelsMax: 200 * MEGA }
  }
}

/** @returns the numbers that a progressive JPEG keeps of a pixel until the last pass, of 2 bytes each */
function coefficientsOf({ channels, chromaSubsampling }: Metadata): number {
  return chromaSubsampling === '4:2:0' ? 1.5 : channels
}
