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
interface Behaviour {
  readonly status?: number
  /** The connection breaks after so many bytes. */
  readonly breakAfter?: number
  /** … or nothing more comes, for ever. */
  readonly stallAfter?: number
  readonly ignoreRange?: boolean
  /** A part that was not asked for. */
  readonly shift?: number
  readonly withoutLength?: boolean
  readonly file?: Uint8Array
}

interface Asked {
  readonly url: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

function setUp(behaviours: readonly Behaviour[] = []) {
  const disk = new SimulatedDisk()
  disk.makeFolder('/d')
  const fileSystem = new SimulatedFileSystem(disk)
  const clock = new SimulatedClock()
  const asked: Asked[] = []
  const fetch: Fetch = async (url, { headers, signal }) => {
    const behaviour = behaviours[asked.length] ?? {}
    asked.push({ url, range: headers.range, authorization: headers.authorization })
    return answer(behaviour, headers.range, signal)
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
  /** Lets time pass until the download has ended. */
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

function answer(behaviour: Behaviour, range: string | undefined, signal: AbortSignal): Response {
  const {
    status,
    breakAfter,
    stallAfter,
    ignoreRange = false,
    shift = 0,
    withoutLength = false,
    file = FILE
  } = behaviour
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

test('a file comes whole, with news of how far it is', async () => {
  const { fileSystem, asked, seen, run } = setUp()
  await run()
  expect(Buffer.from((await bytesAt(fileSystem, '/d/one.tgz'))!).equals(FILE)).toBe(true)
  expect(await fileSystem.list('/d')).toEqual(['one.tgz'])
  expect(asked).toEqual([{ url: 'https://models.example/one.tgz', range: undefined, authorization: undefined }])
  expect(seen).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000, 10_500])
})

test('after each interruption it goes on from there', async () => {
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

test('a later process goes on from what an earlier one had', async () => {
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

test.each<[string, Behaviour]>([
  ['knows no ranges', { ignoreRange: true }],
  ['sends another part', { shift: 500 }]
])('a server that %s costs time, not the file', async (_what, behaviour) => {
  const { fileSystem, run } = setUp([{ breakAfter: 3_000 }, behaviour])
  await run()
  expect(Buffer.from((await bytesAt(fileSystem, '/d/one.tgz'))!).equals(FILE)).toBe(true)
})

test('all was there but for the look at it', async () => {
  const { fileSystem, asked, run } = setUp()
  await fileSystem.writeFileAtomic('/d/one.tgz.part', FILE)
  await run()
  expect(asked.map(({ range }) => range)).toEqual(['bytes=10500-'])
  expect(await fileSystem.list('/d')).toEqual(['one.tgz'])
})

test('a beginning that belongs to another file is thrown away', async () => {
  const { fileSystem, asked, run } = setUp()
  await fileSystem.writeFileAtomic('/d/one.tgz.part', new Uint8Array(2_000))
  await run()
  expect(asked.map(({ range }) => range)).toEqual(['bytes=2000-', undefined])
  expect(Buffer.from((await bytesAt(fileSystem, '/d/one.tgz'))!).equals(FILE)).toBe(true)
})

test('another file is refused and not kept', async () => {
  const other = FILE.map((byte, at) => (at === 5_000 ? byte ^ 1 : byte))
  const { fileSystem, run } = setUp([{ file: other }])
  await expect(run()).rejects.toMatchObject({
    code: 'ERR_MODEL_DOWNLOAD',
    message: expect.stringMatching(/one\.tgz .*models\.example.*sha256/)
  })
  expect(await fileSystem.list('/d')).toEqual([])
})

test.each<[string, Behaviour]>([
  ['says so', {}],
  ['does not say so', { withoutLength: true }]
])('a server that sends too much and %s is not listened to', async (_what, behaviour) => {
  const { fileSystem, run } = setUp([behaviour])
  await expect(run({ bytesMax: FILE.length - 1 })).rejects.toMatchObject({ code: 'ERR_MODEL_DOWNLOAD' })
  expect((await bytesAt(fileSystem, '/d/one.tgz.part'))!.length).toBeLessThan(FILE.length)
})

test('what will not change is not asked for again; what may is asked for four times', async () => {
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

test('a failing disk is not taken for a bad connection', async () => {
  const { disk, asked, run } = setUp()
  disk.fail('write')
  await expect(run()).rejects.toMatchObject({ code: 'EIO' })
  expect(asked).toHaveLength(1)
})

test('credentials in an address are sent and not shown', async () => {
  const { asked, run } = setUp([{ status: 403 }])
  const failure = run({ url: new URL('https://me:p%40ss@models.example/one.tgz') })
  await expect(failure).rejects.toMatchObject({ message: expect.not.stringContaining('p%40ss') })
  const authorization = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
  expect(asked).toEqual([{ url: 'https://models.example/one.tgz', range: undefined, authorization }])
})
