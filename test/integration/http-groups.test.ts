import { beforeEach, describe, expect, test } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import { OPERATOR_TOKEN } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { tinyJpeg } from '../support/photo-maker.js'
import { Somebody, somebodyIn } from '../support/somebody.js'

const { http } = httpForEachTest()
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

interface Group {
  readonly group_id: string
  readonly name: string
  readonly role: string
  readonly can: readonly string[]
  readonly count: number
  readonly members: readonly { readonly name: string; readonly role: string }[] | null
}

const rolesIn = ({ members }: Group): object =>
  Object.fromEntries((members ?? []).map(({ name, role }) => [name, role]))

let root: Somebody
let anna: Somebody
let ben: Somebody
let carl: Somebody
let group: string
let path: string

beforeEach(async () => {
  root = await somebodyIn(http, 'root', 'admin')
  anna = await somebodyIn(http, 'anna')
  ben = await somebodyIn(http, 'ben')
  carl = await somebodyIn(http, 'carl')
  group = (await anna.json<Group>('POST', '/v1/groups', { name: ' Family ' })).group_id
  path = `/v1/groups/${group}`
})

const put = (by: Somebody, user: string, role?: string): Promise<Group> =>
  by.json<Group>('PUT', `${path}/members/${user}`, role === undefined ? {} : { role })

