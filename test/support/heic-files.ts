import { box, fullBox, u16, u32 } from './head-files.js'

/*
 * Writes HEIC files around a few tiles that x265 has encoded. All tiles of a grid may share the bytes of one.
 */

export interface CodedTile {
  readonly side: number
  /** The data of its box hvcC. */
  readonly coding: Buffer
  readonly data: Buffer
}

const base64 = (text: string): Buffer => Buffer.from(text, 'base64')
const CODING_64 =
  'AQNwAAAAAAAAAAAAHvAA/P34+AAADwMgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQCEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgQEDAgAAAMACAAAAwAIQCIAAQAHRAHBcrAiQA=='

/** #3366cc. */
export const FLAT_64: CodedTile = {
  side: 64,
  coding: base64(CODING_64),
  data: base64('AAAAGCgBrxOA5TPAn//lMor/vP9X/WPytUPU+A==')
}
/** #3366cc. */
export const FLAT_512: CodedTile = {
  side: 512,
  coding: base64(
    'AQNwAAAAAAAAAAAAWvAA/P34+AAADwMgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAWroCQCEAAQAsQgEBA3AAAAMAkAAAAwAAAwBaoAQCAIBZbqSSmubgQEDAgAAAAwCAAAADAIQiAAEAB0QBwXKwYkA='
  ),
  data: base64(
    'AAAA2CgBrxMQallhhZVS5TPAn//lMor/vP9X/WPytUPRV3dJu78cjwbioAADzAAGKAAwgAAAAwL+ouR4NxUAACEAADFAAYQAAAMAAAMAAAMADliTAAC2AARYAAADAAADAAADAAADAAADAHhAhwAAAwAAAwAAAwAAAwAAAwAAAwAAAwBlQAAAAwAAAwAAAwAAAwAAAwAAAwAAAwFvAAADAAADAAADAAADAAADAAADAABKwAAAAwAAAwAAAwAAAwAAAwAAAwADMgAAAwAAAwAAAwAAAwAAAwAAAwAL6A=='
  )
}
/** From the upper left: red, green, blue, yellow. */
export const FOUR_COLOURS_64: CodedTile = {
  side: 64,
  coding: base64(CODING_64),
  data: base64('AAAAOCgBrxOA5TPAn//l4o//awzw+4AYqlb6bxv/LhL/9QmQR/+vmEj8E6d/4hr9d//Ak7f4Xcw+R6qA')
}

/** The same colours, of 16…235 and by the matrix of BT.709, as its stream says. */
export const FOUR_COLOURS_709_64: CodedTile = {
  side: 64,
  coding: base64(
    'AQFgAAAAkAAAAAAAHvAA/P34+AAADwOgAAEAGEABDAH//wFgAAADAJAAAAMAAAMAHpWYCaEAAQArQgEBAWAAAAMAkAAAAwAAAwAeoCCBBZZWaSTK8BagICAggAAAAwCAAAAMhKIAAQAHRAHBcrQiQA=='
  ),
  data: base64('AAAAMSgBrxeA5qlj//fl5/6RTD6Kyfp55+Ut/Lc9/zGRw/8TZceL1b/JFBDObcN/bbI63N4=')
}

/** @returns the picture of a HEIC that holds nothing else, to be a tile */
export function tileIn(heic: Buffer, side: number): CodedTile {
  const dataOf = (type: string): Buffer => {
    const at = heic.indexOf(type, 0, 'latin1')
    return heic.subarray(at + 4, at - 4 + heic.readUInt32BE(at - 4))
  }
  return { side, coding: dataOf('hvcC'), data: dataOf('mdat') }
}

export interface HeicParts {
  readonly tile: CodedTile
  /** Default: one, and no grid. */
  readonly columns?: number
  readonly rows?: number
  /** Of the grid, or said of the tile. Default: all of it. */
  readonly width?: number
  readonly height?: number
  /** In the order in which they are applied. */
  readonly turns?: readonly ({ readonly irot: number } | { readonly imir: number })[]
  readonly profile?: Buffer
  /** Of H.273. */
  readonly primaries?: number
  /** Of H.273; default: 6. Counts only with primaries. */
  readonly matrix?: number
  /** A picture before the primary one. */
  readonly first?: CodedTile
  /**
   * A gain map, and an item 'tmap' that is made of the picture and of it: an alternative to the picture. The group of both begins
   * with the better one.
   */
  readonly gainMap?: CodedTile
}

const NOTHING = Buffer.alloc(0)
/** How a picture is toned by its gain map: version, flags, and numbers that do not matter here. */
const TONES = Buffer.alloc(62)

