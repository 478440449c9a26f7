import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config.js'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { SheafNode } from '../../src/node.js'
import { HttpClient } from '../support/http-client.js'
import { fakeJpeg, sha256Hex, tinyPng } from '../support/photo-maker.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { type CliResult, cli } from './cli-harness.js'

let node = ''
let folder = ''

/** The CLI against a whole node in this process. */
beforeEach(async () => {
  folder = await temporaryDirectory()
  const started = await startNode(['--data', join(folder, 'data')])
  node = started.ready.http
})

async function startNode(args: readonly string[]): Promise<SheafNode> {
  const config = loadConfig({
    args: [...args, '--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--volume-bytes', '16Mi'],
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
  return made
}

function run(...args: string[]): Promise<CliResult> {
  return cli(args, { node })
}

/** Runs a command that must succeed. @returns the lines of its output */
async function lines(...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(...args)
  expect([code, stderr]).toEqual([0, ''])
  return stdout.split('\n').slice(0, -1)
}

async function json<Shape>(...args: string[]): Promise<Shape[]> {
  return (await lines(...args, '--json')).map(line => JSON.parse(line) as Shape)
}

interface Meta {
  readonly photo_id: string
  readonly name: string
  readonly sha256: string
  readonly tags: readonly string[]
}

async function makePhotos(): Promise<{ folder: string; files: Map<string, Buffer> }> {
  const files = new Map<string, Buffer>([
    ['b.jpg', fakeJpeg(1, 70_000)],
    ['a.png', tinyPng(2)],
    ['sub/c.jpg', fakeJpeg(3, 5_000)],
    ['sub/big.jpg', fakeJpeg(4, 5_000_000)]
  ])
  const photos = join(folder, 'photos')
  await mkdir(join(photos, 'sub'), { recursive: true })
  for (const [name, bytes] of files) await writeFile(join(photos, name), bytes)
  return { folder: photos, files }
}

test('put, list, get, remove, bring back', async () => {
  const { folder: photos, files } = await makePhotos()
  const ids = await lines('put', photos, '--tag', 'one', '--tag', 'two', '--album', 'summer')
  const order = ['a.png', 'b.jpg', 'sub/big.jpg', 'sub/c.jpg']
  expect(ids).toHaveLength(order.length)
  for (const [i, id] of ids.entries()) {
    const wanted = files.get(order[i] ?? '')
    expect((await run('get', id)).bytes.equals(wanted ?? Buffer.alloc(0))).toBe(true)
    await lines('get', id.toUpperCase(), '-o', join(folder, 'out'))
    expect((await readFile(join(folder, 'out'))).equals(wanted ?? Buffer.alloc(0))).toBe(true)
  }
  const [png = '', jpeg = ''] = ids

  const listed = await lines('ls')
  expect(listed[0]).toMatch(/^ID +CREATED +SIZE +TYPE +NAME$/)
  expect(
    listed
      .slice(1)
      .map(line => line.split(/ +/).at(-1) ?? '')
      .sort()
  ).toEqual(['a.png', 'b.jpg', 'big.jpg', 'c.jpg'])
  expect((await json<Meta>('ls', '--type', 'image/png')).map(({ name }) => name)).toEqual(['a.png'])
  expect(await json('ls', '--tag', 'two', '--album', 'summer')).toHaveLength(4)
  expect(await json('ls', '--tag', 'three')).toHaveLength(0)
  expect((await json<Meta>('ls', '--query', 'bi')).map(({ name }) => name)).toEqual(['big.jpg'])
  expect(await json('ls', '--limit', '3')).toHaveLength(3)

  expect((await json<Meta>('info', png))[0]).toMatchObject({ name: 'a.png', tags: ['one', 'two'], photo_id: png })
  expect(await lines('info', png)).toContain('tags     one, two')

  expect(await lines('rm', png, jpeg)).toEqual([png, jpeg])
  expect(await run('get', png)).toMatchObject({ code: 1, stderr: expect.stringContaining('(ERR_PHOTO_DELETED)') })
  expect(await json('ls')).toHaveLength(2)
  expect(await lines('undelete', png)).toEqual([png])
  expect((await run('get', png)).bytes.equals(files.get('a.png') ?? Buffer.alloc(0))).toBe(true)

  const unknown = '00000000-0000-7000-8000-000000000000'
  const removal = await run('rm', 'nonsense', unknown, jpeg)
  expect([removal.code, removal.stdout]).toEqual([1, `${jpeg}\n`])
  expect(removal.stderr).toMatch(/^sheaf: nonsense: .*\(ERR_BAD_ID\)\nsheaf: 0{8}-.*\(ERR_PHOTO_NOT_FOUND\)\n$/)
})

test('a long list comes in pages, without a photo lost or shown twice', async () => {
  const photos = join(folder, 'many')
  await mkdir(photos)
  for (let n = 0; n < 30; n++) await writeFile(join(photos, `${n}.jpg`), fakeJpeg(n, 300))
  const ids = await lines('put', photos)
  // The command asks for pages of 1000; the limit makes the last one shorter.
  const all = await json<Meta>('ls')
  expect(new Set(all.map(({ photo_id }) => photo_id))).toEqual(new Set(ids))
  expect(all).toHaveLength(30)
})

test('--skip-existing prints the ids that the bytes have; without it the same bytes are two photos', async () => {
  const { folder: photos } = await makePhotos()
  const ids = await lines('put', photos)
  expect(await lines('put', '--skip-existing', photos)).toEqual(ids)
  expect(await json('ls')).toHaveLength(4)
  await lines('put', join(photos, 'a.png'))
  expect(await json('ls')).toHaveLength(5)
})

test('an empty file is refused, the others go in', async () => {
  const { folder: photos } = await makePhotos()
  await writeFile(join(photos, 'empty.jpg'), '')
  const { code, stdout, stderr } = await run('put', photos)
  expect([code, stdout.split('\n')]).toEqual([1, expect.objectContaining({ length: 5 })])
  expect(stderr).toMatch(/empty\.jpg: .*\(ERR_EMPTY_FILE\)\n$/)
})

test('operations: status, volumes, verify, scrub, compact, rebuild-directory', async () => {
  const { folder: photos } = await makePhotos()
  const ids = await lines('put', photos)
  const data = ['--data', join(folder, 'data')]
  const [status] = await json<Record<string, unknown>>('status')
  expect(status).toMatchObject({ photos: 4, version: '1.2.3', volumes: 1 })
  expect((await lines('status')).join('\n')).toMatch(
    /^node +12D3KooW\w+\nversion +1\.2\.3\nphotos +4\nstored +5\.\d+ MB in 1 volume/
  )
  await lines('rm', ...ids.slice(0, 3))
  const table = await lines('volumes')
  expect(table[0]).toMatch(/^VOLUME +STATE +LENGTH +LIVE +DEAD +NEEDLES +HOLES +COPIES$/)
  expect(table).toHaveLength(2)
  const [before] = await json<{ volumes: { live_bytes: number; dead_bytes: number }[] }>('volumes')
  expect(before?.volumes[0]?.dead_bytes).toBeGreaterThan(5_000_000)

  expect((await lines('verify')).at(-1)).toMatch(/^faults +0$/)
  expect((await lines('scrub')).at(-1)).toMatch(/^faults +0$/)
  expect((await lines('compact')).join('\n')).toMatch(/moved +5\.\d+ MB/) // what was deleted a moment ago can be had back
  const digest = (await json<{ directory_digest: string }>('status'))[0]?.directory_digest
  const rebuilt = await json<{ state: string; result: { photos: number; digest: string } }>(
    'rebuild-directory',
    ...data
  )
  expect(rebuilt[0]).toMatchObject({ state: 'done', result: { photos: 1, digest } })
  expect((await run('get', ids[3] ?? '')).bytes.length).toBe(5_000)
  expect(await run('undelete', ids[0] ?? '')).toMatchObject({ code: 0 })
  expect((await run('get', ids[0] ?? '')).code).toBe(0)

  expect((await lines('compact', '--now', '--yes', ...data)).join('\n')).toMatch(/freed +5\.\d+ MB/)
  expect(await run('undelete', ids[2] ?? '')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('(ERR_BYTES_GONE)')
  })
})

test('conflicts of a photo that has none', async () => {
  const { folder: photos } = await makePhotos()
  const [id = ''] = await lines('put', join(photos, 'a.png'))
  expect(await json('conflicts', id)).toEqual([{ conflicts: [] }])
  expect(await lines('conflicts', id)).toEqual([])
  expect(await run('conflicts', id, '--restore', '1')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('(ERR_NO_SUCH_CONFLICT)')
  })
})

