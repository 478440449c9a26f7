import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runJob, type VerifyReport } from '../support/admin-job.js'
import { type Answer, HttpClient } from '../support/http-client.js'
import { killAllNodes, NodeProcess, temporaryFolder } from '../support/node-process.js'
import { fakeJpeg, sha256Hex } from '../support/photo-maker.js'

const DISK_BYTES = 48 * 2 ** 20
const PHOTO_BYTES = 500_000
const FLAGS = ['--volume-bytes', '4Mi', '--purge-days', '0']

/** Whether this machine lets us mount a small file system; the whole test stands on one. */
const canMount = ((): boolean => {
  const probe = temporaryFolder('mount')
  const mounted = mount(probe.path)
  if (mounted) unmount(probe.path)
  probe.remove()
  return mounted
})()
if (!canMount)
  process.stderr.write('disk-full: SKIPPED, this user may not mount a tmpfs: A FULL DISK IS NOT TESTED HERE\n')

describe.skipIf(!canMount)('a full disk', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let dataDir: string

  beforeEach(() => {
    folder = temporaryFolder('disk-full')
    mount(folder.path)
    dataDir = join(folder.path, 'data')
  })
  afterEach(async () => {
    await killAllNodes()
    unmount(folder.path)
    folder.remove()
  })

  it('refuses uploads, goes on with everything else, and has room again after deletes and a compaction', async () => {
    const node = await NodeProcess.start({ dataDir, flags: FLAGS })
    const client = new HttpClient(node.url, { operatorToken: node.operatorToken })
    const photos = await fill(client, 0)
    expect(photos.size).toBeGreaterThan(40)

    await expectAll(client, photos)
    const [edited = ''] = photos.keys()
    expect((await client.patchMeta(edited, { caption: 'edited on a full disk' })).status).toBe(200)
    await expectRefused(await put(client, 999))

    const deleted = [...photos.keys()].filter((_, index) => index % 3 !== 0)
    for (const id of deleted) {
      expect((await client.remove(id)).status).toBe(200)
      photos.delete(id)
    }
    await runJob(client, 'compact?now=true')
    const again = await fill(client, 1_000)
    expect(again.size).toBeGreaterThan(deleted.length * 0.5)
    await expectAll(client, new Map([...photos, ...again]))
    for (const id of deleted) expect((await client.photo(id)).status).toBe(410)
    expect((await runJob<VerifyReport>(client, 'verify')).faults).toEqual([])
  })

  it('survives kill -9 and starts while full', async () => {
    const node = await NodeProcess.start({ dataDir, flags: FLAGS })
    const photos = await fill(new HttpClient(node.url, { operatorToken: node.operatorToken }), 0)
    await node.kill9()
    const restarted = await node.restart()
    const client = new HttpClient(restarted.url, { operatorToken: restarted.operatorToken })
    await expectAll(client, photos)
    await expectRefused(await put(client, 999))
    const [first = ''] = photos.keys()
    expect((await client.remove(first)).status).toBe(200)
    await runJob(client, 'compact?now=true')
    expect((await client.request('GET', '/health/ready')).status).toBe(200)
  })

  it('filled to the last byte by somebody else still reads, deletes and starts, and uploads when that is gone', async () => {
    const node = await NodeProcess.start({ dataDir, flags: FLAGS })
    const client = new HttpClient(node.url, { operatorToken: node.operatorToken })
    const photos = await fill(client, 0, 20)
    const ballast = join(folder.path, 'somebody-else')
    fillToTheLastByte(ballast)

    await expectRefused(await put(client, 999))
    await node.kill9()
    const restarted = await node.restart()
    const second = new HttpClient(restarted.url, { operatorToken: restarted.operatorToken })
    await expectAll(second, photos)
    const [first = ''] = photos.keys()
    expect((await second.remove(first)).status).toBe(200)
    photos.delete(first)
    await restarted.kill9()
    const third = new HttpClient((await restarted.restart()).url)
    await expectAll(third, photos)
    expect((await third.photo(first)).status).toBe(410)

    rmSync(ballast)
    const answer = await put(third, 998)
    expect(answer.status, answer.body.toString()).toBe(201)
  })
})

/** Uploads until the disk is full, at most `countMax`. @returns ids with the sha256 of what was acknowledged under them */
async function fill(client: HttpClient, seed: number, countMax = 200): Promise<Map<string, string>> {
  const photos = new Map<string, string>()
  for (let index = 0; index < countMax; index++) {
    const answer = await put(client, seed + index)
    if (answer.status !== 201) {
      await expectRefused(answer)
      return photos
    }
    const { photo_id, sha256 } = JSON.parse(answer.body.toString()) as { photo_id: string; sha256: string }
    expect(sha256).toBe(sha256Hex(fakeJpeg(seed + index, PHOTO_BYTES)))
    photos.set(photo_id, sha256)
  }
  return photos
}

function put(client: HttpClient, seed: number): Promise<Answer> {
  return client.put(fakeJpeg(seed, PHOTO_BYTES), { filename: `${seed}.jpg`, contentType: 'image/jpeg' })
}

async function expectRefused({ status, body }: Answer): Promise<void> {
  expect(status, body.toString()).toBe(507)
  expect(body.toString()).toContain('ERR_DISK_FULL')
}

async function expectAll(client: HttpClient, photos: ReadonlyMap<string, string>): Promise<void> {
  for (const [id, sha256] of photos) {
    expect(await client.photoDigest(id)).toEqual({ status: 200, byteCount: PHOTO_BYTES, sha256 })
  }
}

/** Writes page after page until the disk refuses one: a node that writes at the same time cannot get in the way. */
function fillToTheLastByte(path: string): void {
  const file = openSync(path, 'w')
  const page = Buffer.alloc(4_096)
  try {
    for (let written = 0; written <= DISK_BYTES; written += page.length) writeSync(file, page)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return
    throw error
  } finally {
    closeSync(file)
  }
  throw new Error(`${path}: a disk of ${DISK_BYTES} bytes took more than that`)
}

function mount(path: string): boolean {
  const args = ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'sheaf-test', path]
  return process.platform === 'linux' && spawnSync('mount', args).status === 0
}

function unmount(path: string): void {
  spawnSync('umount', ['--lazy', path])
}
