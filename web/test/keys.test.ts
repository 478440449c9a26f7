import { describe, expect, test } from 'vitest'
import { KEYS, type KeyAction, KeyReader, keyOf, type Press, type Scope } from '../src/keys.js'
import { KEY_TEXTS } from '../src/texts/en-keys.js'

const PLAIN = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false }

/** @param name - as in the table */
function press(name: string): Press {
  const [key = '', ...modifiers] = name === ' ' ? [' '] : name.split('+').reverse()
  return {
    ...PLAIN,
    key: key === '' ? '+' : key,
    shiftKey: modifiers.includes('Shift'),
    ctrlKey: modifiers.includes('Mod')
  }
}

function read(keys: string, scopes: readonly Scope[]): KeyAction | undefined {
  const reader = new KeyReader()
  const presses = keys === ' ' || keys === 'Shift+ ' ? [keys] : keys.split(' ')
  return presses.map(name => reader.read(press(name), scopes)).at(-1)
}

const SCOPES: Readonly<Record<Scope, readonly Scope[]>> = {
  everywhere: ['everywhere'],
  gallery: ['gallery', 'everywhere'],
  photo: ['photo', 'everywhere'],
  duplicates: ['duplicates', 'everywhere']
}

test.each(KEYS.flatMap(({ scope, keys, action }) => keys.map(key => ({ scope, key, action }))))(
  '$key in $scope is $action',
  ({ scope, key, action }) => {
    expect(read(key, SCOPES[scope])).toBe(action)
    expect(KEY_TEXTS[action]).not.toBe('')
  }
)

test('no key means two things in one place, and every text is of a key', () => {
  for (const scope of Object.keys(SCOPES)) {
    const keys = KEYS.filter(it => it.scope === scope).flatMap(it => it.keys)
    expect(new Set<string>(keys).size).toBe(keys.length)
  }
  expect(new Set<string>(KEYS.map(({ action }) => action))).toEqual(new Set(Object.keys(KEY_TEXTS)))
})

describe('what belongs to the browser is left to it', () => {
  test.each(['Mod+c', 'Mod+r', 'Mod+Shift+a', 'F5', 'Tab'])('%s', name => {
    expect(read(name, ['photo', 'gallery', 'everywhere'])).toBeUndefined()
  })

  test('with Alt', () => {
    expect(keyOf({ ...PLAIN, key: 'ArrowLeft', altKey: true })).toBeUndefined()
  })
})

test('capitals are the same letters, and a second key that means nothing is read by itself', () => {
  const reader = new KeyReader()
  expect(reader.read(press('g'), ['everywhere'])).toBeUndefined()
  expect(reader.read({ ...PLAIN, key: 'u' }, ['everywhere'])).toBe('upload')
  expect(reader.read(press('g'), ['everywhere'])).toBeUndefined()
  expect(reader.read({ ...PLAIN, key: 'P' }, ['everywhere'])).toBe('goPhotos')
})
