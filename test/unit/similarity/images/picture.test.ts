import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'
import { configureDecoding, openPicture, type Picture } from '../../../../src/similarity/images/picture.js'
import { luminanceOf, type Pixels, squareOf } from '../../../../src/similarity/images/pixels.js'
import { claimedAvif, claimedPng, gifOf, scene, storedAs, toImage } from '../../../support/test-pictures.js'

const upright = scene(3)

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length)
  let sum = 0
  for (const [i, value] of a.entries()) sum += Math.abs(value - b[i]!)
  return sum / a.length
}

function flat(color: string, channels: 3 | 4 = 3): Sharp {
  return sharp({ create: { width: 32, height: 16, channels, background: color } })
}

/** The decoded pixel in the middle. */
async function middleOf(image: Sharp): Promise<number[]> {
  const { input: base } = await openPicture(await image.toBuffer())
  const at = (8 * base.width + 16) * base.channels
  return [...base.data.subarray(at, at + base.channels)]
}

function expectNear(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual).toHaveLength(expected.length)
  for (const [i, value] of actual.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(tolerance)
}

describe('the orientation in a file', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('%i gives the upright picture', async orientation => {
    const stored = toImage(storedAs(orientation, upright)).withMetadata({ orientation })
    const picture = await openPicture(await stored.png().toBuffer())
    expect(picture).toMatchObject({ width: upright.width, height: upright.height })
    expect(picture.input).toEqual(upright)
    expect(await picture.base(2_048)).toEqual(upright)
  })

  test.each([5, 6, 7, 8])('%i rotates smaller versions, too', async orientation => {
    const large = toImage(upright).resize(3_000, 2_000)
    const { data, info } = await large.raw().toBuffer({ resolveWithObject: true })
    const pixels: Pixels = { data, width: info.width, height: info.height, channels: 3 }
    const stored = toImage(storedAs(orientation, pixels)).withMetadata({ orientation })
    const picture = await openPicture(await stored.jpeg({ quality: 95 }).toBuffer())
    expect(picture).toMatchObject({ width: 3_000, height: 2_000, input: { width: 640, height: 427 } })
    const base = await picture.base(2_048)
    expect(base).toMatchObject({ width: 2_048, height: 1_365 })
    const [a, b, c] = await Promise.all([base, picture.input, pixels].map(side => squareOf(side, 64, 'fill')))
    expect(meanDifference(a!, c!)).toBeLessThan(2)
    expect(meanDifference(b!, c!)).toBeLessThan(2)
  })
})

describe('formats', () => {
  const lossy: Record<string, () => Sharp> = {
    JPEG: () => toImage(upright).jpeg({ quality: 95 }),
    'JPEG, progressive': () => toImage(upright).jpeg({ quality: 95, progressive: true }),
    PNG: () => toImage(upright).png(),
    'PNG, palette': () => toImage(upright).png({ palette: true }),
    'PNG, interlaced': () => toImage(upright).png({ progressive: true }),
    'PNG, 16 bits': () => toImage(upright).toColourspace('rgb16').png(),
    WebP: () => toImage(upright).webp({ quality: 95 }),
    GIF: () => toImage(upright).gif(),
    TIFF: () => toImage(upright).tiff({ compression: 'lzw' }),
    'TIFF, 16 bits': () => toImage(upright).toColourspace('rgb16').tiff({ compression: 'deflate' }),
    AVIF: () => toImage(upright).avif({ quality: 90, effort: 0 })
  }
  test.each(Object.entries(lossy))('%s is decoded to 8-bit sRGB', async (_, image) => {
    const picture: Picture = await openPicture(await image().toBuffer())
    expect(picture).toMatchObject({ width: 96, height: 64 })
    expect(picture.input).toMatchObject({ width: 96, height: 64, channels: 3 })
    expect(meanDifference(picture.input.data, upright.data)).toBeLessThan(5)
  })

  test('grayscale pictures have three channels, too', async () => {
    for (const image of [flat('#888').toColourspace('b-w').png(), flat('#888').toColourspace('grey16').png()]) {
      expectNear(await middleOf(image), [0x88, 0x88, 0x88], 1)
    }
    expectNear(await middleOf(flat('#888').toColourspace('b-w').jpeg()), [0x88, 0x88, 0x88], 2)
  })

  test('CMYK is converted to sRGB', async () => {
    const cmyk = flat('#3366cc').toColourspace('cmyk')
    expect((await sharp(await cmyk.jpeg().toBuffer()).metadata()).space).toBe('cmyk')
    expectNear(await middleOf(cmyk.jpeg({ quality: 100 })), [0x33, 0x66, 0xcc], 40) // not every sRGB color can be printed
  })

  test('colors of another profile are converted to sRGB', async () => {
    const wide = flat('rgb(50, 200, 80)').withIccProfile('p3').png()
    const stored = await sharp(await wide.toBuffer(), { ignoreIcc: true })
      .raw()
      .toBuffer()
    expect(stored[0]).toBeGreaterThan(80) // else the profile would not matter
    expectNear(await middleOf(wide), [50, 200, 80], 3)
  })

  test('a transparent picture keeps its alpha channel, an opaque one loses it', async () => {
    expect((await middleOf(flat('rgba(10, 20, 30, 0.5)', 4).png())).length).toBe(4)
    expect(await middleOf(flat('rgb(10, 20, 30)', 4).png())).toEqual([10, 20, 30])
  })

  test('is compared on a white background', async () => {
    const { input } = await openPicture(await flat('rgba(255, 0, 0, 0)', 4).png().toBuffer())
    expect(new Set(await squareOf(input, 4, 'cover'))).toEqual(new Set([255]))
    expect(new Set(await luminanceOf(input, 4))).toEqual(new Set([255]))
    expect(await luminanceOf(input, 4)).toHaveLength(16)
  })

  test('a model gets the center, or all of it squeezed', async () => {
    const left = sharp({ create: { width: 100, height: 100, channels: 3, background: '#f00' } })
    const image = left.extend({ left: 100, right: 100, background: '#00f' })
    const { input } = await openPicture(await image.png().toBuffer())
    const cover = await squareOf(input, 8, 'cover')
    const fill = await squareOf(input, 9, 'fill')
    expectNear([...cover.subarray(4 * 3, 5 * 3)], [255, 0, 0], 2)
    expectNear([...fill.subarray(0, 3)], [0, 0, 255], 2)
    expectNear([...fill.subarray(4 * 3, 5 * 3)], [255, 0, 0], 2)
    expectNear([...cover.subarray(0, 3)], [255, 0, 0], 30)
  })
})

