import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import type { TakenAt } from '../../../../../src/domain/photo-facts.js'
import { type ByteSource, sourceOf } from '../../../../../src/similarity/images/heads/head-bytes.js'
import type { Head } from '../../../../../src/similarity/images/heads/head-facts.js'
import { readHead } from '../../../../../src/similarity/images/heads/read-head.js'
import {
  box,
  EXIF,
  exifOf,
  exifSegment,
  heifHead,
  jpegHead,
  movieOf,
  packetOf,
  pngChunk,
  pngWith,
  segment,
  type TiffDirectory,
  tiffOf,
  u16,
  u32,
  xmpSegment
} from '../../../../support/head-files.js'
import { scene, toImage } from '../../../../support/test-pictures.js'

const LATEST = Date.UTC(2026, 10, 30)
const TAKEN = '2024:06:30 12:34:56'
const TAKEN_MS = Date.UTC(2024, 5, 30, 12, 34, 56)
const taken = { takenAt: { ms: TAKEN_MS, source: 'exif', precision: 'second' } }

function headOf(bytes: Buffer, name = ''): Promise<Head | undefined> {
  return readHead(sourceOf(bytes), { latestMs: LATEST, name })
}

/** The head of a JPEG with this in its EXIF. */
function exifHead(second: TiffDirectory, first?: TiffDirectory, gps?: TiffDirectory): Promise<Head | undefined> {
  return headOf(jpegHead(40, 30, exifSegment(exifOf(second, first, gps))))
}

describe('the size of a picture', () => {
  const picture = toImage(scene(1, 90, 60))
  const EXIF_OF_SHARP = { IFD0: { Orientation: '6' }, IFD2: { DateTimeOriginal: TAKEN } }

  test.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const)(
    'is read from %s, as a decoder says it',
    async format => {
      // the strip of a TIFF would be a JPEG, and so a preview
      const bytes = await picture
        .clone()
        .toFormat(format, format === 'tiff' ? { compression: 'lzw' } : {})
        .toBuffer()
      expect(await headOf(bytes)).toEqual({ format, width: 90, height: 60 })
    }
  )

  test.each(['jpeg', 'png', 'webp'] as const)(
    'is as shown, and %s has a date, as a library writes it',
    async format => {
      const bytes = await picture
        .clone()
        .withExif(EXIF_OF_SHARP)
        .withMetadata({ orientation: 6 })
        .toFormat(format)
        .toBuffer()
      const { autoOrient } = await sharp(bytes).metadata()
      expect(autoOrient).toEqual({ width: 60, height: 90 })
      expect(await headOf(bytes)).toMatchObject({ format, ...autoOrient, orientation: 6 })
    }
  )

  test('is that of a WebP of each kind', async () => {
    const alpha = toImage({ ...scene(1, 90, 60) }).ensureAlpha(0.5)
    for (const image of [picture.clone().webp({ lossless: true }), alpha.webp(), alpha.webp({ lossless: true })])
      expect(await headOf(await image.toBuffer())).toEqual({ format: 'webp', width: 90, height: 60 })
  })

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('is turned by orientation %i', async orientation => {
    const size = orientation > 4 ? { width: 30, height: 40 } : { width: 40, height: 30 }
    for (const value of [{ short: [orientation] }, { long: [orientation] }])
      expect(await exifHead({}, { 274: value })).toMatchObject(size)
  })

  test.each([0, 9, 255])('is not turned by orientation %i', async orientation => {
    expect(await exifHead({}, { 274: { short: [orientation] } })).toEqual({ format: 'jpeg', width: 40, height: 30 })
  })

  test('is there when the file ends behind its head, or when there is something between two segments', async () => {
    const bytes = await picture.clone().jpeg().withExif(EXIF_OF_SHARP).toBuffer()
    expect(await headOf(bytes.subarray(0, Math.floor(bytes.length / 2)))).toMatchObject({ width: 90, ...taken })
    const odd = Buffer.concat([bytes.subarray(0, 2), Buffer.alloc(10, 0xff), bytes.subarray(2)])
    expect(await headOf(odd)).toMatchObject({ width: 90, ...taken })
    const head = jpegHead(40, 30, segment(0xfe, 'x'))
    expect(await headOf(Buffer.concat([head.subarray(0, 7), Buffer.from('junk'), head.subarray(7)]))).toMatchObject({
      width: 40
    })
  })

  test('is not that of a picture behind the pixels, or of a thumbnail', async () => {
    const thumbnail = segment(0xe2, jpegHead(16, 12))
    expect(await headOf(Buffer.concat([jpegHead(40, 30, thumbnail), jpegHead(8, 6)]))).toMatchObject({
      width: 40,
      height: 30
    })
  })

  test.each([
    ['text', Buffer.from('no picture at all'.repeat(10))],
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.of(0xff)],
    ['zeros', Buffer.alloc(10_000)],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')]
  ])('is none of %s', async (_, bytes) => {
    expect(await headOf(bytes)).toBeUndefined()
  })
})

