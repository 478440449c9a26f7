import { readFileSync } from 'node:fs'
import { fastify } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Job } from '../../src/admin/jobs.js'
import type { ClusterMember } from '../../src/cluster/cluster-status.js'
import { SheafError } from '../../src/core/errors.js'
import { modelIdOf } from '../../src/domain/features.js'
import { linkChange, phashChange } from '../../src/domain/findings.js'
import type { NodeId, PhotoId } from '../../src/domain/ids.js'
import type { Answer } from '../support/http-client.js'
import { type HttpFixture, OPERATOR_TOKEN, startHttp } from '../support/http-fixture.js'
import { vectorImage } from '../support/vector-analyzer.js'

/*
 * The document is complete (every route, every parameter) and true: real answers, good and bad ones, are what their
 * schemas say, without a member more.
 */
interface Operation {
  readonly summary?: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: object }
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { schema: object }> }
  >
}

let http: HttpFixture
let document: { openapi: string; components: { schemas: object }; paths: Record<string, Record<string, Operation>> }
const seen = new Set<string>()

beforeAll(async () => {
  http = await startHttp({
    signup: 'invite',
    archiving: {
      status: () => ({
        state: 'failing',
        error: { code: 'ERR_ARCHIVE_FULL', message: 'full' },
        isSealed: false,
        volumes: 3,
        archivedVolumes: 2,
        behindBytes: 1,
        behindMs: 1_500,
        seenAtMs: undefined
      }),
      verify: archiveJob,
      restore: archiveJob
    },
    backup: { start: archiveJob },
    batches: { atOnceMax: 1, piece: 1 },
    cluster: {
      members: async () => [SHOWN_MEMBER],
      recordFormat: () => 2,
      remove: async id => {
        if (id !== 'gone') throw new SheafError('ERR_NO_SUCH_MEMBER')
      }
    }
  })
  document = await http.client.json('GET', '/openapi.json', 200)
})

afterAll(() => http.close())

const SHOWN_MEMBER: ClusterMember = {
  id: '12D3KooWOther' as NodeId,
  name: 'other',
  addresses: [],
  self: false,
  state: 'alive',
  lastSeenAtMs: 1,
  joinedAtMs: 2,
  lagBytes: 3,
  disk: undefined,
  version: '1',
  clockSkewMs: 0,
  purgedToMs: undefined,
  http: ['http://10.0.0.7:8000'],
  startedAtMs: 5,
  photos: 6,
  directoryDigest: 'ab',
  bytesPerS: 7,
  etaS: 8
}

function archiveJob(): Job {
  return {
    id: '0123456789abcdef',
    kind: 'archive-verify',
    owner: undefined,
    state: 'queued',
    progress: undefined,
    createdAtMs: 0,
    isStoppable: false,
    finishedAtMs: undefined,
    result: undefined,
    error: undefined
  }
}

