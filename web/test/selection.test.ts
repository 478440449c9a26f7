import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  chosenCount,
  everything,
  isChosen,
  isEverythingUnseen,
  NOTHING,
  type Place,
  type SelectableBucket,
  type Selection,
  stillThere,
  toggled,
  withRange
} from '../src/state/selection.js'

const bucket = (key: string, count: number, isKnown = true): SelectableBucket => ({
  key,
  count,
  ids: isKnown ? Array.from({ length: count }, (_, i) => `${key}${i}`) : undefined
})
const library = [bucket('a', 3), bucket('b', 5), bucket('c', 4)]
const places: Place[] = library.flatMap(({ count }, at) =>
  Array.from({ length: count }, (_, index) => ({ bucket: at, index }))
)
const place = fc.constantFrom(...places)

function chosen(selection: Selection, buckets = library): string[] {
  return buckets.flatMap(({ key, ids = [] }) => ids.filter(id => isChosen(selection, key, id)))
}

test('a range is all from one to the other, in either order', () => {
  fc.assert(
    fc.property(place, place, (from, to) => {
      const ids = library.flatMap(({ ids = [] }) => ids)
      const at = (it: Place): number => places.findIndex(p => p.bucket === it.bucket && p.index === it.index)
      const [low, high] = [at(from), at(to)].sort((a, b) => a - b) as [number, number]
      const selection = withRange(NOTHING, library, from, to)
      expect(chosen(selection)).toEqual(ids.slice(low, high + 1))
      expect(selection).toEqual(withRange(NOTHING, library, to, from))
      expect(chosenCount(selection, library)).toBe(high - low + 1)
    })
  )
})

test('choosing twice is not choosing, whatever else is chosen', () => {
  fc.assert(
    fc.property(place, place, place, (from, to, one) => {
      const before = withRange(NOTHING, library, from, to)
      const owner = library[one.bucket] as SelectableBucket
      const id = owner.ids?.[one.index] as string
      const once = toggled(before, owner, id)
      expect(isChosen(once, owner.key, id)).toBe(!isChosen(before, owner.key, id))
      expect(toggled(once, owner, id)).toEqual(before)
    })
  )
})

test('five thousand photos between two need not be known', () => {
  const buckets = [
    bucket('a', 3),
    ...Array.from({ length: 5 }, (_, i) => bucket(`far${i}`, 1_000, false)),
    bucket('z', 4)
  ]
  const selection = withRange(NOTHING, buckets, { bucket: 0, index: 2 }, { bucket: 6, index: 0 })
  expect(chosenCount(selection, buckets)).toBe(5_002)
  expect(chosenCount(everything(buckets), buckets)).toBe(5_007)
})

describe('when the library changes', () => {
  test('what is gone is not chosen any more, what is left is', () => {
    const selection = withRange(NOTHING, library, { bucket: 0, index: 1 }, { bucket: 1, index: 1 })
    const now = [{ key: 'b', count: 4, ids: ['b1', 'b2', 'b3', 'b4'] }, bucket('c', 4)]
    expect(chosen(stillThere(selection, now), now)).toEqual(['b1'])
  })

  test('a photo that is new does not become chosen by standing where another one stood', () => {
    const selection = toggled(NOTHING, bucket('a', 3), 'a0')
    const now = [{ key: 'a', count: 4, ids: ['new', 'a0', 'a1', 'a2'] }]
    expect(chosen(stillThere(selection, now), now)).toEqual(['a0'])
  })
})

test('all of a list needs no names only when all is chosen, and not all of it known', () => {
  const [a, b, c] = library as [SelectableBucket, SelectableBucket, SelectableBucket]
  const unseen = [a, b, { ...c, ids: undefined }]
  expect(isEverythingUnseen(everything(unseen), unseen)).toBe(true)
  expect(isEverythingUnseen(everything(library), library)).toBe(false)
  expect(isEverythingUnseen(toggled(everything(unseen), a, 'a0'), unseen)).toBe(false)
  expect(isEverythingUnseen(everything([a, b]), unseen)).toBe(false)
})
