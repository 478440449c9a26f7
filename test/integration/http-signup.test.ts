import { afterEach, expect, test } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import { type Answer, HttpClient } from '../support/http-client.js'
import { type HttpFixture, type HttpFixtureInit, startHttp } from '../support/http-fixture.js'
import { somebodyIn } from '../support/somebody.js'

let http: HttpFixture
let client: HttpClient

afterEach(async () => {
  client.close()
  await http.close()
})

async function start(signup?: HttpFixtureInit['signup']): Promise<void> {
  http = await startHttp({ ...(signup && { signup }) })
  client = new HttpClient(http.url)
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return client.request('POST', path, {
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    headers: { 'content-type': 'application/json', ...headers }
  })
}

const BEN = { name: 'ben', password: 'correct horse', display: 'Ben' }

test('nobody makes an account for himself unless the node says so', async () => {
  await start()
  expect(codeOf(await post('/v1/signup', BEN))).toBe('409 ERR_NO_ACCOUNTS')
  const anna = await somebodyIn(http, 'anna', 'admin')
  expect(codeOf(await post('/v1/signup', BEN))).toBe('403 ERR_SIGNUP_CLOSED')
  expect(codeOf(await anna.ask('POST', '/v1/invites', {}))).toBe('403 ERR_SIGNUP_CLOSED')
  expect(await client.json('GET', '/session', 200)).toMatchObject({ signup: 'off' })
})

test('where it is open, whoever asks gets an account, logs in with it, and sees only what is his', async () => {
  await start('open')
  const anna = await somebodyIn(http, 'anna', 'admin')
  expect(await client.json('GET', '/session', 200)).toMatchObject({ signup: 'open' })
  const made = await post('/v1/signup', BEN)
  expect([made.status, JSON.parse(made.body.toString())]).toMatchObject([
    201,
    { name: 'ben', display: 'Ben', role: 'user' }
  ])
  expect(made.headers['set-cookie']).toBeUndefined()
  expect((await post('/session', { name: 'ben', password: BEN.password })).status).toBe(200)
  expect(codeOf(await post('/v1/signup', BEN))).toBe('409 ERR_NAME_TAKEN')
  await anna.json('PUT', `/v1/users/${JSON.parse(made.body.toString()).user_id}/state`, { state: 'disabled' })
  expect(codeOf(await post('/session', { name: 'ben', password: BEN.password }))).toBe('401 ERR_ACCOUNT_DISABLED')
})

test('an invite is made by administrators alone, and opens the door once', async () => {
  await start('invite')
  const anna = await somebodyIn(http, 'anna', 'admin')
  const cleo = await somebodyIn(http, 'cleo')
  for (const [method, path] of [
    ['GET', '/v1/invites'],
    ['POST', '/v1/invites'],
    ['DELETE', `/v1/invites/${cleo.id}`]
  ] as const)
    expect(codeOf(await cleo.ask(method, path, method === 'POST' ? {} : undefined))).toBe('403 ERR_FORBIDDEN')
  const { invite, secret } = await anna.json<{ invite: { invite_id: string }; secret: string }>('POST', '/v1/invites', {
    role: 'guest',
    label: 'Ben'
  })
  const listed = await anna.json<{ invites: object[] }>('GET', '/v1/invites')
  expect(listed).toEqual({
    invites: [expect.objectContaining({ ...invite, label: 'Ben', role: 'guest', by: anna.id })]
  })
  expect(JSON.stringify(listed)).not.toContain(secret.slice(22))
  expect(codeOf(await post('/v1/signup', BEN))).toBe('403 ERR_SIGNUP_CLOSED')
  expect((await post('/v1/signup', { ...BEN, invite: secret })).status).toBe(201)
  expect(codeOf(await post('/v1/signup', { ...BEN, name: 'dora', invite: secret }))).toBe('404 ERR_INVITE_NOT_FOUND')
  expect(await anna.json('GET', '/v1/invites')).toEqual({ invites: [] })
})

test('what is malformed is refused as such, and says nothing about names', async () => {
  await start('open')
  await somebodyIn(http, 'anna', 'admin')
  for (const bad of [
    {},
    { name: 'ben' },
    { ...BEN, role: 'admin' },
    { ...BEN, name: 1 },
    { ...BEN, password: ['correct horse'] },
    { ...BEN, invite: 'short' },
    { ...BEN, invite: null },
    { ...BEN, display: '' },
    { ...BEN, name: 'x'.repeat(1_000) },
    `{"name":"ben","password":"correct horse","__proto__":{"role":"admin"}}`,
    `{"name":"ben","password":"correct horse","constructor":1}`,
    'null',
    '[]'
  ])
    expect(codeOf(await post('/v1/signup', bad)), JSON.stringify(bad)).toBe('400 ERR_BAD_PARAMETER')
  expect(codeOf(await post('/v1/signup', { ...BEN, name: 'a b' }))).toBe('400 ERR_BAD_PARAMETER')
  expect(codeOf(await post('/v1/signup', { ...BEN, password: 'short' }))).toBe('400 ERR_BAD_PARAMETER')
  expect(codeOf(await post('/v1/signup', BEN, { origin: 'https://evil.example' }))).toBe('403 ERR_FOREIGN_ORIGIN')
  expect(http.accounts.users.called('ben')).toBeUndefined()
})

test('from one address 5 ask at once, and the sixth is told when to come again', async () => {
  await start('open')
  await somebodyIn(http, 'anna', 'admin')
  for (const name of ['a1', 'a2', 'a3', 'a4', 'anna']) await post('/v1/signup', { ...BEN, name })
  const answer = await post('/v1/signup', { ...BEN, name: 'a6' })
  expect([codeOf(answer), answer.headers['retry-after']]).toEqual(['429 ERR_TOO_MANY_TRIES', '60'])
})