const OPERATIONS = [
  'delete /photo/{id}',
  'delete /session',
  'delete /v1/admin/jobs/{id}',
  'delete /v1/admin/members/{id}',
  'delete /v1/albums/{id}',
  'delete /v1/albums/{id}/shares/{principal}',
  'delete /v1/groups/{id}',
  'delete /v1/groups/{id}/members/{user}',
  'delete /v1/invites/{id}',
  'delete /v1/keys/{id}',
  'delete /v1/links/open',
  'delete /v1/links/{id}',
  'delete /v1/sessions/{id}',
  'delete /v1/users/{id}',
  'get /',
  'get /albums',
  'get /cache/stats',
  'get /cluster',
  'get /docs',
  'get /duplicates',
  'get /events',
  'get /events/recent',
  'get /health',
  'get /health/live',
  'get /health/ready',
  'get /metrics',
  'get /openapi.json',
  'get /photo/{id}',
  'get /photo/{id}/conflicts',
  'get /photo/{id}/meta',
  'get /photos',
  'get /photos/timeline',
  'get /photos/timeline/{key}',
  'get /photos/zip',
  'get /search',
  'get /session',
  'get /similar/{id}',
  'get /stats',
  'get /status',
  'get /sync/full-dump',
  'get /tags',
  'get /trash',
  'get /v1/admin/archive',
  'get /v1/admin/jobs',
  'get /v1/admin/jobs/{id}',
  'get /v1/admin/laid-out',
  'get /v1/albums',
  'get /v1/albums/{id}',
  'get /v1/albums/{id}/conflicts',
  'get /v1/albums/{id}/shares',
  'get /v1/groups',
  'get /v1/groups/{id}',
  'get /v1/invites',
  'get /v1/keys',
  'get /v1/links',
  'get /v1/sessions',
  'get /v1/tokens/keys',
  'get /v1/users',
  'get /v1/users/{id}',
  'get /volume/{lv}/stats',
  'get /volumes',
  'head /photo/{id}',
  'head /sync/full-dump',
  'patch /photo/{id}/meta',
  'patch /v1/albums/{id}',
  'patch /v1/groups/{id}',
  'patch /v1/links/{id}',
  'patch /v1/users/{id}',
  'post /duplicates/distinct',
  'post /duplicates/resolve',
  'post /find_similar',
  'post /photo/{id}/conflicts/{n}/restore',
  'post /photo/{id}/not_duplicate',
  'post /photo/{id}/undelete',
  'post /session',
  'post /trash/empty',
  'post /upload',
  'post /v1/admin/archive/restore',
  'post /v1/admin/archive/verify',
  'post /v1/admin/backup',
  'post /v1/admin/compact',
  'post /v1/admin/exhume',
  'post /v1/admin/laid-out/release',
  'post /v1/admin/leave',
  'post /v1/admin/log-level',
  'post /v1/admin/rebuild-directory',
  'post /v1/admin/repair',
  'post /v1/admin/scrub',
  'post /v1/admin/verify',
  'post /v1/albums',
  'post /v1/albums/make-real',
  'post /v1/albums/{id}/conflicts/{n}/restore',
  'post /v1/albums/{id}/photos',
  'post /v1/albums/{id}/undelete',
  'post /v1/groups',
  'post /v1/invites',
  'post /v1/keys',
  'post /v1/links',
  'post /v1/links/open',
  'post /v1/photos',
  'post /v1/photos/batch',
  'post /v1/photos/exists',
  'post /v1/photos/lookup',
  'post /v1/signup',
  'post /v1/tokens',
  'post /v1/users',
  'post /v1/users/{id}/adopt',
  'put /v1/albums/{id}/owner',
  'put /v1/albums/{id}/parent',
  'put /v1/albums/{id}/shares/{principal}',
  'put /v1/groups/{id}/members/{user}',
  'put /v1/photos',
  'put /v1/users/{id}/password',
  'put /v1/users/{id}/role',
  'put /v1/users/{id}/state'
]

test('every operation is there, and says what it does and takes', () => {
  expect(document.openapi).toMatch(/^3\.1\./)
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method} ${path}`)
  )
  expect(operations.sort()).toEqual(OPERATIONS)
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const operation of Object.values(methods)) {
      expect(operation.summary, path).toBeTruthy()
      const inPath = operation.parameters
        ?.filter(parameter => parameter.in === 'path')
        .map(parameter => `{${parameter.name}}`)
      expect(inPath ?? [], path).toEqual(path.match(/\{\w+\}/g) ?? [])
    }
  }
  const names = (path: string, method: string): string[] =>
    document.paths[path]![method]!.parameters!.map(parameter => `${parameter.in} ${parameter.name}`)
  expect(names('/photos', 'get').sort()).toEqual(
    [
      ...[
        'cursor',
        'limit',
        'q',
        'tag',
        'album',
        'type',
        'state',
        'sha256',
        'kind',
        'place',
        'camera',
        'rating_min',
        'owner'
      ],
      ...['favourite', 'archived', 'trait', 'sort', 'from', 'to', 'count']
    ]
      .map(name => `query ${name}`)
      .sort()
  )
  expect(Object.keys(document.paths['/upload']!.post!.requestBody!.content)).toEqual(['multipart/form-data'])
})

test('what several operations answer is told once, by its name', () => {
  const { schemas } = document.components
  expect(Object.keys(schemas)).toEqual(expect.arrayContaining(['Photo', 'PhotoDetails', 'Album', 'Job', 'Problem']))
  const text = JSON.stringify(document)
  const used = new Set(Array.from(text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g), ([, name = '']) => name))
  expect([...used].sort()).toEqual(Object.keys(schemas).sort())
  expect(text.match(/"\$ref"/g)).toHaveLength(text.match(/"\$ref":"#\/components\/schemas\//g)?.length ?? 0)
  expect(document.paths['/photos']?.get?.responses[200]?.content?.['application/json']?.schema).toMatchObject({
    properties: { photos: { items: { $ref: '#/components/schemas/Photo' } } }
  })
  const operations = Object.values(document.paths).flatMap(path => Object.keys(path)).length
  expect(text.length / operations).toBeLessThan(4_700) // most of it is which problems it may answer
})

test('docs/http.md names every operation, and none that is not there', () => {
  const text = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8')
  const named = [...text.matchAll(/\b(GET|HEAD|PUT|POST|PATCH|DELETE) (\/[^`?\s]*)/g)]
  const operations = new Set(named.map(([, method = '', path = '']) => `${method.toLowerCase()} ${path}`))
  expect([...operations].filter(operation => !OPERATIONS.includes(operation))).toEqual([])
  expect(OPERATIONS.filter(operation => !operations.has(operation) && operation !== 'head /sync/full-dump')).toEqual([])
})

