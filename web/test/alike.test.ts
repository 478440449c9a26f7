import fc from 'fast-check'
import { expect, test } from 'vitest'
import { alikeCount } from '../src/pages/alike.js'

test('what no class of the model is like is not shown at first', () => {
  expect(alikeCount([0.74, 0.74, 0.41, 0.39, 0.1], 'mobilenet')).toBe(3)
  expect(alikeCount([0.32, 0.3, 0.29], 'mobilenet')).toBe(0)
})

test('of another model, what is far below the best is not', () => {
  expect(alikeCount([0.32, 0.3, 0.26, 0.25, 0.2], 'clip')).toBe(3)
  expect(alikeCount([], 'clip')).toBe(0)
})

test('one more that is less alike changes nothing of the others', () => {
  const scores = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 40 })
  fc.assert(
    fc.property(scores, fc.constantFrom('mobilenet', 'clip'), (unsorted, model) => {
      const falling = unsorted.toSorted((a, b) => b - a)
      const count = alikeCount(falling, model)
      expect(count).toBeGreaterThanOrEqual(0)
      expect(count).toBeLessThanOrEqual(falling.length)
      expect(alikeCount([...falling, -1], model)).toBe(Math.min(count, falling.length))
    })
  )
})