describe('what is not decoded', () => {
  configureDecoding()

  test.each([
    ['text', Buffer.from('no picture at all'.repeat(100))],
    ['zeros', Buffer.alloc(10_000)],
    ['one byte', Buffer.of(0xff)],
    [
      'SVG',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>')
    ],
    ['PDF', Buffer.from('%PDF-1.7\n1 0 obj\n<< >>\nendobj')],
    ['PPM', Buffer.from(`P6\n2 2\n255\n${'a'.repeat(12)}`)]
  ])('%s', async (_, bytes) => {
    await expect(openPicture(bytes)).rejects.toMatchObject({ code: 'ERR_IMAGE_UNREADABLE' })
  })

  test.each(['webp', 'tiff', 'avif'] as const)('half a %s', async format => {
    const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const
    const whole = await sharp({ create: { width: 200, height: 200, channels: 3, background: '#000', noise } })
      .toFormat(format)
      .toBuffer()
    await expect(openPicture(whole.subarray(0, whole.length / 2))).rejects.toMatchObject({
      code: 'ERR_IMAGE_UNREADABLE'
    })
  })

  test('too many pixels are refused before any is decoded', async () => {
    await expect(openPicture(await claimedPng(50_000, 50_000))).rejects.toMatchObject({
      code: 'ERR_IMAGE_TOO_LARGE',
      message: expect.stringContaining('50000×50000')
    })
  })

  test.each([8, 10] as const)('a flat AVIF of a few bytes with %i bits is refused by its head', async bits => {
    await expect(openPicture(await claimedAvif(8_000, 8_000, bits))).rejects.toMatchObject({
      code: 'ERR_IMAGE_TOO_LARGE',
      message: expect.stringContaining('8000×8000')
    })
  })

  test('a baseline JPEG of 110 megapixels is none too large: it is decoded at a fraction of its size', async () => {
    const grey = { width: 11_000, height: 10_000, channels: 3, background: '#789' } as const
    const jpeg = await sharp({ create: grey }).jpeg().toBuffer()
    expect(await openPicture(jpeg)).toMatchObject({ width: 11_000, height: 10_000, input: { width: 640, height: 582 } })
  })

  test('too many frames are refused; of fewer the first is decoded', async () => {
    await expect(openPicture(await gifOf(6_000))).rejects.toMatchObject({ code: 'ERR_IMAGE_TOO_LARGE' })
    await expect(openPicture(await gifOf(300))).resolves.toMatchObject({ width: 16, height: 16 })
  })
})

test('nothing is enlarged', async () => {
  const { base } = await openPicture(
    await toImage(scene(1, 40, 30))
      .png()
      .toBuffer()
  )
  expect(await base(2_048)).toMatchObject({ width: 40, height: 30 })
})

test('a large camera photo with a profile has the same colors in all sizes', async () => {
  const wide = sharp({ create: { width: 3_000, height: 2_000, channels: 3, background: 'rgb(50, 200, 80)' } })
  const { input, base } = await openPicture(await wide.withIccProfile('p3').jpeg({ quality: 95 }).toBuffer())
  expect(input).toMatchObject({ width: 640, height: 427, channels: 3 })
  for (const { data } of [input, await base(2_048)]) expectNear([...data.subarray(0, 3)], [50, 200, 80], 4)
})

test('a panorama is limited like any other picture', async () => {
  const line = sharp({ create: { width: 20_000, height: 400, channels: 3, background: '#123' } })
  const { input } = await openPicture(await line.jpeg().toBuffer())
  expect(input).toMatchObject({ width: 4_096, height: 82 })
})
