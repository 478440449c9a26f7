import { beforeEach, describe, expect, test } from 'vitest'
import type { Role } from '../../src/domain/access.js'
import { ALBUM_DEPTH_MAX } from '../../src/domain/limits.js'
import { codeOf } from '../support/http-answers.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { tinyJpeg } from '../support/photo-maker.js'
import { type Somebody, somebodyIn } from '../support/somebody.js'

const { http } = httpForEachTest()
const somebody = (name: string, role?: Role): Promise<Somebody> => somebodyIn(http, name, role)
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

interface AlbumAnswer {
  readonly album_id: string
  readonly name: string
  readonly parent: string | null
  readonly inherits: boolean
}

let root: Somebody
let anna: Somebody
let ben: Somebody
let seed = 0

beforeEach(async () => {
  root = await somebody('root', 'admin')
  anna = await somebody('anna')
  ben = await somebody('ben')
})

const put = (by: Somebody, album: string, parent: string | null, inherits?: boolean): Promise<AlbumAnswer> =>
  by.json('PUT', `/v1/albums/${album}/parent`, { parent, ...(inherits !== undefined && { inherits }) })
const refused = async (by: Somebody, album: string, parent: string | null): Promise<string> =>
  codeOf(await by.ask('PUT', `/v1/albums/${album}/parent`, { parent }))
const makeIn = (by: Somebody, title: string, parent: string): Promise<AlbumAnswer> =>
  by.json('POST', '/v1/albums', { title, parent })
const albumOf = (by: Somebody, album: string): Promise<AlbumAnswer> => by.json('GET', `/v1/albums/${album}`)
const listed = async (by: Somebody, query = ''): Promise<string[]> =>
  (await by.json<{ albums: AlbumAnswer[] }>('GET', `/v1/albums${query}`)).albums.map(({ name }) => name)

async function upload(by: Somebody, album: string): Promise<string> {
  const answer = await by.send('PUT', `/v1/photos?album=${album}`, { 'content-type': 'image/jpeg' }, tinyJpeg(++seed))
  expect(answer.status).toBe(201)
  return (JSON.parse(answer.body.toString()) as { photo_id: string }).photo_id
}

const seen = async (by: Somebody, photo: string): Promise<number> => (await by.ask('GET', `/photo/${photo}`)).status
const found = async (by: Somebody): Promise<number> =>
  (await by.json<{ photos: unknown[] }>('GET', '/photos')).photos.length