describe('export', () => {
  async function exported(): Promise<string[]> {
    const entries = await readdir(join(folder, 'out'), { recursive: true, withFileTypes: true })
    return entries
      .filter(entry => entry.isFile())
      .map(({ name }) => name)
      .sort()
  }
  /** Nothing reads heads here, which is said. */
  async function write(...args: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await run('export', join(folder, 'out'), ...args)
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^(sheaf: \d+ photos? came so lately [^\n]*\n)?$/)])
    return stdout.split('\n').slice(0, -1)
  }
  const today = (): string => {
    const [year, month, day] = new Date(systemClock.now()).toISOString().slice(0, 10).split('-')
    return join(folder, 'out', `${year}`, `${month}`, `${day}`)
  }

  test('originals under the day, each with its metadata; a second run has nothing to do', async () => {
    const { folder: photos, files } = await makePhotos()
    await lines('put', photos, '--tag', 'red')
    const paths = await write()
    expect(paths).toHaveLength(4)
    for (const [name, bytes] of files) {
      const file = join(today(), name.replace('sub/', ''))
      expect(paths).toContain(file)
      expect((await readFile(file)).equals(bytes)).toBe(true)
      expect(JSON.parse(await readFile(`${file}.json`, 'utf8'))).toMatchObject({
        sha256: sha256Hex(bytes),
        tags: ['red']
      })
    }
    expect(await write()).toEqual([])
    expect(await exported()).toHaveLength(8)
  })

  test('says of how many nobody has read yet when they were taken', async () => {
    const { folder: photos } = await makePhotos() // nothing reads heads here
    await lines('put', photos)
    expect(await run('export', join(folder, 'out'))).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^sheaf: \d+ photos? came so lately that no node has read when they were taken/)
    })
    expect(await run('export', join(folder, 'out'))).toMatchObject({ code: 0, stderr: '' }) // nothing was written
  })

  test('namesakes get the end of their id, and keep their names in later runs', async () => {
    const names = ['1/x.jpg', '2/x.jpg', '3/x.jpg']
    for (const [n, name] of names.entries()) {
      await mkdir(join(folder, 'in', String(n + 1)), { recursive: true })
      await writeFile(join(folder, 'in', name), n === 1 ? fakeJpeg(0, 400) : fakeJpeg(n, 400))
    }
    const ids = await lines('put', join(folder, 'in'))
    await write()
    const first = await exported()
    expect(first).toHaveLength(6)
    const owners = new Map<string, string>()
    for (const name of first.filter(file => file.endsWith('.json'))) {
      owners.set(name, JSON.parse(await readFile(join(today(), name), 'utf8')).photo_id)
    }
    expect(new Set(owners.values())).toEqual(new Set(ids))
    // A photo that comes later does not take a name from those that are there.
    await lines('put', join(folder, 'in', '1', 'x.jpg'))
    await write()
    for (const [name, id] of owners) expect(JSON.parse(await readFile(join(today(), name), 'utf8')).photo_id).toBe(id)
    expect(await exported()).toHaveLength(8)
  })

  test('it goes on where it stopped, follows metadata, and leaves what the user changed alone', async () => {
    const { folder: photos } = await makePhotos()
    const ids = await lines('put', photos)
    const done = (await write()).length
    expect(done).toBe(4)
    const [png = ''] = ids
    // Interrupted between a file and its sidecar, and before a file.
    await rm(join(today(), 'c.jpg.json'))
    await rm(join(today(), 'big.jpg'))
    await utimes(join(today(), 'c.jpg'), 1, 1)
    expect(await write()).toEqual([join(today(), 'big.jpg')])
    expect(await exported()).toHaveLength(8)

    const client = new HttpClient(node)
    await client.patchMeta(png, { tags: { add: ['new'] } })
    client.close()
    expect(await write()).toEqual([])
    expect(JSON.parse(await readFile(join(today(), 'a.png.json'), 'utf8')).tags).toEqual(['new'])

    await writeFile(join(today(), 'b.jpg'), 'my own version')
    const { code, stderr } = await run('export', join(folder, 'out'))
    expect([code, stderr]).toEqual([1, expect.stringContaining('no longer what was exported')])
    expect(await readFile(join(today(), 'b.jpg'), 'utf8')).toBe('my own version')
  })

  test('only what the filter lets through', async () => {
    const { folder: photos } = await makePhotos()
    await lines('put', photos)
    expect(await write('--type', 'image/png')).toEqual([join(today(), 'a.png')])
  })
})
