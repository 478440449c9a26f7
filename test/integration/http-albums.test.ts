import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { tinyJpeg } from '../support/photo-maker.js'

interface AlbumAnswer {
  readonly album_id: string
  readonly name: string
  readonly count: number
  readonly cover: string | null
}

const UNKNOWN = '00000000-0000-7000-8000-000000000000'

let node: HttpFixture
let seed = 0

function send<Answer>(method: string, path: string, body: object, status = 200): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  return node.client.json<Answer>(method, path, status, { body: Buffer.from(JSON.stringify(body)), headers })
}

async function upload(name: string, albums: readonly string[] = []): Promise<string> {
  const query = albums.map(album => `&album=${encodeURIComponent(album)}`).join('')
  const headers = { 'content-type': 'image/jpeg' }
  const { photo_id: id } = await node.client.json<{ photo_id: string }>(
    'PUT',
    `/v1/photos?filename=${name}${query}`,
    201,
    {
      body: tinyJpeg(++seed),
      headers
    }
  )
  return id
}

const make = (title: string): Promise<AlbumAnswer> => send('POST', '/v1/albums', { title }, 201)
const albumsOf = async (id: string): Promise<{ albums: string[]; album_ids: string[] }> => {
  const { albums, album_ids } = await node.client.json<{ albums: string[]; album_ids: string[] }>(
    'GET',
    `/photo/${id}/meta`,
    200
  )
  return { albums, album_ids }
}
const names = async (query: string): Promise<string[]> => {
  const { photos } = await node.client.json<{ photos: { name: string }[] }>('GET', `/photos?${query}`, 200)
  return photos.map(({ name }) => name)
}
const listed = async (query = ''): Promise<{ albums: AlbumAnswer[]; next_after: string | null }> =>
  node.client.json('GET', `/albums${query}`, 200)

beforeEach(async () => {
  node = await startHttp()
})
afterEach(() => node.close())

describe('an album', () => {
  it('is made, renamed without a change of its photos, and deleted without them', async () => {
    const album = await make('  Sommer  ')
    expect(album).toMatchObject({ name: 'Sommer', caption: null, count: 0, cover: null, from: null, to: null })
    const [a, b] = [await upload('a'), await upload('b')]
    const path = `/v1/albums/${album.album_id}`
    expect(await send('POST', `${path}/photos`, { add: [a, b, UNKNOWN] })).toEqual({
      results: [
        { photo_id: a, status: 'added' },
        { photo_id: b, status: 'added' },
        { photo_id: UNKNOWN, status: 'failed', code: 'ERR_PHOTO_NOT_FOUND' }
      ]
    })
    const before = await node.client.json<{ version: object }>('GET', `/photo/${a}/meta`, 200)
    expect(before).toMatchObject({ albums: ['Sommer'], album_ids: [album.album_id] })
    const cover = { title: 'Été', caption: 'Zwei\nZeilen', cover: a }
    expect(await send('PATCH', path, cover)).toMatchObject({ name: 'Été', caption: 'Zwei\nZeilen', count: 2, cover: a })
    const after = await node.client.json<{ version: object }>('GET', `/photo/${a}/meta`, 200)
    expect(after).toMatchObject({ albums: ['Été'], version: before.version })
    await send('POST', `${path}/photos`, { remove: [a] })
    expect(await node.client.json('GET', path, 200)).toMatchObject({ count: 1, cover: b })
    expect(await names(`album=${album.album_id.toUpperCase()}`)).toEqual(['b'])
    expect(await send('PATCH', path, { caption: null, cover: null })).toMatchObject({ caption: null, name: 'Été' })
    for (let times = 0; times < 2; times++)
      expect(await node.client.json('DELETE', path, 200)).toEqual({ status: 'deleted', album_id: album.album_id })
    expect(await albumsOf(b)).toEqual({ albums: [], album_ids: [] })
    expect([await names('album=ete'), await names(`album=${album.album_id}`)]).toEqual([[], []])
    expect(await listed()).toEqual({ albums: [], next_after: null })
    for (const [method, rest, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { title: 'x' }],
      ['POST', '/photos', { add: [a] }]
    ] as const) {
      const answer = await (body === undefined
        ? node.client.json(method, path, 410)
        : send(method, path + rest, body, 410))
      expect(answer, method).toMatchObject({ code: 'ERR_ALBUM_DELETED' })
    }
  })

  it('is refused where its title could not be a label, or is an id', async () => {
    const bad = ['', '   ', 'a\u0000b', 'a\nb', 'x'.repeat(101), 'x'.repeat(10_000), UNKNOWN, UNKNOWN.toUpperCase()]
    for (const title of bad)
      expect(await send('POST', '/v1/albums', { title }, 400), title).toMatchObject({ code: 'ERR_BAD_PARAMETER' })
    for (const body of [{}, { title: 1 }, { title: 'a', extra: 1 }, { title: 'a', caption: 'x'.repeat(2_001) }])
      await send('POST', '/v1/albums', body, 400)
    await send('POST', '/v1/albums', { title: 'a', cover: 'x' }, 400)
    const { album_id: id } = await make('<b>\u202Etrips</b> 🎉')
    expect((await listed()).albums).toMatchObject([{ album_id: id, name: '<b>\u202Etrips</b> 🎉' }])
    await send('PATCH', `/v1/albums/${id}`, { title: UNKNOWN }, 400)
    await send('PATCH', `/v1/albums/${id}`, {}, 400)
    await send('POST', `/v1/albums/${id}/photos`, { add: [UNKNOWN], remove: [UNKNOWN] }, 400)
    await send('POST', `/v1/albums/${id}/photos`, { add: Array.from({ length: 10_001 }, () => UNKNOWN) }, 400)
    for (const [path, status] of [
      ['x', 400],
      [UNKNOWN, 404]
    ] as const) {
      await node.client.json('GET', `/v1/albums/${path}`, status)
      await node.client.json('DELETE', `/v1/albums/${path}`, status)
      await send('PATCH', `/v1/albums/${path}`, { title: 'x' }, status)
    }
  })
})

