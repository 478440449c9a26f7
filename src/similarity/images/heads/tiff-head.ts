/*
 * TIFF: a file of its own, most RAW formats, and the block of EXIF in others.
 *
 *       at  bytes  field
 *        0      2  'II' little-endian, 'MM' big-endian
 *        2      2  42; 0x55 in RW2, 'RO' or 'RS' in ORF
 *        4      4  offset of the first directory
 *
 *   directory: u16 entries · entries of 12 bytes: u16 tag, u16 type, u32 count, u32 value, or its offset if longer than 4
 *
 * Offsets count from the head. Tags of EXIF and GPS stand in directories of their own, and are believed in the first one, too.
 * The chain of further pages is not followed; they are thumbnails and previews.
 */
import { fractionMs, readDate, readOffset } from '../../../domain/date-text.js'
import {
  ByteView,
  DIRECTORIES_MAX,
  ENTRIES_MAX,
  type HeadBytes,
  IPTC_BYTES_MAX,
  SUBDIRECTORIES_MAX,
  TEXT_BYTES_MAX,
  textFrom
} from './head-bytes.js'
import type { HeadFacts, HeadFormat } from './head-facts.js'
import { readIptc } from './iptc.js'
import { readXmpAt } from './xmp.js'

const ENTRY_BYTES = 12
/** Bytes of one value, by type; 0: no type. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4]
const TYPE_SHORT = 3
const TYPE_LONG = 4
const TYPE_RATIONAL = 5
const TYPE_SIGNED_RATIONAL = 10
const TYPE_DIRECTORY = 13

const MAGIC_RW2 = 0x55
const MAGICS = [42, MAGIC_RW2, 0x4f52, 0x5352]

const TAG = {
  subfileType: 0xfe,
  width: 0x100,
  height: 0x101,
  photometric: 0x106,
  make: 0x10f,
  model: 0x110,
  orientation: 0x112,
  modified: 0x132,
  subDirectories: 0x14a,
  xmp: 0x2bc,
  rating: 0x4746,
  exposure: 0x829a,
  fNumber: 0x829d,
  iptc: 0x83bb,
  exif: 0x8769,
  gps: 0x8825,
  iso: 0x8827,
  original: 0x9003,
  digitized: 0x9004,
  offset: 0x9010,
  offsetOriginal: 0x9011,
  offsetDigitized: 0x9012,
  flash: 0x9209,
  focal: 0x920a,
  fraction: 0x9290,
  fractionOriginal: 0x9291,
  fractionDigitized: 0x9292,
  pixelWidth: 0xa002,
  pixelHeight: 0xa003,
  focal35: 0xa405,
  lens: 0xa434,
  dngVersion: 0xc612
} as const

/** In directories of GPS, and, with other meanings, in the first one of RW2. */
const GPS = {
  latitudeRef: 1,
  latitude: 2,
  longitudeRef: 3,
  longitude: 4,
  altitudeRef: 5,
  altitude: 6,
  time: 7,
  date: 29
} as const
const RW2 = { top: 4, left: 5, bottom: 6, right: 7 } as const

/** Colour filter array, and linear: pixels of a sensor. */
const SENSOR_PHOTOMETRICS = [32_803, 34_892]

/** Which RAW a maker's TIFF with the pixels of a sensor is. */
const RAW_OF_MAKERS: readonly (readonly [RegExp, HeadFormat])[] = [
  [/^nikon/i, 'nef'],
  [/^sony/i, 'arw'],
  [/^(pentax|ricoh)/i, 'pef'],
  [/^samsung/i, 'srw']
]

type DirectoryKind = 'first' | 'exif' | 'gps' | 'sub'

interface Directory {
  readonly kind: DirectoryKind
  /** From the head of the TIFF. */
  readonly at: number
}

interface Field {
  readonly type: number
  readonly count: number
  readonly bytes: number
  /** Where its values are in the file. */
  readonly at: number
}

type Fields = ReadonlyMap<number, Field>

/** What a directory says of a picture's size. */
interface PictureSize {
  readonly width: number
  readonly height: number
  readonly isSensor: boolean
  readonly isReduced: boolean
}

/**
 * What a TIFF is there for. `file`: its sizes are those of the picture. `block`: it describes the picture of another format, which
 * has its own size; `unturned`: and its own way to say how it is turned. `gps`: its first directory is one of GPS.
 */