describe('a group', () => {
  test('belongs to whoever makes it, and is seen by those who are in it', async () => {
    const made = await anna.json<Group>('GET', path)
    expect(made).toMatchObject({ group_id: group, name: 'Family', role: 'owner', can: ['edit'], count: 1 })
    expect(rolesIn(made)).toEqual({ anna: 'owner' })
    expect(codeOf(await ben.ask('GET', path))).toBe('404 ERR_GROUP_NOT_FOUND')
    expect(rolesIn(await put(anna, 'BEN'))).toEqual({ anna: 'owner', ben: 'member' })
    const seen = await ben.json<Group>('GET', path)
    expect([seen.role, seen.can, rolesIn(seen)]).toEqual(['member', [], { anna: 'owner', ben: 'member' }])
    expect((await ben.json<{ groups: Group[] }>('GET', '/v1/groups')).groups).toMatchObject([
      { name: 'Family', count: 2 }
    ])
    expect((await carl.json<{ groups: Group[] }>('GET', '/v1/groups')).groups).toEqual([])
  })

  test('shows its name, and nobody of it, to those who look after accounts', async () => {
    const operator = new Somebody(http.url, '', OPERATOR_TOKEN)
    for (const one of [root, operator]) {
      expect((await one.json<{ groups: Group[] }>('GET', '/v1/groups')).groups).toMatchObject([
        { name: 'Family', role: 'none' }
      ])
      expect(await one.json<Group>('GET', path)).toMatchObject({ name: 'Family', role: 'none', can: [], members: null })
    }
    expect(codeOf(await root.ask('PATCH', path, { name: 'x' }))).toBe('403 ERR_FORBIDDEN')
    expect(codeOf(await root.ask('PUT', `${path}/members/root`, {}))).toBe('404 ERR_GROUP_NOT_FOUND')
    expect(codeOf(await operator.ask('POST', '/v1/groups', { name: 'x' }))).toBe('403 ERR_FORBIDDEN')
    expect(await root.json('DELETE', path)).toEqual({ status: 'deleted', group_id: group })
    expect(codeOf(await anna.ask('GET', path))).toBe('404 ERR_GROUP_NOT_FOUND')
  })

  test('is changed by its owner and its managers, and left by everybody', async () => {
    await put(anna, 'ben', 'manager')
    expect(await ben.json<Group>('PATCH', path, { name: 'Clan' })).toMatchObject({ name: 'Clan', role: 'manager' })
    expect(rolesIn(await put(ben, 'carl'))).toEqual({ anna: 'owner', ben: 'manager', carl: 'member' })
    for (const [method, at, body] of [
      ['PATCH', path, { name: 'x' }],
      ['PUT', `${path}/members/root`, {}],
      ['PUT', `${path}/members/carl`, { role: 'manager' }],
      ['DELETE', `${path}/members/ben`, undefined],
      ['DELETE', path, undefined]
    ] as const)
      expect(codeOf(await carl.ask(method, at, body)), `${method} ${at}`).toBe('403 ERR_FORBIDDEN')
    expect(codeOf(await ben.ask('DELETE', path))).toBe('403 ERR_FORBIDDEN')
    // whom he has taken in stays
    await anna.json('DELETE', `${path}/members/ben`)
    expect(rolesIn(await anna.json('GET', path))).toEqual({ anna: 'owner', carl: 'member' })
    expect(await carl.json('DELETE', `${path}/members/carl`)).toMatchObject({ status: 'removed', user_id: carl.id })
    expect(rolesIn(await anna.json('GET', path))).toEqual({ anna: 'owner' })
    expect(codeOf(await carl.ask('DELETE', `${path}/members/carl`))).toBe('404 ERR_GROUP_NOT_FOUND')
  })

  test('refuses what cannot be, and those who may not', async () => {
    await put(anna, 'ben', 'manager')
    await put(ben, 'carl', 'manager')
    const dora = await somebodyIn(http, 'dora')
    await http.accounts.users.setState(dora.id as never, 'disabled', 'operator')
    const refusals: readonly (readonly [string, string, object | undefined, string])[] = [
      ['POST', '/v1/groups', { name: ' ' }, '400 ERR_BAD_PARAMETER'],
      ['POST', '/v1/groups', { name: UNKNOWN }, '400 ERR_BAD_PARAMETER'],
      ['POST', '/v1/groups', { name: 'x', owner: ben.id }, '400 ERR_BAD_PARAMETER'],
      ['PATCH', path, { name: 'x'.repeat(65) }, '400 ERR_BAD_PARAMETER'],
      ['PUT', `${path}/members/anna`, {}, '400 ERR_BAD_PARAMETER'],
      ['DELETE', `${path}/members/anna`, undefined, '400 ERR_BAD_PARAMETER'],
      ['PUT', `${path}/members/dora`, {}, '404 ERR_USER_NOT_FOUND'],
      ['PUT', `${path}/members/nobody`, {}, '404 ERR_USER_NOT_FOUND'],
      ['PUT', `${path}/members/everyone`, {}, '404 ERR_USER_NOT_FOUND'],
      ['PUT', `${path}/members/${UNKNOWN}`, {}, '404 ERR_USER_NOT_FOUND'],
      ['PUT', `${path}/members/ben`, { role: 'owner' }, '400 ERR_BAD_PARAMETER'],
      ['PUT', `/v1/groups/${UNKNOWN}/members/ben`, {}, '404 ERR_GROUP_NOT_FOUND'],
      ['GET', '/v1/groups/x', undefined, '400 ERR_BAD_ID']
    ]
    for (const [method, at, body, code] of refusals)
      expect(codeOf(await anna.ask(method, at, body)), `${method} ${at} ${JSON.stringify(body)}`).toBe(code)
    // his own role rests on that of ben
    expect(codeOf(await carl.ask('DELETE', `${path}/members/ben`))).toBe('403 ERR_FORBIDDEN')
    const guest = await somebodyIn(http, 'gast', 'guest')
    expect(codeOf(await guest.ask('POST', '/v1/groups', { name: 'x' }))).toBe('403 ERR_FORBIDDEN')
    const { text } = await http.accounts.apiKeys.create(anna.id as never, { scopes: ['read', 'write', 'admin'] })
    const key = new Somebody(http.url, '', text)
    for (const at of ['/v1/groups', path]) expect(codeOf(await key.ask('GET', at))).toBe('403 ERR_FORBIDDEN')
  })

  test('to take out who is not in it writes nothing', async () => {
    const before = http.directory.digest()
    await anna.json('DELETE', `${path}/members/carl`)
    expect(http.directory.digest()).toBe(before)
  })
})

