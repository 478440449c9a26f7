import { beforeEach, expect, test } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import { HttpClient } from '../support/http-client.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { tinyJpeg } from '../support/photo-maker.js'
import { type Somebody, somebodyIn } from '../support/somebody.js'

const { http } = httpForEachTest()
const PASSWORD = 'long enough'

interface Closed {
  readonly state: string
  readonly closed_until: string | null
}

let admin: Somebody
let anna: Somebody
beforeEach(async () => {
  admin = await somebodyIn(http, 'boss', 'admin')
  anna = await somebodyIn(http, 'anna')
})

test('whoever closes his own account needs the password, and is out at once, hot reads included', async () => {
  const { photo_id: id } = JSON.parse(
    (await anna.send('PUT', '/v1/photos', { 'content-type': 'image/jpeg' }, tinyJpeg(1))).body.toString()
  )
  const client = new HttpClient(http.url)
  const { headers } = await client.request('POST', '/session', {
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ name: 'anna', password: PASSWORD }))
  })
  const cookie = String(headers['set-cookie']).split(';', 1)[0] as string
  const read = async (): Promise<number> =>
    (await client.request('GET', `/photo/${id}`, { headers: { cookie } })).status
  expect([await read(), await read(), await read()]).toEqual([200, 200, 200])
  const path = `/v1/users/${anna.id}`
  expect(codeOf(await anna.ask('DELETE', path, {}))).toBe('400 ERR_BAD_PARAMETER')
  expect(codeOf(await anna.ask('DELETE', path, { password: 'not the one' }))).toBe('401 ERR_BAD_CREDENTIALS')
  expect(await read()).toBe(200)
  const closed = await anna.json<Closed>('DELETE', path, { password: PASSWORD })
  expect([closed.state, Date.parse(closed.closed_until ?? '') > Date.now() + 6 * 86_400_000]).toEqual(['closed', true])
  expect(await read()).toBe(401)
  expect(codeOf(await anna.ask('GET', path))).toBe('401 ERR_ACCOUNT_DISABLED')
  expect(
    codeOf(
      await client.request('POST', '/session', {
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify({ name: 'anna', password: PASSWORD }))
      })
    )
  ).toBe('401 ERR_ACCOUNT_DISABLED')
  const opened = await admin.json<Closed>('PUT', `${path}/state`, { state: 'open' })
  expect([opened.state, opened.closed_until, await read()]).toEqual(['open', null, 200])
})

test('others are closed by administrators only, and photos go to accounts that are there', async () => {
  const path = `/v1/users/${anna.id}`
  const ben = await somebodyIn(http, 'ben')
  expect(codeOf(await ben.ask('DELETE', path, { password: PASSWORD }))).toBe('404 ERR_USER_NOT_FOUND')
  expect(codeOf(await admin.ask('DELETE', path, { photos: 'to:nobody' }))).toBe('404 ERR_USER_NOT_FOUND')
  expect(codeOf(await admin.ask('DELETE', path, { photos: 'to:anna' }))).toBe('400 ERR_BAD_PARAMETER')
  for (const bad of [{ photos: 'ben' }, { photos: 'to:' }, { other: 1 }])
    expect((await admin.ask('DELETE', path, bad)).status).toBe(400)
  expect((await admin.json<Closed>('DELETE', path, { photos: 'to:Ben' })).state).toBe('closed')
  expect(codeOf(await admin.ask('DELETE', `/v1/users/${admin.id}`, { password: PASSWORD }))).toBe('409 ERR_LAST_ADMIN')
})
