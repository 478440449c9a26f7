/*
 * Reads the date from a block of EXIF data, and nothing else: a crafted block of a few kilobytes, whose entries all claim
 * the same data, can make a general reader fill the memory.
 *
 *   'Exif\0\0' (optional) · TIFF header: 'II' or 'MM', u16 42, u32 offset of the first directory
 *   directory: u16 entries · entries of 12 bytes: u16 tag, u16 type, u32 count, u32 value or its offset
 *
 * Offsets count from the TIFF header. Dates are ASCII: 'YYYY:MM:DD hh:mm:ss', zones '+hh:mm', fractions of a second as digits.
 */

const EXIF_PREFIX = 'Exif\0\0'
const ENTRY_BYTES = 12
const TYPE_ASCII = 2
const TYPE_LONG = 4
/** No camera writes more; a larger directory is damaged. */
const ENTRIES_MAX = 1_000
const TEXT_BYTES_MAX = 32

const TAG_DATE_TIME = 0x0132
const TAG_EXIF_DIRECTORY = 0x8769
const TAG_DATE_TIME_ORIGINAL = 0x9003
const TAG_DATE_TIME_DIGITIZED = 0x9004
/** Each of the three dates has a tag for its zone and one for its fraction of a second. */
const ZONE_AND_FRACTION: ReadonlyMap<number, { readonly zone: number; readonly fraction: number }> = new Map([
  [TAG_DATE_TIME, { zone: 0x9010, fraction: 0x9290 }],
  [TAG_DATE_TIME_ORIGINAL, { zone: 0x9011, fraction: 0x9291 }],
  [TAG_DATE_TIME_DIGITIZED, { zone: 0x9012, fraction: 0x9292 }]
])

/**
 * @param exif - as in the file, with or without the 'Exif' prefix
 * @returns when the picture was taken, else digitized, else last changed, in ms since the Unix epoch; UTC is assumed when no
 * zone is given. Undefined when no entry holds a valid date.
 */
export function exifDate(exif: Uint8Array): number | undefined {
  const bytes = Buffer.from(exif.buffer, exif.byteOffset, exif.byteLength)
  const start = bytes.toString('latin1', 0, EXIF_PREFIX.length) === EXIF_PREFIX ? EXIF_PREFIX.length : 0
  const tiff = openTiff(bytes.subarray(start))
  if (tiff === undefined) return undefined
  const first = readDirectory(tiff, tiff.u32(4))
  const second = first.get(TAG_EXIF_DIRECTORY)
  const entries = new Map([...first, ...(second === undefined ? [] : readDirectory(tiff, tiff.u32(second + 8)))])
  for (const tag of [TAG_DATE_TIME_ORIGINAL, TAG_DATE_TIME_DIGITIZED, TAG_DATE_TIME]) {
    const { zone, fraction } = ZONE_AND_FRACTION.get(tag)!
    const date = dateOf(
      textAt(tiff, entries.get(tag)),
      textAt(tiff, entries.get(zone)),
      textAt(tiff, entries.get(fraction))
    )
    if (date !== undefined) return date
  }
  return undefined
}

/** Numbers outside the bytes read as 0, which is no valid position of a directory or a text. */
interface Tiff {
  readonly bytes: Buffer
  readonly u16: (at: number) => number
  readonly u32: (at: number) => number
}

function openTiff(bytes: Buffer): Tiff | undefined {
  const order = bytes.toString('latin1', 0, 2)
  if (order !== 'II' && order !== 'MM') return undefined
  const little = order === 'II'
  const fits = (at: number, count: number): boolean => at + count <= bytes.length
  const u16 = (at: number): number => (!fits(at, 2) ? 0 : little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at))
  const u32 = (at: number): number => (!fits(at, 4) ? 0 : little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  return u16(2) === 42 ? { bytes, u16, u32 } : undefined
}

/** @returns positions of the entries by tag: texts, and the EXIF directory */
function readDirectory({ u16 }: Tiff, at: number): Map<number, number> {
  const entries = new Map<number, number>()
  if (at === 0) return entries
  const count = Math.min(u16(at), ENTRIES_MAX)
  for (let i = 0; i < count; i++) {
    const entry = at + 2 + i * ENTRY_BYTES
    const tag = u16(entry)
    const isDirectory = tag === TAG_EXIF_DIRECTORY
    if (u16(entry + 2) === (isDirectory ? TYPE_LONG : TYPE_ASCII)) entries.set(tag, entry)
  }
  return entries
}

/** @returns the text of an entry, without its terminating zero */
function textAt({ bytes, u32 }: Tiff, entry: number | undefined): string | undefined {
  if (entry === undefined) return undefined
  const count = u32(entry + 4)
  if (count > TEXT_BYTES_MAX) return undefined
  const at = count <= 4 ? entry + 8 : u32(entry + 8)
  return bytes
    .toString('latin1', at, at + count)
    .split('\0', 1)[0]
    ?.trim()
}

const DATE = /^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)$/
const ZONE = /^([+-])(\d\d):?(\d\d)$/

function dateOf(date: string | undefined, zone: string | undefined, fraction: string | undefined): number | undefined {
  const fields = DATE.exec(date ?? '')
    ?.slice(1)
    .map(Number)
  if (fields === undefined) return undefined
  const [year, month, day, hour, minute, second] = fields as [number, number, number, number, number, number]
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  // a date that Date.UTC carries over ('0000:00:00', 31 February) is invalid
  const back = new Date(ms)
  if (year < 100 || back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59)
    return undefined
  return ms - zoneMs(zone) + fractionMs(fraction)
}

/** @returns how far the zone is ahead of UTC */
function zoneMs(zone: string | undefined): number {
  const match = ZONE.exec(zone ?? '')
  if (match === null) return 0
  const minutes = Number(match[2]) * 60 + Number(match[3])
  return (match[1] === '-' ? -minutes : minutes) * 60_000
}

function fractionMs(fraction: string | undefined): number {
  return /^\d+$/.test(fraction ?? '') ? Math.floor(Number(`0.${fraction}`) * 1_000) : 0
}