describe('what people call an album', () => {
  it('is the one album of that title, of several none, and else a label', async () => {
    const one = await make('Meer')
    const twins = [await make('Berge'), await make('BERGE')]
    const meer = await upload('meer', ['meer', 'Wald'])
    expect(await albumsOf(meer)).toEqual({ albums: ['Meer', 'Wald'], album_ids: [one.album_id] })
    const berge = await upload('berge', ['Berge'])
    expect(await albumsOf(berge)).toEqual({ albums: ['Berge'], album_ids: [] })
    for (const { album_id: id } of twins) await send('POST', `/v1/albums/${id}/photos`, { add: [meer] })
    expect((await albumsOf(meer)).albums).toEqual(['BERGE', 'Berge', 'Meer', 'Wald'])
    expect(await names('album=berge')).toEqual(['berge', 'meer'])
    expect(await names(`album=${twins[0]?.album_id}`)).toEqual(['meer'])
    expect(await node.client.json('GET', '/photos/timeline?album=berge', 200)).toMatchObject({ total: 2 })
    await send('PATCH', `/photo/${meer}/meta`, { albums: { remove: ['Berge', 'wald'], add: ['MEER'] } })
    expect(await albumsOf(meer)).toEqual({ albums: ['Meer'], album_ids: [one.album_id] })
  })

  it('is a label where it is the id of no album', async () => {
    const id = await upload('a', [UNKNOWN])
    expect(await albumsOf(id)).toEqual({ albums: [UNKNOWN], album_ids: [] })
    expect((await listed()).albums).toMatchObject([{ album_id: null, name: UNKNOWN, count: 1 }])
    expect(await names(`album=${UNKNOWN}`)).toEqual(['a'])
  })

  it('is listed with labels in one order, each once, however small the pages', async () => {
    const titles = ['Alpen', 'Ärger', 'Zoo', 'zoo', 'Zoo', 'Meer']
    for (const title of titles) await send('POST', '/v1/albums', { title }, 201)
    const { albums: made } = await listed()
    for (const { album_id: album } of made)
      await send('POST', `/v1/albums/${album}/photos`, { add: [await upload('x')] })
    await upload('y', ['Zoo', 'Alm', 'zebra'])
    const all = await listed()
    expect(all.albums.map(({ name }) => name.toLowerCase())).toEqual([
      'alm',
      'alpen',
      'ärger',
      'meer',
      'zebra',
      'zoo',
      'zoo',
      'zoo',
      'zoo'
    ])
    expect(all.albums.map(({ count }) => count)).toEqual(Array(9).fill(1))
    const paged: AlbumAnswer[] = []
    let after: string | null = null
    do {
      const query: string = after === null ? '?limit=2' : `?limit=2&after=${encodeURIComponent(after)}`
      const page = await listed(query)
      paged.push(...page.albums)
      after = page.next_after
    } while (after !== null)
    expect(paged).toEqual(all.albums)
    expect((await listed('?prefix=Z')).albums).toEqual(all.albums.slice(4))
  })
})

describe('a label', () => {
  it('becomes one album, however often and by whichever spelling that is asked for', async () => {
    const [a, b] = [await upload('a', ['Sommer 24', 'other']), await upload('b', ['SOMMER 24'])]
    const real = await send<AlbumAnswer & { results: object[]; left: number }>('POST', '/v1/albums/make-real', {
      name: 'Sommer 24'
    })
    expect(real).toMatchObject({ name: 'Sommer 24', count: 2, left: 0 })
    expect(real.results).toHaveLength(2)
    expect(await albumsOf(a)).toEqual({ albums: ['Sommer 24', 'other'], album_ids: [real.album_id] })
    await send('PATCH', `/v1/albums/${real.album_id}`, { title: 'Juli' })
    expect(await albumsOf(b)).toEqual({ albums: ['Juli'], album_ids: [real.album_id] })
    const again = await send<AlbumAnswer>('POST', '/v1/albums/make-real', { name: 'sommer 24' })
    expect(again).toMatchObject({ album_id: real.album_id, name: 'Juli', count: 2, results: [], left: 0 })
    await send('POST', '/v1/albums/make-real', { name: 'nothing' }, 404)
    await send('POST', '/v1/albums/make-real', { name: UNKNOWN }, 400)
    await node.client.json('DELETE', `/v1/albums/${real.album_id}`, 200)
    await send('POST', '/v1/albums/make-real', { name: 'Sommer 24' }, 404)
  })
})
