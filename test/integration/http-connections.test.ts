import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { deferred } from '../support/deferred.js'
import { type HttpFixture, wrapped } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { RawConnection } from '../support/raw-connection.js'
import { answersOf, get, pattern, put } from '../support/raw-requests.js'
import { untilStill } from '../support/until.js'

const { http, restart, putPhoto } = httpForEachTest()

describe('a client that goes away', () => {
  test('amid a raw upload: nothing is stored, nothing hangs', async () => {
    const connection = await RawConnection.open(http.port)
    connection.write(put(100_000)).write(pattern(50_000, 1))
    await expect.poll(() => http.server.address()).toBeDefined()
    connection.destroy()
    await http.server.stop()
    expect(http.store.needles.length).toBe(0)
  })

  test('amid a raw upload by half-closing: it is told', async () => {
    const connection = await RawConnection.open(http.port)
    connection.write(put(100)).write('only this')
    connection.socket.end()
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 400 [\s\S]*ERR_TRUNCATED_BODY/)
    expect(http.store.needles.length).toBe(0)
  })

  test('amid a chunked upload: nothing is stored', async () => {
    const connection = await RawConnection.open(http.port)
    connection.write('PUT /v1/photos HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbytes\r\n')
    connection.socket.end()
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 400 [\s\S]*ERR_TRUNCATED_BODY/)
    expect(http.store.needles.length).toBe(0)
  })

  test('amid a chunked upload, without a word: nothing is stored', async () => {
    let ended = 0
    const upload: HttpFixture['photos']['upload'] = async (body, options) => {
      try {
        return await http.photos.upload(body, options)
      } finally {
        ended++
      }
    }
    await restart({ photos: photos => wrapped(photos, { upload }) })
    const connection = await RawConnection.open(http.port)
    connection.write(
      'PUT /v1/photos HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n'
    )
    await connection.untilText('100 Continue')
    connection.write('5\r\nbytes\r\n')
    connection.destroy()
    await expect.poll(() => ended).toBe(1)
    expect(http.store.needles.length).toBe(0)
  })

  test('amid a form: nothing is stored', async () => {
    const form = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nbytes'
    const connection = await RawConnection.open(http.port)
    const head = 'POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n'
    connection.write(`${head}Content-Length: 1000\r\n\r\n${form}`)
    connection.socket.end()
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 400 [\s\S]*ERR_TRUNCATED_BODY/)
    expect(http.store.needles.length).toBe(0)
  })

  test('amid hot answers: every buffer goes back once', async () => {
    const id = await putPhoto(pattern(250_000, 1))
    await http.client.photo(id)
    for (let i = 0; i < 10; i++) {
      const connection = await RawConnection.open(http.port, { pauseReads: true })
      // One after the other, until the kernel takes no more: a pipelined request would not be answered the hot way.
      while (http.store.leases === 0) {
        const arrived = once(http.nodeServer, 'request')
        connection.write(get(`/photo/${id}`))
        await arrived
        await untilStill('the answer', 5_000, () => http.store.leases)
      }
      connection.destroy()
      await expect.poll(() => http.store.leases).toBe(0)
    }
  })

  test('amid a long answer: what reads the bytes is closed', async () => {
    let opened = 0
    let closed = 0
    const open: HttpFixture['photos']['open'] = async (id, alt) => ({
      ...(await http.photos.open(id, alt)),
      stream: async function* () {
        opened++
        try {
          for (;;) yield pattern(65_536, 1)
        } finally {
          closed++
        }
      }
    })
    await restart({ photos: photos => wrapped(photos, { open, openHot: () => undefined }) })
    const id = await putPhoto(pattern(100, 1))
    // those behind the first have to wait for it, and cost nothing
    for (const count of [1, 2, 1_000]) {
      const connection = await RawConnection.open(http.port, { pauseReads: true })
      connection.write(get(`/photo/${id}`).repeat(count))
      await expect.poll(() => opened).toBe(1)
      await http.client.request('GET', '/health')
      connection.destroy()
      await expect.poll(() => closed).toBe(1)
      expect(opened).toBe(1)
      opened = closed = 0
    }
  })

  test('amid a long answer: the reading of bytes stops', async () => {
    await restart({ chunkBytes: 65_536 })
    const id = await putPhoto(pattern(30_000_000, 1))
    const before = http.store.reads
    const connection = await RawConnection.open(http.port, { pauseReads: true })
    connection.write(get(`/photo/${id}`))
    await expect.poll(() => http.store.reads).toBeGreaterThan(before)
    connection.destroy()
    await http.server.stop()
    expect(http.store.reads - before).toBeLessThan(30_000_000 / 65_536)
  })
})

