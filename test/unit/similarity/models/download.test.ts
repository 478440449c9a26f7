import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { silentLog } from '../../../../src/core/log.js'
import { type DownloadInit, download, type Fetch } from '../../../../src/similarity/models/download.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock, settle } from '../../../support/simulated-clock.js'
import { SimulatedDisk } from '../../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../../support/simulated-file-system.js'

const PIECE_BYTES = 1_000
const FILE = new SeededRandom(1).bytes(10_500)

/** How a server treats one request. */
interface Behavior {
  readonly status?: number
  /** The connection breaks after this many bytes. */
  readonly breakAfter?: number
  /** … or stalls forever. */
  readonly stallAfter?: number
  readonly ignoreRange?: boolean
  /** Sends another range than requested. */
  readonly shift?: number
  readonly withoutLength?: boolean
  readonly file?: Uint8Array
}

interface Asked {
  readonly url: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

function setUp(behaviors: readonly Behavior[] = []) {
  const disk = new SimulatedDisk()
  disk.makeFolder('/d')
  const fileSystem = new SimulatedFileSystem(disk)
  const clock = new SimulatedClock()
  const asked: Asked[] = []
  const fetch: Fetch = async (url, { headers, signal }) => {
    const behavior = behaviors[asked.length] ?? {}
    asked.push({ url, range: headers.range, authorization: headers.authorization })
    return answer(behavior, headers.range, signal)
  }
  const seen: number[] = []
  const start = (init: Partial<DownloadInit> = {}): Promise<void> =>
    download(
      { fileSystem, clock, log: silentLog, fetch },
      {
        url: new URL('https://models.example/one.tgz'),
        path: '/d/one.tgz',
        digest: { algorithm: 'sha256', value: hash('sha256', FILE, 'buffer') },
        bytesMax: FILE.length,
        onBytes: done => seen.push(done),
        signal: new AbortController().signal,
        ...init
      }
    )
  /** Advances the clock until the download has ended. */
  const finish = async (running: Promise<void>): Promise<void> => {
    let over = false
    const ended = running.finally(() => {
      over = true
    })
    ended.catch(() => {})
    for (let round = 0; round < 200 && !over; round++) await clock.advance(1_000)
    await ended
  }
  return {
    disk,
    fileSystem,
    clock,
    asked,
    seen,
    start,
    finish,
    run: (init?: Partial<DownloadInit>) => finish(start(init))
  }
}

function answer(behavior: Behavior, range: string | undefined, signal: AbortSignal): Response {
  const {
    status,
    breakAfter,
    stallAfter,
    ignoreRange = false,
    shift = 0,
    withoutLength = false,
    file = FILE
  } = behavior
  if (status !== undefined) return new Response('no', { status })
  const from = ignoreRange || range === undefined ? 0 : Number(/^bytes=(\d+)-$/.exec(range)![1])
  if (from > 0 && from >= file.length) return new Response('', { status: 416 })
  let at = from + shift
  const body = new ReadableStream<Uint8Array>({
    start: controller => signal.addEventListener('abort', () => controller.error(signal.reason), { once: true }),
    pull: controller => {
      if (breakAfter !== undefined && at - from >= breakAfter) return controller.error(new TypeError('terminated'))
      if (stallAfter !== undefined && at - from >= stallAfter) return new Promise(() => {})
      if (at >= file.length) return controller.close()
      controller.enqueue(file.slice(at, at + PIECE_BYTES))
      at += PIECE_BYTES
      return undefined
    }
  })
  const partial = from > 0
  const headers: Record<string, string> = withoutLength ? {} : { 'content-length': String(file.length - from) }
  if (partial) headers['content-range'] = `bytes ${from + shift}-${file.length - 1}/${file.length}`
  return new Response(body, { status: partial ? 206 : 200, headers })
}

const bytesAt = async (fileSystem: SimulatedFileSystem, path: string) => fileSystem.readFile(path)

test('a file is downloaded completely, and progress is reported', async () => {
  const { fileSystem, asked, seen, run } = setUp()
  await run()
  expect(Buffer.from((await bytesAt(fileSystem, '/d/one.tgz'))!).equals(FILE)).toBe(true)
  expect(await fileSystem.list('/d')).toEqual(['one.tgz'])
  expect(asked).toEqual([{ url: 'https://models.example/one.tgz', range: undefined, authorization: undefined }])
  expect(seen).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000, 10_500])
})

