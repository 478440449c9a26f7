import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { HASH_SIDE, perceptualHash } from '../../../../src/similarity/images/perceptual-hash.js'
import { openPicture } from '../../../../src/similarity/images/picture.js'
import { luminanceOf } from '../../../../src/similarity/images/pixels.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { scene, toImage } from '../../../support/test-pictures.js'

async function maybeHashOf(image: Buffer): Promise<Uint8Array | undefined> {
  const { input } = await openPicture(image)
  return perceptualHash(await luminanceOf(input, HASH_SIDE))
}

async function hashOf(image: Buffer): Promise<Uint8Array> {
  return some(await maybeHashOf(image))
}

function some(hash: Uint8Array | undefined): Uint8Array {
  if (hash === undefined) throw new Error('the picture is flat')
  return hash
}

function differentBits(a: Uint8Array, b: Uint8Array): number {
  let count = 0
  for (const [i, byte] of a.entries()) for (let x = byte ^ b[i]!; x !== 0; x &= x - 1) count++
  return count
}

const original = scene(7, 320, 240)

describe('the perceptual hash', () => {
  test('has 64 bits, half of them set', () => {
    const noisy = Uint8Array.from({ length: HASH_SIDE ** 2 }, (_, i) => (i * 7919 + ((i * i) % 251)) & 255)
    const hash = some(perceptualHash(noisy))
    expect(hash).toHaveLength(8)
    expect(differentBits(hash, new Uint8Array(8))).toBe(32)
  })

  // Fixed forever: hashes of different nodes and years are compared.
  test('of a known picture never changes', () => {
    const slope = Uint8Array.from({ length: HASH_SIDE ** 2 }, (_, i) => {
      const [x, y] = [i % HASH_SIDE, i >> 5]
      return (x * y + 3 * x * x + (x ^ (2 * y))) & 255
    })
    expect(Buffer.from(some(perceptualHash(slope))).toString('hex')).toMatchInlineSnapshot(`"e0f022e4ae73e875"`)
  })

  test.each([
    ['recompression', () => toImage(original).jpeg({ quality: 30 })],
    ['another format', () => toImage(original).webp({ quality: 50 })],
    ['half the size', () => toImage(original).resize(160).jpeg()],
    ['brightness', () => toImage(original).modulate({ brightness: 1.2 }).jpeg()],
    ['grayscale', () => toImage(original).greyscale().jpeg()]
  ] as const)('hardly changes with %s', async (_, copy) => {
    const hash = await hashOf(await toImage(original).png().toBuffer())
    expect(differentBits(hash, await hashOf(await copy().toBuffer()))).toBeLessThanOrEqual(10)
  })

  test('of different pictures differs in many bits', async () => {
    const hashes = await Promise.all(
      Array.from({ length: 20 }, async (_, seed) =>
        hashOf(
          await toImage(scene(seed, 160, 120))
            .png()
            .toBuffer()
        )
      )
    )
    const distances = hashes.flatMap((a, i) => hashes.slice(0, i).map(b => differentBits(a, b)))
    expect(Math.min(...distances)).toBeGreaterThan(10)
  })

  /** 400 × 300 pixels. @param greyAt - 0…255, or beyond: clipped */
  function grey(greyAt: (x: number, y: number) => number): Promise<Buffer> {
    const pixels = Uint8ClampedArray.from({ length: 400 * 300 }, (_, i) => greyAt(i % 400, Math.floor(i / 400)))
    return sharp(pixels, { raw: { width: 400, height: 300, channels: 1 } })
      .jpeg()
      .toBuffer()
  }

  function noise(strength: number): () => number {
    const random = new SeededRandom(1)
    return () => (random.fraction() - 0.5) * strength
  }

  const [faint, strong] = [noise(4), noise(40)]
  test.each([
    ['white', () => 255],
    ['black', () => 0],
    ['faint noise', () => 128 + faint()],
    ['strong noise', () => 128 + strong()],
    ['the cap on the lens', (x, y) => 10 + strong() / 4 - ((x - 200) ** 2 + (y - 150) ** 2) / 20_000],
    ['a gradient', (x, y) => (x + y) / 3],
    ['a blank sheet', (x, y) => 245 + faint() - 20 * Math.exp(-x / 30) - y / 40],
    ['a blank sheet with the edge of the scanner', (x, y) => (x > 395 || y > 297 ? 180 : 250) + faint()]
  ] as [string, (x: number, y: number) => number][])('of %s does not exist', async (_, greyAt) => {
    expect(await maybeHashOf(await grey(greyAt))).toBe(undefined)
  })

  test.each([
    ['a line on a sheet', (x, y) => (y > 40 && y < 52 && x > 30 && x < 120 && x % 5 > 1 ? 0 : 255)],
    ['a light in the dark', (x, y) => 120 - Math.hypot(x - 140, y - 100) * 4],
    ['a clear sky over hills', (x, y) => (y > 240 + 20 * Math.sin(x / 60) ? 80 : 200 - y / 5)]
  ] as [string, (x: number, y: number) => number][])('of %s exists', async (_, greyAt) => {
    expect(await maybeHashOf(await grey(greyAt))).toHaveLength(8)
  })

  test('of a single-color picture does not depend on rounding', () => {
    for (const value of [1, 77, 255]) expect(perceptualHash(new Uint8Array(HASH_SIDE ** 2).fill(value))).toBe(undefined)
  })
})
