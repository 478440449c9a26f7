import { expect, test } from 'vitest'
import { hashOf, thumbHash } from '../../../../src/similarity/images/thumb-hash.js'
import { scene } from '../../../support/test-pictures.js'

/** @returns a picture whose colours, and opacity, run from edge to edge */
function gradient(width: number, height: number, isOpaque: boolean): Uint8Array {
  const rgba = new Uint8Array(4 * width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const alpha = isOpaque ? 255 : Math.floor((255 * (x + y)) / (width + height))
      rgba.set(
        [Math.floor((255 * x) / width), Math.floor((255 * y) / height), (x * y) % 256, alpha],
        4 * (x + y * width)
      )
    }
  }
  return rgba
}

// as the package thumbhash 0.1.1 hashes them
test.each([
  [32, 24, true, 'dc080e1d9a6076877088888688678887f3a40ff887'],
  [24, 32, true, 'dcf80d1d1a6076708868886888877788f4a30ff778'],
  [32, 32, false, 'e1f885150c279076b088896878f0d00ff96880878088887888'],
  [1, 1, true, '000802070000000000000000000000000000000000000000'],
  [32, 3, true, '924a0a299a80878780887878806107f888']
])('a picture of %i by %i (opaque: %s) has the hash that all programs give it', (width, height, isOpaque, hash) => {
  expect(Buffer.from(hashOf(width, height, gradient(width, height, isOpaque))).toString('hex')).toBe(hash)
})

// of these the last bit of a product decides
test.each([
  [8, 25, (x: number, y: number) => [(255 * x) / 8, (255 * y) / 25, 128], '9ee709321a80807887878887808007f877'],
  [
    35,
    27,
    (x: number, y: number) => [(255 * x) / 35, (255 * y) / 27, 128],
    'df070a359a7077778088787788788788707007f778'
  ],
  [17, 8, (x: number, y: number) => [x < 8.5 ? 200 : 20, y < 4 ? 30 : 90, 77], '55680a3b9c7f8579858878877f85f8a788']
] as const)('a picture of %i by %i with coefficients in the middle has it, too', (width, height, colourAt, hash) => {
  const pixels = Array.from({ length: width * height }, (_, i) => [
    ...colourAt(i % width, Math.floor(i / width)).map(Math.floor),
    255
  ])
  expect(Buffer.from(hashOf(width, height, Uint8Array.from(pixels.flat()))).toString('hex')).toBe(hash)
})

test('a picture is hashed at 32 pixels of its longer side, without alpha as with all of it', async () => {
  const [width, height] = [32, 24]
  const rgba = gradient(width, height, true)
  const rgb = Buffer.from(rgba.filter((_, i) => i % 4 !== 3))
  const hash = hashOf(width, height, rgba)
  expect(await thumbHash({ data: rgb, width, height, channels: 3 })).toEqual(hash)
  expect(await thumbHash({ data: Buffer.from(rgba), width, height, channels: 4 })).toEqual(hash)
})

test('a hash has 5 to 25 bytes, of any picture, and tells its shape', async () => {
  for (const [width, height] of [
    [1, 1],
    [300, 200],
    [200, 300],
    [2_000, 3],
    [3, 2_000]
  ] as const) {
    const hash = await thumbHash(scene(1, width, height))
    expect(hash.length).toBeGreaterThanOrEqual(5)
    expect(hash.length).toBeLessThanOrEqual(25)
    const isWide = ((hash[4] as number) & 0x80) !== 0
    expect(isWide).toBe(width > height)
  }
})
