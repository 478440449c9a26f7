import { describe, expect, test } from 'vitest'
import { SheafError } from '../../src/core/errors.js'
import { bodyOf, codeOf } from '../support/http-answers.js'
import type { Answer } from '../support/http-client.js'
import { httpForEachTest } from '../support/http-for-each-test.js'

const UNKNOWN = '01890000-0000-7000-8000-000000000000'
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64'
)

const { http, restart } = httpForEachTest()

describe('many photos', () => {
  test('pages of a stable order, filters, totals', async () => {
    const ids: string[] = []
    for (let i = 0; i < 7; i++)
      ids.unshift((await http.client.putPhoto(i % 2 ? PNG : Buffer.from(`t${i}`), `n${i}.txt`, 'text/plain')).photo_id)
    const { photos, total } = await http.client.list('', 3)
    expect(photos.map(photo => photo.photo_id)).toEqual(ids)
    expect(total).toBe(7)
    expect((await http.client.list('type=image', 2)).total).toBe(3)
    expect((await http.client.list('type=text/plain')).photos.length).toBe(4)
    expect((await http.client.list('q=n3')).photos.map(photo => photo.name)).toEqual(['n3.txt'])
    const first = await http.client.page('?limit=2&type=image')
    expect(first.next_cursor).toEqual(expect.any(String))
    const bad = `/photos?limit=2&type=text&cursor=${encodeURIComponent(first.next_cursor ?? '')}`
    expect(codeOf(await http.client.request('GET', bad))).toBe('400 ERR_BAD_CURSOR')
  })

  test('a batch deletes or tags, and says what became of each', async () => {
    const [a, b] = [(await http.client.putPhoto(PNG, 'a')).photo_id, (await http.client.putPhoto(PNG, 'b')).photo_id]
    const batch = (body: object): Promise<Answer> =>
      http.client.request('POST', '/v1/photos/batch', {
        body: Buffer.from(JSON.stringify(body)),
        headers: { 'content-type': 'application/json; charset=utf-8' }
      })
    expect(bodyOf(await batch({ ids: [a, b.toUpperCase(), UNKNOWN], tags: { add: ['x'] } }))).toEqual({
      results: [
        { photo_id: a, status: 'updated' },
        { photo_id: b, status: 'updated' },
        { photo_id: UNKNOWN, status: 'failed', code: 'ERR_PHOTO_NOT_FOUND' }
      ]
    })
    expect((await http.client.list('tag=x')).total).toBe(2)
    expect(bodyOf(await batch({ delete: [a] }))).toEqual({ results: [{ photo_id: a, status: 'deleted' }] })
    expect((await http.client.page()).total).toBe(1)
    expect(codeOf(await batch({}))).toBe('400 ERR_BAD_PARAMETER')
    expect(codeOf(await batch({ delete: [b], tags: { add: ['x'] } }))).toBe('400 ERR_BAD_PARAMETER')
    expect(codeOf(await batch({ delete: [b, 'x'] }))).toBe('400 ERR_BAD_ID')
    expect((await http.client.page()).total).toBe(1)
  })

  test('the dump has every live record, a line each', async () => {
    const kept = (await http.client.putPhoto(PNG, 'a')).photo_id
    await http.client.remove((await http.client.putPhoto(PNG, 'b')).photo_id)
    const answer = await http.client.request('GET', '/sync/full-dump')
    expect(answer.headers['content-type']).toBe('application/x-ndjson')
    expect((await http.client.fullDump()).map(photo => photo.photo_id)).toEqual([kept])
    expect((await http.client.request('HEAD', '/sync/full-dump')).status).toBe(200)
  })
})

