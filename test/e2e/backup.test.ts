import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.js'
import { killAllNodes, NodeProcess, sheaf, temporaryFolder } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { until } from '../support/until.js'

const KEY_LINE = 'a key of the backups, at least 32 characters'

let folder: ReturnType<typeof temporaryFolder>
let target: string
let keyFile: string

beforeEach(() => {
  folder = temporaryFolder('backup')
  target = join(folder.path, 'backup')
  keyFile = join(folder.path, 'key')
  writeFileSync(keyFile, `${KEY_LINE}\n`)
})
afterEach(async () => {
  await killAllNodes()
  folder.remove()
})

const at = (...names: string[]): string => join(folder.path, ...names)

async function put(client: HttpClient, from: number, count: number): Promise<Map<string, Buffer>> {
  const photos = new Map<string, Buffer>()
  for (let i = from; i < from + count; i++) {
    const bytes = fakeJpeg(i, 300_000)
    photos.set((await client.putPhoto(bytes, `${i}.jpg`)).photo_id, bytes)
  }
  return photos
}

async function expectAll(client: HttpClient, photos: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [id, bytes] of photos) expect((await client.photo(id)).body.equals(bytes)).toBe(true)
  expect((await client.page()).total).toBe(photos.size)
}

function backUp(node: NodeProcess, dataDir: string, ...more: string[]) {
  return sheaf(['backup', target, ...more, '--data', dataDir, '--json'], node.url)
}

it('drill: all nodes are lost, and one backup brings everything back', async () => {
  const flags = ['--archive-key', keyFile, '--volume-bytes', '4Mi']
  const a = await NodeProcess.start({ dataDir: at('a'), flags })
  const b = await NodeProcess.start({ dataDir: at('b'), flags: [...flags, '--join', a.p2p] })
  const [onA, onB] = [new HttpClient(a.url), new HttpClient(b.url)]
  const photos = new Map([...(await put(onA, 0, 10)), ...(await put(onB, 100, 10))])
  const [edited = '', deleted = ''] = photos.keys()
  await onB.patchMeta(edited, { caption: 'written before the loss' })
  await onA.remove(deleted)
  const isWhole = async (): Promise<boolean> => {
    const { repair } = await onA.json<{ repair: { backlog_bytes: number } }>('GET', '/status', 200)
    return repair.backlog_bytes === 0 && (await onA.page()).total === 19 && (await onB.page()).total === 19
  }
  await until('both have everything', 60_000, isWhole)
  const made = await backUp(a, at('a'))
  expect([made.code, made.stderr]).toEqual([0, ''])
  const stored = readdirSync(target, { recursive: true, encoding: 'utf8' }).filter(name => name.includes('pieces'))
  expect(stored.length).toBeGreaterThan(4)
  expect((await backUp(a, at('a'), 'verify')).code).toBe(0)
  const { node_id } = await onA.json<{ node_id: string }>('GET', '/status', 200)

  const refused = await sheaf(
    ['restore', target, '--data', at('twin'), '--archive-key', keyFile, '--same-identity'],
    b.url
  )
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(`${node_id} is alive`)])
  expect(existsSync(at('twin'))).toBe(false)

  await a.kill9()
  await b.kill9()
  for (const name of ['a', 'b']) rmSync(at(name), { recursive: true })
  const withoutKey = await sheaf(['restore', target, '--data', at('new')])
  expect([withoutKey.code, withoutKey.stderr]).toEqual([1, expect.stringContaining('ERR_ARCHIVE_KEY')])
  const restored = await sheaf(['restore', target, '--data', at('new'), '--archive-key', keyFile])
  expect([restored.code, restored.stderr]).toEqual([0, expect.stringContaining(`sheaf member remove ${node_id}`)])
  expect(existsSync(at('new', 'identity.key'))).toBe(false)
  const again = await sheaf(['restore', target, '--data', at('new'), '--archive-key', keyFile])
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('is not empty')])

  const node = await NodeProcess.start({ dataDir: at('new') })
  const client = new HttpClient(node.url)
  const { [deleted]: _, ...alive } = Object.fromEntries(photos)
  await expectAll(client, new Map(Object.entries(alive)))
  expect(JSON.parse((await client.meta(edited)).body.toString()).caption).toBe('written before the loss')
  expect((await client.photo(deleted)).status).toBe(410)
  const checked = await sheaf(['verify'], node.url)
  expect([checked.code, checked.stderr]).toEqual([0, ''])
  expect((await client.json<{ node_id: string }>('GET', '/status', 200)).node_id).not.toBe(node_id)
})

