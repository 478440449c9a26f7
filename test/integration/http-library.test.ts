import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PhotoId } from '../../src/domain/ids.js'
import { cameraChange, dimensionsChange, takenAtChange } from '../../src/domain/photo-facts.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { tinyJpeg } from '../support/photo-maker.js'

let node: HttpFixture
let seed = 0

interface Known {
  readonly tags?: readonly string[]
  readonly albums?: readonly string[]
  readonly rating?: number
  readonly caption?: string
  /** What a clock on the wall showed, ISO 8601. */
  readonly taken?: string
  readonly offsetMinutes?: number
  readonly camera?: string
}

async function upload(
  name: string,
  { tags, albums, rating, caption, taken, offsetMinutes, camera }: Known = {}
): Promise<string> {
  const { photo_id: id } = await node.client.putPhoto(tinyJpeg(++seed), name, 'image/jpeg')
  const patch = { ...(rating !== undefined && { rating }), ...(caption !== undefined && { caption }) }
  const sets = { ...(tags && { tags: { add: tags } }), ...(albums && { albums: { add: albums } }) }
  const body = { ...patch, ...sets }
  if (Object.keys(body).length > 0)
    await node.client.json('PATCH', `/photo/${id}/meta`, 200, {
      body: Buffer.from(JSON.stringify(body)),
      headers: { 'content-type': 'application/json' }
    })
  const changes = [dimensionsChange(4, 3)]
  if (taken !== undefined) {
    const ms = Date.parse(`${taken}Z`) - (offsetMinutes ?? 0) * 60_000
    changes.push(takenAtChange({ ms, offsetMinutes, source: 'exif', precision: 'second' }))
  }
  if (camera !== undefined) changes.push(cameraChange({ make: camera }))
  await node.writer.edit(id as PhotoId, () => ({ changes }))
  return id
}

async function names(query: string): Promise<string[]> {
  const { photos } = await node.client.json<{ photos: { name: string }[] }>('GET', `/photos?${query}`, 200)
  return photos.map(({ name }) => name)
}

function json(body: object): { body: Buffer; headers: Record<string, string> } {
  return { body: Buffer.from(JSON.stringify(body)), headers: { 'content-type': 'application/json' } }
}

beforeEach(async () => {
  node = await startHttp()
})
afterEach(() => node.close())

describe('photos in the order in which they were taken', () => {
  it('go by what a clock on the wall showed, and those without a date by when they were added', async () => {
    await upload('sydney', { taken: '2024-01-01T08:02:00', offsetMinutes: 660 })
    await upload('before', { taken: '2024-01-01T07:59:00' })
    await upload('scan', { taken: '1952-05-01T12:00:00' })
    await upload('undated')
    await upload('first', { taken: '2023-12-31T23:59:59', offsetMinutes: -300 })
    expect(await names('sort=taken')).toEqual(['undated', 'sydney', 'before', 'first', 'scan'])
    expect(await names('sort=taken&limit=1000&to=2024')).toEqual(['sydney', 'before', 'first', 'scan'])
  })

  it('are those between two times, both as a whole', async () => {
    for (const taken of ['2023-12-31T23:59:59', '2024-01-01T00:00:00', '2024-06-30T23:59:59', '2024-07-01T00:00:00'])
      await upload(taken, { taken })
    expect(await names('sort=taken&from=2024&to=2024-06')).toEqual(['2024-06-30T23:59:59', '2024-01-01T00:00:00'])
    expect(await names('sort=taken&to=2023-12-31')).toEqual(['2023-12-31T23:59:59'])
    expect(await names('sort=taken&from=2024-06-30T23:59:59&to=2024-06-30T23:59')).toEqual(['2024-06-30T23:59:59'])
    expect(await names('from=2024-01')).toHaveLength(4)
    for (const bad of ['2024-13', '2024-02-32', 'yesterday', '24', '2024-01-01T25:00', '2024-01-01T08'])
      expect((await node.client.request('GET', `/photos?from=${bad}`)).status, bad).toBe(400)
  })
})

