import { expect, test } from 'vitest'
import type { NodeId } from '../../../../src/domain/ids.js'
import {
  AdvertisedAddresses,
  type AdvertisedAddressesInit
} from '../../../../src/network/addresses/advertised-addresses.js'

const self = 'me' as NodeId

/** A host on two networks, with a bridge of its own. */
async function setUp(
  init: Partial<AdvertisedAddressesInit> = {},
  interfaces = ['172.17.0.1', '10.0.1.5', '10.0.2.5', 'fd00::5']
) {
  const advertised = new AdvertisedAddresses(
    {
      interfaces: () => interfaces,
      routeTo: async remote => interfaces.find(address => address.slice(0, 6) === remote.slice(0, 6)),
      defaultRoutes: async () => interfaces.filter(address => address === '10.0.1.5')
    },
    { self, listenHost: '0.0.0.0', port: 4001, ...init }
  )
  await advertised.refresh()
  return advertised
}

test('configured addresses are advertised, and nothing else', async () => {
  expect((await setUp({ advertise: [{ host: 'photos.example', port: 9 }] })).list()).toEqual([
    '/dns/photos.example/tcp/9/p2p/me'
  ])
  expect((await setUp({ advertise: [{ host: '192.0.2.7' }, { host: '2001:db8::7', port: 9 }] })).list()).toEqual([
    '/ip4/192.0.2.7/tcp/4001/p2p/me',
    '/ip6/2001:db8::7/tcp/9/p2p/me'
  ])
})

test('a specific listen address is the only one advertised', async () => {
  expect((await setUp({ listenHost: '127.0.0.1' })).list()).toEqual(['/ip4/127.0.0.1/tcp/4001/p2p/me'])
  expect((await setUp({ listenHost: '::1' })).list()).toEqual(['/ip6/::1/tcp/4001/p2p/me'])
})

test('without peers the interface of the default route comes first', async () => {
  expect((await setUp()).list()).toEqual([
    '/ip4/10.0.1.5/tcp/4001/p2p/me',
    '/ip4/172.17.0.1/tcp/4001/p2p/me',
    '/ip4/10.0.2.5/tcp/4001/p2p/me'
  ])
})

test('with peers the interface that reaches most of them comes first, as long as they are connected', async () => {
  const advertised = await setUp()
  const first = (): string | undefined => advertised.list()[0]
  await advertised.noteConnected('a' as NodeId, '10.0.2.8')
  expect(first()).toContain('10.0.2.5')
  await advertised.noteConnected('b' as NodeId, '10.0.1.8')
  expect(first()).toContain('10.0.1.5')
  await advertised.noteConnected('c' as NodeId, '10.0.2.9')
  expect(first()).toContain('10.0.2.5')
  advertised.noteDisconnected('a' as NodeId)
  advertised.noteDisconnected('c' as NodeId)
  expect(first()).toContain('10.0.1.5')
})

test('IPv6 addresses are advertised only when the node listens on them', async () => {
  expect((await setUp()).list().join()).not.toContain('ip6')
  expect((await setUp({ listenHost: '::' })).list()).toContain('/ip6/fd00::5/tcp/4001/p2p/me')
})

test('at most four addresses are advertised, and one even by a machine without a network', async () => {
  const many = Array.from({ length: 20 }, (_, i) => `10.9.${i}.1`)
  expect((await setUp({}, many)).list()).toHaveLength(4)
  expect((await setUp({}, [])).list()).toEqual(['/ip4/127.0.0.1/tcp/4001/p2p/me'])
})

test('of many addresses, both families are advertised', async () => {
  const sixes = Array.from({ length: 9 }, (_, i) => `2001:db8::${i + 1}`)
  const list = (await setUp({ listenHost: '::' }, [...sixes, '10.0.1.5'])).list()
  expect(list).toHaveLength(4)
  expect(list[0]).toContain('/ip4/10.0.1.5/') // of the default route
  const withoutRoute = (await setUp({ listenHost: '::' }, [...sixes, '10.9.0.1'])).list()
  expect(withoutRoute.map(address => address.split('/')[1])).toEqual(['ip6', 'ip6', 'ip6', 'ip4'])
})

test('addresses that come and go at run time are advertised and dropped', async () => {
  const interfaces = ['10.0.1.5', '10.0.2.5']
  const advertised = await setUp({}, interfaces)
  const hosts = () => advertised.list().map(address => address.split('/')[2])
  interfaces.push('10.0.3.5')
  expect(hosts()).toEqual(['10.0.1.5', '10.0.2.5', '10.0.3.5'])
  interfaces.shift()
  await advertised.refresh()
  expect(hosts()).toEqual(['10.0.2.5', '10.0.3.5'])
  interfaces.push('10.0.1.5')
  expect(hosts()[0]).toBe('10.0.2.5')
  await advertised.refresh()
  expect(hosts()[0]).toBe('10.0.1.5')
})
