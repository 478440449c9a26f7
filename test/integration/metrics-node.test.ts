import { mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { METRICS } from '../../src/core/metric-families.js'
import { CREDENTIALS, FakeS3 } from '../support/fake-s3.js'
import { NodeProcess, REPOSITORY, sheaf, temporaryFolder } from '../support/node-process.js'
import { until } from '../support/until.js'

const TLS = `${REPOSITORY}test/fixtures/tls/`
const TOKEN = 'a-token-of-some-length'
/** Only with a model, after something went wrong, or after the first minute of a node. */
const EXCEPT = [
  'sheaf_index_coverage_ratio',
  'sheaf_connections_refused_total',
  'sheaf_rpc_refused_total',
  'sheaf_http_problems_total',
  'sheaf_purged_to_age_seconds',
  'sheaf_scrub_age_seconds',
  'sheaf_scrub_progress_ratio',
  'sheaf_repair_eta_seconds'
]
/** Only with an archive, after a backup, or with HTTPS. */
const OF_SAFEKEEPING = Object.keys(METRICS).filter(name => /^sheaf_(archive|backup|certificate)_/.test(name))

let folder: ReturnType<typeof temporaryFolder>
const nodes: NodeProcess[] = []

beforeEach(() => {
  folder = temporaryFolder('metrics')
})

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.kill9()
  folder.remove()
})

async function start(name: string, ...flags: readonly string[]): Promise<NodeProcess> {
  const dataDir = join(folder.path, name)
  mkdirSync(dataDir, { recursive: true })
  const node = await NodeProcess.start({ dataDir, flags })
  nodes.push(node)
  return node
}

/** @returns the flags of a node with this archive */
function archiveAt({ endpoint }: FakeS3): string[] {
  const credentials = join(folder.path, 's3')
  writeFileSync(credentials, `${CREDENTIALS.accessKeyId}\n${CREDENTIALS.secretAccessKey}\n`)
  return ['--archive-endpoint', endpoint, '--archive-bucket', 'photos', '--archive-credentials', credentials]
}

async function scrape(url: string): Promise<string> {
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  return await answer.text()
}

/** Over the node's Unix socket, which needs no trust in its certificate. */
function scrapeSocket(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: '/metrics' }, answer => void textOf(answer).then(resolve, reject))
    asked.once('error', reject).end()
  })
}

/** @returns the value of a series without labels */
function plainValue(text: string, series: string): number | undefined {
  const line = text.split('\n').find(line => line.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length))
}

test('two nodes show every metric that does not need a fault or a model', async () => {
  const first = await start('1')
  const second = await start('2', '--join', first.p2p)
  const url = `${first.url}/metrics`
  const put = await fetch(`${second.url}/v1/photos?filename=a.txt`, { method: 'PUT', body: 'bytes' })
  expect(put.status).toBe(201)
  await until('the photo arrives', 90_000, async () => plainValue(await scrape(url), 'sheaf_photos') === 1)
  const shownIn = (text: string, name: string): boolean => text.includes(`# TYPE ${name} `)
  const missingIn = (text: string): string[] =>
    Object.keys(METRICS).filter(name => ![...EXCEPT, ...OF_SAFEKEEPING].includes(name) && !shownIn(text, name))
  let text = await scrape(url)
  // what needs a heartbeat, a comparison or a second scrape comes a moment later
  await until(`all is shown, not only without ${missingIn(text)}`, 90_000, async () => {
    text = await scrape(url)
    return missingIn(text).length === 0
  })
  expect(text).toMatch(/^sheaf_members\{state="alive"\} 2$/m)
  expect(text).toMatch(/^sheaf_build_info\{version="[^"]+",record_format="\d+",node="[^"]+"\} 1$/m)
  expect(plainValue(text, 'sheaf_scrape_faults_total')).toBe(0)
  expect(OF_SAFEKEEPING).toHaveLength(6)
  expect(OF_SAFEKEEPING.filter(name => shownIn(text, name))).toEqual([])
  await second.kill9()
  await until('the member is down', 90_000, async () => /^sheaf_member_up\{.*\} 0$/m.test(await scrape(url)))
})

