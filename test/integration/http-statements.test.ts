import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bodyOf, codeOf } from '../support/http-answers.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'

/* What is said of a photo beside its bytes, by each of the ways to say it. */

const SAID = {
  file_time: '-631152000000',
  zone: '+01:00',
  source: 'Oma/Kiel',
  imported_from: '019aa1d2-0c5e-7b1a-9f3e-5d2c8a417e60',
  taken_at: '1950-01-01T12:30',
  caption: 'Grüße',
  rating: '5'
}
const SHOWN = {
  ...SAID,
  file_time: '1950-01-01T00:00:00.000Z',
  taken_at: '1950-01-01T12:30:00.000',
  taken_at_source: 'user',
  taken_at_precision: 'minute',
  rating: 5
}
const QUERY = new URLSearchParams(SAID).toString()
const FIELDS = Object.entries(SAID).map(([name, value]) => ({ name, value }))
const FILE = { name: 'file', filename: 'a.txt', contentType: 'text/plain', value: 'x' }

let http: HttpFixture

beforeEach(async () => {
  http = await startHttp()
})

afterEach(() => http.close())

async function meta(id: unknown): Promise<unknown> {
  return bodyOf(await http.client.meta(id as string))
}

describe('what is known of a file', () => {
  test.each([
    ['PUT /v1/photos', () => http.client.request('PUT', `/v1/photos?${QUERY}`, { body: Buffer.from('x') })],
    ['POST /v1/photos, in the query', () => http.client.form(`/v1/photos?${QUERY}`, [FILE])],
    ['POST /v1/photos, in fields', () => http.client.form('/v1/photos', [...FIELDS, FILE])],
    ['POST /upload, in fields', () => http.client.form('/upload', [...FIELDS, FILE])],
    ['POST /upload, in both', () => http.client.form('/upload?rating=1&caption=other', [...FIELDS, FILE])]
  ])('is kept by %s', async (_, send) => {
    const { photo_id: id } = bodyOf(await send())
    expect(await meta(id)).toMatchObject(SHOWN)
    const { photos } = bodyOf(await http.client.request('GET', '/photos'))
    expect(photos).toMatchObject([SHOWN])
  })

  test.each([
    ['file_time', '1.5'],
    ['file_time', '1e3'],
    ['rating', '6'],
    ['rating', 'x'],
    ['zone', 'Europe/Kiel'],
    ['taken_at', '01.02.2024'],
    ['taken_at', '2024-13-01'],
    ['source', 'x'.repeat(201)],
    ['place', '54.3'],
    ['place', '0,0'],
    ['place', '91,10'],
    ['place', '54.3,1e2'],
    ['imported_from', '\n']
  ])('%s=%j is refused, in the query and as a field', async (name, value) => {
    const query = new URLSearchParams({ [name]: value }).toString()
    const put = await http.client.request('PUT', `/v1/photos?${query}`, { body: Buffer.from('x') })
    const form = await http.client.form('/v1/photos', [{ name, value }, FILE])
    expect([codeOf(put), codeOf(form)]).toEqual(['400 ERR_BAD_PARAMETER', '400 ERR_BAD_PARAMETER'])
    expect(String(bodyOf(put).detail)).toContain(name)
    expect(String(bodyOf(form).detail)).toContain(name)
    expect(bodyOf(await http.client.request('GET', '/photos')).total).toBe(0)
  })

  test('is said once', async () => {
    const twice = [{ name: 'caption', value: 'a' }, { name: 'caption', value: 'b' }, FILE]
    expect(codeOf(await http.client.form('/upload', twice))).toBe('400 ERR_BAD_PARAMETER')
  })

  test('is not said of a size', async () => {
    const { photo_id } = await http.client.putPhoto(Buffer.from('x'), 'x')
    const size = [{ name: 'alt_key', value: 'thumb' }, { name: 'photo_id', value: photo_id }, FILE]
    expect(codeOf(await http.client.form('/upload?caption=a', size))).toBe('400 ERR_BAD_PARAMETER')
    expect((await http.client.form('/upload', size)).status).toBe(200)
  })
})

