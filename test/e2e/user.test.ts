import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HttpClient, type PhotoMeta, type PhotoPage } from '../support/http-client.js'
import { type CommandResult, killAllNodes, NodeProcess, sheaf, temporaryFolder } from '../support/node-process.js'
import { fakeJpeg, noiseSha256, noiseStream, sha256Hex, tinyJpeg, tinyPng } from '../support/photo-maker.js'
import { filesBelow } from './damage/volume-files.js'

const MB = 1_000_000
const LARGE_BYTES = process.env.SHEAF_BIG === undefined ? 300 * MB : 2_000 * MB
const RISE_BYTES_MAX = 100 * MB

const folder = temporaryFolder('user')
const album = join(folder.path, 'album')
let node: NodeProcess

/** Writes about forty files of several kinds into nested folders. @returns sha256 by path relative to the album */
function makeAlbum(): Map<string, string> {
  const files = new Map<string, Buffer>()
  for (let index = 0; index < 14; index++) {
    files.set(`2024/summer/lake ${index}.jpg`, tinyJpeg(index))
    files.set(`2024/winter/snöw-${index}.png`, tinyPng(index, 8))
    files.set(`2025/${index}.jpg`, fakeJpeg(index, 1_000 + index * 17_000))
  }
  files.set('notes.txt', Buffer.from('any file is welcome\n'))
  for (const [path, bytes] of files) {
    mkdirSync(join(album, path, '..'), { recursive: true })
    writeFileSync(join(album, path), bytes)
  }
  return new Map([...files].map(([path, bytes]) => [path, sha256Hex(bytes)]))
}

let album256: Map<string, string>
beforeAll(async () => {
  album256 = makeAlbum()
  node = await NodeProcess.start({ dataDir: join(folder.path, 'data'), flags: ['--purge-days', '0'] })
})
afterAll(async () => {
  await killAllNodes()
  folder.remove()
})

const run = (...args: string[]): Promise<CommandResult> => sheaf(args, node.url)

async function runWell(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect(code, `sheaf ${args.join(' ')}: ${stderr}`).toBe(0)
  return stdout.toString()
}

describe.sequential('a user with the command line', () => {
  let ids: string[]

  it('puts a folder and gets an id for each file, in order', async () => {
    const lines = (await runWell('put', album, '--tag', 'trip', '--album', 'lake')).trim().split('\n')
    ids = lines.map(line => line.split(/\s/)[0] ?? '')
    expect(ids).toHaveLength(album256.size)
    const client = new HttpClient(node.url)
    const paths = [...album256.keys()].sort()
    const names = await Promise.all(
      ids.map(async id => (JSON.parse((await client.meta(id)).body.toString()) as PhotoMeta).name)
    )
    expect(names).toEqual(paths.map(path => path.slice(path.lastIndexOf('/') + 1)))
  })

  it('lists, filters and pages them', async () => {
    const client = new HttpClient(node.url)
    expect((await client.list('tag=trip')).total).toBe(album256.size)
    expect((await client.list('album=lake', 7)).photos).toHaveLength(album256.size)
    expect((await client.list('type=image/png')).total).toBe(14)
    expect((await client.list('type=image')).total).toBe(42)
    expect((await client.list('tag=none')).photos).toEqual([])
    expect((await client.list('q=lake')).total).toBe(14)
    const sum = [...album256.values()].sort()
    expect((await client.list('', 10)).photos.map(({ sha256 }) => sha256).sort()).toEqual(sum)
    expect(await runWell('ls')).toContain(ids.at(-1))
    client.close()
  })

  it('gets each byte for byte, to a file and to the standard output', async () => {
    const paths = [...album256.keys()].sort()
    for (const index of [0, 20, paths.length - 1]) {
      const [id = '', path = ''] = [ids[index], paths[index]]
      const { code, stdout } = await run('get', id)
      expect(code).toBe(0)
      expect(sha256Hex(stdout)).toBe(album256.get(path))
      const target = join(folder.path, `got-${index}`)
      await runWell('get', id, '-o', target)
      expect(sha256Hex(readFileSync(target))).toBe(album256.get(path))
    }
  })

  it('exports all originals with their metadata', async () => {
    const target = join(folder.path, 'export')
    await runWell('export', target)
    const sums = filesBelow(target).map(path => sha256Hex(readFileSync(path)))
    for (const [path, sum] of album256) expect(sums, path).toContain(sum)
  })

  it('puts the folder again without doubling anything with --skip-existing', async () => {
    await runWell('put', album, '--skip-existing')
    const client = new HttpClient(node.url)
    expect((await client.list()).total).toBe(album256.size)
    client.close()
  })

  it('removes some, brings one back, and the space comes back with compact', async () => {
    const [kept = '', ...gone] = ids.slice(-14)
    await runWell('rm', kept, ...gone)
    await runWell('undelete', kept)
    const bytes = async (): Promise<number> =>
      (JSON.parse(await runWell('status', '--json')) as { bytes: number }).bytes
    const restarted = await node.restart() // closes the active volume, so that it can be compacted
    node = restarted
    const before = await bytes()
    await runWell('compact', '--now', '--yes', '--data', join(folder.path, 'data'))
    await expect.poll(bytes).toBeLessThan(before)
    expect(Number((await run('get', gone[0] ?? '')).code)).toBe(1)
    expect(sha256Hex((await run('get', kept)).stdout)).toBe(album256.get([...album256.keys()].sort().at(-14) ?? ''))
    await runWell('verify')
    expect(await runWell('status')).toMatch(new RegExp(`\\b${album256.size - gone.length}\\b`))
  })

  it('goes on after a failure and says so with the exit code', async () => {
    const { code, stdout } = await run('put', join(folder.path, 'missing.jpg'), join(album, 'notes.txt'))
    expect(code).toBe(1)
    expect(stdout.toString().trim().split('\n').at(-1)).toMatch(/[0-9a-f-]{36}/)
    expect((await run('put')).code).toBe(2)
    expect((await run('get', 'not-an-id')).code).not.toBe(0)
    expect((await sheaf(['status'], 'http://127.0.0.1:1')).code).toBe(1)
  })
})