/** Holds an answer against the schema of its operation and status. */
async function expectTrue(method: string, path: string, template: string, answer: Answer): Promise<void> {
  const operation = document.paths[template]?.[method.toLowerCase()]
  const response = operation?.responses[answer.status]
  expect(response, `${method} ${path} answers ${answer.status} ${answer.body.toString().slice(0, 200)}`).toBeDefined()
  const [type = ''] = (answer.headers['content-type'] ?? '').split(';')
  const schema = response?.content?.[type]?.schema
  expect(schema, `${method} ${path} ${answer.status} has a schema for ${type}`).toBeDefined()
  // what is named is referred to as of the document
  const validate = compile({ ...schema, components: document.components })
  for (const line of type === 'application/x-ndjson'
    ? answer.body.toString().trim().split('\n')
    : [answer.body.toString()]) {
    validate(type === 'text/plain' || type === 'application/zip' ? line : JSON.parse(line))
    expect(validate.errors ?? [], `${method} ${path} ${answer.status}: ${line.slice(0, 300)}`).toEqual([])
  }
  seen.add(`${method.toLowerCase()} ${template} ${answer.status}`)
}

interface Validate {
  (data: unknown): unknown
  errors?: unknown[] | null
}

/** The validator that Fastify brings along. */
function compile(schema: object): Validate {
  return compiler.validatorCompiler!({ schema, method: 'GET', url: '/' }) as Validate
}

const compiler = fastify({ ajv: { customOptions: { removeAdditional: false, coerceTypes: false, strict: false } } })
compiler.get('/', { schema: { querystring: { type: 'object' } } }, async () => '')
beforeAll(() => compiler.ready())

async function ask(
  method: string,
  template: string,
  values: Record<string, string> = {},
  query = '',
  body?: object
): Promise<Answer> {
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '') + query
  const options = body && { body: Buffer.from(JSON.stringify(body)), headers: { 'content-type': 'application/json' } }
  const answer = await http.client.request(method, path, options)
  await expectTrue(method, path, template, answer)
  return answer
}

