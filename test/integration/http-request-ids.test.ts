import { expect, test } from 'vitest'
import { type Logger, silentLog } from '../../src/core/log.js'
import { codeOf } from '../support/http-answers.js'
import { wrapped } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { RawConnection } from '../support/raw-connection.js'

const { http, restart, putPhoto } = httpForEachTest()

const MADE = /^[0-9a-f]{12}-\d+$/
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

test('every answer has one: the client’s own, or one that is made', async () => {
  const id = await putPhoto(Buffer.from('bytes'))
  const seen = new Set<string>()
  const paths = [
    ['GET', '/health'],
    ['GET', `/photo/${id}`], // the normal way
    ['GET', `/photo/${id}`], // the hot one
    ['HEAD', `/photo/${id}`],
    ['GET', `/photo/${UNKNOWN}`],
    ['GET', '/nowhere'],
    ['DELETE', '/health'],
    ['GET', '/sync/full-dump'],
    ['GET', '/photos?limit=0'],
    ['GET', '/%zz']
  ] as const
  for (const [method, path] of paths) {
    const { headers } = await http.client.request(method, path)
    expect(headers['x-request-id'], path).toMatch(MADE)
    seen.add(String(headers['x-request-id']))
    const named = await http.client.request(method, path, { headers: { 'X-Request-Id': 'mine.1' } })
    expect(named.headers['x-request-id'], path).toBe('mine.1')
    const bad = await http.client.request(method, path, { headers: { 'X-Request-Id': 'a b"c' } })
    expect(bad.headers['x-request-id'], path).toMatch(MADE)
  }
  expect(seen.size).toBe(paths.length)
})

test('what is not even HTTP has one, too', async () => {
  const connection = await RawConnection.open(http.port)
  connection.socket.write('nonsense\r\n\r\n')
  await expect.poll(() => connection.text).toMatch(/^HTTP\/1\.1 400 .*\r\nX-Request-Id: [0-9a-f]{12}-\d+\r\n/s)
})

test('the log names it where a request fails', async () => {
  const lines: object[] = []
  const write = (fields: object): void => void lines.push(fields)
  const log: Logger = { ...silentLog, error: write, warn: write }
  const photos = {
    meta: async (): Promise<never> => {
      throw new Error('planted')
    },
    dump: async function* (): AsyncGenerator<never> {
      yield* []
      throw new Error('planted, too')
    }
  }
  await restart({ log, photos: real => wrapped(real, photos) })
  const headers = { 'x-request-id': 'find-me' }
  expect(codeOf(await http.client.request('GET', `/photo/${UNKNOWN}/meta`, { headers }))).toBe('500 ERR_INTERNAL')
  expect(lines).toEqual([{ err: expect.objectContaining({ message: 'planted' }), requestId: 'find-me' }])
})
