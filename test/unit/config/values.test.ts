import { describe, expect, test } from 'vitest'
import {
  byteSize,
  decimal,
  hostList,
  integer,
  line,
  listenAddress,
  oneOf,
  onOff,
  path,
  peerList,
  peerListenAddress,
  publicAddresses
} from '../../../src/config/values.js'

test('sizes and numbers keep to their limits, which are allowed themselves', () => {
  const size = byteSize(10, '10', 20, '20')
  expect(['9', '10', '20', '21'].map(text => size.parse(text))).toEqual([undefined, 10, 20, undefined])
  const whole = integer(1, 3)
  expect(['0', '1', '3', '4', '1.5', '', ' 1', '+1', 'one'].map(text => whole.parse(text))).toEqual([
    undefined,
    1,
    3,
    ...Array(6).fill(undefined)
  ])
  const days = decimal(0, 2)
  expect(['0', '0.5', '2', '2.1', '-1', '1e0', '.5'].map(text => days.parse(text))).toEqual([
    0,
    0.5,
    2,
    ...Array(4).fill(undefined)
  ])
})

describe('listenAddress', () => {
  test.each([
    ['127.0.0.1:8000', { host: '127.0.0.1', port: 8000 }],
    ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
    ['[::1]:8000', { host: '::1', port: 8000 }],
    ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
    ['localhost:65535', { host: 'localhost', port: 65_535 }],
    ['node-1.example.org:80', { host: 'node-1.example.org', port: 80 }]
  ])('%s', (text, address) => expect(listenAddress.parse(text)).toEqual(address))

  test.each([
    '',
    ':8000',
    '8000',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '::1:8000',
    '[x]:1',
    'a b:1',
    'http://x:1',
    '-a:1'
  ])('%j is none', text => expect(listenAddress.parse(text)).toBeUndefined())
})

test('lists are split at commas, and one bad item spoils them', () => {
  expect(hostList.parse('Photos.Example.org, 10.0.0.1,[::1]')).toEqual(['photos.example.org', '10.0.0.1', '::1'])
  expect(hostList.parse('a,,b')).toBeUndefined()
  expect(hostList.parse('a:80')).toBeUndefined()
  expect(peerList.parse('sheaf,10.0.0.1:4001,/ip4/10.0.0.1/tcp/4001/p2p/12D3Koo')).toHaveLength(3)
  expect(peerList.parse('sheaf,/nonsense')).toBeUndefined()
  expect(publicAddresses.parse('a:0')).toBeUndefined()
  expect(publicAddresses.parse('a:1, [fd00::7]:2,[fd00::8]')).toEqual([
    { host: 'a', port: 1 },
    { host: 'fd00::7', port: 2 },
    { host: 'fd00::8' }
  ])
  expect(publicAddresses.parse('a,b,c,d,e')).toBeUndefined()
})

test('nodes meet at addresses of both families, but not at those that need a zone', () => {
  expect(peerListenAddress.parse('[::]:4001')).toEqual({ host: '::', port: 4001 })
  expect(peerList.parse('[fd00::7]:4001,[fd00::8],10.0.0.1')).toHaveLength(3)
  expect(listenAddress.parse('[fe80::1%eth0]:1')).toEqual({ host: 'fe80::1%eth0', port: 1 })
  for (const kind of [peerListenAddress, peerList, publicAddresses]) {
    expect(kind.parse('[fe80::1%eth0]:1')).toBeUndefined()
    expect(kind.parse('fd00::7:1')).toBeUndefined()
  }
})

test('words, switches, paths and lines', () => {
  expect(oneOf(['info', 'warn']).parse('WARN')).toBe('warn')
  expect(oneOf(['info', 'warn']).parse('loud')).toBeUndefined()
  expect(['on', 'TRUE', '1', 'yes'].map(text => onOff.parse(text))).toEqual([true, true, true, true])
  expect(['off', 'false', '0', 'No'].map(text => onOff.parse(text))).toEqual([false, false, false, false])
  expect(onOff.parse('maybe')).toBeUndefined()
  expect(path.parse('a b')).toBe('a b')
  expect([path.parse(''), path.parse(' '), path.parse('a\0b')]).toEqual([undefined, undefined, undefined])
  expect(line(3).parse(' abc ')).toBe('abc')
  expect([line(3).parse('abcd'), line(3).parse('a\nb'), line(3).parse(' ')]).toEqual([undefined, undefined, undefined])
})
