import { hash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join, relative } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config.js'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { SheafNode } from '../../src/node.js'
import { HttpClient } from '../support/http-client.js'
import { fakeJpeg, tinyPng } from '../support/photo-maker.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { type CliResult, cli } from './cli-harness.js'

/* `sheaf import` and `sheaf export`, against whole nodes in this process. */

let folder = ''
let node = ''

beforeEach(async () => {
  folder = await temporaryDirectory()
  node = await startNode('data')
})

async function startNode(data: string): Promise<string> {
  const config = loadConfig({
    args: [
      '--data',
      join(folder, data),
      '--http',
      '127.0.0.1:0',
      '--p2p',
      '127.0.0.1:0',
      '--volume-bytes',
      '16Mi',
      '--model',
      'none'
    ],
    environment: {},
    hostName: 'h',
    readTextFile: () => ''
  })
  const made = new SheafNode(
    { clock: systemClock, random: systemRandom, fileSystem: nodeFileSystem, log: silentLog },
    { config, version: '1.2.3' }
  )
  await made.start()
  onTestFinished(() => made.stop())
  return made.ready.http
}

function runAt(url: string, args: readonly string[], signal?: AbortSignal): Promise<CliResult> {
  const environment = { SHEAF_NODE: url, XDG_STATE_HOME: join(folder, 'state') }
  return cli(args, { environment, ...(signal !== undefined && { signal }) })
}

function run(...args: readonly string[]): Promise<CliResult> {
  return runAt(node, args)
}

interface Line {
  readonly file: string
  readonly outcome: string
  readonly photo_id?: string
  readonly rule?: string
}

/** @returns the lines of the report, but the last, and the sums */
async function imported(...args: readonly string[]): Promise<{ lines: Line[]; sums: Record<string, unknown> }> {
  const { stdout } = await run('import', '--json', ...args)
  const all = stdout
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as unknown)
  const lines = all.slice(0, -1) as Line[]
  const sums = all.at(-1) as Record<string, unknown>
  expect(sums.seen).toBe(lines.length)
  return { lines, sums }
}

async function list(url = node): Promise<Record<string, unknown>[]> {
  const client = new HttpClient(url)
  try {
    return (await client.json<{ photos: Record<string, unknown>[] }>('GET', '/photos?limit=1000', 200)).photos
  } finally {
    client.close()
  }
}

async function placeOf(photo: Record<string, unknown> | undefined): Promise<unknown> {
  const answer = await fetch(`${node}/photo/${photo?.photo_id}/meta`)
  return ((await answer.json()) as { place: unknown }).place
}

async function write(path: string, bytes: Uint8Array | string, time?: Date): Promise<void> {
  const target = join(folder, path)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, bytes)
  if (time !== undefined) await utimes(target, time, time)
}

/** @returns each file by its path, with its bytes and time */
async function tree(at: string): Promise<Record<string, { text: string; mtimeMs: number }>> {
  const entries = await readdir(at, { recursive: true, withFileTypes: true })
  const files: Record<string, { text: string; mtimeMs: number }> = {}
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const { mtimeMs } = await stat(path)
    files[relative(at, path)] = { text: await readFile(path, 'latin1'), mtimeMs: path.endsWith('.json') ? 0 : mtimeMs }
  }
  return files
}

const T1950 = new Date(Date.UTC(1950, 5, 1, 10, 11, 12, 345))
const T1999 = new Date(Date.UTC(1999, 11, 31, 23, 59, 59, 999))
const T2024 = new Date(Date.UTC(2024, 1, 29, 1, 2, 3, 4))