describe('a HEIF', () => {
  const exif = exifOf({ [EXIF.date]: TAKEN, [EXIF.offset]: '+02:00' }, { 274: { short: [6] } })

  test.each([0, 1, 2, 3])('is turned %i times by its own word, not by that of EXIF', async turns => {
    const size = turns % 2 === 1 ? { width: 60, height: 100 } : { width: 100, height: 60 }
    const head = await headOf(heifHead({ width: 100, height: 60, turns, exif }))
    expect(head).toEqual({
      format: 'heic',
      ...size,
      ...(turns > 0 && { orientation: [1, 8, 3, 6][turns] }),
      takenAt: { ms: TAKEN_MS - 7_200_000, offsetMinutes: 120, source: 'exif', precision: 'second' }
    })
  })

  test('is of the item that is its picture, and of the coding that it has', async () => {
    const tiled = heifHead({ width: 4_032, height: 3_024, tiles: 48, exif })
    expect(await headOf(tiled)).toMatchObject({ format: 'heic', width: 4_032, height: 3_024 })
    for (const brand of ['mif1', 'avif'])
      expect(await headOf(heifHead({ brand, coding: 'av1C', width: 8, height: 6 }))).toMatchObject({ format: 'avif' })
    expect(await headOf(heifHead({ brand: 'mif1', width: 8, height: 6 }))).toMatchObject({ format: 'heic' })
  })

  test('has EXIF and XMP in the file or in a box', async () => {
    for (const place of ['file', 'box'] as const) {
      const parts = { width: 8, height: 6, exif, xmp: packetOf('xmp:Rating="5"'), place }
      expect(await headOf(heifHead(parts)), place).toMatchObject({ rating: 5, takenAt: { source: 'exif' } })
    }
  })

  test('without its body is of the kind that its brand says', async () => {
    expect(await headOf(box('ftyp', 'heic', u32(0)))).toEqual({ format: 'heic' })
    expect(await headOf(box('ftyp', 'avif', u32(0)))).toEqual({ format: 'avif' })
  })
})

