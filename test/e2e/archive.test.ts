import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import S3rver from 's3rver'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.js'
import { killAllNodes, NodeProcess, sheaf, temporaryFolder } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { until } from '../support/until.js'

/** What `GET /v1/admin/archive` answers. */
interface Status {
  readonly state: string
  readonly error: { readonly code: string } | null
  readonly volumes: number
  readonly behind_bytes: number
}

let folder: ReturnType<typeof temporaryFolder>
let server: S3rver
let flags: readonly string[]

beforeEach(async () => {
  folder = temporaryFolder('archive')
  await startServer()
})
afterEach(async () => {
  await killAllNodes()
  await server.close()
  folder.remove()
})

async function startServer(): Promise<void> {
  const configureBuckets = [{ name: 'photos' }]
  const directory = join(folder.path, 's3')
  server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory, configureBuckets })
  const { port } = await server.run()
  const [credentials, key] = [join(folder.path, 'credentials'), join(folder.path, 'key')]
  writeFileSync(credentials, 'S3RVER\nS3RVER\n')
  writeFileSync(key, 'a key of the archive, at least 32 characters\n')
  flags = [
    ...['--archive-endpoint', `http://127.0.0.1:${port}`, '--archive-bucket', 'photos'],
    ...['--archive-credentials', credentials, '--archive-key', key, '--volume-bytes', '4Mi']
  ]
}

const statusOf = (client: HttpClient): Promise<Status> => client.json<Status>('GET', '/v1/admin/archive', 200)

it('a cluster that has lost every disk comes back out of its archive', async () => {
  const dataDir = join(folder.path, 'first')
  const first = await NodeProcess.start({ dataDir, flags })
  const client = new HttpClient(first.url)
  const photos = new Map<string, Buffer>()
  for (let i = 0; i < 12; i++) {
    const bytes = fakeJpeg(i, 700_000)
    photos.set((await client.putPhoto(bytes, `${i}.jpg`)).photo_id, bytes)
  }
  await until('all is archived', 240_000, async () => {
    const { state, behind_bytes } = await statusOf(client)
    return state === 'idle' && behind_bytes === 0
  })
  const shown = await sheaf(['archive', 'status'], first.url)
  expect([shown.code, shown.stdout.toString()]).toEqual([0, expect.stringMatching(/behind +nothing\nencrypted +yes/)])
  const verified = await sheaf(['archive', 'verify'], first.url)
  expect([verified.code, verified.stderr]).toEqual([0, ''])
  await first.kill9()
  rmSync(dataDir, { recursive: true })

  const fresh = await NodeProcess.start({ dataDir, flags })
  const again = new HttpClient(fresh.url)
  const refused = await again.request('POST', '/v1/admin/archive/restore')
  expect(refused.status).toBe(401)
  const restored = await sheaf(['archive', 'restore', '--data', dataDir], fresh.url)
  expect([restored.code, restored.stderr]).toEqual([0, ''])
  for (const [id, bytes] of photos) expect((await again.photo(id)).body.equals(bytes)).toBe(true)
  expect((await again.page()).total).toBe(photos.size)
  const whole = await sheaf(['verify'], fresh.url)
  expect([whole.code, whole.stderr]).toEqual([0, ''])
  const { peakBytes } = fresh.memory()
  expect(peakBytes).toBeLessThan(400 * 2 ** 20)
})

it('an archive that is away is one line in the log, and the node serves', async () => {
  await server.close()
  const node = await NodeProcess.start({ dataDir: join(folder.path, 'data'), flags })
  const client = new HttpClient(node.url)
  const { photo_id } = await client.putPhoto(fakeJpeg(1, 10_000), 'a.jpg')
  await until('the node has noticed', 90_000, async () => (await statusOf(client)).state === 'failing')
  expect((await client.photo(photo_id)).status).toBe(200)
  expect((await client.request('GET', '/health/ready')).status).toBe(200)
  const lines = node.log().filter(({ msg }) => msg.includes('archive'))
  expect(lines.map(({ msg }) => msg)).toEqual([
    'the archive cannot be used; this node serves on and tries again every minute'
  ])
  const shown = await sheaf(['archive', 'status'], node.url)
  expect([shown.code, shown.stdout.toString()]).toEqual([1, expect.stringContaining('(ERR_ARCHIVE_UNREACHABLE)')])
  expect(node.stderr).not.toContain('NodeVersionSupportWarning')
  await node.stop()
  await startServer() // for afterEach
})

it('no secret of the archive is in the log', async () => {
  const node = await NodeProcess.start({ dataDir: join(folder.path, 'data'), flags, logLevel: 'trace' })
  const client = new HttpClient(node.url)
  await until('the archive was looked at', 90_000, async () => (await statusOf(client)).state === 'idle')
  const key = readFileSync(join(folder.path, 'key'), 'utf8').trim()
  expect(existsSync(join(folder.path, 'data', 'identity.key'))).toBe(true)
  for (const secret of [key, 'S3RVER']) expect(node.stderr).not.toContain(secret)
})

it('without an archive there is none to ask', async () => {
  const node = await NodeProcess.start({ dataDir: join(folder.path, 'data') })
  const answer = await new HttpClient(node.url).request('GET', '/v1/admin/archive')
  expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([404, 'ERR_NO_ARCHIVE'])
  const shown = await sheaf(['archive', 'verify'], node.url)
  expect([shown.code, shown.stderr]).toEqual([1, expect.stringContaining('--archive-bucket')])
})
