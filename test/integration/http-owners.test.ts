import { beforeEach, describe, expect, test } from 'vitest'
import type { UserId } from '../../src/domain/ids.js'
import { HttpClient, type PhotoMeta } from '../support/http-client.js'
import { OPERATOR_TOKEN } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { tinyJpeg } from '../support/photo-maker.js'

const { http } = httpForEachTest()
const NOBODY = '01890000-0000-7000-8000-000000000000'

/** Somebody's requests. */
class Person {
  readonly id: UserId
  readonly #client: HttpClient
  readonly #headers: Readonly<Record<string, string>>

  constructor(id: UserId, token: string) {
    this.id = id
    this.#client = new HttpClient(http.url)
    this.#headers = token === '' ? {} : { authorization: `Bearer ${token}` }
  }

  async upload(seed: number, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const { status, body } = await this.send(seed, headers)
    expect(status).toBe(201)
    return JSON.parse(body.toString()).photo_id
  }

  send(seed: number, headers: Readonly<Record<string, string>> = {}): ReturnType<HttpClient['request']> {
    const all = { ...this.#headers, ...headers, 'content-type': 'image/jpeg' }
    return this.#client.request('PUT', `/v1/photos?filename=${seed}.jpg`, { headers: all, body: tinyJpeg(seed) })
  }

  get<Answer>(path: string, status = 200): Promise<Answer> {
    return this.#client.json<Answer>('GET', path, status, { headers: this.#headers })
  }

  async post<Answer>(path: string, body: object, status = 200): Promise<Answer> {
    const headers = { ...this.#headers, 'content-type': 'application/json' }
    return await this.#client.json<Answer>('POST', path, status, { headers, body: Buffer.from(JSON.stringify(body)) })
  }

  async put(path: string, body: object): Promise<void> {
    const headers = { ...this.#headers, 'content-type': 'application/json' }
    await this.#client.json('PUT', path, 200, { headers, body: Buffer.from(JSON.stringify(body)) })
  }

  /** @returns names, sorted, and the total */
  async list(query: string): Promise<[string[], number]> {
    const { photos, total } = await this.get<{ photos: PhotoMeta[]; total: number }>(`/photos?${query}`)
    return [photos.map(({ name }) => name).sort(), total]
  }
}

interface Owned {
  readonly owner: { readonly user_id: string; readonly name: string | null } | null
}

async function person(name: string): Promise<Person> {
  const at = '192.0.2.1'
  const { id } = await http.accounts.users.create({ name, role: 'admin', password: 'long enough' }, 'operator', at)
  const { token } = await http.accounts.sessions.login(name, 'long enough', { address: at })
  return new Person(id, token.text)
}

let before: string
let anna: Person
let ben: Person

beforeEach(async () => {
  before = await new Person(NOBODY as UserId, '').upload(1)
  anna = await person('anna')
  ben = await person('ben')
})

test('a photo belongs to whoever uploads it, also by a form and by an API key, and tells who that is', async () => {
  const ownerOf = async (id: string): Promise<Owned['owner']> => (await anna.get<Owned>(`/photo/${id}/meta`)).owner
  const { text } = await http.accounts.apiKeys.create(anna.id, { scopes: ['upload'] })
  const ids = [await anna.upload(2), await new Person(anna.id, text).upload(3)]
  for (const id of ids) expect(await ownerOf(id)).toEqual({ user_id: anna.id, name: 'anna' })
  expect(await ownerOf(before)).toBeNull()

  await http.accounts.users.edit(anna.id, { name: 'hanna' })
  expect(await ownerOf(ids[0] as string)).toEqual({ user_id: anna.id, name: 'hanna' })
  const stranger = await http.photos.upload(bytes(tinyJpeg(4)), { owner: NOBODY as UserId })
  expect((await http.photos.meta(stranger.photoId)).owner).toEqual({ id: NOBODY, name: undefined })

  const form = new FormData()
  form.append('file', new Blob([tinyJpeg(5)]), '5.jpg')
  const headers = { authorization: `Bearer ${text}` }
  const answer = await fetch(`${http.url}/v1/photos`, { method: 'POST', body: form, headers })
  expect(await ownerOf(((await answer.json()) as { photo_id: string }).photo_id)).toMatchObject({ name: 'hanna' })
})

test('a photo keeps its owner when it is deleted and restored, and in the trash', async () => {
  const id = await anna.upload(2)
  await anna.post('/v1/photos/batch', { delete: [id] })
  const { photos } = await anna.get<{ photos: Owned[] }>('/trash')
  expect(photos).toMatchObject([{ owner: { name: 'anna' } }])
  await anna.post('/v1/photos/batch', { undelete: [id] })
  expect(await anna.list('owner=me')).toEqual([['2.jpg'], 1])
})

describe('owner=', () => {
  beforeEach(async () => {
    const ids = [await anna.upload(2), await anna.upload(3)]
    await ben.upload(4)
    const { album_id: album } = await anna.post<{ album_id: string }>('/v1/albums', { title: 'Meer' }, 201)
    await anna.post(`/v1/albums/${album}/photos`, { add: ids })
    await anna.put(`/v1/albums/${album}/shares/ben`, { role: 'viewer' })
  })

  test('finds what an account has uploaded, in lists, in the time line, and in what is selected', async () => {
    expect(await anna.list('')).toEqual([['1.jpg', '2.jpg', '3.jpg'], 3])
    expect(await ben.list('')).toEqual([['1.jpg', '2.jpg', '3.jpg', '4.jpg'], 4])
    expect(await anna.list('owner=me')).toEqual([['2.jpg', '3.jpg'], 2])
    expect(await ben.list(`owner=${anna.id.toUpperCase()}&sort=taken`)).toEqual([['2.jpg', '3.jpg'], 2])
    expect(await ben.list('owner=me&q=4')).toEqual([['4.jpg'], 1])
    expect(await ben.list(`owner=${NOBODY}`)).toEqual([[], 0])
    expect(await anna.get('/photos/timeline?owner=me')).toMatchObject({ total: 2 })
    const { buckets } = await anna.get<{ buckets: { key: string }[] }>('/photos/timeline?owner=me')
    const bucket = await anna.get<{ ids: string[] }>(`/photos/timeline/${buckets[0]?.key}?owner=me`)
    expect(Object.values(bucket).find(Array.isArray)).toHaveLength(2)
    const patch = { select: { owner: 'me' }, total: 2, rating: 3 }
    expect(await anna.post<{ results: object[] }>('/v1/photos/batch', patch)).toMatchObject({ results: [{}, {}] })
    expect(await ben.list('rating_min=3')).toEqual([['2.jpg', '3.jpg'], 2])
  })

  test('is refused where it is no account, and me of those who have none', async () => {
    for (const text of ['anna', 'ME', '', `${NOBODY}0`]) await anna.get(`/photos?owner=${text}`, 400)
    const operator = new HttpClient(http.url)
    const headers = { authorization: `Bearer ${OPERATOR_TOKEN}` }
    expect((await operator.request('GET', '/photos?owner=me', { headers })).status).toBe(403)
  })
})

test('keys of uploads that are sent again are each account’s own', async () => {
  const key = { 'idempotency-key': 'one' }
  const first = await anna.upload(2, key)
  expect(await anna.upload(2, key)).toBe(first)
  expect((await anna.send(3, key)).status).toBe(422)
  const other = await ben.upload(3, key)
  expect(other).not.toBe(first)
  expect(await ben.upload(3, key)).toBe(other)
  // as before there were accounts
  const ofNobody = await http.photos.upload(bytes(tinyJpeg(5)), { idempotencyKey: 'one' })
  expect([first, other]).not.toContain(ofNobody.photoId)
  const again = await http.photos.upload(bytes(tinyJpeg(5)), { idempotencyKey: 'one' })
  expect(again.photoId).toBe(ofNobody.photoId)
})

async function* bytes(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}
