import { expect, onTestFinished, test } from 'vitest'
import { bodyOf, codeOf } from '../support/http-answers.js'
import type { Answer } from '../support/http-client.js'
import { type HttpFixture, type HttpFixtureInit, startHttp } from '../support/http-fixture.js'

const OTHER = '12D3KooWOther'
const THIRD = '12D3KooWThird'
const UNDO_MS = 30 * 24 * 3_600_000
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

interface LaidOut {
  readonly laid_out: readonly Record<string, unknown>[]
  readonly total: number
  readonly alarm: boolean
}

async function start(init: HttpFixtureInit = {}): Promise<HttpFixture> {
  const http = await startHttp(init)
  onTestFinished(() => http.close())
  return http
}

/** @returns ids of new photos with these names */
async function photosOf(http: HttpFixture, ...names: readonly string[]): Promise<string[]> {
  const ids: string[] = []
  for (const name of names) ids.push((await http.client.putPhoto(Buffer.from(`bytes of ${name}`), name)).photo_id)
  return ids
}

function post(http: HttpFixture, path: string, body: unknown): Promise<Answer> {
  return http.client.request('POST', path, {
    body: Buffer.from(JSON.stringify(body)),
    headers: { 'content-type': 'application/json' }
  })
}

function laidOut(http: HttpFixture, query = ''): Promise<LaidOut> {
  return http.client.json('GET', `/v1/admin/laid-out${query}`, 200)
}

test('what graves end before its time is listed: what it was, whose graves these were, how long it is kept', async () => {
  const http = await start()
  const [living = '', deleted = '', other = ''] = await photosOf(http, 'living.jpg', 'deleted.jpg', 'other.jpg')
  await http.client.request('DELETE', `/photo/${deleted}`)
  expect(await laidOut(http)).toEqual({ laid_out: [], total: 0, alarm: false })

  const before = Date.now()
  await http.bury(OTHER, living, deleted)
  await http.bury(THIRD, other)
  expect(codeOf(await http.client.photo(living))).toBe('410 ERR_PHOTO_DELETED')
  const { laid_out, total, alarm } = await laidOut(http)
  expect([total, alarm]).toEqual([3, false])
  expect(laid_out).toHaveLength(3)
  const at = expect.stringMatching(/^\d{4}-.*Z$/)
  const byId = (id: string): unknown => laid_out.find(({ photo_id }) => photo_id === id)
  const common = { generation: 0, from: OTHER, died_at: at, until: at }
  expect(byId(living)).toEqual({ kind: 'photo', photo_id: living, ...common, was_deleted: false, name: 'living.jpg' })
  expect(byId(deleted)).toEqual({ kind: 'photo', photo_id: deleted, ...common, was_deleted: true, name: 'deleted.jpg' })
  expect(byId(other)).toMatchObject({ from: THIRD, name: 'other.jpg' })
  for (const { died_at, until } of laid_out) {
    expect(Date.parse(String(died_at))).toBeGreaterThanOrEqual(before)
    expect(Date.parse(String(until)) - Date.parse(String(died_at))).toBeGreaterThan(UNDO_MS - 10_000)
    expect(Date.parse(String(until)) - Date.parse(String(died_at))).toBeLessThanOrEqual(UNDO_MS + 10_000)
  }

  const { laid_out: counts, laid_out_alarm } = await http.client.json<Record<string, unknown>>('GET', '/cluster', 200)
  expect(laid_out_alarm).toBe(false)
  expect(counts).toEqual([
    { from: OTHER, count: 2, until: at },
    { from: THIRD, count: 1, until: at }
  ])
})

test('the list is cut from the oldest on, and chosen by node and time', async () => {
  const http = await start()
  const ids = await photosOf(http, 'a', 'b', 'c')
  for (const [i, id] of ids.entries()) {
    await http.bury(i === 1 ? THIRD : OTHER, id)
    await expect.poll(() => Date.now() > (http.laidOut.list()[i]?.diedAtMs ?? Number.POSITIVE_INFINITY)).toBe(true)
  }
  const listed = async (query: string): Promise<unknown> => {
    const { laid_out, total } = await laidOut(http, query)
    return { names: laid_out.map(({ name }) => name), total }
  }
  expect(await listed('?limit=2')).toEqual({ names: ['a', 'b'], total: 3 })
  expect(await listed(`?by=${OTHER}`)).toEqual({ names: ['a', 'c'], total: 2 })
  expect(await listed('?by=nobody')).toEqual({ names: [], total: 0 })
  const { diedAtMs = 0 } = http.laidOut.list()[1] ?? {}
  expect(await listed(`?since=${new Date(diedAtMs).toISOString()}`)).toEqual({ names: ['b', 'c'], total: 2 })
  expect(await listed(`?since=${new Date(diedAtMs + 1).toISOString()}`)).toEqual({ names: ['c'], total: 1 })
})