describe('an album in another one', () => {
  test('is open to whom that one is, until it is taken out, closed, or that one is deleted', async () => {
    const trips = await anna.makeAlbum('Trips')
    const crete = await anna.makeAlbum('Crete')
    const photo = await upload(anna, crete)
    await anna.share(trips, 'ben', 'viewer')
    expect([await seen(ben, photo), await found(ben), await listed(ben)]).toEqual([404, 0, ['Trips']])

    expect(await put(anna, crete, trips)).toMatchObject({ name: 'Crete', parent: trips, inherits: true })
    expect([await seen(ben, photo), await found(ben), await listed(ben)]).toEqual([200, 1, ['Crete', 'Trips']])
    expect(await albumOf(ben, crete)).toMatchObject({ parent: trips, inherits: true })
    expect(await ben.json('GET', `/v1/albums/${crete}/shares`)).toMatchObject({ role: 'viewer', can: [], shares: [] })

    await put(anna, crete, trips, false)
    expect([await seen(ben, photo), await found(ben), await listed(ben)]).toEqual([404, 0, ['Trips']])
    await put(anna, crete, trips)
    expect(await seen(ben, photo)).toBe(200)
    await anna.json('DELETE', `/v1/albums/${trips}`)
    expect([await seen(ben, photo), (await albumOf(anna, crete)).parent]).toEqual([404, null])
    await anna.json('POST', `/v1/albums/${trips}/undelete`)
    expect([await seen(ben, photo), (await albumOf(anna, crete)).parent]).toEqual([200, trips])
    await put(anna, crete, null)
    expect([await seen(ben, photo), await found(ben)]).toEqual([404, 0])
  })

  test('gives contributors of that one what they may there, and managers and the owner all but to share, move and delete it', async () => {
    const trips = await anna.makeAlbum('Trips')
    await anna.share(trips, 'ben', 'manager')
    const mine = await makeIn(ben, 'Ben’s', trips)
    expect(mine).toMatchObject({ parent: trips, inherits: true })
    const carl = await somebody('carl')
    await anna.share(trips, 'carl', 'contributor')
    const photo = await upload(carl, mine.album_id)
    expect(codeOf(await carl.ask('PATCH', `/v1/albums/${mine.album_id}`, { title: 'x' }))).toBe('403 ERR_FORBIDDEN')
    expect(await refused(carl, mine.album_id, null)).toBe('403 ERR_FORBIDDEN')
    // whoever owns the one above is a manager here
    await anna.json('PATCH', `/v1/albums/${mine.album_id}`, { title: 'Ours' })
    await anna.json('POST', `/v1/albums/${mine.album_id}/photos`, { remove: [photo] })
    expect(codeOf(await anna.ask('PUT', `/v1/albums/${mine.album_id}/shares/everyone`, { role: 'viewer' }))).toBe(
      '403 ERR_FORBIDDEN'
    )
    expect(codeOf(await anna.ask('DELETE', `/v1/albums/${mine.album_id}`))).toBe('403 ERR_FORBIDDEN')
    expect(await refused(anna, mine.album_id, await anna.makeAlbum('Elsewhere'))).toBe('403 ERR_FORBIDDEN')
    expect(codeOf(await anna.ask('POST', '/v1/links', { album: mine.album_id }))).toBe('403 ERR_FORBIDDEN')
    // but takes it out of her own, and sees nothing of it from then on
    expect(await put(anna, mine.album_id, null)).toMatchObject({ parent: null })
    expect(codeOf(await anna.ask('GET', `/v1/albums/${mine.album_id}`))).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(await albumOf(ben, mine.album_id)).toMatchObject({ parent: null })
    expect(await seen(anna, photo)).toBe(404)
  })

  test('is put only where one may put it, and nobody learns what there is', async () => {
    const trips = await anna.makeAlbum('Trips')
    const mine = await ben.makeAlbum('Ben’s')
    expect(await refused(ben, mine, trips)).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(await refused(ben, mine, UNKNOWN)).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(await refused(ben, trips, mine)).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(codeOf(await ben.ask('POST', '/v1/albums', { title: 'x', parent: trips }))).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(codeOf(await ben.ask('GET', `/v1/albums?parent=${trips}`))).toBe('404 ERR_ALBUM_NOT_FOUND')
    await anna.share(trips, 'ben', 'contributor')
    expect(await refused(ben, mine, trips)).toBe('403 ERR_FORBIDDEN')
    expect(codeOf(await ben.ask('POST', '/v1/albums', { title: 'x', parent: trips }))).toBe('403 ERR_FORBIDDEN')
    expect(await refused(ben, mine, 'x')).toBe('400 ERR_BAD_ID')
    expect(codeOf(await ben.ask('PUT', `/v1/albums/${mine}/parent`, { parent: null, by: ben.id }))).toBe(
      '400 ERR_BAD_PARAMETER'
    )
    await anna.json('DELETE', `/v1/albums/${trips}`)
    expect(await refused(anna, await anna.makeAlbum('y'), trips)).toBe('410 ERR_ALBUM_DELETED')
    expect(await listed(ben, '?parent=none')).toEqual(['Ben’s'])
  })

  test('whose own parent somebody does not see is listed among those that stand in none', async () => {
    const trips = await anna.makeAlbum('Trips')
    const crete = await makeIn(anna, 'Crete', trips)
    await makeIn(anna, 'Beach', crete.album_id)
    expect([await listed(anna, '?parent=none'), await listed(anna, `?parent=${trips}`)]).toEqual([['Trips'], ['Crete']])
    await anna.share(crete.album_id, 'ben', 'viewer')
    expect(await listed(ben, '?parent=none')).toEqual(['Crete'])
    expect(await listed(ben, `?parent=${crete.album_id}`)).toEqual(['Beach'])
    expect(await albumOf(ben, crete.album_id)).toMatchObject({ parent: null, inherits: false })
    expect(await listed(ben)).toEqual(['Beach', 'Crete'])
  })

  test('is in no circle, and not too deep', async () => {
    const line = [await anna.makeAlbum('0')]
    for (let n = 1; n <= ALBUM_DEPTH_MAX; n++) {
      line.push((await makeIn(anna, `${n}`, line.at(-1) as string)).album_id)
    }
    const [first, second, third] = line as [string, string, string]
    const last = line.at(-1) as string
    expect(codeOf(await anna.ask('POST', '/v1/albums', { title: 'x', parent: last }))).toBe('400 ERR_BAD_PARAMETER')
    expect(await refused(anna, first, await anna.makeAlbum('above'))).toBe('400 ERR_BAD_PARAMETER')
    for (const parent of [first, second, last]) expect(await refused(anna, first, parent)).toBe('409 ERR_ALBUM_LOOP')
    await put(anna, second, null)
    await put(anna, first, third)
    expect(await refused(anna, second, first)).toBe('409 ERR_ALBUM_LOOP')
    expect(await listed(anna, `?parent=${third}`)).toEqual(['0', '3'])
  })

  test('shows by a link nothing of the albums in it', async () => {
    const trips = await anna.makeAlbum('Trips')
    const crete = await makeIn(anna, 'Crete', trips)
    const [shown, hidden] = [await upload(anna, trips), await upload(anna, crete.album_id)]
    const { secret } = await anna.json<{ secret: string }>('POST', '/v1/links', { album: trips })
    const answer = await http.client.request('POST', '/v1/links/open', {
      body: Buffer.from(JSON.stringify({ secret })),
      headers: { 'content-type': 'application/json' }
    })
    const cookie = String(answer.headers['set-cookie']).split(';')[0] as string
    const statusOf = async (photo: string): Promise<number> =>
      (await http.client.request('GET', `/photo/${photo}`, { headers: { cookie } })).status
    expect([answer.status, await statusOf(shown), await statusOf(hidden)]).toEqual([200, 200, 404])
  })

  test('is handed over where it stands, and an album of before moves as administrators say', async () => {
    const trips = await anna.makeAlbum('Trips')
    const crete = await makeIn(anna, 'Crete', trips)
    await anna.json('PUT', `/v1/albums/${crete.album_id}/owner`, { user: 'ben' })
    expect(await albumOf(ben, crete.album_id)).toMatchObject({ parent: null })
    expect((await anna.json<{ parent: string }>('GET', `/v1/albums/${crete.album_id}`)).parent).toBe(trips)
    await anna.share(trips, 'ben', 'viewer')
    expect(await albumOf(ben, crete.album_id)).toMatchObject({ parent: trips })
    await put(ben, crete.album_id, null)
    expect(codeOf(await anna.ask('GET', `/v1/albums/${crete.album_id}`))).toBe('404 ERR_ALBUM_NOT_FOUND')
    const everyones = await root.makeAlbum('root’s')
    expect(await refused(anna, everyones, null)).toBe('404 ERR_ALBUM_NOT_FOUND')
  })
})

