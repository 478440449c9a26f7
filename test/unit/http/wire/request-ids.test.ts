import { expect, test } from 'vitest'
import { systemRandom } from '../../../../src/core/random.js'
import { RequestIds } from '../../../../src/http/wire/request-ids.js'

const ids = (): RequestIds => new RequestIds(systemRandom)

test.each(['abc', 'A.b_c~1', '7c1f-4d2e', 'a:b@c+d/e=', 'x'.repeat(128)])('%j of a client is kept', id => {
  expect(ids().of(['Host', 'localhost', 'X-Request-Id', id])).toBe(id)
  expect(ids().of(['x-request-id', id, 'Host', 'localhost'])).toBe(id)
})

test.each(['', ' ', 'a b', 'a\tb', 'a"b', 'a;b', 'é', '<script>', '$HOME', 'x'.repeat(129)])('%j is replaced', id => {
  expect(ids().of(['X-Request-Id', id])).toMatch(/^[0-9a-f]{12}-1$/)
})

test('without one each request has its own, and each process others', () => {
  const one = ids()
  const names = [one.of([]), one.of(['Host', 'X-Request-Id']), one.next()]
  expect(new Set(names).size).toBe(3)
  expect(ids().next()).not.toBe(names[0])
})
