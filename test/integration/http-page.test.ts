import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Logger } from '../../src/core/log.js'
import { silentLog } from '../../src/core/log.js'
import { codeOf } from '../support/http-answers.js'
import { httpForEachTest } from '../support/http-for-each-test.js'

const { http, restart } = httpForEachTest()

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  http.client.request(method, path, { headers })

/** Addresses of what a page needs, as it names them. */
async function assetsOf(): Promise<string[]> {
  const text = (await get('/')).body.toString()
  return [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
}

test('GET / is a page, packed as the browser likes it, with an ETag for each form', async () => {
  const plain = await get('/')
  expect([plain.status, plain.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
  expect(plain.headers['content-encoding']).toBeUndefined()
  const br = await get('/', { 'accept-encoding': 'gzip, deflate, br, zstd' })
  expect(br.headers['content-encoding']).toBe('br')
  expect(brotliDecompressSync(br.body)).toEqual(plain.body)
  const gzip = await get('/', { 'accept-encoding': 'gzip, br;q=0' })
  expect(gzip.headers['content-encoding']).toBe('gzip')
  expect(gunzipSync(gzip.body)).toEqual(plain.body)
  const tags = [plain, br, gzip].map(({ headers }) => headers.etag)
  expect(new Set(tags).size).toBe(3)
  for (const tag of tags) expect(tag).toMatch(/^"[0-9a-f]{32}"$/)
  for (const { headers } of [plain, br, gzip]) expect(headers.vary).toBe('accept-encoding')
})

test('the page is asked for each time, and is not sent again when it is the same', async () => {
  const { headers } = await get('/')
  expect(headers['cache-control']).toBe('no-cache')
  const again = await get('/', { 'if-none-match': String(headers.etag) })
  expect([again.status, again.body.length, again.headers['cache-control']]).toEqual([304, 0, 'no-cache'])
  const head = await get('/', {}, 'HEAD')
  expect([head.status, head.body.length]).toEqual([200, 0])
})

test('what it consists of is kept for ever, and is all there', async () => {
  const assets = await assetsOf()
  expect(assets.map(path => path.replace(/^.*\.(\w+)$/, '$1')).sort()).toEqual(['css', 'js', 'svg'])
  for (const path of assets) {
    expect(path).toMatch(/^\/assets\/[\w-]+-[\w-]{8}\.\w+$/)
    const { status, headers, body } = await get(path, { 'accept-encoding': 'br' })
    expect([path, status, body.length > 50]).toEqual([path, 200, true])
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['cross-origin-resource-policy']).toBe('same-origin')
  }
})

test('its policy lets nothing in from elsewhere, no markup out of texts, and no frame around it', async () => {
  const { headers } = await get('/')
  const policy = String(headers['content-security-policy']).split('; ')
  for (const rule of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types sheaf'
  ])
    expect(policy).toContain(rule)
  expect(policy.join()).not.toMatch(/unsafe|https?:|\*|data:|upgrade/)
  expect(headers['referrer-policy']).toBe('same-origin')
  expect(headers['x-frame-options']).toBe('DENY')
  expect(headers['permissions-policy']).toContain('camera=()')
  expect(headers['strict-transport-security']).toBeUndefined()
})

test('a part of another build is 404, and no path leads to other files', async () => {
  for (const path of [
    '/assets/index-00000000.js',
    '/assets/index.html',
    '/assets/files.json',
    '/assets/',
    '/assets/..%2f..%2fmain.js',
    '/assets/../../package.json',
    '/assets/x/y.js'
  ])
    expect(codeOf(await get(path)), path).toBe('404 ERR_NOT_FOUND')
  const [script = ''] = (await assetsOf()).filter(path => path.endsWith('.js'))
  for (const ending of ['.br', '.gz']) expect(codeOf(await get(script + ending))).toBe('404 ERR_NOT_FOUND')
})

test('foreign pages get neither the page nor its parts, but links to it work', async () => {
  const site = { 'sec-fetch-site': 'cross-site' }
  expect(codeOf(await get('/', { ...site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }))).toBe(
    '403 ERR_FOREIGN_ORIGIN'
  )
  const link = await get('/', { ...site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' })
  expect(link.status).toBe(200)
  const [asset = ''] = await assetsOf()
  expect(codeOf(await get(asset, { ...site, 'sec-fetch-mode': 'no-cors' }))).toBe('403 ERR_FOREIGN_ORIGIN')
  expect(codeOf(await get('/', { host: 'evil.example' }))).toBe('403 ERR_FOREIGN_ORIGIN')
  for (const host of ['photos.local', 'nas.home.arpa:8000']) expect((await get('/', { host })).status).toBe(200)
})

test('photos may be shown on pages of the same origin only, on the hot path as well', async () => {
  const { photo_id: id } = await http.client.json<{ photo_id: string }>('PUT', '/v1/photos?filename=a.txt', 201, {
    body: Buffer.from('text')
  })
  for (const headers of [{}, {}, { 'sec-fetch-site': 'same-origin' }])
    expect((await get(`/photo/${id}`, headers)).headers['cross-origin-resource-policy']).toBe('same-origin')
})

test('other methods on / are 405', async () => {
  const answer = await get('/', {}, 'POST')
  expect(codeOf(answer)).toBe('405 ERR_METHOD_NOT_ALLOWED')
  expect(answer.headers.allow).toBe('GET, HEAD')
})

test.each([
  ['not built', async () => undefined],
  ['built in part', async (path: string) => (path === 'page/files.json' ? Buffer.from('["index.html"]') : undefined)],
  ['with names of its own', async () => Buffer.from('["../../main.js"]')]
])('an installation with a page %s answers 404, says so once, and does all else', async (_, webFile) => {
  const warnings: string[] = []
  const log: Logger = { ...silentLog, warn: (__, message) => warnings.push(message) }
  await restart({ webFile, log })
  for (let i = 0; i < 2; i++) expect(codeOf(await get('/'))).toBe('404 ERR_NOT_FOUND')
  expect(codeOf(await get('/assets/index-00000000.js'))).toBe('404 ERR_NOT_FOUND')
  expect(warnings.filter(it => it.includes('web page'))).toHaveLength(1)
  expect((await get('/health')).status).toBe(200)
})