test('exhuming brings photos back with bytes and tags; what cannot be had is told for each', async () => {
  const http = await start()
  const [back = '', living = '', released = ''] = await photosOf(http, 'back', 'living', 'released')
  await http.client.patchMeta(back, { tags: { add: ['red'] } })
  await http.bury(OTHER, back, released)
  expect(bodyOf(await post(http, '/v1/admin/laid-out/release', { ids: [released.toUpperCase()] }))).toEqual({
    released: 1
  })

  const answer = await post(http, '/v1/admin/exhume', { ids: [back.toUpperCase(), living, UNKNOWN, released] })
  expect([answer.status, bodyOf(answer)]).toEqual([
    200,
    {
      results: [
        { photo_id: back, status: 'exhumed' },
        { photo_id: living, status: 'failed', code: 'ERR_NOT_BURIED' },
        { photo_id: UNKNOWN, status: 'failed', code: 'ERR_NOT_BURIED' },
        { photo_id: released, status: 'failed', code: 'ERR_BYTES_GONE' }
      ]
    }
  ])
  expect((await http.client.photo(back)).body.toString()).toBe('bytes of back')
  expect(bodyOf(await http.client.meta(back))).toMatchObject({ name: 'back', tags: ['red'], generation: 1 })
  expect(codeOf(await http.client.photo(released))).toBe('410 ERR_PHOTO_DELETED')
  expect((await laidOut(http)).total).toBe(0)
  // the grave that ended it does not end its new life
  await http.bury(OTHER, back)
  expect((await http.client.photo(back)).status).toBe(200)
})

test('photos are let go by id, by node, or all', async () => {
  const http = await start()
  const ids = await photosOf(http, 'a', 'b', 'c', 'd')
  await http.bury(OTHER, ...ids.slice(0, 3))
  await http.bury(THIRD, ...ids.slice(3))
  const left = async (body: unknown): Promise<unknown> => {
    const { released } = bodyOf(await post(http, '/v1/admin/laid-out/release', body))
    return { released, left: (await laidOut(http)).laid_out.map(({ photo_id }) => photo_id) }
  }
  expect(await left({ ids: [ids[0], ids[3]], by: OTHER })).toEqual({ released: 1, left: ids.slice(1) })
  expect(await left({ by: OTHER })).toEqual({ released: 2, left: ids.slice(3) })
  expect(await left({ by: OTHER })).toEqual({ released: 0, left: ids.slice(3) })
  expect(await left({})).toEqual({ released: 1, left: [] })
})

test('during an alarm nothing has an end', async () => {
  const http = await start({ keptUp: true })
  const [id = ''] = await photosOf(http, 'a')
  await http.bury(OTHER, id)
  const { laid_out, alarm } = await laidOut(http)
  expect([alarm, laid_out[0]?.until]).toEqual([true, null])
  expect(await http.client.json('GET', '/cluster', 200)).toMatchObject({
    laid_out: [{ from: OTHER, count: 1, until: null }],
    laid_out_alarm: true
  })
})

test('compact takes what was deleted a moment ago only when it is told to', async () => {
  const http = await start()
  const kindOf = async (query: string): Promise<unknown> =>
    (await http.client.json<{ kind: unknown }>('POST', `/v1/admin/compact${query}`, 202)).kind
  expect(await kindOf('')).toBe('compact')
  expect(await kindOf('?now=false')).toBe('compact')
  expect(await kindOf('?now=true')).toBe('compact-now')
  for (const query of ['?now=1', '?now=', '?soon=true'])
    expect(codeOf(await http.client.request('POST', `/v1/admin/compact${query}`))).toBe('400 ERR_BAD_PARAMETER')
})

test('bounds are held, and nothing is let go by a request that is refused', async () => {
  const http = await start()
  const [id = ''] = await photosOf(http, 'a')
  await http.bury(OTHER, id)
  for (const query of ['limit=0', 'limit=10001', 'limit=x', 'by=', `by=${'x'.repeat(129)}`, 'since=2026', 'who=x'])
    expect(codeOf(await http.client.request('GET', `/v1/admin/laid-out?${query}`)), query).toBe('400 ERR_BAD_PARAMETER')
  const many = Array.from({ length: 10_001 }, () => id)
  const refused: [unknown, string][] = [
    [{ ids: [] }, '400 ERR_BAD_PARAMETER'],
    [{ ids: many }, '400 ERR_BAD_PARAMETER'],
    [{ ids: [1] }, '400 ERR_BAD_PARAMETER'],
    [{ ids: ['x'] }, '400 ERR_BAD_ID'],
    [{ ids: [id], all: true }, '400 ERR_BAD_PARAMETER'],
    [[id], '400 ERR_BAD_PARAMETER']
  ]
  for (const path of ['/v1/admin/exhume', '/v1/admin/laid-out/release'])
    for (const [body, code] of refused) expect(codeOf(await post(http, path, body)), path).toBe(code)
  expect(codeOf(await post(http, '/v1/admin/exhume', {}))).toBe('400 ERR_BAD_PARAMETER')
  expect(codeOf(await http.client.request('POST', '/v1/admin/laid-out/release'))).toBe('400 ERR_BAD_PARAMETER')
  expect((await laidOut(http)).total).toBe(1)
  const most = await post(http, '/v1/admin/exhume', { ids: many.slice(1) })
  expect([most.status, (bodyOf(most).results as unknown[]).length]).toEqual([200, 10_000])
})
