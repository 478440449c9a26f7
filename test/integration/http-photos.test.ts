import { beforeEach, describe, expect, test } from 'vitest'
import { bodyOf, codeOf, sha256 } from '../support/http-answers.js'
import type { Answer } from '../support/http-client.js'
import { type HttpFixture, wrapped } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'

const UNKNOWN = '01890000-0000-7000-8000-000000000000'
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64'
)

const { http, restart } = httpForEachTest()

/** @returns the headers that do not differ from answer to answer */
function lasting({ headers }: Answer): object {
  const { date: _date, 'x-request-id': _id, ...rest } = headers
  return rest
}

describe('reading bytes', () => {
  const text = 'abcdefghijklmnopqrstuvwxyz'
  let id: string
  let etag: string

  beforeEach(async () => {
    id = (await http.client.putPhoto(Buffer.from(text), 'a.txt', 'text/plain')).photo_id
    etag = `"${sha256(Buffer.from(text))}"`
  })

  test('the first and the second time are the same, cold and hot', async () => {
    const cold = await http.client.photo(id)
    const hot = await http.client.photo(id)
    expect(cold.body.toString()).toBe(text)
    expect(lasting(hot)).toEqual(lasting(cold))
    expect(hot.body.equals(cold.body)).toBe(true)
    expect(cold.headers).toMatchObject({
      'content-type': 'text/plain',
      'content-length': '26',
      etag,
      'accept-ranges': 'bytes',
      'x-sheaf-source': 'local',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-cache',
      'content-disposition': 'inline; filename="a.txt"'
    })
  })

  test('the hot way gives its buffer back each time, and is left when the photo goes', async () => {
    let cold = 0
    const open: HttpFixture['photos']['open'] = (...request) => {
      cold++
      return http.photos.open(...request)
    }
    await restart({ photos: photos => wrapped(photos, { open }) })
    const own = (await http.client.putPhoto(Buffer.from(text), 'a.txt')).photo_id
    for (let i = 0; i < 5; i++) expect((await http.client.photo(own)).body.toString()).toBe(text)
    expect(cold).toBe(1)
    await expect.poll(() => http.store.leases).toBe(0)
    await http.client.remove(own)
    expect(codeOf(await http.client.photo(own))).toBe('410 ERR_PHOTO_DELETED')
    expect(cold).toBe(2)
  })

  test('an id in capitals is the same photo', async () => {
    expect((await http.client.photo(id.toUpperCase())).body.toString()).toBe(text)
    expect((await http.client.request('GET', `/photo/%3${id[0]}${id.slice(1)}`)).body.toString()).toBe(text)
  })

  test('HEAD has the headers of GET and no body', async () => {
    const get = await http.client.photo(id)
    const head = await http.client.request('HEAD', `/photo/${id}`, { headers: { range: 'bytes=0-1' } })
    expect(head.status).toBe(200)
    expect(head.body.length).toBe(0)
    expect(lasting(head)).toEqual(lasting(get))
  })

  test.each([
    ['bytes=0-4', 'abcde', 'bytes 0-4/26'],
    ['bytes=20-', 'uvwxyz', 'bytes 20-25/26'],
    ['bytes=-3', 'xyz', 'bytes 23-25/26'],
    ['bytes=25-99', 'z', 'bytes 25-25/26']
  ])('Range: %s is %s', async (range, part, contentRange) => {
    const answer = await http.client.photo(id, { range })
    expect([answer.status, answer.body.toString(), answer.headers['content-range']]).toEqual([206, part, contentRange])
    expect(answer.headers['content-length']).toBe(String(part.length))
    expect(answer.headers.etag).toBe(etag)
  })

  test.each(['bytes=26-', 'bytes=5-4', 'bytes=x', '5-6'])('Range: %s is 416', async range => {
    const answer = await http.client.photo(id, { range })
    expect(codeOf(answer)).toBe('416 ERR_RANGE_NOT_SATISFIABLE')
    expect(answer.headers['content-range']).toBe('bytes */26')
  })

  test('several ranges are answered with the whole', async () => {
    const answer = await http.client.photo(id, { range: 'bytes=0-1,4-5' })
    expect([answer.status, answer.body.toString()]).toEqual([200, text])
  })

  test('If-Range', async () => {
    const ask = async (ifRange: string): Promise<number> =>
      (await http.client.photo(id, { range: 'bytes=0-1', 'if-range': ifRange })).status
    const modified = (await http.client.photo(id)).headers['last-modified'] ?? ''
    expect(await ask(etag)).toBe(206)
    expect(await ask(modified)).toBe(206)
    expect(await ask('"other"')).toBe(200)
    expect(await ask(`W/${etag}`)).toBe(200)
    expect(await ask('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(200)
  })

  test('If-None-Match, If-Modified-Since and If-Match', async () => {
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await http.client.photo(id, headers)).status
    const modified = (await http.client.photo(id)).headers['last-modified'] ?? ''
    expect(await ask({ 'if-none-match': etag })).toBe(304)
    expect(await ask({ 'if-none-match': `"x", W/${etag}` })).toBe(304)
    expect(await ask({ 'if-none-match': '*' })).toBe(304)
    expect(await ask({ 'if-none-match': '"x"' })).toBe(200)
    expect(await ask({ 'if-none-match': '"x"', 'if-modified-since': modified })).toBe(200)
    expect(await ask({ 'if-none-match': etag, range: 'bytes=0-1' })).toBe(304)
    expect(await ask({ 'if-modified-since': modified })).toBe(304)
    expect(await ask({ 'if-modified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' })).toBe(200)
    expect(await ask({ 'if-modified-since': 'nonsense' })).toBe(200)
    expect(await ask({ 'if-match': etag })).toBe(200)
    expect(await ask({ 'if-match': '"x"' })).toBe(412)
    const unchanged = await http.client.photo(id, { 'if-none-match': etag })
    expect(unchanged.body.length).toBe(0)
    expect(unchanged.headers.etag).toBe(etag)
  })

  test('cookie: checked when given, wrong is 404', async () => {
    const { cookie, photo_id } = await http.client.putPhoto(Buffer.from('x'), 'x')
    expect((await http.client.photo(photo_id, {}, `?cookie=${cookie}`)).status).toBe(200)
    for (const wrong of ['0'.repeat(32), 'x', '']) {
      expect(codeOf(await http.client.photo(photo_id, {}, `?cookie=${wrong}`))).toBe('404 ERR_PHOTO_NOT_FOUND')
    }
  })

  test('cookie: needed with requireCookie, also for a photo that is hot', async () => {
    await restart({ requireCookie: true })
    const { cookie, photo_id } = await http.client.putPhoto(Buffer.from('x'), 'x')
    for (let i = 0; i < 2; i++) {
      expect((await http.client.photo(photo_id, {}, `?cookie=${cookie}`)).status).toBe(200)
      expect((await http.client.photo(photo_id)).status).toBe(404)
    }
  })

  test('unknown: 404 that no cache keeps and that says who was asked', async () => {
    const answer = await http.client.photo(UNKNOWN)
    expect(codeOf(answer)).toBe('404 ERR_PHOTO_NOT_FOUND')
    expect(bodyOf(answer).complete).toBe(true)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test('sizes: not made yet 503, of something that is no image 404, unknown 400', async () => {
    const image = (await http.client.putPhoto(PNG, 'a.png')).photo_id
    const notReady = await http.client.photo(image, {}, '?alt_key=large')
    expect(codeOf(notReady)).toBe('503 ERR_NOT_READY')
    expect(notReady.headers['retry-after']).toBe('2')
    expect((await http.client.photo(id, {}, '?alt_key=large')).status).toBe(404)
    expect(codeOf(await http.client.photo(id, {}, '?alt_key=huge'))).toBe('400 ERR_BAD_ALT_KEY')
  })

  test('bytes that no copy gives intact are 503, cold and hot, and never a broken 200', async () => {
    await http.client.photo(id)
    http.store.damage(() => true)
    const answer = await http.client.photo(id)
    expect(codeOf(answer)).toBe('503 ERR_BYTES_UNREACHABLE')
    expect(answer.headers['retry-after']).toBeDefined()
  })

  test('a photo of many chunks comes back whole and in parts', async () => {
    await restart({ chunkBytes: 65_536 })
    const bytes = Buffer.alloc(1_000_003, 0).map((_, i) => (i * 31) % 251)
    const big = (await http.client.putPhoto(bytes, 'big.bin', 'application/octet-stream')).photo_id
    expect((await http.client.photo(big)).body.equals(bytes)).toBe(true)
    const part = await http.client.photo(big, { range: 'bytes=65000-200000' })
    expect(part.status).toBe(206)
    expect(part.body.equals(bytes.subarray(65_000, 200_001))).toBe(true)
  })

  test('what a browser would run comes as attachment in a sandbox', async () => {
    const html = (await http.client.putPhoto(Buffer.from('<script>1</script>'), 'a.html', 'text/html')).photo_id
    for (let i = 0; i < 2; i++) {
      const { headers } = await http.client.photo(html)
      expect(headers['content-disposition']).toBe('attachment; filename="a.html"')
      expect(headers['content-security-policy']).toBe("sandbox; default-src 'none'")
    }
  })
})

describe('metadata', () => {
  let id: string
  beforeEach(async () => {
    id = (await http.client.putPhoto(PNG, 'a.png')).photo_id
  })

  test('has the contract’s form', async () => {
    const { headers, body } = await http.client.meta(id)
    expect(JSON.parse(body.toString())).toMatchObject({
      photo_id: id,
      name: 'a.png',
      content_type: 'image/png',
      size: PNG.length,
      sha256: sha256(PNG),
      width: null,
      height: null,
      taken_at: null,
      created_at: expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      tags: [],
      albums: [],
      owner: null,
      copies: 1,
      version: {
        hlc: expect.stringMatching(/^\d+\.\d+$/),
        vector_clock: { [http.store.epoch]: expect.any(Number) },
        actor: http.store.epoch
      }
    })
    expect(headers.etag).toMatch(/^"[^"]+"$/)
    expect(
      (await http.client.request('GET', `/photo/${id}/meta`, { headers: { 'if-none-match': headers.etag ?? '' } }))
        .status
    ).toBe(304)
  })

  test('PATCH changes what it names, null removes, the ETag moves on', async () => {
    const before = (await http.client.meta(id)).headers.etag
    const patch = { name: 'b', caption: 'c', rating: 5, tags: { add: ['x', 'y'] }, attributes: { k: 'v' } }
    const answer = await http.client.patchMeta(id, patch)
    expect(answer.status).toBe(200)
    expect(bodyOf(answer)).toMatchObject({
      name: 'b',
      caption: 'c',
      rating: 5,
      tags: ['x', 'y'],
      attributes: { k: 'v' }
    })
    expect(answer.headers.etag).not.toBe(before)
    expect((await http.client.meta(id)).headers.etag).toBe(answer.headers.etag)
    const undo = { caption: null, rating: null, tags: { remove: ['x'] }, attributes: { k: null } }
    expect(bodyOf(await http.client.patchMeta(id, undo as never))).toMatchObject({
      name: 'b',
      caption: null,
      rating: null,
      tags: ['y'],
      attributes: {}
    })
  })

  test('If-Match', async () => {
    const etag = (await http.client.meta(id)).headers.etag ?? ''
    const patch = async (ifMatch: string, name: string): Promise<string> => {
      const answer = await http.client.patchMeta(id, { name }, { 'if-match': ifMatch })
      return answer.status === 200 ? '200' : codeOf(answer)
    }
    expect(await patch('"other"', 'no')).toBe('412 ERR_PRECONDITION_FAILED')
    expect(await patch(`W/${etag}`, 'no')).toBe('412 ERR_PRECONDITION_FAILED')
    expect(await patch('nonsense', 'no')).toBe('400 ERR_BAD_PARAMETER')
    expect(bodyOf(await http.client.meta(id)).name).toBe('a.png')
    expect(await patch(`"other", ${etag}`, 'b')).toBe('200')
    expect(await patch(etag, 'no')).toBe('412 ERR_PRECONDITION_FAILED')
    expect(await patch('*', 'c')).toBe('200')
  })

  test('delete, delete again, undelete', async () => {
    await http.client.patchMeta(id, { tags: { add: ['kept'] } })
    for (let i = 0; i < 2; i++) {
      expect(bodyOf(await http.client.remove(id))).toEqual({ status: 'deleted', photo_id: id })
    }
    expect(codeOf(await http.client.meta(id))).toBe('410 ERR_PHOTO_DELETED')
    expect(codeOf(await http.client.patchMeta(id, { name: 'x' }))).toBe('410 ERR_PHOTO_DELETED')
    expect((await http.client.page()).total).toBe(0)
    expect(bodyOf(await http.client.undelete(id))).toEqual({ status: 'restored', photo_id: id })
    expect((await http.client.photo(id)).body.equals(PNG)).toBe(true)
    expect(bodyOf(await http.client.meta(id)).tags).toEqual(['kept'])
    for (const answer of [await http.client.remove(UNKNOWN), await http.client.undelete(UNKNOWN)]) {
      expect(codeOf(answer)).toBe('404 ERR_PHOTO_NOT_FOUND')
    }
  })

  test('undelete without bytes is 410', async () => {
    await http.client.remove(id)
    http.store.drop(needle => needle.identity.kind === 'data')
    expect(codeOf(await http.client.undelete(id))).toBe('410 ERR_BYTES_GONE')
  })

  test('a body that means nothing is ignored', async () => {
    await http.client.remove(id)
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect(
      (await http.client.request('POST', `/photo/${id}/undelete`, { body: Buffer.from('x=y'), headers })).status
    ).toBe(200)
    expect((await http.client.request('DELETE', `/photo/${id}`, { body: Buffer.from('{') })).status).toBe(200)
  })

  test('conflict versions are listed and restored', async () => {
    const own = await http.directory.get({ kind: 'photo', id })
    const { changeRecord } = await import('../../src/domain/record.js')
    const { editChanges, viewPhoto } = await import('../../src/domain/photo.js')
    const record = own!.record
    const actor = 'ffffffffffffffff' as never
    // Another node edits the same version that this one does.
    await http.client.patchMeta(id, { name: 'ours' })
    const stamper = { actor, hlc: () => (record.entries[0]!.hlc + 1n) as never }
    const theirs = changeRecord(
      { kind: 'photo', id },
      record,
      stamper,
      editChanges(viewPhoto(record), { name: 'theirs' })
    )
    const { recordDraft } = await import('../../src/store/record-needles.js')
    await http.store.append([recordDraft(theirs)], 'upkeep')
    const listed = bodyOf(await http.client.request('GET', `/photo/${id}/conflicts`))
    expect(listed).toMatchObject({ conflicts: [{ n: 1, name: 'theirs', version: { actor } }] })
    expect(codeOf(await http.client.request('POST', `/photo/${id}/conflicts/2/restore`))).toBe(
      '404 ERR_NO_SUCH_CONFLICT'
    )
    for (const n of ['0', '-1', 'x', '1.5']) {
      expect(codeOf(await http.client.request('POST', `/photo/${id}/conflicts/${n}/restore`))).toBe(
        '400 ERR_BAD_PARAMETER'
      )
    }
    const restored = await http.client.request('POST', `/photo/${id}/conflicts/1/restore`)
    expect(bodyOf(restored)).toMatchObject({ name: 'theirs' })
  })
})
