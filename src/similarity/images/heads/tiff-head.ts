/*
 * TIFF: a file of its own, most RAW formats, and the block of EXIF in others.
 *
 *       at  bytes  field
 *        0      2  'II' little-endian, 'MM' big-endian
 *        2      2  42; 0x55 in RW2, 'RO' or 'RS' in ORF
 *        4      4  offset of the first directory (tiff-directory.ts)
 *
 * Tags of EXIF and GPS stand in directories of their own, and are believed in the first one, too. Of further pages only previews are
 * of use (tiff-previews.ts).
 */
import { fractionMs, readDate, readOffset } from '../../../domain/date-text.js'
import { readAppleNote } from './apple-note.js'
import { ByteView, DIRECTORIES_MAX, type HeadBytes, IPTC_BYTES_MAX, SUBDIRECTORIES_MAX } from './head-bytes.js'
import type { HeadFacts, HeadFormat } from './head-facts.js'
import { readIptc } from './iptc.js'
import { type ByteOrder, TiffDirectory } from './tiff-directory.js'
import { noteMakersPreviews, notePreviews, noteRw2Preview } from './tiff-previews.js'
import { readXmpAt } from './xmp.js'

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
  makerNote: 0x927c,
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

/** `page`: one behind the first. */
type DirectoryKind = 'first' | 'exif' | 'gps' | 'sub' | 'page'

