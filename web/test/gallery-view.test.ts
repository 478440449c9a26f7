import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GalleryView } from '../src/layout/gallery-view.js'
import type { SectionInput, SectionsInit } from '../src/layout/sections.js'

const INIT: SectionsInit = { width: 1_000, rowHeight: 200, gap: 4, headingHeight: 60 }
const VIEW = 700

/** @param counts - of photos in each bucket @param known - indexes of those whose photos have come */
function inputs(counts: readonly number[], known: ReadonlySet<number>): SectionInput[] {
  return counts.map((count, i) => ({
    key: `bucket-${i}`,
    count,
    hasHeading: true,
    aspects: known.has(i) ? shapes(count, i) : undefined
  }))
}

const shapeLists = new Map<string, number[]>()
/** The same list each time, as from a store. */
function shapes(count: number, seed: number): number[] {
  const key = `${count} ${seed}`
  const list =
    shapeLists.get(key) ?? Array.from({ length: count }, (_, i) => 600 + ((i * 7_919 + seed * 104_729) % 1_300))
  shapeLists.set(key, list)
  return list
}

const counts = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 30 })
const all = (length: number): Set<number> => new Set(Array.from({ length }, (_, i) => i))

test('rows near the view are visible, and not many others', () => {
  fc.assert(
    fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
      const view = new GalleryView()
      view.lay(inputs(list, all(list.length)), INIT, VIEW)
      view.goTo(share * view.height)
      const rows = view.near().reduce((sum, { first, end }) => sum + end - first, 0)
      expect(rows).toBeLessThan(30)
      const covered = view.near()
      const top = Math.min(...covered.map(({ section }) => section.top))
      const bottom = Math.max(...covered.map(({ section }) => section.top + section.height))
      expect(top).toBeLessThanOrEqual(Math.max(0, view.offset - VIEW))
      expect(bottom).toBeGreaterThanOrEqual(Math.min(view.height, view.offset + 2 * VIEW))
    })
  )
})

test('what stands at the top stays there when photos come, and when others are added', () => {
  fc.assert(
    fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (list, share, pick) => {
      const view = new GalleryView()
      const late = pick % list.length
      const known = all(list.length)
      known.delete(late)
      view.lay(inputs(list, known), INIT, VIEW)
      view.goTo(share * (view.height - VIEW))
      const before = topOf(view)
      view.lay(inputs(list, all(list.length)), INIT, VIEW)
      const after = topOf(view)
      // a section whose photos have just come is no longer as high as was thought, so it stays by its share
      if (before.section !== late && view.offset < view.height - VIEW - 1) expect(after).toEqual(before)
    })
  )
})

test('nothing that is drawn in the view moves when photos come, whatever comes first', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  const steps = fc.array(fc.record({ pick: fc.nat(), by: fc.integer({ min: -600, max: 600 }) }), { maxLength: 20 })
  const few = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 5, maxLength: 30 })
  fc.assert(
    fc.property(few, share, steps, (list, start, moves) => {
      const view = new GalleryView()
      const known = new Set<number>()
      view.lay(inputs(list, known), INIT, VIEW)
      view.goTo(start * (view.height - VIEW))
      view.visible()
      for (const { pick, by } of moves) {
        view.scrolled(Math.min(Math.max(view.offset + by, 0), view.height - VIEW))
        const before = drawn(view)
        const missing = view.near().filter(({ section }) => section.rows === undefined)
        const come = missing[pick % Math.max(1, missing.length)]
        if (come === undefined) continue
        // photos that come between what is in the view above them and what was drawn below them move the latter
        const { index, section } = come
        const isBetween = section.top + section.headingHeight > view.offset
        known.add(index)
        view.lay(inputs(list, known), INIT, VIEW)
        // where all ends there, it has to move
        if (view.offset === 0 || view.offset >= view.height - VIEW - 1) return
        const after = drawn(view)
        const stays = (what: string): boolean =>
          after.has(what) && (!isBetween || Number(what.split('-').at(-1)) <= index)
        for (const [what, top] of before) if (stays(what)) expect(after.get(what), what).toBeCloseTo(top, 3)
      }
    }),
    { numRuns: 300 }
  )
})