describe('a RAW file', () => {
  const preview = { 254: { long: [1] }, 256: { long: [160] }, 257: { long: [120] }, 262: { short: [6] } }
  const sensor = { 254: { long: [0] }, 256: { long: [6000] }, 257: { long: [4000] }, 262: { short: [32_803] } }
  const inExif = { 34665: { directories: [{ [EXIF.date]: TAKEN, 40962: { long: [5998] }, 40963: { long: [3998] } }] } }

  test.each(['II', 'MM'] as const)('has the size of the sensor, not of its previews (%s)', async order => {
    const raw = (make: string, more: TiffDirectory = {}): Buffer =>
      tiffOf({ ...preview, 271: make, 330: { directories: [preview, sensor] }, ...inExif, ...more }, order)
    const size = { width: 6000, height: 4000 }
    expect(await headOf(raw('NIKON CORPORATION'))).toMatchObject({ format: 'nef', ...size, ...taken })
    expect(await headOf(raw('SONY'))).toMatchObject({ format: 'arw', ...size, ...taken })
    expect(await headOf(raw('Nobody'))).toMatchObject({ format: 'raw', ...size, ...taken })
    const dng = raw('Apple', { 50706: { bytes: Buffer.of(1, 4, 0, 0), type: 1 }, 274: { short: [6] } })
    expect(await headOf(dng)).toMatchObject({ format: 'dng', width: 4000, height: 6000, ...taken })
  })

  test('without such a directory has the size that EXIF says', async () => {
    const first = { 256: { short: [1536] }, 257: { short: [1024] }, 271: 'Canon', ...inExif }
    expect(await headOf(tiffOf(first, 'II', 42, 'CR\x02\0'))).toMatchObject({
      format: 'cr2',
      width: 5998,
      height: 3998
    })
    expect(await headOf(tiffOf(first, 'II', 0x4f52))).toMatchObject({ format: 'orf', width: 5998 })
    expect(await headOf(tiffOf({ 271: 'Canon', ...preview }, 'II', 42, 'CR'))).toMatchObject({
      format: 'cr2',
      width: 160
    })
  })

  test('of Panasonic has the size within its borders', async () => {
    const first = { 4: { short: [8] }, 5: { short: [10] }, 6: { short: [3008] }, 7: { short: [4010] } }
    expect(await headOf(tiffOf(first, 'II', 0x55))).toMatchObject({ format: 'rw2', width: 4000, height: 3000 })
  })

  test('of Fujifilm has a JPEG with its EXIF, and a directory', async () => {
    const jpeg = jpegHead(1920, 1280, exifSegment(exifOf({ [EXIF.date]: TAKEN })))
    const directory = Buffer.concat([
      u32(2),
      u16(0x100),
      u16(4),
      u16(1),
      u16(2),
      u16(0x111),
      u16(4),
      u16(3296),
      u16(4936)
    ])
    const head = Buffer.alloc(100)
    head.write('FUJIFILMCCD-RAW 0201', 'latin1')
    head.writeUInt32BE(200, 84)
    head.writeUInt32BE(120, 92)
    const file = Buffer.concat([head, Buffer.alloc(20), directory, Buffer.alloc(80 - directory.length), jpeg])
    expect(await headOf(file)).toMatchObject({ format: 'raf', width: 4936, height: 3296, ...taken })
    head.writeUInt32BE(0, 92)
    const bare = Buffer.concat([head, Buffer.alloc(100), jpeg])
    expect(await headOf(bare)).toMatchObject({ format: 'raf', width: 1920, height: 1280, ...taken })
  })

  test('of Canon with boxes has three TIFFs', async () => {
    const canon = box(
      'uuid',
      Buffer.from('85c0b687820f11e08111f4ce462b6a48', 'hex'),
      box('CMT1', tiffOf({ 256: { short: [6000] }, 257: { short: [4000] }, 272: 'Canon EOS R5', 274: { short: [8] } })),
      box('CMT2', tiffOf({ [EXIF.date]: TAKEN })),
      box(
        'CMT4',
        tiffOf({
          1: 'S',
          2: {
            rational: [
              [10, 1],
              [30, 1],
              [0, 1]
            ]
          },
          3: 'W',
          4: {
            rational: [
              [20, 1],
              [0, 1],
              [0, 1]
            ]
          }
        })
      )
    )
    expect(await headOf(movieOf({ brand: 'crx ', width: 160, height: 120, more: [canon] }))).toMatchObject({
      format: 'cr3',
      place: { latitude: -10.5, longitude: -20 },
      camera: { model: 'Canon EOS R5' },
      ...taken
    })
    const real = Buffer.concat([box('ftyp', 'crx ', u32(0)), box('moov', canon, movieOf({}).subarray(0, 0))])
    expect(await headOf(real)).toMatchObject({ format: 'cr3', width: 4000, height: 6000, ...taken })
  })
})