test('what is exported and imported elsewhere is exported as it was', async () => {
  await write('in/a/one.jpg', fakeJpeg(1, 400), T1950)
  await write('in/two.png', tinyPng(2), T1999)
  await write('in/b/words.txt.jpg', fakeJpeg(3, 3_000), T2024)
  expect((await run('import', join(folder, 'in'), '--zone', 'Europe/Berlin')).code).toBe(0)
  const client = new HttpClient(node)
  const [first] = await list()
  await client.patchMeta(first?.photo_id as string, {
    name: 'neu ü.jpg',
    caption: 'x'.repeat(3_900),
    rating: 3,
    taken_at: '1985-07',
    tags: { add: Array.from({ length: 200 }, (_, i) => `${'täg'.repeat(30)}${i}`) },
    albums: { add: ['Kiel'] },
    attributes: { lens: '50' }
  })
  client.close()
  // any file can be a photo, once it was one
  expect((await run('put', await plainFile())).code).toBe(0)
  expect((await run('export', join(folder, 'out1'))).code).toBe(0)

  const other = await startNode('other')
  expect(await runAt(other, ['import', join(folder, 'out1')])).toMatchObject({ code: 0, stderr: '' })
  expect((await runAt(other, ['export', join(folder, 'out2')])).code).toBe(0)
  const [one, two] = [await tree(join(folder, 'out1')), await tree(join(folder, 'out2'))]
  const withoutIds = (files: typeof one): unknown =>
    Object.fromEntries(
      Object.entries(files).map(([path, { text, mtimeMs }]) => [
        path,
        path.endsWith('.json')
          ? { ...(JSON.parse(text) as object), photo_id: '', imported_from: '', added_at: '' }
          : { text, mtimeMs }
      ])
    )
  expect(Object.keys(one)).toHaveLength(8)
  expect(withoutIds(two)).toEqual(withoutIds(one))
  const sidecars = Object.entries(two).filter(([path]) => path.endsWith('.json'))
  expect(sidecars.map(([, { text }]) => String(JSON.parse(text).imported_from)).sort()).toEqual(
    Object.entries(one)
      .filter(([path]) => path.endsWith('.json'))
      .map(([, { text }]) => String(JSON.parse(text).photo_id))
      .sort()
  )
  // and once more changes nothing
  const again = await runAt(other, ['import', join(folder, 'out1'), '--json'])
  expect(JSON.parse(again.stdout.trim().split('\n').at(-1) ?? '')).toEqual({
    seen: 8,
    dry_run: false,
    present: 4,
    sidecar: 4
  })
})

async function plainFile(): Promise<string> {
  await write('plain.xyz', 'just bytes', T2024)
  return join(folder, 'plain.xyz')
}

test('times of files come back to the millisecond', async () => {
  await write('in/1950.jpg', fakeJpeg(1, 400), T1950)
  await write('in/1999.jpg', fakeJpeg(2, 400), T1999)
  await write('in/2024.jpg', fakeJpeg(3, 400), T2024)
  await run('import', join(folder, 'in'), '--zone', '+00:00')
  expect((await run('export', join(folder, 'out'), '--layout', '{year}/{name}')).code).toBe(0)
  for (const [path, time] of [
    ['1950/1950.jpg', T1950],
    ['1999/1999.jpg', T1999],
    ['2024/2024.jpg', T2024]
  ] as const) {
    const { mtimeMs } = await stat(join(folder, 'out', path))
    expect(Math.abs(mtimeMs - time.getTime())).toBeLessThanOrEqual(1)
  }
})

test('a dry run sends nothing', async () => {
  await write('in/a.jpg', fakeJpeg(1, 400))
  await write('in/copy.jpg', fakeJpeg(1, 400))
  const { sums } = await imported(join(folder, 'in'), '--dry-run')
  expect(sums).toEqual({ seen: 2, dry_run: true, uploaded: 1, present: 1 })
  expect(await list()).toEqual([])
  await expect(stat(join(folder, 'state'))).rejects.toThrow()
})

