import { crc32 } from '@node-rs/crc32'

/*
 * Makes the heads of files byte by byte, as cameras write them, and as nobody should.
 */

export type Order = 'II' | 'MM'

/**
 * A value of a TIFF entry: a text, unsigned numbers of 16 or 32 bits, rationals, bytes, directories to be placed, or the place of
 * data that stands elsewhere.
 */
export type TiffValue =
  | string
  | { readonly short: readonly number[] }
  | { readonly long: readonly number[] }
  | { readonly rational: readonly (readonly [number, number])[] }
  | { readonly bytes: Buffer; readonly type?: number }
  | { readonly directories: readonly TiffDirectory[] }
  | { readonly place: Buffer }

export type TiffDirectory = Readonly<Record<number, TiffValue>>

export interface TiffLayout {
  /** Directories behind the first, in a chain. */
  readonly pages?: readonly TiffDirectory[]
  /** Where the first directory stands. */
  readonly headBytes?: number
}

/** @returns a TIFF whose first directory is this one; offsets count from its beginning */
export function tiffOf(
  first: TiffDirectory,
  order: Order = 'II',
  magic = 42,
  mark = '',
  { pages = [], headBytes = 16 }: TiffLayout = {}
): Buffer {
  const numbers = numbersOf(order)
  const bytes: number[] = []
  const put = (part: Uint8Array, at: number): void => {
    for (const [i, byte] of part.entries()) bytes[at + i] = byte
  }
  const head = [Buffer.from(order), numbers.u16(magic), numbers.u32(headBytes), Buffer.from(mark.padEnd(8, '\0'))]
  put(Buffer.concat(head).subarray(0, headBytes), 0)
  let free = headBytes
  const reserve = (length: number): number => {
    const at = free
    free += length + (length % 2)
    return at
  }
  const place = (directory: TiffDirectory): number => {
    const entries = Object.entries(directory).sort(([a], [b]) => Number(a) - Number(b))
    const at = reserve(2 + 12 * entries.length + 4)
    put(numbers.u16(entries.length), at)
    for (const [i, [tag, value]] of entries.entries()) {
      const { type, count, data } = dataOf(value, numbers, place, set)
      const entry = at + 2 + 12 * i
      put(Buffer.concat([numbers.u16(Number(tag)), numbers.u16(type), numbers.u32(count)]), entry)
      if (data.length <= 4) put(data, entry + 8)
      else {
        const dataAt = reserve(data.length)
        put(data, dataAt)
        put(numbers.u32(dataAt), entry + 8)
      }
    }
    return at
  }
  const set = (data: Buffer): number => {
    const at = reserve(data.length)
    put(data, at)
    return at
  }
  let last = place(first)
  let entries = Object.keys(first).length
  for (const page of pages) {
    const at = place(page)
    put(numbers.u32(at), last + 2 + 12 * entries)
    last = at
    entries = Object.keys(page).length
  }
  return Buffer.from(Array.from({ length: free }, (_, i) => bytes[i] ?? 0))
}

function dataOf(
  value: TiffValue,
  { u16, u32 }: ReturnType<typeof numbersOf>,
  place: (directory: TiffDirectory) => number,
  set: (data: Buffer) => number
): { readonly type: number; readonly count: number; readonly data: Buffer } {
  if (typeof value === 'string') {
    const data = Buffer.from(`${value}\0`)
    return { type: 2, count: data.length, data }
  }
  if ('short' in value) return { type: 3, count: value.short.length, data: Buffer.concat(value.short.map(u16)) }
  if ('long' in value) return { type: 4, count: value.long.length, data: Buffer.concat(value.long.map(u32)) }
  if ('place' in value) return { type: 4, count: 1, data: u32(set(value.place)) }
  if ('directories' in value) {
    const places = value.directories.map(place)
    return { type: 4, count: places.length, data: Buffer.concat(places.map(u32)) }
  }
  if ('rational' in value) {
    const data = Buffer.concat(value.rational.flatMap(([a, b]) => [u32(a), u32(b)]))
    return { type: 5, count: value.rational.length, data }
  }
  return { type: value.type ?? 7, count: value.bytes.length, data: value.bytes }
}

function numbersOf(order: Order): { readonly u16: (n: number) => Buffer; readonly u32: (n: number) => Buffer } {
  return {
    u16: n => {
      const bytes = Buffer.alloc(2)
      if (order === 'II') bytes.writeUInt16LE(n)
      else bytes.writeUInt16BE(n)
      return bytes
    },
    u32: n => {
      const bytes = Buffer.alloc(4)
      if (order === 'II') bytes.writeUInt32LE(n)
      else bytes.writeUInt32BE(n)
      return bytes
    }
  }
}

