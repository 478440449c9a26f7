import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { modelIdOf } from '../../src/domain/features.js'
import { linkChange, phashChange } from '../../src/domain/findings.js'
import type { PhotoId } from '../../src/domain/ids.js'
import type { Answer } from '../support/http-client.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { vectorImage } from '../support/vector-analyzer.js'

const UNKNOWN = '01890000-0000-7000-8000-000000000000'

let http: HttpFixture

beforeEach(async () => {
  http = await startHttp()
})
afterEach(() => http.close())

async function use(): Promise<void> {
  const id = modelIdOf(http.analyzer.digest)
  await http.similarity.models.use({ id, name: 'test', spaces: new Map([['image', 4]]) })
}

/** A photo that the model has seen as this. */
async function add(vector: readonly number[], tag?: string): Promise<PhotoId> {
  const { photo_id } = await http.client.putPhoto(vectorImage(vector, String(Math.random())), 'a.jpg')
  const id = photo_id as PhotoId
  await http.see(id, vector)
  if (tag !== undefined) await http.client.patchMeta(id, { tags: { add: [tag] } })
  return id
}

async function indexed(count: number): Promise<void> {
  await expect.poll(() => http.similarity.status().vectors).toBe(count)
}

interface Found {
  readonly results: { readonly photo_id: string; readonly distance?: number; readonly score?: number }[]
  readonly similar_photo_ids: string[]
  readonly distances: number[]
  readonly coverage: { readonly shards_ok: number; readonly shards_total: number; readonly fraction: number }
  readonly model: string
  readonly model_id: string
}

const bodyOf = (answer: Answer): Found => JSON.parse(answer.body.toString()) as Found
const get = (path: string): Promise<Answer> => http.client.request('GET', path)
const file = (value: string | Uint8Array) => ({ name: 'file', filename: 'a.jpg', contentType: 'image/jpeg', value })
const findSimilar = (vector: readonly number[], query = ''): Promise<Answer> =>
  http.client.form(`/find_similar${query}`, [file(vectorImage(vector))])

function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.body.toString()).toContain(code)
  expect(answer.status).toBe(status)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
}

describe('without a model', () => {
  test('similarity answers 503, with when to ask again and how to get one', async () => {
    const id = await add([1, 0, 0, 0])
    for (const answer of [await findSimilar([1, 0, 0, 0]), await get(`/similar/${id}`)]) {
      expectProblem(answer, 503, 'ERR_MODEL_UNAVAILABLE')
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
      expect(JSON.parse(answer.body.toString()).detail).toMatch(/sheaf models pull/)
    }
    http.analyzer.model = undefined
    expectProblem(await get('/search?q=rose'), 503, 'ERR_MODEL_UNAVAILABLE')
    const duplicates = JSON.parse((await get('/duplicates')).body.toString())
    const none = { groups: 0, photos: 0 }
    expect(duplicates).toEqual({
      groups: [],
      total: 0,
      tiers: { exact: none, near: none, similar: none },
      coverage: { shards_ok: 0, shards_total: 64, fraction: 0 },
      next_cursor: null
    })
  })
})

