import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/core/clock.js'
import { systemClock } from '../../src/core/clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { answerJson, bodyOf, cli, fakeNode } from './cli-harness.js'

const ID = '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'

/** Does not wait, but notes how long it was asked to. */
function hastyClock(): Clock & { readonly sleeps: number[] } {
  const sleeps: number[] = []
  return {
    ...systemClock,
    sleeps,
    sleep: async (ms, signal) => {
      sleeps.push(ms)
      signal?.throwIfAborted()
    }
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function receipt(bytes: Uint8Array, photo_id = ID): object {
  return { photo_id, sha256: sha256(bytes), size: bytes.length }
}

describe('a node that is not there', () => {
  test('is named, with the way out, at once', async () => {
    const clock = hastyClock()
    const { code, stderr } = await cli(['ls'], { node: 'http://127.0.0.1:1', clock })
    expect(code).toBe(1)
    expect(stderr).toBe(
      'sheaf: no answer from http://127.0.0.1:1 (ECONNREFUSED): start a node with `sheaf start`, ' +
        'or name another one with --node URL or SHEAF_NODE (ERR_NODE_UNREACHABLE)\n'
    )
    expect(clock.sleeps).toEqual([])
  })

  test('ends a command for many files with one message', async () => {
    const folder = await temporaryDirectory()
    for (let n = 0; n < 20; n++) await writeFile(join(folder, String(n)), 'x')
    for (const args of [
      ['put', folder],
      ['rm', 'a', 'b', 'c'],
      ['export', folder]
    ]) {
      const { code, stdout, stderr } = await cli(args, { node: 'http://127.0.0.1:1' })
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^sheaf: no answer from [^\n]*\n$/)
    }
  })

  test.each(['nonsense', 'ftp://x', 'http://x?y=1'])('a --node of %j is wrong usage', async node => {
    const { code, stderr } = await cli(['ls', '--node', node])
    expect([code, stderr]).toEqual([2, expect.stringContaining('(ERR_USAGE)')])
  })

  test('something else under its address is told apart', async () => {
    const node = await fakeNode((_request, response) => response.end('<html>It works!</html>'))
    expect(await cli(['status'], { node })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not as a Sheaf node')
    })
    const refusing = await fakeNode((_request, response) => response.writeHead(502).end('Bad Gateway'))
    expect(await cli(['status'], { node: refusing })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(status 502)')
    })
  })

  test('the URL may have a path, as behind a proxy', async () => {
    const paths: (string | undefined)[] = []
    const node = await fakeNode((request, response) => {
      paths.push(request.url)
      answerJson(response, 200, { conflicts: [] })
    })
    await cli(['conflicts', 'a/../b', '--node', `${node}/photos`])
    expect(paths).toEqual(['/photos/photo/a%2F..%2Fb/conflicts'])
  })
})

describe('what the node says', () => {
  test('a problem is shown with its code; an unknown code does not confuse', async () => {
    let code = 'ERR_PHOTO_NOT_FOUND'
    const node = await fakeNode((_request, response) =>
      answerJson(response, 404, { code, detail: 'no such \x1b[2J photo' })
    )
    expect(await cli(['info', ID], { node })).toMatchObject({
      code: 1,
      stderr: 'sheaf: no such �[2J photo (ERR_PHOTO_NOT_FOUND)\n'
    })
    code = 'ERR_OF_NEXT_YEAR'
    expect((await cli(['info', ID], { node })).stderr).toContain('(ERR_OF_NEXT_YEAR)')
  })

  test('an overloaded node is asked again, with growing pauses, and not for ever', async () => {
    let left = 2
    const node = await fakeNode((_request, response) => {
      if (left-- > 0) answerJson(response, 503, { code: 'ERR_OVERLOADED', detail: 'busy' })
      else answerJson(response, 200, { conflicts: [] })
    })
    const clock = hastyClock()
    expect((await cli(['conflicts', ID], { node, clock })).code).toBe(0)
    expect(clock.sleeps).toEqual([500, 1_000])
    left = 1_000
    expect((await cli(['conflicts', ID], { node, clock })).stderr).toContain('ERR_OVERLOADED')
    expect(left).toBe(995)
  })

  test('a body that ends early is a failure', async () => {
    const node = await fakeNode((_request, response) => {
      response.writeHead(200, { 'content-length': 10 })
      response.write('{"a"', () => response.destroy())
    })
    const { code, stderr } = await cli(['status'], { node, clock: hastyClock() })
    expect([code, stderr]).toEqual([1, expect.stringContaining('ERR_NODE_UNREACHABLE')])
  })
})

