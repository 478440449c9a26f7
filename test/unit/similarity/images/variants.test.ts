import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'
import { openPicture } from '../../../../src/similarity/images/picture.js'
import { makeVariants } from '../../../../src/similarity/images/variants.js'
import { scene, toImage } from '../../../support/test-pictures.js'

async function variantsOf(image: Sharp): ReturnType<typeof makeVariants> {
  return makeVariants(await openPicture(await image.toBuffer()))
}

describe('the sizes of a picture', () => {
  test('are JPEG within their limits', async () => {
    const variants = await variantsOf(toImage(scene(1)).resize(2_400, 1_600).jpeg())
    const version = sharp.versions.sharp.split('.').slice(0, 2).join('.')
    expect(
      variants.map(({ alt, recipe, contentType, width, height }) => [alt, recipe, contentType, width, height])
    ).toEqual([
      ['large', `sharp-${version} m2 q82 2048`, 'image/jpeg', 2_048, 1_365],
      ['small', `sharp-${version} m2 q82 640`, 'image/jpeg', 640, 427],
      ['thumb', `sharp-${version} m2 q82 256`, 'image/jpeg', 256, 171]
    ])
    for (const { bytes, width, height } of variants) {
      expect(await sharp(bytes).metadata()).toMatchObject({ format: 'jpeg', width, height })
    }
  })

  test('that the picture already fits are not made: the original replaces them', async () => {
    const sidesOf = async (image: Sharp) =>
      (await variantsOf(image)).map(({ alt, width, height }) => [alt, width, height])
    expect(await sidesOf(toImage(scene(1)).resize(1_600, 1_200).jpeg())).toEqual([
      ['small', 640, 480],
      ['thumb', 256, 192]
    ])
    expect(await sidesOf(toImage(scene(1, 300, 200)).png())).toEqual([['thumb', 256, 171]])
    expect(await sidesOf(toImage(scene(1, 200, 100)).webp())).toEqual([])
  })

  test('are still made of formats that browsers do not show, and of very large files', async () => {
    const tiff = await variantsOf(toImage(scene(1, 300, 200)).tiff())
    expect(tiff.map(({ width, height }) => [width, height])).toEqual([
      [300, 200],
      [300, 200],
      [256, 171]
    ])
    const noise = sharp({
      create: {
        width: 250,
        height: 250,
        channels: 3,
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
        background: '#fff'
      }
    })
    expect((await variantsOf(noise.png())).map(({ alt }) => alt)).toEqual(['thumb'])
  })

  test('of a transparent picture are WebP with alpha', async () => {
    const variants = await variantsOf(
      toImage(scene(1, 700, 500))
        .ensureAlpha(0.5)
        .png()
    )
    expect(variants).toHaveLength(2)
    for (const { bytes, contentType } of variants) {
      expect(contentType).toBe('image/webp')
      expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', hasAlpha: true })
    }
  })

  test('contain no camera, place or profile', async () => {
    const exif = { IFD0: { Make: 'Camera' }, IFD3: { GPSLatitude: '51/1 30/1 0/1' } }
    const variants = await variantsOf(toImage(scene(1)).withExif(exif).withIccProfile('p3').jpeg())
    for (const { bytes } of variants) {
      const { exif, icc, xmp, iptc } = await sharp(bytes).metadata()
      expect({ exif, icc, xmp, iptc }).toEqual({})
    }
  })

  test('are the same bytes every time', async () => {
    const image = toImage(scene(5)).resize(1_000, 700).jpeg()
    const [first, second] = [await variantsOf(image), await variantsOf(image)]
    expect(second).toEqual(first)
  })

  test('are made of the thinnest picture', async () => {
    const line = sharp({ create: { width: 1, height: 5_000, channels: 3, background: '#123' } })
    expect((await variantsOf(line.png())).map(({ width, height }) => [width, height])).toEqual([
      [1, 2_048],
      [1, 640],
      [1, 256]
    ])
  })
})