/** @param id - of a photo */
async function askForSimilar(id: string): Promise<void> {
  const model = modelIdOf(http.analyzer.digest)
  await ask('GET', '/similar/{id}', { id })
  await http.similarity.models.use({ id: model, name: 'test', spaces: new Map([['image', 2]]) })
  const twins = [
    await http.client.putPhoto(vectorImage([3, 4]), 'a'),
    await http.client.putPhoto(vectorImage([3, 4]), 'b')
  ]
  const [a = '', b = ''] = twins.map(({ photo_id }) => photo_id)
  await http.see(a, [3, 4])
  const look = phashChange(new Uint8Array(8).fill(0xf0))
  await http.writer.edit(b as PhotoId, () => ({ changes: [look] }))
  await http.writer.edit(a as PhotoId, () => ({
    changes: [look, linkChange(b as PhotoId, { tier: 'near', score: 1 })]
  }))
  await expect.poll(() => http.similarity.status().vectors).toBe(1)
  await ask('GET', '/photo/{id}/meta', { id: a })
  http.analyzer.texts.set('rose', Float32Array.of(1, 0))
  await ask('GET', '/search', {}, '?q=rose&k=3&min_score=-1')
  await ask('GET', '/search', {}, '?q=')
  await ask('GET', '/similar/{id}', { id: a })
  await ask('GET', '/duplicates')
  await ask('GET', '/status')
  const picture = { name: 'file', filename: 'a', value: vectorImage([4, 3]) }
  const found = await http.client.form('/find_similar', [picture])
  expect(JSON.parse(found.body.toString()).similar_photo_ids).toEqual([a])
  await expectTrue('POST', '/find_similar', '/find_similar', found)
  await expectTrue('POST', '/find_similar', '/find_similar', await http.client.form('/find_similar', []))
  await ask('POST', '/photo/{id}/not_duplicate', { id: a }, '', { photo_id: b })
  await ask('POST', '/photo/{id}/not_duplicate', { id: a }, '', {})
  await ask('POST', '/duplicates/distinct', {}, '', { ids: [a, b, '01890000-0000-7000-8000-000000000000'] })
  await ask('POST', '/duplicates/distinct', {}, '', { ids: [] })
  await ask('POST', '/duplicates/resolve', {}, '', { keep: a, remove: [b, b] })
  await ask('POST', '/duplicates/resolve', {}, '', { keep: b, remove: [a] })
  await ask('POST', '/duplicates/resolve', {}, '', { keep: a, remove: [a] })
}

/** @param id - of a photo */
async function askForAlbums(id: string): Promise<void> {
  const made = await ask('POST', '/v1/albums', {}, '', { title: 'Meer', caption: 'x', cover: id })
  const { album_id: album } = JSON.parse(made.body.toString())
  await ask('POST', '/v1/albums', {}, '', { title: id })
  await ask('POST', '/v1/albums/{id}/photos', { id: album }, '', { add: [id, album] })
  await http.client.json('PATCH', `/photo/${id}/meta`, 200, {
    body: Buffer.from('{"albums":{"add":["label"]}}'),
    headers: { 'content-type': 'application/json' }
  })
  const inner = await ask('POST', '/v1/albums', {}, '', { title: 'Strand', parent: album })
  const within = JSON.parse(inner.body.toString()).album_id as string
  await ask('PUT', '/v1/albums/{id}/parent', { id: album }, '', { parent: within })
  await ask('PUT', '/v1/albums/{id}/parent', { id: album }, '', { parent: 'x' })
  await ask('PUT', '/v1/albums/{id}/parent', { id: within }, '', { parent: id })
  await ask('GET', '/v1/albums', {}, `?parent=${album}`)
  await ask('GET', '/v1/albums', {}, '?parent=x')
  await ask('PUT', '/v1/albums/{id}/parent', { id: within }, '', { parent: null, inherits: false })
  await ask('GET', '/v1/albums')
  await ask('GET', '/albums', {}, '?prefix=m&limit=1')
  await ask('POST', '/v1/albums/make-real', {}, '', { name: 'label' })
  await ask('POST', '/v1/albums/make-real', {}, '', { name: 'unknown' })
  await ask('PATCH', '/v1/albums/{id}', { id: album }, '', { title: 'See', caption: null })
  await ask('GET', '/v1/albums/{id}', { id: album })
  await ask('GET', '/photo/{id}/meta', { id })
  await ask('GET', '/v1/albums/{id}/conflicts', { id: album })
  await ask('GET', '/v1/albums/{id}/conflicts', { id })
  await ask('POST', '/v1/albums/{id}/conflicts/{n}/restore', { id: album, n: '1' })
  await ask('DELETE', '/v1/albums/{id}', { id: album })
  await ask('GET', '/v1/albums/{id}/conflicts', { id: album })
  await ask('POST', '/v1/albums/{id}/undelete', { id: album })
  await ask('POST', '/v1/albums/{id}/undelete', { id })
  await ask('DELETE', '/v1/albums/{id}', { id: album })
  for (const method of ['GET', 'PATCH']) {
    const body = method === 'GET' ? undefined : { title: 'x' }
    await ask(method, '/v1/albums/{id}', { id: album }, '', body)
    await ask(method, '/v1/albums/{id}', { id }, '', body)
  }
}

