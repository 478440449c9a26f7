import { PassThrough } from 'node:stream'
import { beforeEach, expect, test } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import { type Answer, encodeForm, HttpClient } from '../support/http-client.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { somebodyIn } from '../support/somebody.js'
import { until } from '../support/until.js'

const { http, restart } = httpForEachTest()
const PASSWORD = 'long enough'
const BYTES = Buffer.alloc(20_000, 'photo')
/** More than what ends a form. */
const REST = 1_000

let token: string
let userId: Awaited<ReturnType<typeof somebodyIn>>['id']
beforeEach(async () => {
  await restart({ chunkBytes: 4_096, legacyApi: true })
  await somebodyIn(http, 'boss', 'admin')
  userId = (await somebodyIn(http, 'anna')).id
  token = (await http.accounts.sessions.login('anna', PASSWORD, { address: '192.0.2.1' })).token.text
})

/** Does something between the first chunk that the node has stored and the rest. */
async function sendSlowly(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  bytes: Uint8Array,
  meanwhile: () => Promise<unknown>
): Promise<Answer> {
  const body = new PassThrough()
  const before = http.store.needles.length
  const answer = new HttpClient(http.url).request(method, path, { headers, body, byteCount: bytes.length })
  body.write(bytes.subarray(0, -REST))
  await until('a chunk is stored', 10_000, async () => http.store.needles.length > before)
  await meanwhile()
  body.end(bytes.subarray(-REST))
  return answer
}

const user = (): Parameters<typeof http.accounts.users.setState>[0] => userId as never
const raw = (meanwhile: () => Promise<unknown>): Promise<Answer> =>
  sendSlowly('PUT', '/v1/photos', { authorization: `Bearer ${token}` }, BYTES, meanwhile)

test('an upload counts when whoever sends it may still upload when all of it is there', async () => {
  expect(codeOf(await raw(() => http.accounts.users.setState(user(), 'disabled', 'operator')))).toBe(
    '401 ERR_ACCOUNT_DISABLED'
  )
  await http.accounts.users.setState(user(), 'open', 'operator')
  expect(codeOf(await raw(() => http.accounts.users.setRole(user(), 'guest', 'operator')))).toBe('403 ERR_FORBIDDEN')
  await http.accounts.users.setRole(user(), 'user', 'operator')
  expect(http.directory.count(`owner\0${userId}`)).toBe(0)
  expect((await raw(async () => {})).status).toBe(201)
  expect(codeOf(await raw(() => http.accounts.sessions.endOthers(user())))).toBe('401 ERR_SESSION_ENDED')
  expect(http.directory.count(`owner\0${userId}`)).toBe(1)
})

test('so does one whose token stands in its form', async () => {
  const { body, contentType } = encodeForm([
    { name: 'token', value: token },
    { name: 'folderName', value: 'Meer' },
    { name: 'files[]', filename: 'a.bin', value: BYTES }
  ])
  const send = (meanwhile: () => Promise<unknown>): Promise<Answer> =>
    sendSlowly('POST', '/api/images/upload', { 'content-type': contentType }, body, meanwhile)
  expect((await send(async () => {})).status).toBe(200)
  const refused = await send(() => http.accounts.sessions.endOthers(user()))
  expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([401, { code: 'ERR_SESSION_ENDED' }])
  expect(http.directory.count(`owner\0${userId}`)).toBe(1)
})
