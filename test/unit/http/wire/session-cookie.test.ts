import { expect, test } from 'vitest'
import { SessionCookie } from '../../../../src/http/wire/session-cookie.js'

const cookie = new SessionCookie(['9c0fe4764fae8485', '0123456789abcdef'])

test('is named after the cluster, and by https so that no plain page can set it', () => {
  expect(cookie.write('a.b', 60.9, false)).toBe('sheaf_9c0fe476=a.b; Path=/; Max-Age=60; HttpOnly; SameSite=Strict')
  expect(cookie.write('a.b', -1, true)).toBe(
    '__Host-sheaf_9c0fe476=a.b; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure'
  )
  expect(cookie.clear(false)).toBe('sheaf_9c0fe476=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict')
})

test('is found among others, under the names of all keys in use', () => {
  expect(cookie.read('a=1;sheaf_9c0fe476=x ; b', false)).toEqual(['x'])
  expect(cookie.read('sheaf_01234567=y; sheaf_9c0fe476=x=z', false)).toEqual(['y', 'x=z'])
  for (const header of [
    undefined,
    '',
    'sheaf_9c0fe476',
    'Sheaf_9c0fe476=x',
    'sheaf_9c0fe4764fae8485=x',
    'xsheaf_9c0fe476=x'
  ])
    expect(cookie.read(header, false)).toEqual([])
})

test('one that came by http is not believed by https, nor the other way round', () => {
  expect(cookie.read('sheaf_9c0fe476=x', true)).toEqual([])
  expect(cookie.read('__Host-sheaf_9c0fe476=x', true)).toEqual(['x'])
  expect(cookie.read('__Host-sheaf_9c0fe476=x', false)).toEqual([])
})