describe('with one', () => {
  let near: PhotoId
  let far: PhotoId

  beforeEach(async () => {
    await use()
    near = await add([1, 0.2, 0, 0])
    far = await add([0, 0, 1, 0.2], 'red')
    await indexed(2)
    await expect.poll(async () => bodyOf(await get(`/similar/${near}`)).coverage.fraction).toBe(1)
  })

  test('a picture finds what looks like it, best first', async () => {
    const answer = await findSimilar([1, 0.1, 0, 0])
    expect(answer.status).toBe(200)
    const found = bodyOf(answer)
    expect(found.similar_photo_ids).toEqual([near, far])
    expect(found.distances[0]).toBeGreaterThan(0.99)
    expect(found.distances[1]).toBeCloseTo(0, 5)
    expect(found.coverage).toEqual({ shards_ok: 64, shards_total: 64, fraction: 1 })
    expect(found.model).toBe('test')
    expect(found.model_id).toBe(http.analyzer.model)
  })

  test('k and tag may stand in the query, before the file or after it', async () => {
    const picture = file(vectorImage([1, 0.1, 0, 0]))
    const k = { name: 'k', value: '1' }
    for (const answer of [
      await findSimilar([1, 0.1, 0, 0], '?k=1'),
      await http.client.form('/find_similar', [k, picture]),
      await http.client.form('/find_similar', [picture, k])
    ]) {
      expect(bodyOf(answer).similar_photo_ids).toEqual([near])
    }
    for (const answer of [
      await findSimilar([1, 0.1, 0, 0], '?tag=red'),
      await http.client.form('/find_similar', [picture, { name: 'tag', value: 'red' }])
    ]) {
      expect(bodyOf(answer).similar_photo_ids).toEqual([far])
    }
  })

  test('a copy of the picture itself is left out', async () => {
    expect(bodyOf(await findSimilar([1, 0.2, 0, 0])).similar_photo_ids).toEqual([far])
  })

  test('a photo finds what looks like it, without itself', async () => {
    const found = bodyOf(await get(`/similar/${near.toUpperCase()}?k=5`))
    expect(found.results).toEqual([{ photo_id: far, distance: expect.closeTo(0, 5) }])
    expect(bodyOf(await get(`/similar/${far}?tag=red`)).results).toEqual([])
  })

  test('words find what they say, from a score on', async () => {
    http.analyzer.texts.set('a rose', Float32Array.of(1, 0, 0, 0))
    const all = bodyOf(await get('/search?q=a%20rose'))
    expect(all.results.map(({ photo_id }) => photo_id)).toEqual([near, far])
    expect(bodyOf(await get('/search?q=a+rose&min_score=0.5')).results).toHaveLength(1)
    expect(bodyOf(await get('/search?q=a+rose&k=1')).results).toHaveLength(1)
    expectProblem(await get('/search?q=unknown'), 503, 'ERR_TEXT_SEARCH_UNAVAILABLE')
  })

  test.each([
    '/similar/x',
    `/similar/${UNKNOWN}?k=0`,
    `/similar/${UNKNOWN}?k=1001`,
    `/similar/${UNKNOWN}?k=1.5`,
    `/similar/${UNKNOWN}?k=x`,
    `/similar/${UNKNOWN}?nope=1`,
    '/search',
    '/search?q=',
    '/search?q=%20',
    `/search?q=${'x'.repeat(1_001)}`,
    '/search?q=a&k=-1',
    '/search?q=a&min_score=2',
    '/search?q=a&min_score=x',
    '/search?q=a&min_score=0x1',
    '/duplicates?tier=other',
    '/duplicates?cursor=x'
  ])('%s is 400', async path => {
    const answer = await get(path)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body.toString()).code).toMatch(/^ERR_BAD_/)
  })

  test('a photo that is unknown, gone, no image or not seen yet is named as such', async () => {
    expectProblem(await get(`/similar/${UNKNOWN}`), 404, 'ERR_PHOTO_NOT_FOUND')
    const text = await http.client.putPhoto(Buffer.from('text'), 'a.txt', 'text/plain')
    expectProblem(await get(`/similar/${text.photo_id}`), 415, 'ERR_NOT_AN_IMAGE')
    const unseen = await http.client.putPhoto(vectorImage([1]), 'b.jpg')
    const answer = await get(`/similar/${unseen.photo_id}`)
    expectProblem(answer, 503, 'ERR_NOT_INDEXED')
    expect(answer.headers['retry-after']).toBeDefined()
    await http.client.remove(near)
    expectProblem(await get(`/similar/${near}`), 410, 'ERR_PHOTO_DELETED')
  })

  test('a question that is no picture is refused', async () => {
    const form = (...parts: Parameters<typeof http.client.form>[1][number][]) =>
      http.client.form('/find_similar', parts)
    expectProblem(await form(file('no picture')), 422, 'ERR_IMAGE_UNREADABLE')
    expectProblem(await form(file('')), 400, 'ERR_EMPTY_FILE')
    expectProblem(await form({ name: 'k', value: '1' }), 400, 'ERR_NO_FILE')
    expectProblem(await form(file(vectorImage([1])), { name: 'k', value: '0' }), 400, 'ERR_BAD_PARAMETER')
    expectProblem(await form(file(vectorImage([1])), { name: 'k', value: 'x' }), 400, 'ERR_BAD_PARAMETER')
    expectProblem(await form({ name: 'nope', value: '1' }, file(vectorImage([1]))), 400, 'ERR_BAD_PARAMETER')
    expectProblem(await form(file(vectorImage([1])), file(vectorImage([1]))), 400, 'ERR_BAD_PARAMETER')
    const json = { body: Buffer.from('{}'), headers: { 'content-type': 'application/json' } }
    expectProblem(await http.client.request('POST', '/find_similar', json), 415, 'ERR_NOT_MULTIPART')
    expectProblem(await form(file(Buffer.alloc(65 * 1024 * 1024))), 413, 'ERR_TOO_LARGE')
  })

  test('what looks like a photo is shown with it, until somebody says otherwise', async () => {
    await http.writer.edit(near, () => ({ changes: [phashChange(new Uint8Array(8).fill(0xf0))] }))
    await http.writer.edit(far, () => ({
      changes: [phashChange(new Uint8Array(8).fill(0x3c)), linkChange(near, { tier: 'similar', score: 0.8 })]
    }))
    const metaOf = async (id: PhotoId) => {
      const answer = await http.client.meta(id)
      return { etag: String(answer.headers.etag), similar: JSON.parse(answer.body.toString()).similar as unknown[] }
    }
    const linked = await metaOf(near)
    expect(linked.similar).toEqual([{ photo_id: far, tier: 'similar', score: 0.8 }])
    expect((await metaOf(far)).similar).toEqual([{ photo_id: near, tier: 'similar', score: 0.8 }])
    const { groups } = JSON.parse((await get('/duplicates?tier=similar')).body.toString())
    expect(groups).toEqual([{ tier: 'similar', size: 2, photo_ids: [near, far].sort(), score: 0.8 }])
    // the tag covers what is shown; an edit looks at the record alone
    const headers = { 'if-none-match': linked.etag }
    expect((await http.client.request('GET', `/photo/${near}/meta`, { headers })).status).toBe(304)
    const body = Buffer.from(JSON.stringify({ photo_id: near }))
    const unlink = (id: string, options = { body, headers: { 'content-type': 'application/json' } }) =>
      http.client.request('POST', `/photo/${id}/not_duplicate`, options)
    expect(JSON.parse((await unlink(far)).body.toString())).toEqual({ status: 'remembered', photo_id: far })
    expect((await metaOf(near)).similar).toEqual([])
    expect((await http.client.request('GET', `/photo/${near}/meta`, { headers })).status).toBe(200)
    expect((await http.client.patchMeta(near, { name: 'n' }, { 'if-match': linked.etag })).status).toBe(200)
    expect((await http.client.patchMeta(near, { name: 'm' }, { 'if-match': linked.etag })).status).toBe(412)
    expectProblem(await unlink(near), 400, 'ERR_BAD_PARAMETER')
    expectProblem(await unlink('x'), 400, 'ERR_BAD_ID')
    expectProblem(await unlink(UNKNOWN), 404, 'ERR_PHOTO_NOT_FOUND')
  })
})
