/*
 * WebP: 'RIFF' · u32 length · 'WEBP', then chunks: 4 letters · u32 length · data, padded to even; little-endian.
 *
 *   VP8X  u32 flags · u24 width − 1 · u24 height − 1
 *   VP8   3 bytes of frame tag · 9d 01 2a · u16 width · u16 height, of each the lower 14 bits
 *   VP8L  2f · u32 with 14 bits of width − 1, 14 bits of height − 1
 *   EXIF  as in JPEG, with or without its name before it
 *   XMP   a packet
 */
import { ByteView, type HeadBytes, PARTS_MAX } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'
import { readTiff } from './tiff-head.js'
import { readXmpAt } from './xmp.js'

const HEAD_BYTES = 8

export function isWebp(start: Buffer): boolean {
  return start.toString('latin1', 0, 4) === 'RIFF' && start.toString('latin1', 8, 12) === 'WEBP'
}

export async function readWebp(bytes: HeadBytes, facts: HeadFacts): Promise<void> {
  let at = 12
  for (let i = 0; i < PARTS_MAX; i++) {
    const head = new ByteView(await bytes.read(at, HEAD_BYTES), 'little')
    if (head.length < HEAD_BYTES) return
    const type = head.latin1(0, 4)
    const length = head.u32(4)
    const dataAt = at + HEAD_BYTES
    if (type === 'EXIF') {
      const isNamed = (await bytes.read(dataAt, 6)).toString('latin1') === 'Exif\0\0'
      await readTiff(bytes, dataAt + (isNamed ? 6 : 0), facts)
    } else if (type === 'XMP ') await readXmpAt(bytes, dataAt, length, facts)
    else tellSize(type, new ByteView(await bytes.read(dataAt, 10), 'little'), facts)
    at = dataAt + length + (length % 2)
  }
}

function tellSize(type: string, data: ByteView, facts: HeadFacts): void {
  const u24 = (at: number): number => data.u16(at) + data.u8(at + 2) * 2 ** 16
  if (type === 'VP8X' && data.length >= 10) facts.size(u24(4) + 1, u24(7) + 1)
  else if (type === 'VP8 ' && data.u8(3) === 0x9d) facts.size(data.u16(6) & 0x3fff, data.u16(8) & 0x3fff)
  else if (type === 'VP8L' && data.u8(0) === 0x2f && data.length >= 5) {
    const bits = data.u32(1)
    facts.size((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1)
  }
}
