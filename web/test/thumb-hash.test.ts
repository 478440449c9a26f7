import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashOf } from '../../src/similarity/images/thumb-hash.js'
import { decodeThumbHash, meanColour } from '../src/layout/thumb-hash.js'

type Colour = readonly [number, number, number, number]

function picture(width: number, height: number, colourAt: (x: number, y: number) => Colour): Uint8Array {
  return Uint8Array.from(
    Array.from({ length: width * height }, (_, i) => colourAt(i % width, Math.floor(i / width))).flat()
  )
}

function decoded(width: number, height: number, colourAt: (x: number, y: number) => Colour) {
  const blurred = decodeThumbHash(hashOf(width, height, picture(width, height, colourAt)))
  if (blurred === undefined) throw new Error('not decoded')
  const at = (x: number, y: number): number[] => {
    const i = 4 * (Math.floor(y * blurred.height) * blurred.width + Math.floor(x * blurred.width))
    return [...blurred.rgba.slice(i, i + 4)]
  }
  return { ...blurred, at }
}

test('a plain picture comes back in its colour', () => {
  const channel = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(channel, channel, channel, (r, g, b) => {
      const { at } = decoded(32, 24, () => [r, g, b, 255])
      const mean = meanColour(
        hashOf(
          32,
          24,
          picture(32, 24, () => [r, g, b, 255])
        )
      )
      const means = mean.match(/\d+/g)?.map(Number) ?? []
      for (const [i, value] of [r, g, b].entries()) {
        expect(Math.abs((at(0.5, 0.5)[i] as number) - value)).toBeLessThan(12)
        expect(Math.abs((means[i] as number) - value), mean).toBeLessThan(12)
      }
    })
  )
})

test('what is left and right, above and below stays there', () => {
  const wide = decoded(32, 16, x => (x < 16 ? [220, 40, 40, 255] : [40, 40, 220, 255]))
  expect(wide.width).toBeGreaterThan(wide.height)
  expect(wide.at(0.1, 0.5)[0]).toBeGreaterThan(wide.at(0.9, 0.5)[0] as number)
  expect(wide.at(0.9, 0.5)[2]).toBeGreaterThan(wide.at(0.1, 0.5)[2] as number)
  const high = decoded(16, 32, (_, y) => (y < 16 ? [250, 250, 250, 255] : [10, 10, 10, 255]))
  expect(high.height).toBeGreaterThan(high.width)
  expect(high.at(0.5, 0.1)[0]).toBeGreaterThan((high.at(0.5, 0.9)[0] as number) + 150)
})

test('what one can see through stays so', () => {
  const { at } = decoded(24, 24, x => [60, 160, 90, x < 12 ? 255 : 0])
  expect(at(0.1, 0.5)[3]).toBeGreaterThan((at(0.9, 0.5)[3] as number) + 120)
})

test('any bytes are a picture or none, and nothing throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
      const blurred = decodeThumbHash(bytes)
      expect(blurred === undefined).toBe(bytes.length < 5 || bytes.length > 25)
      if (blurred !== undefined) expect(blurred.rgba.length).toBe(4 * blurred.width * blurred.height)
    })
  )
})