it('only what is new is written, the same identity comes back, and what was deleted leaves', async () => {
  const flags = ['--volume-bytes', '4Mi', '--purge-days', '0']
  const node = await NodeProcess.start({ dataDir: at('a'), flags })
  const client = new HttpClient(node.url)
  const photos = await put(client, 0, 16)
  const bytesOf = async (): Promise<number> => {
    const { code, stdout, stderr } = await backUp(node, at('a'))
    expect([code, stderr]).toEqual([0, ''])
    return JSON.parse(stdout.toString()).result.bytes
  }
  expect(await bytesOf()).toBeGreaterThan(16 * 300_000)
  await expect.poll(bytesOf, { timeout: 20_000 }).toBe(0) // once the node has looked at the photos, which it writes down
  for (const [id, bytes] of await put(client, 50, 1)) photos.set(id, bytes)
  const more = await bytesOf()
  expect(more).toBeGreaterThan(300_000)
  expect(more).toBeLessThan(400_000)

  const gone = [...photos.keys()].slice(0, 8)
  const secret = photos.get(gone[0] as string)?.subarray(1_000, 1_100) as Buffer
  const files = (): Buffer[] =>
    readdirSync(target, { recursive: true, withFileTypes: true, encoding: 'utf8' })
      .filter(entry => entry.isFile())
      .map(entry => readFileSync(join(entry.parentPath, entry.name)))
  expect(files().some(bytes => bytes.includes(secret))).toBe(true)
  for (const id of gone) {
    await client.remove(id)
    photos.delete(id)
  }
  expect((await sheaf(['compact', '--now', '--yes', '--data', at('a')], node.url)).code).toBe(0)
  await bytesOf()
  expect((await backUp(node, at('a'), 'prune')).code).toBe(0)
  expect(files().some(bytes => bytes.includes(secret))).toBe(false)

  const { node_id } = await client.json<{ node_id: string }>('GET', '/status', 200)
  await node.kill9()
  const restored = await sheaf(['restore', target, '--data', at('b'), '--same-identity'], 'http://127.0.0.1:9')
  expect([restored.code, restored.stderr]).toEqual([0, expect.stringContaining('no node answers')])
  const back = await NodeProcess.start({ dataDir: at('b'), flags })
  const backClient = new HttpClient(back.url)
  expect((await backClient.json<{ node_id: string }>('GET', '/status', 200)).node_id).toBe(node_id)
  await expectAll(backClient, photos)
})

it('damage is found, made good by the next run, and never restored; another node is refused', async () => {
  const node = await NodeProcess.start({ dataDir: at('a') })
  const photos = await put(new HttpClient(node.url), 0, 3)
  expect((await backUp(node, at('a'))).code).toBe(0)
  const [volume = ''] = readdirSync(join(target, 'pieces'))
  const [piece = ''] = readdirSync(join(target, 'pieces', volume))
  const path = join(target, 'pieces', volume, piece)
  const bytes = readFileSync(path)
  bytes[5_000] = (bytes[5_000] as number) ^ 1
  writeFileSync(path, bytes)
  cpSync(target, at('damaged'), { recursive: true })

  const restored = await sheaf(['restore', at('damaged'), '--data', at('b')])
  expect([restored.code, restored.stderr]).toEqual([1, expect.stringContaining('ERR_ARCHIVE_DAMAGED')])
  expect(restored.stderr).toContain('--skip-damaged restores what is intact')
  expect(existsSync(at('b'))).toBe(false)
  expect((await backUp(node, at('a'), 'verify')).code).toBe(1)
  expect((await backUp(node, at('a'))).code).toBe(0)
  expect((await backUp(node, at('a'), 'verify')).code).toBe(0)
  expect((await sheaf(['restore', target, '--data', at('b')])).code).toBe(0)
  const back = await NodeProcess.start({ dataDir: at('b') })
  await expectAll(new HttpClient(back.url), photos)

  mkdirSync(at('other'))
  const other = await NodeProcess.start({ dataDir: at('other', 'data') })
  const refused = await backUp(other, at('other', 'data'))
  expect([refused.code, refused.stdout.toString()]).toEqual([1, expect.stringContaining('ERR_ARCHIVE_REFUSED')])
  const answer = await new HttpClient(node.url).request('POST', '/v1/admin/backup', {
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ target }))
  })
  expect(answer.status).toBe(401)
})

it('drill: all nodes are lost, and the one backup is damaged: what is intact comes back', async () => {
  const node = await NodeProcess.start({ dataDir: at('a') })
  const client = new HttpClient(node.url)
  const batches: Map<string, Buffer>[] = []
  for (const from of [0, 10, 20]) {
    batches.push(await put(client, from, 2))
    // what is found out about a photo is written after it, and would bring its record into the next piece
    await until('all are looked at', 90_000, async () => {
      const { photos } = await client.json<{ photos: readonly { state: string }[] }>('GET', '/photos?limit=100', 200)
      return photos.every(({ state }) => state !== 'pending')
    })
    expect((await backUp(node, at('a'))).code).toBe(0)
  }
  await node.kill9()
  const [volume = ''] = readdirSync(join(target, 'pieces'))
  const pieces = readdirSync(join(target, 'pieces', volume)).sort(
    (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)
  )
  expect(pieces).toHaveLength(3)
  writeFileSync(join(target, 'pieces', volume, pieces[1] ?? ''), 'damage')

  const refused = await sheaf(['restore', target, '--data', at('b')])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--skip-damaged restores what is intact')])
  const rest = await sheaf(['restore', target, '--data', at('b'), '--skip-damaged'])
  expect([rest.code, rest.stderr]).toEqual([1, expect.stringContaining(`volume ${volume}: the object pieces/`)])
  const back = await NodeProcess.start({ dataDir: at('b') })
  await expectAll(new HttpClient(back.url), new Map([...(batches[0] ?? []), ...(batches[2] ?? [])]))
  const verified = await sheaf(['verify'], back.url)
  expect([verified.code, verified.stderr]).toEqual([1, expect.stringContaining(`volume ${volume}: bytes`)])
})
