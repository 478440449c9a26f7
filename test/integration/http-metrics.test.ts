import { request } from 'node:http'
import { describe, expect, test } from 'vitest'
import { httpForEachTest } from '../support/http-for-each-test.js'

const TOKEN = 'a-token-of-some-length'

const { http, restart, putPhoto } = httpForEachTest()

interface Got {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

function get(path: string, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    request({ port: http.port, path, headers }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', piece => {
        text += piece
      })
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }))
    })
      .on('error', reject)
      .end()
  })
}

/** @returns the values of a scrape by series */
async function scrape(): Promise<Map<string, number>> {
  const { text } = await get('/metrics')
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

describe('GET /metrics', () => {
  test('is the text format of Prometheus, under any host name', async () => {
    const { status, headers, text } = await get('/metrics', { host: 'node.example.org:8000' })
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    expect(text).toMatch(/^# HELP /)
    expect(text).toMatch(/\n$/)
  })

  test('counts requests by route, hot reads included, and what was refused by code', async () => {
    const id = await putPhoto(Buffer.from('bytes'))
    for (let i = 0; i < 3; i++) await get(`/photo/${id}`)
    await get('/photo/nonsense')
    await get('/no/such/path')
    const values = await scrape()
    const count = (labels: string): number | undefined => values.get(`sheaf_http_requests_total{${labels}}`)
    expect(count('route="/photo/:id",method="GET",status="2xx"')).toBe(3)
    expect(count('route="/photo/:id",method="GET",status="4xx"')).toBe(1)
    expect(count('route="none",method="any",status="4xx"')).toBe(1)
    expect(values.get('sheaf_http_request_duration_seconds_count{route="/photo/:id"}')).toBe(4)
    expect(values.get('sheaf_http_problems_total{code="ERR_BAD_ID"}')).toBe(1)
    expect(values.get('sheaf_http_problems_total{code="ERR_NOT_FOUND"}')).toBe(1)
    expect(values.get('sheaf_http_requests_in_flight')).toBe(1)
  })

  test('counts answers that were cut', async () => {
    const follower = request({ port: http.port, path: '/events' })
    await new Promise<void>((resolve, reject) => {
      follower.on('response', answer => {
        answer.on('error', () => {}).resume()
        resolve()
      })
      follower.on('error', reject).end()
    })
    expect((await scrape()).get('sheaf_http_requests_in_flight')).toBe(2)
    follower.destroy()
    const cut = 'sheaf_http_requests_total{route="/events",method="GET",status="cut"}'
    let values = await scrape()
    while (!values.has(cut)) values = await scrape()
    expect(values.get('sheaf_http_requests_in_flight')).toBe(1)
  })

  test('is not for web pages of elsewhere', async () => {
    expect((await get('/metrics', { origin: 'http://elsewhere.example' })).status).toBe(403)
  })

  test('asks for the token, where there is one', async () => {
    await restart({ metricsToken: TOKEN })
    const refused = await get('/metrics')
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer'])
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'ERR_METRICS_TOKEN' })
    for (const authorization of [`Bearer ${TOKEN}x`, `Basic ${TOKEN}`, 'Bearer', TOKEN])
      expect((await get('/metrics', { authorization })).status).toBe(401)
    expect((await get('/metrics', { authorization: `bearer ${TOKEN}` })).status).toBe(200)
    expect((await get('/status')).status).toBe(200)
  })
})

test('health is told under any host name, and nothing else is', async () => {
  const headers = { host: 'node.example.org:8000' }
  for (const path of ['/health', '/health/live', '/health/ready']) expect((await get(path, headers)).status).toBe(200)
  expect((await get('/status', headers)).status).toBe(403)
})