describe('a slow client', () => {
  test('whose body stalls gets 408, and the connection ends', async () => {
    await restart({ timeouts: { bodyStallMs: 100, lingerMs: 100 } })
    const connection = await RawConnection.open(http.port)
    connection.write(put(100)).write('some')
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 408 [\s\S]*ERR_REQUEST_TIMEOUT/)
    expect(http.store.needles.length).toBe(0)
  })

  test('keeps no other from uploading, however many there are and however much they said they would send', async () => {
    await restart({ maxUploadBytes: 2 ** 30 })
    const slow = await Promise.all(Array.from({ length: 80 }, () => RawConnection.open(http.port)))
    for (const connection of slow) connection.write(put(100_000_000)).write('some')
    await http.client.request('GET', '/health')
    const answer = await http.client.request('PUT', '/v1/photos', { body: pattern(3_000_000, 1) })
    expect(answer.status).toBe(201)
    for (const connection of slow) connection.destroy()
  })

  test('whose JSON or form stalls gets 408 as well', async () => {
    await restart({ timeouts: { bodyStallMs: 100, lingerMs: 100 } })
    const length = 'Host: localhost\r\nContent-Length: 1000\r\n'
    for (const head of [
      `POST /v1/photos/batch HTTP/1.1\r\n${length}Content-Type: application/json\r\n\r\n{`,
      `POST /upload HTTP/1.1\r\n${length}Content-Type: multipart/form-data; boundary=b\r\n\r\n--b`,
      `DELETE /photo/x HTTP/1.1\r\n${length}Content-Type: text/plain\r\n\r\n{`
    ]) {
      const connection = await RawConnection.open(http.port)
      connection.write(head)
      expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 408 /)
    }
  })

  test('whose body trickles, but moves, is waited for', async () => {
    await restart({ timeouts: { bodyStallMs: 500, lingerMs: 100 } })
    const connection = await RawConnection.open(http.port)
    connection.write('PUT /v1/photos HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
    let size = 0
    // Longer than two that stall are waited for, one after the other.
    for (let i = 0; i < 2; i++) {
      const stalled = await RawConnection.open(http.port)
      stalled.write(put(100)).write('some')
      void stalled.untilClosed()
      for (; !stalled.isClosed; size++) {
        connection.write('1\r\nx\r\n')
        await http.client.request('GET', '/health')
      }
      expect(stalled.text).toMatch(/^HTTP\/1.1 408 /)
    }
    connection.write('0\r\n\r\n')
    await connection.untilText(`"size":${size}`)
    connection.destroy()
  })

  test('is not blamed for a slow disk', async () => {
    await restart({ timeouts: { bodyStallMs: 500, answerStallMs: 500, lingerMs: 100 }, chunkBytes: 65_536 })
    const body = pattern(3_000_000, 1)
    const held: (() => void)[] = []
    http.store.beforeAppend = () => new Promise(resolve => held.push(resolve))
    // One whose body is not read on, one whose body has been read and whose answer takes long.
    const sizes = [body.length, 5]
    const connections = await Promise.all(sizes.map(() => RawConnection.open(http.port)))
    for (const [i, connection] of connections.entries()) {
      connection.write(put(sizes[i]!)).write(body.subarray(0, sizes[i]))
    }
    await expect.poll(() => held.length).toBe(1)
    // Longer than others are waited for, again and again: one whose body stalls, one that says nothing at all.
    for (let i = 0; i < 3; i++) {
      const [stalled, mute] = await Promise.all([RawConnection.open(http.port), RawConnection.open(http.port)])
      stalled.write(put(100)).write('some')
      expect(await stalled.untilClosed()).toMatch(/^HTTP\/1.1 408 /)
      await mute.untilClosed()
    }
    expect(connections.map(connection => [connection.text, connection.isClosed])).toEqual([
      ['', false],
      ['', false]
    ])
    http.store.beforeAppend = () => Promise.resolve()
    held[0]?.()
    for (const [i, connection] of connections.entries()) {
      await connection.untilText(`"size":${sizes[i]}`)
      connection.destroy()
    }
  })

  test('that takes nothing of its answer is cut, hot and cold', async () => {
    await restart({ timeouts: { answerStallMs: 150 } })
    const small = await putPhoto(pattern(250_000, 1))
    const big = await putPhoto(pattern(8_000_000, 1))
    await http.client.photo(small)
    for (const request of [get(`/photo/${small}`).repeat(60), get(`/photo/${big}`)]) {
      const connection = await RawConnection.open(http.port, { pauseReads: true })
      connection.write(request)
      // a connection of the client's own may be cut or there still
      await expect.poll(() => http.connectionCount()).toBeLessThanOrEqual(1)
      await expect.poll(() => http.store.leases).toBe(0)
      connection.destroy()
    }
  })

  test('whose headers do not end is cut', async () => {
    await restart({ timeouts: { headersMs: 200 } })
    const connection = await RawConnection.open(http.port)
    connection.write('GET / HTTP/1.1\r\nHost: loc')
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 408 [\s\S]*ERR_REQUEST_TIMEOUT/)
  })

  test('that asks nothing more is let go', async () => {
    await restart({ timeouts: { keepAliveMs: 100 } })
    const connection = await RawConnection.open(http.port)
    connection.write(get('/health'))
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 200 /)
  })
})