describe('the time line', () => {
  const path = (rest: string): string => `/photos/timeline${rest}`

  it('says where in time photos are, and what they look like', async () => {
    const id = await upload('sydney', { taken: '2024-01-01T08:02:00', offsetMinutes: 660 })
    await upload('scan', { taken: '1952-05-01T12:00:00' })
    await node.client.putPhoto(Buffer.from('words'), 'a.txt', 'text/plain')
    const timeline = await node.client.json<{ buckets: { key: string; revision: string }[] }>('GET', path(''), 200)
    expect(timeline).toMatchObject({
      total: 2,
      buckets: [
        { key: '2024-01', from: '2024-01-01', to: '2024-01-31', count: 1 },
        { key: '1952-05', count: 1 }
      ]
    })
    const bucket = await node.client.request('GET', path('/2024-01'))
    expect(bucket.headers.etag).toBe(`"${timeline.buckets[0]?.revision}"`)
    expect(JSON.parse(bucket.body.toString())).toEqual({
      revision: timeline.buckets[0]?.revision,
      photo_ids: [id],
      aspects: [1_333],
      taken_s: [Date.parse('2024-01-01T08:02:00Z') / 1_000],
      flags: [0],
      hashes: [null]
    })
    const headers = { 'if-none-match': bucket.headers.etag ?? '' }
    expect((await node.client.request('GET', path('/2024-01'), { headers })).status).toBe(304)
    expect(await node.client.json('GET', path('/2024-01?sort=added'), 200)).toMatchObject({ photo_ids: [] })
  })

  it('has the photos that filters let through', async () => {
    const id = await upload('a', { tags: ['Meer'], taken: '2024-07-01T10:00:00' })
    await upload('b', { taken: '2024-07-02T10:00:00' })
    expect(await node.client.json('GET', path('?tag=meer'), 200)).toMatchObject({ total: 1 })
    expect(await node.client.json('GET', path('/2024-07?tag=meer'), 200)).toMatchObject({ photo_ids: [id] })
    expect(await node.client.json('GET', path('?q=*'), 200)).toMatchObject({ total: 0, buckets: [] })
    expect((await node.client.request('GET', path('/2024-07?q=*'))).status).toBe(404)
    for (const bad of ['/2024-13', '/2024', '/2024-07-01..x', '?from=x', '?sort=name'])
      expect((await node.client.request('GET', path(bad))).status, bad).toBe(400)
    expect((await node.client.request('GET', path('/2024-02-31'))).status).toBe(404)
  })
})

describe('photos are found', () => {
  it('by words, labels and cameras, however they are written', async () => {
    await upload('İstanbul Straße.jpg', { tags: ['Café'], camera: 'Canon EOS 5D' })
    await upload('東京タワー 🎉.jpg', { tags: ['CAFE'], albums: ['Été 2024'] })
    expect(await names(`q=${encodeURIComponent('istanbul STRASSE')}`)).toEqual(['İstanbul Straße.jpg'])
    expect(await names(`q=${encodeURIComponent('タワー')}`)).toEqual(['東京タワー 🎉.jpg'])
    expect(await names(`q=${encodeURIComponent('🎉')}`)).toEqual(['東京タワー 🎉.jpg'])
    expect(await names('tag=cafe')).toHaveLength(2)
    expect(await names(`album=${encodeURIComponent('ÉTÉ 2024')}`)).toHaveLength(1)
    expect(await names('camera=canon%205d')).toEqual(['İstanbul Straße.jpg'])
    for (const wordless of ['%25', '*', '%22', '-'])
      expect(await node.client.json('GET', `/photos?q=${wordless}`, 200), wordless).toMatchObject({
        photos: [],
        total: 0
      })
    expect(await names('q=')).toHaveLength(2)
  })

  it('by rating and kind, alone and together', async () => {
    for (const rating of [0, 3, 4, 5]) await upload(`r${rating}`, { rating, taken: `202${rating}-01-01T00:00:00` })
    await node.client.putPhoto(Buffer.from('words'), 'a.txt', 'text/plain')
    expect(await names('rating_min=4')).toEqual(['r5', 'r4'])
    expect(await names('rating_min=3&sort=taken&kind=image')).toEqual(['r5', 'r4', 'r3'])
    expect(await names('kind=other')).toEqual(['a.txt'])
    expect((await node.client.request('GET', '/photos?rating_min=6')).status).toBe(400)
    expect((await node.client.request('GET', '/photos?kind=sound')).status).toBe(400)
  })
})

