import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SheafError } from '../../src/core/errors.js'
import { bodyOf, codeOf, sha256 } from '../support/http-answers.js'
import type { Answer } from '../support/http-client.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'

const UNKNOWN = '01890000-0000-7000-8000-000000000000'
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64'
)

let http: HttpFixture

beforeEach(async () => {
  http = await startHttp()
})

afterEach(() => http.close())

function multipart(fields: Record<string, string>, file: Uint8Array | string = PNG): Promise<Answer> {
  const parts = Object.entries(fields).map(([name, value]) => ({ name, value }))
  return http.client.form('/upload', [
    ...parts,
    { name: 'file', filename: 'a.png', contentType: 'image/png', value: file }
  ])
}

describe('uploading', () => {
  test('POST /upload answers what the contract says', async () => {
    const answer = await multipart({ tag: 'sea' })
    expect(answer.status).toBe(200)
    const receipt = bodyOf(answer)
    expect(receipt).toEqual({
      photo_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      logical_volume: http.store.volume,
      cookie: expect.stringMatching(/^[0-9a-f]{32}$/),
      size: PNG.length,
      sha256: sha256(PNG),
      content_type: 'image/png',
      copies: 1
    })
    expect(bodyOf(await http.client.meta(receipt.photo_id as string))).toMatchObject({ name: 'a.png', tags: ['sea'] })
  })

  test('the same bytes twice are two photos', async () => {
    const [first, second] = [bodyOf(await multipart({})), bodyOf(await multipart({}))]
    expect(second.photo_id).not.toBe(first.photo_id)
  })

  test('PUT /v1/photos stores the body as it is', async () => {
    const answer = await http.client.request('PUT', '/v1/photos?filename=%C3%BC.txt&tag=a&tag=b&album=c', {
      body: Buffer.from('hello')
    })
    expect(answer.status).toBe(201)
    const { photo_id: id, content_type } = bodyOf(answer)
    expect(content_type).toBe('text/plain')
    expect(answer.headers.location).toBe(`/photo/${id}`)
    const meta = bodyOf(await http.client.meta(id as string))
    expect(meta).toMatchObject({ name: 'ü.txt', tags: ['a', 'b'], albums: ['c'] })
    expect((await http.client.photo(id as string)).body.toString()).toBe('hello')
  })

  test('POST /v1/photos takes a form with repeated fields', async () => {
    const answer = await http.client.form('/v1/photos', [
      { name: 'tag', value: 'a' },
      { name: 'tag', value: 'b' },
      { name: 'album', value: 'c' },
      { name: 'file', filename: 'a.png', value: PNG }
    ])
    expect(answer.status).toBe(201)
    expect(answer.headers.location).toBe(`/photo/${bodyOf(answer).photo_id}`)
    const meta = bodyOf(await http.client.meta(bodyOf(answer).photo_id as string))
    expect(meta).toMatchObject({ tags: ['a', 'b'], albums: ['c'] })
  })

  test('a chunked PUT needs no length, and what curl says of --data-binary is not believed', async () => {
    const answer = await http.client.request('PUT', '/v1/photos?filename=a.pdf', {
      body: Buffer.from('hello'),
      headers: { 'content-type': 'application/x-www-form-urlencoded' }
    })
    expect(bodyOf(answer).content_type).toBe('application/pdf')
  })

  test('a size is added by field or by query; other bytes for it are refused', async () => {
    const id = bodyOf(await multipart({})).photo_id as string
    expect((await multipart({ alt_key: 'thumb', photo_id: id }, 'thumb')).status).toBe(200)
    expect((await multipart({ alt_key: 'thumb', photo_id: id.toUpperCase() }, 'thumb')).status).toBe(200)
    expect(codeOf(await multipart({ alt_key: 'thumb', photo_id: id }, 'other'))).toBe('409 ERR_ALT_KEY_EXISTS')
    const file = [{ name: 'file', filename: 'a.png', contentType: 'image/png', value: 'small' }]
    expect((await http.client.form(`/upload?alt_key=small&photo_id=${id}`, file)).status).toBe(200)
    expect((await http.client.photo(id, {}, '?alt_key=thumb')).body.toString()).toBe('thumb')
    expect((await http.client.photo(id, {}, '?alt_key=small')).headers.etag).toBe(`"${sha256(Buffer.from('small'))}"`)
    expect((await http.client.photo(id, {}, '?alt_key=orig')).body.equals(PNG)).toBe(true)
    expect(codeOf(await multipart({ alt_key: 'thumb', photo_id: UNKNOWN }))).toBe('404 ERR_PHOTO_NOT_FOUND')
    await http.client.remove(id)
    expect(codeOf(await multipart({ alt_key: 'large', photo_id: id }))).toBe('410 ERR_PHOTO_DELETED')
  })

  test('an Idempotency-Key gives the same photo for the same body and 422 for another', async () => {
    const put = (body: string): Promise<Answer> =>
      http.client.put(Buffer.from(body), { filename: 'a', idempotencyKey: 'key-1' })
    const first = bodyOf(await put('one'))
    expect(bodyOf(await put('one')).photo_id).toBe(first.photo_id)
    expect(codeOf(await put('two'))).toBe('422 ERR_IDEMPOTENCY_MISMATCH')
  })

  test('too few copies: 503 with what there is, and the photo is kept', async () => {
    const answer = await http.client.request('PUT', '/v1/photos?min_copies=2', { body: Buffer.from('x') })
    expect(codeOf(answer)).toBe('503 ERR_TOO_FEW_COPIES')
    const { photo_id, copies } = bodyOf(answer)
    expect(copies).toBe(1)
    expect((await http.client.photo(photo_id as string)).status).toBe(200)
  })

  test('a full disk is 507, and reading and deleting go on', async () => {
    const id = bodyOf(await multipart({})).photo_id as string
    http.store.failAppend = (_, purpose) => (purpose === 'upload' ? new SheafError('ERR_DISK_FULL') : undefined)
    expect(codeOf(await multipart({}))).toBe('507 ERR_DISK_FULL')
    expect((await http.client.photo(id)).status).toBe(200)
    expect((await http.client.remove(id)).status).toBe(200)
  })
})