describe('a movie', () => {
  const since1904 = (ms: number): number => (ms - Date.UTC(1904, 0, 1)) / 1_000

  test.each([0, 1] as const)('has its size, and its time in UTC (version %i)', async version => {
    const movie = movieOf({ brand: 'isom', created: since1904(TAKEN_MS), version })
    expect(await headOf(movie)).toEqual({
      format: 'mp4',
      width: 1920,
      height: 1080,
      takenAt: { ms: TAKEN_MS, offsetMinutes: 0, source: 'container', precision: 'second', zoneSource: 'utc' }
    })
  })

  test('is turned by its matrix, and has no time when that is zero', async () => {
    expect(await headOf(movieOf({ turned: true }))).toEqual({
      format: 'mov',
      width: 1080,
      height: 1920,
      orientation: 6
    })
  })

  test('says with zone when, and where and with what it was taken', async () => {
    const names = {
      'com.apple.quicktime.make': 'Apple',
      'com.apple.quicktime.model': 'iPhone 13',
      'com.apple.quicktime.location.ISO6709': '+54.3233+010.1228+003.5/',
      'com.apple.quicktime.creationdate': '2021-05-28T15:40:38+0300'
    }
    expect(await headOf(movieOf({ keys: names, created: since1904(TAKEN_MS) }))).toMatchObject({
      takenAt: { ms: Date.UTC(2021, 4, 28, 12, 40, 38), offsetMinutes: 180, source: 'quicktime' },
      place: { latitude: 54.3233, longitude: 10.1228, altitude: 3.5 },
      camera: { make: 'Apple', model: 'iPhone 13' }
    })
    const userData = { '\xa9xyz': '-33.8678+151.2073/', '\xa9day': '2024-01-01T08:02:32+1100' }
    expect(await headOf(movieOf({ userData }))).toMatchObject({
      takenAt: { offsetMinutes: 660, source: 'quicktime' },
      place: { latitude: -33.8678, longitude: 151.2073 }
    })
  })

  test('says how long it is, and which live photo it belongs to', async () => {
    const keys = { 'com.apple.quicktime.content.identifier': '5D1B9E20-07F3' }
    for (const version of [0, 1] as const)
      expect(await headOf(movieOf({ version, keys, seconds: 3 }))).toMatchObject({
        media: { durationS: 3, liveId: '5D1B9E20-07F3' }
      })
    const note = tiffOf({ 17: '5D1B9E20-07F3' }, 'MM', 42, '', { headBytes: 8 }).subarray(8)
    expect(note.readUInt32BE(2 + 8)).toBe(8 + 18)
    note.writeUInt32BE(14 + 18, 2 + 8)
    const bytes = Buffer.concat([Buffer.from('Apple iOS\0\0\x01MM', 'latin1'), note])
    const still = tiffOf({ 34665: { directories: [{ 37500: { bytes } }] } }, 'II')
    expect(await headOf(still)).toMatchObject({ media: { liveId: '5D1B9E20-07F3' } })
  })

  test('of four gigabytes is read in a few reads', async () => {
    const movie = movieOf({ created: since1904(TAKEN_MS) })
    const moov = movie.subarray(movie.indexOf('moov') - 4)
    const mdat = Buffer.concat([u32(1), Buffer.from('mdat'), u32(1), u32(16)])
    const start = Buffer.concat([box('ftyp', 'qt  ', u32(0)), mdat])
    const moovAt = start.length - 16 + 2 ** 32 + 16
    let reads = 0
    const source: ByteSource = {
      size: moovAt + moov.length,
      read: async (at, length) => {
        reads++
        const bytes = Buffer.alloc(length)
        if (at < start.length) start.copy(bytes, 0, at)
        if (at + length > moovAt) moov.copy(bytes, Math.max(0, moovAt - at), Math.max(0, at - moovAt))
        return bytes
      }
    }
    expect(await readHead(source, { latestMs: LATEST, name: '' })).toMatchObject({
      width: 1920,
      takenAt: { ms: TAKEN_MS }
    })
    expect(reads).toBeLessThanOrEqual(6)
  })
})

