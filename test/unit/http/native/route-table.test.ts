import { expect, test } from 'vitest'
import { RouteTable } from '../../../../src/http/native/route-table.js'

const table = new RouteTable()
table.add('/', ['GET'])
table.add('/photo/:id', ['GET', 'HEAD'])
table.add('/photo/:id', ['DELETE'])
table.add('/photo/:id/meta', ['PATCH', 'GET'])
table.add('/v1/admin/verify', ['POST'])
table.add('/v1/admin/:what', ['GET'])

test.each([
  ['/', ['GET']],
  ['/photo/x', ['DELETE', 'GET', 'HEAD']],
  ['/photo/x?y=/z', ['DELETE', 'GET', 'HEAD']],
  ['/photo/x/meta', ['GET', 'PATCH']],
  ['/v1/admin/verify', ['GET', 'POST']],
  ['/photo', []],
  ['/photo/', []],
  ['/photo/x/', []],
  ['/photo/x/other', []],
  ['/photos', []],
  ['', []]
])('%s has %j', (url, methods) => {
  expect(table.methodsOf(url)).toEqual(methods)
})
