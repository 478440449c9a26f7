import { hash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { systemRandom } from '../../src/core/random.js'
import { buildMetricsApp } from '../../src/http/metrics-app.js'
import { HttpServer } from '../../src/http/wire/server.js'
import { bodyOf, codeOf } from '../support/http-answers.js'
import { type Answer, encodeForm } from '../support/http-client.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { RawConnection } from '../support/raw-connection.js'
import { get, pattern } from '../support/raw-requests.js'

/* What a client says about what it sends and what it wants is kept, or refused: never passed over. */

const { http, restart, putPhoto } = httpForEachTest()
const BYTES = Buffer.from('these bytes and no others')
const OTHER = Buffer.from('these bytes and no otherS')

function digestOf(algorithm: string, bytes: Uint8Array): string {
  return hash(algorithm, bytes, 'base64')
}

function put(headers: Record<string, string>, body: Uint8Array = BYTES): Promise<Answer> {
  return http.client.request('PUT', '/v1/photos', { body, headers })
}

async function expectNothingStored(): Promise<void> {
  expect((await http.client.page()).total).toBe(0)
}

describe('bytes that are not plain', () => {
  test.each([
    ['content-range', 'bytes 0-24/100', '400 ERR_BAD_PARAMETER'],
    ['content-encoding', 'gzip', '415 ERR_UNSUPPORTED_ENCODING'],
    ['content-encoding', 'br', '415 ERR_UNSUPPORTED_ENCODING'],
    ['content-encoding', 'aws-chunked', '415 ERR_UNSUPPORTED_ENCODING']
  ])('%s: %s is %s, and stores nothing', async (name, value, expected) => {
    const raw = await put({ [name]: value }, gzipSync(BYTES))
    expect(codeOf(raw)).toBe(expected)
    const { body, contentType } = encodeForm([{ name: 'file', filename: 'a', value: BYTES }])
    for (const path of ['/upload', '/v1/photos', '/find_similar']) {
      const answer = await http.client.request('POST', path, {
        body,
        headers: { [name]: value, 'content-type': contentType }
      })
      expect(`${path} ${codeOf(answer)}`).toBe(`${path} ${expected}`)
      if (answer.status === 415) expect(answer.headers['accept-encoding']).toBe('identity')
    }
    await expectNothingStored()
  })

  test('a transfer coding under the chunks', async () => {
    const connection = await RawConnection.open(http.port)
    connection.write(
      'PUT /v1/photos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
    )
    await connection.untilText('ERR_UNSUPPORTED_ENCODING')
    connection.destroy()
    await expectNothingStored()
  })

  test('identity says nothing', async () => {
    expect((await put({ 'content-encoding': 'identity' })).status).toBe(201)
  })

  test.each([
    ['Content-Transfer-Encoding: base64', '415 ERR_UNSUPPORTED_ENCODING'],
    ['Content-Encoding: gzip', '415 ERR_UNSUPPORTED_ENCODING'],
    ['Content-Range: bytes 0-4/100', '400 ERR_BAD_PARAMETER'],
    [`Content-MD5: ${digestOf('md5', OTHER)}`, '400 ERR_DIGEST_MISMATCH'],
    [`Content-Digest: sha-256=:${digestOf('sha256', OTHER)}:`, '400 ERR_DIGEST_MISMATCH'],
    [`Content-Digest: sha-256=:${digestOf('sha256', BYTES)}:`, 'stored']
  ])('the part of a form with %s is %s', async (header, expected) => {
    const { body, contentType } = encodeForm([
      { name: 'file', filename: 'a', contentType: `image/x\r\n${header}`, value: BYTES }
    ])
    const answer = await http.client.request('POST', '/v1/photos', { body, headers: { 'content-type': contentType } })
    expect(answer.status === 201 ? 'stored' : codeOf(answer)).toBe(expected)
    if (expected !== 'stored') await expectNothingStored()
  })
})

describe('digests of a body', () => {
  const declared = (bytes: Uint8Array): [string, string][] => [
    ['content-md5', digestOf('md5', bytes)],
    ['content-digest', `sha-256=:${digestOf('sha256', bytes)}:`],
    ['content-digest', `sha-512=:${digestOf('sha512', bytes)}:`],
    ['repr-digest', `sha-256=:${digestOf('sha256', bytes)}:`],
    ['digest', `SHA-256=${digestOf('sha256', bytes)}`]
  ]

  test.each(declared(BYTES))('the right %s: %s', async (name, value) => {
    expect((await put({ [name]: value })).status).toBe(201)
  })

  test.each(declared(OTHER))('another %s: %s stores nothing', async (name, value) => {
    expect(codeOf(await put({ [name]: value }))).toBe('400 ERR_DIGEST_MISMATCH')
    await expectNothingStored()
    expect((await http.client.request('GET', '/health')).status).toBe(200)
  })

  test.each(['content-md5', 'content-digest', 'repr-digest', 'digest'])('a malformed %s', async name => {
    expect(codeOf(await put({ [name]: '!' }))).toBe('400 ERR_BAD_PARAMETER')
    await expectNothingStored()
  })

  test('algorithms that are not known are passed over', async () => {
    expect((await put({ digest: 'crc32c=AAAAAA==', 'content-digest': 'unixsum=:AAA=:' })).status).toBe(201)
  })

  test('of a file in many chunks, whose first were written before the end has come', async () => {
    await restart({ chunkBytes: 65_536 })
    const bytes = pattern(1_000_000, 3)
    const right = { 'content-md5': digestOf('md5', bytes), digest: `sha-512=${digestOf('sha512', bytes)}` }
    expect((await put(right, bytes)).status).toBe(201)
    const wrong = await put({ ...right, 'content-md5': digestOf('md5', OTHER) }, bytes)
    expect(codeOf(wrong)).toBe('400 ERR_DIGEST_MISMATCH')
    expect((await http.client.page()).total).toBe(1)
  })

  test('behind a chunked body, as a trailer', async () => {
    const send = async (bytes: Uint8Array): Promise<string> => {
      const connection = await RawConnection.open(http.port)
      const head = 'Host: x\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Digest\r\nConnection: close'
      const trailer = `Content-Digest: sha-256=:${digestOf('sha256', bytes)}:`
      const size = BYTES.length.toString(16)
      connection.write(`PUT /v1/photos HTTP/1.1\r\n${head}\r\n\r\n${size}\r\n${BYTES}\r\n0\r\n${trailer}\r\n\r\n`)
      return await connection.untilClosed()
    }
    expect(await send(OTHER)).toMatch(/^HTTP\/1.1 400 [\s\S]*ERR_DIGEST_MISMATCH/)
    await expectNothingStored()
    expect(await send(BYTES)).toMatch(/^HTTP\/1.1 201 /)
  })

  test('of a form they are those of all of it', async () => {
    const { body, contentType } = encodeForm([{ name: 'file', filename: 'a', value: BYTES }])
    const post = (md5: string): Promise<Answer> =>
      http.client.request('POST', '/upload', { body, headers: { 'content-type': contentType, 'content-md5': md5 } })
    expect(codeOf(await post(digestOf('md5', BYTES)))).toBe('400 ERR_DIGEST_MISMATCH')
    await expectNothingStored()
    expect((await post(digestOf('md5', body))).status).toBe(200)
  })

  test('of a repeat under the same Idempotency-Key, and of an edit', async () => {
    expect((await put({ 'idempotency-key': 'k' })).status).toBe(201)
    const wrong = { 'content-md5': digestOf('md5', OTHER) }
    expect(codeOf(await put({ 'idempotency-key': 'k', ...wrong }))).toBe('400 ERR_DIGEST_MISMATCH')
    const id = await putPhoto(BYTES)
    expect(codeOf(await http.client.patchMeta(id, { name: 'b' }, wrong))).toBe('400 ERR_DIGEST_MISMATCH')
    expect(bodyOf(await http.client.meta(id)).name).toBe('a.bin')
  })
})

describe('conditions', () => {
  const EARLY = 'Mon, 01 Jan 2001 00:00:00 GMT'
  const LATE = 'Fri, 01 Jan 2100 00:00:00 GMT'
  const ask = async (method: string, path: string, headers: Record<string, string>): Promise<string> => {
    const answer = await http.client.request(method, path, { headers })
    if (answer.status === 304) expect(answer.body).toHaveLength(0)
    return answer.status < 400 || method === 'HEAD' ? `${answer.status}` : codeOf(answer)
  }
  const FAILED = '412 ERR_PRECONDITION_FAILED'

  test.each<[Record<string, string>, string, string]>([
    // a read, a write
    [{ 'if-match': '"x"' }, FAILED, FAILED],
    [{ 'if-match': '*' }, '200', '200'],
    [{ 'if-match': 'ETAG' }, '200', '200'],
    [{ 'if-match': '"x", ETAG' }, '200', '200'],
    [{ 'if-match': 'W/ETAG' }, FAILED, FAILED],
    [{ 'if-match': 'x' }, '400 ERR_BAD_PARAMETER', '400 ERR_BAD_PARAMETER'],
    [{ 'if-unmodified-since': EARLY }, FAILED, FAILED],
    [{ 'if-unmodified-since': LATE }, '200', '200'],
    [{ 'if-unmodified-since': 'Sunday, 06-Nov-94 08:49:37 GMT' }, FAILED, FAILED],
    [{ 'if-unmodified-since': 'Sun Nov  6 08:49:37 1994' }, FAILED, FAILED],
    [{ 'if-unmodified-since': '2001-01-01' }, '200', '200'], // no HTTP date: does not count
    [{ 'if-match': 'ETAG', 'if-unmodified-since': EARLY }, '200', '200'], // the tag is the better one
    [{ 'if-none-match': 'ETAG' }, '304', FAILED],
    [{ 'if-none-match': 'W/ETAG' }, '304', FAILED],
    [{ 'if-none-match': '*' }, '304', FAILED],
    [{ 'if-none-match': '"x"' }, '200', '200'],
    [{ 'if-none-match': 'x' }, '200', '400 ERR_BAD_PARAMETER'],
    [{ 'if-none-match': '"x"', 'if-modified-since': LATE }, '200', '200'],
    [{ 'if-match': '"x"', 'if-none-match': 'ETAG' }, FAILED, FAILED],
    [{ 'if-modified-since': LATE }, '304', '200'],
    [{ 'if-modified-since': EARLY }, '200', '200']
  ])('%j: a read is %s, a delete and an undelete %s', async (headers, read, write) => {
    const id = await putPhoto(BYTES)
    const { etag = '' } = (await http.client.photo(id)).headers
    const filled = Object.fromEntries(Object.entries(headers).map(([name, it]) => [name, it.replace('ETAG', etag)]))
    expect(await ask('GET', `/photo/${id}`, filled)).toBe(read)
    expect(await ask('HEAD', `/photo/${id}`, filled)).toBe(read.slice(0, 3))
    expect(await ask('DELETE', `/photo/${id}`, filled)).toBe(write)
    expect((await http.client.photo(id)).status).toBe(write === '200' ? 410 : 200)
    await http.client.remove(id)
    expect(await ask('POST', `/photo/${id}/undelete`, filled)).toBe(write)
    expect((await http.client.photo(id)).status).toBe(write === '200' ? 200 : 410)
  })

  test('of metadata are on its ETag, in reads and edits', async () => {
    const id = await putPhoto(BYTES)
    const path = `/photo/${id}/meta`
    const etag = (await http.client.meta(id)).headers.etag ?? ''
    const patch = async (headers: Record<string, string>): Promise<string> => {
      const answer = await http.client.patchMeta(id, { name: 'b' }, headers)
      return answer.status === 200 ? '200' : codeOf(answer)
    }
    for (const method of ['GET', 'HEAD']) {
      expect(await ask(method, path, { 'if-none-match': etag })).toBe('304')
      expect(await ask(method, path, { 'if-match': etag })).toBe('200')
      expect(await ask(method, path, { 'if-match': '"x"' })).toBe(method === 'GET' ? FAILED : '412')
    }
    expect(await patch({ 'if-none-match': '*' })).toBe(FAILED)
    expect(await patch({ 'if-none-match': etag })).toBe(FAILED)
    expect(await patch({ 'if-match': '"x"' })).toBe(FAILED)
    expect(await patch({ 'if-match': etag })).toBe('200')
    expect(await patch({ 'if-match': etag })).toBe(FAILED)
    expect(await ask('POST', `/photo/${id}/conflicts/1/restore`, { 'if-match': etag })).toBe(FAILED)
    const other = await putPhoto(OTHER)
    const body = Buffer.from(JSON.stringify({ photo_id: other }))
    const unlink = (ifMatch: string): Promise<Answer> =>
      http.client.request('POST', `/photo/${id}/not_duplicate`, {
        body,
        headers: { 'content-type': 'application/json', 'if-match': ifMatch }
      })
    expect(codeOf(await unlink(etag))).toBe(FAILED)
    expect((await unlink('*')).status).toBe(200)
  })

  test('are looked at after what is wrong without them', async () => {
    const id = await putPhoto(BYTES)
    await http.client.remove(id)
    const headers = { 'if-match': '"x"' }
    expect(await ask('GET', `/photo/${id}`, headers)).toBe('410 ERR_PHOTO_DELETED')
    expect(await ask('GET', `/photo/${id}/meta`, headers)).toBe('410 ERR_PHOTO_DELETED')
    const unknown = '01890000-0000-7000-8000-000000000000'
    expect(await ask('DELETE', `/photo/${unknown}`, headers)).toBe('404 ERR_PHOTO_NOT_FOUND')
    expect(await ask('DELETE', '/photo/x', headers)).toBe('400 ERR_BAD_ID')
  })

  test('on what has no ETag: there is something, but it is no other', async () => {
    for (const path of ['/photos', '/status', '/openapi.json']) {
      expect(await ask('GET', path, { 'if-match': '"x"' })).toBe(FAILED)
      expect(await ask('GET', path, { 'if-match': '*' })).toBe('200')
      expect(await ask('GET', path, { 'if-none-match': '*' })).toBe('304')
      expect(await ask('GET', path, { 'if-none-match': '"x"', 'if-modified-since': LATE })).toBe('200')
    }
  })

  test('on an upload: nothing is there yet', async () => {
    expect(codeOf(await put({ 'if-match': '*' }))).toBe(FAILED)
    await expectNothingStored()
    expect((await put({ 'if-none-match': '*', 'if-unmodified-since': EARLY })).status).toBe(201)
  })
})

describe('what has no answer of a route', () => {
  const METHODS = ['QUERY', 'PROPFIND', 'SEARCH', 'LINK', 'TRACE', 'OPTIONS', 'M-SEARCH']

  test.each(METHODS)('%s is 405 on every path, whatever comes with it', async method => {
    const { paths } = await http.client.json<{ paths: Record<string, Record<string, object>> }>(
      'GET',
      '/openapi.json',
      200
    )
    for (const [template, methods] of Object.entries(paths)) {
      const path = template.replace(/\{\w+\}/g, '1')
      const allow = new Set(Object.keys(methods).map(it => it.toUpperCase()))
      for (const headers of [{}, { 'content-type': '///' }, { 'content-type': 'application/json' }]) {
        const body = Buffer.from('{')
        const answer = await http.client.request(method, path, { body, headers })
        expect(`${path} ${codeOf(answer)}`).toBe(`${path} 405 ERR_METHOD_NOT_ALLOWED`)
        const allowed = answer.headers.allow?.split(', ') ?? []
        for (const one of allow) expect(allowed).toContain(one)
      }
    }
  })

  test('405 or 404 does not depend on how a path is written', async () => {
    for (const path of ['/photos', '/ph%6ftos', 'http://localhost/photos', '/photos?x=1', '/photos#x']) {
      const connection = await RawConnection.open(http.port)
      connection.write(`DELETE ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
      expect(await connection.untilClosed(), path).toMatch(/^HTTP\/1.1 405 [\s\S]*allow: GET, HEAD\r\n/i)
    }
  })

  test.each([
    ['CONNECT', 'CONNECT /photos HTTP/1.1\r\nHost: x\r\n\r\n', '405 ERR_METHOD_NOT_ALLOWED'],
    ['CONNECT elsewhere', 'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n', '405 ERR_METHOD_NOT_ALLOWED'],
    ['no Host', 'GET /photos HTTP/1.1\r\nConnection: close\r\n\r\n', '400 ERR_BAD_REQUEST'],
    ['two Hosts', 'GET /photos HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n', '400 ERR_BAD_REQUEST'],
    ['a method nobody knows', 'FROB /photos HTTP/1.1\r\nHost: x\r\n\r\n', '400 ERR_BAD_REQUEST'],
    ['an unknown Expect', get('/photos', 'Connection: close\r\nExpect: wonders\r\n'), '417 ERR_EXPECTATION_FAILED'],
    ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}`, '431 ERR_HEADERS_TOO_LARGE']
  ])('%s is a problem with a body', async (_, request, expected) => {
    const connection = await RawConnection.open(http.port)
    connection.write(request)
    const received = await connection.untilClosed()
    const [head = '', body = ''] = received.split('\r\n\r\n')
    expect(head).toMatch(/content-type: application\/problem\+json/i)
    expect(head).toMatch(/x-request-id: /i)
    const { status, code } = JSON.parse(body)
    expect(`${status} ${code}`).toBe(expected)
    expect(head).toContain(`HTTP/1.1 ${status} `)
  })

  test('the port of --metrics answers the same way', async () => {
    const onProblem = (): void => {}
    const parts = { scrape: async () => 'up 1\n', onProblem, clock: systemClock, random: systemRandom, log: silentLog }
    const app = await buildMetricsApp(parts, { token: undefined })
    const server = new HttpServer(
      { app, clock: systemClock, log: silentLog },
      { listen: [{ host: '127.0.0.1', port: 0 }] }
    )
    await server.start()
    onTestFinished(() => server.stop())
    const ask = async (head: string): Promise<string> => {
      const connection = await RawConnection.open(server.address()?.port ?? 0)
      connection.write(`${head}\r\nConnection: close\r\n\r\n`)
      const [, status, code] = /^HTTP\/1.1 (\d+) [\s\S]*?(ERR_\w+|up 1)/.exec(await connection.untilClosed()) ?? []
      return `${status} ${code}`
    }
    expect(await ask('GET /metrics HTTP/1.1\r\nHost: x')).toBe('200 up 1')
    expect(await ask('QUERY /metrics HTTP/1.1\r\nHost: x')).toBe('405 ERR_METHOD_NOT_ALLOWED')
    expect(await ask('GET /photos HTTP/1.1\r\nHost: x')).toBe('404 ERR_NOT_FOUND')
    expect(await ask('GET /metrics HTTP/1.1')).toBe('400 ERR_BAD_REQUEST')
    expect(await ask('nonsense')).toBe('400 ERR_BAD_REQUEST')
  })

  test('a photo that is hot is refused without a Host, too', async () => {
    const id = await putPhoto(BYTES)
    for (let i = 0; i < 2; i++) await http.client.photo(id)
    const connection = await RawConnection.open(http.port)
    connection.write(`GET /photo/${id} HTTP/1.1\r\nConnection: close\r\n\r\n`)
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 400 /)
  })
})
