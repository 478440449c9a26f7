import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eachInTurns, sortInTurns } from '../../../src/core/turn.js'

/** @returns how many turns of the event loop there were before the work was done */
async function turnsWithin(work: Promise<unknown>): Promise<number> {
  let turns = 0
  let isDone = false
  const tick = (): void => {
    if (isDone) return
    turns++
    setImmediate(tick)
  }
  setImmediate(tick)
  await work
  isDone = true
  return turns
}

describe('long computations', () => {
  test('take every item, and let others have their turn', async () => {
    const items = Array.from({ length: 50_000 }, (_, i) => i)
    const seen: number[] = []
    expect(await turnsWithin(eachInTurns(items, item => seen.push(item)))).toBeGreaterThanOrEqual(20)
    expect(seen).toEqual(items)
  })

  test('sort like a sort at once, equal items in the order in which they came', async () => {
    const key = fc.record({ key: fc.nat(9) })
    const long = fc.array(key, { maxLength: 9_000, size: 'max' })
    const byKey = (a: { key: number }, b: { key: number }): number => a.key - b.key
    const property = fc.asyncProperty(long, async items => {
      const sorted = await sortInTurns(items, byKey)
      const expected = [...items].sort(byKey)
      expect(sorted).toHaveLength(items.length)
      expect(sorted.every((item, i) => item === expected[i])).toBe(true)
    })
    await fc.assert(property, { numRuns: 20 })
    const items = Array.from({ length: 50_000 }, (_, i) => (i * 7_919) % 50_000)
    const compare = (a: number, b: number): number => a - b
    expect(await turnsWithin(sortInTurns(items, compare))).toBeGreaterThanOrEqual(100)
  })
})
