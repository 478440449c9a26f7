import { beforeEach, describe, expect, test } from 'vitest'
import type { Role } from '../../src/domain/access.js'
import { codeOf } from '../support/http-answers.js'
import { OPERATOR_TOKEN } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { Somebody, somebodyIn } from '../support/somebody.js'

const { http } = httpForEachTest()
const somebody = (name: string, role?: Role): Promise<Somebody> => somebodyIn(http, name, role)
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

interface Sharing {
  readonly owner: { readonly user_id: string; readonly name: string } | null
  readonly role: string
  readonly can: readonly string[]
  readonly shares: readonly {
    readonly principal: string
    readonly user: { readonly name: string } | null
    readonly role: string
    readonly expires_at: string | null
    readonly given_by: readonly { readonly name: string }[]
    readonly in_force: boolean
  }[]
}

const share = (by: Somebody, album: string, who: string, role: string): Promise<Sharing> =>
  by.share<Sharing>(album, who, role)
const rolesOf = ({ shares }: Sharing): object =>
  Object.fromEntries(shares.map(({ principal, user, role }) => [user?.name ?? principal, role]))

let root: Somebody
let anna: Somebody
let ben: Somebody
let album: string
let path: string

/** The album that somebody made before there were accounts. */
let older: string

beforeEach(async () => {
  const made = await http.client.json<{ album_id: string }>('POST', '/v1/albums', 201, {
    body: Buffer.from('{"title":"before"}'),
    headers: { 'content-type': 'application/json' }
  })
  older = made.album_id
  root = await somebody('root', 'admin')
  anna = await somebody('anna')
  ben = await somebody('ben')
  album = await anna.makeAlbum('Meer')
  path = `/v1/albums/${album}/shares`
})

describe('an album', () => {
  test('belongs to whoever made it, is shared with nobody at first, and then with whom that one says', async () => {
    expect(await anna.json('GET', path)).toEqual({
      owner: { user_id: anna.id, name: 'anna' },
      role: 'owner',
      can: ['share'],
      shares: []
    })
    expect(codeOf(await ben.ask('GET', path))).toBe('404 ERR_ALBUM_NOT_FOUND')
    const shared = await share(anna, album, 'BEN', 'contributor')
    expect(shared.shares).toEqual([
      {
        principal: `user:${ben.id}`,
        user: { user_id: ben.id, name: 'ben' },
        group: null,
        role: 'contributor',
        expires_at: null,
        given_by: [{ user_id: anna.id, name: 'anna' }],
        contested: false,
        in_force: true
      }
    ])
    expect(await ben.json('GET', path)).toMatchObject({ role: 'contributor', can: [] })
    expect(rolesOf(await share(anna, album, ben.id.toUpperCase(), 'viewer'))).toEqual({ ben: 'viewer' })
    expect(rolesOf(await share(anna, album, 'everyone', 'contributor'))).toEqual({
      everyone: 'contributor',
      ben: 'viewer'
    })
    expect(await ben.json('GET', path)).toMatchObject({ role: 'contributor' })
    expect(rolesOf(await share(anna, album, 'public', 'viewer'))).toMatchObject({ public: 'viewer' })
  })

  test('keeps who made it through every change', async () => {
    await share(anna, album, 'ben', 'manager')
    await ben.json('PATCH', `/v1/albums/${album}`, { title: 'See' })
    await anna.json('DELETE', `/v1/albums/${album}`)
    await anna.json('POST', `/v1/albums/${album}/undelete`)
    expect(await anna.json('GET', path)).toMatchObject({ owner: { name: 'anna' }, role: 'owner' })
  })

  test('is shared until a time, and a manager shares on; a role is taken away with what it gave kept', async () => {
    const carl = await somebody('carl')
    await share(anna, album, 'ben', 'manager')
    const shared = await ben.json<Sharing>('PUT', `${path}/carl`, {
      role: 'viewer',
      expires_at: '2099-01-01T00:00:00Z'
    })
    expect(shared).toMatchObject({ role: 'manager', can: ['share'] })
    expect(shared.shares[1]).toMatchObject({ given_by: [{ name: 'ben' }], expires_at: '2099-01-01T00:00:00.000Z' })
    expect(await carl.json('GET', path)).toMatchObject({ role: 'viewer' })
    const taken = await anna.json<Sharing>('DELETE', `${path}/ben`)
    expect(taken.shares).toMatchObject([{ user: { name: 'carl' }, given_by: [{ name: 'anna' }], in_force: true }])
    expect(codeOf(await ben.ask('GET', path))).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(rolesOf(await anna.json('DELETE', `${path}/ben`))).toEqual({ carl: 'viewer' })
  })

  test('is left by whoever wants no more of it', async () => {
    await share(anna, album, 'ben', 'viewer')
    expect(rolesOf(await ben.json('DELETE', `${path}/ben`))).toEqual({})
    expect(codeOf(await ben.ask('DELETE', `${path}/ben`))).toBe('404 ERR_ALBUM_NOT_FOUND')
  })

  test('is handed over with all that was given', async () => {
    await share(anna, album, 'root', 'viewer')
    await share(anna, album, 'ben', 'viewer')
    const given = await anna.json<Sharing>('PUT', `/v1/albums/${album}/owner`, { user: 'ben' })
    expect(given).toMatchObject({ owner: { name: 'ben' }, role: 'none', can: [] })
    expect(given.shares).toMatchObject([{ user: { name: 'root' }, given_by: [{ name: 'ben' }], in_force: true }])
    expect(codeOf(await anna.ask('PUT', `${path}/root`, { role: 'manager' }))).toBe('404 ERR_ALBUM_NOT_FOUND')
  })

  test('of before there were accounts is everyone’s, until an administrator says whose', async () => {
    const of = `/v1/albums/${older}`
    expect(await ben.json('GET', `${of}/shares`)).toEqual({ owner: null, role: 'contributor', can: [], shares: [] })
    for (const one of [ben, root]) {
      const refused = await one.ask('PUT', `${of}/shares/anna`, { role: 'viewer' })
      expect([codeOf(refused), refused.body.toString()]).toEqual([
        '403 ERR_FORBIDDEN',
        expect.stringContaining('administrator')
      ])
    }
    expect(codeOf(await ben.ask('PUT', `${of}/owner`, { user: 'ben' }))).toBe('403 ERR_FORBIDDEN')
    expect(await root.json('PUT', `${of}/owner`, { user: 'ben' })).toMatchObject({ owner: { name: 'ben' } })
    expect(rolesOf(await share(ben, older, 'anna', 'viewer'))).toEqual({ anna: 'viewer' })
  })
})