describe('back pressure', () => {
  test('an upload is not read faster than it is stored', async () => {
    await restart({ chunkBytes: 65_536 })
    let appends = 0
    http.store.beforeAppend = () => {
      appends++
      return new Promise(() => {})
    }
    const connection = await RawConnection.open(http.port)
    connection.write(put(200_000_000))
    const piece = pattern(1_000_000, 1)
    let accepted = 0
    const pump = (): void => {
      while (accepted < 100_000_000 && connection.socket.write(piece)) accepted += piece.length
    }
    connection.socket.on('drain', pump)
    pump()
    await expect.poll(() => appends).toBe(1)
    await untilStill('what the server accepts', 20_000, () => accepted)
    // What the kernel and the buffers on both sides hold; a server without back pressure takes all of it.
    expect(accepted).toBeLessThan(30_000_000)
    connection.destroy()
  })

  test('a download is not read faster than it is sent', async () => {
    await restart({ chunkBytes: 65_536 })
    const id = await putPhoto(pattern(60_000_000, 1))
    const before = http.store.reads
    const connection = await RawConnection.open(http.port, { pauseReads: true })
    connection.write(get(`/photo/${id}`))
    await expect.poll(() => http.store.reads).toBeGreaterThan(before)
    await untilStill('what is read', 20_000, () => http.store.reads)
    expect((http.store.reads - before) * 65_536).toBeLessThan(20_000_000)
    connection.destroy()
  })

  test('a dump is not made faster than it is sent', async () => {
    let made = 0
    const dump = async function* (): AsyncGenerator<never> {
      for (; made < 100_000; made++) yield { photo: { ...photo, caption: 'x'.repeat(1_000) }, albums } as never
    }
    await restart({ photos: photos => wrapped(photos, { dump }) })
    const id = await putPhoto(pattern(10, 1))
    const { photo, albums } = await http.photos.meta(id as never)
    const connection = await RawConnection.open(http.port, { pauseReads: true })
    connection.write(get('/sync/full-dump'))
    await expect.poll(() => made).toBeGreaterThan(0)
    await untilStill('what is made', 20_000, () => made)
    expect(made).toBeLessThan(30_000)
    connection.destroy()
  })

  test('slow and pipelined readers of hot photos get the right bytes', async () => {
    const bodies = Array.from({ length: 8 }, (_, i) => pattern(200_000 + i, i))
    const ids: string[] = []
    for (const body of bodies) ids.push(await putPhoto(body))
    for (const id of ids) await http.client.photo(id)
    const readers = Array.from({ length: 4 }, async (_, reader) => {
      const order = Array.from({ length: 24 }, (_, i) => (i * 5 + reader) % ids.length)
      const connection = await RawConnection.open(http.port, { pauseReads: true })
      connection.write(order.map(i => get(`/photo/${ids[i]}`)).join(''))
      for (let i = 0; i < 10; i++) {
        const piece = once(connection.socket, 'data')
        connection.socket.resume()
        await piece
        connection.socket.pause()
        await untilStill('what the server sends', 20_000, () => http.store.reads)
      }
      connection.socket.resume()
      await connection.until(() => answersOf(connection.received).length === order.length)
      const wrong = answersOf(connection.received).filter((answer, i) => !answer.body.equals(bodies[order[i]!]!))
      connection.destroy()
      return wrong.length
    })
    expect(await Promise.all(readers)).toEqual([0, 0, 0, 0])
    await expect.poll(() => http.store.leases).toBe(0)
  })
})

