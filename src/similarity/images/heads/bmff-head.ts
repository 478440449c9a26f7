/*
 * ISO base media files: HEIC, AVIF, CR3, MP4, MOV. The first box is 'ftyp' with the brand,
 * except in old ones of QuickTime.
 */
import { boxesOf } from './boxes.js'
import { noteUuidPreview } from './cr3-previews.js'
import { type HeadBytes, META_BYTES_MAX } from './head-bytes.js'
import type { HeadFacts, HeadFormat } from './head-facts.js'
import { readHeif } from './heif-head.js'
import { readMovie } from './movie-head.js'

/** QuickTime files of before brands begin with one of these. */
const FIRST_BOXES = ['ftyp', 'moov', 'wide', 'mdat', 'free', 'skip']

export function isBmff(start: Buffer): boolean {
  return FIRST_BOXES.includes(start.toString('latin1', 4, 8))
}

export async function readBmff(bytes: HeadBytes, facts: HeadFacts): Promise<HeadFormat | undefined> {
  let brand = 'qt  '
  let format: HeadFormat | undefined
  for await (const box of boxesOf(bytes, 0, bytes.size)) {
    const { type, at, end } = box
    if (isStill(format)) {
      // behind the pixels there may be a movie
      if (type === 'mpvd') facts.motion({ at, length: end - at })
      continue
    }
    if (type === 'ftyp') brand = (await bytes.read(at, 4)).toString('latin1')
    else if (type === 'meta' && end - at <= META_BYTES_MAX) format = (await readHeif(bytes, at, end, facts)) ?? format
    else if (type === 'moov') {
      format ??= brand === 'crx ' ? 'cr3' : brand === 'qt  ' ? 'mov' : 'mp4'
      await readMovie(bytes, at, end, facts, format === 'cr3')
    } else if (type === 'uuid' && format === 'cr3') await noteUuidPreview(bytes, box, facts)
    // the pixels are last
    if (format !== undefined && !isStill(format) && (format !== 'cr3' || type === 'mdat')) return format
  }
  return format ?? formatOfBrand(brand)
}

function isStill(format: HeadFormat | undefined): boolean {
  return format === 'heic' || format === 'heif' || format === 'avif'
}

/** Of a file that ends before anything is said of the picture. */
function formatOfBrand(brand: string): HeadFormat {
  if (/^(hei[cxms]|hev[cxms])$/.test(brand)) return 'heic'
  if (/^avi[fs]$/.test(brand)) return 'avif'
  if (/^m[is]f1$/.test(brand)) return 'heif'
  if (brand === 'crx ') return 'cr3'
  return brand === 'qt  ' ? 'mov' : 'mp4'
}
