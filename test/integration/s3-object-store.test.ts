import { afterEach, beforeEach, expect, test } from 'vitest'
import { S3ObjectStore } from '../../src/archive/s3-object-store.js'
import { CREDENTIALS, FakeS3, type Fault } from '../support/fake-s3.js'

let server: FakeS3
let store: S3ObjectStore
const { signal } = new AbortController()

beforeEach(async () => {
  server = await FakeS3.start()
  store = storeWith({})
})
afterEach(async () => {
  store.close()
  await server.stop()
})

function storeWith(init: Partial<ConstructorParameters<typeof S3ObjectStore>[1]>): S3ObjectStore {
  return new S3ObjectStore(
    { now: () => Date.now() },
    { bucket: 'photos', endpoint: server.endpoint, region: 'eu', prefix: 'p', credentials: CREDENTIALS, ...init }
  )
}

const put = (): Promise<void> => store.put('a', Buffer.alloc(100_000, 'x'), signal)
const get = (byteCountMax = 100_000) => store.get('a', byteCountMax, signal)

test('bodies have a known length, no framing, and no checksum that older servers refuse', async () => {
  await put()
  expect(server.headers).toMatchObject({
    'content-length': '100000',
    authorization: expect.stringContaining('/eu/s3/')
  })
  expect(
    Object.keys(server.headers).filter(name => /checksum|trailer|transfer-encoding|content-encoding/.test(name))
  ).toEqual([])
  expect([...server.objects.keys()]).toEqual(['p/a'])
})

const failures: [name: string, fault: Fault, code: string][] = [
  ['away', 'away', 'ERR_ARCHIVE_UNREACHABLE'],
  ['a server that fails', [500, 'InternalError'], 'ERR_ARCHIVE_UNREACHABLE'],
  ['one that is busy', [503, 'SlowDown'], 'ERR_ARCHIVE_UNREACHABLE'],
  ['one that has enough of us', [429, 'TooManyRequests'], 'ERR_ARCHIVE_UNREACHABLE'],
  ['full', [507, 'InsufficientStorage'], 'ERR_ARCHIVE_FULL'],
  ['over quota', [403, 'QuotaExceeded'], 'ERR_ARCHIVE_FULL'],
  ['forbidden', [403, 'AccessDenied'], 'ERR_ARCHIVE_REFUSED'],
  ['a signature that does not fit', [403, 'SignatureDoesNotMatch'], 'ERR_ARCHIVE_REFUSED'],
  ['another region', [301, 'PermanentRedirect'], 'ERR_ARCHIVE_REFUSED'],
  ['a clock that is off', [403, 'RequestTimeTooSkewed'], 'ERR_ARCHIVE_CLOCK']
]
test.each(failures)('%s has its own error, with every call', async (_name, fault, code) => {
  await put()
  server.fault = () => fault
  const list = async (): Promise<void> => {
    for await (const _ of store.list('', signal));
  }
  for (const call of [put, get, list, () => store.remove('a', signal)])
    await expect(call()).rejects.toMatchObject({ code })
})

test('each request is sent once: whoever asked decides about another try', async () => {
  server.fault = () => [503, 'SlowDown']
  await expect(put()).rejects.toMatchObject({ code: 'ERR_ARCHIVE_UNREACHABLE' })
  expect(server.requests).toHaveLength(1)
})

test('a clock that is off stays an error, and says by how much', async () => {
  for (const skewMs of [16 * 60_000, -3_600_000]) {
    server.skewMs = skewMs
    for (let i = 0; i < 3; i++) {
      await expect(put()).rejects.toMatchObject({
        code: 'ERR_ARCHIVE_CLOCK',
        message: expect.stringContaining(`${Math.abs(skewMs) / 60_000} minutes`)
      })
    }
  }
  server.skewMs = 14 * 60_000
  await put()
})

test('so it does where the server only says that the signature is wrong', async () => {
  server.skewMs = 20 * 60_000
  server.fault = () => [403, 'SignatureDoesNotMatch']
  await expect(put()).rejects.toMatchObject({ code: 'ERR_ARCHIVE_CLOCK' })
})

test('a lost bucket and wrong credentials name the way out, and no secret', async () => {
  server.buckets.clear()
  for (const call of [put, get, () => store.remove('a', signal)])
    await expect(call()).rejects.toMatchObject({
      code: 'ERR_ARCHIVE_REFUSED',
      message: expect.stringContaining('create the bucket')
    })
  store.close()
  store = storeWith({ credentials: { accessKeyId: 'wrong', secretAccessKey: 'the-secret' } })
  const failure = await put().catch(err => err)
  expect(failure).toMatchObject({ code: 'ERR_ARCHIVE_REFUSED', message: expect.stringContaining('credentials') })
  expect(JSON.stringify([failure.message, failure.details])).not.toContain('the-secret')
})

test('an answer that is cut is no object', async () => {
  await put()
  server.fault = () => 'cut'
  await expect(get()).rejects.toMatchObject({ code: 'ERR_ARCHIVE_UNREACHABLE' })
})

test('an answer that is longer than the object is not read to its end', async () => {
  await put()
  server.fault = () => 'longer'
  await expect(get()).rejects.toMatchObject({ code: 'ERR_ARCHIVE_DAMAGED' })
})

const list = async (prefix: string): Promise<string[]> => {
  const names: string[] = []
  for await (const { name } of store.list(prefix, signal)) names.push(name)
  return names
}

test('a page of HTML in the place of a listing is not taken for an empty bucket', async () => {
  await put()
  server.fault = () => 'page'
  await expect(list('')).rejects.toMatchObject({ code: 'ERR_ARCHIVE_UNREACHABLE' })
})

test('a server that lists what was not asked for is refused: what is listed is removed at times', async () => {
  await put()
  await store.put('heads/b', Buffer.from('x'), signal)
  server.fault = () => 'foreign'
  await expect(list('heads/')).rejects.toMatchObject({ code: 'ERR_ARCHIVE_REFUSED' })
})

test('an answer without end is cut, whatever was asked', async () => {
  server.fault = () => 'endless'
  for (const call of [put, get, () => list(''), () => store.remove('a', signal)])
    await expect(call()).rejects.toMatchObject({ code: 'ERR_ARCHIVE_UNREACHABLE' })
})

test('what a server says about an error is bounded, and cannot write to a terminal', async () => {
  server.fault = () => [403, `Odd\u009b${'x'.repeat(10_000)}`]
  const { message } = await put().catch(err => err)
  expect(message).toMatch(/^\P{Cc}{1,1000}$/u)
})

test('an answer that does not come ends with the signal', async () => {
  await put()
  for (const fault of ['slow'] as const) {
    server.fault = () => fault
    const abort = new AbortController()
    const reason = new Error('too late')
    const answers = [store.get('a', 100_000, abort.signal), store.put('b', Buffer.from('x'), abort.signal)]
    const outcomes = Promise.allSettled(answers)
    while (server.requests.length < 3) await new Promise(resolve => setImmediate(resolve))
    abort.abort(reason)
    for (const outcome of await outcomes) expect(outcome).toEqual({ status: 'rejected', reason })
  }
})
