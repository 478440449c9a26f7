import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { encodeForm, type FormPart, type RequestOptions } from '../support/http-client.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { RawConnection } from '../support/raw-connection.js'

/*
 * Every bad input gets its 4xx problem with a code that names it, and changes nothing: neither the directory nor the
 * needles grow.
 */
const UNKNOWN = '01890000-0000-7000-8000-000000000000'
const MAX_UPLOAD_BYTES = 5_000_000
const FILE: FormPart = { name: 'file', filename: 'a.bin', value: 'bytes' }

let http: HttpFixture
let id: string
let state: string

function stateNow(): string {
  return `${http.directory.digest()} ${http.store.needles.length}`
}

beforeAll(async () => {
  http = await startHttp({ maxUploadBytes: MAX_UPLOAD_BYTES, timeouts: { lingerMs: 100 } })
  id = (await http.client.putPhoto(Buffer.from('hello'), 'a.txt', 'text/plain')).photo_id
})

afterAll(() => http.close())

beforeEach(() => {
  state = stateNow()
})

async function expectRefused(method: string, path: string, options: RequestOptions, expected: string): Promise<void> {
  const answer = await http.client.request(method, path.replace('{id}', id), options)
  expect(answer.headers['content-type']).toBe('application/problem+json')
  const problem = JSON.parse(answer.body.toString())
  expect(`${answer.status} ${problem.code}`).toBe(expected)
  expect(problem).toMatchObject({ status: answer.status, title: expect.any(String), detail: expect.any(String) })
  expect(stateNow()).toBe(state)
}

function json(value: unknown, type = 'application/json'): RequestOptions {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return { body: Buffer.from(text), headers: { 'content-type': type } }
}

function form(...parts: readonly FormPart[]): RequestOptions {
  const { body, contentType } = encodeForm(parts)
  return { body, headers: { 'content-type': contentType } }
}

function field(name: string, value: string): FormPart {
  return { name, value }
}

function raw(headers: Record<string, string> = {}, body = 'bytes'): RequestOptions {
  return { body: Buffer.from(body), headers }
}

