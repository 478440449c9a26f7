import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Accounts } from '../../src/accounts/accounts.js'
import { ROLES } from '../../src/domain/access.js'
import { API_KEY_SCOPES } from '../../src/domain/api-key.js'
import type { AlbumId, UserId } from '../../src/domain/ids.js'
import type { Principal } from '../../src/domain/principal.js'
import { everyNeed, lackOf, type Needs, rightsOf } from '../../src/domain/rights.js'
import { LINK_ROLES, type LinkRole } from '../../src/domain/share-link.js'
import { type Operation, RequestMaker } from '../support/document-requests.js'
import { codeOf } from '../support/http-answers.js'
import { HttpClient } from '../support/http-client.js'
import { type HttpFixture, OPERATOR_TOKEN, startHttp } from '../support/http-fixture.js'
import { SeededRandom } from '../support/seeded-random.js'
import { somebodyIn } from '../support/somebody.js'

/*
 * Who may do what: the rights that the document says are those of the table below, so that none changes unseen, and every
 * operation refuses whoever lacks one, and nobody else.
 */
interface GuardedOperation extends Operation {
  readonly 'x-sheaf-rights': Needs
  readonly security?: readonly object[]
}

const TABLE = `
delete /photo/{id}: delete
delete /session: nothing
delete /v1/admin/jobs/{id}: jobs
delete /v1/admin/members/{id}: operate
delete /v1/albums/{id}/shares/{principal}: share
delete /v1/albums/{id}: delete
delete /v1/groups/{id}/members/{user}: share
delete /v1/groups/{id}: share
delete /v1/invites/{id}: accounts
delete /v1/keys/{id}: account
delete /v1/links/open: nothing
delete /v1/links/{id}: share
delete /v1/sessions/{id}: account
delete /v1/users/{id}: account
get /: nothing
get /albums: read
get /cache/stats: watch
get /cluster: watch
get /docs: nothing
get /duplicates: read
get /events/recent: read
get /events: read
get /health/live: nothing
get /health/ready: nothing
get /health: nothing
get /metrics: metrics
get /openapi.json: nothing
get /photo/{id}/conflicts: read
get /photo/{id}/meta: read
get /photo/{id}: read
get /photos/timeline/{key}: read
get /photos/timeline: read
get /photos/zip: read download
get /photos: read
get /search: read
get /session: nothing
get /similar/{id}: read
get /stats: read
get /status: watch
get /sync/full-dump: read
get /tags: read
get /trash: read
get /v1/admin/archive: watch
get /v1/admin/jobs/{id}: jobs
get /v1/admin/jobs: watch
get /v1/admin/laid-out: watch
get /v1/albums/{id}/conflicts: read
get /v1/albums/{id}/shares: read
get /v1/albums/{id}: read
get /v1/albums: read
get /v1/groups/{id}: account
get /v1/groups: account
get /v1/invites: accounts
get /v1/keys: account
get /v1/links: share
get /v1/sessions: account
get /v1/tokens/keys: nothing
get /v1/users/{id}: account
get /v1/users: accounts
get /volume/{lv}/stats: watch
get /volumes: watch
head /photo/{id}: read
head /sync/full-dump: read
patch /photo/{id}/meta: edit
patch /v1/albums/{id}: edit
patch /v1/groups/{id}: share
patch /v1/links/{id}: share
patch /v1/users/{id}: account
post /duplicates/distinct: edit
post /duplicates/resolve: edit delete
post /find_similar: read
post /photo/{id}/conflicts/{n}/restore: edit
post /photo/{id}/not_duplicate: edit
post /photo/{id}/undelete: edit
post /session: nothing
post /trash/empty: delete
post /upload: upload
post /v1/admin/archive/restore: operate
post /v1/admin/archive/verify: maintain
post /v1/admin/backup: operate
post /v1/admin/compact: maintain, ?now operate
post /v1/admin/exhume: operate
post /v1/admin/laid-out/release: operate
post /v1/admin/leave: operate
post /v1/admin/log-level: operate
post /v1/admin/rebuild-directory: operate
post /v1/admin/repair: maintain
post /v1/admin/scrub: maintain
post /v1/admin/verify: maintain
post /v1/albums/make-real: edit
post /v1/albums/{id}/conflicts/{n}/restore: edit
post /v1/albums/{id}/photos: edit
post /v1/albums/{id}/undelete: edit
post /v1/albums: edit
post /v1/groups: share
post /v1/invites: accounts
post /v1/keys: account
post /v1/links/open: nothing
post /v1/links: share
post /v1/photos/batch: edit delete
post /v1/photos/exists: read
post /v1/photos/lookup: read
post /v1/photos: upload
post /v1/signup: nothing
post /v1/tokens: nothing
post /v1/users/{id}/adopt: accounts
post /v1/users: accounts
put /v1/albums/{id}/owner: share
put /v1/albums/{id}/parent: edit
put /v1/albums/{id}/shares/{principal}: share
put /v1/groups/{id}/members/{user}: share
put /v1/photos: upload
put /v1/users/{id}/password: account
put /v1/users/{id}/role: accounts
put /v1/users/{id}/state: accounts
`

