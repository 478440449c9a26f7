import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PhotoId } from '../../../src/domain/ids.js'
import { REFINED_MAX, refine } from '../../../src/search/refine.js'
import type { Neighbor } from '../../../src/similarity/index/vector-index.js'

interface Candidate {
  readonly id: PhotoId
  readonly exact: number
  readonly bound: number
}

const candidates = fc
  .array(fc.record({ exact: fc.integer({ min: -1_000, max: 900 }), excess: fc.nat(100) }), { maxLength: 200 })
  .map(list =>
    list
      .map(({ exact, excess }, i): Candidate => {
        return { id: `photo ${i}` as PhotoId, exact: exact / 1_000, bound: (exact + excess) / 1_000 }
      })
      .sort((a, b) => b.bound - a.bound)
  )

async function refined(of: readonly Candidate[], k: number, isReadable: (id: PhotoId) => boolean = () => true) {
  const reads: PhotoId[] = []
  const bounds = of.map(({ id, bound }): Neighbor => ({ id, score: bound }))
  const found = await refine(bounds, k, async ids => {
    reads.push(...ids)
    return ids.map(id => (isReadable(id) ? of.find(one => one.id === id)?.exact : undefined))
  })
  return { found, reads }
}

describe('refining', () => {
  test('what was read has its true score, and the best are the best of all that were read', async () => {
    await fc.assert(
      fc.asyncProperty(candidates, fc.integer({ min: 1, max: 60 }), async (of, k) => {
        const { found, reads } = await refined(of, k)
        expect(found).toHaveLength(Math.min(k, of.length))
        expect(reads.length).toBeLessThanOrEqual(REFINED_MAX)
        expect(new Set(found.map(({ id }) => id)).size).toBe(found.length)
        const best = of
          .filter(({ id }) => reads.includes(id))
          .map(({ exact }) => exact)
          .sort((a, b) => b - a)
        expect(found.map(({ score }) => score).slice(0, best.length)).toEqual(best.slice(0, k))
      })
    )
  })

  test('it ends early only when nothing that is left could be better', async () => {
    await fc.assert(
      fc.asyncProperty(candidates, fc.integer({ min: 1, max: 40 }), async (of, k) => {
        const { found, reads } = await refined(of, k)
        if (reads.length >= Math.min(of.length, REFINED_MAX)) return
        const wanted = of.map(({ exact }) => exact).sort((a, b) => b - a)
        expect(found.map(({ score }) => score)).toEqual(wanted.slice(0, k))
      })
    )
  })

  test('it does end early', async () => {
    const of = Array.from({ length: 500 }, (_, i): Candidate => {
      return { id: `photo ${i}` as PhotoId, exact: 1 - i / 500 - 0.01, bound: 1 - i / 500 }
    })
    const { reads } = await refined(of, 10)
    expect(reads).toHaveLength(16)
  })

  test('scores fall, however many are wanted and whichever cannot be read', async () => {
    await fc.assert(
      fc.asyncProperty(candidates, fc.integer({ min: 1, max: 300 }), fc.nat(5), async (of, k, unreadable) => {
        const { found } = await refined(of, k, id => Number(id.slice(6)) % 6 >= unreadable)
        expect(found).toHaveLength(Math.min(k, of.length))
        for (const [i, { score }] of found.entries()) {
          expect(score).toBeLessThanOrEqual(found[i - 1]?.score ?? 1)
          expect(score).toBeGreaterThanOrEqual(-1)
        }
      })
    )
  })
})
