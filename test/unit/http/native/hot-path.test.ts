import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { beforeEach, describe, expect, test } from 'vitest'
import { systemRandom } from '../../../../src/core/random.js'
import type { PhotoId, SessionId, UserId } from '../../../../src/domain/ids.js'
import type { Principal } from '../../../../src/domain/principal.js'
import { HotPath } from '../../../../src/http/native/hot-path.js'
import { HostGuard } from '../../../../src/http/wire/host-guard.js'
import { RequestIds } from '../../../../src/http/wire/request-ids.js'
import type { ContentHead } from '../../../../src/photos/photo-types.js'

const ID = '01890000-0000-7000-8000-000000000000'
const HEAD: ContentHead = {
  photoId: ID as PhotoId,
  alt: 'orig',
  name: 'a.jpg',
  size: 3,
  etag: '"e"',
  contentType: 'image/jpeg',
  audience: { owner: undefined, albums: [] },
  lastModifiedMs: 1_000
}

/** What of Node's response the hot path uses. */
class Response extends EventEmitter {
  socket: object | null = {}
  status: number | undefined
  headers: readonly string[] = []
  body: Uint8Array | undefined

  writeHead(status: number, headers: readonly string[]): void {
    this.status = status
    this.headers = headers
  }

  end(body: Uint8Array): void {
    this.body = body
  }
}

let heads: Map<string, ContentHead>
/** Leases that are out. */
let leases: number
/** Photos that were asked for. */
let asked: string[]
let hot: HotPath
/** Who has just been here. */
let known: Principal | undefined
const principals = { needAccount: false, rememberedOf: () => known }

function send(
  url: string | undefined = `/photo/${ID}`,
  rawHeaders: string[] = ['Host', 'localhost:8000'],
  method = 'GET',
  response = new Response()
): { answered: boolean; response: Response } {
  const request = { method, url, rawHeaders } as unknown as IncomingMessage
  return { answered: hot.answer(request, response as unknown as ServerResponse), response }
}

beforeEach(() => {
  heads = new Map([[ID, HEAD]])
  leases = 0
  asked = []
  principals.needAccount = false
  known = { kind: 'anonymous' }
  const photos = {
    openHot: (id: string) => {
      asked.push(id)
      const head = heads.get(id)
      if (head === undefined) return undefined
      leases++
      return { head, source: 'local' as const, lease: { data: Buffer.from('abc'), release: () => void leases-- } }
    }
  }
  hot = new HotPath({
    photosOf: () => photos,
    guard: new HostGuard(['photos.example']),
    ids: new RequestIds(systemRandom),
    principals
  })
})

/** Left to the normal way, untouched. */
function expectLeft({ answered, response }: ReturnType<typeof send>): void {
  expect(answered).toBe(false)
  expect([response.status, response.body, response.listenerCount('close'), leases]).toEqual([
    undefined,
    undefined,
    0,
    0
  ])
}

describe('a photo that is hot', () => {
  test('is answered whole, with its length and where it came from', () => {
    const { answered, response } = send()
    expect(answered).toBe(true)
    expect(response.status).toBe(200)
    expect(response.body).toEqual(Buffer.from('abc'))
    const headers = Object.fromEntries(
      Array.from({ length: response.headers.length / 2 }, (_, i) => response.headers.slice(2 * i, 2 * i + 2))
    )
    expect(headers).toMatchObject({
      'Content-Type': 'image/jpeg',
      'Content-Length': '3',
      ETag: '"e"',
      'X-Sheaf-Source': 'local',
      'X-Request-Id': expect.stringMatching(/^[0-9a-f]{12}-1$/)
    })
  })

  test('gives its buffer back once, when the answer has gone out or the client has', () => {
    const { response } = send()
    expect(leases).toBe(1)
    response.emit('close')
    response.emit('close')
    expect(leases).toBe(0)
  })

  test('is asked for by its id alone', () => {
    send()
    expect(asked).toEqual([ID])
  })

  test('has other headers after it was changed, and the same until then', () => {
    const [first, again] = [send(), send()].map(({ response }) => response.headers.slice(0, -1)) // all but the request's id
    expect(again).toEqual(first)
    heads.set(ID, { ...HEAD, name: 'b.jpg' })
    expect(send().response.headers.join()).toContain('b.jpg')
  })

  test.each(['photos.example', 'localhost', '127.0.0.1:8000'])('is answered to the host %s', host => {
    expect(send(undefined, ['hOsT', host]).answered).toBe(true)
  })

  test('is answered to whoever has just been here and may read, to a page of its own, too', () => {
    principals.needAccount = true
    known = { kind: 'user', userId: ID as UserId, name: 'anna', role: 'guest', via: { session: ID as SessionId } }
    const headers = ['Host', 'localhost', 'Cookie', 'sheaf_1=x', 'Sec-Fetch-Site', 'same-origin']
    expect(send(undefined, headers).answered).toBe(true)
  })

  test('is answered whatever headers there are that change nothing', () => {
    const headers = ['Host', 'localhost', 'Accept', '*/*', 'User-Agent', 'x', 'Connection', 'keep-alive']
    expect(send(undefined, headers).answered).toBe(true)
  })
})

describe('left to the normal way is', () => {
  test('a photo that is not hot', () => {
    heads.clear()
    expectLeft(send())
    expect(asked).toEqual([ID])
  })

  test.each(['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'])('%s', method => {
    expectLeft(send(undefined, undefined, method))
    expect(asked).toEqual([])
  })

  test.each([
    `/photo/${ID}?alt=thumb`,
    `/photo/${ID}/`,
    `/photo/${ID.slice(1)}`,
    `/photos/${ID.slice(1)}`,
    `/PHOTO/${ID}`,
    `/photo/`,
    '/'
  ])('%s', url => {
    expectLeft(send(url))
    expect(asked).toEqual([])
  })

  test.each([
    'Authorization',
    'Content-Length',
    'Expect',
    'If-Match',
    'If-Modified-Since',
    'If-None-Match',
    'If-Range',
    'If-Unmodified-Since',
    'Origin',
    'Range',
    'Transfer-Encoding'
  ])('a request with %s, wherever it stands', name => {
    expectLeft(send(undefined, ['Host', 'localhost', name, 'x']))
    expectLeft(send(undefined, [name.toUpperCase(), 'x', 'Host', 'localhost']))
    expect(asked).toEqual([])
  })

  test('a request of somebody who is not remembered, and of one who may not read', () => {
    principals.needAccount = true
    for (const who of [undefined, { kind: 'anonymous' } as const]) {
      known = who
      expectLeft(send())
    }
    expect(asked).toEqual([])
  })

  test.each(['cross-site', 'same-site', 'made up'])('a request that a browser says is %s', site => {
    expectLeft(send(undefined, ['Host', 'localhost', 'Sec-Fetch-Site', site]))
    expect(asked).toEqual([])
  })

  test('a foreign host, also beside one that is not', () => {
    expectLeft(send(undefined, ['Host', 'evil.example']))
    expectLeft(send(undefined, ['Host', 'localhost', 'Host', 'evil.example']))
    expect(asked).toEqual([])
  })

  test('a pipelined request, which has no socket yet', () => {
    const response = new Response()
    response.socket = null
    expectLeft(send(undefined, undefined, undefined, response))
    expect(asked).toEqual([])
  })
})