describe('when a picture was taken', () => {
  const dateOf = async (bytes: Promise<Head | undefined>) => (await bytes)?.takenAt

  test('is what the strongest source says that can be right', async () => {
    const gps = {
      29: '2019:03:04',
      7: {
        rational: [
          [5, 1],
          [6, 1],
          [7, 1]
        ]
      }
    } as const
    const all = { [EXIF.date]: TAKEN, [EXIF.digitized]: '2011:02:03 04:05:06' }
    const changed = { [EXIF.changed]: '2020:02:02 02:02:02' }
    expect(await dateOf(exifHead(all, changed, gps))).toMatchObject({ ms: TAKEN_MS, source: 'exif' })
    const zeros = { ...all, [EXIF.date]: '0000:00:00 00:00:00' }
    expect(await dateOf(exifHead(zeros, changed, gps))).toMatchObject({
      source: 'digitized',
      ms: Date.UTC(2011, 1, 3, 4, 5, 6)
    })
    expect(await dateOf(exifHead({}, changed, gps))).toMatchObject({
      source: 'gps',
      offsetMinutes: 0,
      ms: Date.UTC(2019, 2, 4, 5, 6, 7)
    })
    expect(await dateOf(exifHead({}, changed))).toMatchObject({ source: 'modified' })
    expect(await dateOf(exifHead({ [EXIF.date]: '2107:12:31 23:59:59' }, changed))).toMatchObject({
      source: 'modified'
    })
    expect(await dateOf(exifHead({}))).toBeUndefined()
  })

  test('may be a day after the file came, since zones differ, and not more', async () => {
    expect(await dateOf(exifHead({ [EXIF.date]: '2026:11:30 23:59:59' }))).toBeDefined()
    expect(await dateOf(exifHead({ [EXIF.date]: '2026:12:01 00:00:01' }))).toBeUndefined()
  })

  test('is found where it should not be: in the first directory, as bytes, in the second block', async () => {
    expect(await dateOf(exifHead({}, { [EXIF.date]: TAKEN }))).toMatchObject({ source: 'exif' })
    expect(await dateOf(exifHead({ [EXIF.date]: { bytes: Buffer.from(`${TAKEN}\0`) } }))).toMatchObject({
      source: 'exif'
    })
    const two = [
      exifSegment(exifOf({}, { [EXIF.changed]: '2024:09:09 09:09:09' })),
      exifSegment(exifOf({ [EXIF.date]: TAKEN }))
    ]
    expect(await dateOf(headOf(jpegHead(4, 3, ...two)))).toMatchObject({ ms: TAKEN_MS })
    expect(await dateOf(exifHead({ 37500: { bytes: Buffer.alloc(60_000, 7) }, [EXIF.date]: TAKEN }))).toMatchObject({
      ms: TAKEN_MS
    })
  })

  test('is in the name of the file, where the file has nothing better, and tells the offset of UTC', async () => {
    const named = async (name: string, second: TiffDirectory, first?: TiffDirectory, gps?: TiffDirectory) =>
      (await headOf(jpegHead(4, 3, exifSegment(exifOf(second, first, gps))), name))?.takenAt
    const local = 'IMG_20240630_123456.jpg'
    const changed = { [EXIF.changed]: '2025:02:02 02:02:02' }
    expect(await named(local, { [EXIF.date]: '2020:01:01 00:00:00' })).toMatchObject({ source: 'exif' })
    expect(await named(local, {}, changed)).toEqual({ ms: TAKEN_MS, source: 'name', precision: 'second' })
    expect(await named('IMG-20240630-WA0001.jpg', {}, changed)).toMatchObject({ source: 'name', precision: 'day' })
    expect(await named('IMG_20991231_123456.jpg', {}, changed)).toMatchObject({ source: 'modified' })
    const movie = movieOf({ created: (Date.UTC(2021, 4, 28, 12, 40, 43) - Date.UTC(1904, 0, 1)) / 1_000 })
    const utc = { ms: Date.UTC(2021, 4, 28, 12, 40, 43), source: 'container' }
    expect((await headOf(movie, 'VID_20210528_154038.mp4'))?.takenAt).toMatchObject({
      ...utc,
      offsetMinutes: 180,
      zoneSource: 'name'
    })
    expect((await headOf(movie, 'VID_20210529_154038.mp4'))?.takenAt).toMatchObject({ ...utc, offsetMinutes: 0 })
  })

  test('has the fraction of its second', async () => {
    const fraction = (text: string) => dateOf(exifHead({ [EXIF.date]: TAKEN, 37521: text }))
    expect(await fraction('25')).toMatchObject({ ms: TAKEN_MS + 250 })
    expect(await fraction('123456')).toMatchObject({ ms: TAKEN_MS + 123 })
    expect(await fraction('12 ')).toMatchObject({ ms: TAKEN_MS + 120 })
    expect(await fraction('x')).toMatchObject({ ms: TAKEN_MS })
  })

  test('has the offset that its own tag says, or the date itself, or, weaker, that of another date', async () => {
    const offset = async (second: TiffDirectory, first?: TiffDirectory) =>
      (await dateOf(exifHead({ [EXIF.date]: TAKEN, ...second }, first)))?.offsetMinutes
    expect(await offset({ [EXIF.offset]: '+05:30' })).toBe(330)
    expect(await offset({ [EXIF.offset]: '+05:30', [EXIF.date]: `${TAKEN}-03:00` })).toBe(-180)
    expect(await offset({ [EXIF.offset]: '   :  ' })).toBeUndefined()
    expect(await offset({ [EXIF.offset]: '+99:99' })).toBeUndefined()
    expect(await offset({ 36880: '+02:00' })).toBe(120)
    expect(await offset({ [EXIF.offsetDigitized]: '-08:00' })).toBe(-480)
    expect(await offset({ [EXIF.offset]: '+01:00', 36880: '+02:00' })).toBe(60)
  })

  test('has the offset by which its clock was ahead of the satellites', async () => {
    const gpsAt = (hours: number, minutes: number, seconds: number) =>
      ({
        29: '2024:06:30',
        7: {
          rational: [
            [hours, 1],
            [minutes, 1],
            [seconds, 1]
          ]
        }
      }) as const
    const offset = async (gps: TiffDirectory) =>
      (await dateOf(exifHead({ [EXIF.date]: TAKEN }, {}, gps)))?.offsetMinutes
    expect(await offset(gpsAt(10, 35, 20))).toBe(120)
    expect(await offset(gpsAt(7, 2, 50))).toBe(330)
    expect(await offset(gpsAt(12, 34, 56))).toBe(0)
    expect(await offset(gpsAt(12, 29, 56))).toBeUndefined()
  })

  test('has the offset of its place, where neither the file nor the satellites say one', async () => {
    const sydney = {
      1: 'S',
      2: {
        rational: [
          [33, 1],
          [52, 1],
          [0, 1]
        ]
      },
      3: 'E',
      4: {
        rational: [
          [151, 1],
          [12, 1],
          [0, 1]
        ]
      }
    } as const
    const at = (date: string, second: TiffDirectory = {}, gps: TiffDirectory = sydney) =>
      dateOf(exifHead({ [EXIF.date]: date, ...second }, {}, gps))
    expect(await at('2024:01:01 08:02:32')).toMatchObject({
      ms: Date.UTC(2023, 11, 31, 21, 2, 32),
      offsetMinutes: 660,
      zoneSource: 'place'
    })
    expect(await at('2024:07:01 08:02:32')).toMatchObject({ offsetMinutes: 600 })
    // an hour after clocks were put forward, when UTC was still on the day before
    expect(await at('2024:10:06 03:30:00')).toMatchObject({ offsetMinutes: 660 })
    const said = await at('2024:01:01 08:02:32', { [EXIF.offset]: '+02:00' })
    expect(said?.offsetMinutes).toBe(120)
    expect(said).not.toHaveProperty('zoneSource')
    expect((await at('2024:01:01'))?.offsetMinutes).toBeUndefined()
  })

  test('in UTC is told in local time: by the place, the name, the zone of the import', async () => {
    const ms = Date.UTC(2021, 4, 28, 12, 40, 43)
    const created = (ms - Date.UTC(1904, 0, 1)) / 1_000
    const inSydney = movieOf({ created, userData: { '\xa9xyz': '-33.8678+151.2073/' } })
    const zone = 'America/New_York'
    const dateIn = async (movie: Buffer, name: string): Promise<TakenAt | undefined> =>
      (await readHead(sourceOf(movie), { latestMs: LATEST, name, zone }))?.takenAt
    const named = 'VID_20210528_154038.mp4'
    expect(await dateIn(inSydney, named)).toMatchObject({ ms, offsetMinutes: 600, zoneSource: 'place' })
    expect(await dateIn(movieOf({ created }), named)).toMatchObject({ ms, offsetMinutes: 180, zoneSource: 'name' })
    expect(await dateIn(movieOf({ created }), 'a.mp4')).toMatchObject({ ms, offsetMinutes: -240, zoneSource: 'import' })
    const inName = 'PXL_20210528_124043000.jpg'
    expect(await dateIn(jpegHead(4, 3), inName)).toMatchObject({ ms, offsetMinutes: -240, zoneSource: 'import' })
  })

  test('is read from XMP, whose zone serves EXIF when the second is the same', async () => {
    const xmp = (attributes: string, ...more: Buffer[]) =>
      dateOf(headOf(jpegHead(4, 3, ...more, xmpSegment(packetOf(attributes)))))
    expect(await xmp('exif:DateTimeOriginal="2018-09-10T11:12:13"')).toMatchObject({
      source: 'xmp',
      ms: Date.UTC(2018, 8, 10, 11, 12, 13)
    })
    const exif = exifSegment(exifOf({ [EXIF.date]: TAKEN }))
    const inZone = 'photoshop:DateCreated="2024-06-30T12:34:56.25+09:00"'
    expect(await xmp(inZone, exif)).toMatchObject({ source: 'exif', offsetMinutes: 540 })
    expect(await xmp('xmp:CreateDate="2024-06-30T12:35:56+09:00"', exif)).toEqual(taken.takenAt)
    expect(
      await xmp('exif:DateTimeOriginal="2024-06-30T12:34:56" photoshop:DateCreated="2024-06-30T12:34:56+09:00"')
    ).toMatchObject({ offsetMinutes: 540 })
    expect(await xmp('xmp:CreateDate="1985"')).toEqual({
      ms: Date.UTC(1985, 0, 1, 12),
      source: 'xmp',
      precision: 'year'
    })
  })

  test('is read from IPTC', async () => {
    const dataset = (number: number, text: string): Buffer =>
      Buffer.concat([Buffer.of(0x1c, 2, number), u16(text.length), Buffer.from(text)])
    const photoshop = (...data: Buffer[]): Buffer => {
      const iptc = Buffer.concat(data)
      const resource = (id: number, body: Buffer): Buffer =>
        Buffer.concat([
          Buffer.from('8BIM'),
          u16(id),
          Buffer.alloc(2),
          u32(body.length),
          body,
          Buffer.alloc(body.length % 2)
        ])
      return segment(0xed, 'Photoshop 3.0\0', resource(0x03ed, Buffer.alloc(5)), resource(0x0404, iptc))
    }
    const date = dataset(55, '20240630')
    const read = (...data: Buffer[]) => headOf(jpegHead(4, 3, photoshop(...data)))
    expect(await read(date, dataset(60, '123456+0200'))).toMatchObject({
      takenAt: { ms: TAKEN_MS - 7_200_000, offsetMinutes: 120, source: 'iptc', precision: 'second' }
    })
    expect(await read(date)).toMatchObject({ takenAt: { ms: Date.UTC(2024, 5, 30, 12), precision: 'day' } })
    expect(await read(dataset(55, '19850000'))).toMatchObject({ takenAt: { precision: 'year' } })
    expect(await read(dataset(25, 'Kiel'), dataset(25, 'boats'), dataset(120, 'By the sea'))).toMatchObject({
      keywords: ['Kiel', 'boats'],
      caption: 'By the sea'
    })
  })

  test('is read from each place that a PNG has for it', async () => {
    const png = await toImage(scene(1, 8, 6))
      .png()
      .toBuffer()
    const exif = exifOf({ [EXIF.date]: TAKEN })
    expect(await headOf(pngWith(png, pngChunk('eXIf', exif)))).toMatchObject(taken)
    const packet = Buffer.from(packetOf('xmp:CreateDate="2024-06-30T12:34:56"'))
    const iTXt = (deflated: boolean): Buffer =>
      pngChunk(
        'iTXt',
        Buffer.concat([
          Buffer.from('XML:com.adobe.xmp\0'),
          Buffer.of(deflated ? 1 : 0, 0, 0, 0),
          deflated ? deflateSync(packet) : packet
        ])
      )
    for (const deflated of [false, true])
      expect(await headOf(pngWith(png, iTXt(deflated)))).toMatchObject({ takenAt: { ms: TAKEN_MS, source: 'xmp' } })
    const profile = Buffer.from(
      `\nexif\n${exif.length + 6}\n${Buffer.concat([Buffer.from('Exif\0\0'), exif])
        .toString('hex')
        .replace(/.{72}/g, '$&\n')}\n`
    )
    const named = (type: string, text: Buffer): Buffer =>
      pngChunk(type, Buffer.concat([Buffer.from('Raw profile type exif\0'), text]))
    expect(await headOf(pngWith(png, named('tEXt', profile)))).toMatchObject(taken)
    expect(
      await headOf(pngWith(png, named('zTXt', Buffer.concat([Buffer.of(0), deflateSync(profile)]))))
    ).toMatchObject(taken)
    expect(await headOf(pngWith(png, pngChunk('tIME', Buffer.of(7, 228, 3, 4, 5, 6, 7))))).toMatchObject({
      takenAt: { ms: Date.UTC(2020, 2, 4, 5, 6, 7), offsetMinutes: 0, source: 'modified' }
    })
  })
})

