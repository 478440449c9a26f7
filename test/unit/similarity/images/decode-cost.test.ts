import type { Metadata } from 'sharp'
import { expect, test } from 'vitest'
import { requireDecodable } from '../../../../src/similarity/images/decode-cost.js'

const JPEG: Partial<Metadata> = { format: 'jpeg', channels: 3, depth: 'uchar', isProgressive: false }
const PROGRESSIVE: Partial<Metadata> = { ...JPEG, isProgressive: true, chromaSubsampling: '4:2:0' }
const PNG: Partial<Metadata> = { format: 'png', channels: 3, depth: 'uchar', isProgressive: false }
const INTERLACED: Partial<Metadata> = { ...PNG, isProgressive: true }
const AVIF: Partial<Metadata> = { format: 'heif', channels: 3, depth: 'uchar', isProgressive: false }

function check(head: Partial<Metadata>, width: number, height: number): void {
  requireDecodable({ ...head, width, height } as Metadata)
}

test.each<[string, Partial<Metadata>, number]>([
  ['a progressive JPEG, by time', PROGRESSIVE, 120],
  ['one with all of its colours, by memory', { ...PROGRESSIVE, chromaSubsampling: '4:4:4' }, 100],
  ['one for print, by memory', { ...PROGRESSIVE, chromaSubsampling: '4:4:4:4', channels: 4 }, 75],
  ['a PNG', PNG, 200],
  ['an interlaced PNG, by time', INTERLACED, 120],
  ['an interlaced PNG of 16 bits with alpha, by memory', { ...INTERLACED, channels: 4, depth: 'ushort' }, 66],
  ['a GIF', { format: 'gif', channels: 4, depth: 'uchar' }, 100],
  ['a WebP', { format: 'webp', channels: 3, depth: 'uchar' }, 200],
  ['a TIFF', { format: 'tiff', channels: 3, depth: 'uchar' }, 200],
  ['an AVIF', AVIF, 32],
  ['an AVIF of more than 8 bits', { ...AVIF, depth: 'ushort' }, 22]
])('%s may have %i megapixels', (_, head, megapixels) => {
  check(head, 1_000, megapixels * 1_000)
  const tooLarge = expect.objectContaining({ code: 'ERR_IMAGE_TOO_LARGE' })
  expect(() => check(head, 1_000, megapixels * 1_000 + 1_000)).toThrow(tooLarge)
})

test('a JPEG whose rows come one after the other may have any size that the format can say', () => {
  check(JPEG, 65_535, 65_535)
})

test('frames count, whatever they cost', () => {
  check({ format: 'webp', pages: 5_000 }, 10, 10)
  expect(() => check({ format: 'webp', pages: 5_001 }, 10, 10)).toThrow('5001 frames')
})
