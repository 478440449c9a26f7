import { expect, test } from 'vitest'
import { LinkCookies } from '../../../../src/http/wire/link-cookies.js'

const cookies = new LinkCookies('0123456789abcdef')
const ID = 'aaaaaaaa-0000-8000-8000-000000000000'
const VALUE = `${'w'.repeat(32)}.`
const nameOf = (n: number): string => `sheaf_link_01234567_${String(n).padStart(8, '0')}`

test('a cookie for each link, which scripts do not read and no other page sends, until the browser is closed', () => {
  const [line, ...others] = cookies.write(ID, VALUE, undefined, false)
  expect([line, others]).toEqual([`sheaf_link_01234567_aaaaaaaa=${VALUE}; Path=/; HttpOnly; SameSite=Strict`, []])
  expect(cookies.write(ID, VALUE, undefined, true)).toEqual([
    `__Host-sheaf_link_01234567_aaaaaaaa=${VALUE}; Path=/; HttpOnly; SameSite=Strict; Secure`
  ])
})

test('what is read is of this cluster, by the same kind of connection, and has the form of one', () => {
  const header = `a=b; ${nameOf(1)}=${VALUE}; __Host-${nameOf(2)}=${VALUE}proof; sheaf_link_99999999_a=${VALUE}; ${nameOf(3)}=x; ${nameOf(4)}`
  expect(cookies.read(header, false)).toEqual([VALUE])
  expect(cookies.read(header, true)).toEqual([`${VALUE}proof`])
  expect(cookies.read(undefined, false)).toEqual([])
})

test('eight at most: the oldest goes, and of more that were sent the first count', () => {
  const header = [1, 2, 3, 4, 5, 6, 7, 8].map(n => `${nameOf(n)}=${VALUE}`).join('; ')
  expect(cookies.write(ID, VALUE, header, false).map(line => line.split(';', 1)[0])).toEqual([
    `${nameOf(1)}=`,
    `sheaf_link_01234567_aaaaaaaa=${VALUE}`
  ])
  expect(cookies.read(`${header}; ${nameOf(9)}=${VALUE}`, false)).toHaveLength(8)
  expect(cookies.clear(header, false)).toHaveLength(8)
  expect(cookies.clear(header, false)[0]).toBe(`${nameOf(1)}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict`)
})
