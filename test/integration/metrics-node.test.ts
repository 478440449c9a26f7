import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { METRICS } from '../../src/core/metric-families.js'
import { NodeProcess, temporaryFolder } from '../support/node-process.js'
import { until } from '../support/until.js'

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

async function scrape(url: string): Promise<string> {
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  return await answer.text()
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
  await until('the photo arrives', 10_000, async () => plainValue(await scrape(url), 'sheaf_photos') === 1)
  const missingIn = (text: string): string[] =>
    Object.keys(METRICS).filter(name => !EXCEPT.includes(name) && !text.includes(`# TYPE ${name} `))
  let text = await scrape(url)
  // what needs a heartbeat, a comparison or a second scrape comes a moment later
  await until(`all is shown, not only without ${missingIn(text)}`, 30_000, async () => {
    text = await scrape(url)
    return missingIn(text).length === 0
  })
  expect(text).toMatch(/^sheaf_members\{state="alive"\} 2$/m)
  expect(text).toMatch(/^sheaf_build_info\{version="[^"]+",record_format="\d+",node="[^"]+"\} 1$/m)
  expect(plainValue(text, 'sheaf_scrape_faults_total')).toBe(0)
  await second.kill9()
  await until('the member is down', 20_000, async () => /^sheaf_member_up\{.*\} 0$/m.test(await scrape(url)))
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
