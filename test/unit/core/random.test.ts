import { describe, expect, test } from 'vitest'
import { type Random, systemRandom } from '../../../src/core/random.js'
import { SeededRandom } from '../../support/seeded-random.js'

describe.each<[string, Random]>([
  ['the system', systemRandom],
  ['a seed', new SeededRandom(1)]
])('randomness of %s', (_, random) => {
  test('returns the requested number of bytes, different each time', () => {
    for (const byteCount of [0, 1, 7, 16, 1_000]) expect(random.bytes(byteCount).byteLength).toBe(byteCount)
    expect(random.bytes(16)).not.toEqual(random.bytes(16))
    expect(new Set(random.bytes(4_096)).size).toBe(256)
  })

  test('returns fractions that cover [0, 1)', () => {
    const tenths = new Set(
      Array.from({ length: 1_000 }, () => {
        const fraction = random.fraction()
        expect(fraction).toBeGreaterThanOrEqual(0)
        expect(fraction).toBeLessThan(1)
        return Math.floor(fraction * 10)
      })
    )
    expect(tenths.size).toBe(10)
  })
})

describe('a seed', () => {
  test('gives the same sequence again, and another seed a different one', () => {
    const [first, again, other] = [5, 5, 6].map(seed => new SeededRandom(seed).bytes(64))
    expect(first).toEqual(again)
    expect(first).not.toEqual(other)
  })

  test('forks into independent streams', () => {
    const [parent, again] = [new SeededRandom(5), new SeededRandom(5)]
    const fork = parent.fork()
    again.fork()
    expect(fork.bytes(64)).not.toEqual(parent.bytes(64))
    again.bytes(64)
    expect(parent.fraction()).toBe(again.fraction())
  })

  test('draws integers, booleans and elements', () => {
    const random = new SeededRandom(5)
    const drawn = Array.from({ length: 200 }, () => [random.below(3), random.pick(['a', 'b']), random.chance(0.5)])
    expect(new Set(drawn.map(([integer]) => integer))).toEqual(new Set([0, 1, 2]))
    expect(new Set(drawn.map(([, member]) => member))).toEqual(new Set(['a', 'b']))
    expect(new Set(drawn.map(([, , chance]) => chance))).toEqual(new Set([false, true]))
    expect([random.chance(0), random.chance(1)]).toEqual([false, true])
  })
})
