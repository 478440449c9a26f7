import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  GAPS_MAX,
  isApplied,
  type LogProgress,
  missingRanges,
  NOTHING_APPLIED,
  progressAfter
} from '../../../src/domain/log-progress.js'
import { contains, type Range, within, without, withoutAll } from '../../../src/domain/ranges.js'
import { SUPERBLOCK_BYTES } from '../../../src/domain/superblock.js'

/** Offsets are multiples of this: small enough that ranges meet, and that some begin inside the superblock. */
const UNIT = SUPERBLOCK_BYTES / 2

function ranges(units: number, lengthMax: number): fc.Arbitrary<Range> {
  return fc
    .tuple(fc.nat(units), fc.nat(lengthMax))
    .map(([from, length]) => ({ from: from * UNIT, to: (from + length) * UNIT }))
}

function offsets({ from, to }: Range): number[] {
  return Array.from({ length: (to - from) / UNIT }, (_, i) => from + i * UNIT)
}

function progressOf(groups: readonly Range[]): LogProgress {
  return groups.reduce(progressAfter, NOTHING_APPLIED)
}

describe('ranges', () => {
  it('are cut byte by byte, and stay in order', () => {
    const some = fc.uniqueArray(fc.nat(60), { maxLength: 12 }).map(ends => {
      const sorted = ends.sort((a, b) => a - b)
      return sorted.flatMap((from, i) =>
        i % 2 === 0 && sorted[i + 1] !== undefined ? [{ from: from * UNIT, to: (sorted[i + 1] as number) * UNIT }] : []
      )
    })
    fc.assert(
      fc.property(some, fc.array(ranges(60, 12), { maxLength: 6 }), ranges(60, 30), (all, cuts, bounds) => {
        const inside = all.flatMap(offsets)
        const isCut = (offset: number): boolean => contains(cuts, offset)
        expect(withoutAll(all, cuts).flatMap(offsets)).toEqual(inside.filter(offset => !isCut(offset)))
        expect(within(all, bounds).flatMap(offsets)).toEqual(inside.filter(offset => contains([bounds], offset)))
        for (const { from, to } of withoutAll(all, cuts)) expect(from).toBeLessThan(to)
      })
    )
  })

  it('keep their other fields', () => {
    expect(without({ from: 0, to: 9, reason: 'corrupt' }, { from: 3, to: 5 })).toEqual([
      { from: 0, to: 3, reason: 'corrupt' },
      { from: 5, to: 9, reason: 'corrupt' }
    ])
  })
})

describe('the progress of a directory in a log', () => {
  it('is exactly what was applied, in whatever order', () => {
    fc.assert(
      fc.property(fc.array(ranges(70, 20), { maxLength: 40 }), groups => {
        const { reached, gaps } = progressOf(groups)
        const end = Math.max(0, ...groups.map(({ to }) => to))
        expect(reached).toBe(end)
        const applied = new Set(
          groups.flatMap(({ from, to }) => offsets({ from: from <= SUPERBLOCK_BYTES ? 0 : from, to }))
        )
        for (const offset of offsets({ from: 0, to: end + UNIT })) {
          expect(isApplied({ reached, gaps }, offset)).toBe(applied.has(offset))
        }
        let last = -1
        for (const { from, to } of gaps) {
          expect(from).toBeGreaterThan(last)
          expect(to).toBeGreaterThan(from)
          expect(to).toBeLessThanOrEqual(reached)
          last = to
        }
        const missing = offsets({ from: 0, to: end + 2 * UNIT }).filter(offset => !applied.has(offset))
        expect(missingRanges({ reached, gaps }, end + 2 * UNIT).flatMap(offsets)).toEqual(missing)
      })
    )
  })

  it('claims nothing that was not applied when there are too many gaps to keep', () => {
    fc.assert(
      fc.property(fc.array(ranges(400, 3), { minLength: 150, maxLength: 250 }), groups => {
        const progress = progressOf(groups)
        expect(progress.gaps.length).toBeLessThanOrEqual(GAPS_MAX)
        const applied = new Set(
          groups.flatMap(({ from, to }) => offsets({ from: from <= SUPERBLOCK_BYTES ? 0 : from, to }))
        )
        for (const offset of offsets({ from: 0, to: progress.reached })) {
          if (isApplied(progress, offset)) expect(applied.has(offset)).toBe(true)
        }
        const whole = missingRanges(progress, progress.reached).reduce(progressAfter, progress)
        expect(whole).toEqual({ reached: progress.reached, gaps: [] })
      }),
      { numRuns: 30 }
    )
  })

  it('is the same object after a group that was applied before', () => {
    const progress = progressOf([
      { from: SUPERBLOCK_BYTES, to: 10 * UNIT },
      { from: 20 * UNIT, to: 30 * UNIT }
    ])
    for (const [from, to] of [
      [0, 10],
      [3, 4],
      [20, 30],
      [15, 15],
      [30, 30]
    ] as const) {
      expect(progressAfter(progress, { from: from * UNIT, to: to * UNIT })).toBe(progress)
    }
  })

  it('has a gap before an empty group: the log is that long, and nothing of it was applied', () => {
    expect(progressOf([{ from: 10 * UNIT, to: 10 * UNIT }])).toEqual({
      reached: 10 * UNIT,
      gaps: [{ from: 0, to: 10 * UNIT }]
    })
  })
})
