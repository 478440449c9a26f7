import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Logger } from '../../src/core/log.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { RawConnection } from '../support/raw-connection.js'
import { SeededRandom, testSeeds } from '../support/seeded-random.js'

/*
 * Throws malformed requests at a listening server. Each must be answered or cut; none may be answered with a defect or with a refusal
 * that does not say why, none may hang, none may end the process.
 */
const REQUESTS = 600
const AT_ONCE = 20
/** More than any timeout that the fixture sets. */
const HANG_MS = 20_000

let http: HttpFixture
let id: string
const errors: unknown[] = []
const log: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: fields => errors.push(fields),
  child: () => log
}

beforeAll(async () => {
  http = await startHttp({
    log,
    timeouts: { headersMs: 400, bodyStallMs: 300, answerStallMs: 500, keepAliveMs: 300, lingerMs: 100 }
  })
  id = (await http.client.putPhoto(Buffer.from('hello'), 'a.txt', 'text/plain')).photo_id
})

afterAll(() => http.close())

function templates(): string[] {
  const host = 'Host: localhost\r\n'
  const form = [
    '--b\r\nContent-Disposition: form-data; name="tag"\r\n\r\nred\r\n',
    '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nbytes\r\n',
    '--b--\r\n'
  ].join('')
  const json = '{"ids":["01890000-0000-7000-8000-000000000000"],"tags":{"add":["x"]}}'
  return [
    `GET /photo/${id} HTTP/1.1\r\n${host}\r\n`,
    `GET /photo/${id}?alt_key=thumb&cookie=0 HTTP/1.1\r\n${host}Range: bytes=1-2\r\nIf-Range: "x"\r\nIf-None-Match: W/"y", "z"\r\n\r\n`,
    `HEAD /photo/${id} HTTP/1.0\r\n\r\n`,
    `PUT /v1/photos?filename=a.txt&tag=x HTTP/1.1\r\n${host}Content-Length: 5\r\nIdempotency-Key: k\r\n\r\nhello`,
    `PUT /v1/photos HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\n\r\n`,
    `PUT /v1/photos HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello`,
    `POST /upload?min_copies=1 HTTP/1.1\r\n${host}Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
    `POST /v1/photos HTTP/1.1\r\n${host}Content-Type: multipart/form-data; boundary="b"\r\nTransfer-Encoding: chunked\r\n\r\n${form.length.toString(16)}\r\n${form}\r\n0\r\n\r\n`,
    `POST /v1/photos/batch HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
    `PATCH /photo/${id}/meta HTTP/1.1\r\n${host}Content-Type: application/json\r\nIf-Match: "x"\r\nContent-Length: 12\r\n\r\n{"name":"x"}`,
    `GET /photos?limit=5&q=x&cursor=abc&type=image HTTP/1.1\r\n${host}\r\nGET /status HTTP/1.1\r\n${host}\r\n`,
    `DELETE /photo/01890000-0000-7000-8000-000000000000 HTTP/1.1\r\n${host}Origin: http://localhost\r\n\r\n`,
    `GET /sync/full-dump HTTP/1.1\r\n${host}Sec-Fetch-Site: cross-site\r\n\r\n`,
    `PUT /v1/photos HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\nDigest: md5=XUFAKrxLKna5cZ2REBfFkg==\r\n\r\nhello`,
    `QUERY /photos HTTP/1.1\r\n${host}Content-Type: a/b\r\nContent-Length: 2\r\n\r\n{}`,
    `DELETE /photo/01890000-0000-7000-8000-000000000000 HTTP/1.1\r\n${host}If-Match: "x"\r\nExpect: x\r\n\r\n`
  ]
}

const INSERTS = [
  '\r\n',
  '\r',
  '\n',
  '\0',
  ' ',
  '%',
  '%zz',
  '%ff',
  '"',
  ':',
  ';',
  ',',
  '/',
  '?',
  '--b',
  '--',
  '\r\n\r\n',
  '\xff',
  '0'.repeat(400),
  '{',
  ']',
  '-1',
  '999999999999999999999',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 3\r\n',
  'Expect: 100-continue\r\n',
  '../'
]

function mutate(request: string, random: SeededRandom): string {
  let text = request
  for (let i = random.below(5); i >= 0; i--) {
    const at = random.below(text.length + 1)
    const end = Math.min(text.length, at + 1 + random.below(12))
    const change = random.below(6)
    if (change === 0) text = text.slice(0, at) + random.pick(INSERTS) + text.slice(at)
    else if (change === 1) text = text.slice(0, at) + text.slice(end)
    else if (change === 2) text = text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1)
    else if (change === 3) text = text.slice(0, at) + text.slice(at, end).repeat(1 + random.below(4)) + text.slice(end)
    else if (change === 4) text = text.slice(0, at)
    else text = text.replace(/\d+/, String(random.pick([0, 1, 4, 6, 1e9, 2 ** 53])))
  }
  return text
}

interface Head {
  readonly status: number
  readonly headers: string
}

/** @returns the heads of the answers, until the server ended the connection */
async function send(text: string, random: SeededRandom): Promise<Head[]> {
  const connection = await RawConnection.open(http.port)
  const bytes = Buffer.from(text, 'latin1')
  const middle = random.below(bytes.length + 1)
  connection.write(bytes.subarray(0, middle))
  if (random.chance(0.5)) await new Promise(resolve => setImmediate(resolve))
  connection.write(bytes.subarray(middle))
  const manner = random.below(3)
  if (manner === 0) connection.socket.end()
  if (manner === 1) connection.socket.resetAndDestroy()
  const hung = new Promise<never>((_, reject) => {
    AbortSignal.timeout(HANG_MS).addEventListener('abort', () => {
      reject(new Error(`hangs: ${JSON.stringify(text)}, received ${connection.text}`))
    })
  })
  const received = await Promise.race([connection.untilClosed(), hung])
  const heads = received.matchAll(/^HTTP\/1\.1 (\d{3}) [^\r]*\r\n([\s\S]*?)\r\n\r\n/gm)
  return Array.from(heads, ([, status, headers = '']) => ({ status: Number(status), headers }))
}

test.each(testSeeds(1))('malformed requests under seed %i', async seed => {
  const random = new SeededRandom(seed)
  const counts = new Map<number, number>()
  const left = Array.from({ length: REQUESTS }, () => mutate(random.pick(templates()), random))
  const work = async (own: SeededRandom): Promise<void> => {
    for (let text = left.pop(); text !== undefined; text = left.pop()) {
      const heads = await send(text, own)
      const statuses = heads.map(({ status }) => status)
      for (const { status, headers } of heads) {
        counts.set(status, (counts.get(status) ?? 0) + 1)
        if (status >= 400) expect(headers, JSON.stringify(text)).toMatch(/content-type: application\/problem\+json/i)
      }
      expect(
        statuses.filter(status => status === 500),
        JSON.stringify(text)
      ).toEqual([])
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(random.fork())))
  expect(errors).toEqual([])
  expect(counts.get(400)).toBeGreaterThan(50)
  // It still serves, and holds on to nothing.
  expect((await http.client.photo(id)).status).not.toBe(500)
  expect((await http.client.request('GET', '/health')).status).toBe(200)
  http.client.close()
  await expect.poll(() => http.connectionCount()).toBe(0)
  expect(http.store.leases).toBe(0)
})
