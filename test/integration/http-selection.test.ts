import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { tinyJpeg } from '../support/photo-maker.js'

let node: HttpFixture
let seed = 0

beforeEach(async () => {
  node = await startHttp({ batches: { atOnceMax: 5, piece: 2 } })
})
afterEach(() => node.close())

async function upload(count: number, query: Record<string, string> = {}): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    const search = new URLSearchParams({ filename: `${++seed}.jpg`, ...query })
    const answer = await node.client.request('PUT', `/v1/photos?${search}`, { body: tinyJpeg(seed) })
    ids.push(JSON.parse(answer.body.toString()).photo_id)
  }
  return ids
}

interface Answer {
  readonly results?: readonly { readonly photo_id: string; readonly status: string }[]
  readonly job_id?: string
  readonly code?: string
  readonly detail?: string
  readonly total?: number
  readonly found?: number
}

async function batch(body: object, status = 200): Promise<Answer> {
  return await node.client.json('POST', '/v1/photos/batch', status, {
    body: Buffer.from(JSON.stringify(body)),
    headers: { 'content-type': 'application/json' }
  })
}

interface Job {
  readonly state: string
  readonly stoppable: boolean
  readonly result: object
}

async function ended(id = ''): Promise<Job> {
  const job = (): Promise<Job> => node.client.json('GET', `/v1/admin/jobs/${id}`, 200)
  await expect.poll(async () => (await job()).state).not.toMatch(/queued|running/)
  return job()
}

async function totalOf(path: string): Promise<number> {
  const { total } = await node.client.json<{ total: number }>('GET', path, 200)
  return total
}

describe('photos that are selected by what they are found by', () => {
  it('are changed at once when they are few', async () => {
    const ids = await upload(3, { tag: 'sea' })
    await upload(2)
    const { results } = await batch({ select: { tag: 'Sea' }, total: 3, tags: { add: ['blue'] }, rating: 4 })
    expect(results).toEqual(ids.reverse().map(photo_id => ({ photo_id, status: 'updated' })))
    expect(await totalOf('/photos?tag=blue&rating_min=4')).toBe(3)
  })

  it('are changed by a job when they are many, and what it has done can be taken back', async () => {
    await upload(7, { tag: 'sea' })
    await upload(2)
    const { job_id: id } = await batch({ select: { tag: 'sea' }, total: 7, act: 'delete' }, 202)
    const result = { changed: 7, failed: 0, errors: [] }
    expect(await ended(id)).toMatchObject({ kind: 'batch-delete', state: 'done', stoppable: true, result })
    expect(await totalOf('/photos')).toBe(2)
    const { job_id: undo } = await batch({ select: { job: id }, total: 7, act: 'undelete' }, 202)
    expect(await ended(undo)).toMatchObject({ kind: 'batch-undelete', state: 'done', result })
    expect(await totalOf('/photos?tag=sea')).toBe(7)
  })

  it('are each moved once, although that moves them in the list that is gone through', async () => {
    const ids = await upload(7, { taken_at: '2024-05-01T12:00' })
    const { job_id: id } = await batch({ select: { list: 'timeline' }, total: 7, shift_s: -86_400 }, 202)
    expect(await ended(id)).toMatchObject({ state: 'done', result: { changed: 7 } })
    for (const photo of ids)
      expect(await node.client.json('GET', `/photo/${photo}/meta`, 200)).toMatchObject({
        taken_at: expect.stringMatching(/^2024-04-30T12:00/)
      })
  })

  it('are those of the time line, which leaves out what is archived', async () => {
    const [archived] = await upload(4)
    await batch({ ids: [archived], archived: true })
    expect(await totalOf('/photos/timeline')).toBe(3)
    const refused = await batch({ select: { list: 'timeline' }, total: 4, favourite: true }, 409)
    expect(refused).toMatchObject({ code: 'ERR_SELECTION_CHANGED', total: 4, found: 3 })
    expect(refused.detail).toContain('3 photos and not 4')
    expect(await totalOf('/photos?favourite=true')).toBe(0)
    await batch({ select: { list: 'timeline' }, total: 3, favourite: true })
    await batch({ select: { list: 'photos' }, total: 4, caption: 'all' })
    expect(await totalOf('/photos?favourite=true')).toBe(3)
    expect(await totalOf('/photos?q=all')).toBe(4)
  })

  it('are brought back from the trash', async () => {
    const ids = await upload(6)
    await batch({ delete: ids })
    const { job_id: id } = await batch({ select: { list: 'trash' }, total: 6, act: 'undelete' }, 202)
    expect(await ended(id)).toMatchObject({ state: 'done', result: { changed: 6 } })
    expect(await totalOf('/photos')).toBe(6)
  })

  it('are none where nothing can match', async () => {
    await upload(1)
    expect(await batch({ select: { q: '%' }, total: 0, rating: 1 })).toEqual({ results: [] })
  })

  it.each<[Record<string, unknown>]>([
    [{ select: {}, act: 'delete' }],
    [{ select: {}, total: 1 }],
    [{ total: 1, act: 'delete' }],
    [{ select: {}, total: 1, act: 'delete', rating: 1 }],
    [{ select: {}, total: 1, ids: ['01890000-0000-7000-8000-000000000000'], rating: 1 }],
    [{ select: {}, total: 1, act: 'undelete' }],
    [{ select: { list: 'trash' }, total: 1, act: 'delete' }],
    [{ select: { list: 'trash', tag: 'x' }, total: 1, act: 'undelete' }],
    [{ select: { job: 'x', tag: 'x' }, total: 1, act: 'delete' }],
    [{ select: { cursor: 'x' }, total: 1, act: 'delete' }],
    [{ select: { from: 'yesterday' }, total: 1, act: 'delete' }],
    [{ select: {}, total: 1_000_001, act: 'delete' }],
    [{ select: {}, total: 1, caption: 'x'.repeat(5_000) }]
  ])('are not what bad request %# says', async body => {
    await upload(1)
    const { code = '' } = await batch(body, body.caption === undefined ? 400 : 413)
    expect(code).toMatch(/^ERR_(BAD_PARAMETER|ATTRIBUTES_TOO_LARGE)$/)
    expect(await totalOf('/photos')).toBe(1)
  })
})