const NOBODY = '01890000-0000-7000-8000-000000000000'
const REFUSALS = ['ERR_UNAUTHENTICATED', 'ERR_NOT_OPERATOR', 'ERR_FORBIDDEN']
/** What is somebody's own: the operator is nobody. */
const OWN = /^(get|post|delete) \/v1\/(sessions|keys)/
const OPERATOR = { authorization: `Bearer ${OPERATOR_TOKEN}` }

let http: HttpFixture
let operations: readonly (readonly [method: string, template: string, operation: GuardedOperation])[]

beforeAll(async () => {
  http = await startHttp({ timeouts: { bodyStallMs: 500, lingerMs: 50 }, openCluster: true })
  const { paths } = await http.client.json<{ paths: Record<string, Record<string, GuardedOperation>> }>(
    'GET',
    '/openapi.json',
    200
  )
  operations = Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, it]) => [method, template, it] as const)
  )
})

afterAll(() => http.close())

function textOf({ needs, with: more = {} }: Needs): string {
  const flags = Object.entries(more).map(([flag, rights]) => `?${flag} ${rights.join(' ')}`)
  return [needs.join(' ') || 'nothing', ...flags].join(', ')
}

test('what each operation needs', () => {
  const rows = operations.map(([method, template, it]) => `${method} ${template}: ${textOf(it['x-sheaf-rights'])}`)
  expect(`\n${rows.sort().join('\n')}\n`).toBe(TABLE)
})

test('what needs the token of the operator is shown as such to programs that know no rights', () => {
  for (const [method, template, { security, 'x-sheaf-rights': rights }] of operations) {
    const expected = !everyNeed(rights).includes('operate')
      ? undefined
      : [...(rights.needs.includes('operate') ? [] : [{}]), { operator: [] }]
    expect(security, `${method} ${template}`).toEqual(expected)
  }
})

/** Asks for everything there is, as somebody, and holds what is refused against what that one lacks. */
async function askForAll(
  { url }: Pick<HttpFixture, 'url'>,
  headers: Readonly<Record<string, string>>,
  principal: Principal,
  needsAccount: boolean
): Promise<void> {
  const client = new HttpClient(url) // the fixture's own has the token
  const maker = new RequestMaker(new SeededRandom(1), { id: [NOBODY] }, Buffer.from('x'))
  for (const [method, template, operation] of operations) {
    if (template === '/events') continue // it never ends; its needs are held against the table as any other's
    const { 'x-sheaf-rights': rights } = operation
    // what a guest uploads can go into the album of his link only, and this asks for others
    if (principal.kind === 'link' && principal.gives.includes('upload') && rights.needs.includes('upload')) continue
    const bare = {
      ...operation,
      parameters: operation.parameters?.filter(({ in: place, required }) => place === 'path' || required) ?? []
    }
    for (const flag of [undefined, ...Object.keys(rights.with ?? {})]) {
      const { path, options } = maker.good(template, bare, new Set())
      const asked = flag === undefined ? path : `${path}?${flag}=true`
      const answer = await client.request(method.toUpperCase(), asked, {
        ...options,
        headers: { ...options.headers, ...headers }
      })
      const lack = lackOf(rightsOf(principal, needsAccount), rights, flag === undefined ? {} : { [flag]: true })
      const isNobody = principal.kind === 'operator' && OWN.test(`${method} ${template}`)
      if (method === 'head') continue // without a body nobody sees why; GET on the same path is the same handler
      const code = answer.headers['content-type'] === 'application/problem+json' ? codeOf(answer).slice(4) : ''
      const what = `${principal.kind}: ${method} ${asked} answers ${answer.status} ${answer.body}`
      if (lack === undefined && !isNobody) expect(REFUSALS, what).not.toContain(code)
      else expect(code, what).toBe(refusalOf(principal, needsAccount, rights))
    }
  }
}

