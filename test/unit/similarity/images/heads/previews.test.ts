import { beforeAll, describe, expect, test } from 'vitest'
import { sourceOf } from '../../../../../src/similarity/images/heads/head-bytes.js'
import type { Head } from '../../../../../src/similarity/images/heads/head-facts.js'
import { readHead } from '../../../../../src/similarity/images/heads/read-head.js'
import { EXIF, exifSegment, jpegHead, tiffOf } from '../../../../support/head-files.js'
import { rawFiles } from '../../../../support/raw-files.js'
import { scene, toImage } from '../../../../support/test-pictures.js'

/** Those of the smaller one, its frame said to be lossless. */
function lossless(jpeg: Buffer): Buffer {
  const copy = Buffer.from(jpeg)
  copy[copy.indexOf(Buffer.of(0xff, 0xc0)) + 1] = 0xc3
  return copy
}

async function headOf(file: Buffer): Promise<Head | undefined> {
  return readHead(sourceOf(file), { latestMs: Date.UTC(2026, 0, 1), name: '' })
}

let preview: Buffer
let thumbnail: Buffer

beforeAll(async () => {
  const jpegOf = (width: number, height: number): Promise<Buffer> =>
    toImage(scene(1, width, height))
      .jpeg()
      .toBuffer()
  preview = await jpegOf(96, 64)
  thumbnail = await jpegOf(24, 16)
})

const KINDS = Object.keys(rawFiles(Buffer.alloc(1), Buffer.alloc(1), 'II'))

describe.each(['II', 'MM'] as const)('the preview of a RAW file, %s', order => {
  test.each(KINDS)('is found in %s, byte for byte', async kind => {
    const file = rawFiles(preview, thumbnail, order)[kind] as Buffer
    const { format, orientation, previews = [] } = (await headOf(file)) as Head
    expect(format).toBe(kind.slice(0, 3))
    const [first] = previews
    expect(first).toMatchObject({ width: 96, height: 64 })
    const found = file.subarray(first?.at, (first?.at ?? 0) + (first?.length ?? 0))
    expect(found.subarray(0, preview.length).equals(preview)).toBe(true)
    // a box of CR3 is a little longer than what is in it
    expect(found.length - preview.length).toBeLessThan(8)
    expect(orientation).toBe(kind === 'raf' ? undefined : 6)
  })

  test.each(['dng', 'cr2', 'arw', 'pef', 'cr3'])('is the next best in %s when the largest is lossless', async kind => {
    const file = rawFiles(lossless(preview), thumbnail, order)[kind] as Buffer
    const { previews } = (await headOf(file)) as Head
    expect(previews).toMatchObject([{ width: 24, height: 16, length: thumbnail.length }])
  })

  test('is the next best when the largest is beyond the end', async () => {
    const file = rawFiles(thumbnail, preview, order).pef as Buffer
    const at = file.indexOf(preview)
    const cut = Buffer.concat([file.subarray(0, at), thumbnail, file.subarray(at + preview.length, -40)])
    expect((await headOf(cut))?.previews ?? []).not.toContainEqual(expect.objectContaining({ width: 96 }))
  })
})

test('a JPEG has the thumbnail of its EXIF', async () => {
  const block = tiffOf({ 271: 'Canon' }, 'II', 42, '', {
    pages: [{ 513: { place: thumbnail }, 514: { long: [thumbnail.length] } }]
  })
  const file = jpegHead(20_000, 10_000, exifSegment(block))
  const { previews } = (await headOf(file)) as Head
  expect(previews).toEqual([{ at: file.indexOf(thumbnail), length: thumbnail.length, width: 24, height: 16 }])
})

test('what is no JPEG, or no place, is no preview', async () => {
  const places: readonly (readonly [number, number])[] = [
    [0, 100],
    [16, 4],
    [2 ** 31, 100],
    [40, 2 ** 31]
  ]
  const pages = places.map(([at, length]) => ({ 513: { long: [at] }, 514: { long: [length] } }))
  const fraction = { 513: { rational: [[50, 3]] as const }, 514: { long: [9] } }
  expect(
    await headOf(tiffOf({ [EXIF.changed]: 'x' }, 'II', 42, '', { pages: [...pages, fraction] }))
  ).not.toHaveProperty('previews')
})

test('pages in a circle end', async () => {
  const file = tiffOf({ 271: 'SONY', 513: { place: thumbnail }, 514: { long: [thumbnail.length] } })
  file.writeUInt32LE(16, 16 + 2 + 3 * 12) // the next page is the first
  expect((await headOf(file))?.previews).toHaveLength(1)
})
