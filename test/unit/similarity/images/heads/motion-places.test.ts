import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Motion } from '../../../../../src/domain/photo-facts.js'
import { sourceOf } from '../../../../../src/similarity/images/heads/head-bytes.js'
import { readHead } from '../../../../../src/similarity/images/heads/read-head.js'
import { exifOf, exifSegment, heifHead, jpegHead, movieOf, packetOf } from '../../../../support/head-files.js'
import {
  directoryOf,
  jpegWith,
  type ListedItem,
  MOTION,
  MOVIE,
  motionJpeg,
  mpvd,
  samsungTrailer
} from '../../../../support/motion-files.js'

const HINTS = { latestMs: 0, name: '' }
const PRIMARY: ListedItem = { semantic: 'Primary', mime: 'image/jpeg', length: 0 }

async function motionIn(file: Buffer): Promise<Motion | undefined> {
  return (await readHead(sourceOf(file), HINTS))?.media?.motion
}

/** @returns the bytes that are said to be the movie */
async function movieIn(file: Buffer): Promise<Buffer | undefined> {
  const motion = await motionIn(file)
  return motion && file.subarray(motion.at, motion.at + motion.length)
}

/** A JPEG of Samsung with this behind it. */
function samsung(...behind: readonly Buffer[]): Buffer {
  const exif = exifSegment(exifOf({}, { 271: 'samsung' }))
  return Buffer.concat([jpegHead(40, 30, exif), Buffer.alloc(900, 5), ...behind])
}

describe('the movie behind a picture is found', () => {
  const gainMap = Buffer.alloc(300, 3)
  const mapItem: ListedItem = { semantic: 'GainMap', mime: 'image/jpeg', length: gainMap.length }
  const heic = heifHead({
    width: 40,
    height: 30,
    xmp: packetOf('GCamera:MotionPhoto="1"', directoryOf([{ ...PRIMARY, padding: 8 }, MOTION]))
  })
  const files: [string, Buffer][] = [
    ['that XMP lists', motionJpeg()],
    [
      'that XMP lists by its longer names',
      jpegWith(directoryOf([PRIMARY, MOTION], ['GContainer', 'GContainerItem']), '', MOVIE)
    ],
    ['behind a gain map', motionJpeg([PRIMARY, mapItem, MOTION], gainMap, MOVIE)],
    ['before a gain map', motionJpeg([PRIMARY, MOTION, mapItem], MOVIE, gainMap)],
    ['with padding before it', motionJpeg([PRIMARY, { ...MOTION, padding: 8 }], Buffer.alloc(8), MOVIE)],
    ['with padding behind it', motionJpeg([PRIMARY, { ...MOTION, padding: 8 }], MOVIE, Buffer.alloc(8))],
    ['that is said to be a movie only by its type', motionJpeg([PRIMARY, { ...MOTION, semantic: '' }])],
    [
      'so many bytes from the end',
      jpegWith('', `GCamera:MicroVideo="1" GCamera:MicroVideoOffset="${MOVIE.length}"`, MOVIE)
    ],
    ['in the trailer of Samsung', samsung(samsungTrailer([{ data: MOVIE }]))],
    [
      'among others there',
      samsung(
        samsungTrailer([
          { type: 0x0a01, name: 'Image_UTC_Data', data: Buffer.from('1700000000000') },
          { data: MOVIE },
          { type: 0x0a41, name: 'MCC_Data', data: Buffer.from('262') }
        ])
      )
    ],
    ['in a HEIC, in a box', Buffer.concat([heifHead({ width: 40, height: 30 }), mpvd(MOVIE)])],
    ['in a HEIC, as XMP lists it', Buffer.concat([heic, mpvd(MOVIE)])]
  ]
  test.each(files)('%s', async (_, file) => {
    expect((await movieIn(file))?.equals(MOVIE)).toBe(true)
    expect(await motionIn(file)).toMatchObject({ contentType: 'video/mp4' })
  })

  test('with its type', async () => {
    const movie = movieOf({ seconds: 2, data: Buffer.alloc(100) })
    const file = motionJpeg([PRIMARY, { ...MOTION, length: movie.length }], movie)
    expect(await motionIn(file)).toEqual({
      at: file.length - movie.length,
      length: movie.length,
      contentType: 'video/quicktime'
    })
  })

  test('without reading the movie', async () => {
    const file = Buffer.concat([
      samsung(),
      Buffer.alloc(2 ** 20),
      samsungTrailer([{ data: Buffer.concat([MOVIE, Buffer.alloc(2 ** 21)]) }])
    ])
    const source = sourceOf(file)
    let reads = 0
    let bytes = 0
    const read = (at: number, length: number): Promise<Uint8Array> => {
      reads++
      bytes += length
      return source.read(at, length)
    }
    const head = await readHead({ size: file.length, read }, HINTS)
    expect(head?.media?.motion?.length).toBe(MOVIE.length + 2 ** 21)
    expect(reads).toBeLessThanOrEqual(5)
    expect(bytes).toBeLessThan(160_000)
  })
})