/** @param id - of a photo that is deleted */
async function askForLaidOut(id: string): Promise<void> {
  const { photo_id: living } = await http.client.putPhoto(Buffer.from('lives'), 'a')
  await http.bury('12D3KooWOther', id, living)
  await ask('GET', '/v1/admin/laid-out')
  await ask('GET', '/v1/admin/laid-out', {}, '?limit=1&by=12D3KooWOther&since=2026-01-01T00:00:00Z')
  await ask('GET', '/v1/admin/laid-out', {}, '?since=yesterday')
  await ask('GET', '/cluster')
  await ask('POST', '/v1/admin/exhume', {}, '', { ids: [living, living] })
  await ask('POST', '/v1/admin/exhume', {}, '', { ids: [] })
  await ask('POST', '/v1/admin/laid-out/release', {}, '', { by: '12D3KooWOther' })
  await ask('POST', '/v1/admin/laid-out/release', {}, '', { all: true })
  await ask('POST', '/v1/admin/compact', {}, '?now=true')
}

/** From the first account on, requests need one: these come last. */
async function askForAccounts(): Promise<void> {
  const { client } = http
  const admin = { name: 'anna', password: 'correct horse', role: 'admin', mail: 'anna@example.org', display: 'Anna' }
  const as = async (
    authorization: string,
    method: string,
    template: string,
    id = '',
    body?: object
  ): Promise<Answer> => {
    const path = template.replace('{id}', id).replace('{principal}', 'everyone').replace('{user}', 'ben')
    const headers = { authorization, ...(body && { 'content-type': 'application/json' }) }
    const answer = await client.request(method, path, {
      headers,
      ...(body && { body: Buffer.from(JSON.stringify(body)) })
    })
    await expectTrue(method, path, template, answer)
    return answer
  }
  const operator = `Bearer ${OPERATOR_TOKEN}`
  await ask('POST', '/session', {}, '', { name: 'anna', password: 'wrong' })
  await ask('GET', '/v1/tokens/keys')
  const made = JSON.parse((await as(operator, 'POST', '/v1/users', '', admin)).body.toString())
  await as(operator, 'POST', '/v1/users', '', admin)
  await as(operator, 'POST', '/v1/users', '', { name: '~' })
  await ask('GET', '/v1/tokens/keys')
  await ask('GET', '/photos')
  await ask('POST', '/session', {}, '', { name: 'anna', password: 'wrong' })
  const login = await client.request('POST', '/session', {
    body: Buffer.from(JSON.stringify({ name: 'Anna', password: admin.password })),
    headers: { 'content-type': 'application/json' }
  })
  await expectTrue('POST', '/session', '/session', login)
  const tokens = JSON.parse(
    (await ask('POST', '/v1/tokens', {}, '', { name: 'anna', password: admin.password })).body.toString()
  )
  await ask('POST', '/v1/tokens', {}, '', { refresh_token: tokens.refresh_token })
  await ask('POST', '/v1/tokens', {}, '', { refresh_token: 'x' })
  await ask('POST', '/v1/tokens', {}, '', {})
  const anna = `Bearer ${tokens.access_token}`
  await as(anna, 'GET', '/session')
  await as(anna, 'GET', '/v1/sessions')
  await as(operator, 'GET', '/v1/sessions')
  const key = JSON.parse((await as(anna, 'POST', '/v1/keys', '', { scopes: ['read'], label: 'x' })).body.toString())
  await as(anna, 'POST', '/v1/keys', '', { scopes: [] })
  await as(anna, 'GET', '/v1/keys')
  await as(`Bearer ${key.secret}`, 'GET', '/v1/keys')
  await as(anna, 'DELETE', '/v1/keys/{id}', key.key.key_id)
  await as(anna, 'DELETE', '/v1/keys/{id}', made.user_id)
  const invite = JSON.parse((await as(anna, 'POST', '/v1/invites', '', { role: 'guest' })).body.toString())
  await as(anna, 'POST', '/v1/invites', '', { expires_at: '2020-01-01T00:00:00Z' })
  await as(anna, 'GET', '/v1/invites')
  const cleo = { name: 'cleo', password: 'correct horse', display: 'Cleo' }
  await ask('POST', '/v1/signup', {}, '', cleo)
  await ask('POST', '/v1/signup', {}, '', { ...cleo, invite: invite.secret })
  await ask('POST', '/v1/signup', {}, '', { ...cleo, invite: invite.secret })
  await as(anna, 'DELETE', '/v1/invites/{id}', invite.invite.invite_id)
  await as(anna, 'DELETE', '/v1/invites/{id}', made.user_id)
  await as(anna, 'GET', '/v1/users')
  await as(anna, 'GET', '/v1/users/{id}', made.user_id)
  await as(anna, 'GET', '/v1/users/{id}', key.key.key_id)
  await as(anna, 'PATCH', '/v1/users/{id}', made.user_id, { display: null, quota: { bytes: 0, photos: null } })
  await as(anna, 'PUT', '/v1/users/{id}/role', made.user_id, { role: 'user' })
  await as(anna, 'PUT', '/v1/users/{id}/state', made.user_id, { state: 'disabled' })
  const ben = JSON.parse((await as(anna, 'POST', '/v1/users', '', { name: 'ben' })).body.toString())
  const album = JSON.parse((await as(anna, 'POST', '/v1/albums', '', { title: 'Meer' })).body.toString()).album_id
  const share = '/v1/albums/{id}/shares/{principal}'
  await as(anna, 'PUT', share, album, { role: 'contributor', expires_at: '2099-01-01T00:00:00Z' })
  await as(anna, 'PUT', share, album, { role: 'manager' })
  await as(anna, 'PUT', share, ben.user_id, { role: 'viewer' })
  await as(operator, 'PUT', share, album, { role: 'viewer' })
  await as(anna, 'GET', '/v1/albums/{id}/shares', album)
  await as(anna, 'DELETE', share, album)
  const link = JSON.parse((await as(anna, 'POST', '/v1/links', '', { album, label: 'x' })).body.toString())
  await as(anna, 'POST', '/v1/links', '', { album, expires_at: '2020-01-01T00:00:00Z' })
  await as(anna, 'POST', '/v1/links', '', {})
  await as(anna, 'GET', '/v1/links')
  await as(anna, 'PATCH', '/v1/links/{id}', link.link.link_id, { password: 'correct horse', expires_at: null })
  await as(anna, 'PATCH', '/v1/links/{id}', album, { download: false })
  await ask('POST', '/v1/links/open', {}, '', { secret: link.secret })
  await ask('POST', '/v1/links/open', {}, '', { secret: link.secret, password: 'correct horse' })
  await ask('POST', '/v1/links/open', {}, '', { secret: 'x' })
  await ask('DELETE', '/v1/links/open')
  await as(anna, 'DELETE', '/v1/links/{id}', link.link.link_id)
  await as(anna, 'DELETE', '/v1/links/{id}', album)
  await as(anna, 'PUT', '/v1/albums/{id}/owner', album, { user: 'nobody' })
  await as(anna, 'POST', '/v1/groups', '', { name: ' ' })
  const group = JSON.parse((await as(anna, 'POST', '/v1/groups', '', { name: 'Family' })).body.toString()).group_id
  const member = '/v1/groups/{id}/members/{user}'
  await as(anna, 'PUT', member, group, {})
  await as(anna, 'PUT', member, album, {})
  await as(operator, 'PUT', member, group, {})
  await as(anna, 'GET', '/v1/groups')
  await as(anna, 'GET', '/v1/groups/{id}', group)
  await as(anna, 'GET', '/v1/groups/{id}', album)
  await as(operator, 'GET', '/v1/groups')
  await as(operator, 'GET', '/v1/groups/{id}', group)
  await as(anna, 'PATCH', '/v1/groups/{id}', group, { name: 'Everybody' })
  const toGroup = `/v1/albums/${album}/shares/group:${group}`
  const headers = { authorization: anna, 'content-type': 'application/json' }
  const given = await client.request('PUT', toGroup, { headers, body: Buffer.from('{"role":"viewer"}') })
  await expectTrue('PUT', toGroup, share, given)
  await as(anna, 'DELETE', member, group)
  await as(anna, 'DELETE', '/v1/groups/{id}', group)
  await as(anna, 'DELETE', '/v1/groups/{id}', group)
  await as(anna, 'GET', '/v1/albums/{id}/shares', album)
  await as(anna, 'PUT', '/v1/albums/{id}/owner', album, { user: 'ben' })
  await as(anna, 'DELETE', share, album)
  await as(anna, 'PUT', '/v1/users/{id}/role', ben.user_id, { role: 'guest' })
  await as(anna, 'PUT', '/v1/users/{id}/state', ben.user_id, { state: 'disabled' })
  await as(operator, 'POST', '/v1/users/{id}/adopt', made.user_id, {})
  await as(operator, 'POST', '/v1/users/{id}/adopt', album, { album })
  await as(anna, 'DELETE', '/v1/sessions/{id}', 'others')
  await as(anna, 'DELETE', '/v1/sessions/{id}', made.user_id)
  await as(operator, 'PUT', '/v1/users/{id}/password', made.user_id, { new: 'another horse' })
  await as(operator, 'DELETE', '/v1/users/{id}', ben.user_id, { photos: `to:${made.user_id}` })
  await as(anna, 'GET', '/photos')
}