describe('tags and albums', () => {
  it('are listed with what most photos call them, page by page', async () => {
    await upload('a', { tags: ['Meer', 'garden'], albums: ['Sommer'], taken: '2024-07-01T10:00:00' })
    const last = await upload('b', { tags: ['Meer'], albums: ['sommer'], taken: '2024-08-01T10:00:00' })
    await upload('c', { tags: ['MEER', 'Ärger'], albums: ['Sommer'], taken: '2024-07-15T10:00:00' })
    const tags = [
      { name: 'Ärger', count: 1 },
      { name: 'garden', count: 1 },
      { name: 'Meer', count: 3 }
    ]
    expect(await node.client.json('GET', '/tags', 200)).toEqual({ tags, next_after: null })
    expect(await node.client.json('GET', '/tags?prefix=ME', 200)).toEqual({ tags: tags.slice(2), next_after: null })
    const first = await node.client.json<{ next_after: string }>('GET', '/tags?limit=1', 200)
    expect(first).toEqual({ tags: tags.slice(0, 1), next_after: 'Ärger' })
    const after = encodeURIComponent(first.next_after)
    expect(await node.client.json('GET', `/tags?limit=9&after=${after}`, 200)).toEqual({
      tags: tags.slice(1),
      next_after: null
    })
    expect(await node.client.json('GET', '/albums', 200)).toEqual({
      albums: [
        {
          album_id: null,
          name: 'Sommer',
          caption: null,
          count: 3,
          cover: last,
          from: '2024-07-01T10:00:00.000',
          to: '2024-08-01T10:00:00.000',
          created_at: null,
          parent: null,
          inherits: false,
          conflicts: 0
        }
      ],
      next_after: null
    })
  })
})

describe('a label', () => {
  it('is added once and removed however it is written, and keeps its first spelling', async () => {
    const id = await upload('a', { tags: ['Café'] })
    const edit = async (tags: object): Promise<unknown> => {
      const body = Buffer.from(JSON.stringify({ tags }))
      const headers = { 'content-type': 'application/json' }
      const { tags: now } = await node.client.json<{ tags: string[] }>('PATCH', `/photo/${id}/meta`, 200, {
        body,
        headers
      })
      return now
    }
    expect(await edit({ add: ['cafe', 'Cafe\u0301', 'Tee', 'TEE'] })).toEqual(['Café', 'Tee'])
    expect(await edit({ add: ['CAFÉ'], remove: ['cafe'] })).toEqual(['CAFÉ', 'Tee'])
    expect(await edit({ remove: ['tee', 'café'] })).toEqual([])
  })
})

describe('photos by their ids', () => {
  it('are told in that order, but those that are deleted or not here', async () => {
    const [a, b, gone] = [await upload('a'), await upload('b'), await upload('gone')]
    await node.client.remove(gone)
    const ids = [b, '01890000-0000-7000-8000-000000000000', gone, a]
    const { photos } = await node.client.json<{ photos: object[] }>('POST', '/v1/photos/lookup', 200, json({ ids }))
    expect(photos).toMatchObject([
      { photo_id: b, name: 'b' },
      { photo_id: a, name: 'a', copies: 1 }
    ])
    await node.client.json('POST', '/v1/photos/lookup', 400, json({ ids: Array.from({ length: 1_001 }, () => a) }))
  })
})

describe('marks', () => {
  it('are found by, and what is archived is in all lists but the time line of everything', async () => {
    const [liked, hidden] = [await upload('liked', { tags: ['sea'] }), await upload('hidden', { tags: ['sea'] })]
    await upload('plain')
    const meta = await node.client.json('PATCH', `/photo/${liked}/meta`, 200, json({ favourite: true }))
    expect(meta).toMatchObject({ favourite: true, archived: false })
    await node.client.json(
      'POST',
      '/v1/photos/batch',
      200,
      json({ ids: [hidden], archived: true, rating: 3, caption: 'c' })
    )
    expect([await names('favourite=true'), await names('archived=true')]).toEqual([['liked'], ['hidden']])
    expect([await names(''), await names('rating_min=3&archived=true')]).toEqual([
      ['plain', 'hidden', 'liked'],
      ['hidden']
    ])
    const total = async (query: string): Promise<number> =>
      (await node.client.json<{ total: number }>('GET', `/photos/timeline${query}`, 200)).total
    expect([await total(''), await total('?tag=sea'), await total('?archived=true')]).toEqual([2, 2, 1])
    const { buckets } = await node.client.json<{ buckets: [{ key: string }] }>(
      'GET',
      '/photos/timeline?favourite=true',
      200
    )
    const bucket = await node.client.json('GET', `/photos/timeline/${buckets[0].key}?favourite=true`, 200)
    expect(bucket).toMatchObject({ photo_ids: [liked], flags: [4 + 32] })
    await node.client.json('PATCH', `/photo/${hidden}/meta`, 200, json({ archived: false }))
    expect(await total('')).toBe(3)
    for (const query of ['favourite=false', 'archived=1']) await node.client.json('GET', `/photos?${query}`, 400)
  })

  it('are counted, with all else that there is', async () => {
    const id = await upload('a', { rating: 5, taken: '2024-07-01T10:00:00' })
    await node.client.json('PATCH', `/photo/${id}/meta`, 200, json({ favourite: true }))
    await node.client.remove(await upload('gone'))
    await node.client.putPhoto(Buffer.from('words'), 'a.txt', 'text/plain')
    expect(await node.client.json('GET', '/stats', 200)).toEqual({
      photos: 2,
      entries: 2,
      favourites: 1,
      archived: 0,
      trash: 1,
      emptied: 0,
      albums: 0,
      kinds: { image: 1, other: 1 },
      types: { 'image/jpeg': 1, 'text/plain': 1 },
      states: {},
      ratings: { 5: 1 },
      months: { '2024-07': 1 }
    })
  })
})