describe('put', () => {
  test('a retry after a lost connection sends the whole file under the same key; another file has another key', async () => {
    const folder = await temporaryDirectory()
    const bytes = Buffer.alloc(600_000, 7)
    await writeFile(join(folder, 'a.jpg'), bytes)
    await writeFile(join(folder, 'b.jpg'), 'b')
    const seen: { key: unknown; name: string | null; byteCount: number }[] = []
    let failures = 2
    const node = await fakeNode(async (request, response) => {
      const url = new URL(request.url ?? '', 'http://x')
      const body = await bodyOf(request)
      const key = request.headers['idempotency-key']
      seen.push({ key, name: url.searchParams.get('filename'), byteCount: body.length })
      // The node stored it, but its answer is lost.
      if (url.searchParams.get('filename') === 'a.jpg' && failures-- > 0) request.socket.destroy()
      else answerJson(response, 201, receipt(body))
    })
    const { code, stdout } = await cli(['put', join(folder, 'a.jpg'), join(folder, 'b.jpg')], {
      node,
      clock: hastyClock()
    })
    expect([code, stdout]).toEqual([0, `${ID}\n${ID}\n`])
    const a = seen.filter(({ name }) => name === 'a.jpg')
    expect(a.map(({ byteCount }) => byteCount)).toEqual([600_000, 600_000, 600_000])
    expect(new Set(a.map(({ key }) => key)).size).toBe(1)
    expect(new Set(seen.map(({ key }) => key)).size).toBe(2)
    expect(a[0]?.key).toMatch(/^[0-9a-f]{32}$/)
  })

  test('a node that is lost on the way: says how many files went up, and how to go on', async () => {
    const folder = await temporaryDirectory()
    for (const name of ['a', 'b', 'c']) await writeFile(join(folder, name), name)
    const node = await fakeNode(async (request, response) => {
      const body = await bodyOf(request)
      if (body.toString() === 'c') request.socket.destroy()
      else answerJson(response, 201, receipt(body))
    })
    const { code, stdout, stderr } = await cli(['put', folder], { node, clock: hastyClock() })
    expect([code, stdout]).toEqual([1, `${ID}\n${ID}\n`])
    expect(stderr).toMatch(
      /^2 of 3 files uploaded; .* --skip-existing\nsheaf: no answer from .*\(ERR_NODE_UNREACHABLE\)\n$/
    )
  })

  test('bytes that are sent again are not counted twice', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'a.jpg'), Buffer.alloc(600_000, 7))
    let failures = 2
    const node = await fakeNode(async (request, response) => {
      const body = await bodyOf(request)
      if (failures-- > 0) request.socket.destroy()
      else answerJson(response, 201, receipt(body))
    })
    // Every look at this clock is a second later, so that nothing is left out of the drawing.
    let ms = 0
    const clock = { ...hastyClock(), monotonic: () => (ms += 1_000) }
    const { stderr } = await cli(['put', folder], { node, clock, stderrIsTerminal: true })
    const shown = [...stderr.matchAll(/% \S+ {2}(.+?) of (.+?) {2}/g)].map(([, sent, total]) => [sent, total])
    expect(shown.at(-1)).toEqual(['600 kB', '600 kB'])
    expect(shown.filter(([, total]) => total !== '600 kB')).toEqual([])
    expect(shown.filter(([sent = '']) => sent.endsWith('MB'))).toEqual([])
  })

  test('it goes on after failures, prints ids in the order of the arguments, and exits 1', async () => {
    const folder = await temporaryDirectory()
    const names = ['slow', 'bad', 'fast', 'empty']
    for (const name of names) await writeFile(join(folder, name), name)
    let release = (): void => {}
    const fastDone = new Promise<void>(resolve => {
      release = resolve
    })
    const node = await fakeNode(async (request, response) => {
      const name = new URL(request.url ?? '', 'http://x').searchParams.get('filename')
      const body = await bodyOf(request)
      if (name === 'slow') await fastDone
      if (name === 'bad') answerJson(response, 507, { code: 'ERR_DISK_FULL', detail: 'no space' })
      else answerJson(response, 201, receipt(body, `id-of-${name}`))
      if (name === 'fast') release()
    })
    const paths = [...names.map(name => join(folder, name)), join(folder, 'missing')]
    const { code, stdout, stderr } = await cli(['put', ...paths], { node })
    expect([code, stdout]).toEqual([1, 'id-of-slow\nid-of-fast\nid-of-empty\n'])
    expect(stderr).toBe(
      `sheaf: ${paths[1]}: no space (ERR_DISK_FULL)\nsheaf: ${paths[4]}: no such file or folder (ENOENT)\n`
    )
    const json = await cli(['put', '--json', ...paths], { node })
    const lines = json.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines).toMatchObject([
      { file: paths[0], photo_id: 'id-of-slow', existed: false },
      { file: paths[1], error: { code: 'ERR_DISK_FULL', detail: 'no space' } },
      { photo_id: 'id-of-fast' },
      { photo_id: 'id-of-empty' },
      { file: paths[4], error: { code: 'ENOENT' } }
    ])
  })

  test('an answer before the end of the body counts, and the rest is not sent', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'big'), Buffer.alloc(50_000_000))
    let received = 0
    const node = await fakeNode((request, response) => {
      request.on('data', (piece: Buffer) => {
        received += piece.length
      })
      request.once('data', () => answerJson(response, 413, { code: 'ERR_TOO_LARGE', detail: 'too large' }))
    })
    const { code, stderr } = await cli(['put', join(folder, 'big')], { node })
    expect([code, stderr]).toEqual([1, expect.stringContaining('too large (ERR_TOO_LARGE)')])
    expect(received).toBeLessThan(50_000_000)
  })

  test('a node that stored other bytes is found out', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'a'), 'a')
    const node = await fakeNode(async (request, response) => {
      await bodyOf(request)
      answerJson(response, 201, receipt(Buffer.from('b')))
    })
    expect(await cli(['put', join(folder, 'a')], { node })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('other bytes')
    })
  })

  test('folders are walked in order, without hidden files, folders behind links and what is no file', async () => {
    const folder = await temporaryDirectory()
    await mkdir(join(folder, 'b', 'deep'), { recursive: true })
    await mkdir(join(folder, '.git'))
    for (const name of ['c', 'a', 'b/2', 'b/10', 'b/deep/x', '.hidden', '.git/y'])
      await writeFile(join(folder, name), name)
    await symlink(folder, join(folder, 'b', 'loop'))
    await symlink(join(folder, 'a'), join(folder, 'd-link'))
    await symlink(join(folder, 'nowhere'), join(folder, 'e-dangling'))
    const server = createServer().listen(join(folder, 'socket'))
    const node = await fakeNode(async (request, response) => {
      answerJson(
        response,
        201,
        receipt(await bodyOf(request), new URL(request.url ?? '', 'http://x').searchParams.get('filename') ?? '')
      )
    })
    const { code, stdout, stderr } = await cli(['put', folder, join(folder, '.hidden')], { node })
    server.close()
    expect(stdout.trim().split('\n')).toEqual(['a', '10', '2', 'x', 'c', 'd-link', '.hidden'])
    expect(code).toBe(1)
    expect(stderr).toContain('e-dangling: no such file')
    expect(stderr).toContain('loop: skipped, a link to a folder')
    expect(stderr).toContain('socket: skipped, not a file')
  })

  test('--skip-existing asks by content and sends the same bytes only once', async () => {
    const folder = await temporaryDirectory()
    for (const name of ['known', 'new1', 'new2', 'new3'])
      await writeFile(join(folder, name), name === 'known' ? 'k' : 'n')
    const sent: string[] = []
    const node = await fakeNode(async (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://x')
      if (pathname === '/photos') {
        const known = searchParams.get('sha256') === sha256(Buffer.from('k'))
        return answerJson(response, 200, {
          photos: known ? [receipt(Buffer.from('k'), 'old')] : [],
          total: 0,
          next_cursor: null
        })
      }
      sent.push(searchParams.get('filename') ?? '')
      answerJson(response, 201, receipt(await bodyOf(request), 'fresh'))
    })
    const { code, stdout } = await cli(['put', '--skip-existing', folder], { node })
    expect([code, stdout]).toEqual([0, 'old\nfresh\nfresh\nfresh\n'])
    expect(sent).toHaveLength(1)
  })

  test('a terminal gets a summary, and tags and albums go with every file', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'a'), 'a')
    let url = ''
    const node = await fakeNode(async (request, response) => {
      url = request.url ?? ''
      answerJson(response, 201, receipt(await bodyOf(request)))
    })
    const args = ['put', join(folder, 'a'), '--tag', 'red', '--tag', 'x&y', '--album', 'summer 26']
    const { stderr } = await cli(args, { node, stderrIsTerminal: true })
    expect(stderr).toContain('1 file uploaded (1 B)\n')
    const { searchParams } = new URL(url, 'http://x')
    expect([searchParams.getAll('tag'), searchParams.getAll('album')]).toEqual([['red', 'x&y'], ['summer 26']])
  })
})

