import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseHttpOrigin } from '../../../src/core/http-origin.js'

test('an origin is taken as browsers write it', () => {
  expect(parseHttpOrigin('http://10.0.0.7:8000')).toBe('http://10.0.0.7:8000')
  expect(parseHttpOrigin('HTTPS://Photos.Example.org:443/')).toBe('https://photos.example.org')
  expect(parseHttpOrigin('http://[FD00::7]:8000')).toBe('http://[fd00::7]:8000')
})

test.each([
  ...[
    '',
    'photos.example.org',
    '//photos.example.org',
    'javascript:alert(1)',
    'data:text/html,x',
    'ftp://a',
    'http://'
  ],
  ...[
    'http://a/photos',
    'http://a?x',
    'http://a#x',
    'http://u@a',
    'http://u:p@a',
    'http:\\\\a',
    'http://a b',
    '\thttp://a'
  ],
  `http://${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(20)}`
])('%j is none', text => {
  expect(parseHttpOrigin(text)).toBeUndefined()
})

test('whatever is taken is an http(s) origin, and stays what it is', () => {
  const text = fc.oneof(
    fc.webUrl(),
    fc.webUrl({ withQueryParameters: true }),
    fc.string(),
    fc.string({ unit: 'binary' })
  )
  fc.assert(
    fc.property(text, given => {
      const origin = parseHttpOrigin(given)
      if (origin === undefined) return
      expect(new URL(origin).origin).toBe(origin)
      expect(origin).toMatch(/^https?:\/\/[^/]+$/)
      expect(parseHttpOrigin(origin)).toBe(origin)
    })
  )
})
