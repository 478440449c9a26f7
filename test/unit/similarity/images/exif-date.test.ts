import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { exifDate } from '../../../../src/similarity/images/exif-date.js'
import { scene, toImage } from '../../../support/test-pictures.js'

const TAKEN = '2024:06:30 12:34:56'
const TAKEN_MS = Date.UTC(2024, 5, 30, 12, 34, 56)

const DATE_TIME = 0x0132
const ORIGINAL = 0x9003
const DIGITIZED = 0x9004
const ZONE_OF_ORIGINAL = 0x9011
const ZONE_OF_DIGITIZED = 0x9012
const FRACTION_OF_ORIGINAL = 0x9291

interface Tags {
  readonly first?: Readonly<Record<number, string>>
  readonly second?: Readonly<Record<number, string>>
}

/** An EXIF block with texts only, as a camera of that byte order writes it. */
function exifOf({ first = {}, second = {} }: Tags, order: 'II' | 'MM' = 'II', prefix = 'Exif\0\0'): Buffer {
  const tiff = Buffer.alloc(1_000)
  const u16 = (value: number, at: number): number =>
    order === 'II' ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at)
  const u32 = (value: number, at: number): number =>
    order === 'II' ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at)
  tiff.write(order, 'latin1')
  u16(42, 2)
  u32(8, 4)
  let textAt = 500
  const directory = (tags: Readonly<Record<number, string>>, at: number, next?: number): void => {
    const entries = Object.entries(tags)
    u16(entries.length + (next === undefined ? 0 : 1), at)
    let entry = at + 2
    for (const [tag, text] of entries) {
      u16(Number(tag), entry)
      u16(2, entry + 2)
      u32(text.length + 1, entry + 4)
      if (text.length < 4) tiff.write(text, entry + 8, 'latin1')
      else {
        u32(textAt, entry + 8)
        textAt += tiff.write(`${text}\0`, textAt, 'latin1')
      }
      entry += 12
    }
    if (next === undefined) return
    u16(0x8769, entry)
    u16(4, entry + 2)
    u32(1, entry + 4)
    u32(next, entry + 8)
  }
  directory(first, 8, 200)
  directory(second, 200)
  return Buffer.concat([Buffer.from(prefix, 'latin1'), tiff])
}

describe('the date of a picture', () => {
  test.each(['II', 'MM'] as const)('is read from a block of byte order %s', order => {
    expect(exifDate(exifOf({ second: { [ORIGINAL]: TAKEN } }, order))).toBe(TAKEN_MS)
    expect(exifDate(exifOf({ second: { [ORIGINAL]: TAKEN } }, order, ''))).toBe(TAKEN_MS)
  })

  test('is in the zone given beside it', () => {
    const ahead = exifOf({ second: { [ORIGINAL]: TAKEN, [ZONE_OF_ORIGINAL]: '+05:30' } })
    const behind = exifOf({ second: { [ORIGINAL]: TAKEN, [ZONE_OF_ORIGINAL]: '-03:00' } })
    const unknown = exifOf({ second: { [ORIGINAL]: TAKEN, [ZONE_OF_ORIGINAL]: '   :  ' } })
    const ofAnother = exifOf({ second: { [ORIGINAL]: TAKEN, [ZONE_OF_DIGITIZED]: '+05:30' } })
    expect(exifDate(ahead)).toBe(TAKEN_MS - 5.5 * 3_600_000)
    expect(exifDate(behind)).toBe(TAKEN_MS + 3 * 3_600_000)
    expect(exifDate(unknown)).toBe(TAKEN_MS)
    expect(exifDate(ofAnother)).toBe(TAKEN_MS)
  })

  test('has the fraction of its second', () => {
    expect(exifDate(exifOf({ second: { [ORIGINAL]: TAKEN, [FRACTION_OF_ORIGINAL]: '25' } }))).toBe(TAKEN_MS + 250)
    expect(exifDate(exifOf({ second: { [ORIGINAL]: TAKEN, [FRACTION_OF_ORIGINAL]: '123456' } }))).toBe(TAKEN_MS + 123)
  })

  test('is when it was taken, else digitized, else changed', () => {
    const first = { [DATE_TIME]: '2026:01:01 00:00:00' }
    expect(exifDate(exifOf({ first, second: { [ORIGINAL]: TAKEN, [DIGITIZED]: '2025:01:01 00:00:00' } }))).toBe(
      TAKEN_MS
    )
    expect(exifDate(exifOf({ first, second: { [DIGITIZED]: TAKEN } }))).toBe(TAKEN_MS)
    expect(exifDate(exifOf({ first: { [DATE_TIME]: TAKEN } }))).toBe(TAKEN_MS)
  })

  test.each([
    '0000:00:00 00:00:00',
    '2024:02:30 10:00:00',
    '2024:13:01 10:00:00',
    '2024:06:30 25:00:00',
    '',
    '    :  :  '
  ])('is none when it says %j: the next best counts', text => {
    expect(exifDate(exifOf({ second: { [ORIGINAL]: text } }))).toBeUndefined()
    expect(exifDate(exifOf({ first: { [DATE_TIME]: TAKEN }, second: { [ORIGINAL]: text } }))).toBe(TAKEN_MS)
  })

  test('is found in EXIF written by a library', async () => {
    const exif = { IFD0: { Make: 'Camera' }, IFD2: { DateTimeOriginal: TAKEN, OffsetTimeOriginal: '+02:00' } }
    for (const format of ['jpeg', 'png', 'webp'] as const) {
      const bytes = await toImage(scene(1)).withExif(exif).toFormat(format).toBuffer()
      const metadata = await sharp(bytes).metadata()
      expect(exifDate(metadata.exif!), format).toBe(TAKEN_MS - 2 * 3_600_000)
    }
  })

  test('is undefined or a date for any bytes', () => {
    const valid = exifOf({ first: { [DATE_TIME]: TAKEN }, second: { [ORIGINAL]: TAKEN } })
    const damaged = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 20 }).map(changes => {
      const bytes = Buffer.from(valid)
      for (const [at, value] of changes) bytes[at] = value
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), fc.nat(1_100), (bytes, end) => {
        const date = exifDate(bytes.subarray(0, end))
        expect(date === undefined || Number.isSafeInteger(date)).toBe(true)
      })
    )
  })
})
