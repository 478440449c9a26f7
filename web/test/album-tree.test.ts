import { expect, test } from 'vitest'
import { placesFor } from '../src/state/album-tree.js'

const album = (album_id: string | null, name: string, parent: string | null = null) =>
  ({ album_id, name, parent }) as Parameters<typeof placesFor>[1][number]

const paths = (id: string, ...albums: ReturnType<typeof album>[]): string[] =>
  placesFor(id, albums).map(({ path }) => path)

test('an album can be put into any other one but those that stand in it, and into no label', () => {
  const all = [
    album('c', 'Crete', 't'),
    album('t', 'Trips'),
    album(null, 'label'),
    album('b', 'Beach', 'c'),
    album('h', 'House'),
    album('o', 'orphan', 'not seen')
  ]
  expect(paths('c', ...all)).toEqual(['House', 'orphan', 'Trips'])
  expect(paths('h', ...all)).toEqual(['orphan', 'Trips', 'Trips / Crete', 'Trips / Crete / Beach'])
})

test('a circle that a list shows while it changes ends', () => {
  expect(paths('x', album('a', 'A', 'b'), album('b', 'B', 'a'))).toHaveLength(2)
})
