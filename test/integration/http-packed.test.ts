import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Answer } from '../support/http-client.js'
import { httpForEachTest } from '../support/http-for-each-test.js'

const { http } = httpForEachTest()

const PHOTOS = 8
const CODINGS = [
  ['br', 'gzip, deflate, br', brotliDecompressSync],
  ['gzip', 'gzip;q=1.0, br;q=0', gunzipSync]
] as const

beforeEach(async () => {
  for (let i = 0; i < PHOTOS; i++) await http.client.putPhoto(Buffer.from(`photo ${i}`), `${i}.jpg`, 'image/jpeg')
})

const get = (path: string, accepted?: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  http.client.request(method, path, { headers: { ...(accepted && { 'accept-encoding': accepted }), ...headers } })

describe('long lists', () => {
  test.each(CODINGS)('are packed with %s for who takes it', async (coding, accepted, unpack) => {
    const [plain, packed] = [await get('/photos'), await get('/photos', accepted)]
    expect(plain.headers).not.toHaveProperty('content-encoding')
    expect(packed.headers).toMatchObject({ 'content-encoding': coding, vary: 'accept-encoding' })
    expect(packed.headers['content-type']).toBe(plain.headers['content-type'])
    expect(packed.headers['content-length']).toBe(String(packed.body.length))
    expect(unpack(packed.body).toString()).toBe(plain.body.toString())
    expect(packed.body.length).toBeLessThan(plain.body.length / 3)
  })

  test('have another ETag for each coding, and conditions hold against it', async () => {
    const { buckets } = JSON.parse((await get('/photos/timeline')).body.toString())
    const path = `/photos/timeline/${buckets[0].key}`
    expect((await get(path)).body.length).toBeLessThan(1_024) // so it is sent as it is
    for (let i = 0; i < 10; i++) await http.client.putPhoto(Buffer.from(`more ${i}`), `${i}.jpg`, 'image/jpeg')
    const answers = [await get(path), await get(path, 'gzip'), await get(path, 'br')]
    const etags = answers.map(({ headers }) => headers.etag ?? '')
    expect(new Set(etags).size).toBe(3)
    for (const [i, accepted] of ['', 'gzip', 'br'].entries()) {
      const same = await get(path, accepted, { 'if-none-match': etags[i] ?? '' })
      expect([same.status, same.body.length, same.headers.etag]).toEqual([304, 0, etags[i]])
      expect(same.headers).not.toHaveProperty('content-encoding')
      expect((await get(path, accepted, { 'if-none-match': etags[(i + 1) % 3] ?? '' })).status).toBe(200)
      expect((await get(path, accepted, { 'if-match': '"other"' })).status).toBe(412)
    }
  })

  test('asked for by many at once are all answered whole, packed or not', async () => {
    const plain = (await get('/photos')).body.toString()
    const answers = await Promise.all(Array.from({ length: 100 }, () => get('/photos', 'gzip')))
    for (const { headers, body } of answers) {
      const text = headers['content-encoding'] === 'gzip' ? gunzipSync(body).toString() : body.toString()
      expect(text).toBe(plain)
    }
  })
})

test('what is short, bytes, receipts, errors and heads are sent as they are', async () => {
  const { photo_id: id } = await http.client.putPhoto(Buffer.alloc(5_000), 'a.txt', 'text/plain')
  const accepted = { 'accept-encoding': 'gzip, br' }
  const receipt = await http.client.put(Buffer.alloc(5_000), { filename: 'b'.repeat(200) })
  const answers = [
    await get('/tags', 'gzip, br'),
    await get(`/photo/${id}`, 'gzip, br'),
    await get(`/photo/${id}/meta`, 'gzip, br'),
    await get('/photos?limit=0', 'gzip, br'),
    await get('/photos', undefined, accepted, 'HEAD'),
    receipt
  ]
  for (const { headers } of answers) expect(headers).not.toHaveProperty('content-encoding')
  expect((await get(`/photo/${id}`, 'gzip, br')).body).toEqual(Buffer.alloc(5_000))
})

test.each(['gzip;q=0', 'identity', 'x-gzip', '', 'deflate', 'gzip2'])(
  'who accepts %j gets it as it is',
  async accepted => {
    expect((await get('/photos', accepted)).headers).not.toHaveProperty('content-encoding')
  }
)
