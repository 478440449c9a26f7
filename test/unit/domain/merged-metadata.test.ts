import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  editOf,
  type Gained,
  gainedFrom,
  MERGEABLE,
  NOTHING_GAINED,
  type Said
} from '../../../src/domain/merged-metadata.js'
import { MARKS, type Mark } from '../../../src/domain/photo.js'
import { foldText } from '../../../src/domain/text.js'

const label = fc.constantFrom('a', 'A', 'b', 'c', 'ä', 'Straße', 'strasse')
const labels = fc.uniqueArray(label, { selector: foldText, maxLength: 4 })
const said: fc.Arbitrary<Said> = fc.record({
  albums: labels,
  tags: labels,
  rating: fc.option(fc.nat(5), { nil: undefined }),
  caption: fc.option(fc.constantFrom('', 'one', 'two'), { nil: undefined }),
  marks: fc.subarray([...MARKS]).map((marks): ReadonlySet<Mark> => new Set(marks))
})
const others = fc.array(said, { maxLength: 4 })
const ALL = new Set(MERGEABLE)

/** What an edit makes of it. */
function withGained(kept: Said, gained: Gained): Said {
  const { tags, albums, rating = kept.rating, caption = kept.caption, favourite, archived } = editOf(gained)
  const marks = new Set(kept.marks)
  if (favourite === true) marks.add('favourite')
  if (archived === false) marks.delete('archived')
  return {
    tags: [...kept.tags, ...(tags?.add ?? [])],
    albums: [...kept.albums, ...(albums?.add ?? [])],
    rating: rating ?? undefined,
    caption: caption ?? undefined,
    marks
  }
}
const folded = (texts: readonly string[]): Set<string> => new Set(texts.map(foldText))

test('a merge keeps all that was there, and has the tags and albums of all, each once', () => {
  fc.assert(
    fc.property(said, others, (kept, sources) => {
      const after = withGained(kept, gainedFrom(kept, sources, ALL))
      for (const field of ['tags', 'albums'] as const) {
        expect(after[field].slice(0, kept[field].length)).toEqual(kept[field])
        expect(folded(after[field])).toEqual(folded([kept, ...sources].flatMap(it => it[field])))
        expect(folded(after[field]).size).toBe(after[field].length)
      }
      expect(after.rating).toBe(kept.rating ?? sources.map(it => it.rating).reduce(greater, undefined))
      if (kept.caption !== undefined && kept.caption !== '') expect(after.caption).toBe(kept.caption)
      else
        expect(after.caption || undefined).toBe(sources.map(it => it.caption).find(it => it !== undefined && it !== ''))
    })
  )
})

test('it is a favourite if one of them was, and archived only if all were', () => {
  fc.assert(
    fc.property(said, others, (kept, sources) => {
      const { marks } = withGained(kept, gainedFrom(kept, sources, ALL))
      expect(marks.has('favourite')).toBe([kept, ...sources].some(it => it.marks.has('favourite')))
      expect(marks.has('archived')).toBe([kept, ...sources].every(it => it.marks.has('archived')))
    })
  )
})

test('a second merge gains nothing, nor does one of nothing', () => {
  fc.assert(
    fc.property(said, others, (kept, sources) => {
      const after = withGained(kept, gainedFrom(kept, sources, ALL))
      expect(gainedFrom(after, sources, ALL)).toEqual(NOTHING_GAINED)
      expect(gainedFrom(kept, [], ALL)).toEqual(NOTHING_GAINED)
      expect(gainedFrom(kept, sources, new Set())).toEqual(NOTHING_GAINED)
      expect(editOf(NOTHING_GAINED)).toEqual({})
    })
  )
})

function greater(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}