describe('refused', () => {
  test('whoever does not manage it', async () => {
    await share(anna, album, 'ben', 'contributor')
    for (const [one, code] of [
      [ben, '403 ERR_FORBIDDEN'],
      [root, '404 ERR_ALBUM_NOT_FOUND']
    ] as const) {
      expect(codeOf(await one.ask('PUT', `${path}/everyone`, { role: 'viewer' }))).toBe(code)
      expect(codeOf(await one.ask('DELETE', `${path}/anna`))).toBe(code)
      expect(codeOf(await one.ask('PUT', `/v1/albums/${album}/owner`, { user: one.id }))).toBe(code)
    }
    expect(rolesOf(await anna.json('GET', path))).toEqual({ ben: 'contributor' })
  })

  test('a guest, a program with a key, and the operator', async () => {
    const guest = await somebody('gast', 'guest')
    await share(anna, album, 'gast', 'manager')
    const { text } = await http.accounts.apiKeys.create(anna.id as never, { scopes: ['read', 'write', 'admin'] })
    for (const one of [guest, new Somebody(http.url, '', text), new Somebody(http.url, '', OPERATOR_TOKEN)])
      expect(codeOf(await one.ask('PUT', `${path}/everyone`, { role: 'viewer' }))).toBe('403 ERR_FORBIDDEN')
  })

  test('a manager who takes away the role that his own rests on', async () => {
    const carl = await somebody('carl')
    await share(anna, album, 'ben', 'manager')
    await share(ben, album, 'carl', 'manager')
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PUT', { role: 'viewer' }]
    ] as const)
      expect(codeOf(await carl.ask(method, `${path}/ben`, body))).toBe('403 ERR_FORBIDDEN')
    expect(rolesOf(await anna.json('DELETE', `${path}/ben`))).toEqual({ carl: 'manager' })
  })

  test('what cannot be given, to whom there is not, and in what there is not', async () => {
    await http.accounts.users.setState(ben.id as never, 'disabled', 'operator')
    const refusals: readonly (readonly [string, object, string])[] = [
      [`${path}/public`, { role: 'contributor' }, '400 ERR_BAD_PARAMETER'],
      [`${path}/everyone`, { role: 'manager' }, '400 ERR_BAD_PARAMETER'],
      [`${path}/anna`, { role: 'viewer' }, '400 ERR_BAD_PARAMETER'],
      [`${path}/root`, { role: 'owner' }, '400 ERR_BAD_PARAMETER'],
      [`${path}/root`, { role: 'none' }, '400 ERR_BAD_PARAMETER'],
      [`${path}/root`, { role: 'viewer', by: ben.id }, '400 ERR_BAD_PARAMETER'],
      [`${path}/root`, { role: 'viewer', expires_at: '2001-01-01T00:00:00Z' }, '400 ERR_BAD_PARAMETER'],
      [`${path}/nobody`, { role: 'viewer' }, '404 ERR_USER_NOT_FOUND'],
      [`${path}/${UNKNOWN}`, { role: 'viewer' }, '404 ERR_USER_NOT_FOUND'],
      [`${path}/ben`, { role: 'viewer' }, '404 ERR_USER_NOT_FOUND'],
      [`/v1/albums/${UNKNOWN}/shares/root`, { role: 'viewer' }, '404 ERR_ALBUM_NOT_FOUND'],
      [`/v1/albums/x/shares/root`, { role: 'viewer' }, '400 ERR_BAD_ID'],
      [`/v1/albums/${album}/owner`, { user: 'everyone' }, '404 ERR_USER_NOT_FOUND'],
      [`/v1/albums/${album}/owner`, { user: UNKNOWN }, '404 ERR_USER_NOT_FOUND']
    ]
    for (const [at, body, code] of refusals)
      expect(codeOf(await anna.ask('PUT', at, body)), `${at} ${JSON.stringify(body)}`).toBe(code)
    await anna.json('DELETE', `/v1/albums/${album}`)
    expect(codeOf(await anna.ask('GET', path))).toBe('410 ERR_ALBUM_DELETED')
    expect(codeOf(await anna.ask('PUT', `${path}/root`, { role: 'viewer' }))).toBe('410 ERR_ALBUM_DELETED')
  })
})

test('what is shared stays shared when the album is deleted and restored', async () => {
  await share(anna, album, 'ben', 'viewer')
  await anna.json('DELETE', `/v1/albums/${album}`)
  await anna.json('POST', `/v1/albums/${album}/undelete`)
  expect(rolesOf(await anna.json('GET', path))).toEqual({ ben: 'viewer' })
})

test('to take nothing away writes nothing', async () => {
  const before = http.directory.digest()
  await anna.json('DELETE', `${path}/everyone`)
  expect(http.directory.digest()).toBe(before)
})