describe('an album that is open to a group', () => {
  let album: string
  let shares: string

  beforeEach(async () => {
    album = await anna.makeAlbum('Meer')
    shares = `/v1/albums/${album}/shares`
  })

  const photo = async (): Promise<string> => {
    const headers = { 'content-type': 'image/jpeg' }
    const made = await anna.send('PUT', `/v1/photos?filename=a.jpg&album=${album}`, headers, tinyJpeg(1))
    return `/photo/${JSON.parse(made.body.toString()).photo_id}`
  }

  test('is open to whoever is in it, as soon and as long as he is', async () => {
    const shared = await anna.share<{ shares: object[] }>(album, `group:${group}`, 'contributor')
    expect(shared.shares).toMatchObject([
      { principal: `group:${group}`, user: null, group: { group_id: group, name: 'Family' }, in_force: true }
    ])
    const at = await photo()
    const seen = async (one: Somebody): Promise<unknown[]> => [
      (await one.ask('GET', at)).status,
      (await one.json<{ total: number }>('GET', '/photos')).total,
      (await one.ask('GET', shares)).status
    ]
    expect(await seen(ben)).toEqual([404, 0, 404])
    await put(anna, 'ben')
    expect(await seen(ben)).toEqual([200, 1, 200])
    expect(await ben.json('GET', shares)).toMatchObject({ role: 'contributor', can: [] })
    await anna.json('DELETE', `${path}/members/ben`)
    expect(await seen(ben)).toEqual([404, 0, 404])
    await put(anna, 'ben')
    await put(anna, 'carl')
    expect([await seen(ben), await seen(carl)]).toEqual([
      [200, 1, 200],
      [200, 1, 200]
    ])
    await carl.json('DELETE', `${path}/members/carl`)
    expect([await seen(ben), await seen(carl)]).toEqual([
      [200, 1, 200],
      [404, 0, 404]
    ])
    await anna.json('DELETE', path)
    expect(await seen(ben)).toEqual([404, 0, 404])
    expect(await anna.json('GET', shares)).toMatchObject({
      shares: [{ principal: `group:${group}`, group: { name: null }, in_force: false }]
    })
    expect(await anna.json('DELETE', `${shares}/group:${group}`)).toMatchObject({ shares: [] })
  })

  test('gives each the greatest of what he has', async () => {
    await put(anna, 'ben')
    await anna.share(album, `group:${group}`, 'viewer')
    await anna.share(album, 'ben', 'contributor')
    expect(await ben.json('GET', shares)).toMatchObject({ role: 'contributor' })
    await anna.share(album, `group:${group}`, 'contributor')
    await anna.share(album, 'ben', 'viewer')
    expect(await ben.json('GET', shares)).toMatchObject({ role: 'contributor' })
    await anna.json('DELETE', `${shares}/group:${group}`)
    expect(await ben.json('GET', shares)).toMatchObject({ role: 'viewer' })
  })

  test('is opened by those only who are in the group, and to no more than add photos', async () => {
    await anna.share(album, 'carl', 'manager')
    const give = async (one: Somebody, id: string, role = 'viewer'): Promise<string> =>
      codeOf(await one.ask('PUT', `${shares}/group:${id}`, { role }))
    expect([await give(carl, group), await give(carl, UNKNOWN)]).toEqual(Array(2).fill('404 ERR_GROUP_NOT_FOUND'))
    expect(await give(anna, group, 'manager')).toBe('400 ERR_BAD_PARAMETER')
    expect(await give(anna, 'x')).toBe('404 ERR_USER_NOT_FOUND')
    await put(anna, 'carl')
    await carl.share(album, `group:${group}`, 'viewer')
    // who gave it is in the group no more, and is a manager of the album still
    await put(anna, 'ben')
    await anna.json('DELETE', `${path}/members/carl`)
    expect(await ben.json('GET', shares)).toMatchObject({ role: 'viewer' })
    await carl.json('DELETE', `${shares}/group:${group}`)
    expect(codeOf(await ben.ask('GET', shares))).toBe('404 ERR_ALBUM_NOT_FOUND')
  })
})
