import { beforeEach, expect, test } from 'vitest'
import { Drafts } from '../src/state/drafts.js'
import type { TextStorage } from '../src/state/session.js'

let stored: Map<string, string>
let drafts: Drafts

function storage(): TextStorage {
  return { getItem: key => stored.get(key) ?? null, setItem: (key, text) => stored.set(key, text) }
}

beforeEach(() => {
  stored = new Map()
  drafts = new Drafts(storage())
})

test('what was typed is there for another page, until it is saved', () => {
  drafts.keep('a', { text: 'In the gar', seen: '' })
  drafts.keep('a', { text: 'In the garden', seen: '' })
  const other = new Drafts(storage())
  expect(other.get('a')).toEqual({ text: 'In the garden', seen: '' })
  expect(other.get('b')).toBeUndefined()
  other.drop('a')
  expect(drafts.get('a')).toBeUndefined()
})

test('of too many, those that were typed into least recently are forgotten', () => {
  for (let i = 0; i < 20; i++) drafts.keep(String(i), { text: `${i}`, seen: '' })
  drafts.keep('0', { text: 'again', seen: '' })
  drafts.keep('20', { text: '20', seen: '' })
  expect([drafts.get('0')?.text, drafts.get('1'), drafts.get('2')?.text, drafts.get('20')?.text]).toEqual([
    'again',
    undefined,
    '2',
    '20'
  ])
})

test.each([
  ['no JSON', '{'],
  ['no list', '{"a": 1}'],
  ['no pairs', '[null, 1, "a", ["a"], ["a", null], [1, {"text": "", "seen": ""}]]'],
  ['no captions', `[["a", {"text": 1, "seen": ""}], ["a", {"text": "${'x'.repeat(2_001)}", "seen": ""}]]`]
])('%s is no draft, and no harm', (_, text) => {
  stored.set('sheaf.drafts', text)
  expect(drafts.get('a')).toBeUndefined()
  drafts.keep('a', { text: 'mine', seen: 'theirs' })
  expect(drafts.get('a')).toEqual({ text: 'mine', seen: 'theirs' })
})

test('a browser that has no room is no harm', () => {
  const full: TextStorage = {
    getItem: () => null,
    setItem: () => {
      throw new Error('no room')
    }
  }
  expect(() => new Drafts(full).keep('a', { text: 'mine', seen: '' })).not.toThrow()
})
