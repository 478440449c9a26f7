import { expect, test } from 'vitest'
import { withWord } from '../src/state/names.js'

const named = (...names: string[]) => names.map(name => ({ name }))

test('names with a word that begins with the text are found, each once', () => {
  const names = named('Garden', 'our garden', 'beergarden', 'Kiel/Garden', 'Förde (2024)', 'garden', 'x.y')
  const found = (text: string): string[] => withWord(names, text).map(({ name }) => name)
  expect(found('gar')).toEqual(['Garden', 'our garden', 'Kiel/Garden'])
  expect(found('forde')).toEqual(['Förde (2024)'])
  expect(found('2024')).toEqual(['Förde (2024)'])
  expect(found('x.y')).toEqual(['x.y'])
  expect(found('den')).toEqual([])
})

test('a few names are enough, and albums of one name are several', () => {
  expect(withWord(named(...Array.from({ length: 20 }, (_, i) => `a${i}`)), 'a')).toHaveLength(8)
  const albums = ['1', '2', '1'].map(album_id => ({ album_id, name: 'Kiel' }))
  expect(withWord(albums, 'kiel').map(({ album_id }) => album_id)).toEqual(['1', '2'])
})