test('an import that was stopped goes on, and nothing comes twice', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `${i}.jpg`)
  for (const [i, name] of names.entries()) await write(`in/${name}`, fakeJpeg(i, 400))
  const stop = new AbortController()
  const client = new HttpClient(node)
  const watching = (async () => {
    while (!stop.signal.aborted)
      if ((await client.json<{ total: number }>('GET', '/photos?limit=1', 200)).total >= 5) stop.abort()
  })()
  const stopped = await runAt(node, ['import', join(folder, 'in')], stop.signal)
  stop.abort()
  await watching
  client.close()
  expect(stopped.code).toBe(1)
  const before = (await list()).length
  const { sums } = await imported(join(folder, 'in'))
  expect(sums).toMatchObject({ seen: 20 })
  expect((sums.present as number) + (sums.uploaded as number)).toBe(20)
  expect(sums.present).toBeGreaterThanOrEqual(before)
  expect((await list()).map(({ name }) => String(name)).sort()).toEqual([...names].sort())
})

/** Another node's address: what is asked of it is passed on to the node, once `onAsked` has heard that files were asked for. */
async function passedOn(onAsked: () => Promise<void>): Promise<string> {
  const server = createServer(async (request, answer) => {
    if (request.url?.startsWith('/v1/photos/exists') === true) await onAsked()
    const { method, headers } = request
    const onward = httpRequest(new URL(request.url ?? '', node), { method, headers }, got => {
      answer.writeHead(got.statusCode ?? 500, got.headers)
      got.pipe(answer)
    })
    request.pipe(onward)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function digestsOf(): Promise<string[]> {
  return (await list()).map(({ sha256 }) => String(sha256))
}

test.each([
  ['longer', 500],
  ['shorter', 300]
])('a file that becomes %s between hashing and sending comes as it is then', async (_, byteCount) => {
  await write('in/a.jpg', fakeJpeg(1, 400))
  const later = fakeJpeg(2, byteCount)
  const { code } = await runAt(await passedOn(() => write('in/a.jpg', later)), ['import', join(folder, 'in')])
  expect(code).toBe(0)
  expect(await digestsOf()).toEqual([hash('sha256', later, 'hex')])
})

test('a file that goes between hashing and sending is told, and nothing of it comes', async () => {
  await write('in/a.jpg', fakeJpeg(1, 400))
  const { code, stderr } = await runAt(await passedOn(() => rm(join(folder, 'in/a.jpg'))), [
    'import',
    join(folder, 'in')
  ])
  expect(code).toBe(1)
  expect(stderr).toContain('a.jpg: no such file or folder')
  expect(await list()).toEqual([])
})

test('a small file is read once, and larger ones twice', async () => {
  const [small, large] = [fakeJpeg(1, 400), fakeJpeg(2, 300_000)]
  await write('in/small.jpg', small, T1999)
  await write('in/large.jpg', large, T1999)
  // other bytes in what looks like the same file
  const url = await passedOn(async () => {
    await write('in/small.jpg', fakeJpeg(3, 400), T1999)
    await write('in/large.jpg', fakeJpeg(4, 300_000), T1999)
  })
  await runAt(url, ['import', join(folder, 'in')])
  const digests = [small, fakeJpeg(4, 300_000)].map(bytes => hash('sha256', bytes, 'hex'))
  expect((await digestsOf()).sort()).toEqual(digests.sort())
})

test('each file is in the report once, with what became of it', async () => {
  await write('in/a.jpg', fakeJpeg(1, 400))
  await write('in/twin.jpg', fakeJpeg(1, 400))
  await write('in/empty.jpg', '')
  await write('in/notes.txt', 'x')
  await write('in/other.json', '{"a": 1}')
  await write('in/gone.jpg.xmp', '<x/>')
  await write('in/Thumbs.db', 'x')
  await write('in/@eaDir/a.jpg', fakeJpeg(2, 400))
  await write('in/.hidden.jpg', fakeJpeg(2, 400))
  await write('in/skip/b.jpg', fakeJpeg(3, 400))
  await write('in/was.jpg', fakeJpeg(4, 400))
  const { stdout: id } = await run('put', join(folder, 'in/was.jpg'))
  await run('rm', id.trim())
  const { lines, sums } = await imported(
    join(folder, 'in'),
    join(folder, 'none'),
    '--exclude',
    'skip/*',
    '--report',
    join(folder, 'report')
  )
  const outcomes = Object.fromEntries(lines.map(({ file, outcome }) => [relative(folder, file), outcome]))
  expect(outcomes).toEqual({
    'in/a.jpg': 'uploaded',
    'in/twin.jpg': 'present',
    'in/empty.jpg': 'empty',
    'in/notes.txt': 'no_media',
    'in/other.json': 'no_media',
    'in/gone.jpg.xmp': 'sidecar_alone',
    'in/Thumbs.db': 'ignored',
    'in/@eaDir': 'ignored',
    'in/.hidden.jpg': 'ignored',
    'in/skip/b.jpg': 'ignored',
    'in/was.jpg': 'trashed',
    none: 'unreadable'
  })
  expect(sums).toMatchObject({ seen: 12, ignored: 4, unreadable: 1 })
  const reported = (await readFile(join(folder, 'report'), 'utf8')).trim().split('\n')
  expect(reported.map(line => JSON.parse(line))).toEqual(lines)
  const text = await run('import', join(folder, 'in'), '--include-trashed')
  expect(text).toMatchObject({ code: 0, stderr: '' })
  expect(text.stdout).toContain('       2  uploaded\n')
  expect(text.stdout).toContain('      11  files seen\n')
  expect((await run('import', join(folder, 'none'))).code).toBe(1)
})

test.each([
  ['--zone', 'Europe/Kiel'],
  ['--names-encoding', 'klingon'],
  ['--from', 'nowhere']
])('%s %s is wrong usage', async (...option) => {
  expect((await run('import', folder, ...option)).code).toBe(2)
})

test('names that are not UTF-8', async () => {
  await mkdir(join(folder, 'in'))
  const put = async (name: Buffer, seed: number): Promise<void> =>
    writeFile(Buffer.concat([Buffer.from(join(folder, 'in/')), name, Buffer.from('.jpg')]), fakeJpeg(seed, 400))
  await put(Buffer.from('caf\xe9', 'latin1'), 1)
  await put(Buffer.from([0x8e, 0xca, 0x90, 0x5e]), 2)
  await put(Buffer.from('a\u0308', 'utf8'), 3)
  await run('import', join(folder, 'in'), '--names-encoding', 'shift_jis')
  const names = async (): Promise<string[]> => (await list()).map(({ name }) => String(name)).sort()
  expect(await names()).toEqual(['café.jpg', 'ä.jpg', '写真.jpg'])
  await put(Buffer.from([0xc6, 0xcf, 0xd4, 0xcf]), 4)
  await run('import', join(folder, 'in'), '--names-encoding', 'koi8-r')
  expect(await names()).toContain('фото.jpg')
})

describe('what lies beside', () => {
  const takeout = (title: string, more: object = {}): string =>
    JSON.stringify({ title, photoTakenTime: { timestamp: '1704063752' }, ...more })

  test('of Google Takeout, in several parts, albums and years', async () => {
    const years = 'Takeout/Google Photos/Photos from 2023'
    await write(`p1/${years}/IMG_1.jpg`, fakeJpeg(1, 400))
    await write(
      `p2/${years}/IMG_1.jpg.supplemental-metadata.json`,
      takeout('IMG_1.jpg', { description: 'Kiel', geoData: { latitude: 54.3233, longitude: 10.1228, altitude: 3.5 } })
    )
    await write(`p1/${years}/IMG_1-edited.jpg`, fakeJpeg(2, 400))
    await write(`p1/${years}/IMG_2(1).jpg`, fakeJpeg(3, 400))
    await write(`p1/${years}/IMG_2.jpg.json`, takeout('IMG_2.jpg'))
    await write(`p1/${years}/gone.jpg`, fakeJpeg(4, 400))
    await write(`p1/${years}/gone.jpg.json`, takeout('gone.jpg', { trashed: true }))
    await write('p1/Takeout/Google Photos/Urlaub/metadata.json', '{"title": "Urlaub 2023"}')
    await write('p1/Takeout/Google Photos/Urlaub/IMG_1.jpg.json', takeout('IMG_1.jpg'))
    const { lines, sums } = await imported(join(folder, 'p1'), join(folder, 'p2'), '--zone', '+11:00')
    expect(sums).toMatchObject({ uploaded: 3, trashed: 1, sidecar: 4, sidecar_alone: 1 })
    expect(lines).toHaveLength(9)
    const photos = new Map((await list()).map(photo => [photo.name, photo]))
    expect(photos.get('IMG_1.jpg')).toMatchObject({
      caption: 'Kiel',
      albums: ['Urlaub 2023'],
      taken_at: '2024-01-01T00:02:32.000+01:00', // in Kiel, whatever is said for all
      taken_at_source: 'user',
      file_time: '2023-12-31T23:02:32.000Z'
    })
    const inKiel = { lat: 54.3233, lon: 10.1228, alt: 3.5, source: 'import' }
    expect(await placeOf(photos.get('IMG_1.jpg'))).toMatchObject(inKiel)
    expect(photos.get('IMG_1-edited.jpg')).toMatchObject({
      caption: 'Kiel',
      attributes: { edited_of: 'IMG_1.jpg' },
      albums: ['Urlaub 2023']
    })
    expect(photos.get('IMG_2(1).jpg')).toMatchObject({ taken_at_source: 'file' })
  })

  test('as XMP, of all that have the name', async () => {
    const packet = (rating: number): string =>
      `<x:xmpmeta><rdf:Description xmp:Rating="${rating}" exif:DateTimeOriginal="2001-02-03T04:05:06" ` +
      'exif:GPSLatitude="54,19.398N" exif:GPSLongitude="10,7.368E">' +
      '<dc:subject><rdf:Bag><rdf:li>rose</rdf:li></rdf:Bag></dc:subject></rdf:Description></x:xmpmeta>'
    await write('in/a.jpg', fakeJpeg(1, 400))
    await write('in/b.jpg', fakeJpeg(2, 400))
    await write('in/a.xmp', packet(2))
    await write('in/b.xmp', packet(2))
    await write('in/b.JPG.xmp', packet(-1))
    await imported(join(folder, 'in'), '--album-from-folder')
    const photos = new Map((await list()).map(photo => [photo.name, photo]))
    const shared = { taken_at_source: 'user', albums: ['in'] }
    expect(photos.get('a.jpg')).toMatchObject({
      ...shared,
      taken_at: '2001-02-03T04:05:06.000+01:00',
      rating: 2,
      tags: ['rose']
    })
    expect(await placeOf(photos.get('a.jpg'))).toMatchObject({ lat: 54.3233, lon: 10.1228, source: 'import' })
    await run('export', join(folder, 'out'))
    const [sidecar] = (await readdir(join(folder, 'out'), { recursive: true })).filter(path =>
      path.endsWith('a.jpg.json')
    )
    const written = JSON.parse(await readFile(join(folder, 'out', String(sidecar)), 'utf8'))
    expect(written.place).toEqual({ lat: 54.3233, lon: 10.1228 })
    expect(photos.get('b.jpg')).toMatchObject({ ...shared, rating: null, tags: ['rejected', 'rose'] })
  })

  test('tells more of what is there, and overwrites nothing', async () => {
    await write('in/a.jpg', fakeJpeg(1, 400))
    await write(
      'in/a.jpg.json',
      takeout('a.jpg', { description: 'new', favorited: true, archived: true, people: [{ name: 'Änne' }] })
    )
    const id = (await run('put', join(folder, 'in/a.jpg'))).stdout.trim()
    const client = new HttpClient(node)
    await client.patchMeta(id, { caption: 'old', taken_at: '1985' })
    expect((await imported(join(folder, 'in'))).sums).toMatchObject({ merged: 1, sidecar: 1 })
    expect((await imported(join(folder, 'in'))).sums).toMatchObject({ present: 1, sidecar: 1 })
    client.close()
    expect(await list()).toMatchObject([
      { caption: 'old', tags: ['person/Änne'], favourite: true, archived: true, taken_at: '1985' }
    ])
    await run('export', join(folder, 'out'))
    const names = await readdir(join(folder, 'out'), { recursive: true })
    const sidecar = names.find(path => path.endsWith('a.jpg.json'))
    expect(JSON.parse(await readFile(join(folder, 'out', String(sidecar)), 'utf8'))).toMatchObject({
      favourite: true,
      archived: true
    })
  })

  test('goes on with what comes into a folder, and with what lies beside it, until it is interrupted', async () => {
    await write('in/a.jpg', fakeJpeg(1, 400))
    const stop = new AbortController()
    // forty times as fast, so that files are at rest after fifty milliseconds
    const clock: Clock = {
      ...systemClock,
      monotonic: () => 40 * systemClock.monotonic(),
      sleep: (ms, signal) => systemClock.sleep(ms / 40, signal),
      schedule: (ms, task) => systemClock.schedule(ms / 40, task)
    }
    const environment = { SHEAF_NODE: node, XDG_STATE_HOME: join(folder, 'state') }
    const watching = cli(['import', '--watch', join(folder, 'in')], { environment, clock, signal: stop.signal })
    const names = async (): Promise<string[]> => (await list()).map(({ name }) => String(name)).sort()
    await expect.poll(names).toEqual(['a.jpg'])
    await write('in/2024/b.jpg', fakeJpeg(2, 400))
    await expect.poll(names).toEqual(['a.jpg', 'b.jpg'])
    await write('in/a.jpg.json', takeout('a.jpg', { description: 'later' }))
    await expect.poll(async () => (await list()).find(({ name }) => name === 'a.jpg')?.caption).toBe('later')
    stop.abort(new Error('enough'))
    const { code, stdout } = await watching
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/2 {2}uploaded\n[\s\S]*1 {2}there already, and more/)
    })
    expect((await imported(join(folder, 'in'))).sums).toMatchObject({ present: 2, sidecar: 1 })
  })

  test('a sidecar of other bytes is none', async () => {
    await write('in/a.jpg', fakeJpeg(1, 400))
    await run('put', join(folder, 'in'))
    await run('export', join(folder, 'out'), '--layout', '{name}')
    await writeFile(join(folder, 'out/a.jpg'), fakeJpeg(2, 400))
    expect((await imported(join(folder, 'out'))).sums).toMatchObject({ uploaded: 1, sidecar_alone: 1 })
  })
})