describe('get', () => {
  const photo = Buffer.from('the bytes of a photo')
  const serve = (sent: Buffer, etag = `"${sha256(photo)}"`) =>
    fakeNode((_request, response) => {
      response.writeHead(200, { etag, 'content-length': sent.length })
      response.end(sent)
    })

  test('bytes that are not those of the ETag leave no file behind, nor touch an old one', async () => {
    const folder = await temporaryDirectory()
    const file = join(folder, 'out.jpg')
    const node = await serve(Buffer.from('the bytes of a phOto'))
    expect(await cli(['get', ID, '-o', file], { node })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ERR_NEEDLE_CORRUPT')
    })
    expect(await readdir(folder)).toEqual([])
    await writeFile(file, 'old')
    await cli(['get', ID, '-o', file], { node })
    expect(await readdir(folder)).toEqual(['out.jpg'])
    expect(await readFile(file, 'utf8')).toBe('old')
    expect((await cli(['get', ID], { node })).code).toBe(1)
  })

  test('a connection lost half way leaves no file behind', async () => {
    const folder = await temporaryDirectory()
    const node = await fakeNode((_request, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('half', () => response.destroy())
    })
    expect((await cli(['get', ID, '-o', join(folder, 'x')], { node })).code).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  test('a photo is not thrown at a terminal unless that is meant', async () => {
    const node = await serve(photo)
    expect((await cli(['get', ID], { node, stdoutIsTerminal: true })).code).toBe(2)
    expect((await cli(['get', ID, '-o', '-'], { node, stdoutIsTerminal: true })).bytes).toEqual(photo)
    expect((await cli(['get', ID], { node })).bytes).toEqual(photo)
  })

  test('a link is written through, a device is written to', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'real'), '')
    await symlink(join(folder, 'real'), join(folder, 'link'))
    const node = await serve(photo)
    expect((await cli(['get', ID, '-o', join(folder, 'link')], { node })).code).toBe(0)
    expect(await readFile(join(folder, 'real'))).toEqual(photo)
    expect((await cli(['get', ID, '-o', '/dev/null'], { node })).code).toBe(0)
  })
})

