import { expect, test } from 'vitest'
import { parseJoinTarget } from '../../../../src/network/addresses/join-target.js'

test.each([
  ['sheaf', { kind: 'name', host: 'sheaf', port: 4001 }],
  ['sheaf:5000', { kind: 'name', host: 'sheaf', port: 5000 }],
  ['photos.example.org', { kind: 'name', host: 'photos.example.org', port: 4001 }],
  ['10.0.0.7', { kind: 'address', address: '/ip4/10.0.0.7/tcp/4001' }],
  ['10.0.0.7:4005', { kind: 'address', address: '/ip4/10.0.0.7/tcp/4005' }],
  ['[::1]:4005', { kind: 'address', address: '/ip6/::1/tcp/4005' }],
  ['[fd00::7]', { kind: 'address', address: '/ip6/fd00::7/tcp/4001' }],
  ['fd00::7', { kind: 'address', address: '/ip6/fd00::7/tcp/4001' }],
  ['/dns4/sheaf/tcp/4002', { kind: 'name', host: 'sheaf', port: 4002 }],
  ['/dns/sheaf/tcp/4002', { kind: 'name', host: 'sheaf', port: 4002 }],
  ['/dns4/sheaf/tcp/4002/p2p/12D3KooWabc', { kind: 'address', address: '/dns4/sheaf/tcp/4002/p2p/12D3KooWabc' }],
  ['/ip4/1.2.3.4/tcp/4001/p2p/12D3KooWabc', { kind: 'address', address: '/ip4/1.2.3.4/tcp/4001/p2p/12D3KooWabc' }]
])('%s', (text, target) => {
  expect(parseJoinTarget(text, 4001)).toEqual(target)
})