describe('uploads', () => {
  test.each<[string, string, RequestOptions, string]>([
    ['no body', '/upload', {}, '415 ERR_NOT_MULTIPART'],
    ['not multipart', '/upload', json({}), '415 ERR_NOT_MULTIPART'],
    ['no boundary', '/upload', raw({ 'content-type': 'multipart/form-data' }), '415 ERR_NOT_MULTIPART'],
    ['a malformed content type', '/upload', raw({ 'content-type': '///' }), '415 ERR_UNSUPPORTED_MEDIA'],
    [
      'no boundary in the body',
      '/upload',
      raw({ 'content-type': 'multipart/form-data; boundary=x' }),
      '400 ERR_TRUNCATED_BODY'
    ],
    ['no parts', '/upload', form(), '400 ERR_NO_FILE'],
    ['no file', '/upload', form(field('tag', 'x')), '400 ERR_NO_FILE'],
    ['the file under another name', '/upload', form({ ...FILE, name: 'photo' }), '400 ERR_NO_FILE'],
    ['an empty file', '/upload', form({ ...FILE, value: '' }), '400 ERR_EMPTY_FILE'],
    ['two files', '/upload', form(FILE, FILE), '400 ERR_BAD_PARAMETER'],
    ['a field after the file', '/upload', form(FILE, field('tag', 'x')), '400 ERR_BAD_PARAMETER'],
    ['an unknown field', '/upload', form(field('nope', 'x'), FILE), '400 ERR_BAD_PARAMETER'],
    ['an empty tag', '/upload', form(field('tag', ''), FILE), '400 ERR_BAD_PARAMETER'],
    ['an unknown parameter', '/upload?nope=1', form(FILE), '400 ERR_BAD_PARAMETER'],
    ['min_copies 0', '/upload?min_copies=0', form(FILE), '400 ERR_BAD_PARAMETER'],
    ['min_copies no number', '/upload?min_copies=two', form(FILE), '400 ERR_BAD_PARAMETER'],
    ['min_copies twice', '/upload?min_copies=1&min_copies=1', form(FILE), '400 ERR_BAD_PARAMETER'],
    ['a malformed escape', '/upload?min_copies=%z', form(FILE), '400 ERR_BAD_PARAMETER'],
    ['alt_key without photo_id', '/upload', form(field('alt_key', 'thumb'), FILE), '400 ERR_BAD_PARAMETER'],
    ['photo_id without alt_key', '/upload', form(field('photo_id', UNKNOWN), FILE), '400 ERR_BAD_PARAMETER'],
    ['an unknown alt_key', '/upload', form(field('alt_key', 'huge'), FILE), '400 ERR_BAD_ALT_KEY'],
    ['an unknown alt_key in the query', '/upload?alt_key=huge', form(FILE), '400 ERR_BAD_ALT_KEY'],
    [
      'alt_key twice',
      '/upload',
      form(field('alt_key', 'thumb'), field('alt_key', 'thumb'), FILE),
      '400 ERR_BAD_PARAMETER'
    ],
    ['a bad photo_id', '/upload', form(field('alt_key', 'thumb'), field('photo_id', 'x'), FILE), '400 ERR_BAD_ID'],
    ['a bad photo_id in the query', '/upload?alt_key=thumb&photo_id=x', form(FILE), '400 ERR_BAD_ID'],
    ['a size of nothing', `/upload?alt_key=thumb&photo_id=${UNKNOWN}`, form(FILE), '404 ERR_PHOTO_NOT_FOUND'],
    ['an alt_key where there is none', '/v1/photos', form(field('alt_key', 'thumb'), FILE), '400 ERR_BAD_PARAMETER'],
    ['not multipart', '/v1/photos', raw(), '415 ERR_NOT_MULTIPART'],
    ['too long a file', '/upload', form({ ...FILE, value: Buffer.alloc(MAX_UPLOAD_BYTES + 1) }), '413 ERR_TOO_LARGE'],
    [
      'an empty Idempotency-Key',
      '/upload',
      { ...form(FILE), headers: { ...form(FILE).headers, 'idempotency-key': '' } },
      '400 ERR_BAD_PARAMETER'
    ],
    [
      'a long Idempotency-Key',
      '/upload',
      { ...form(FILE), headers: { ...form(FILE).headers, 'idempotency-key': 'x'.repeat(256) } },
      '400 ERR_BAD_PARAMETER'
    ]
  ])('POST with %s: %s', async (_, path, options, expected) => {
    await expectRefused('POST', path, options, expected)
  })

  test.each<[string, string, RequestOptions, string]>([
    ['an empty body', '/v1/photos', raw({}, ''), '400 ERR_EMPTY_FILE'],
    ['a form', '/v1/photos', form(FILE), '415 ERR_UNSUPPORTED_MEDIA'],
    ['too long a body', '/v1/photos', { body: Buffer.alloc(MAX_UPLOAD_BYTES + 1) }, '413 ERR_TOO_LARGE'],
    ['an unknown parameter', '/v1/photos?name=x', raw(), '400 ERR_BAD_PARAMETER'],
    ['two file names', '/v1/photos?filename=x&filename=y', raw(), '400 ERR_BAD_PARAMETER'],
    ['a tag too long', `/v1/photos?tag=${'x'.repeat(101)}`, raw(), '400 ERR_BAD_PARAMETER'],
    ['bytes that are no UTF-8', '/v1/photos?filename=%ff', raw(), '400 ERR_BAD_PARAMETER']
  ])('PUT with %s', async (_, path, options, expected) => {
    await expectRefused('PUT', path, options, expected)
  })

  test('a chunked body that becomes too long', async () => {
    const connection = await RawConnection.open(http.port)
    connection.write('PUT /v1/photos HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
    const chunk = `${(1_000_000).toString(16)}\r\n${'x'.repeat(1_000_000)}\r\n`
    for (let i = 0; i < 6; i++) connection.write(chunk)
    expect(await connection.untilClosed()).toContain('ERR_TOO_LARGE')
    expect(stateNow()).toBe(state)
  })

  test.each(['PUT /v1/photos', 'POST /upload'])('%s declared too long is answered before it is read', async request => {
    const connection = await RawConnection.open(http.port)
    connection.write(
      `${request} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/x; boundary=x\r\nContent-Length: 9000000000\r\n\r\n`
    )
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 413 [\s\S]*ERR_TOO_LARGE/)
    expect(stateNow()).toBe(state)
  })

  test('PUT without any length is 411', async () => {
    const connection = await RawConnection.open(http.port)
    connection.write('PUT /v1/photos HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await connection.untilText('ERR_LENGTH_REQUIRED')
    expect(connection.text).toMatch(/^HTTP\/1.1 411 /)
    connection.destroy()
  })

  test('a form whose closing boundary never comes, although its length is right', async () => {
    const { body, headers } = form(FILE)
    await expectRefused(
      'POST',
      '/upload',
      { body: (body as Buffer).subarray(0, -6), headers: headers ?? {} },
      '400 ERR_TRUNCATED_BODY'
    )
  })

  test('a form cut after every part of its bytes is never stored', async () => {
    const { body, headers } = form(field('tag', 'x'), FILE)
    for (let length = 1; length < (body as Buffer).length - 2; length += 7) {
      const answer = await http.client.request('POST', '/upload', {
        body: (body as Buffer).subarray(0, length),
        headers: headers ?? {}
      })
      expect(answer.status).toBe(400)
    }
    expect(stateNow()).toBe(state)
  })
})

describe('ids and paths', () => {
  const bad = [
    'x',
    '0',
    `${UNKNOWN}0`,
    UNKNOWN.slice(1),
    UNKNOWN.replace('-', ''),
    `{${UNKNOWN}}`,
    '%00',
    '%zz',
    '%',
    '%e2%82',
    'a%2Fb',
    `..%2f${UNKNOWN}`,
    'x'.repeat(5_000)
  ]
  const routes: [string, string][] = [
    ['GET', ''],
    ['HEAD', ''],
    ['DELETE', ''],
    ['POST', '/undelete'],
    ['GET', '/meta'],
    ['GET', '/conflicts'],
    ['POST', '/conflicts/1/restore']
  ]

  test.each(routes)('%s /photo/{id}%s', async (method, suffix) => {
    for (const text of bad) {
      const answer = await http.client.request(method, `/photo/${text}${suffix}`)
      expect(answer.status, text).toBe(400)
      if (method !== 'HEAD') expect(JSON.parse(answer.body.toString()).code, text).toBe('ERR_BAD_ID')
    }
    expect(stateNow()).toBe(state)
  })

  test('a malformed escape anywhere in a path', async () => {
    for (const path of ['/%', '/%zz', '/photo%', '/photos/%e2', '/v1/%zz/photos']) {
      await expectRefused('GET', path, {}, '400 ERR_BAD_ID')
    }
  })

  test('PATCH with a bad id', async () => {
    await expectRefused('PATCH', '/photo/x/meta', json({ name: 'x' }), '400 ERR_BAD_ID')
  })

  test('unknown ids', async () => {
    for (const [method, suffix] of routes.filter(([method]) => method !== 'HEAD')) {
      await expectRefused(method, `/photo/${UNKNOWN}${suffix}`, {}, '404 ERR_PHOTO_NOT_FOUND')
    }
    await expectRefused('PATCH', `/photo/${UNKNOWN}/meta`, json({ name: 'x' }), '404 ERR_PHOTO_NOT_FOUND')
  })

  test('a malformed request is told before an unknown photo', async () => {
    await expectRefused('GET', `/photo/${UNKNOWN}?alt_key=huge`, {}, '400 ERR_BAD_ALT_KEY')
    await expectRefused('PATCH', `/photo/${UNKNOWN}/meta`, json({ nope: 1 }), '400 ERR_BAD_PARAMETER')
    await expectRefused('GET', `/photo/${UNKNOWN}?alt_key=orig&alt_key=orig`, {}, '400 ERR_BAD_ALT_KEY')
  })
})

describe('JSON bodies', () => {
  const patch = '/photo/{id}/meta'
  test.each<[string, RequestOptions, string]>([
    ['nothing', {}, '400 ERR_BAD_PARAMETER'],
    ['no JSON', json('{'), '400 ERR_BAD_REQUEST'],
    ['an empty text', json(''), '400 ERR_BAD_REQUEST'],
    [
      'no UTF-8',
      { body: Buffer.from([0x22, 0xff, 0x22]), headers: { 'content-type': 'application/json' } },
      '400 ERR_BAD_REQUEST'
    ],
    ['text', json('{"name":"x"}', 'text/plain'), '415 ERR_UNSUPPORTED_MEDIA'],
    ['no content type', { body: Buffer.from('{"name":"x"}') }, '415 ERR_UNSUPPORTED_MEDIA'],
    ['a number', json('1'), '400 ERR_BAD_PARAMETER'],
    ['null', json('null'), '400 ERR_BAD_PARAMETER'],
    ['an array', json([]), '400 ERR_BAD_PARAMETER'],
    ['nothing to change', json({}), '400 ERR_BAD_PARAMETER'],
    ['an unknown field', json({ name: 'x', nope: 1 }), '400 ERR_BAD_PARAMETER'],
    ['a field that is read only', json({ size: 1 }), '400 ERR_BAD_PARAMETER'],
    ['__proto__', json('{"__proto__":{"name":"x"}}'), '400 ERR_BAD_PARAMETER'],
    ['a number for a name', json({ name: 5 }), '400 ERR_BAD_PARAMETER'],
    ['null for a name', json({ name: null }), '400 ERR_BAD_PARAMETER'],
    ['a name too long', json({ name: 'x'.repeat(201) }), '400 ERR_BAD_PARAMETER'],
    ['a rating beyond 5', json({ rating: 6 }), '400 ERR_BAD_PARAMETER'],
    ['a rating in text', json({ rating: '3' }), '400 ERR_BAD_PARAMETER'],
    ['half a rating', json({ rating: 2.5 }), '400 ERR_BAD_PARAMETER'],
    ['tags as a list', json({ tags: ['x'] }), '400 ERR_BAD_PARAMETER'],
    ['an empty tag', json({ tags: { add: [''] } }), '400 ERR_BAD_PARAMETER'],
    ['a blank tag', json({ tags: { add: [' '] } }), '400 ERR_BAD_PARAMETER'],
    ['tags with an unknown field', json({ tags: { set: [] } }), '400 ERR_BAD_PARAMETER'],
    ['an attribute that is no text', json({ attributes: { k: 1 } }), '400 ERR_BAD_PARAMETER'],
    ['attributes beyond 4 KB', json({ attributes: { k: 'x'.repeat(4_097) } }), '413 ERR_ATTRIBUTES_TOO_LARGE'],
    ['a body beyond 1 MiB', json({ name: 'x'.repeat(1_100_000) }), '413 ERR_TOO_LARGE']
  ])('PATCH with %s', async (_, options, expected) => {
    await expectRefused('PATCH', patch, options, expected)
  })

  test.each<[object, string]>([
    [{}, '400 ERR_BAD_PARAMETER'],
    [{ delete: [] }, '400 ERR_BAD_PARAMETER'],
    [{ delete: 'x' }, '400 ERR_BAD_PARAMETER'],
    [{ delete: ['x'] }, '400 ERR_BAD_ID'],
    [{ ids: [UNKNOWN] }, '400 ERR_BAD_PARAMETER'],
    [{ ids: [UNKNOWN], tags: { add: [1] } }, '400 ERR_BAD_PARAMETER'],
    [{ ids: ['x'], tags: { add: ['y'] } }, '400 ERR_BAD_ID'],
    [{ delete: Array(10_001).fill(UNKNOWN) }, '400 ERR_BAD_PARAMETER']
  ])('batch %#', async (body, expected) => {
    await expectRefused('POST', '/v1/photos/batch', json(body), expected)
  })
})

describe('listing', () => {
  test.each([
    'limit=0',
    'limit=1001',
    'limit=-1',
    'limit=1.5',
    'limit=x',
    'limit=',
    'limit=1&limit=2',
    'tag=a&tag=b',
    'offset=3',
    'q=%zz'
  ])('?%s', async query => {
    await expectRefused('GET', `/photos?${query}`, {}, '400 ERR_BAD_PARAMETER')
  })

  test.each(['x', '', 'AAAA', '%00', 'x'.repeat(1_000)])('a cursor %j', async cursor => {
    await expectRefused('GET', `/photos?cursor=${cursor}`, {}, '400 ERR_BAD_CURSOR')
  })
})
