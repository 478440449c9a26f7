import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { modelIdOf } from '../../src/domain/features.js'
import { type Answer, type FormPart, HttpClient } from '../support/http-client.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { type Somebody, somebodyIn } from '../support/somebody.js'
import { vectorImage } from '../support/vector-analyzer.js'

/* The paths of older designs, each with good and bad input, as the owner of a folder, a viewer, a contributor and a stranger. */

const PASSWORD = 'long enough'
const NONE = '01890000-0000-7000-8000-000000000000'
const NAMES = ['owner', 'viewer', 'contributor', 'stranger'] as const
type Name = (typeof NAMES)[number]

/** Every path, with input that is good as far as one can tell without looking. */
const PATHS = [
  ['POST', '/api/users/register', { username: 'x', password: PASSWORD }],
  ['POST', '/api/users/login', { username: 'x', password: PASSWORD }],
  ['POST', '/api/users/logout', {}],
  ['DELETE', '/api/users/delete', { password: PASSWORD }],
  ['GET', '/api/folders', undefined],
  ['GET', '/api/folders/shared', undefined],
  ['POST', '/api/folders/share', { folderId: NONE, targetUsername: 'viewer', permission: 'view' }],
  ['DELETE', '/api/folders', { folderIds: [NONE] }],
  ['POST', '/api/images/upload', undefined],
  ['GET', `/api/images/${NONE}`, undefined],
  ['GET', '/api/images/search?query=rose', undefined]
] as const

let http: HttpFixture
let client: HttpClient
const logged: string[] = []
/** What must stand in no line of the log. */
const secrets = new Set<string>([PASSWORD])
const tokens = new Map<string, string>()
const people = new Map<Name, Somebody>()

beforeAll(async () => {
  const write = (...args: unknown[]): void => {
    logged.push(
      args.map(arg => JSON.stringify(arg, (_, value) => (value instanceof Error ? `${value.stack}` : value))).join(' ')
    )
  }
  const log = { debug: write, info: write, warn: write, error: write, child: () => log }
  http = await startHttp({ legacyApi: true, signup: 'open', log, maxUploadBytes: 100_000, trustProxies: ['127.0.0.1'] })
  client = new HttpClient(http.url)
  await somebodyIn(http, 'anna', 'admin')
  for (const name of NAMES) people.set(name, await somebodyIn(http, name))
  await somebodyIn(http, 'gast', 'guest')
  for (const name of [...NAMES, 'gast']) tokens.set(name, (await login(name)).token)
  const model = modelIdOf(http.analyzer.digest)
  await http.similarity.models.use({ id: model, name: 'test', spaces: new Map([['image', 2]]) })
  http.analyzer.texts.set('rose', Float32Array.of(1, 0))
})

afterAll(async () => {
  client.close()
  await http.close()
})

async function login(username: string): Promise<{ token: string; userId: string }> {
  const answer = good<{ token: string; userId: string }>(
    await send('POST', '/api/users/login', { username, password: PASSWORD })
  )
  secrets.add(answer.token)
  return answer
}