test('put leaves out sidecars and what is no photo, and labels what is there', async () => {
  await write('in/a.jpg', fakeJpeg(1, 400), T1999)
  await run('put', join(folder, 'in'))
  await run('export', join(folder, 'out'), '--layout', '{name}')
  await write('out/Thumbs.db', 'x')
  const { code, stderr } = await run('put', join(folder, 'out'), '--skip-existing', '--tag', 'rose', '--album', 'Kiel')
  expect([code, stderr]).toEqual([0, expect.stringContaining('a.jpg.json: skipped, a sidecar of Sheaf')])
  expect(await list()).toMatchObject([
    { name: 'a.jpg', tags: ['rose'], albums: ['Kiel'], file_time: '1999-12-31T23:59:59.999Z' }
  ])
})

test('export writes XMP that import reads', async () => {
  await write('in/a.jpg', fakeJpeg(1, 400))
  const id = (await run('put', join(folder, 'in'))).stdout.trim()
  const client = new HttpClient(node)
  await client.patchMeta(id, {
    caption: 'a < b & "c"',
    rating: 4,
    taken_at: '2001-02-03T04:05:06+02:00',
    tags: { add: ['ü'] }
  })
  client.close()
  await run('export', join(folder, 'out'), '--layout', '{camera}/{name}', '--xmp')
  await rm(join(folder, 'out/none/a.jpg.json'))
  const other = await startNode('other')
  await runAt(other, ['import', join(folder, 'out')])
  expect(await list(other)).toMatchObject([
    { caption: 'a < b & "c"', rating: 4, taken_at: '2001-02-03T04:05:06.000+02:00', tags: ['ü'] }
  ])
})