describe('a user with a browser or curl', () => {
  it('uploads a form, reads it with ranges and conditions, adds a size', async () => {
    const client = new HttpClient(node.url)
    const bytes = fakeJpeg(77, 200_000)
    const answer = await client.form('/upload', [
      { name: 'file', value: bytes, filename: 'IMG 0077.jpg', contentType: 'image/jpeg' }
    ])
    expect(answer.status).toBe(200)
    const { photo_id: id } = JSON.parse(answer.body.toString()) as { photo_id: string }
    const whole = await client.photo(id)
    expect(whole.body.equals(bytes)).toBe(true)
    expect(whole.headers).toMatchObject({
      'content-type': 'image/jpeg',
      'x-sheaf-source': 'local',
      'accept-ranges': 'bytes'
    })
    const part = await client.photo(id, { range: 'bytes=65530-65545' })
    expect([part.status, part.body.equals(bytes.subarray(65_530, 65_546))]).toEqual([206, true])
    expect((await client.photo(id, { 'if-none-match': whole.headers.etag ?? '' })).status).toBe(304)
    expect((await client.photo(id, { range: 'bytes=200000-' })).status).toBe(416)

    const small = fakeJpeg(78, 5_000)
    const sized = await client.form('/upload', [
      { name: 'photo_id', value: id },
      { name: 'alt_key', value: 'small' },
      { name: 'file', value: small, filename: 'small.jpg', contentType: 'image/jpeg' }
    ])
    expect(sized.status, sized.body.toString()).toBe(200)
    expect((await client.photo(id, {}, '?alt_key=small')).body.equals(small)).toBe(true)
    client.close()
  })

  it('pages through a list that changes meanwhile without missing or repeating what stays', async () => {
    const client = new HttpClient(node.url)
    const before = (await client.list()).photos.map(({ photo_id }) => photo_id)
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: PhotoPage = await client.page(
        `?limit=5${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
      )
      seen.push(...page.photos.map(({ photo_id }) => photo_id))
      await client.putPhoto(fakeJpeg(seen.length, 2_000), 'meanwhile.jpg')
      cursor = page.next_cursor
    }
    expect(seen).toEqual(before)
    client.close()
  })
})

describe('a very large file', () => {
  it(`of ${LARGE_BYTES / MB} MB goes in and out in constant memory`, { timeout: 300_000 }, async () => {
    const fresh = await NodeProcess.start({ dataDir: join(folder.path, 'large') })
    const client = new HttpClient(fresh.url, { timeoutMs: 120_000 })
    // what one photo leaves behind in buffers and compiled code is not the large file's
    await client.photoDigest((await client.putPhoto(fakeJpeg(1, 20 * MB), 'warm-up.jpg')).photo_id)
    const sha256 = noiseSha256(5, LARGE_BYTES)

    const up = await fresh.whileWatchingMemory(async () => {
      const body = noiseStream(5, LARGE_BYTES)
      return client.put(body, { filename: 'large.bin', byteCount: LARGE_BYTES })
    })
    expect(up.result.status, up.result.body.toString()).toBe(201)
    const receipt = JSON.parse(up.result.body.toString()) as { photo_id: string; sha256: string }
    expect(receipt.sha256).toBe(sha256)
    const down = await fresh.whileWatchingMemory(() => client.photoDigest(receipt.photo_id))
    expect(down.result).toEqual({ status: 200, byteCount: LARGE_BYTES, sha256 })
    process.stderr.write(`large file: resident set + ${mb(up.riseBytes)} MB up, + ${mb(down.riseBytes)} MB down\n`)
    expect(up.riseBytes).toBeLessThan(RISE_BYTES_MAX)
    expect(down.riseBytes).toBeLessThan(RISE_BYTES_MAX)
    client.close()
    await fresh.stop()
  })
})

const mb = (bytes: number): string => (bytes / MB).toFixed(0)
