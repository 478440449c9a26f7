import { get, type IncomingMessage } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NodeId } from '../../src/domain/ids.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { RawConnection } from '../support/raw-connection.js'

interface ServerSentEvent {
  readonly event: string | undefined
  readonly id: string | undefined
  readonly data: unknown
}

let http: HttpFixture
const streams: EventStream[] = []

beforeEach(async () => {
  http = await startHttp()
})

afterEach(async () => {
  for (const stream of streams.splice(0)) stream.leave()
  await http.close()
})

/** A client as the standard describes it, as far as Sheaf uses it. */
class EventStream {
  readonly response: IncomingMessage
  readonly #chunks: AsyncIterator<Buffer>
  #text = ''

  private constructor(response: IncomingMessage) {
    this.response = response
    this.#chunks = response[Symbol.asyncIterator]()
  }

  static async open(lastEventId?: string, query = '', authorization?: string): Promise<EventStream> {
    const headers = {
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      ...(authorization !== undefined && { authorization })
    }
    const request = get(`${http.url}/events${query}`, { agent: false, headers })
    const stream = new EventStream(
      await new Promise((resolve, reject) => request.once('response', resolve).once('error', reject))
    )
    streams.push(stream)
    return stream
  }

  /** @returns the next block, comments and retry times left out; undefined at the end */
  async next(): Promise<ServerSentEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end >= 0) {
        const lines = this.#text.slice(0, end).split('\n')
        this.#text = this.#text.slice(end + 2)
        const field = (name: string): string | undefined =>
          lines.find(line => line.startsWith(`${name}: `))?.slice(name.length + 2)
        const data = field('data')
        return { event: field('event'), id: field('id'), data: data && JSON.parse(data) }
      }
      const { done, value } = await this.#chunks.next()
      if (done) return undefined
      this.#text += value.toString()
    }
  }

  leave(): void {
    this.response.destroy()
  }
}

const upload = async (): Promise<string> =>
  (await http.client.putPhoto(Buffer.from('bytes'), 'a.bin', 'application/octet-stream')).photo_id

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

