import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Principal } from '../../src/domain/principal.js'
import { everyNeed, lackOf, type Needs, rightsOf } from '../../src/domain/rights.js'
import { type Operation, RequestMaker } from '../support/document-requests.js'
import { codeOf } from '../support/http-answers.js'
import { HttpClient } from '../support/http-client.js'
import { type HttpFixture, OPERATOR_TOKEN, startHttp } from '../support/http-fixture.js'
import { SeededRandom } from '../support/seeded-random.js'

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
delete /v1/admin/members/{id}: operate
delete /v1/albums/{id}: delete
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
get /metrics: nothing
get /openapi.json: nothing
get /photo/{id}/conflicts: read
get /photo/{id}/meta: read
get /photo/{id}: read
get /photos/timeline/{key}: read
get /photos/timeline: read
get /photos/zip: read
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
get /v1/admin/jobs/{id}: watch
get /v1/admin/jobs: watch
get /v1/admin/laid-out: watch
get /v1/albums/{id}/conflicts: read
get /v1/albums/{id}: read
get /v1/albums: read
get /volume/{lv}/stats: watch
get /volumes: watch
head /photo/{id}: read
head /sync/full-dump: read
patch /photo/{id}/meta: edit
patch /v1/albums/{id}: edit
post /duplicates/distinct: edit
post /duplicates/resolve: edit delete
post /find_similar: read
post /photo/{id}/conflicts/{n}/restore: edit
post /photo/{id}/not_duplicate: edit
post /photo/{id}/undelete: edit
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
post /v1/photos/batch: edit delete
post /v1/photos/exists: read
post /v1/photos/lookup: read
post /v1/photos: upload
put /v1/photos: upload
`

/** Those that need no account. */
type Nameless = Exclude<Principal['kind'], 'user'>

const PRINCIPALS: Readonly<Record<Nameless, Readonly<Record<string, string>>>> = {
  anonymous: {},
  operator: { authorization: `Bearer ${OPERATOR_TOKEN}` }
}
const NOBODY = '01890000-0000-7000-8000-000000000000'

let http: HttpFixture
let operations: readonly (readonly [method: string, template: string, operation: GuardedOperation])[]

beforeAll(async () => {
  http = await startHttp({ timeouts: { bodyStallMs: 500, lingerMs: 50 } })
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

test.each(Object.keys(PRINCIPALS) as Nameless[])(
  '%s is refused what it has no right to, and nothing else',
  async kind => {
    const client = new HttpClient(http.url) // the fixture's own has the token
    const maker = new RequestMaker(new SeededRandom(1), { id: [NOBODY] }, Buffer.from('x'))
    for (const [method, template, operation] of operations) {
      if (template === '/events') continue // it never ends; its head is held against the table as any other
      const { 'x-sheaf-rights': rights } = operation
      for (const flag of [undefined, ...Object.keys(rights.with ?? {})]) {
        const { path, options } = maker.good(
          template,
          { ...operation, parameters: operation.parameters?.filter(isInPath) ?? [] },
          new Set()
        )
        const [bare = ''] = path.split('?')
        const asked = flag === undefined ? bare : `${bare}?${flag}=true`
        const headers = { ...options.headers, ...PRINCIPALS[kind] }
        const answer = await client.request(method.toUpperCase(), asked, { ...options, headers })
        const lack = lackOf(rightsOf({ kind }), rights, flag === undefined ? {} : { [flag]: true })
        const what = `${kind}: ${method} ${asked}`
        if (lack === undefined) expect([401, 403], `${what} ${answer.body}`).not.toContain(answer.status)
        else expect(codeOf(answer), what).toBe('401 ERR_NOT_OPERATOR')
      }
    }
  }
)

function isInPath({ in: place }: { readonly in: string }): boolean {
  return place === 'path'
}