describe('what else a head says', () => {
  test('is the camera, without what its model repeats', async () => {
    const second = {
      33434: { rational: [[1, 250]] },
      33437: { rational: [[28, 10]] },
      34855: { short: [400] },
      37385: { short: [1] },
      37386: { rational: [[50, 1]] },
      41989: { short: [75] },
      42036: 'EF 50mm'
    } as const
    expect(await exifHead(second, { 271: 'Canon', 272: 'Canon EOS 80D' })).toMatchObject({
      camera: {
        make: 'Canon',
        model: 'EOS 80D',
        lens: 'EF 50mm',
        focalMm: 50,
        focal35Mm: 75,
        fNumber: 2.8,
        exposureS: 1 / 250,
        iso: 400,
        flash: true
      }
    })
    const odd = { 33434: { rational: [[1, 0]] }, 33437: { rational: [[0, 10]] } } as const
    expect(await exifHead(odd, { 271: '   ' })).toEqual({ format: 'jpeg', width: 40, height: 30 })
  })

  test('is the place, unless that is 0,0 or nowhere', async () => {
    const at = (ns: string, lat: number, ew: string, lon: number, more: TiffDirectory = {}) =>
      exifHead(
        {},
        {},
        {
          1: ns,
          2: {
            rational: [
              [lat, 1],
              [30, 1],
              [36, 1]
            ]
          },
          3: ew,
          4: {
            rational: [
              [lon, 1],
              [0, 1],
              [0, 1]
            ]
          },
          ...more
        }
      )
    const high = { 5: { bytes: Buffer.of(1), type: 1 }, 6: { rational: [[125, 10]] } } as const
    expect(await at('S', 33, 'E', 151, high)).toMatchObject({
      place: { latitude: -33.51, longitude: 151, altitude: -12.5 }
    })
    expect(await at('N', 91, 'E', 0)).not.toHaveProperty('place')
    const nowhere = {
      rational: [
        [0, 1],
        [0, 1],
        [0, 1]
      ]
    } as const
    expect(await exifHead({}, {}, { 1: 'N', 2: nowhere, 3: 'E', 4: nowhere })).not.toHaveProperty('place')
  })

  test('is what XMP lists: keywords, caption, rating', async () => {
    const inner = `<dc:subject><rdf:Bag><rdf:li>sea &amp; sand</rdf:li><rdf:li>K&#xF6;ln</rdf:li></rdf:Bag></dc:subject>
      <dc:description><rdf:Alt><rdf:li xml:lang="x-default">By the sea</rdf:li></rdf:Alt></dc:description>
      <xmp:Rating>-1</xmp:Rating><!-- <xmp:Rating>3</xmp:Rating> -->`
    expect(
      await headOf(
        jpegHead(4, 3, xmpSegment(packetOf('exif:GPSLatitude="48,8.5N" exif:GPSLongitude="11,34,30E"', inner)))
      )
    ).toMatchObject({
      keywords: ['sea & sand', 'Köln'],
      caption: 'By the sea',
      rating: -1,
      place: { latitude: 48.1416667, longitude: 11.575 }
    })
  })
})

test('an error of reading is passed on', async () => {
  const broken: ByteSource = { size: 100, read: () => Promise.reject(new Error('no such disk')) }
  await expect(readHead(broken, { latestMs: LATEST, name: '' })).rejects.toThrow('no such disk')
})