describe('GET /events', () => {
  test('tells of uploads, edits, deletes and undeletes as they happen', async () => {
    const stream = await EventStream.open()
    expect(stream.response.statusCode).toBe(200)
    expect(stream.response.headers['content-type']).toBe('text/event-stream')
    expect(stream.response.headers['cache-control']).toBe('no-store')
    expect(stream.response.headers.connection).toBe('close')
    const start = await stream.next()
    expect(start).toEqual({ event: undefined, id: expect.stringMatching(/^[0-9a-f]{16}-0$/), data: undefined })
    const id = await upload()
    await http.client.patchMeta(id, { tags: { add: ['x'] } })
    await http.client.json('DELETE', `/photo/${id}`, 200)
    await http.client.json('POST', `/photo/${id}/undelete`, 200)
    const types = ['photo.uploaded', 'photo.updated', 'photo.deleted', 'photo.uploaded']
    for (const [i, event] of types.entries()) {
      const expected = { event, id: start?.id?.replace(/0$/, `${i + 1}`), data: { photo_id: id, at: TIME } }
      expect(await stream.next()).toEqual(expected)
    }
    http.events.note('member.up', 'node' as NodeId)
    expect(await stream.next()).toMatchObject({ event: 'member.up', data: { node_id: 'node', at: TIME } })
  })

  test('resumes behind the last event id, and resets one that it does not know', async () => {
    const first = await EventStream.open()
    await first.next()
    const ids = [await upload(), await upload(), await upload()]
    const seen = await first.next()
    first.leave()
    const second = await EventStream.open(seen?.id)
    await second.next()
    expect(await second.next()).toMatchObject({ event: 'photo.uploaded', data: { photo_id: ids[1] } })
    expect(await second.next()).toMatchObject({ event: 'photo.uploaded', data: { photo_id: ids[2] } })
    const foreign = await EventStream.open('0123456789abcdef-1')
    const reset = await foreign.next()
    expect(reset).toMatchObject({ event: 'reset', data: {} })
    const next = await upload()
    expect(await foreign.next()).toMatchObject({ event: 'photo.uploaded', data: { photo_id: next } })
    const third = await EventStream.open(reset?.id)
    await third.next()
    expect(await third.next()).toMatchObject({ data: { photo_id: next } })
  })

  test('tells of jobs, and pages of many photos as one', async () => {
    const all = await EventStream.open()
    const page = await EventStream.open(undefined, '?bursts=true')
    await Promise.all([all.next(), page.next()])
    http.events.note('member.up', 'first' as NodeId)
    expect(await page.next()).toMatchObject({ event: 'member.up' })
    const ids = await Promise.all(Array.from({ length: 20 }, () => upload()))
    await http.client.json('POST', '/v1/admin/compact', 202)
    const heard: ServerSentEvent[] = []
    const isEnd = ({ event, data }: ServerSentEvent): boolean =>
      event === 'job.progress' && (data as { state: string }).state === 'done'
    for (let event = await page.next(); event !== undefined; event = await page.next()) {
      heard.push(event)
      if (isEnd(event)) break
    }
    const told = heard.map(({ event }) => event)
    const counts = heard.flatMap(({ event, data }) => (event === 'photos.changed' ? [data as { count: number }] : []))
    const singles = told.filter(name => name === 'photo.uploaded').length
    expect(counts.reduce((sum, { count }) => sum + count, singles)).toBe(ids.length)
    expect(told.length).toBeLessThan(ids.length)
    expect(heard.at(-1)?.data).toEqual({
      job_id: expect.any(String),
      kind: 'compact',
      state: 'done',
      progress: { done: 1, total: null, unit: 'volumes' },
      at: TIME
    })
    for (let i = 0; i < 21; i++) expect((await all.next())?.event).toMatch(/^(member\.up|photo\.uploaded)$/)
  })

  test('ends when the node stops, which does not wait for clients to leave', async () => {
    const stream = await EventStream.open()
    await stream.next()
    const before = performance.now()
    await http.events.stop()
    await http.server.stop()
    expect(await stream.next()).toBeUndefined()
    expect(performance.now() - before).toBeLessThan(1_500)
  })

  test('frees the place of a client that went away', async () => {
    for (let round = 0; round < 2; round++) {
      const all = await Promise.all(Array.from({ length: 256 }, () => EventStream.open()))
      expect(all.every(({ response }) => response.statusCode === 200)).toBe(true)
      const refused = await http.client.request('GET', '/events')
      expect(refused.status).toBe(503)
      expect(JSON.parse(refused.body.toString())).toMatchObject({ code: 'ERR_OVERLOADED' })
      for (const stream of all) stream.leave()
      await expect
        .poll(async () => {
          const probe = await EventStream.open()
          probe.leave()
          return probe.response.statusCode
        })
        .toBe(200)
      await expect.poll(() => http.connectionCount()).toBeLessThanOrEqual(1) // the one that was refused is kept alive
    }
  })

  test('cuts a client that takes nothing with a reset, while others go on', async () => {
    const slow = await RawConnection.open(http.port, { pauseReads: true })
    slow.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const fast = await EventStream.open()
    await fast.next()
    // More than the kernel buffers for a client that does not read, and then the whole ring once more.
    const filler = 'x'.repeat(1_000)
    let noted = 0
    for (let heard = 0; heard < 40_000; ) {
      for (let i = 0; i < 5_000; i++) http.events.note('member.up', `${filler} ${noted++}` as NodeId)
      for (; heard < noted; heard++) {
        const event = await fast.next()
        if (event?.id?.endsWith(`-${heard + 1}`) !== true) throw new Error(`${event?.id} is not the next event`)
      }
    }
    const text = await slow.untilClosed()
    expect(text).toMatch(/event: reset\nid: [0-9a-f]{16}-\d+\ndata: \{\}\n\n/)
    expect(text).not.toContain(` ${noted - 1}"`)
  })

  test('what happened last can be read, without following', async () => {
    const ids = [await upload(), await upload()]
    http.events.note('member.down', 'node' as NodeId)
    const { events } = await http.client.json<{ events: object[] }>('GET', '/events/recent?limit=2', 200)
    expect(events).toEqual([
      { id: expect.any(String), type: 'member.down', node_id: 'node', at: TIME },
      { id: expect.any(String), type: 'photo.uploaded', photo_id: ids[1], at: TIME }
    ])
    expect((await http.client.request('GET', '/events/recent?limit=1001')).status).toBe(400)
  })

  test('answers no other method', async () => {
    for (const method of ['POST', 'HEAD']) {
      expect((await http.client.request(method, '/events')).status).toBe(405)
    }
  })
})

test('whoever is logged out, or may not read any more, hears of nothing that comes after', async () => {
  const { users, sessions } = http.accounts
  const at = '192.0.2.1'
  const { id } = await users.create({ name: 'anna', role: 'admin', password: 'long enough' }, 'operator', at)
  const log = async (): Promise<{ readonly authorization: string; readonly end: () => Promise<unknown> }> => {
    const { session, token } = await sessions.login('anna', 'long enough', { address: at })
    return { authorization: `Bearer ${token.text}`, end: () => sessions.end(id, session.id) }
  }
  const [here, there] = [await log(), await log()]
  const put = async (bytes: string): Promise<void> => {
    const headers = { authorization: here.authorization, 'content-type': 'application/octet-stream' }
    const answer = await http.client.request('PUT', '/v1/photos?filename=a.bin', { body: Buffer.from(bytes), headers })
    expect(answer.status).toBe(201)
  }
  const [kept, ended] = [
    await EventStream.open(undefined, '', here.authorization),
    await EventStream.open(undefined, '', there.authorization)
  ]
  for (const stream of [kept, ended]) await stream.next()
  await put('one')
  for (const stream of [kept, ended]) expect(await stream.next()).toMatchObject({ event: 'photo.uploaded' })
  await there.end()
  await put('two')
  expect(await kept.next()).toMatchObject({ event: 'photo.uploaded' })
  expect(await ended.next()).toBeUndefined()
})
