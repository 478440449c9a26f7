import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatRoute, parseRoute, type Route } from '../src/router.js'

const id = fc.uuid()
const text = fc.string({ minLength: 1, unit: 'grapheme' })
const route: fc.Arbitrary<Route> = fc.oneof(
  fc.constantFrom<Route>(
    { page: 'photos' },
    { page: 'albums' },
    { page: 'duplicates' },
    { page: 'trash' },
    { page: 'cluster' }
  ),
  id.map((it): Route => ({ page: 'photo', id: it })),
  id.map((it): Route => ({ page: 'album', id: it })),
  id.map((it): Route => ({ page: 'similar', id: it })),
  text.map((q): Route => ({ page: 'search', q })),
  text.map((q): Route => ({ page: 'found', q })),
  text.map((name): Route => ({ page: 'tag', name })),
  text.map((name): Route => ({ page: 'label', name })),
  text.map((name): Route => ({ page: 'time', name }))
)

test('an address leads to what it was made of', () => {
  fc.assert(
    fc.property(route, it => {
      expect(parseRoute(formatRoute(it))).toEqual(it)
    })
  )
})

test('any other address leads to the photos, and none throws', () => {
  for (const hash of [
    '',
    '#',
    '#/',
    '#/nowhere',
    '#/photo/',
    '#/photo/..%2fx',
    '#/tag/',
    '#/tag/%',
    '#/album/%E0%A4%A'
  ])
    expect(parseRoute(hash)).toEqual({ page: 'photos' })
  fc.assert(fc.property(fc.string(), hash => void parseRoute(hash)))
})