export type TiffRole = 'file' | 'block' | 'unturned' | 'gps'

/**
 * Reads the TIFF at a place of a file.
 *
 * @returns which format it is as a file; undefined when it is no TIFF
 */
export async function readTiff(
  bytes: HeadBytes,
  at: number,
  facts: HeadFacts,
  role: TiffRole = 'block'
): Promise<HeadFormat | undefined> {
  return new TiffReader(bytes, at, facts, role).read()
}

class TiffReader {
  readonly #bytes: HeadBytes
  readonly #start: number
  readonly #facts: HeadFacts
  readonly #role: TiffRole
  #order: 'little' | 'big' = 'big'
  readonly #queue: Directory[] = []
  readonly #seen = new Set<number>()
  readonly #sizes: PictureSize[] = []
  #exifSize: { readonly width: number; readonly height: number } | undefined
  #make = ''
  #isDng = false

  constructor(bytes: HeadBytes, start: number, facts: HeadFacts, role: TiffRole) {
    this.#bytes = bytes
    this.#start = start
    this.#facts = facts
    this.#role = role
  }

  async read(): Promise<HeadFormat | undefined> {
    if (!this.#bytes.takeBlock()) return undefined
    const head = await this.#bytes.read(this.#start, 16)
    const order = head.toString('latin1', 0, 2)
    if (order !== 'II' && order !== 'MM') return undefined
    this.#order = order === 'II' ? 'little' : 'big'
    const view = new ByteView(head, this.#order)
    const magic = view.u16(2)
    if (!MAGICS.includes(magic)) return undefined
    this.#enqueue(this.#role === 'gps' ? 'gps' : 'first', view.u32(4))
    let first: Fields | undefined
    for (let i = 0; i < DIRECTORIES_MAX; i++) {
      const directory = this.#queue.shift()
      if (directory === undefined) break
      const fields = await this.#readDirectory(directory.at)
      if (directory.kind === 'first') first = fields
      await this.#use(directory.kind, fields)
    }
    const isSensor = this.#isDng || this.#sizes.some(size => size.isSensor)
    const format = this.#formatOf(magic, head.toString('latin1', 8, 10) === 'CR', isSensor)
    if (this.#role === 'file') await this.#tellSize(format, first ?? new Map())
    return format
  }

  #enqueue(kind: DirectoryKind, at: number): void {
    if (at === 0 || this.#seen.has(at) || this.#seen.size >= DIRECTORIES_MAX) return
    this.#seen.add(at)
    this.#queue.push({ kind, at })
  }

  async #readDirectory(at: number): Promise<Fields> {
    const fields = new Map<number, Field>()
    const place = this.#start + at
    const count = Math.min(new ByteView(await this.#bytes.read(place, 2), this.#order).u16(0), ENTRIES_MAX)
    const view = new ByteView(await this.#bytes.read(place + 2, count * ENTRY_BYTES), this.#order)
    for (let entry = 0; entry + ENTRY_BYTES <= view.length; entry += ENTRY_BYTES) {
      const tag = view.u16(entry)
      const type = view.u16(entry + 2)
      const values = view.u32(entry + 4)
      const bytes = values * (TYPE_BYTES[type] ?? 0)
      if (bytes === 0 || fields.has(tag)) continue
      const isInline = bytes <= 4
      fields.set(tag, {
        type,
        count: values,
        bytes,
        at: isInline ? place + 2 + entry + 8 : this.#start + view.u32(entry + 8)
      })
    }
    return fields
  }

  async #use(kind: DirectoryKind, fields: Fields): Promise<void> {
    if (kind === 'gps') return this.#useGps(fields)
    await this.#useSize(kind, fields)
    if (kind === 'sub') return
    await this.#useDates(fields)
    await this.#useCamera(fields)
    if (kind === 'exif') return
    if (fields.has(TAG.dngVersion)) this.#isDng = true
    const [orientation, rating] = [await this.#number(fields, TAG.orientation), await this.#number(fields, TAG.rating)]
    if (orientation !== undefined && this.#role !== 'unturned') this.#facts.orientation(orientation)
    if (rating !== undefined) this.#facts.rating(rating)
    for (const at of await this.#directoriesIn(fields, TAG.exif, 1)) this.#enqueue('exif', at)
    for (const at of await this.#directoriesIn(fields, TAG.gps, 1)) this.#enqueue('gps', at)
    for (const at of await this.#directoriesIn(fields, TAG.subDirectories, SUBDIRECTORIES_MAX)) this.#enqueue('sub', at)
    const xmp = fields.get(TAG.xmp)
    if (xmp !== undefined) await readXmpAt(this.#bytes, xmp.at, xmp.bytes, this.#facts)
    const iptc = fields.get(TAG.iptc)
    if (iptc !== undefined && iptc.bytes <= IPTC_BYTES_MAX)
      readIptc(await this.#bytes.read(iptc.at, iptc.bytes), this.#facts)
  }

  async #useSize(kind: DirectoryKind, fields: Fields): Promise<void> {
    const [pixelWidth, pixelHeight] = [
      await this.#number(fields, TAG.pixelWidth),
      await this.#number(fields, TAG.pixelHeight)
    ]
    if (pixelWidth !== undefined && pixelHeight !== undefined)
      this.#exifSize ??= { width: pixelWidth, height: pixelHeight }
    const [width, height] = [await this.#number(fields, TAG.width), await this.#number(fields, TAG.height)]
    if (kind === 'exif' || width === undefined || height === undefined) return
    const isSensor = SENSOR_PHOTOMETRICS.includes((await this.#number(fields, TAG.photometric)) ?? -1)
    const subfileType = (await this.#number(fields, TAG.subfileType)) ?? (kind === 'first' ? 0 : 1)
    this.#sizes.push({ width, height, isSensor, isReduced: (subfileType & 1) === 1 })
  }

  async #useDates(fields: Fields): Promise<void> {
    const dates = [
      ['exif', TAG.original, TAG.offsetOriginal, TAG.fractionOriginal],
      ['digitized', TAG.digitized, TAG.offsetDigitized, TAG.fractionDigitized],
      ['modified', TAG.modified, TAG.offset, TAG.fraction]
    ] as const
    for (const [source, dateTag, offsetTag, fractionTag] of dates) {
      const offsetMinutes = readOffset((await this.#text(fields, offsetTag)) ?? '')
      const date = readDate((await this.#text(fields, dateTag)) ?? '')
      if (source !== 'exif') this.#facts.weakOffset(offsetMinutes)
      if (date === undefined) continue
      const fraction = date.localMs % 1_000 === 0 ? fractionMs(await this.#text(fields, fractionTag)) : 0
      this.#facts.date(source, {
        localMs: date.localMs + fraction,
        offsetMinutes: date.offsetMinutes ?? offsetMinutes,
        precision: date.precision
      })
    }
  }

  async #useCamera(fields: Fields): Promise<void> {
    const make = await this.#text(fields, TAG.make)
    this.#make ||= make ?? ''
    const flash = await this.#number(fields, TAG.flash)
    this.#facts.camera({
      make,
      model: await this.#text(fields, TAG.model),
      lens: await this.#text(fields, TAG.lens),
      focalMm: await this.#positive(fields, TAG.focal),
      focal35Mm: await this.#positive(fields, TAG.focal35),
      fNumber: await this.#positive(fields, TAG.fNumber),
      exposureS: await this.#positive(fields, TAG.exposure),
      iso: await this.#positive(fields, TAG.iso),
      flash: flash === undefined ? undefined : (flash & 1) === 1
    })
  }

  async #useGps(fields: Fields): Promise<void> {
    const degrees = async (tag: number, refTag: number, negative: string): Promise<number | undefined> => {
      const parts = await this.#numbers(fields, tag, 3)
      if (parts.length === 0) return undefined
      const [whole = 0, minutes = 0, seconds = 0] = parts
      const sum = whole + minutes / 60 + seconds / 3_600
      return (await this.#text(fields, refTag))?.toUpperCase().startsWith(negative) ? -sum : sum
    }
    const latitude = await degrees(GPS.latitude, GPS.latitudeRef, 'S')
    const longitude = await degrees(GPS.longitude, GPS.longitudeRef, 'W')
    if (latitude !== undefined && longitude !== undefined) {
      const altitude = await this.#number(fields, GPS.altitude)
      const isBelow = (await this.#number(fields, GPS.altitudeRef)) === 1
      this.#facts.place({ latitude, longitude, altitude: altitude !== undefined && isBelow ? -altitude : altitude })
    }
    const day = readDate((await this.#text(fields, GPS.date)) ?? '')
    const [hours, minutes, seconds] = await this.#numbers(fields, GPS.time, 3)
    if (day?.precision !== 'day' || hours === undefined || minutes === undefined || seconds === undefined) return
    const ms = Math.round(((hours * 60 + minutes) * 60 + seconds) * 1_000)
    const midnight = day.localMs - 43_200_000
    if (ms >= 0 && ms < 86_400_000)
      this.#facts.date('gps', { localMs: midnight + ms, offsetMinutes: 0, precision: 'second' })
  }

  #formatOf(magic: number, isCr2: boolean, isSensor: boolean): HeadFormat {
    if (magic === MAGIC_RW2) return 'rw2'
    if (magic !== 42) return 'orf'
    if (this.#isDng) return 'dng'
    if (isCr2) return 'cr2'
    if (!isSensor) return 'tiff'
    return RAW_OF_MAKERS.find(([maker]) => maker.test(this.#make))?.[1] ?? 'raw'
  }

  /** RAW files hold pictures of many sizes; that of the sensor is the photo's, and what EXIF says when none is marked so. */
  async #tellSize(format: HeadFormat, first: Fields): Promise<void> {
    const isRaw = format !== 'tiff'
    const sensor = this.#sizes.find(size => size.isSensor && !size.isReduced)
    if (sensor !== undefined) this.#facts.size(sensor.width, sensor.height)
    if (isRaw && this.#exifSize !== undefined) this.#facts.size(this.#exifSize.width, this.#exifSize.height)
    if (format === 'rw2') {
      const border = async (tag: number): Promise<number> => (await this.#number(first, tag)) ?? 0
      const width = (await border(RW2.right)) - (await border(RW2.left))
      this.#facts.size(width, (await border(RW2.bottom)) - (await border(RW2.top)))
    }
    const largest = [...this.#sizes].sort((a, b) => b.width * b.height - a.width * a.height)
    const [size] = isRaw ? largest : this.#sizes
    if (size !== undefined) this.#facts.size(size.width, size.height)
  }

  // --- values ---

  /** Of any type of one byte: some write dates as undefined bytes. */
  async #text(fields: Fields, tag: number): Promise<string | undefined> {
    const field = fields.get(tag)
    if (field === undefined || field.bytes !== field.count) return undefined
    return textFrom(await this.#bytes.read(field.at, Math.min(field.bytes, TEXT_BYTES_MAX)))
  }

  async #number(fields: Fields, tag: number): Promise<number | undefined> {
    return (await this.#numbers(fields, tag, 1))[0]
  }

  async #positive(fields: Fields, tag: number): Promise<number | undefined> {
    const value = await this.#number(fields, tag)
    return value !== undefined && value > 0 && value < 2 ** 32 - 1 ? value : undefined
  }

  async #directoriesIn(fields: Fields, tag: number, max: number): Promise<number[]> {
    const type = fields.get(tag)?.type
    return type === TYPE_LONG || type === TYPE_DIRECTORY ? this.#numbers(fields, tag, max) : []
  }

  /** @returns the first values, `max` at most; none when they are no finite numbers */
  async #numbers(fields: Fields, tag: number, max: number): Promise<number[]> {
    const field = fields.get(tag)
    if (field === undefined) return []
    const unit = TYPE_BYTES[field.type] ?? 1
    const view = new ByteView(await this.#bytes.read(field.at, Math.min(field.count, max) * unit), this.#order)
    const numbers = Array.from({ length: Math.floor(view.length / unit) }, (_, i) =>
      valueAt(view, field.type, i * unit)
    )
    return numbers.every(Number.isFinite) ? numbers : []
  }
}

/** @returns NaN for types that are no numbers, and for n/0 */
function valueAt(view: ByteView, type: number, at: number): number {
  switch (type) {
    case 1:
      return view.u8(at)
    case TYPE_SHORT:
      return view.u16(at)
    case TYPE_LONG:
    case TYPE_DIRECTORY:
      return view.u32(at)
    case TYPE_RATIONAL:
      return view.u32(at) / view.u32(at + 4)
    case TYPE_SIGNED_RATIONAL:
      return view.i32(at) / view.i32(at + 4)
    default:
      return Number.NaN
  }
}
