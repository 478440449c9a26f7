/*
 * The movie behind a picture, as telephones write it ("motion photo"). Where it is, is said
 *
 *   in XMP        Container:Directory, items in the order of the file; of each the Mime, Semantic, Length and Padding. The last one
 *                 ends with the file. Before that GCamera:MicroVideoOffset: so many bytes from the end of the file
 *   in a HEIC     box 'mpvd' behind the pixels
 *   by Samsung    in a trailer, little-endian; offsets are counted back from its directory
 *
 *   trailer    … · u16 0 · u16 type · u32 length of the name · name · data · … · directory · u32 its length · 'SEFT'
 *   directory  'SEFH' · u32 version · u32 count · for each: u16 0 · u16 type · u32 how far back it begins · u32 length
 *
 * Programs that take the movie away leave what is said of it, so only a place where a movie begins is believed.
 */
import { MOTION_TYPES, type Motion } from '../../../domain/photo-facts.js'
import { ByteView, type HeadBytes, TRAILER_BYTES_MAX, TRAILER_ENTRIES_MAX } from './head-bytes.js'
import type { HeadFacts, Span } from './head-facts.js'

const TRAILER_END = 'SEFT'
const TRAILER_HEAD = 'SEFH'
const TRAILER_END_BYTES = 8
const ENTRY_BYTES = 12
/** Before the name of an entry. */
const ENTRY_HEAD_BYTES = 8
/** Of 'MotionPhoto_Data'. */
const TYPE_MOTION = 0x0a30

/** Length and 'ftyp', which is where movies begin, and the brand. */
const START_BYTES = 12
const QUICKTIME = 'qt  '
const [MP4, MOV] = MOTION_TYPES

/** One of the items that XMP lists, as its text says it. */
export interface ContainerItem {
  mime: string
  semantic: string
  length: string
  padding: string
}

/**
 * @param items - in the order of the file
 * @param size - of the file
 * @returns where the movie may be
 */
export function placesInContainer(items: readonly ContainerItem[], size: number): Span[] {
  const index = items.findIndex(({ mime, semantic }) => semantic === 'MotionPhoto' || mime.startsWith('video/'))
  const length = countOf(items[index]?.length)
  if (length === undefined) return []
  const behind = items.slice(index + 1).reduce((sum, item) => sum + (countOf(item.length) ?? 0), 0)
  const at = size - behind - length
  // padding is what stands before the movie, or, as some write it, behind it
  const padding = countOf(items[index]?.padding) ?? 0
  return (padding === 0 ? [at] : [at, at - padding]).map(place => ({ at: place, length }))
}

/** @param offset - from the end, as its text says it */
export function placeFromEnd(offset: string, size: number): Span[] {
  const length = countOf(offset)
  return length === undefined ? [] : [{ at: size - length, length }]
}

function countOf(text = ''): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** Looks for the trailer of Samsung. */
export async function readTrailer(bytes: HeadBytes, facts: HeadFacts): Promise<void> {
  const endAt = bytes.size - TRAILER_END_BYTES
  const end = new ByteView(await bytes.read(endAt, TRAILER_END_BYTES), 'little')
  const length = end.u32(0)
  if (end.latin1(4, 4) !== TRAILER_END || length > TRAILER_BYTES_MAX || length > endAt) return
  const at = endAt - length
  const directory = new ByteView(await bytes.read(at, length), 'little')
  if (directory.latin1(0, 4) !== TRAILER_HEAD) return
  const count = Math.min(directory.u32(8), TRAILER_ENTRIES_MAX)
  for (let i = 0; i < count; i++) {
    const entryAt = 12 + i * ENTRY_BYTES
    if (directory.u16(entryAt + 2) !== TYPE_MOTION) continue
    const from = at - directory.u32(entryAt + 4)
    const head = new ByteView(await bytes.read(from, ENTRY_HEAD_BYTES), 'little')
    const headBytes = ENTRY_HEAD_BYTES + head.u32(4)
    facts.motion({ at: from + headBytes, length: directory.u32(entryAt + 8) - headBytes })
  }
}

/** @returns the first of the places where a movie begins */
export async function findMotion(bytes: HeadBytes, places: readonly Span[]): Promise<Motion | undefined> {
  for (const { at, length } of places) {
    if (length < START_BYTES || at + length > bytes.size) continue
    const start = await bytes.read(at, START_BYTES)
    if (start.toString('latin1', 4, 8) !== 'ftyp') continue
    return { at, length, contentType: start.toString('latin1', 8, START_BYTES) === QUICKTIME ? MOV : MP4 }
  }
  return undefined
}
