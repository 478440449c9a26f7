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
  drafts.keep('a', { text: 'In the gar', seen: '', by: 'anna' })
  drafts.keep('a', { text: 'In the garden', seen: '', by: 'anna' })
  const other = new Drafts(storage())
  expect(other.get('a', 'anna')).toEqual({ text: 'In the garden', seen: '', by: 'anna' })
  expect(other.get('b', 'anna')).toBeUndefined()
  other.drop('a')
  expect(drafts.get('a', 'anna')).toBeUndefined()
})

test('what one has typed is for nobody else who comes to the same browser', () => {
  drafts.keep('a', { text: 'mine', seen: '', by: 'anna' })
  expect([drafts.get('a', 'ben'), drafts.get('a', '')]).toEqual([undefined, undefined])
  expect(drafts.get('a', 'anna')?.text).toBe('mine')
})

test('of too many, those that were typed into least recently are forgotten', () => {
  for (let i = 0; i < 20; i++) drafts.keep(String(i), { text: `${i}`, seen: '', by: 'anna' })
  drafts.keep('0', { text: 'again', seen: '', by: 'anna' })
  drafts.keep('20', { text: '20', seen: '', by: 'anna' })
  expect([
    drafts.get('0', 'anna')?.text,
    drafts.get('1', 'anna'),
    drafts.get('2', 'anna')?.text,
    drafts.get('20', 'anna')?.text
  ]).toEqual(['again', undefined, '2', '20'])
})

test.each([
  ['no JSON', '{'],
  ['no list', '{"a": 1}'],
  ['no pairs', '[null, 1, "a", ["a"], ["a", null], [1, {"text": "", "seen": "", "by": "anna"}]]'],
  [
    'no captions',
    `[["a", {"text": 1, "seen": "", "by": "anna"}], ["a", {"text": "${'x'.repeat(2_001)}", "seen": "", "by": "anna"}]]`
  ]
])('%s is no draft, and no harm', (_, text) => {
  stored.set('sheaf.drafts', text)
  expect(drafts.get('a', 'anna')).toBeUndefined()
  drafts.keep('a', { text: 'mine', seen: 'theirs', by: 'anna' })
  expect(drafts.get('a', 'anna')).toEqual({ text: 'mine', seen: 'theirs', by: 'anna' })
})

test('a browser that has no room is no harm', () => {
  const full: TextStorage = {
    getItem: () => null,
    setItem: () => {
      throw new Error('no room')
    }
  }
  expect(() => new Drafts(full).keep('a', { text: 'mine', seen: '', by: 'anna' })).not.toThrow()
})
