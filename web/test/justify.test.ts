import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aspectOf, justify } from '../src/layout/justify.js'
import { rowAt, rowOf } from '../src/layout/sections.js'

const aspects = fc.array(fc.option(fc.integer({ min: 1, max: 20_000 })), { maxLength: 300 })
const init = fc.record({
  width: fc.integer({ min: 320, max: 4_000 }),
  rowHeight: fc.integer({ min: 80, max: 300 }),
  gap: fc.integer({ min: 0, max: 10 })
})

test('each picture stands in one row, in order, with its shape', () => {
  fc.assert(
    fc.property(aspects, init, (list, options) => {
      const { lefts, widths, starts, heights } = justify(list, options)
      expect(starts.at(-1)).toBe(list.length)
      for (let row = 0; row < heights.length; row++) {
        expect(starts[row + 1]).toBeGreaterThan(starts[row] as number)
        let left = 0
        for (let i = starts[row] as number; i < (starts[row + 1] as number); i++) {
          expect(lefts[i]).toBeCloseTo(left, 1)
          expect((widths[i] as number) / (heights[row] as number)).toBeCloseTo(aspectOf(list[i]), 2)
          left += (widths[i] as number) + options.gap
        }
      }
    })
  )
})

test('rows lie below one another and none is wider than the page; all but the last fill it', () => {
  fc.assert(
    fc.property(aspects, init, (list, options) => {
      const { lefts, widths, starts, tops, heights } = justify(list, options)
      for (let row = 0; row < heights.length; row++) {
        const last = (starts[row + 1] as number) - 1
        const right = (lefts[last] as number) + (widths[last] as number)
        expect(right).toBeLessThan(options.width + 0.5)
        if (row < heights.length - 1) {
          expect(right).toBeGreaterThan(options.width - 0.5)
          expect(tops[row + 1]).toBeCloseTo((tops[row] as number) + (heights[row] as number) + options.gap, 1)
        }
      }
    })
  )
})

test('rows of usual pictures are about as high as wished', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 660, max: 1_800 }), { minLength: 12, maxLength: 200 }), list => {
      const { heights } = justify(list, { width: 1_200, rowHeight: 200, gap: 4 })
      for (const height of heights.slice(0, -1)) {
        expect(height).toBeGreaterThan(135)
        expect(height).toBeLessThan(290)
      }
      expect(heights.at(-1)).toBeLessThan(260)
    })
  )
})

test('nothing at all has no height', () => {
  expect([...justify([], { width: 100, rowHeight: 10, gap: 1 }).tops]).toEqual([0])
})

test('rows are found by place and by picture', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 500, max: 2_000 }), { minLength: 1, maxLength: 300 }), list => {
      const rows = justify(list, { width: 900, rowHeight: 150, gap: 3 })
      for (let i = 0; i < list.length; i++) {
        const row = rowOf(rows, i)
        expect(rows.starts[row]).toBeLessThanOrEqual(i)
        expect(rows.starts[row + 1]).toBeGreaterThan(i)
        expect(rowAt(rows, rows.tops[row] as number)).toBe(row)
      }
      expect(rowAt(rows, -50)).toBe(0)
      expect(rowAt(rows, 1e9)).toBe(rows.heights.length - 1)
    })
  )
})