export const u16 = numbersOf('MM').u16
export const u32 = numbersOf('MM').u32

export const EXIF = {
  date: 0x9003,
  digitized: 0x9004,
  changed: 0x132,
  offset: 0x9011,
  offsetDigitized: 0x9012
} as const

/** EXIF as cameras lay it out: what `second` has stands in a directory of its own. */
export function exifOf(second: TiffDirectory, first: TiffDirectory = {}, gps?: TiffDirectory, order?: Order): Buffer {
  const links = { 34665: { directories: [second] }, ...(gps && { 34853: { directories: [gps] } }) }
  return tiffOf({ ...first, ...links }, order)
}

export function segment(marker: number, ...data: readonly (Buffer | string)[]): Buffer {
  const payload = Buffer.concat(data.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
  return Buffer.concat([Buffer.of(0xff, marker), u16(payload.length + 2), payload])
}

export const exifSegment = (block: Buffer): Buffer => segment(0xe1, 'Exif\0\0', block)
export const xmpSegment = (packet: string): Buffer =>
  segment(0xe1, 'http://ns.adobe.com/xap/1.0/\0', Buffer.from(packet))

/** The head of a JPEG of this size, and no pixels. */
export function jpegHead(width: number, height: number, ...segments: readonly Buffer[]): Buffer {
  const frame = segment(0xc0, Buffer.concat([Buffer.of(8), u16(height), u16(width), Buffer.of(1, 1, 0x11, 0)]))
  return Buffer.concat([Buffer.of(0xff, 0xd8), ...segments, frame, segment(0xda, Buffer.of(1, 1, 0, 0, 63, 0))])
}

export function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  return Buffer.concat([u32(data.length), body, u32(crc32(body))])
}

/** @returns the PNG with a chunk behind its head */
export function pngWith(png: Buffer, chunk: Buffer): Buffer {
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)])
}

export function box(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const data = Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
  return Buffer.concat([u32(8 + data.length), Buffer.from(type, 'latin1'), data])
}

export function fullBox(type: string, version: number, ...parts: readonly (Buffer | string)[]): Buffer {
  return box(type, Buffer.of(version, 0, 0, 0), ...parts)
}

export const packetOf = (attributes: string, inner = ''): string =>
  `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description rdf:about="" ${attributes}>${inner}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`

export interface HeifParts {
  readonly brand?: string
  readonly width: number
  readonly height: number
  /** Quarter turns, anticlockwise. */
  readonly turns?: number
  readonly exif?: Buffer
  readonly xmp?: string
  /** Where the items lie: in the file, or in the box. */
  readonly place?: 'file' | 'box'
  readonly coding?: 'hvcC' | 'av1C'
  /** Items of the picture's tiles, before its own: 1, 2, … */
  readonly tiles?: number
}

/** The head of a HEIF whose picture is the last item but EXIF and XMP. */
export function heifHead({ brand = 'heic', coding = 'hvcC', tiles = 0, place = 'file', ...parts }: HeifParts): Buffer {
  const picture = tiles + 1
  const ids = { exif: tiles + 2, xmp: tiles + 3 }
  const exif = parts.exif && Buffer.concat([u32(6), Buffer.from('Exif\0\0'), parts.exif])
  const xmp = parts.xmp === undefined ? undefined : Buffer.from(parts.xmp)
  const infe = (id: number, type: string, more = ''): Buffer => fullBox('infe', 2, u16(id), u16(0), type, '\0', more)
  const infes = [
    ...Array.from({ length: tiles }, (_, i) => infe(i + 1, 'hvc1')),
    infe(picture, tiles > 0 ? 'grid' : 'hvc1'),
    ...(exif ? [infe(ids.exif, 'Exif')] : []),
    ...(xmp ? [infe(ids.xmp, 'mime', 'application/rdf+xml\0')] : [])
  ]
  const ispe = (width: number, height: number): Buffer => fullBox('ispe', 0, u32(width), u32(height))
  const ipco = box(
    'ipco',
    ispe(512, 512),
    ispe(parts.width, parts.height),
    box(coding, Buffer.alloc(4)),
    box('irot', Buffer.of(parts.turns ?? 0))
  )
  const owns = (id: number, ...properties: readonly number[]): Buffer =>
    Buffer.concat([u16(id), Buffer.of(properties.length, ...properties)])
  const ipma = fullBox(
    'ipma',
    0,
    u32(tiles + 1),
    ...Array.from({ length: tiles }, (_, i) => owns(i + 1, 0x81, 0x83)),
    owns(picture, 2, 0x83, 0x84)
  )
  const items = [exif && ([ids.exif, exif] as const), xmp && ([ids.xmp, xmp] as const)].filter(
    item => item !== undefined
  )
  const metaOf = (from: number): Buffer => {
    let at = from
    const places = items.map(([id, data]) => {
      const entry = [u16(id), u16(place === 'box' ? 1 : 0), u16(0), u16(1), u32(at), u32(data.length)]
      at += data.length
      return Buffer.concat(entry)
    })
    return fullBox(
      'meta',
      0,
      fullBox('hdlr', 0, u32(0), 'pict', Buffer.alloc(13)),
      fullBox('pitm', 0, u16(picture)),
      fullBox('iloc', 1, Buffer.of(0x44, 0), u16(items.length), ...places),
      fullBox('iinf', 0, u16(infes.length), ...infes),
      box('iprp', ipco, ipma),
      ...(place === 'box' ? [box('idat', ...items.map(([, data]) => data))] : [])
    )
  }
  const ftyp = box('ftyp', brand, u32(0), 'mif1', brand)
  if (place === 'box') return Buffer.concat([ftyp, metaOf(0)])
  const from = ftyp.length + metaOf(0).length + 8
  return Buffer.concat([ftyp, metaOf(from), box('mdat', ...items.map(([, data]) => data))])
}

