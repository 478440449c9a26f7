import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { Forwarded, type Sender } from '../../../../src/http/wire/forwarded.js'

const FORWARDED = {
  host: '127.0.0.1:8000',
  'x-forwarded-for': '203.0.113.9, 198.51.100.1',
  'x-forwarded-host': 'photos.example',
  'x-forwarded-proto': 'https'
}

/** @param remoteAddress - undefined: by a Unix socket */
function sender(
  proxies: readonly string[],
  remoteAddress: string | undefined,
  headers: Record<string, string> = FORWARDED,
  encrypted = false
): Sender {
  const request = { socket: { remoteAddress, encrypted }, headers } as unknown as IncomingMessage
  return new Forwarded(proxies).senderOf(request)
}

describe('who is not named', () => {
  test.each([
    [[], '127.0.0.1'],
    [['10.0.0.0/8'], '11.0.0.1'],
    [['10.0.0.0/8'], undefined],
    [['unix'], '127.0.0.1'],
    [['::1'], '::2']
  ])('trusting %j, %s is not believed', (proxies, address) => {
    expect(sender(proxies, address)).toEqual({ address, host: '127.0.0.1:8000', isSecure: false })
  })

  test('speaks TLS itself, or does not', () => {
    expect(sender([], '192.0.2.1', { host: 'nas' }, true)).toEqual({
      address: '192.0.2.1',
      host: 'nas',
      isSecure: true
    })
  })
})

describe('a proxy that is named', () => {
  test.each([
    [['127.0.0.1'], '127.0.0.1'],
    [['127.0.0.0/8'], '::ffff:127.0.0.1'],
    [['fd00::/8'], 'fd12::1'],
    [['10.0.0.1', 'unix'], undefined]
  ])('trusting %j, %s says who asked, for what and how', (proxies, address) => {
    expect(sender(proxies, address)).toEqual({ address: '198.51.100.1', host: 'photos.example', isSecure: true })
  })

  test('may stand behind others that are', () => {
    const proxies = ['127.0.0.1', '198.51.100.0/24']
    expect(sender(proxies, '127.0.0.1').address).toBe('203.0.113.9')
    const chain = { ...FORWARDED, 'x-forwarded-for': '6.6.6.6, 203.0.113.9, 198.51.100.1' }
    expect(sender(proxies, '127.0.0.1', chain).address).toBe('203.0.113.9') // what stands before it may be made up
    expect(sender(proxies, '127.0.0.1', { ...FORWARDED, 'x-forwarded-for': '198.51.100.1' }).address).toBe(
      '198.51.100.1'
    )
  })

  test('that says nothing, or what is no address, is the sender itself', () => {
    expect(sender(['127.0.0.1'], '127.0.0.1', { host: 'nas' })).toEqual({
      address: '127.0.0.1',
      host: 'nas',
      isSecure: false
    })
    expect(sender(['127.0.0.1'], '127.0.0.1', { 'x-forwarded-for': '1.2.3.4, unknown' }).address).toBe('127.0.0.1')
  })

  test('counts with the last value of a list, which is its own', () => {
    const headers = { 'x-forwarded-host': 'evil.example, photos.example', 'x-forwarded-proto': 'https,http' }
    expect(sender(['127.0.0.1'], '127.0.0.1', headers, true)).toMatchObject({ host: 'photos.example', isSecure: false })
  })
})
