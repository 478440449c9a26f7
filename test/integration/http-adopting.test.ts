import { beforeEach, expect, test } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { tinyJpeg } from '../support/photo-maker.js'
import { type Somebody, somebodyIn } from '../support/somebody.js'
import { until } from '../support/until.js'

const { http } = httpForEachTest()

interface JobJson {
  readonly job_id: string
  readonly state: string
  readonly result: { readonly adopted: number; readonly failed: number; readonly errors: readonly unknown[] }
}

let admin: Somebody
let anna: Somebody
let ben: Somebody
/** Uploaded before there were accounts; the first one is in an album of that time. */
let before: readonly string[]
let album: string
beforeEach(async () => {
  const ids: string[] = []
  for (const n of [1, 2, 3, 4]) ids.push((await http.client.putPhoto(tinyJpeg(n), `${n}.jpg`)).photo_id)
  const made = await http.client.json<{ album_id: string }>('POST', '/v1/albums', 201, {
    body: Buffer.from('{"title":"before"}'),
    headers: { 'content-type': 'application/json' }
  })
  album = made.album_id
  await http.client.patchMeta(ids[0] as string, { albums: { add: [album] } })
  await http.client.remove(ids[3] as string)
  before = ids
  admin = await somebodyIn(http, 'boss', 'admin')
  anna = await somebodyIn(http, 'anna')
  ben = await somebodyIn(http, 'ben')
})

async function adopt(body: object): Promise<JobJson> {
  const answer = await admin.ask('POST', `/v1/users/${anna.id}/adopt`, body)
  expect(answer.status).toBe(202)
  const { job_id: id } = JSON.parse(answer.body.toString()) as JobJson
  let job: JobJson | undefined
  await until('the job has ended', 10_000, async () => {
    job = await admin.json<JobJson>('GET', `/v1/admin/jobs/${id}`)
    return job.state === 'done'
  })
  return job as JobJson
}

async function seenBy(who: Somebody): Promise<readonly number[]> {
  const { photos } = await who.json<{ photos: { photo_id: string }[] }>('GET', '/photos?limit=100')
  const ids = photos.map(({ photo_id }) => photo_id)
  return before.flatMap((id, n) => (ids.includes(id) ? [n] : []))
}

test('what belongs to nobody belongs to the account then, and others see it only in albums that are open to them', async () => {
  const own = JSON.parse(
    (await ben.send('PUT', '/v1/photos', { 'content-type': 'image/jpeg' }, tinyJpeg(9))).body.toString()
  ) as { photo_id: string }
  expect([await seenBy(anna), await seenBy(ben)]).toEqual([
    [0, 1, 2],
    [0, 1, 2]
  ])
  expect((await adopt({})).result).toEqual({ adopted: 3, failed: 0, errors: [] })
  expect([await seenBy(anna), await seenBy(ben)]).toEqual([[0, 1, 2], [0]])
  expect((await anna.ask('GET', `/photo/${own.photo_id}`)).status).toBe(404)
  // what lay in the trash is nobody's still
  const { photos } = await admin.json<{ photos: { photo_id: string }[] }>('GET', '/trash')
  expect(photos.map(({ photo_id }) => photo_id)).toEqual([before[3]])
  expect((await adopt({})).result).toEqual({ adopted: 0, failed: 0, errors: [] })
})

test('of one album only what is in it', async () => {
  expect((await adopt({ album })).result).toEqual({ adopted: 1, failed: 0, errors: [] })
  expect(await anna.json('GET', `/photo/${before[0]}/meta`)).toMatchObject({ owner: { user_id: anna.id } })
  expect(await anna.json('GET', `/photo/${before[1]}/meta`)).toMatchObject({ owner: null })
})

test('is for administrators, and for accounts that are there', async () => {
  const path = `/v1/users/${anna.id}/adopt`
  expect(codeOf(await anna.ask('POST', path, {}))).toBe('403 ERR_FORBIDDEN')
  expect(codeOf(await admin.ask('POST', `/v1/users/${album}/adopt`, {}))).toBe('404 ERR_USER_NOT_FOUND')
  await admin.json('PUT', `/v1/users/${anna.id}/state`, { state: 'disabled' })
  expect(codeOf(await admin.ask('POST', path, {}))).toBe('404 ERR_USER_NOT_FOUND')
  expect(codeOf(await admin.ask('POST', path, { album: 'before' }))).toMatch(/^4/)
})