describe('no movie is', () => {
  const lengths = ['-5', '0', '', 'NaN', '1e3', '0x40', '12.5', '999999999999999', '99999999999999999999']
  test.each(lengths)('one of %j bytes', async length => {
    expect(await motionIn(motionJpeg([PRIMARY, { ...MOTION, length }]))).toBeUndefined()
    expect(await motionIn(jpegWith('', `GCamera:MicroVideoOffset="${length}"`, MOVIE))).toBeUndefined()
  })

  test('one before more than the file has', async () => {
    const behind = { semantic: 'GainMap', length: '999999999999999' }
    expect(await motionIn(motionJpeg([PRIMARY, MOTION, behind]))).toBeUndefined()
  })

  test('what does not begin as one: programs leave what is said of it', async () => {
    expect(await motionIn(motionJpeg([PRIMARY, MOTION], Buffer.alloc(MOVIE.length)))).toBeUndefined()
    expect(await motionIn(motionJpeg([PRIMARY, { ...MOTION, length: MOVIE.length - 1 }]))).toBeUndefined()
    expect(await motionIn(jpegWith(directoryOf([PRIMARY, MOTION]), ''))).toBeUndefined()
  })

  test('the picture itself, which begins alike', async () => {
    const xmp = (offset: number): string => packetOf(`GCamera:MicroVideoOffset="${String(offset).padStart(5, '0')}"`)
    const { length } = heifHead({ width: 40, height: 30, xmp: xmp(0) })
    expect(await motionIn(heifHead({ width: 40, height: 30, xmp: xmp(length) }))).toBeUndefined()
  })

  test('in a trailer that says what cannot be', async () => {
    const changes: ((directory: Buffer) => void)[] = [
      directory => directory.write('SEFX'),
      directory => directory.writeUInt32LE(0, 8),
      directory => directory.writeUInt32LE(0xffff_ffff, 16),
      directory => directory.writeUInt32LE(0, 16),
      directory => directory.writeUInt32LE(0xffff_ffff, 20),
      directory => directory.writeUInt32LE(0, 20),
      directory => directory.writeUInt32LE(20, 20)
    ]
    for (const change of changes)
      expect(await motionIn(samsung(samsungTrailer([{ data: MOVIE }], change)))).toBeUndefined()
    const long = Array.from({ length: 1_500 }, () => ({ type: 1, data: Buffer.alloc(1) }))
    expect(await motionIn(samsung(samsungTrailer([{ data: MOVIE }, ...long])))).toBeUndefined()
    const many = samsung(samsungTrailer([{ data: MOVIE }], directory => directory.writeUInt32LE(0xffff_ffff, 8)))
    expect((await motionIn(many))?.length).toBe(MOVIE.length)
    for (const length of [0, 7, 2 ** 31, 0xffff_ffff]) {
      const file = samsung(samsungTrailer([{ data: MOVIE }]))
      file.writeUInt32LE(length, file.length - 8)
      expect(await motionIn(file)).toBeUndefined()
    }
    const named = samsung(samsungTrailer([{ data: MOVIE }]))
    named.writeUInt32LE(0xffff_fff0, named.indexOf('MotionPhoto_Data') - 4)
    expect(await motionIn(named)).toBeUndefined()
  })

  test('outside of the file, whatever is said', async () => {
    const text = fc.oneof(
      fc.integer({ min: -10, max: 4_000 }).map(String),
      fc.string({ maxLength: 6 }).filter(it => !/[<>"&]/.test(it))
    )
    const item = fc.record({
      semantic: fc.constantFrom('Primary', 'MotionPhoto', 'GainMap'),
      length: text,
      padding: text
    })
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 40 }), text, async (items, offset) => {
        const file = jpegWith(directoryOf(items), `GCamera:MicroVideoOffset="${offset}"`, MOVIE, MOVIE)
        const motion = await motionIn(file)
        if (motion === undefined) return
        expect(motion.at).toBeGreaterThan(0)
        expect(motion.at + motion.length).toBeLessThanOrEqual(file.length)
        expect(file.toString('latin1', motion.at + 4, motion.at + 8)).toBe('ftyp')
      }),
      { numRuns: 300 }
    )
  })

  test('in a movie', async () => {
    expect(await motionIn(Buffer.concat([movieOf({ seconds: 2 }), mpvd(MOVIE)]))).toBeUndefined()
  })
})
