/*
 * PNG: a signature of 8 bytes, then chunks: u32 length · 4 letters · data · u32 CRC-32, big-endian. IHDR begins with width and
 * height. EXIF is in eXIf, XMP in iTXt with the keyword 'XML:com.adobe.xmp', the last change in tIME (UTC). Programs of
 * before eXIf put EXIF and IPTC as hex digits into a text, 'Raw profile type …'. Checksums are not verified: what matters is checked
 * as it is read.
 */
import { inflateSync } from 'node:zlib'
import { ByteView, HeadBytes, PARTS_MAX, PIXEL_CHUNKS_MAX, sourceOf, XMP_BYTES_MAX } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'
import { readTiff } from './tiff-head.js'
import { readXmp } from './xmp.js'

const SIGNATURE = '\x89PNG\r\n\x1a\n'
const XMP_KEYWORD = 'XML:com.adobe.xmp'
const RAW_PROFILE = /^Raw profile type (exif|app1)$/i
const HEAD_BYTES = 8
const CRC_BYTES = 4

export function isPng(start: Buffer): boolean {
  return start.toString('latin1', 0, SIGNATURE.length) === SIGNATURE
}

export async function readPng(bytes: HeadBytes, facts: HeadFacts): Promise<void> {
  let at = SIGNATURE.length
  let pixelChunks = 0
  for (let i = 0; i < PARTS_MAX && pixelChunks < PIXEL_CHUNKS_MAX; i++) {
    const head = new ByteView(await bytes.read(at, HEAD_BYTES))
    if (head.length < HEAD_BYTES) return
    const length = head.u32(0)
    const type = head.latin1(4, 4)
    const dataAt = at + HEAD_BYTES
    if (pixelChunks > 0 || type === 'IDAT') pixelChunks++
    if (type === 'IEND') return
    if (type === 'IHDR') {
      const sizes = new ByteView(await bytes.read(dataAt, 8))
      facts.size(sizes.u32(0), sizes.u32(4))
    } else if (type === 'eXIf') await readTiff(bytes, dataAt, facts)
    else if (type === 'tIME') tellChange(new ByteView(await bytes.read(dataAt, 7)), facts)
    else if ((type === 'iTXt' || type === 'tEXt' || type === 'zTXt') && length <= XMP_BYTES_MAX) {
      await readText(bytes, type, await bytes.read(dataAt, length), facts)
    }
    at = dataAt + length + CRC_BYTES
  }
}

function tellChange(time: ByteView, facts: HeadFacts): void {
  if (time.length < 7) return
  const two = (at: number): string => String(time.u8(at)).padStart(2, '0')
  facts.date('modified', `${time.u16(0)}:${two(2)}:${two(3)} ${two(4)}:${two(5)}:${two(6)}Z`)
}

/**
 *   tEXt  keyword 0 text
 *   zTXt  keyword 0 · u8 0 · deflated text
 *   iTXt  keyword 0 · u8 whether deflated · u8 0 · language 0 · translated keyword 0 · text
 */
async function readText(
  bytes: HeadBytes,
  type: 'iTXt' | 'tEXt' | 'zTXt',
  data: Buffer,
  facts: HeadFacts
): Promise<void> {
  const keywordEnd = data.indexOf(0)
  if (keywordEnd < 1 || keywordEnd > 79) return
  const keyword = data.toString('latin1', 0, keywordEnd)
  if (type === 'iTXt') {
    if (keyword !== XMP_KEYWORD || !bytes.takeBlock()) return
    const language = data.indexOf(0, keywordEnd + 3)
    const text = language === -1 ? -1 : data.indexOf(0, language + 1)
    if (text === -1) return
    const packet = data[keywordEnd + 1] === 1 ? inflated(data.subarray(text + 1)) : data.subarray(text + 1)
    if (packet !== undefined) readXmp(packet, facts)
  } else if (RAW_PROFILE.test(keyword) && bytes.takeBlock()) {
    const text = type === 'zTXt' ? inflated(data.subarray(keywordEnd + 2)) : data.subarray(keywordEnd + 1)
    const block = text && profileIn(text.toString('latin1'))
    if (block !== undefined) await readTiff(new HeadBytes(sourceOf(block)), 0, facts)
  }
}

/** @returns the block that a raw profile holds: '\n' name '\n' length '\n' hex digits in lines */
function profileIn(text: string): Buffer | undefined {
  const head = /^\s{0,8}\w{1,16}\s{1,16}\d{1,8}\s/.exec(text.slice(0, 64))?.[0]
  if (head === undefined) return undefined
  const block = Buffer.from(text.slice(head.length).replace(/\s+/g, ''), 'hex') // up to the first that is no digit
  return block.toString('latin1', 0, 6) === 'Exif\0\0' ? block.subarray(6) : block
}

/** @returns undefined when the data is damaged, or more than what is read of a text */
function inflated(data: Buffer): Buffer | undefined {
  try {
    return inflateSync(data, { maxOutputLength: 2 * XMP_BYTES_MAX })
  } catch {
    return undefined // a damaged text says nothing
  }
}
