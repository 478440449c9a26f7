import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { linkChange, phashChange } from '../../src/domain/findings.js'
import type { PhotoId } from '../../src/domain/ids.js'
import type { Answer, PhotoMeta } from '../support/http-client.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'

/*
 * Going through duplicates over HTTP: what there is, keeping one of several, taking that back, and telling some apart.
 */
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

interface Meta extends PhotoMeta {
  readonly rating: number | null
  readonly favourite: boolean
  readonly archived: boolean
  readonly album_ids: readonly string[]
}

interface Duplicates {
  readonly groups: readonly { tier: string; size: number; photo_ids: string[] }[]
  readonly total: number
  readonly tiers: Readonly<Record<string, { groups: number; photos: number }>>
}

interface Resolved {
  readonly merged: { readonly tags: string[]; readonly albums: { album_id: string | null; name: string }[] }
  readonly results: readonly { photo_id: string; status: string; code?: string }[]
}

let http: HttpFixture

beforeEach(async () => {
  http = await startHttp()
})
afterEach(() => http.close())

const post = (path: string, body: object): Promise<Answer> =>
  http.client.request('POST', path, {
    body: Buffer.from(JSON.stringify(body)),
    headers: { 'content-type': 'application/json' }
  })
const json = <T>({ status, body }: Answer): T => {
  expect(status, body.toString()).toBe(200)
  return JSON.parse(body.toString()) as T
}
const upload = async (bytes: string): Promise<string> =>
  (await http.client.putPhoto(Buffer.from(bytes), 'a.jpg', 'image/jpeg')).photo_id
const metaOf = async (id: string): Promise<Meta> => json(await http.client.meta(id))
const list = async (tier?: string): Promise<Duplicates> =>
  json(await http.client.request('GET', `/duplicates${tier === undefined ? '' : `?tier=${tier}`}`))
const resolve = async (body: object): Promise<Resolved> => json(await post('/duplicates/resolve', body))

