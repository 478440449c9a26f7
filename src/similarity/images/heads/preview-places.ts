import type { HeadBytes } from './head-bytes.js'
import type { PreviewPlace } from './head-facts.js'
import { frameOf } from './jpeg-head.js'

/** Of those that are kept. */
const PREVIEWS_MAX = 4

/**
 * Looks at the places where previews are said to be. A lossless JPEG is no preview: RAW formats keep the pixels of the sensor in
 * them.
 *
 * @returns those that are there, the largest first
 */
export async function findPreviews(
  bytes: HeadBytes,
  places: readonly { readonly at: number; readonly length: number }[]
): Promise<PreviewPlace[]> {
  const found: PreviewPlace[] = []
  for (const { at, length } of places) {
    if (at + length > bytes.size) continue
    const frame = await frameOf(bytes, at)
    if (frame !== undefined) found.push({ at, length, ...frame })
  }
  return found.sort((a, b) => b.width * b.height - a.width * a.height).slice(0, PREVIEWS_MAX)
}