let asked = 0
/** Each from another address, so that nobody waits for the failures of others. */
function send(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Answer> {
  const headers = { 'x-forwarded-for': `2001:db8:${(asked++).toString(16)}::1`, ...more }
  if (body === undefined) return client.request(method, path, { headers })
  return client.request(method, path, {
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    headers: { 'content-type': 'application/json', ...headers }
  })
}

/** As somebody, with the token where programs send it: in the body, if there is one. */
function as(name: string, method: string, path: string, body?: object): Promise<Answer> {
  const token = tokens.get(name) ?? name
  if (body !== undefined) return send(method, path, { token, ...body })
  return send(method, `${path}${path.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}`)
}

function good<Json>(answer: Answer): Json {
  expect(answer.status, answer.body.toString()).toBe(200)
  return JSON.parse(answer.body.toString()) as Json
}

/** @returns status and code of an error, which has the form of the older designs and nothing more */
function refusal(answer: Answer): string {
  expect(answer.headers['content-type']).toBe('application/json')
  const json = JSON.parse(answer.body.toString())
  expect(Object.keys(json).sort(), answer.body.toString()).toEqual(['code', 'error'])
  expect(json.error).toEqual(expect.stringMatching(/./))
  return `${answer.status} ${json.code}`
}

const file = (note: string, filename = `${note}.jpg`): FormPart => ({
  name: 'files[]',
  filename,
  contentType: 'image/jpeg',
  value: vectorImage([3, 4], note)
})

interface Uploaded {
  readonly folderId: string
  readonly images: { id: string; filename: string }[]
  readonly failed: { filename: string; error: string }[]
}

function upload(name: string, folderName: string, ...files: FormPart[]): Promise<Answer> {
  return client.form('/api/images/upload', [
    { name: 'token', value: tokens.get(name) ?? name },
    { name: 'folderName', value: folderName },
    ...files
  ])
}

let count = 0
/** A folder of the owner, with one photo, open to the viewer and to the contributor. */
async function sharedFolder(): Promise<{ folder: string; photo: string }> {
  const note = `note ${count++}`
  const { folderId, images } = good<Uploaded>(await upload('owner', `folder ${note}`, file(note)))
  for (const [targetUsername, permission] of [
    ['viewer', 'view'],
    ['contributor', 'edit']
  ])
    good(await as('owner', 'POST', '/api/folders/share', { folderId, targetUsername, permission }))
  return { folder: folderId, photo: images[0]?.id ?? '' }
}

type Folders = { folders: { id: string; name: string; ownerId: string | null; permission: string }[] }

describe('without --legacy-api', () => {
  test('none of it is there, and /upload, /photo and /find_similar are', async () => {
    const plain = await startHttp()
    for (const [method, path, body] of PATHS) {
      const answer = await new HttpClient(plain.url).request(method, path, {
        ...(body && { body: Buffer.from(JSON.stringify(body)), headers: { 'content-type': 'application/json' } })
      })
      expect([path, answer.status, JSON.parse(answer.body.toString()).code]).toEqual([path, 404, 'ERR_NOT_FOUND'])
    }
    const { paths } = await plain.client.json<{ paths: object }>('GET', '/openapi.json', 200)
    expect(Object.keys(paths).filter(path => path.startsWith('/api/'))).toEqual([])
    await plain.close()
  })

  test.each([false, true])('the native paths are the same with it: %s', async legacyApi => {
    const node = await startHttp({ legacyApi })
    const part = { name: 'file', filename: 'a.jpg', contentType: 'image/jpeg', value: vectorImage([3, 4]) }
    const uploaded = await node.client.form('/upload', [part])
    expect(uploaded.status).toBe(200)
    const { photo_id: id } = JSON.parse(uploaded.body.toString())
    expect((await node.client.request('GET', `/photo/${id}`, {})).body.equals(part.value)).toBe(true)
    expect((await node.client.form('/find_similar', [part])).status).toBe(503) // no model is in use
    expect((await node.client.request('GET', `/photo/${id}/meta`, {})).status).toBe(200)
    const bad = await node.client.request('GET', '/photos?limit=0', {})
    expect(bad.headers['content-type']).toBe('application/problem+json')
    await node.close()
  })

  test('before there are accounts, all of it says so', async () => {
    const empty = await startHttp({ legacyApi: true, signup: 'open' })
    for (const [method, path, body] of PATHS) {
      const answer = await new HttpClient(empty.url).request(method, path, {
        ...(body && { body: Buffer.from(JSON.stringify(body)), headers: { 'content-type': 'application/json' } })
      })
      expect([path, refusal(answer)]).toEqual([path, '409 ERR_NO_ACCOUNTS'])
    }
    await empty.close()
  })
})

describe('users', () => {
  test('register: an account and a token that every path takes; a name that is taken; where sign-up is closed', async () => {
    const made = good<Record<string, string>>(
      await send('POST', '/api/users/register', { username: 'dora', password: PASSWORD })
    )
    expect(Object.keys(made).sort()).toEqual(['message', 'token', 'userId', 'username'])
    secrets.add(made.token ?? '')
    expect(made.username).toBe('dora')
    expect(good(await as(made.token ?? '', 'GET', '/api/folders'))).toEqual({ folders: [] })
    // any other path takes it as it takes any session
    const native = await send('GET', '/photos', undefined, { authorization: `Bearer ${made.token}` })
    expect(native.status).toBe(200)
    expect(refusal(await send('POST', '/api/users/register', { username: 'Dora', password: PASSWORD }))).toBe(
      '409 ERR_NAME_TAKEN'
    )
    for (const signup of ['off', 'invite'] as const) {
      const closed = await startHttp({ legacyApi: true, signup })
      await somebodyIn(closed, 'anna', 'admin')
      const answer = await new HttpClient(closed.url).request('POST', '/api/users/register', {
        body: Buffer.from(JSON.stringify({ username: 'x', password: PASSWORD })),
        headers: { 'content-type': 'application/json' }
      })
      expect(refusal(answer)).toBe('403 ERR_SIGNUP_CLOSED')
      await closed.close()
    }
  })

  test('login and logout', async () => {
    expect(refusal(await send('POST', '/api/users/login', { username: 'owner', password: 'wrong' }))).toBe(
      '401 ERR_BAD_CREDENTIALS'
    )
    expect(refusal(await send('POST', '/api/users/login', { username: 'nobody', password: 'wrong' }))).toBe(
      '401 ERR_BAD_CREDENTIALS'
    )
    const { token, userId } = await login('viewer')
    expect(userId).toBe(people.get('viewer')?.id)
    expect(good(await as(token, 'POST', '/api/users/logout', {}))).toEqual({ message: 'logged out' })
    expect(refusal(await as(token, 'GET', '/api/folders'))).toBe('401 ERR_SESSION_ENDED')
    const second = await login('viewer')
    good(await send('POST', `/api/users/logout?token=${second.token}`, {}))
    expect(refusal(await as(second.token, 'GET', '/api/folders'))).toBe('401 ERR_SESSION_ENDED')
  })

  test('delete closes the account, with the right password only', async () => {
    await somebodyIn(http, 'leaver')
    const { token, userId } = await login('leaver')
    expect(refusal(await as(token, 'DELETE', '/api/users/delete', { password: 'wrong' }))).toBe(
      '401 ERR_BAD_CREDENTIALS'
    )
    expect(http.accounts.users.isOpen(userId as never)).toBe(true)
    expect(good(await as(token, 'DELETE', '/api/users/delete', { password: PASSWORD }))).toEqual({
      message: 'the account is closed'
    })
    expect(http.accounts.users.get(userId as never).state).toBe('closed')
    expect(refusal(await as(token, 'GET', '/api/folders'))).toBe('401 ERR_ACCOUNT_DISABLED')
    const { token: ofAdmin } = await login('anna')
    expect(refusal(await as(ofAdmin, 'DELETE', '/api/users/delete', { password: PASSWORD }))).toBe('409 ERR_LAST_ADMIN')
  })
})

describe('folders', () => {
  let folder: string
  let photo: string
  beforeEach(async () => {
    ;({ folder, photo } = await sharedFolder())
  })

  test('are listed to whoever owns them, apart from those that are shared with him', async () => {
    const ownerId = people.get('owner')?.id
    const listed = async (name: string, path: string): Promise<object | undefined> =>
      good<Folders>(await as(name, 'GET', path)).folders.find(({ id }) => id === folder)
    const name = expect.stringContaining('folder note')
    expect(await listed('owner', '/api/folders')).toEqual({ id: folder, name, ownerId, permission: 'edit' })
    expect(await listed('owner', '/api/folders/shared')).toBeUndefined()
    expect(await listed('viewer', '/api/folders/shared')).toEqual({ id: folder, name, ownerId, permission: 'view' })
    expect(await listed('contributor', '/api/folders/shared')).toMatchObject({ permission: 'edit' })
    for (const who of ['viewer', 'contributor', 'stranger']) expect(await listed(who, '/api/folders')).toBeUndefined()
    expect(await listed('stranger', '/api/folders/shared')).toBeUndefined()
  })

  test('are shared by their owner; who sees one is told that he may not, and to a stranger it is not there', async () => {
    const share = (name: string, body: object = {}): Promise<Answer> =>
      as(name, 'POST', '/api/folders/share', {
        folderId: folder,
        targetUsername: 'stranger',
        permission: 'view',
        ...body
      })
    for (const who of ['viewer', 'contributor']) expect(refusal(await share(who))).toBe('403 ERR_FORBIDDEN')
    expect(refusal(await share('stranger'))).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(refusal(await share('owner', { folderId: NONE }))).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(refusal(await share('owner', { targetUsername: 'nobody' }))).toBe('404 ERR_USER_NOT_FOUND')
    // nobody is everyone by his name
    expect(refusal(await share('owner', { targetUsername: 'everyone' }))).toBe('404 ERR_USER_NOT_FOUND')
    expect(refusal(await share('owner', { targetUsername: 'owner' }))).toBe('400 ERR_BAD_PARAMETER')
    expect((await as('stranger', 'GET', `/api/images/${photo}`)).status).toBe(404)
    good(await share('owner'))
    expect((await as('stranger', 'GET', `/api/images/${photo}`)).status).toBe(200)
    good(await people.get('owner')!.ask('DELETE', `/v1/albums/${folder}/shares/stranger`))
    expect((await as('stranger', 'GET', `/api/images/${photo}`)).status).toBe(404)
  })

  test('are deleted by their owner alone, with the photos that are in no other', async () => {
    const remove = (name: string, ...folderIds: string[]): Promise<Answer> =>
      as(name, 'DELETE', '/api/folders', { folderIds })
    for (const who of ['viewer', 'contributor']) expect(refusal(await remove(who, folder))).toBe('403 ERR_FORBIDDEN')
    expect(refusal(await remove('stranger', folder))).toBe('404 ERR_ALBUM_NOT_FOUND')
    // one that is not there: nothing is done
    expect(refusal(await remove('owner', folder, NONE))).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect((await as('owner', 'GET', `/api/images/${photo}`)).status).toBe(200)

    const owner = people.get('owner')!
    const { folder: other, photo: both } = await sharedFolder()
    await owner.json('POST', `/v1/albums/${folder}/photos`, { add: [both] })
    const contributor = people.get('contributor')!
    const { photo_id: guests } = JSON.parse(
      (
        await contributor.send(
          'PUT',
          `/v1/photos?filename=g.jpg&album=${folder}`,
          {},
          vectorImage([3, 4], `g${count++}`)
        )
      ).body.toString()
    )
    const labelled = good<Uploaded>(await upload('owner', 'labels', file(`label ${count++}`))).images[0]!.id
    await owner.json('POST', `/v1/albums/${folder}/photos`, { add: [labelled] })
    await owner.json('PATCH', `/photo/${labelled}/meta`, { albums: { add: ['a label'] } })
    expect(good(await remove('owner', folder))).toEqual({
      message: 'the folders are deleted',
      deleted: 1,
      trashed: 1
    })
    const status = async (id: string, who: Name = 'owner') => (await as(who, 'GET', `/api/images/${id}`)).status
    expect([
      await status(photo),
      await status(both),
      await status(labelled),
      await status(guests, 'contributor')
    ]).toEqual([410, 200, 200, 200])
    // again is harmless
    expect(good(await remove('owner', folder))).toMatchObject({ deleted: 1, trashed: 0 })
    // two at once: what is in both and in no third goes
    const { folder: third } = await sharedFolder()
    await owner.json('POST', `/v1/albums/${third}/photos`, { add: [both] })
    expect(good(await remove('owner', other, third, other))).toMatchObject({ deleted: 2, trashed: 2 })
    expect(await status(both)).toBe(410)
    // it is a trash
    await owner.json('POST', `/photo/${photo}/undelete`)
    expect(await status(photo)).toBe(200)
  })
})

describe('images', () => {
  test('are stored in a folder of that name, which is made when it is new', async () => {
    const answer = good<Uploaded & { message: string }>(
      await upload('owner', ' Meer ', file('m1'), file('m2', 'b.jpg'))
    )
    expect(answer).toMatchObject({ message: '2 stored, 0 failed', failed: [] })
    expect(answer.images.map(({ filename }) => filename)).toEqual(['m1.jpg', 'b.jpg'])
    const again = good<Uploaded>(await upload('owner', 'MEER', file('m3')))
    expect(again.folderId).toBe(answer.folderId)
    const ofStranger = good<Uploaded>(await upload('stranger', 'Meer', file('m4')))
    expect(ofStranger.folderId).not.toBe(answer.folderId)
    const { photos } = await people.get('owner')!.json<{ photos: object[] }>('GET', `/photos?album=${answer.folderId}`)
    expect(photos).toHaveLength(3)
    const bytes = await as('owner', 'GET', `/api/images/${answer.images[0]?.id}`)
    expect(bytes.body.equals(vectorImage([3, 4], 'm1'))).toBe(true)
    expect(bytes.headers['referrer-policy']).toBe('no-referrer')
  })

  test('of a folder that is shared are not put into it by its name', async () => {
    const { folder } = await sharedFolder()
    const { folders } = good<Folders>(await as('contributor', 'GET', '/api/folders/shared'))
    const name = folders.find(({ id }) => id === folder)?.name ?? ''
    expect(good<Uploaded>(await upload('contributor', name, file(`c${count++}`))).folderId).not.toBe(folder)
  })

  test('that cannot be stored are named, beside those that were', async () => {
    const empty = { ...file('e', 'empty.jpg'), value: Buffer.alloc(0) }
    const large = { ...file('l', 'large.jpg'), value: Buffer.alloc(100_001, 'x') }
    const some = good<Uploaded>(await upload('owner', 'mixed', empty, file(`ok${count++}`, 'ok.jpg'), large))
    expect(some.images.map(({ filename }) => filename)).toEqual(['ok.jpg'])
    expect(some.failed).toEqual([
      { filename: 'empty.jpg', error: expect.stringMatching(/./) },
      { filename: 'large.jpg', error: expect.stringMatching(/./) }
    ])
    expect(refusal(await upload('owner', 'mixed', empty))).toBe('400 ERR_EMPTY_FILE')
    expect(refusal(await upload('owner', 'mixed', large))).toBe('413 ERR_TOO_LARGE')
  })

  test('are not stored for whoever is not known, may not, or sends something else', async () => {
    const before = http.directory.count('all')
    const form = (...parts: FormPart[]): Promise<Answer> => client.form('/api/images/upload', parts)
    const token = { name: 'token', value: tokens.get('owner') ?? '' }
    const folderName = { name: 'folderName', value: 'bad input' }
    const image = file(`bad ${count++}`)
    const cases: [Promise<Answer>, string][] = [
      [form(folderName, image), '401 ERR_UNAUTHENTICATED'],
      [form({ ...token, value: 'made up' }, folderName, image), '401 ERR_UNAUTHENTICATED'],
      [form({ ...token, value: tokens.get('gast') ?? '' }, folderName, image), '403 ERR_FORBIDDEN'],
      [form(token, image), '400 ERR_BAD_PARAMETER'],
      [form(token, folderName), '400 ERR_NO_FILE'],
      [form(folderName, image, token), '401 ERR_UNAUTHENTICATED'],
      [form(token, image, folderName), '400 ERR_BAD_PARAMETER'],
      [form(token, token, folderName, image), '400 ERR_BAD_PARAMETER'],
      [form(token, folderName, folderName, image), '400 ERR_BAD_PARAMETER'],
      [form(token, { ...folderName, value: 'x'.repeat(17_000) }, image), '400 ERR_BAD_PARAMETER'],
      [form(token, { ...folderName, value: '   ' }, image), '400 ERR_BAD_PARAMETER'],
      [form(token, { ...folderName, value: NONE }, image), '400 ERR_BAD_PARAMETER'],
      [form(token, folderName, { ...image, name: 'photo' }), '400 ERR_BAD_PARAMETER'],
      [form(token, folderName, { name: '__proto__', value: 'x' }, image), '400 ERR_BAD_PARAMETER'],
      [send('POST', '/api/images/upload', { token: tokens.get('owner') }), '415 ERR_NOT_MULTIPART'],
      [send('POST', `/api/images/upload?token=${tokens.get('owner')}`), '415 ERR_NOT_MULTIPART'],
      [
        send('POST', '/api/images/upload', '--x\r\nnonsense', { 'content-type': 'multipart/form-data; boundary=x' }),
        '400 ERR_TRUNCATED_BODY'
      ],
      [client.form('/api/images/upload?token=x', [token, folderName, image]), '401 ERR_UNAUTHENTICATED']
    ]
    for (const [i, [answer, expected]] of cases.entries()) expect([i, refusal(await answer)]).toEqual([i, expected])
    expect(http.directory.count('all')).toBe(before)
    // in the query they may stand as well
    const query = `?token=${tokens.get('owner')}&folderName=query`
    good(await client.form(`/api/images/upload${query}`, [file(`q${count++}`)]))
  })

  test('are read by whoever sees them, whole, in part and unchanged', async () => {
    const { photo } = await sharedFolder()
    for (const who of ['owner', 'viewer', 'contributor'])
      expect((await as(who, 'GET', `/api/images/${photo}`)).status).toBe(200)
    expect(refusal(await as('stranger', 'GET', `/api/images/${photo}`))).toBe('404 ERR_PHOTO_NOT_FOUND')
    expect(refusal(await as('stranger', 'GET', `/api/images/${NONE}`))).toBe('404 ERR_PHOTO_NOT_FOUND')
    for (const bad of ['x', '__proto__', `${NONE}0`, '..%2f..%2fetc'])
      expect(refusal(await as('owner', 'GET', `/api/images/${bad}`))).toBe('400 ERR_BAD_ID')
    const path = `/api/images/${photo}?token=${tokens.get('viewer')}`
    const part = await send('GET', path, undefined, { range: 'bytes=1-3' })
    expect([part.status, part.body.length]).toEqual([206, 3])
    expect(refusal(await send('GET', path, undefined, { range: 'bytes=9999999-' }))).toBe(
      '416 ERR_RANGE_NOT_SATISFIABLE'
    )
    const { headers } = await send('HEAD', path)
    expect((await send('GET', path, undefined, { 'if-none-match': headers.etag ?? '' })).status).toBe(304)
    // no header says who asks
    const bearer = { authorization: `Bearer ${tokens.get('owner')}` }
    expect(refusal(await send('GET', `/api/images/${photo}`, undefined, bearer))).toBe('401 ERR_UNAUTHENTICATED')
  })

  test('are found among those that one sees, also in some folders only', async () => {
    const { folder, photo } = await sharedFolder()
    const { folder: other, photo: elsewhere } = await sharedFolder()
    for (const id of [photo, elsewhere]) await http.see(id, [3, 4])
    await expect.poll(() => http.similarity.status().vectors).toBeGreaterThanOrEqual(2)
    const found = async (who: string, query: string): Promise<string[]> => {
      const { results } = good<{ results: { image: string; similarity: number }[] }>(
        await as(who, 'GET', `/api/images/search?query=rose${query}`)
      )
      for (const { similarity } of results) expect(similarity).toBeCloseTo(0.6)
      return results.map(({ image }) => image.replace('/api/images/', ''))
    }
    for (const who of ['owner', 'viewer', 'contributor']) {
      expect(await found(who, '&top_k=1000')).toEqual(expect.arrayContaining([photo, elsewhere]))
      expect(await found(who, `&folder_ids=${folder}`)).toEqual([photo])
      expect((await found(who, `&folder_ids=${folder},${other}`)).sort()).toEqual([photo, elsewhere].sort())
      expect((await found(who, `&folder_ids=${folder}&folder_ids=${other}`)).sort()).toEqual([photo, elsewhere].sort())
      expect(await found(who, `&folder_ids=${folder},${other}&top_k=1`)).toHaveLength(1)
    }
    expect(await found('stranger', '&top_k=1000')).toEqual([])
    const bad = async (query: string): Promise<string> =>
      refusal(await as('owner', 'GET', `/api/images/search${query}`))
    expect(refusal(await as('stranger', 'GET', `/api/images/search?query=rose&folder_ids=${folder}`))).toBe(
      '404 ERR_ALBUM_NOT_FOUND'
    )
    expect(await bad(`?query=rose&folder_ids=${NONE}`)).toBe('404 ERR_ALBUM_NOT_FOUND')
    for (const query of [
      '',
      '?query=',
      '?query=rose&top_k=0',
      '?query=rose&top_k=1001',
      '?query=rose&top_k=x',
      '?query=rose&x=1'
    ])
      expect([query, await bad(query)]).toEqual([query, '400 ERR_BAD_PARAMETER'])
    for (const ids of ['x', `${folder},`, '__proto__'])
      expect(await bad(`?query=rose&folder_ids=${ids}`)).toBe('400 ERR_BAD_ID')
    expect(
      await bad(
        `?query=rose&folder_ids=${Array.from({ length: 101 }, (_, i) => NONE.slice(0, -3) + String(100 + i)).join(',')}`
      )
    ).toBe('400 ERR_BAD_PARAMETER')
  })
})

describe('bad input', () => {
  const BODIES: [string, string, Record<string, unknown>][] = [
    ['POST', '/api/users/register', { username: 'x', password: PASSWORD }],
    ['POST', '/api/users/login', { username: 'x', password: PASSWORD }],
    ['POST', '/api/users/logout', { token: '' }],
    ['DELETE', '/api/users/delete', { token: '', password: PASSWORD }],
    ['POST', '/api/folders/share', { token: '', folderId: NONE, targetUsername: 'viewer', permission: 'view' }],
    ['DELETE', '/api/folders', { token: '', folderIds: [NONE] }]
  ]

  test.each(BODIES)('%s %s: missing, of another type, unknown, too much', async (method, path, body) => {
    const token = tokens.get('owner')
    const whole = 'token' in body ? { ...body, token } : body
    const refused = async (sent: unknown): Promise<void> => {
      const text = typeof sent === 'string' ? sent : JSON.stringify(sent)
      expect(refusal(await send(method, path, text)), text.slice(0, 200)).toMatch(/^(400|401|413|415) /)
    }
    for (const name of Object.keys(whole)) {
      const { [name]: _, ...others } = whole
      if (name !== 'token') await refused(others)
      for (const value of [null, 1, true, [], {}, '', 'x'.repeat(5_000), ['x'], { toString: 'x' }])
        await refused({ ...whole, [name]: value })
    }
    const text = JSON.stringify(whole)
    for (const key of ['__proto__', 'constructor', 'prototype', 'role', 'owner', 'by'])
      await refused(`${text.slice(0, -1)},"${key}":{"role":"admin"}}`)
    for (const sent of ['', 'null', '[]', '"x"', '{', '\u0000', '{"token":', `{"x":"${'y'.repeat(1_100_000)}"}`])
      await refused(sent)
    expect(refusal(await send(method, path, text, { 'content-type': 'text/plain' }))).toMatch(/^415 /)
    expect(refusal(await send(method, path, text, { 'content-encoding': 'gzip' }))).toMatch(/^415 /)
    expect(refusal(await send(method, path, text, { origin: 'https://evil.example' }))).toBe('403 ERR_FOREIGN_ORIGIN')
  })

  test('a token that is missing, made up, twice or of another kind is nobody', async () => {
    const { programTokens } = http.accounts.sessions
    const { session } = await http.accounts.sessions.login('stranger', PASSWORD, { address: '192.0.2.9' })
    const { refresh } = await programTokens.call(http.accounts.sessions, session)
    for (const [method, path, body] of PATHS.filter(([, it]) => !/register|login|upload/.test(it))) {
      expect([path, refusal(await send(method, path, body))]).toEqual([path, '401 ERR_UNAUTHENTICATED'])
      for (const token of ['', 'x', refresh.text, '0123456789abcdef'.repeat(4)])
        expect([path, token, refusal(await as(token, method, path, body))]).toEqual([
          path,
          token,
          '401 ERR_UNAUTHENTICATED'
        ])
      const twice = `${path}${path.includes('?') ? '&' : '?'}token=${tokens.get('owner')}&token=x`
      expect([path, refusal(await send(method, twice, body))]).toEqual([path, '400 ERR_BAD_PARAMETER'])
      if (body !== undefined)
        expect(refusal(await send(method, `${path}?token=x`, { token: tokens.get('owner'), ...body }))).toBe(
          '400 ERR_BAD_PARAMETER'
        )
    }
  })

  test('a key does what its scopes say, a guest what his role does', async () => {
    const { text } = await http.accounts.apiKeys.create(people.get('owner')!.id as never, { scopes: ['read'] })
    secrets.add(text)
    good(await as(text, 'GET', '/api/folders'))
    const changes = PATHS.filter(([, path]) => /logout|delete|share$|upload/.test(path))
    for (const [method, path, body] of changes.filter(([, path]) => !path.endsWith('upload')))
      expect([path, refusal(await as(text, method, path, body))]).toEqual([path, '403 ERR_FORBIDDEN'])
    expect(refusal(await as(text, 'DELETE', '/api/folders', { folderIds: [NONE] }))).toBe('403 ERR_FORBIDDEN')
    expect(refusal(await upload(text, 'key', file('key')))).toBe('403 ERR_FORBIDDEN')
    for (const [method, path, body] of [PATHS[6], PATHS[7]])
      expect(refusal(await as('gast', method, path, body))).toBe('403 ERR_FORBIDDEN')
  })

  test('other methods and paths below are refused', async () => {
    expect((await send('PUT', '/api/folders')).status).toBe(405)
    expect((await send('GET', '/api/users/login')).status).toBe(405)
    expect((await send('GET', '/api/')).status).toBe(404)
    expect((await send('GET', '/api/folders/x')).status).toBe(404)
  })
})

interface OlderOperation {
  readonly deprecated?: boolean
  readonly 'x-sheaf-rights': { readonly needs: readonly string[] }
  readonly responses: Readonly<Record<string, { readonly content?: object }>>
}

test('what they take and answer stands in the document, as what is not to be used any more', async () => {
  const { paths } = await http.client.json<{ paths: Record<string, Record<string, OlderOperation>> }>(
    'GET',
    '/openapi.json',
    200
  )
  const rows = Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/'))
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, it]) => [method, path, it] as const))
  expect(rows.map(([method, path, it]) => `${method} ${path}: ${it['x-sheaf-rights'].needs.join(' ')}`).sort()).toEqual(
    [
      'delete /api/folders: delete',
      'delete /api/users/delete: account',
      'get /api/folders/shared: read',
      'get /api/folders: read',
      'get /api/images/search: read',
      'get /api/images/{id}: read',
      'head /api/images/{id}: read',
      'post /api/folders/share: share',
      'post /api/images/upload: upload edit',
      'post /api/users/login: ',
      'post /api/users/logout: account',
      'post /api/users/register: '
    ]
  )
  for (const [, path, operation] of rows) {
    expect(operation.deprecated, path).toBe(true)
    for (const [status, answer] of Object.entries(operation.responses))
      if (Number(status) >= 400)
        expect(Object.keys(answer.content ?? {}), `${path} ${status}`).toEqual(['application/json'])
  }
})

test('neither tokens nor passwords are in the log, also where the node fails', async () => {
  const { folder } = await sharedFolder()
  const before = logged.length
  const lookUp = http.directory.lookUp.bind(http.directory)
  http.directory.lookUp = () => {
    throw new Error('planted')
  }
  try {
    for (const [method, path, body] of PATHS.filter(([, it]) => /shared|share$|search|images\/0/.test(it)))
      await as('owner', method, path.replace(NONE, folder), body)
    await send('POST', '/api/users/login', { username: 'owner', password: PASSWORD })
    await upload('owner', 'fails', file('fails'))
  } finally {
    http.directory.lookUp = lookUp
  }
  expect(logged.slice(before).filter(line => line.includes('planted')).length).toBeGreaterThan(3)
  for (const secret of secrets) expect(logged.filter(line => line.includes(secret))).toEqual([])
})
