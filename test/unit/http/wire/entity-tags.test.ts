import { expect, test } from 'vitest'
import { matchesStrongly, matchesWeakly, parseEntityTags } from '../../../../src/http/wire/entity-tags.js'

test.each([
  ['"a"', ['"a"']],
  ['"a", W/"b" ,"c"', ['"a"', 'W/"b"', '"c"']],
  ['"a,b"', ['"a,b"']],
  [',"a",,', ['"a"']],
  ['""', ['""']],
  ['*', '*'],
  [' * ', '*']
])('%s is a list of tags', (header, tags) => {
  expect(parseEntityTags(header)).toEqual(tags)
})

test.each(['', ' ', 'a', '"a', '"a" "b"', '"a"b', '"a", b', 'w/"a"', '"a b"', '*, "a"'])('%j is malformed', header => {
  expect(parseEntityTags(header)).toBeUndefined()
})

test('If-None-Match compares weakly', () => {
  expect(matchesWeakly(['"a"', '"b"'], '"b"')).toBe(true)
  expect(matchesWeakly(['W/"b"'], '"b"')).toBe(true)
  expect(matchesWeakly('*', '"b"')).toBe(true)
  expect(matchesWeakly('*', undefined)).toBe(true)
  expect(matchesWeakly(['"a"'], '"b"')).toBe(false)
  expect(matchesWeakly(['"a"'], undefined)).toBe(false)
})

test('If-Match compares strongly', () => {
  expect(matchesStrongly(['"b"'], '"b"')).toBe(true)
  expect(matchesStrongly(['W/"b"'], '"b"')).toBe(false)
  expect(matchesStrongly(['W/"b"'], 'W/"b"')).toBe(false)
  expect(matchesStrongly('*', '"b"')).toBe(true)
  expect(matchesStrongly('*', undefined)).toBe(true)
  expect(matchesStrongly(['"b"'], undefined)).toBe(false)
})
