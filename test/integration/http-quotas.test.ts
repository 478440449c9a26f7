import { beforeEach, expect, test } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import type { Answer } from '../support/http-client.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { type Somebody, somebodyIn } from '../support/somebody.js'

const { http } = httpForEachTest()

interface Room {
  readonly usage: { readonly bytes: number; readonly photos: number }
  readonly quota: { readonly bytes: number | null; readonly photos: number | null }
}

let admin: Somebody
let anna: Somebody
beforeEach(async () => {
  admin = await somebodyIn(http, 'boss', 'admin')
  anna = await somebodyIn(http, 'anna')
})

function upload(who: Somebody, bytes: number): Promise<Answer> {
  return who.send('PUT', '/v1/photos', {}, Buffer.alloc(bytes, 1))
}

test('an administrator says what somebody may have, and that one sees it', async () => {
  const path = `/v1/users/${anna.id}`
  expect((await admin.json<Room>('PATCH', path, { quota: { bytes: 100 } })).quota).toEqual({ bytes: 100, photos: null })
  expect((await admin.json<Room>('PATCH', path, { quota: { photos: 2 } })).quota).toEqual({ bytes: 100, photos: 2 })
  expect((await upload(anna, 60)).status).toBe(201)
  const room = { usage: { bytes: 60, photos: 1 }, quota: { bytes: 100, photos: 2 } }
  for (const [who, from] of [
    [anna, path],
    [admin, path]
  ] as const)
    expect(await who.json(`GET`, from)).toMatchObject(room)
  expect((await anna.json<{ user: Room }>('GET', '/session')).user).toMatchObject(room)
  expect((await admin.json<{ users: Room[] }>('GET', '/v1/users')).users).toContainEqual(expect.objectContaining(room))
})

test('what does not fit is 507 with what is used and allowed', async () => {
  await admin.json('PATCH', `/v1/users/${anna.id}`, { quota: { bytes: 100, photos: null } })
  await upload(anna, 60)
  const refused = await upload(anna, 41)
  expect(codeOf(refused)).toBe('507 ERR_QUOTA_EXCEEDED')
  expect(JSON.parse(refused.body.toString())).toMatchObject({ used_bytes: 60, quota_bytes: 100, quota_photos: null })
  expect((await upload(admin, 1_000)).status).toBe(201)
  await admin.json('PATCH', `/v1/users/${anna.id}`, { quota: { bytes: null } })
  expect((await upload(anna, 41)).status).toBe(201)
})

test('nobody changes his own quota, nor sees what others use', async () => {
  const refused = await anna.ask('PATCH', `/v1/users/${anna.id}`, { quota: { bytes: 1 } })
  expect(codeOf(refused)).toBe('403 ERR_FORBIDDEN')
  expect((await anna.ask('GET', `/v1/users/${admin.id}`)).status).toBe(404)
  for (const bad of [{ bytes: -1 }, { bytes: 0.5 }, { photos: 2 ** 53 }, { other: 1 }])
    expect((await admin.ask('PATCH', `/v1/users/${anna.id}`, { quota: bad })).status).toBe(400)
})
