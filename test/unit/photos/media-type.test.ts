import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mediaType } from '../../../src/photos/media-type.js'
import { tinyJpeg, tinyPng } from '../../support/photo-maker.js'

const ftyp = (brand: string): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from(`ftyp${brand}\0\0\0\0${brand}mif1`)])

/** The beginning of one file of each image format, and its type. */
const IMAGES: readonly (readonly [Buffer, string])[] = [
  [tinyJpeg(1), 'image/jpeg'],
  [tinyPng(1), 'image/png'],
  [Buffer.from('GIF89a'), 'image/gif'],
  [Buffer.from('RIFF\x10\0\0\0WEBPVP8 '), 'image/webp'],
  [Buffer.from('BM\0\0\0\0'), 'image/bmp'],
  [ftyp('heic'), 'image/heic'],
  [ftyp('avif'), 'image/avif'],
  [Buffer.from('0000000c4a584c200d0a870a', 'hex'), 'image/jxl'],
  [Buffer.from('0000000c6a5020200d0a870a00000014667479706a703220', 'hex'), 'image/jp2'],
  [Buffer.from(`49492a0008000000${'00'.repeat(16)}`, 'hex'), 'image/tiff'],
  [Buffer.from(`4d4d002a00000008${'00'.repeat(16)}`, 'hex'), 'image/tiff'],
  [Buffer.from('8BPS\0\x01'), 'image/vnd.adobe.photoshop'],
  [Buffer.from([0, 0, 1, 0, 1, 0]), 'image/x-icon'],
  [Buffer.from('FLIF1'), 'image/flif'],
  [Buffer.from('FUJIFILMCCD-RAW'), 'image/x-fujifilm-raf'],
  [Buffer.from('gimp xcf '), 'image/x-xcf'],
  [Buffer.from('ab4b5458203131bb0d0a1a0a', 'hex'), 'image/ktx'],
  [Buffer.from('AC1032'), 'image/vnd.dwg'],
  [Buffer.from('icns'), 'image/icns'],
  [Buffer.from('425047fb', 'hex'), 'image/bpg']
]

describe('mediaType', () => {
  test.each(IMAGES)('%j is an image by its bytes, whatever the client says', async (bytes, type) => {
    expect(await mediaType(bytes, 'text/html', 'x.txt')).toBe(type)
  })

  test.each([
    ['text/plain', 'a.jpg', 'text/plain'],
    [' Text/HTML; Charset=UTF-8; x=y', 'a', 'text/html; charset=utf-8'],
    ['application/octet-stream', 'a.pdf', 'application/pdf'],
    ['multipart/form-data; boundary=x', 'a.pdf', 'application/pdf'],
    ['nonsense', 'a.txt', 'text/plain'],
    ['text/plain\r\nX-Evil: 1', 'a.pdf', 'application/pdf'],
    [undefined, 'a.JSON', 'application/json'],
    [undefined, 'png', 'application/octet-stream'],
    [undefined, '', 'application/octet-stream']
  ])('else it is the declared type %j, then the one of the name %j', async (declared, name, type) => {
    expect(await mediaType(Buffer.from('plain words'), declared, name)).toBe(type)
  })

  test('a known signature of another kind of file does not overrule the client', async () => {
    expect(await mediaType(Buffer.from('%PDF-1.7'), undefined, 'a.txt')).toBe('text/plain')
    expect(await mediaType(Buffer.from('PK\x03\x04'), 'application/x-mine', 'a')).toBe('application/x-mine')
    expect(await mediaType(Buffer.from('AC-3'), 'audio/ac3', 'a')).toBe('audio/ac3')
  })

  test('no bytes after an image signature make it throw', async () => {
    const starts = IMAGES.map(([bytes]) => bytes.subarray(0, 16))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 6_000 }), async (start, rest) => {
        const bytes = Buffer.concat([start, rest])
        for (const cut of [bytes, bytes.subarray(0, 9)]) {
          expect(await mediaType(cut, undefined, '')).toMatch(/^image\/|^application\/octet-stream$/)
        }
      }),
      { numRuns: 500 }
    )
  })
})