describe('dear requests', () => {
  test('are worked on a few at a time, and not at all for clients that left', async () => {
    const begun: string[] = []
    const end = deferred<void>()
    const left: string[] = []
    const list: HttpFixture['photos']['list'] = async (query, signal) => {
      const { tag = '' } = query
      begun.push(tag)
      signal?.addEventListener('abort', () => left.push(tag))
      await end.promise
      return http.photos.list({})
    }
    await restart({ photos: photos => wrapped(photos, { list }) })
    const ask = async (path: string): Promise<RawConnection> =>
      (await RawConnection.open(http.port)).write(get(path, 'Connection: close\r\n'))
    const clients: RawConnection[] = []
    for (let i = 0; i < 20; i++) {
      const arrived = once(http.nodeServer, 'request')
      clients.push(await ask(`/photos?tag=${i}`))
      await arrived
    }
    await expect.poll(() => begun).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
    const counting = await ask('/photos?tag=all&count=exact')
    await expect.poll(() => begun).toContain('all')
    for (const i of [0, ...Array.from({ length: 11 }, (_, i) => i + 8)]) clients[i]?.destroy()
    await expect.poll(() => left).toEqual(['0'])
    end.resolve()
    for (const i of [1, 7, 19]) expect(await clients[i]?.untilClosed()).toMatch(/^HTTP\/1.1 200 /)
    expect(await counting.untilClosed()).toMatch(/^HTTP\/1.1 200 /)
    expect(begun.slice(8)).toEqual(['all', '19'])
  })
})