describe('the node', () => {
  test('health; ready says why it is not', async () => {
    for (const path of ['/health', '/health/live', '/health/ready']) {
      expect(bodyOf(await http.client.request('GET', path))).toEqual({ status: 'ok' })
    }
    http.unready = new SheafError('ERR_DIRECTORY_UNAVAILABLE')
    expect(codeOf(await http.client.request('GET', '/health/ready'))).toBe('503 ERR_DIRECTORY_UNAVAILABLE')
    expect((await http.client.request('GET', '/health/live')).status).toBe(200)
  })

  test('status and volumes', async () => {
    expect(bodyOf(await http.client.request('GET', '/status'))).toMatchObject({
      node_id: '12D3KooWTest',
      photos: 0,
      directory_digest: http.directory.digest(),
      disk: { free_bytes: 1_000_000 }
    })
    const { volumes } = bodyOf(await http.client.request('GET', '/volumes')) as { volumes: [object] }
    const stats = bodyOf(await http.client.request('GET', `/volume/${http.store.volume}/stats`))
    expect(volumes).toEqual([stats])
    for (const lv of ['nope', 'ffffffffffffffff-9']) {
      expect(codeOf(await http.client.request('GET', `/volume/${lv}/stats`))).toBe('404 ERR_NO_SUCH_VOLUME')
    }
  })

  test.each(['verify', 'compact', 'scrub', 'rebuild-directory'])('%s is a job', async kind => {
    const started = await http.client.request('POST', `/v1/admin/${kind}`)
    expect(started.status).toBe(202)
    expect(bodyOf(started).kind).toBe(kind)
    const ask = (): Promise<Answer> => http.client.request('GET', started.headers.location ?? '')
    await expect.poll(async () => bodyOf(await ask()).finished_at).not.toBeNull()
    const job = bodyOf(await ask())
    if (kind === 'compact') {
      expect(job).toMatchObject({
        state: 'done',
        progress: { done: 1, total: null, unit: 'volumes' },
        result: { freed_bytes: 42 },
        error: null
      })
    }
    if (kind === 'rebuild-directory') {
      expect(job).toMatchObject({ state: 'failed', result: null, error: { code: 'ERR_DISK_READ', message: 'planted' } })
    }
  })

  test('an unknown job is 404', async () => {
    expect(codeOf(await http.client.request('GET', '/v1/admin/jobs/nope'))).toBe('404 ERR_NO_SUCH_JOB')
  })

  test('a known path with another method is 405 with Allow, an unknown one 404', async () => {
    for (const [method, path, allow] of [
      ['POST', '/photo/x', 'DELETE, GET, HEAD'],
      ['PUT', '/photos?limit=1', 'GET, HEAD'],
      ['OPTIONS', '/photos', 'GET, HEAD'],
      ['DELETE', '/v1/photos', 'POST, PUT'],
      ['PROPFIND', '/photos', 'GET, HEAD'],
      ['GET', '/upload', 'POST']
    ] as const) {
      const answer = await http.client.request(method, path)
      expect(codeOf(answer), `${method} ${path}`).toBe('405 ERR_METHOD_NOT_ALLOWED')
      expect(answer.headers.allow).toBe(allow)
    }
    for (const path of ['/assets', '/nope', '/photo', '/similar', '/cache']) {
      expect(codeOf(await http.client.request('GET', path)), path).toBe('404 ERR_NOT_FOUND')
    }
  })

  test('every answer forbids sniffing, and a problem is not kept', async () => {
    for (const [method, path] of [
      ['GET', '/health'],
      ['GET', '/nope'],
      ['GET', '/photo/%zz'],
      ['GET', `/photo/${UNKNOWN}`],
      ['POST', '/upload'],
      ['GET', '/openapi.json'],
      ['GET', '/sync/full-dump']
    ] as const) {
      const { headers } = await http.client.request(method, path)
      expect(headers['x-content-type-options'], path).toBe('nosniff')
      expect(headers['cache-control'], path).toBe('no-store')
    }
  })
})

describe('a page elsewhere', () => {
  test('is refused on every way, hot and streaming ones too', async () => {
    const id = (await http.client.putPhoto(PNG, 'a.png')).photo_id
    await http.client.photo(id)
    const foreign = [
      { host: 'evil.example' },
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' }
    ]
    for (const headers of foreign) {
      for (let i = 0; i < 2; i++) expect(codeOf(await http.client.photo(id, headers))).toBe('403 ERR_FOREIGN_ORIGIN')
      expect(codeOf(await http.client.request('DELETE', `/photo/${id}`, { headers }))).toBe('403 ERR_FOREIGN_ORIGIN')
      const answer = await http.client.request('PUT', '/v1/photos', { headers, body: PNG })
      expect(codeOf(answer)).toBe('403 ERR_FOREIGN_ORIGIN')
      expect(codeOf(await http.client.request('GET', '/nope', { headers }))).toBe('403 ERR_FOREIGN_ORIGIN')
    }
    expect((await http.client.page()).total).toBe(1)
  })

  test('behind a proxy that is trusted, the host that the browser asked for counts', async () => {
    const browser = { origin: 'https://photos.example.org', 'sec-fetch-site': 'same-origin' }
    const proxied = { ...browser, 'x-forwarded-host': 'photos.example.org', 'x-forwarded-proto': 'https' }
    const put = async (headers: Record<string, string>): Promise<string> => {
      const answer = await http.client.request('PUT', '/v1/photos', { headers, body: PNG })
      return answer.status === 201 ? '201' : codeOf(answer)
    }
    await restart({ allowHosts: ['photos.example.org'] })
    expect(await put(proxied)).toBe('403 ERR_FOREIGN_ORIGIN') // anybody can send these headers
    await restart({ allowHosts: ['photos.example.org'], trustProxies: ['127.0.0.1'] })
    expect(await put(proxied)).toBe('201')
    expect(await put({ ...proxied, origin: 'http://photos.example.org' })).toBe('403 ERR_FOREIGN_ORIGIN')
    expect(await put({ ...proxied, 'x-forwarded-host': 'evil.example' })).toBe('403 ERR_FOREIGN_ORIGIN')
    const rebound = { host: 'evil.example', 'x-forwarded-host': 'photos.example.org' } // sent by a page, not by the proxy
    const id = (await http.client.putPhoto(PNG, 'a.png')).photo_id
    for (let i = 0; i < 3; i++) {
      expect((await http.client.photo(id, rebound)).status).toBe(403)
      expect((await http.client.photo(id, { 'x-forwarded-host': 'photos.example.org' })).status).toBe(200)
      expect((await http.client.photo(id, { 'x-forwarded-host': 'evil.example' })).status).toBe(403)
    }
  })

  test('names that are allowed pass', async () => {
    await restart({ allowHosts: ['photos.example.org'] })
    for (const host of ['photos.example.org:8443', 'box.example', 'localhost', `127.0.0.1:${http.port}`]) {
      expect((await http.client.request('GET', '/health', { headers: { host } })).status).toBe(200)
    }
  })
})