interface DirectoryPlace {
  readonly kind: DirectoryKind
  /** From the head of the TIFF. */
  readonly at: number
}

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
  #order: ByteOrder = 'big'
  readonly #queue: DirectoryPlace[] = []
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
    let first: TiffDirectory | undefined
    for (let i = 0; i < DIRECTORIES_MAX; i++) {
      const directory = this.#queue.shift()
      if (directory === undefined) break
      const base = { start: this.#start, order: this.#order }
      const fields = await TiffDirectory.read(this.#bytes, base, directory.at)
      if (directory.kind === 'first') first = fields
      if (directory.kind === 'first' || directory.kind === 'page') this.#enqueue('page', fields.next)
      if (directory.kind !== 'gps') await notePreviews(fields, base, this.#facts)
      await this.#use(directory.kind, fields)
    }
    const isSensor = this.#isDng || this.#sizes.some(size => size.isSensor)
    const format = this.#formatOf(magic, head.toString('latin1', 8, 10) === 'CR', isSensor)
    if (this.#role === 'file' && first !== undefined) await this.#tellSize(format, first)
    if (format === 'rw2' && first !== undefined) noteRw2Preview(first, this.#facts)
    return format
  }

  #enqueue(kind: DirectoryKind, at: number): void {
    if (at === 0 || this.#seen.has(at) || this.#seen.size >= DIRECTORIES_MAX) return
    this.#seen.add(at)
    this.#queue.push({ kind, at })
  }

  async #use(kind: DirectoryKind, fields: TiffDirectory): Promise<void> {
    if (kind === 'page') return
    if (kind === 'gps') return this.#useGps(fields)
    await this.#useSize(kind, fields)
    if (kind === 'sub') return
    await this.#useDates(fields)
    await this.#useCamera(fields)
    const note = kind === 'exif' ? fields.get(TAG.makerNote) : undefined
    if (note !== undefined) {
      await noteMakersPreviews(this.#bytes, note, this.#facts)
      await readAppleNote(this.#bytes, note, this.#facts)
    }
    if (kind === 'exif') return
    if (fields.has(TAG.dngVersion)) this.#isDng = true
    const [orientation, rating] = [await fields.number(TAG.orientation), await fields.number(TAG.rating)]
    if (orientation !== undefined && this.#role !== 'unturned') this.#facts.orientation(orientation)
    if (rating !== undefined) this.#facts.rating(rating)
    for (const at of await fields.places(TAG.exif, 1)) this.#enqueue('exif', at)
    for (const at of await fields.places(TAG.gps, 1)) this.#enqueue('gps', at)
    for (const at of await fields.places(TAG.subDirectories, SUBDIRECTORIES_MAX)) this.#enqueue('sub', at)
    const xmp = fields.get(TAG.xmp)
    if (xmp !== undefined) await readXmpAt(this.#bytes, xmp.at, xmp.bytes, this.#facts)
    const iptc = fields.get(TAG.iptc)
    if (iptc !== undefined && iptc.bytes <= IPTC_BYTES_MAX)
      readIptc(await this.#bytes.read(iptc.at, iptc.bytes), this.#facts)
  }

  async #useSize(kind: DirectoryKind, fields: TiffDirectory): Promise<void> {
    const [pixelWidth, pixelHeight] = [await fields.number(TAG.pixelWidth), await fields.number(TAG.pixelHeight)]
    if (pixelWidth !== undefined && pixelHeight !== undefined)
      this.#exifSize ??= { width: pixelWidth, height: pixelHeight }
    const [width, height] = [await fields.number(TAG.width), await fields.number(TAG.height)]
    if (kind === 'exif' || width === undefined || height === undefined) return
    const isSensor = SENSOR_PHOTOMETRICS.includes((await fields.number(TAG.photometric)) ?? -1)
    const subfileType = (await fields.number(TAG.subfileType)) ?? (kind === 'first' ? 0 : 1)
    this.#sizes.push({ width, height, isSensor, isReduced: (subfileType & 1) === 1 })
  }

  async #useDates(fields: TiffDirectory): Promise<void> {
    const dates = [
      ['exif', TAG.original, TAG.offsetOriginal, TAG.fractionOriginal],
      ['digitized', TAG.digitized, TAG.offsetDigitized, TAG.fractionDigitized],
      ['modified', TAG.modified, TAG.offset, TAG.fraction]
    ] as const
    for (const [source, dateTag, offsetTag, fractionTag] of dates) {
      const offsetMinutes = readOffset((await fields.text(offsetTag)) ?? '')
      const date = readDate((await fields.text(dateTag)) ?? '')
      if (source !== 'exif') this.#facts.weakOffset(offsetMinutes)
      if (date === undefined) continue
      const fraction = date.localMs % 1_000 === 0 ? fractionMs(await fields.text(fractionTag)) : 0
      this.#facts.date(source, {
        localMs: date.localMs + fraction,
        offsetMinutes: date.offsetMinutes ?? offsetMinutes,
        precision: date.precision
      })
    }
  }

  async #useCamera(fields: TiffDirectory): Promise<void> {
    const make = await fields.text(TAG.make)
    this.#make ||= make ?? ''
    const flash = await fields.number(TAG.flash)
    this.#facts.camera({
      make,
      model: await fields.text(TAG.model),
      lens: await fields.text(TAG.lens),
      focalMm: await fields.positive(TAG.focal),
      focal35Mm: await fields.positive(TAG.focal35),
      fNumber: await fields.positive(TAG.fNumber),
      exposureS: await fields.positive(TAG.exposure),
      iso: await fields.positive(TAG.iso),
      flash: flash === undefined ? undefined : (flash & 1) === 1
    })
  }

  async #useGps(fields: TiffDirectory): Promise<void> {
    const degrees = async (tag: number, refTag: number, negative: string): Promise<number | undefined> => {
      const parts = await fields.numbers(tag, 3)
      if (parts.length === 0) return undefined
      const [whole = 0, minutes = 0, seconds = 0] = parts
      const sum = whole + minutes / 60 + seconds / 3_600
      return (await fields.text(refTag))?.toUpperCase().startsWith(negative) ? -sum : sum
    }
    const latitude = await degrees(GPS.latitude, GPS.latitudeRef, 'S')
    const longitude = await degrees(GPS.longitude, GPS.longitudeRef, 'W')
    if (latitude !== undefined && longitude !== undefined) {
      const altitude = await fields.number(GPS.altitude)
      const isBelow = (await fields.number(GPS.altitudeRef)) === 1
      this.#facts.place({ latitude, longitude, altitude: altitude !== undefined && isBelow ? -altitude : altitude })
    }
    const day = readDate((await fields.text(GPS.date)) ?? '')
    const [hours, minutes, seconds] = await fields.numbers(GPS.time, 3)
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
  async #tellSize(format: HeadFormat, first: TiffDirectory): Promise<void> {
    const isRaw = format !== 'tiff'
    const sensor = this.#sizes.find(size => size.isSensor && !size.isReduced)
    if (sensor !== undefined) this.#facts.size(sensor.width, sensor.height)
    if (isRaw && this.#exifSize !== undefined) this.#facts.size(this.#exifSize.width, this.#exifSize.height)
    if (format === 'rw2') {
      const border = async (tag: number): Promise<number> => (await first.number(tag)) ?? 0
      const width = (await border(RW2.right)) - (await border(RW2.left))
      this.#facts.size(width, (await border(RW2.bottom)) - (await border(RW2.top)))
    }
    const largest = [...this.#sizes].sort((a, b) => b.width * b.height - a.width * a.height)
    const [size] = isRaw ? largest : this.#sizes
    if (size !== undefined) this.#facts.size(size.width, size.height)
  }
}
