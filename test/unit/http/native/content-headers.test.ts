import { OutgoingMessage } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PhotoId } from '../../../../src/domain/ids.js'
import { parsePartHead } from '../../../../src/http/forms/form-part-head.js'
import { contentDisposition, contentHeaders } from '../../../../src/http/native/content-headers.js'

const SHA256 = '0123456789abcdef'.repeat(4)

function headersOf(
  contentType: string,
  name = 'a.bin',
  { alt = 'orig', version }: { readonly alt?: 'orig' | 'thumb'; readonly version?: string } = {}
): Map<string, string> {
  const photoId = '01890000-0000-7000-8000-000000000000' as PhotoId
  const audience = { owner: undefined, albums: [] }
  const head = { photoId, audience, alt, name, size: 3, etag: `"${SHA256}"`, contentType, lastModifiedMs: 1_000 }
  const flat = contentHeaders(head, 'local', version)
  return new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!.toLowerCase(), flat[2 * i + 1]!]))
}

test.each([
  ['thumb', SHA256.slice(0, 8), true],
  ['thumb', SHA256, true],
  ['thumb', undefined, false],
  ['thumb', '', false],
  ['thumb', SHA256.slice(0, 7), false],
  ['thumb', SHA256.slice(1, 9), false],
  ['thumb', SHA256.slice(0, 8).toUpperCase().replace('0', 'A'), false],
  ['thumb', `${SHA256}"`, false],
  ['thumb', `${SHA256}00`, false],
  ['orig', SHA256, false]
] as const)('a browser may keep %s with v=%s: %s', (alt, version, isKept) => {
  const headers = headersOf('image/jpeg', 'a.jpg', { alt, ...(version !== undefined && { version }) })
  expect(headers.get('cache-control')).toBe(isKept ? 'private, max-age=31536000, immutable' : 'private, no-cache')
})

test.each([
  'text/html',
  'text/html; charset=utf-8',
  'TEXT/HTML',
  'application/xhtml+xml',
  'image/svg+xml',
  'text/xml',
  'application/xml',
  'application/rss+xml',
  'text/javascript',
  'application/javascript',
  'application/x-javascript',
  'application/ecmascript',
  'text/xsl',
  'multipart/related',
  'message/rfc822'
])('%s is served as attachment in a sandbox', type => {
  const headers = headersOf(type)
  expect(headers.get('content-disposition')).toMatch(/^attachment/)
  expect(headers.get('content-security-policy')).toBe("sandbox; default-src 'none'")
  expect(headers.get('x-content-type-options')).toBe('nosniff')
})

test.each(['image/jpeg', 'image/png', 'video/mp4', 'text/plain', 'application/pdf', 'application/zip'])(
  '%s is served inline',
  type => {
    const headers = headersOf(type)
    expect(headers.get('content-type')).toBe(type)
    expect(headers.get('content-disposition')).toBe('inline; filename="a.bin"')
    expect(headers.get('content-security-policy')).toBeUndefined()
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  }
)

test.each(['', 'x', 'image/png\r\nSet-Cookie: a=b', 'image/png; a="\u00fc"', 'text/ html'])(
  'the type %j, which no header can have, becomes octet-stream',
  type => {
    expect(headersOf(type).get('content-type')).toBe('application/octet-stream')
  }
)

test.each([
  ['a b.png', 'inline; filename="a b.png"'],
  ['', 'inline'],
  ['ü.png', `inline; filename="_.png"; filename*=UTF-8''%C3%BC.png`],
  ['a"b\\c.png', `inline; filename="a_b_c.png"; filename*=UTF-8''a%22b%5Cc.png`],
  ["it's (1)*.png", `inline; filename="it's (1)*.png"`],
  ["ü's (1)*.png", `inline; filename="_'s (1)*.png"; filename*=UTF-8''%C3%BC%27s%20%281%29%2A.png`],
  ['a\r\nb', 'inline; filename="ab"'],
  ['\ud800.png', `inline; filename="_.png"; filename*=UTF-8''%EF%BF%BD.png`]
])('the name %j', (name, header) => {
  expect(contentDisposition('inline', name)).toBe(header)
})

test('any name gives a header that Node accepts and that the name can be read from', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), name => {
      const header = contentDisposition('attachment', name)
      new OutgoingMessage().setHeader('content-disposition', header)
      const kept = name.replace(/\p{Cc}/gu, '')
      const part = parsePartHead(new Map([['content-disposition', header.replace('attachment', 'form-data; name=x')]]))
      return kept === '' ? part?.filename === undefined : part?.filename === kept
    })
  )
})
