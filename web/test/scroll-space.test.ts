import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CANVAS_PX_MAX, ScrollSpace } from '../src/layout/scroll-space.js'

const VIEW = 800
const MILLION_PX = 35_100_000

/** A browser with a box of the canvas's height: keeps `scrollTop` within, in steps of a device pixel. */
class Box {
  readonly space = new ScrollSpace()
  scrollTop = 0

  constructor(content: number) {
    this.space.resize(content, VIEW)
  }

  get max(): number {
    return Math.max(0, this.space.canvas - VIEW)
  }

  set(scrollTop: number | undefined): void {
    if (scrollTop !== undefined) this.scrollTop = Math.round(Math.min(Math.max(scrollTop, 0), this.max) * 2) / 2
  }

  scroll(to: number): void {
    this.set(to)
    this.space.scrolled(this.scrollTop)
    this.set(this.space.settle(false))
  }

  rest(): void {
    this.set(this.space.settle(true))
  }
}

describe('a library that fits into the box', () => {
  test('is scrolled as it is', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 30 }), tops => {
        const box = new Box(50_000)
        for (const top of tops) {
          box.scroll(top)
          expect(box.space.offset).toBe(box.scrollTop)
          expect(box.space.shift).toBe(0)
        }
      })
    )
  })

  test('that is lower than the view is not scrolled', () => {
    const box = new Box(300)
    box.scroll(500)
    expect([box.space.offset, box.space.canvas]).toEqual([0, 300])
  })
})

describe('a million photos', () => {
  test('the box is one that every browser takes whole, also with two device pixels a pixel', () => {
    expect(new Box(MILLION_PX).space.canvas * 2).toBeLessThanOrEqual(2 ** 24)
    expect(new Box(MILLION_PX).space.canvas).toBe(CANVAS_PX_MAX)
  })

  test.each([
    ['the end', (box: Box) => box.scroll(box.max), MILLION_PX - VIEW],
    [
      'the beginning',
      (box: Box) => {
        box.scroll(box.max)
        box.scroll(0)
      },
      0
    ]
  ])('a jump to %s arrives there', (_, go, expected) => {
    const box = new Box(MILLION_PX)
    go(box)
    expect(box.space.offset).toBeCloseTo(expected, 3)
  })

  test('turning the wheel moves content as far as the wheel says, and reaches both ends', () => {
    const box = new Box(MILLION_PX)
    for (let turns = 0; box.space.offset < MILLION_PX - VIEW; turns++) {
      const before = box.space.offset
      box.scroll(box.scrollTop + 2_000)
      expect(box.space.offset).toBeGreaterThan(before)
      expect(box.space.offset - before).toBeLessThanOrEqual(2_000.5)
      expect(turns).toBeLessThan(MILLION_PX / 1_000)
    }
    while (box.space.offset > 0) {
      const before = box.space.offset
      box.scroll(box.scrollTop - 2_000)
      expect(box.space.offset).toBeLessThan(before)
    }
  })

  test('content never leaves its ends, and resting moves nothing', () => {
    const step = fc.oneof(fc.integer({ min: -3_000, max: 3_000 }), fc.integer({ min: -8_000_000, max: 8_000_000 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const box = new Box(MILLION_PX)
        for (const by of steps) {
          box.scroll(box.scrollTop + by)
          const { offset } = box.space
          expect(offset).toBeGreaterThanOrEqual(0)
          expect(offset).toBeLessThanOrEqual(MILLION_PX - VIEW)
          box.rest()
          expect(box.space.offset).toBe(offset)
          expect(box.space.offset / (MILLION_PX - VIEW)).toBeCloseTo(box.scrollTop / box.max, 4)
        }
      })
    )
  })

  test('any place can be gone to', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: MILLION_PX, noNaN: true }), offset => {
        const box = new Box(MILLION_PX)
        box.set(box.space.goTo(offset))
        expect(box.space.offset).toBe(Math.min(offset, MILLION_PX - VIEW))
        expect(box.scrollTop).toBeLessThanOrEqual(box.max)
      })
    )
  })
})