test('answers are what the document says', async () => {
  const file = { name: 'file', filename: 'a.png', contentType: 'image/png', value: 'bytes' }
  const uploaded = await http.client.form('/upload', [{ name: 'tag', value: 'x' }, file])
  await expectTrue('POST', '/upload', '/upload', uploaded)
  const { photo_id: id } = JSON.parse(uploaded.body.toString())
  await expectTrue(
    'POST',
    '/upload',
    '/upload',
    await http.client.form('/upload', [{ name: 'alt_key', value: 'thumb' }, { name: 'photo_id', value: id }, file])
  )
  await expectTrue('POST', '/v1/photos', '/v1/photos', await http.client.form('/v1/photos', [file]))
  await expectTrue('POST', '/v1/photos', '/v1/photos', await http.client.form('/v1/photos', []))
  await expectTrue('PUT', '/v1/photos', '/v1/photos', await http.client.put(Buffer.from('x'), { filename: 'x' }))
  await expectTrue('PUT', '/v1/photos', '/v1/photos', await http.client.put(Buffer.from(''), { filename: 'x' }))
  const patch = {
    name: 'b',
    caption: 'c',
    rating: 1,
    favourite: true,
    tags: { add: ['y'] },
    albums: { add: ['z'] },
    attributes: { k: 'v' }
  }
  await ask('PATCH', '/photo/{id}/meta', { id }, '', patch)
  await ask('PATCH', '/photo/{id}/meta', { id }, '', { nope: 1 })
  await ask('GET', '/photo/{id}/meta', { id })
  await ask('GET', '/photo/{id}/conflicts', { id })
  await ask('POST', '/photo/{id}/conflicts/{n}/restore', { id, n: '1' })
  await ask('GET', '/photos')
  await ask('GET', '/photos', {}, '?limit=1')
  await ask('GET', '/photos', {}, '?limit=0')
  await ask('GET', '/photos', {}, '?sort=taken&from=2024&to=2024-06-30&kind=image&rating_min=0&camera=x')
  for (const query of ['', '?sort=added', '?q=%25', '?sort=name']) {
    await ask('GET', '/photos/timeline', {}, query)
    await ask('GET', '/photos/timeline/{key}', { key: new Date().toISOString().slice(0, 7) }, query)
  }
  await ask('POST', '/v1/photos/batch', {}, '', { undelete: [id] })
  await ask('GET', '/photos/timeline/{key}', { key: '2024-13' })
  for (const path of ['/tags', '/albums']) {
    await ask('GET', path)
    await ask('GET', path, {}, '?prefix=x&after=y&limit=1')
    await ask('GET', path, {}, '?limit=0')
  }
  await ask('POST', '/v1/photos/exists', {}, '', { sha256: ['00'.repeat(32)] })
  await ask('POST', '/v1/photos/exists', {}, '', { sha256: [] })
  await ask('POST', '/v1/photos/lookup', {}, '', { ids: [id] })
  await ask('POST', '/v1/photos/lookup', {}, '', { ids: ['x'] })
  await ask('GET', '/sync/full-dump')
  await ask('GET', '/photo/{id}', { id: 'x' })
  await ask('POST', '/v1/photos/batch', {}, '', {
    ids: [id, '01890000-0000-7000-8000-000000000000'],
    tags: { add: ['q'] }
  })
  const select = { tag: 'q' }
  await ask('POST', '/v1/photos/batch', {}, '', { select, total: 1, rating: 2 })
  await ask('POST', '/v1/photos/batch', {}, '', { select, total: 2, rating: 2 })
  await ask('POST', '/v1/photos/batch', {}, '', { select: { job: 'x' }, total: 2, act: 'undelete' })
  await askForAlbums(id)
  await askForSimilar(id)
  await ask('POST', '/v1/photos/batch', {}, '', { delete: [id] })
  await ask('GET', '/photo/{id}', { id })
  await ask('GET', '/trash')
  await ask('GET', '/trash', {}, '?limit=0')
  await ask('GET', '/trash', {}, '?emptied=true')
  await ask('POST', '/trash/empty', {}, '', { ids: [id] })
  await ask('POST', '/trash/empty', {}, '', {})
  await ask('POST', '/trash/empty', {}, '', { ids: 1 })
  await ask('GET', '/stats')
  await ask('GET', '/photos/zip', {}, '?q=nothing')
  await ask('GET', '/photos/zip', {}, '?id=x')
  await ask('POST', '/photo/{id}/undelete', { id })
  await ask('DELETE', '/photo/{id}', { id })
  await ask('DELETE', '/photo/{id}', { id }, '?partners=true')
  await ask('DELETE', '/photo/{id}', { id: 'x' })
  for (const path of [
    '/health',
    '/health/live',
    '/health/ready',
    '/cache/stats',
    '/status',
    '/cluster',
    '/session',
    '/events/recent',
    '/volumes',
    '/metrics',
    '/openapi.json'
  ])
    await ask('GET', path)
  await askForLaidOut(id)
  await ask('GET', '/volume/{lv}/stats', { lv: http.store.volume })
  await ask('GET', '/volume/{lv}/stats', { lv: 'x' })
  await ask('DELETE', '/v1/admin/members/{id}', { id: 'gone' })
  await ask('DELETE', '/v1/admin/members/{id}', { id: 'nobody' })
  for (const kind of ['verify', 'repair', 'compact', 'scrub', 'rebuild-directory', 'leave']) {
    const { job_id } = JSON.parse((await ask('POST', `/v1/admin/${kind}`)).body.toString())
    await expect
      .poll(
        async () => JSON.parse((await ask('GET', '/v1/admin/jobs/{id}', { id: job_id })).body.toString()).finished_at
      )
      .not.toBeNull()
  }
  await ask('GET', '/v1/admin/jobs')
  await ask('GET', '/v1/admin/archive')
  await ask('POST', '/v1/admin/archive/verify')
  await ask('POST', '/v1/admin/archive/restore')
  await ask('POST', '/v1/admin/backup', {}, '', { target: '/backup' })
  await ask('GET', '/v1/admin/jobs/{id}', { id: 'x' })
  await ask('DELETE', '/v1/admin/jobs/{id}', { id: 'x' })
  const changed = await ask('POST', '/v1/photos/batch', {}, '', { select: {}, total: 0, rating: 1 })
  const { found: total } = JSON.parse(changed.body.toString())
  const many = await ask('POST', '/v1/photos/batch', {}, '', { select: {}, total, rating: 1 })
  await ask('DELETE', '/v1/admin/jobs/{id}', { id: JSON.parse(many.body.toString()).job_id })
  const verifying = await ask('POST', '/v1/admin/verify')
  await ask('DELETE', '/v1/admin/jobs/{id}', { id: JSON.parse(verifying.body.toString()).job_id })
  await ask('POST', '/v1/admin/log-level', {}, '', { level: 'debug' })
  await askForAccounts()
  const successes = OPERATIONS.filter(
    it => !/^(head|get) \/photo\/\{id\}$|^head|restore$|events$|docs$|^delete \/session$|^get \/$/.test(it)
  )
  for (const operation of successes) {
    expect(
      [...seen].some(it => it.startsWith(`${operation} 20`)),
      operation
    ).toBe(true)
  }
})