describe('where there are no accounts', () => {
  const { http: open } = httpForEachTest()

  test('everybody puts albums into each other', async () => {
    const send = <Answer>(method: string, path: string, body: object, status = 200): Promise<Answer> =>
      open.client.json(method, path, status, {
        body: Buffer.from(JSON.stringify(body)),
        headers: { 'content-type': 'application/json' }
      })
    const trips = await send<AlbumAnswer>('POST', '/v1/albums', { title: 'Trips' }, 201)
    const crete = await send<AlbumAnswer>('POST', '/v1/albums', { title: 'Crete', parent: trips.album_id }, 201)
    const list = async (query: string): Promise<AlbumAnswer[]> =>
      (await open.client.json<{ albums: AlbumAnswer[] }>('GET', `/v1/albums?${query}`, 200)).albums
    expect(await list(`parent=${trips.album_id}`)).toMatchObject([{ name: 'Crete', parent: trips.album_id }])
    // labels stand in none
    await open.client.json('PUT', '/v1/photos?album=label', 201, {
      body: tinyJpeg(++seed),
      headers: { 'content-type': 'image/jpeg' }
    })
    expect((await list('parent=none')).map(({ name }) => name)).toEqual(['label', 'Trips'])
    expect(await send('PUT', `/v1/albums/${crete.album_id}/parent`, { parent: null })).toMatchObject({ parent: null })
    expect(await list(`parent=${trips.album_id}`)).toEqual([])
    expect((await list('parent=none')).map(({ name }) => name)).toEqual(['Crete', 'label', 'Trips'])
  })
})
