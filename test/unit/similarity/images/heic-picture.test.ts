import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodingTools } from '../../../../src/similarity/images/decoding-tools.js'
import { decodeHeic } from '../../../../src/similarity/images/heif/heic-picture.js'
import { openPicture } from '../../../../src/similarity/images/picture.js'
import { type Pixels, pixelsOf, toSharp } from '../../../../src/similarity/images/pixels.js'
import {
  FLAT_64,
  FLAT_512,
  FOUR_COLOURS_64,
  FOUR_COLOURS_709_64,
  type HeicParts,
  heicFile
} from '../../../support/heic-files.js'

const HEIF = decodingTools({ heic: true, ffmpeg: false })
const RED = [0xcc, 0x33, 0x33]
const GREEN = [0x33, 0xcc, 0x33]
const BLUE = [0x33, 0x33, 0xcc]
const YELLOW = [0xcc, 0xcc, 0x33]

function colourAt({ data, width, channels }: Pixels, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * channels, (y * width + x) * channels + 3)]
}

/** From the upper left, row by row. */
function cornersOf(pixels: Pixels): string[] {
  const names = { red: RED, green: GREEN, blue: BLUE, yellow: YELLOW }
  const { width, height } = pixels
  const places = [
    [8, 8],
    [width - 8, 8],
    [8, height - 8],
    [width - 8, height - 8]
  ] as const
  return places.map(([x, y]) => {
    const colour = colourAt(pixels, x, y)
    const isNear = ([, other]: [string, number[]]): boolean =>
      other.every((value, i) => Math.abs(value - (colour[i] as number)) < 12)
    return Object.entries(names).find(isNear)?.[0] ?? colour.join()
  })
}

async function opened(parts: HeicParts): Promise<Awaited<ReturnType<typeof openPicture>>> {
  return openPicture(heicFile(parts), HEIF)
}

function expectNear(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  for (const [i, value] of actual.entries())
    expect(Math.abs(value - (expected[i] as number))).toBeLessThanOrEqual(tolerance)
}

test('the decoder is installed, or these tests say nothing', () => {
  expect([...HEIF]).toEqual(['heif'])
  expect(decodingTools({ heic: false, ffmpeg: false }).size).toBe(0)
})

describe('a HEIC', () => {
  test('is decoded, in the size that is said of it', async () => {
    const picture = await opened({ tile: FLAT_64 })
    expect(picture).toMatchObject({ width: 64, height: 64, format: 'heif', state: 'whole', input: { channels: 3 } })
    expectNear(colourAt(picture.input, 30, 30), [0x33, 0x66, 0xcc], 4)
  })

  test('of tiles is put together, and cut to its size', async () => {
    const { width, height, input } = await opened({
      tile: FOUR_COLOURS_64,
      columns: 3,
      rows: 2,
      width: 160,
      height: 120
    })
    expect([width, height, input.width, input.height]).toEqual([160, 120, 160, 120])
    expect([colourAt(input, 70, 8), colourAt(input, 8, 72)].map(colour => colour[0])).toEqual([
      expect.closeTo(0xcc, -1.2),
      expect.closeTo(0xcc, -1.2)
    ])
    expect(cornersOf(input)).toEqual(['red', 'red', 'blue', 'blue'])
  })

  test('is the primary picture, not the first', async () => {
    const { input } = await opened({ tile: FOUR_COLOURS_64, first: FLAT_64 })
    expect(cornersOf(input)).toEqual(['red', 'green', 'blue', 'yellow'])
  })

  const corners: [string, HeicParts['turns'], string][] = [
    ['a quarter anticlockwise', [{ irot: 1 }], 'green yellow red blue'],
    ['half a turn', [{ irot: 2 }], 'yellow blue green red'],
    ['a quarter clockwise', [{ irot: 3 }], 'blue red yellow green'],
    ['top to bottom', [{ imir: 0 }], 'blue yellow red green'],
    ['left to right', [{ imir: 1 }], 'green red yellow blue'],
    ['a quarter anticlockwise, then top to bottom', [{ irot: 1 }, { imir: 0 }], 'red blue green yellow'],
    ['a quarter anticlockwise, then left to right', [{ irot: 1 }, { imir: 1 }], 'yellow green blue red'],
    ['half a turn, then top to bottom', [{ irot: 2 }, { imir: 0 }], 'green red yellow blue'],
    ['half a turn, then left to right', [{ irot: 2 }, { imir: 1 }], 'blue yellow red green'],
    ['a quarter clockwise, then top to bottom', [{ irot: 3 }, { imir: 0 }], 'yellow green blue red'],
    ['a quarter clockwise, then left to right', [{ irot: 3 }, { imir: 1 }], 'red blue green yellow'],
    ['left to right, then a quarter anticlockwise', [{ imir: 1 }, { irot: 1 }], 'red blue green yellow']
  ]
  test.each(corners)('is turned %s', async (_, turns, expected) => {
    const { input } = await opened({ tile: FOUR_COLOURS_64, turns: turns ?? [] })
    expect(cornersOf(input).join(' ')).toBe(expected)
  })

  test('that is turned has its sides the other way round', async () => {
    const picture = await opened({ tile: FLAT_64, columns: 2, rows: 1, width: 100, height: 60, turns: [{ irot: 3 }] })
    expect(picture).toMatchObject({ width: 60, height: 100, input: { width: 60, height: 100 } })
  })

  test.each(['its profile', 'its primaries'])('has the colours of sRGB, by %s', async how => {
    const profiled = sharp({ create: { width: 1, height: 1, channels: 3, background: '#000' } }).withIccProfile('p3')
    const { icc } = await sharp(await profiled.png().toBuffer()).metadata()
    const { input } = await opened({
      tile: FOUR_COLOURS_64,
      ...(how === 'its profile' ? { profile: icc as Buffer } : { primaries: 12 })
    })
    // what is red there is redder here
    const [red, green] = colourAt(input, 8, 8) as [number, number]
    expect(red).toBeGreaterThan(0xd2)
    expect(green).toBeLessThan(0x2e)
  })

  test.each<[string, Partial<HeicParts>]>([
    ['of the usual colours', {}],
    ['of the colours of video', { tile: FOUR_COLOURS_709_64 }],
    ['of a matrix that is said beside the stream', { primaries: 9, matrix: 9 }],
    ['of a matrix that means something else', { primaries: 1, matrix: 8 }]
  ])('%s has the same ones when it is shrunk', async (_, parts) => {
    const bytes = heicFile({ tile: FOUR_COLOURS_64, columns: 3, rows: 2, ...parts })
    const whole = await decodeHeic(bytes, 192)
    for (const factor of [2, 3, 4]) {
      const { pixels, width } = await decodeHeic(bytes, 192 / factor)
      expect([width, pixels.width, pixels.height]).toEqual([192, 192 / factor, Math.floor(128 / factor)])
      const shrunk = await pixelsOf(toSharp(whole.pixels).resize(pixels.width, pixels.height, { kernel: 'linear' }))
      for (const x of [8, 24, 40, 56]) {
        const at = (of: Pixels): number[] => colourAt(of, Math.floor(x / factor), Math.floor(8 / factor))
        expectNear(at(pixels), at(shrunk), 3)
      }
    }
  })

  test('whose sides are odd is shrunk to whole pixels', async () => {
    const bytes = heicFile({ tile: FOUR_COLOURS_64, columns: 3, rows: 2, width: 191, height: 127 })
    const { pixels } = await decodeHeic(bytes, 95)
    expect([pixels.width, pixels.height, pixels.data.length]).toEqual([95, 63, 95 * 63 * 3])
    expect(cornersOf(pixels)).toEqual(['red', 'green', 'blue', 'yellow'])
  })

  test('with a gain map is the picture that is primary, not the alternative that is named before it', async () => {
    for (const grid of [{}, { columns: 2, rows: 1 }]) {
      const { width, input } = await opened({ tile: FOUR_COLOURS_64, gainMap: FLAT_64, ...grid })
      expect(width).toBe('columns' in grid ? 128 : 64)
      expect(cornersOf(input)).toEqual(['red', 'green', 'blue', 'yellow'])
    }
  })

  test('of 48 megapixels is shrunk while it is decoded', async () => {
    const { width, height, input } = await opened({
      tile: FLAT_512,
      columns: 16,
      rows: 12,
      width: 8_064,
      height: 6_048
    })
    expect([width, height]).toEqual([8_064, 6_048])
    expect([input.width, input.height]).toEqual([2_016, 1_512])
    expectNear(colourAt(input, 2_000, 1_500), [0x33, 0x66, 0xcc], 4)
  })
})