describe('jobs', () => {
  const follow = (states: object[]) => {
    let at = 0
    return fakeNode((request, response) => {
      answerJson(response, request.method === 'POST' ? 202 : 200, {
        job_id: 'j',
        kind: 'verify',
        ...states[Math.min(at++, states.length - 1)]
      })
    })
  }

  test('a job is followed to its end, with pauses that grow to a second', async () => {
    const running = { state: 'running', progress: { done: 1_500_000, total: 3_000_000, unit: 'bytes' } }
    const node = await follow([
      { state: 'queued' },
      ...Array(8).fill(running),
      { state: 'done', result: { needles: 7, bytes: 3_000_000, faults: [] } }
    ])
    const clock = hastyClock()
    const { code, stdout, stderr } = await cli(['verify'], { node, clock, stderrIsTerminal: true })
    expect([code, stdout]).toEqual([0, 'needles  7\nbytes    3.00 MB\nfaults   0\n'])
    expect(stderr).toContain('verify: 50 %  1.50 MB of 3.00 MB')
    expect(clock.sleeps).toEqual([50, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000])
  })

  test('verify --all-peers asks for the comparison, and a member that did not answer is exit 1', async () => {
    const urls: (string | undefined)[] = []
    const faults = [{ volume: null, photo_id: null, problem: 'member b (12D3): it did not answer' }]
    const node = await fakeNode((request, response) => {
      urls.push(request.url)
      const result = { needles: 1, faults, identical_members: 1, other_members: [{}, {}] }
      answerJson(response, 202, { job_id: 'j', kind: 'verify-all-peers', state: 'done', result })
    })
    const { code, stderr } = await cli(['verify', '--all-peers'], { node })
    expect([code, stderr]).toEqual([1, 'sheaf: member b (12D3): it did not answer\n'])
    await cli(['verify'], { node })
    expect(urls).toEqual(['/v1/admin/verify?all_peers=true', '/v1/admin/verify'])
  })

  test('a difference found is exit 1, and every fault is told', async () => {
    const faults = [{ volume: 'v', photo_id: ID, problem: 'no copy can be read' }]
    const node = await follow([{ state: 'done', result: { needles: 1, faults } }])
    const { code, stderr } = await cli(['scrub'], { node })
    expect([code, stderr]).toEqual([1, `sheaf: photo ${ID}: volume v: no copy can be read\n`])
  })

  test.each(['failed', 'cancelled'])('a job that %s is exit 1 with its reason', async state => {
    const node = await follow([{ state, error: { code: 'ERR_DISK_FULL', message: 'no space' } }])
    const { code, stderr } = await cli(['compact'], { node })
    expect([code, stderr]).toEqual([1, `sheaf: compact ${state}: no space (ERR_DISK_FULL)\n`])
  })
})

