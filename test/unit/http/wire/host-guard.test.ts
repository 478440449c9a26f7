import { describe, expect, test } from 'vitest'
import { hasCode } from '../../../../src/core/errors.js'
import { HostGuard } from '../../../../src/http/wire/host-guard.js'

const guard = new HostGuard(['Box.Example', 'photos.example.org'])

function refused(headers: Record<string, string>, method = 'GET', isSecure = false): boolean {
  try {
    const sender = { host: headers.host, isSecure }
    guard.checkHost(headers, sender)
    guard.checkOrigin(method, headers, sender)
    return false
  } catch (err) {
    if (!hasCode(err, 'ERR_FOREIGN_ORIGIN')) throw err
    return true
  }
}

describe('Host', () => {
  test.each([
    '127.0.0.1',
    '127.0.0.1:8000',
    '192.168.7.9:80',
    '[::1]',
    '[::1]:8000',
    '[fe80::1]:8000',
    'localhost',
    'LOCALHOST:8000',
    'localhost.',
    'nas',
    'nas.local',
    'Photos.Local:8000',
    'nas.home.arpa',
    'box.example',
    'BOX.example:8000',
    'photos.example.org.:443'
  ])('%s is this node', host => {
    expect(refused({ host })).toBe(false)
    expect(guard.allowsHost(host)).toBe(true)
  })

  test.each([
    'evil.example',
    'local.evil.example',
    'evillocal.example',
    'home.arpa.example',
    'evil.example:8000',
    'box.example.evil.com',
    '127.0.0.1.evil.com',
    'localhost.evil.com',
    'evil.com.',
    '1.2.3',
    '1.2.3.4.5',
    '[::1].evil.com',
    '[evil.com]',
    '[127.0.0.1]',
    'user@127.0.0.1',
    '127.0.0.1 evil.com',
    '127.0.0.1,evil.com',
    'a:b',
    ''
  ])('%j is foreign, also the second time', host => {
    expect(refused({ host })).toBe(true)
    expect(refused({ host })).toBe(true)
  })

  test('without Host (HTTP/1.0) there is no browser to protect', () => {
    expect(refused({})).toBe(false)
  })

  test('made-up names do not fill the memory', () => {
    const own = new HostGuard([])
    for (let i = 0; i < 10_000; i++) expect(own.allowsHost(`host${i}`)).toBe(true)
    expect(own.allowsHost('evil.com')).toBe(false)
  })
})

describe('Origin', () => {
  test.each([
    ['localhost:8000', 'http://localhost:8000'],
    ['localhost', 'http://localhost'],
    ['localhost:80', 'http://localhost'],
    ['photos.example.org', 'https://photos.example.org'],
    ['[::1]:8000', 'http://[::1]:8000']
  ])('a page of %s may ask as %s', (host, origin) => {
    expect(refused({ host, origin }, 'POST')).toBe(false)
  })

  test.each([
    ['localhost:8000', 'http://localhost:3000'],
    ['localhost:8000', 'http://localhost'],
    ['127.0.0.1:8000', 'http://localhost:8000'],
    ['127.0.0.1:8000', 'https://evil.com'],
    ['127.0.0.1:8000', 'null'],
    ['127.0.0.1:8000', ''],
    ['127.0.0.1:8000', 'http://127.0.0.1:8000/x'],
    ['127.0.0.1:8000', 'http://evil@127.0.0.1:8000'],
    ['127.0.0.1:8000', 'file://127.0.0.1:8000']
  ])('asked at %s, a page of %j is refused', (host, origin) => {
    expect(refused({ host, origin })).toBe(true)
  })
})

describe('Sec-Fetch-Site', () => {
  const host = 'localhost:8000'
  test.each(['same-origin', 'none'])('%s passes', site => {
    expect(refused({ host, 'sec-fetch-site': site }, 'DELETE')).toBe(false)
  })

  test.each(['cross-site', 'same-site'])('%s is refused, unless a link is followed', site => {
    const link = { host, 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    expect(refused({ host, 'sec-fetch-site': site })).toBe(true)
    expect(refused(link)).toBe(false)
    expect(refused(link, 'POST')).toBe(true)
    expect(refused({ ...link, 'sec-fetch-dest': 'iframe' })).toBe(true)
    expect(refused({ ...link, 'sec-fetch-mode': 'no-cors' })).toBe(true)
  })
})

test('a page that came by plain HTTP is foreign to a node that is asked by HTTPS', () => {
  const from = (origin: string, isSecure: boolean) => refused({ host: 'nas', origin }, 'POST', isSecure)
  expect([from('http://nas', true), from('HTTP://nas', true)]).toEqual([true, true])
  expect([from('https://nas', true), from('http://nas', false), from('https://nas', false)]).toEqual([
    false,
    false,
    false
  ])
})