describe('what is not decoded', () => {
  const unreadable = { code: 'ERR_IMAGE_UNREADABLE' }
  const tooLarge = { code: 'ERR_IMAGE_TOO_LARGE' }

  test('any HEIC without the tool, with what to do about it', async () => {
    const bytes = heicFile({ tile: FLAT_64 })
    await expect(openPicture(bytes)).rejects.toMatchObject({
      ...unreadable,
      message: expect.stringContaining('libheif-js')
    })
  })

  test.each([30, 60, 90, 99])('one that is cut to %i %', async percent => {
    const whole = heicFile({ tile: FLAT_512, columns: 2, rows: 2 })
    await expect(openPicture(whole.subarray(0, (whole.length * percent) / 100), HEIF)).rejects.toMatchObject(unreadable)
  })

  test('one whose tile claims to be smaller than it is, and the next is fine', async () => {
    await expect(opened({ tile: FLAT_512, width: 64, height: 64 })).rejects.toMatchObject(unreadable)
    expect(await opened({ tile: FLAT_64 })).toMatchObject({ width: 64 })
  })

  test('one in one piece that is too large for the memory, and one of too many tiles, before any is decoded', async () => {
    await expect(opened({ tile: FLAT_512, width: 9_000, height: 9_000 })).rejects.toMatchObject(tooLarge)
    const many = { tile: FLAT_512, columns: 40, rows: 30 }
    await expect(opened(many)).rejects.toMatchObject({ code: expect.stringMatching(/TOO_LARGE|UNREADABLE/) })
  })

  test('damaged ones are an error, or a picture, and the next is fine', async () => {
    const whole = heicFile({ tile: FOUR_COLOURS_64, columns: 2, rows: 2 })
    for (let at = 20; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole)
      damaged[at] = 0xff - (damaged[at] as number)
      const outcome = await openPicture(damaged, HEIF).catch((err: unknown) => err)
      expect(outcome).toSatisfy(
        (it: { readonly state?: string; readonly code?: string }) =>
          it.state === 'whole' || it.code === unreadable.code || it.code === tooLarge.code
      )
    }
    expect(cornersOf((await openPicture(whole, HEIF)).input)).toEqual(['red', 'green', 'blue', 'yellow'])
  })
})