describe('usage', () => {
  test.each([
    [['nonsense']],
    [['ls', '--no-such']],
    [['ls', '--limit', '0']],
    [['ls', '--limit', 'many']],
    [['get']],
    [['get', 'a', 'b']],
    [['completion', 'tcsh']],
    [[]]
  ])('%j is exit 2, and says why on stderr', async args => {
    const { code, stdout, stderr } = await cli(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).not.toBe('')
  })

  test('help is exit 0, on stdout', async () => {
    expect(await cli(['--help'])).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Exits 0') })
    expect(await cli(['put', '--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--skip-existing') })
    expect(await cli(['start', '--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('the settings') })
  })

  test('version', async () => {
    expect((await cli(['version'])).stdout).toBe(`sheaf 0.0.0 (node ${process.versions.node})\n`)
    expect(JSON.parse((await cli(['version', '--json'])).stdout)).toEqual({
      sheaf: '0.0.0',
      node: process.versions.node
    })
  })
})

test('an interrupt ends a command at once, with no word but that of whoever interrupts', async () => {
  const folder = await temporaryDirectory()
  await writeFile(join(folder, 'a'), 'a')
  const interrupt = new AbortController()
  const node = await fakeNode(() => interrupt.abort(new Error('interrupted')))
  const { code, stderr } = await cli(['put', join(folder, 'a')], { node, signal: interrupt.signal })
  expect([code, stderr]).toEqual([1, ''])
})

test.each(['', 'S3://photos/x', 'https://x/y'])('a backup to %j does not become a folder here', async target => {
  const { code, stderr } = await cli(['backup', target], { node: 'http://127.0.0.1:1' })
  expect([code, stderr]).toEqual([
    2,
    `sheaf: the target "${target}" is neither s3://BUCKET/PREFIX nor a folder (ERR_USAGE)\n`
  ])
})