describe("a person's edit", () => {
  async function patch(id: string, body: unknown): Promise<ReturnType<typeof http.client.request>> {
    return http.client.request('PATCH', `/photo/${id}/meta`, {
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body))
    })
  }

  async function batch(body: unknown): Promise<ReturnType<typeof http.client.request>> {
    return http.client.request('POST', '/v1/photos/batch', {
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body))
    })
  }

  test('of the place stands above the upload and the file, in metadata, conflicts and batches, and is taken back', async () => {
    const put = await http.client.request('PUT', '/v1/photos?place=54.3233,10.12280001,3.54', {
      body: Buffer.from('p')
    })
    const id = String(bodyOf(put).photo_id)
    const said = { lat: 54.3233, lon: 10.1228, alt: 3.5, source: 'import', name: null, region: null, country: null }
    const placeOf = async (): Promise<unknown> => bodyOf(await http.client.meta(id)).place
    expect(await placeOf()).toEqual(said)
    const sydney = { lat: -33.8678, lon: 151.2073 }
    expect((await patch(id, { place: sydney })).status).toBe(200)
    const set = { ...said, ...sydney, alt: null, source: 'user' }
    expect(await placeOf()).toEqual(set)
    const etag = (await http.client.request('GET', `/photo/${id}/meta`)).headers.etag
    expect((await patch(id, { place: sydney })).headers.etag).toBe(etag)
    for (const place of [{ lat: 0, lon: 0 }, { lat: 91, lon: 0 }, { lat: 1 }, 'Kiel', { lat: 'x', lon: 1 }])
      expect(codeOf(await patch(id, { place }))).toBe('400 ERR_BAD_PARAMETER')
    expect(await placeOf()).toEqual(set)
    const { photo_id: other } = await http.client.putPhoto(Buffer.from('q'), 'q')
    expect(bodyOf(await http.client.meta(other)).place).toBeNull()
    expect((await batch({ ids: [id, other], place: { lat: 1, lon: 2, alt: -3 } })).status).toBe(200)
    for (const one of [id, other])
      expect(bodyOf(await http.client.meta(one)).place).toMatchObject({ lat: 1, lon: 2, alt: -3, source: 'user' })
    expect((await batch({ ids: [id, other], place: null })).status).toBe(200)
    expect([await placeOf(), bodyOf(await http.client.meta(other)).place]).toEqual([said, null])
  })

  test('of the date is set and taken back', async () => {
    const { photo_id: id } = await http.client.putPhoto(Buffer.from('x'), 'x')
    expect(bodyOf(await patch(id, { taken_at: '1985-07' }))).toMatchObject({
      taken_at: '1985-07',
      taken_at_source: 'user',
      taken_at_precision: 'month'
    })
    expect(codeOf(await patch(id, { taken_at: 'yesterday' }))).toBe('400 ERR_BAD_PARAMETER')
    expect(codeOf(await patch(id, { taken_at: '2999' }))).toBe('400 ERR_BAD_PARAMETER')
    expect(bodyOf(await patch(id, { taken_at: null }))).toMatchObject({ taken_at: null, taken_at_source: null })
  })

  test('of the date is set and moved by a batch', async () => {
    const { photo_id: dated } = await http.client.putPhoto(Buffer.from('x'), 'x')
    const { photo_id: undated } = await http.client.putPhoto(Buffer.from('y'), 'y')
    expect(bodyOf(await batch({ ids: [dated], taken_at: '2024-01-01T08:02:32+11:00' })).results).toEqual([
      { photo_id: dated, status: 'updated' }
    ])
    expect(bodyOf(await batch({ ids: [dated, undated], shift_s: -60 })).results).toEqual([
      { photo_id: dated, status: 'updated' },
      { photo_id: undated, status: 'failed', code: 'ERR_NO_DATE' }
    ])
    expect(await meta(dated)).toMatchObject({ taken_at: '2024-01-01T08:01:32.000+11:00' })
    for (const body of [
      { ids: [dated], taken_at: '2024', shift_s: 1 },
      { ids: [dated] },
      { delete: [dated], shift_s: 1 },
      { ids: [dated], shift_s: 1e12 }
    ])
      expect(codeOf(await batch(body))).toBe('400 ERR_BAD_PARAMETER')
  })
})

test('which originals are here', async () => {
  const { photo_id: live, sha256 } = await http.client.putPhoto(Buffer.from('x'), 'x')
  const gone = await http.client.putPhoto(Buffer.from('y'), 'y')
  await http.client.remove(gone.photo_id)
  const ask = (digests: readonly string[]): ReturnType<typeof http.client.request> =>
    http.client.request('POST', '/v1/photos/exists', {
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify({ sha256: digests }))
    })
  expect(bodyOf(await ask([sha256.toUpperCase(), gone.sha256, '0'.repeat(64)]))).toEqual({
    sha256: {
      [sha256]: { photo_id: live, state: 'live' },
      [gone.sha256]: { photo_id: gone.photo_id, state: 'trashed' }
    }
  })
  expect(bodyOf(await ask([]))).toEqual({ sha256: {} })
  for (const bad of [['x'], Array.from({ length: 1_001 }, () => sha256)])
    expect(codeOf(await ask(bad))).toBe('400 ERR_BAD_PARAMETER')
})
