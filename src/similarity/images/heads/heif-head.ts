/*
 * The box 'meta' of a HEIF (HEIC, AVIF): items, one of them the picture, with properties.
 *
 *   pitm  which item is the picture
 *   iinf  infe: the type of each item; 'Exif' and 'mime' (XMP) are read
 *   iloc  where the items are, in the file or in the box 'idat'
 *   iprp  ipco: properties (ispe: size, irot: turns, imir: mirror, hvcC or av1C: coding); ipma: which item has which
 *
 * The picture is turned by irot and imir alone: EXIF repeats what they say. All loops are over entries within the box's bytes, and
 * at most ITEMS_MAX of them.
 */
import { type Box, boxesIn, boxIn } from './boxes.js'
import { ByteView, type HeadBytes, ITEMS_MAX } from './head-bytes.js'
import type { HeadFacts, HeadFormat } from './head-facts.js'
import { readTiff } from './tiff-head.js'
import { readXmpAt } from './xmp.js'

/** A full box begins with its version and flags. */
const FULL_HEAD_BYTES = 4

interface Item {
  readonly at: number
  readonly length: number
}

/**
 * @param at - of the box's data
 * @returns undefined when the box is not that of a picture
 */
export async function readHeif(
  bytes: HeadBytes,
  at: number,
  end: number,
  facts: HeadFacts
): Promise<HeadFormat | undefined> {
  const view = new ByteView(await bytes.read(at, end - at))
  const boxes = new Map(boxesIn(view, FULL_HEAD_BYTES, view.length).map(box => [box.type, box]))
  const pitm = boxes.get('pitm')
  const iprp = boxes.get('iprp')
  if (pitm === undefined || iprp === undefined) return undefined
  const primary = view.u8(pitm.at) === 0 ? view.u16(pitm.at + FULL_HEAD_BYTES) : view.u32(pitm.at + FULL_HEAD_BYTES)
  const format = readProperties(view, iprp, primary, facts)
  const kinds = itemKinds(view, boxes.get('iinf'))
  const idat = boxes.get('idat')
  const places = itemPlaces(
    view,
    boxes.get('iloc'),
    idat === undefined ? undefined : at + idat.at,
    new Set(kinds.keys())
  )
  for (const [id, kind] of kinds) {
    const item = places.get(id)
    if (item === undefined) continue
    if (kind === 'Exif') {
      const skipped = new ByteView(await bytes.read(item.at, 4)).u32(0)
      await readTiff(bytes, item.at + 4 + skipped, facts, 'unturned')
    } else await readXmpAt(bytes, item.at, item.length, facts)
  }
  return format
}

function readProperties(view: ByteView, iprp: Box, primary: number, facts: HeadFacts): HeadFormat {
  const inner = boxesIn(view, iprp.at, iprp.end)
  const ipco = inner.find(({ type }) => type === 'ipco')
  const properties = ipco === undefined ? [] : boxesIn(view, ipco.at, ipco.end)
  let turn = UPRIGHT
  for (const ipma of inner.filter(({ type }) => type === 'ipma')) {
    for (const index of propertiesOf(view, ipma, primary)) {
      const property = properties[index - 1]
      if (property?.type === 'ispe') facts.size(view.u32(property.at + 4), view.u32(property.at + 8))
      if (property?.type === 'irot') turn = rotated(turn, view.u8(property.at) & 3)
      if (property?.type === 'imir') turn = mirrored(turn, (view.u8(property.at) & 1) === 1)
    }
  }
  facts.orientation(orientationOf(turn))
  const types = new Set(properties.map(({ type }) => type))
  return types.has('hvcC') ? 'heic' : types.has('av1C') ? 'avif' : 'heif'
}

/** How a picture is turned: quarters anticlockwise, and then mirrored from left to right. */
interface Turn {
  readonly quarters: number
  readonly isMirrored: boolean
}

const UPRIGHT: Turn = { quarters: 0, isMirrored: false }
/** As in EXIF, by quarters: without a mirror, and with one. */
const ORIENTATIONS = [
  [1, 8, 3, 6],
  [2, 7, 4, 5]
] as const

/** A mirror turns round what follows it. */
function rotated({ quarters, isMirrored }: Turn, by: number): Turn {
  return { quarters: (quarters + (isMirrored ? 4 - by : by)) % 4, isMirrored }
}