export interface MovieParts {
  readonly brand?: string
  readonly width?: number
  readonly height?: number
  readonly turned?: boolean
  /** The box 'mdia' of the track with pictures. */
  readonly media?: Buffer
  /** Seconds since 1904. */
  readonly created?: number
  /** How long it is. */
  readonly seconds?: number
  readonly version?: 0 | 1
  /** By the names of QuickTime. */
  readonly keys?: Readonly<Record<string, string>>
  /** By boxes such as ©xyz. */
  readonly userData?: Readonly<Record<string, string>>
  readonly more?: readonly Buffer[]
  /** Before the tracks. */
  readonly first?: readonly Buffer[]
  /** What stands before the head. */
  readonly data?: Buffer
}

export function movieOf(parts: MovieParts): Buffer {
  const {
    brand = 'qt  ',
    width = 1920,
    height = 1080,
    turned = false,
    created = 0,
    version = 0,
    keys = {},
    seconds = 0
  } = parts
  const { data = Buffer.alloc(40_000), first = [], media = Buffer.alloc(0) } = parts
  const times =
    version === 1 ? Buffer.concat([u32(0), u32(created), Buffer.alloc(8)]) : Buffer.concat([u32(created), u32(0)])
  const one = 0x1_0000
  const matrix = turned ? [0, one, 0, 0xffff_0000, 0, 0, 0, 0, 2 ** 30] : [one, 0, 0, 0, one, 0, 0, 0, 2 ** 30]
  const sound = fullBox('tkhd', 0, Buffer.alloc(36), ...[one, 0, 0, 0, one, 0, 0, 0, 2 ** 30].map(u32), u32(0), u32(0))
  const picture = fullBox('tkhd', 0, Buffer.alloc(36), ...matrix.map(u32), u32(width * one), u32(height * one))
  const names = Object.keys(keys).map(name => Buffer.concat([u32(8 + name.length), Buffer.from(`mdta${name}`)]))
  const values = Object.values(keys).map((text, i) =>
    box(u32(i + 1).toString('latin1'), box('data', u32(1), u32(0), Buffer.from(text)))
  )
  const meta = box(
    'meta',
    fullBox('hdlr', 0, u32(0), 'mdta', Buffer.alloc(13)),
    fullBox('keys', 0, u32(names.length), ...names),
    box('ilst', ...values)
  )
  const texts = Object.entries(parts.userData ?? {}).map(([name, text]) => box(name, u16(text.length), u16(0), text))
  return Buffer.concat([
    box('ftyp', brand, u32(0), brand),
    ...(data.length > 0 ? [box('mdat', data)] : []),
    box(
      'moov',
      fullBox(
        'mvhd',
        version,
        times,
        u32(600),
        version === 1 ? u32(0) : u32(seconds * 600),
        u32(seconds * 600),
        Buffer.alloc(80)
      ),
      ...first,
      box('trak', sound),
      box('trak', picture, media),
      ...(names.length > 0 ? [meta] : []),
      ...(texts.length > 0 ? [box('udta', ...texts)] : []),
      ...(parts.more ?? [])
    )
  ])
}
