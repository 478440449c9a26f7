import { describe, expect, test } from 'vitest'
import { HASH_SIDE, perceptualHash } from '../../../../src/similarity/images/perceptual-hash.js'
import { luminanceOf, openPicture } from '../../../../src/similarity/images/picture.js'
import { scene, toImage } from '../../../support/test-pictures.js'

async function hashOf(image: Buffer): Promise<Uint8Array> {
  const { input } = await openPicture(image)
  return perceptualHash(await luminanceOf(input, HASH_SIDE))
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
    const hash = perceptualHash(noisy)
    expect(hash).toHaveLength(8)
    expect(differentBits(hash, new Uint8Array(8))).toBe(32)
  })

  // Fixed forever: hashes of different nodes and years are compared.
  test('of a known picture never changes', () => {
    const slope = Uint8Array.from({ length: HASH_SIDE ** 2 }, (_, i) => {
      const [x, y] = [i % HASH_SIDE, i >> 5]
      return (x * y + 3 * x * x + (x ^ (2 * y))) & 255
    })
    expect(Buffer.from(perceptualHash(slope)).toString('hex')).toMatchInlineSnapshot(`"e0f022e4ae73e875"`)
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

  test('of a single-color picture does not depend on rounding', () => {
    const flat = [1, 77, 255].map(value => perceptualHash(new Uint8Array(HASH_SIDE ** 2).fill(value)))
    for (const hash of flat) expect(hash).toEqual(new Uint8Array(8))
  })
})