test('an archive that cannot be used, backups, and the end of the certificate', async () => {
  const s3 = await FakeS3.start()
  onTestFinished(() => s3.stop())
  s3.fault = () => [403, 'AccessDenied']
  const https = ['--tls-cert', `${TLS}one.cert.pem`, '--tls-key', `${TLS}one.key.pem`]
  const socket = join(folder.path, 'http')
  await start('1', ...archiveAt(s3), ...https, '--http', '127.0.0.1:0', '--http', `unix:${socket}`)
  const values = async (): Promise<Record<string, number | undefined>> => {
    const text = await scrapeSocket(socket)
    return Object.fromEntries(OF_SAFEKEEPING.map(name => [name, plainValue(text, name)]))
  }
  await until('the archive has failed', 90_000, async () => (await values()).sheaf_archive_usable === 0)
  expect(await values()).toEqual({
    sheaf_archive_usable: 0,
    sheaf_archive_behind_bytes: 0,
    sheaf_archive_behind_age_seconds: 0,
    sheaf_backup_success_time_seconds: undefined,
    sheaf_backup_failure_time_seconds: undefined,
    sheaf_certificate_end_time_seconds: Date.UTC(2120, 0, 1) / 1_000
  })
  const backUp = async (target: string): Promise<number | string> =>
    (await sheaf(['backup', target, '--data', join(folder.path, '1')], `unix:${socket}`)).code
  const before = Date.now() / 1_000
  writeFileSync(join(folder.path, 'file'), '')
  expect(await backUp(join(folder.path, 'file', 'below'))).toBe(1)
  const { sheaf_backup_success_time_seconds: none, sheaf_backup_failure_time_seconds: failure } = await values()
  expect([none, failure]).toEqual([undefined, expect.any(Number)])
  expect(await backUp(join(folder.path, 'backup'))).toBe(0)
  const { sheaf_backup_success_time_seconds: success, sheaf_backup_failure_time_seconds: same } = await values()
  expect(same).toBe(failure)
  expect(before < (failure ?? 0) && (failure ?? 0) < (success ?? 0)).toBe(true)
})

test('an archive that lacks what came since the last look', async () => {
  const s3 = await FakeS3.start()
  onTestFinished(() => s3.stop())
  const node = await start('1', ...archiveAt(s3))
  const value = async (name: string): Promise<number | undefined> =>
    plainValue(await scrape(`${node.url}/metrics`), name)
  await until('the archive was looked at', 90_000, async () => (await value('sheaf_archive_usable')) === 1)
  expect(await value('sheaf_archive_behind_bytes')).toBe(0)
  const put = await fetch(`${node.url}/v1/photos?filename=a.txt`, { method: 'PUT', body: Buffer.alloc(100_000) })
  expect(put.status).toBe(201)
  const behind = async (): Promise<number> => (await value('sheaf_archive_behind_bytes')) ?? Number.NaN
  await until('the photo is missing in the archive', 90_000, async () => (await behind()) > 100_000)
})

test('metrics with a port of their own, and a token', async () => {
  const token = join(folder.path, 'token')
  writeFileSync(token, `${TOKEN}\n`)
  const node = await start('1', '--metrics', '127.0.0.1:0', '--metrics-token-file', token)
  const { metrics } = node
  expect((await fetch(`${node.url}/metrics`)).status).toBe(404)
  expect((await fetch(metrics)).status).toBe(401)
  const answer = await fetch(metrics, { headers: { authorization: `Bearer ${TOKEN}` } })
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(await answer.text()).toContain('sheaf_photos 0\n')
  const elsewhere = await fetch(new URL('/status', metrics))
  expect([elsewhere.status, await elsewhere.json()]).toEqual([404, expect.objectContaining({ code: 'ERR_NOT_FOUND' })])
})

test('a token file that is no good, or a taken port, ends the start', async () => {
  const first = await start('1')
  const { port } = new URL(first.url)
  const taken = NodeProcess.spawn({ dataDir: join(folder.path, '2'), flags: ['--metrics', `127.0.0.1:${port}`] })
  expect(await taken.exit()).toBe(1)
  expect(taken.stderr).toContain('choose another with --metrics')
  const missing = join(folder.path, 'missing')
  const node = NodeProcess.spawn({ dataDir: join(folder.path, '3'), flags: ['--metrics-token-file', missing] })
  expect(await node.exit()).toBe(2)
  expect(node.stderr).toContain('--metrics-token-file')
})