describe('one of several', () => {
  test('is kept with what is said of all, and the answer says enough to undo it', async () => {
    const [keep, a, b] = [await upload('same'), await upload('same'), await upload('same')]
    const { album_id: album } = JSON.parse((await post('/v1/albums', { title: 'Kiel' })).body.toString())
    await post(`/v1/albums/${album}/photos`, { add: [a] })
    await post('/v1/photos/batch', { ids: [a], rating: 4, tags: { add: ['sea'] }, albums: { add: ['2024'] } })
    await post('/v1/photos/batch', { ids: [b], caption: 'Harbour', favourite: true, tags: { add: ['Sea', 'ships'] } })
    await post('/v1/photos/batch', { ids: [keep], archived: true })
    expect(await list()).toMatchObject({
      groups: [{ tier: 'exact', size: 3, photo_ids: [keep, a, b].sort() }],
      total: 1,
      tiers: { exact: { groups: 1, photos: 3 }, near: { groups: 0, photos: 0 }, similar: { groups: 0, photos: 0 } }
    })

    const resolved = await resolve({ keep: keep.toUpperCase(), remove: [a, b] })
    expect(resolved).toEqual({
      keep,
      merged: {
        tags: ['sea', 'ships'],
        albums: expect.arrayContaining([
          { album_id: album, name: 'Kiel' },
          { album_id: null, name: '2024' }
        ]),
        rating: 4,
        caption: 'Harbour',
        favourite: true,
        unarchived: true
      },
      results: [a, b].map(photo_id => ({ photo_id, status: 'deleted' }))
    })
    expect(await metaOf(keep)).toMatchObject({
      tags: ['sea', 'ships'],
      albums: ['2024', 'Kiel'],
      album_ids: [album],
      rating: 4,
      caption: 'Harbour',
      favourite: true,
      archived: false
    })
    for (const id of [a, b]) expect((await http.client.meta(id)).status).toBe(410)
    expect(await list()).toMatchObject({ groups: [], total: 0 })

    // again: nothing happens
    const { etag } = (await http.client.meta(keep)).headers
    const again = await resolve({ keep, remove: [a, b] })
    expect(again.results.map(({ status }) => status)).toEqual(['was_deleted', 'was_deleted'])
    expect(again.merged).toMatchObject({ tags: [], albums: [] })
    expect((await http.client.meta(keep)).headers.etag).toBe(etag)

    // and back
    await post('/v1/photos/batch', { undelete: resolved.results.map(({ photo_id }) => photo_id) })
    const { tags, albums } = resolved.merged
    await post('/v1/photos/batch', {
      ids: [keep],
      tags: { remove: tags },
      albums: { remove: albums.map(({ album_id, name }) => album_id ?? name) },
      rating: null,
      caption: null,
      favourite: false,
      archived: true
    })
    const before = { tags: [], albums: [], rating: null, caption: null, favourite: false, archived: true }
    expect(await metaOf(keep)).toMatchObject(before)
    expect(await metaOf(a)).toMatchObject({ tags: ['sea'], albums: ['2024', 'Kiel'], rating: 4 })
    expect((await list()).groups[0]?.size).toBe(3)
  })

  test('takes only what it is told to, and says what is not there', async () => {
    const [keep, a] = [await upload('same'), await upload('same')]
    await post('/v1/photos/batch', { ids: [a], tags: { add: ['sea'] }, caption: 'x' })
    const resolved = await resolve({ keep, remove: [a, UNKNOWN], merge: ['caption'] })
    expect(resolved.results).toEqual([
      { photo_id: a, status: 'deleted' },
      { photo_id: UNKNOWN, status: 'failed', code: 'ERR_PHOTO_NOT_FOUND' }
    ])
    expect(await metaOf(keep)).toMatchObject({ tags: [], caption: 'x' })
  })

  test('an album that is deleted comes along with nobody', async () => {
    const [keep, a] = [await upload('same'), await upload('same')]
    const { album_id: album } = JSON.parse((await post('/v1/albums', { title: 'Gone' })).body.toString())
    await post(`/v1/albums/${album}/photos`, { add: [a] })
    await http.client.request('DELETE', `/v1/albums/${album}`)
    expect((await resolve({ keep, remove: [a] })).merged.albums).toEqual([])
  })

  test('is needed: without it, nothing is deleted', async () => {
    const [keep, a] = [await upload('same'), await upload('same')]
    await http.client.remove(keep)
    const refused = await post('/duplicates/resolve', { keep, remove: [a] })
    expect([refused.status, JSON.parse(refused.body.toString()).code]).toEqual([410, 'ERR_PHOTO_DELETED'])
    expect((await post('/duplicates/resolve', { keep: UNKNOWN, remove: [a] })).status).toBe(404)
    expect((await metaOf(a)).photo_id).toBe(a)
  })

  test('what is said otherwise is 400', async () => {
    for (const body of [
      {},
      { keep: UNKNOWN },
      { keep: UNKNOWN, remove: [] },
      { keep: 'x', remove: [UNKNOWN] },
      { keep: UNKNOWN, remove: ['x'] },
      { keep: UNKNOWN, remove: [UNKNOWN] },
      { keep: UNKNOWN, remove: Array(1_001).fill(UNKNOWN) },
      { keep: UNKNOWN, remove: [UNKNOWN], merge: ['name'] },
      { keep: UNKNOWN, remove: [UNKNOWN], merge: ['tags', 'tags'] },
      { keep: UNKNOWN, remove: [UNKNOWN], now: true }
    ])
      expect((await post('/duplicates/resolve', body)).status, JSON.stringify(body).slice(0, 200)).toBe(400)
  })
})

describe('photos that are none', () => {
  test('are told apart, and together again', async () => {
    const [a, b] = [await upload('a'), await upload('b')]
    const look = phashChange(new Uint8Array(8).fill(0xf0))
    await http.writer.edit(a as PhotoId, () => ({ changes: [look] }))
    await http.writer.edit(b as PhotoId, () => ({
      changes: [look, linkChange(a as PhotoId, { tier: 'near', score: 0.97 })]
    }))
    expect(await list('near')).toMatchObject({ groups: [{ size: 2 }], total: 1 })
    const told = json<Resolved>(await post('/duplicates/distinct', { ids: [a, b, UNKNOWN] }))
    expect(told.results).toEqual([
      { photo_id: a, status: 'remembered' },
      { photo_id: b, status: 'remembered' },
      { photo_id: UNKNOWN, status: 'failed', code: 'ERR_PHOTO_NOT_FOUND' }
    ])
    expect(await list('near')).toMatchObject({ groups: [], total: 0 })
    json(await post('/duplicates/distinct', { ids: [b], others: [a], distinct: false }))
    expect(await list('near')).toMatchObject({ groups: [{ size: 2 }], total: 1 })
  })

  test('what is said otherwise is 400', async () => {
    const tooMany = Array(101).fill(UNKNOWN)
    for (const body of [{}, { ids: [] }, { ids: ['x'] }, { ids: tooMany }, { ids: [UNKNOWN], others: [] }])
      expect((await post('/duplicates/distinct', body)).status, JSON.stringify(body).slice(0, 200)).toBe(400)
  })
})