describe('one connection', () => {
  test('pipelined requests of all kinds are answered in order', async () => {
    const id = await putPhoto(Buffer.from('hello'))
    const connection = await RawConnection.open(http.port)
    const requests = [
      get(`/photo/${id}`),
      get('/nope'),
      get(`/photo/${id}`, 'Range: bytes=0-1\r\n'),
      `${put(3)}abc`,
      get('/health')
    ]
    connection.write(requests.join(''))
    await connection.until(() => answersOf(connection.received).length === 5)
    expect(answersOf(connection.received).map(answer => answer.status)).toEqual([200, 404, 206, 201, 200])
    connection.destroy()
  })

  test('takes any number of requests at once, and works on one after the other', async () => {
    let running = 0
    let mostRunning = 0
    const list: HttpFixture['photos']['list'] = async query => {
      mostRunning = Math.max(mostRunning, ++running)
      const page = await http.photos.list(query)
      running--
      return page
    }
    await restart({ photos: photos => wrapped(photos, { list }) })
    await putPhoto(pattern(10, 1))
    const connection = await RawConnection.open(http.port)
    connection.write(`${put(3)}abc${get('/photos?limit=1000')}`.repeat(200))
    await connection.until(() => answersOf(connection.received).length === 400)
    expect(mostRunning).toBe(1)
    expect(answersOf(connection.received).map(({ status }) => status)).toEqual(Array(200).fill([201, 200]).flat())
    connection.write(get('/health'))
    await connection.until(() => answersOf(connection.received).length === 401)
    connection.destroy()
  })

  test('goes on after a refusal whose body was read', async () => {
    const connection = await RawConnection.open(http.port)
    const body = '{"nope":1}'
    const head = 'POST /v1/photos/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    connection.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    await connection.untilText('ERR_BAD_PARAMETER')
    connection.write(get('/health'))
    await connection.untilText('"ok"')
    connection.destroy()
  })

  test.each([
    ['by its length', put(500_000_000)],
    [
      'by its first bytes',
      'POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '40000000\r\n--b\r\nContent-Disposition: form-data; name="nope"\r\n\r\n'
    ]
  ])(
    'a body refused %s is answered at once, the rest drained for a while, then the connection ends',
    async (_, request) => {
      await restart({ maxUploadBytes: 1_000, timeouts: { lingerMs: 3_000 } })
      const connection = await RawConnection.open(http.port)
      connection.write(request)
      await connection.untilText('"code"')
      expect(connection.text).toMatch(/^HTTP\/1.1 4\d\d [\s\S]*connection: close/i)
      // More than all buffers between here and there.
      const rest = pattern(30_000_000, 1)
      await new Promise<void>((resolve, reject) =>
        connection.socket.write(rest, err => (err ? reject(err) : resolve()))
      )
      await connection.untilClosed()
      expect(connection.text.match(/HTTP\/1.1/g)?.length).toBe(1)
    }
  )

  test('Expect: 100-continue is told to go on, unless there is no use', async () => {
    await restart({ maxUploadBytes: 1_000 })
    const welcome = await RawConnection.open(http.port)
    welcome.write(put(5, 'Expect: 100-continue\r\n'))
    await welcome.untilText('HTTP/1.1 100 Continue')
    welcome.write('hello')
    await welcome.untilText('HTTP/1.1 201 Created')
    welcome.destroy()
    const refused = await RawConnection.open(http.port)
    refused.write(put(5_000, 'Expect: 100-continue\r\n'))
    await refused.untilText('ERR_TOO_LARGE')
    expect(refused.text).toMatch(/^HTTP\/1.1 413 /)
    refused.destroy()
  })

  test.each([
    ['nonsense', 'hello\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two lengths', 'PUT /v1/photos HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx', 400],
    [
      'length and chunks',
      'PUT /v1/photos HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400
    ],
    ['a negative length', 'PUT /v1/photos HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', 400],
    ['a length in hex', 'PUT /v1/photos HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello', 400],
    ['a malformed chunk', 'PUT /v1/photos HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
    ['long headers', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['another protocol', 'GET / HTTP/3.7\r\nHost: a\r\n\r\n', 400]
  ])('%s: a problem and the end', async (_, request, status) => {
    const connection = await RawConnection.open(http.port)
    connection.write(request)
    connection.socket.end()
    const text = await connection.untilClosed()
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(http.store.needles.length).toBe(0)
  })

  test('garbage behind a request that runs neither replaces its answer nor gets into it', async () => {
    const body = pattern(3_000_000, 1)
    const id = await putPhoto(body)
    const connection = await RawConnection.open(http.port, { pauseReads: true })
    const refused = once(http.nodeServer, 'clientError')
    connection.write(`${get(`/photo/${id}`)}garbage\r\n\r\n`)
    await refused
    await connection.untilClosed()
    expect(answersOf(connection.received).map(answer => answer.body.equals(body))).toEqual([true])
  })
})
