import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'
import { openPicture } from '../../../../src/similarity/images/picture.js'
import type { Pixels } from '../../../../src/similarity/images/pixels.js'
import { pngChunk } from '../../../support/head-files.js'

const WIDTH = 160
const HEIGHT = 400
/** Rows of a JPEG that are there, or not, together. */
const BLOCK = 16
const GREY = 128
const UNREADABLE = { code: 'ERR_IMAGE_UNREADABLE' }

/** No two rows are alike. */
function noise(): Sharp {
  const grain = { type: 'gaussian', mean: 128, sigma: 40 } as const
  return sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#000', noise: grain } })
}

/** @returns the first row from which all is grey; the height when none is */
function greyFrom({ data, width, height, channels }: Pixels): number {
  const rowBytes = width * channels
  let y = height
  while (
    y > 0 &&
    data
      .subarray((y - 1) * rowBytes, y * rowBytes)
      .every((value, i) => (i % channels === 3 ? value === 255 : value === GREY))
  )
    y--
  return y
}

/** @returns red, green and blue of the upper rows */
function upperRows({ data, width, channels }: Pixels, rows: number): number[] {
  return [...data.subarray(0, rows * width * channels)].filter((_, i) => i % channels < 3)
}

const formats = {
  JPEG: noise().jpeg({ quality: 90 }),
  PNG: noise().png(),
  GIF: noise().gif({ effort: 1 })
}

describe.each(Object.entries(formats))('a %s', (_, image) => {
  const made = image.toBuffer()

  test.each([10, 30, 50, 70, 90])('that is cut to %i % shows its upper rows, and grey below', async percent => {
    const whole = await made
    const { width, height, state, input } = await openPicture(whole.subarray(0, (whole.length * percent) / 100))
    expect([width, height, state]).toEqual([WIDTH, HEIGHT, 'partial'])
    const rows = greyFrom(input)
    expect(Math.abs(rows / HEIGHT - percent / 100)).toBeLessThan(0.08)
    const sound = rows - BLOCK
    expect(upperRows(input, sound)).toEqual(upperRows((await openPicture(whole)).input, sound))
  })

  test('of which hardly anything is there is no picture', async () => {
    const whole = await made
    await expect(openPicture(whole.subarray(0, 500))).rejects.toMatchObject(UNREADABLE)
  })

  test('without its last two bytes is as good as whole', async () => {
    const whole = await made
    expect(await openPicture(whole.subarray(0, -2))).toMatchObject({ state: 'whole' })
  })
})

test('a cut file is turned upright: its lower rows may be on the left', async () => {
  const whole = await noise().withMetadata({ orientation: 6 }).jpeg().toBuffer()
  const { width, height, input } = await openPicture(whole.subarray(0, whole.length / 2))
  expect([width, height, input.width, input.height]).toEqual([HEIGHT, WIDTH, HEIGHT, WIDTH])
  const side = (x: number): number[] => [0, WIDTH - 1].map(y => input.data[(y * HEIGHT + x) * 3] as number)
  expect(side(0)).toEqual([GREY, GREY])
  expect(side(HEIGHT - 1)).not.toEqual([GREY, GREY])
})

test('a progressive JPEG has something of all rows', async () => {
  const whole = await noise().jpeg({ progressive: true }).toBuffer()
  const { state, input } = await openPicture(whole.subarray(0, whole.length / 2))
  expect([state, greyFrom(input)]).toEqual(['partial', HEIGHT])
})

test('of an interlaced PNG there is nothing', async () => {
  const whole = await noise().png({ progressive: true }).toBuffer()
  await expect(openPicture(whole.subarray(0, whole.length / 2))).rejects.toMatchObject(UNREADABLE)
})

test('what is below the cut of a PNG is none of the memory that the decoder used before', async () => {
  const whole = await noise().png().toBuffer()
  const { data, channels } = (await openPicture(whole.subarray(0, whole.length / 2))).input
  const below = data.subarray(0.6 * HEIGHT * WIDTH * channels)
  expect(new Set(below)).toEqual(new Set([GREY]))
})

test('a PNG in a hundred thousand pieces is looked through once', async () => {
  const whole = await noise().png().toBuffer()
  const crumbs = Buffer.concat(Array.from({ length: 100_000 }, () => pngChunk('IDAT', Buffer.alloc(0))))
  const cut = Buffer.concat([whole.subarray(0, 33), crumbs, whole.subarray(33, whole.length / 2)])
  const picture = await openPicture(cut).catch((err: unknown) => err)
  expect(picture).toSatisfy(
    (it: { readonly state?: string; readonly code?: string }) => it.state === 'partial' || it.code === UNREADABLE.code
  )
})