describe('the trash', () => {
  it('lists what was deleted last first, until it is brought back', async () => {
    const [a, b] = [await upload('a'), await upload('b')]
    await upload('kept')
    await node.client.remove(b)
    await node.client.remove(a)
    const trash = await node.client.json<{ photos: object[]; total: number }>('GET', '/trash', 200)
    expect(trash).toMatchObject({ total: 2, next_cursor: null })
    expect(trash.photos).toMatchObject([
      { photo_id: a, name: 'a', restorable: true, deleted_at: expect.any(String), purge_after: expect.any(String) },
      { photo_id: b, name: 'b' }
    ])
    const page = await node.client.json<{ next_cursor: string }>('GET', '/trash?limit=1', 200)
    expect(await node.client.json('GET', `/trash?cursor=${page.next_cursor}`, 200)).toMatchObject({
      photos: [{ name: 'b' }]
    })
    await node.client.json('POST', `/photo/${a}/undelete`, 200)
    expect(await node.client.json('GET', '/trash', 200)).toMatchObject({ total: 1, photos: [{ name: 'b' }] })
    expect(await names('')).toEqual(['kept', 'b', 'a'].filter(name => name !== 'b'))
  })

  it('is emptied of some and of all, and for a while that can be undone', async () => {
    const ids = [await upload('a'), await upload('b'), await upload('c')] as const
    const kept = await upload('kept')
    for (const id of ids) await node.client.remove(id)
    const empty = (body: object): Promise<unknown> => node.client.json('POST', '/trash/empty', 200, json(body))
    const inTrash = async (query = ''): Promise<object[]> =>
      (await node.client.json<{ photos: object[] }>('GET', `/trash${query}`, 200)).photos
    expect(await empty({ ids: [ids[0], kept] })).toEqual({
      results: [
        { photo_id: ids[0], status: 'emptied' },
        { photo_id: kept, status: 'failed', code: 'ERR_PHOTO_NOT_DELETED' }
      ],
      left: 0
    })
    expect(await inTrash()).toMatchObject([{ name: 'c' }, { name: 'b' }])
    const [emptied] = await inTrash('?emptied=true')
    expect(emptied).toMatchObject({ name: 'a', restorable: true })
    const { purge_after = '' } = emptied as { purge_after?: string }
    expect(Date.parse(purge_after) - Date.now()).toBeLessThanOrEqual(86_400_000)
    expect(await empty({})).toMatchObject({ results: [{ status: 'emptied' }, { status: 'emptied' }], left: 0 })
    expect(await inTrash()).toEqual([])
    await node.client.json('POST', `/photo/${ids[1]}/undelete`, 200)
    expect(await inTrash('?emptied=true')).toMatchObject([{ name: 'c' }, { name: 'a' }])
    expect(await names('')).toEqual(['kept', 'b'])
  })

  it('gives many back at once', async () => {
    const ids = [await upload('a'), await upload('b')]
    await node.client.json('POST', '/v1/photos/batch', 200, json({ delete: ids }))
    const answer = await node.client.json('POST', '/v1/photos/batch', 200, json({ undelete: ids }))
    expect(answer).toEqual({ results: ids.map(photo_id => ({ photo_id, status: 'restored' })) })
    expect(await names('')).toEqual(['b', 'a'])
    for (const body of [
      { delete: ids, undelete: ids },
      { ids },
      { ids, undelete: ids, caption: 'c' },
      { caption: 'c' },
      {}
    ])
      await node.client.json('POST', '/v1/photos/batch', 400, json(body))
  })
})