/** From top to bottom is from left to right and half a turn. */
function mirrored({ quarters, isMirrored }: Turn, isLeftToRight: boolean): Turn {
  return { quarters: (quarters + (isLeftToRight ? 0 : 2)) % 4, isMirrored: !isMirrored }
}

function orientationOf({ quarters, isMirrored }: Turn): number {
  return ORIENTATIONS[isMirrored ? 1 : 0]?.[quarters] ?? 1
}

/** @returns numbers of the properties of an item, from 1 */
function propertiesOf(view: ByteView, { at, end }: Box, item: number): number[] {
  const isLongId = view.u8(at) >= 1
  const isLongIndex = (view.u8(at + 3) & 1) === 1
  const count = Math.min(view.u32(at + FULL_HEAD_BYTES), ITEMS_MAX)
  let position = at + FULL_HEAD_BYTES + 4
  for (let i = 0; i < count && position < end; i++) {
    const id = isLongId ? view.u32(position) : view.u16(position)
    position += isLongId ? 4 : 2
    const associations = view.u8(position++)
    const unit = isLongIndex ? 2 : 1
    if (id === item) {
      return Array.from({ length: associations }, (_, n) =>
        isLongIndex ? view.u16(position + n * unit) & 0x7fff : view.u8(position + n * unit) & 0x7f
      )
    }
    position += associations * unit
  }
  return []
}

/** @returns the items that say something of the picture */
function itemKinds(view: ByteView, iinf: Box | undefined): Map<number, 'Exif' | 'mime'> {
  const kinds = new Map<number, 'Exif' | 'mime'>()
  if (iinf === undefined) return kinds
  const countBytes = view.u8(iinf.at) === 0 ? 2 : 4
  let at = iinf.at + FULL_HEAD_BYTES + countBytes
  for (let i = 0; i < ITEMS_MAX; i++) {
    const infe = boxIn(view, at, iinf.end)
    if (infe === undefined) break
    const version = view.u8(infe.at)
    const idBytes = version === 2 ? 2 : 4
    const id = idBytes === 2 ? view.u16(infe.at + 4) : view.u32(infe.at + 4)
    const type = version < 2 ? '' : view.latin1(infe.at + 4 + idBytes + 2, 4)
    // of the items with a media type only XMP is of this one
    const isXmp = type === 'mime' && view.latin1(infe.at, infe.end - infe.at).includes('application/rdf+xml\0')
    if (type === 'Exif' || isXmp) kinds.set(id, type)
    at = infe.end
  }
  return kinds
}

/** @returns the first extent of the wanted items, in the file */
function itemPlaces(
  view: ByteView,
  iloc: Box | undefined,
  idatAt: number | undefined,
  wanted: ReadonlySet<number>
): Map<number, Item> {
  const places = new Map<number, Item>()
  if (iloc === undefined) return places
  const version = view.u8(iloc.at)
  let at = iloc.at + FULL_HEAD_BYTES
  const [offsetBytes, lengthBytes] = [view.u8(at) >> 4, view.u8(at) & 15]
  const [baseBytes, indexBytes] = [view.u8(at + 1) >> 4, version === 0 ? 0 : view.u8(at + 1) & 15]
  at += 2
  const number = (bytes: number): number => {
    const value = bytes === 8 ? view.u64(at) : bytes === 4 ? view.u32(at) : bytes === 2 ? view.u16(at) : 0
    at += bytes
    return value
  }
  const count = Math.min(number(version < 2 ? 2 : 4), ITEMS_MAX)
  for (let i = 0; i < count && at < iloc.end; i++) {
    const id = number(version < 2 ? 2 : 4)
    const method = version === 0 ? 0 : number(2) & 15
    number(2) // where its data is: this file
    const base = number(baseBytes)
    const extents = number(2)
    const [offset, length] = [at + indexBytes, at + indexBytes + offsetBytes]
    const next = at + extents * (indexBytes + offsetBytes + lengthBytes)
    if (wanted.has(id) && extents > 0 && (method === 0 || (method === 1 && idatAt !== undefined))) {
      at = offset
      const place = base + number(offsetBytes) + (method === 1 ? (idatAt ?? 0) : 0)
      at = length
      places.set(id, { at: place, length: number(lengthBytes) })
    }
    at = next
  }
  return places
}
