import { expect, test } from 'vitest'
import { inviteIn, isOverheard } from '../src/state/account.js'
import { deviceName } from '../src/texts/en-account.js'

test.each([
  ['http:', 'localhost', false],
  ['http:', 'sheaf.localhost', false],
  ['http:', '127.0.0.1', false],
  ['http:', '[::1]', false],
  ['https:', 'photos.example', false],
  ['http:', 'photos.example', true],
  ['http:', '192.168.0.7', true],
  ['http:', '127.0.0.1.example', true],
  ['http:', 'localhost.example', true]
])('a password is read by others at %s//%s: %s', (protocol, hostname, isSo) => {
  expect(isOverheard({ protocol, hostname })).toBe(isSo)
})

test('a device is called by browser and system, or what it calls itself', () => {
  const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
  const phone =
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
  expect([firefox, phone, 'kitchen tablet', 'Mozilla/1.0', null].map(deviceName)).toEqual([
    'Firefox, Linux',
    'Chrome, Android',
    'kitchen tablet',
    'Mozilla/1.0',
    'Unknown device'
  ])
})

test('an address of an invite is known as such, and nothing else', () => {
  const secret = 'aB-_'.repeat(16)
  expect(inviteIn(`#/invite/${secret}`)).toBe(secret)
  for (const hash of [
    '',
    '#/',
    `#/invite/${secret}x`,
    `#/invite/${secret.slice(1)}`,
    `#/photo/${secret}`,
    '#/invite/a b'
  ])
    expect(inviteIn(hash), hash).toBeUndefined()
})