/** @returns what is drawn in the view and where, px from its top, of headings and rows */
function drawn(view: GalleryView): Map<string, number> {
  const places = new Map<string, number>()
  for (const { section, first, end } of view.visible()) {
    const { key, top, headingHeight, rows } = section
    const at = (what: string, y: number, height: number): void => {
      if (y + height > view.offset && y < view.offset + VIEW) places.set(`${what} of ${key}`, y - view.offset)
    }
    at('heading', top, headingHeight)
    for (let row = first; row < end; row++)
      at(`row ${row}`, top + headingHeight + (rows?.tops[row] ?? 0), rows?.heights[row] ?? 0)
  }
  return places
}

function topOf(view: GalleryView): { section: number; row: number | undefined } {
  const section = view.topSection()
  const { rows, top = 0, headingHeight = 0 } = view.sections[section] ?? {}
  const into = view.offset - top - headingHeight
  return {
    section,
    row: rows && Math.round(into + 1e-6) >= 0 ? rows.tops.findLastIndex(it => it <= into + 0.01) : undefined
  }
}

test('a million photos: the last row can be seen', () => {
  const list = Array.from({ length: 1_000 }, () => 1_000)
  const view = new GalleryView()
  view.lay(inputs(list, new Set([999])), INIT, VIEW)
  expect(view.height).toBeGreaterThan(20_000_000)
  expect(view.canvas).toBeLessThanOrEqual(8_000_000)
  view.scrolled(view.canvas - VIEW)
  const last = view.visible().at(-1)
  expect(last?.index).toBe(999)
  expect(last?.end).toBe(last?.section.rows?.heights.length)
  expect(view.ordinal()).toBe(1_000_000)
  expect((last?.top ?? 0) + (last?.section.height ?? 0)).toBeCloseTo(view.canvas, 3)
})

describe('from photo to photo', () => {
  const view = new GalleryView()
  view.lay(inputs([40, 3, 60], all(3)), INIT, VIEW)

  test('right and left go through all, in order and back', () => {
    let place = { section: 0, index: 0 }
    let steps = 0
    for (let next = view.neighbour(place, 'right'); next !== undefined; next = view.neighbour(place, 'right')) {
      expect(view.neighbour(next, 'left')).toEqual(place)
      place = next
      steps++
    }
    expect([place, steps]).toEqual([{ section: 2, index: 59 }, 102])
  })

  test('down and up go from row to row, to what lies closest', () => {
    let place = { section: 0, index: 1 }
    let rows = 1
    for (let next = view.neighbour(place, 'down'); next !== undefined; next = view.neighbour(place, 'down')) {
      place = next
      rows++
    }
    expect(rows).toBe(view.sections.reduce((sum, section) => sum + (section.rows?.heights.length ?? 0), 0))
    expect(view.neighbour({ section: 0, index: 0 }, 'up')).toBeUndefined()
  })

  test('what is out of view is brought into it', () => {
    view.goTo(0)
    const place = { section: 2, index: 59 }
    expect(view.reveal(place)).toBeGreaterThan(0)
    expect(view.reveal(place)).toBeUndefined()
    expect(view.offset).toBeLessThanOrEqual(view.height - VIEW)
  })
})

test('numbers of photos and places in the content lead to one another', () => {
  fc.assert(
    fc.property(counts, fc.double({ min: 0, max: 0.999, noNaN: true }), (list, share) => {
      const view = new GalleryView()
      view.lay(inputs(list, new Set()), INIT, VIEW)
      const total = list.reduce((sum, it) => sum + it, 0)
      const offset = view.offsetOfOrdinal(share * total)
      view.goTo(offset)
      if (offset < view.height - VIEW - 1) expect(view.ordinal()).toBeCloseTo(share * total, 3)
    })
  )
})
