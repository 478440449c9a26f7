/*
 * RAF of Fujifilm, big-endian.
 *
 *       at  bytes  field
 *        0     16  'FUJIFILMCCD-RAW '
 *       84      4  offset of a JPEG, whose EXIF is that of the photo
 *       88      4  its length
 *       92      4  offset of a directory: u32 entries · u16 tag · u16 length · data; 0x111: u16 height, u16 width
 */
import { ByteView, ENTRIES_MAX, type HeadBytes } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'
import { isJpeg, readJpeg } from './jpeg-head.js'

const MAGIC = 'FUJIFILMCCD-RAW'
const DIRECTORY_BYTES_MAX = 4_096
const TAG_SIZE = 0x111

export function isRaf(start: Buffer): boolean {
  return start.toString('latin1', 0, MAGIC.length) === MAGIC
}

export async function readRaf(bytes: HeadBytes, facts: HeadFacts): Promise<void> {
  const head = new ByteView(await bytes.read(84, 12))
  const directory = new ByteView(await bytes.read(head.u32(8), DIRECTORY_BYTES_MAX))
  let at = 4
  for (let i = Math.min(directory.u32(0), ENTRIES_MAX); i > 0 && at < directory.length; i--) {
    if (directory.u16(at) === TAG_SIZE) facts.size(directory.u16(at + 6), directory.u16(at + 4))
    at += 4 + directory.u16(at + 2)
  }
  const jpegAt = head.u32(0)
  facts.preview(jpegAt, head.u32(4))
  // the size of the preview stands in where the directory has none
  if (jpegAt > 0 && isJpeg(await bytes.read(jpegAt, 3))) await readJpeg(bytes, jpegAt, facts)
}
