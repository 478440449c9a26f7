import { beforeEach, expect, test } from 'vitest'
import { type Api, ApiError } from '../src/api/client.js'
import { formatRoute, parseRoute, type Route, secretIn } from '../src/router.js'
import { closeLinks, openLink, readLinked } from '../src/state/guest.js'

const ID = '01890000-0000-7000-8000-000000000001'
const LIST = '01890000-0000-7000-8000-000000000002'
const SECRET = 'aB-_'.repeat(8)
const ALBUM = { album_id: ID, title: 'Meer', count: 2 }

let said: string[]
let opened: object | ApiError
let isGuest: boolean
let shown: Route | undefined
let secret: { value: string | undefined }

beforeEach(() => {
  said = []
  opened = { link_id: LIST, album: ALBUM, list: ID, can: [], metadata: true, expires_at: null }
  isGuest = true
  shown = undefined
  secret = { value: SECRET }
})

type Opener = Parameters<typeof openLink>[0] & Parameters<typeof closeLinks>[0]

function app(): Opener {
  return {
    api: {
      post: async (path: string, body: object) => {
        said.push(`POST ${path} ${JSON.stringify(body)}`)
        if (opened instanceof ApiError) throw opened
        return opened
      },
      delete: async (path: string) => said.push(`DELETE ${path}`)
    },
    session: { reload: async () => said.push('who am I'), isGuest: { peek: () => isGuest } },
    secret,
    readAnew: () => said.push('read anew'),
    replace: (route: Route) => {
      shown = route
    },
    startAnew: () => said.push('start anew')
  } as unknown as Opener
}

test('a link that is opened is asked for once more who that is, and what is there', async () => {
  await openLink(app(), SECRET, undefined)
  expect(said).toEqual([`POST /v1/links/open ${JSON.stringify({ secret: SECRET })}`, 'who am I', 'read anew'])
  expect([shown, secret.value]).toEqual([{ page: 'link', id: ID }, undefined])
})

test('a password goes with it', async () => {
  await openLink(app(), SECRET, 'horse')
  expect(said[0]).toContain('"password":"horse"')
})

test('whoever is logged in is led to the album, or to what no page of his own lists', async () => {
  isGuest = false
  await openLink(app(), SECRET, undefined)
  expect(shown).toEqual({ page: 'album', id: ID })
  opened = { ...opened, metadata: false }
  await openLink(app(), SECRET, undefined)
  expect(shown).toEqual({ page: 'link', id: ID })
  opened = { ...opened, metadata: true, album: null, list: LIST }
  await openLink(app(), SECRET, undefined)
  expect(shown).toEqual({ page: 'link', id: LIST })
})

test('a link that does not open stays to be opened', async () => {
  opened = new ApiError('ERR_LINK_PASSWORD', 401, '')
  await expect(openLink(app(), SECRET, undefined)).rejects.toThrow(ApiError)
  expect([shown, secret.value, said.length]).toEqual([undefined, SECRET, 1])
})

test('what is closed is gone from the page', async () => {
  await closeLinks(app())
  expect(said).toEqual(['DELETE /v1/links/open', 'start anew'])
  expect(shown).toEqual({ page: 'link', id: '' })
})

test('where it is not told when photos were taken, they are listed by when they were added', async () => {
  const totals: Record<string, number> = { taken: 2, added: 2 }
  const api = {
    get: async (path: string, { query }: { query?: Record<string, string> } = {}) =>
      path === '/v1/albums' ? { albums: [] } : { total: query?.album === ID ? totals[query.sort ?? ''] : undefined }
  } as unknown as Pick<Api, 'get'>
  const { signal } = new AbortController()
  expect((await readLinked(api, { album: ID }, signal)).order).toEqual({})
  totals.taken = 0
  expect((await readLinked(api, { album: ID }, signal)).order).toEqual({ sort: 'added' })
})

test('the secret of a link is known as one, and is in no address that the page makes', () => {
  expect(secretIn(`#/s/${SECRET}`)).toBe(SECRET)
  for (const hash of ['', '#/s/', `#/s/${ID}`, `#/s/${SECRET}x`, `#/s/${SECRET.slice(1)}`, `#/photo/${SECRET}`])
    expect(secretIn(hash), hash).toBeUndefined()
  expect(formatRoute(parseRoute(`#/s/${SECRET}`))).toBe('#/s/')
  expect(parseRoute(formatRoute({ page: 'link', id: ID }))).toEqual({ page: 'link', id: ID })
})