export function heicFile({ tile, columns = 1, rows = 1, first, gainMap, turns = [], ...parts }: HeicParts): Buffer {
  const { width = columns * tile.side, height = rows * tile.side } = parts
  const isGrid = columns * rows > 1
  const tiles = Array.from({ length: columns * rows }, (_, i) => i + 1)
  const [grid, other, map, toned] = [1, 2, 3, 4].map(i => tiles.length + i) as [number, number, number, number]
  const primary = isGrid ? grid : 1
  const layout = Buffer.concat([Buffer.of(0, 1, rows - 1, columns - 1), u32(width), u32(height)])
  const ispe = (w: number, h: number): Buffer => fullBox('ispe', 0, u32(w), u32(h))
  const properties = [
    box('hvcC', tile.coding),
    isGrid ? ispe(tile.side, tile.side) : ispe(width, height),
    ispe(width, height),
    box('hvcC', (first ?? tile).coding),
    ispe((first ?? tile).side, (first ?? tile).side),
    ...turns.map(turn => ('irot' in turn ? box('irot', Buffer.of(turn.irot)) : box('imir', Buffer.of(turn.imir)))),
    ...(parts.profile ? [box('colr', 'prof', parts.profile)] : []),
    ...(parts.primaries === undefined
      ? []
      : [box('colr', 'nclx', u16(parts.primaries), u16(13), u16(parts.matrix ?? 6), Buffer.of(0x80))])
  ]
  const shown = Array.from({ length: properties.length - 5 }, (_, i) => 0x80 | (6 + i))
  const owns = (id: number, ...indexes: readonly number[]): Buffer =>
    Buffer.concat([u16(id), Buffer.of(indexes.length, ...indexes)])
  const associations = [
    ...tiles.map(id => owns(id, 0x81, 0x82, ...(isGrid ? [] : shown))),
    ...(isGrid ? [owns(grid, 0x83, ...shown)] : []),
    ...(first ? [owns(other, 0x84, 0x85)] : []),
    ...(gainMap ? [owns(map, 0x81, 0x82), owns(toned, 0x83)] : [])
  ]
  const infe = (id: number, type: string, flags = 0): Buffer =>
    box('infe', Buffer.of(2, 0, 0, flags), u16(id), u16(0), type, '\0')
  const infes = [
    ...(first ? [infe(other, 'hvc1')] : []),
    ...tiles.map(id => infe(id, 'hvc1', isGrid ? 1 : 0)),
    ...(isGrid ? [infe(grid, 'grid')] : []),
    ...(gainMap ? [infe(map, 'hvc1', 1), infe(toned, 'tmap')] : [])
  ]
  const references = [
    ...(isGrid ? [box('dimg', u16(grid), u16(tiles.length), ...tiles.map(u16))] : []),
    ...(gainMap ? [box('dimg', u16(toned), u16(2), u16(primary), u16(map))] : [])
  ]
  const blobs = [tile.data, layout, first?.data ?? NOTHING, gainMap?.data ?? NOTHING, gainMap ? TONES : NOTHING]
  const metaOf = (from: number): Buffer => {
    const place = (id: number, at: number, length: number): Buffer =>
      Buffer.concat([u16(id), u16(0), u16(0), u16(1), u32(at), u32(length)])
    const at = (blob: number): number => blobs.slice(0, blob).reduce((sum, { length }) => sum + length, from)
    const places = [
      ...tiles.map(id => place(id, from, tile.data.length)),
      ...(isGrid ? [place(grid, at(1), layout.length)] : []),
      ...(first ? [place(other, at(2), first.data.length)] : []),
      ...(gainMap ? [place(map, at(3), gainMap.data.length), place(toned, at(4), TONES.length)] : [])
    ]
    return fullBox(
      'meta',
      0,
      fullBox('hdlr', 0, u32(0), 'pict', Buffer.alloc(13)),
      fullBox('pitm', 0, u16(primary)),
      fullBox('iloc', 1, Buffer.of(0x44, 0), u16(places.length), ...places),
      fullBox('iinf', 0, u16(infes.length), ...infes),
      ...(references.length > 0 ? [fullBox('iref', 0, ...references)] : []),
      box('iprp', box('ipco', ...properties), fullBox('ipma', 0, u32(associations.length), ...associations)),
      ...(gainMap ? [box('grpl', fullBox('altr', 0, u32(1_000), u32(2), u32(toned), u32(primary)))] : [])
    )
  }
  const ftyp = box('ftyp', 'heic', u32(0), 'mif1', 'heic')
  const from = ftyp.length + metaOf(0).length + 8
  return Buffer.concat([ftyp, metaOf(from), box('mdat', ...blobs)])
}
