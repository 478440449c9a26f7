/*
 * JPEG: 'ff d8', then segments up to the pixels.
 *
 *   segment: ff… · u8 marker · u16 length of what follows, itself included, big-endian · data
 *
 * APP1 holds EXIF or XMP, APP13 the resources of Photoshop, SOF0–15 (without the three that are none) the size.
 */
import { ByteView, type HeadBytes, PARTS_MAX } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'
import { readPhotoshop } from './iptc.js'
import { readTiff } from './tiff-head.js'
import { readXmpAt } from './xmp.js'

const EXIF = 'Exif\0'
const XMP = 'http://ns.adobe.com/xap/1.0/\0'
const PHOTOSHOP = 'Photoshop 3.0\0'
/** Two more bytes than EXIF's name are its padding. */
const EXIF_BYTES = 6

const APP1 = 0xe1
const APP13 = 0xed
const START_OF_SCAN = 0xda
const END_OF_IMAGE = 0xd9
/** Of the frames that decoders take; those behind it are lossless, or in steps. */
const LAST_COMMON_FRAME = 0xc2
const FRAMES_BUT = [0xc4, 0xc8, 0xcc]

export function isJpeg(start: Buffer): boolean {
  return start[0] === 0xff && start[1] === 0xd8 && start[2] === 0xff
}

/** @param start - where the picture begins in the file */
export async function readJpeg(bytes: HeadBytes, start: number, facts: HeadFacts): Promise<void> {
  let at = start + 2
  for (let i = 0; i < PARTS_MAX; i++) {
    const segment = await nextSegment(bytes, at)
    if (segment === undefined || segment.marker === START_OF_SCAN || segment.marker === END_OF_IMAGE) return
    const { marker, dataAt, length } = segment
    at = dataAt + length
    if (isFrame(marker)) {
      const frame = new ByteView(await bytes.read(dataAt, 5))
      facts.size(frame.u16(3), frame.u16(1))
    } else if (marker === APP1 || marker === APP13) {
      const name = (await bytes.read(dataAt, Math.min(length, XMP.length))).toString('latin1')
      if (marker === APP1 && name.startsWith(EXIF)) await readTiff(bytes, dataAt + EXIF_BYTES, facts)
      else if (marker === APP1 && name === XMP) await readXmpAt(bytes, dataAt + XMP.length, length - XMP.length, facts)
      else if (marker === APP13 && name.startsWith(PHOTOSHOP)) {
        readPhotoshop(await bytes.read(dataAt + PHOTOSHOP.length, length - PHOTOSHOP.length), facts)
      }
    }
  }
}

/**
 * @returns the size of the JPEG at a place, as stored; undefined when there is none that is decoded: baseline, extended or
 * progressive
 */
export async function frameOf(
  bytes: HeadBytes,
  start: number
): Promise<{ readonly width: number; readonly height: number } | undefined> {
  if (!isJpeg(await bytes.read(start, 3))) return undefined
  let at = start + 2
  for (let i = 0; i < PARTS_MAX; i++) {
    const segment = await nextSegment(bytes, at)
    if (segment === undefined || segment.marker === START_OF_SCAN || segment.marker === END_OF_IMAGE) return undefined
    const { marker, dataAt, length } = segment
    if (isFrame(marker)) {
      const frame = new ByteView(await bytes.read(dataAt, 5))
      const [width, height] = [frame.u16(3), frame.u16(1)]
      return marker <= LAST_COMMON_FRAME && width > 0 && height > 0 ? { width, height } : undefined
    }
    at = dataAt + length
  }
  return undefined
}

/** @returns the segment at or after `at`: bytes between segments are passed over, as decoders do */
async function nextSegment(
  bytes: HeadBytes,
  at: number
): Promise<{ readonly marker: number; readonly dataAt: number; readonly length: number } | undefined> {
  const view = await bytes.read(at, 64)
  let position = view.indexOf(0xff)
  if (position === -1) return undefined
  while (view[position] === 0xff) position++
  const marker = view[position]
  if (marker === undefined || marker === 0) return undefined
  const isAlone = (marker >= 0xd0 && marker <= 0xd9) || marker === 0x01
  const dataAt = at + position + (isAlone ? 1 : 3)
  if (isAlone) return { marker, dataAt, length: 0 }
  const length = new ByteView(await bytes.read(at + position + 1, 2)).u16(0)
  return length < 2 ? undefined : { marker, dataAt, length: length - 2 }
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && !FRAMES_BUT.includes(marker)
}