/** @returns a link of somebody's album; one for a viewer gives no originals */
async function linkOf({ accounts, url }: HttpFixture, role: LinkRole): ReturnType<Accounts['links']['create']> {
  const maker = await somebodyIn({ accounts, url }, `of-a-${role}`)
  const album = (await maker.makeAlbum(role)) as AlbumId
  return accounts.links.create(
    { album, role, download: role !== 'viewer' },
    {
      userId: maker.id as UserId,
      address: '192.0.2.1',
      requireSharer: () => {},
      label: async () => [],
      labelled: async () => []
    }
  )
}

/** @returns the cookie of somebody who has opened a link */
async function opened({ url }: HttpFixture, secret: string): Promise<string> {
  const { headers } = await new HttpClient(url).request('POST', '/v1/links/open', {
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ secret }))
  })
  return headers['set-cookie']?.[0]?.split(';')[0] ?? ''
}

function refusalOf({ kind }: Principal, needsAccount: boolean, { needs }: Needs): string {
  if (kind !== 'anonymous') return 'ERR_FORBIDDEN'
  return needsAccount && !needs.includes('operate') ? 'ERR_UNAUTHENTICATED' : 'ERR_NOT_OPERATOR'
}

describe('whoever asks is refused what he has no right to, and nothing else:', () => {
  test('while there are no accounts', async () => {
    await askForAll(http, {}, { kind: 'anonymous' }, false)
    await askForAll(http, OPERATOR, { kind: 'operator' }, false)
  })

  test('once there are', async () => {
    const closed = await startHttp({ timeouts: { bodyStallMs: 500, lingerMs: 50 } })
    const { accounts, url } = closed
    const at = '192.0.2.1'
    for (const role of [...ROLES].reverse()) {
      const name = `the-${role}`
      const { id: userId } = await accounts.users.create({ name, role, password: 'long enough' }, 'operator', at)
      const { session, token } = await accounts.sessions.login(name, 'long enough', { address: at })
      const principal = { kind: 'user', userId, name, role, via: { session: session.id } } as const
      await askForAll({ url }, { authorization: `Bearer ${token.text}` }, principal, true)
      for (const scope of API_KEY_SCOPES) {
        const { key, text } = await accounts.apiKeys.create(userId, { scopes: [scope] })
        const via = { key: key.id, scopes: [scope] }
        await askForAll({ url }, { authorization: `Bearer ${text}` }, { ...principal, via }, true)
      }
    }
    for (const role of LINK_ROLES) {
      const { link, secret } = await linkOf(closed, role)
      const headers = { cookie: await opened(closed, secret), 'sec-fetch-site': 'same-origin' }
      const gives = role === 'viewer' ? [] : (['download', 'upload'] as const)
      await askForAll({ url }, headers, { kind: 'link', links: [link], gives }, true)
    }
    await askForAll({ url }, {}, { kind: 'anonymous' }, true)
    await askForAll({ url }, OPERATOR, { kind: 'operator' }, true)
    await closed.close()
  })
})
