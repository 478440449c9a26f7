import fc from 'fast-check'
import { expect, test } from 'vitest'
import { YearScale } from '../src/layout/year-scale.js'

const years = fc
  .array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 90 })
  .map(counts => counts.map((count, i) => ({ year: String(2026 - i), count })))

test('places and photos lead to one another, over the whole scale', () => {
  fc.assert(
    fc.property(years, fc.double({ min: 0, max: 1, noNaN: true }), (list, at) => {
      const scale = new YearScale(list)
      expect(scale.ordinalAt(0)).toBe(0)
      expect(scale.ordinalAt(1)).toBeCloseTo(scale.total, 6)
      expect(scale.positionOf(scale.total)).toBeCloseTo(1, 9)
      expect(scale.positionOf(scale.ordinalAt(at))).toBeCloseTo(at, 6)
    })
  )
})

test('no year is too small to be hit, however many photos the others have', () => {
  fc.assert(
    fc.property(years, list => {
      const { ticks } = new YearScale(list)
      const ends = [...ticks.slice(1).map(({ at }) => at), 1]
      for (const [i, { at }] of ticks.entries()) expect((ends[i] as number) - at).toBeGreaterThan(0.2 / list.length)
    })
  )
})

test('a library without photos has no years', () => {
  const scale = new YearScale([])
  expect([scale.ticks, scale.ordinalAt(0.5), scale.positionOf(3)]).toEqual([[], 0, 0])
})