test('it resumes after each interruption', async () => {
  const { fileSystem, asked, run } = setUp([
    { breakAfter: 3_000 },
    { status: 503 },
    { stallAfter: 2_000 },
    { breakAfter: 1_000 }
  ])
  await run()
  expect(asked.map(({ range }) => range)).toEqual([
    undefined,
    ...[3_000, 3_000, 5_000, 6_000].map(at => `bytes=${at}-`)
  ])
  expect(Buffer.from((await bytesAt(fileSystem, '/d/one.tgz'))!).equals(FILE)).toBe(true)
})

test('a later process resumes what an earlier one downloaded', async () => {
  const { fileSystem, asked, clock, start, run } = setUp([{ stallAfter: 4_000 }])
  const abort = new AbortController()
  const first = start({ signal: abort.signal })
  await clock.advance(0)
  for (let turn = 0; turn < 50; turn++) await settle()
  abort.abort(new Error('the user has gone'))
  await expect(first).rejects.toThrow('the user has gone')
  expect(clock.pending).toBe(0)
  expect(await fileSystem.list('/d')).toEqual(['one.tgz.part'])
  await run()
  expect(asked[1]?.range).toBe('bytes=4000-')
  expect(Buffer.from((await bytesAt(fileSystem, '/d/one.tgz'))!).equals(FILE)).toBe(true)
})

test.each<[string, Behavior]>([
  ['knows no ranges', { ignoreRange: true }],
  ['sends another part', { shift: 500 }]
])('a server that %s costs time, not the file', async (_what, behavior) => {
  const { fileSystem, run } = setUp([{ breakAfter: 3_000 }, behavior])
  await run()
  expect(Buffer.from((await bytesAt(fileSystem, '/d/one.tgz'))!).equals(FILE)).toBe(true)
})

test('a complete but unchecked download is only checked', async () => {
  const { fileSystem, asked, run } = setUp()
  await fileSystem.writeFileAtomic('/d/one.tgz.part', FILE)
  await run()
  expect(asked.map(({ range }) => range)).toEqual(['bytes=10500-'])
  expect(await fileSystem.list('/d')).toEqual(['one.tgz'])
})

test('a partial download of another file is dropped', async () => {
  const { fileSystem, asked, run } = setUp()
  await fileSystem.writeFileAtomic('/d/one.tgz.part', new Uint8Array(2_000))
  await run()
  expect(asked.map(({ range }) => range)).toEqual(['bytes=2000-', undefined])
  expect(Buffer.from((await bytesAt(fileSystem, '/d/one.tgz'))!).equals(FILE)).toBe(true)
})

test('a wrong file is refused and not kept', async () => {
  const other = FILE.map((byte, at) => (at === 5_000 ? byte ^ 1 : byte))
  const { fileSystem, run } = setUp([{ file: other }])
  await expect(run()).rejects.toMatchObject({
    code: 'ERR_MODEL_DOWNLOAD',
    message: expect.stringMatching(/one\.tgz .*models\.example.*sha256/)
  })
  expect(await fileSystem.list('/d')).toEqual([])
})

test.each<[string, Behavior]>([
  ['says so', {}],
  ['does not say so', { withoutLength: true }]
])('a server that sends too much and %s is not listened to', async (_what, behavior) => {
  const { fileSystem, run } = setUp([behavior])
  await expect(run({ bytesMax: FILE.length - 1 })).rejects.toMatchObject({ code: 'ERR_MODEL_DOWNLOAD' })
  expect((await bytesAt(fileSystem, '/d/one.tgz.part'))!.length).toBeLessThan(FILE.length)
})

test('permanent errors are not retried; temporary ones are tried four times', async () => {
  const missing = setUp([{ status: 404 }])
  await expect(missing.run()).rejects.toMatchObject({ message: expect.stringContaining('404') })
  expect(missing.asked).toHaveLength(1)
  const down = setUp(Array.from({ length: 9 }, () => ({ status: 503 })))
  await expect(down.run()).rejects.toMatchObject({
    code: 'ERR_MODEL_DOWNLOAD',
    message: expect.stringContaining('503')
  })
  expect(down.asked).toHaveLength(4)
  expect(down.clock.pending).toBe(0)
})

test('a failing disk is not mistaken for a bad connection', async () => {
  const { disk, asked, run } = setUp()
  disk.fail('write')
  await expect(run()).rejects.toMatchObject({ code: 'EIO' })
  expect(asked).toHaveLength(1)
})

test('credentials in a URL are sent but not shown', async () => {
  const { asked, run } = setUp([{ status: 403 }])
  const failure = run({ url: new URL('https://me:p%40ss@models.example/one.tgz') })
  await expect(failure).rejects.toMatchObject({ message: expect.not.stringContaining('p%40ss') })
  const authorization = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
  expect(asked).toEqual([{ url: 'https://models.example/one.tgz', range: undefined, authorization }])
})
