import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { type HttpFixture, wrapped } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { RawConnection } from '../support/raw-connection.js'
import { get, pattern, put } from '../support/raw-requests.js'

const { http, restart, putPhoto } = httpForEachTest()

describe('defects', () => {
  test('an unknown error is 500 without its text', async () => {
    const meta = (): never => {
      throw new Error('/secret/path')
    }
    await restart({ photos: photos => wrapped(photos, { meta }) })
    const answer = await http.client.meta('01890000-0000-7000-8000-000000000000')
    expect(answer.status).toBe(500)
    expect(answer.body.toString()).toContain('ERR_INTERNAL')
    expect(answer.body.toString()).not.toContain('secret')
  })

  test('bytes that turn out damaged amid an answer cut it short of its length', async () => {
    await restart({ chunkBytes: 65_536 })
    const id = await putPhoto(pattern(1_000_000, 1))
    http.store.damage(needle => needle.identity.chunk === 9)
    await expect(http.client.photo(id)).rejects.toThrow()
    expect((await http.client.request('GET', '/health')).status).toBe(200)
  })
})

describe('an answer shorter than announced', () => {
  test('is cut, so that nobody waits for the rest or takes the next answer for it', async () => {
    const open: HttpFixture['photos']['open'] = async (id, alt) => ({
      ...(await http.photos.open(id, alt)),
      stream: async function* () {
        yield Buffer.from('short')
      }
    })
    await restart({ photos: photos => wrapped(photos, { open, openHot: () => undefined }) })
    const id = await putPhoto(pattern(100, 1))
    await expect(http.client.photo(id)).rejects.toThrow()
  })
})

describe('stopping', () => {
  test('idle connections close at once, a running request ends first, a new one is refused', async () => {
    const deadlineMs = 10_000
    await restart({ stopMsMax: deadlineMs })
    const held: (() => void)[] = []
    http.store.beforeAppend = () => new Promise(resolve => held.push(resolve))
    const idle = await RawConnection.open(http.port)
    idle.write(get('/health'))
    await idle.untilText('"ok"')
    const running = await RawConnection.open(http.port)
    running.write(`${put(5)}hello`)
    await expect.poll(() => held.length).toBe(1)
    const busy = await RawConnection.open(http.port)
    busy.write(put(10, 'Expect: 100-continue\r\n'))
    await busy.untilText('100 Continue')
    const begin = performance.now()
    const stopped = http.server.stop()
    await idle.untilClosed()
    await expect(RawConnection.open(http.port)).rejects.toThrow()
    held.shift()?.()
    await running.untilText('201 Created')
    busy.write('helloworld')
    await expect.poll(() => held.length).toBe(1)
    held.shift()?.()
    await busy.untilText('201 Created')
    await stopped
    expect(performance.now() - begin).toBeLessThan(deadlineMs)
    expect(http.store.needles.length).toBe(4)
  })

  test('a request on a connection that is still busy is refused', async () => {
    const held: (() => void)[] = []
    http.store.beforeAppend = () => new Promise(resolve => held.push(resolve))
    const connection = await RawConnection.open(http.port)
    connection.write(`${put(5)}hello`)
    await expect.poll(() => held.length).toBe(1)
    const stopped = http.server.stop()
    const arrived = once(http.nodeServer, 'request')
    connection.write(`${put(5)}world`)
    await arrived
    held.shift()?.()
    expect(await connection.untilClosed()).toMatch(/^HTTP\/1.1 201 [\s\S]*HTTP\/1.1 503 [\s\S]*ERR_STOPPING/)
    await stopped
    expect(http.store.needles.length).toBe(2)
  })

  test('what does not end before the deadline is cut, and half an upload is not taken for a whole one', async () => {
    let ended = 0
    const upload: HttpFixture['photos']['upload'] = async (body, options) => {
      try {
        return await http.photos.upload(body, options)
      } finally {
        ended++
      }
    }
    await restart({ stopMsMax: 200, photos: photos => wrapped(photos, { upload }) })
    const connection = await RawConnection.open(http.port)
    const head = 'Host: localhost\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n'
    connection.write(`PUT /v1/photos HTTP/1.1\r\n${head}\r\n`)
    await connection.untilText('100 Continue')
    connection.write('5\r\nhello\r\n')
    await http.server.stop()
    await connection.untilClosed()
    await expect.poll(() => ended).toBe(1)
    expect(http.store.needles.length).toBe(0)
  })

  test('a port in use is named', async () => {
    const { HttpServer } = await import('../../src/http/wire/server.js')
    const { systemClock } = await import('../../src/core/clock.js')
    const { silentLog } = await import('../../src/core/log.js')
    const { createServer } = await import('node:http')
    const second = new HttpServer(
      { app: { createServer: () => createServer(), close: async () => {} }, clock: systemClock, log: silentLog },
      { listen: [{ host: '127.0.0.1', port: http.port }] }
    )
    await expect(second.start()).rejects.toMatchObject({ code: 'ERR_ADDRESS_IN_USE' })
    await second.stop()
  })
})
