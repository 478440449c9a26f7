import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { kill } from 'node:process'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { SheafError } from '../../src/core/errors.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import { ForkedImageProcess } from '../../src/similarity/images/forked-image-process.js'
import { sourceOf } from '../../src/similarity/images/heads/head-bytes.js'
import type { Analysis, AnalysisRequest } from '../../src/similarity/images/image-analyzer.js'
import { QueuedImageAnalyzer } from '../../src/similarity/images/queued-image-analyzer.js'
import { colourModel } from '../support/colour-model.js'
import { SeededRandom, testSeeds } from '../support/seeded-random.js'
import { SimulatedClock, settle } from '../support/simulated-clock.js'
import { claimedPng, gifOf, scene, toImage } from '../support/test-pictures.js'

const HOLDER_PROGRAM = fileURLToPath(new URL('../support/image-process-holder.ts', import.meta.url))
/** Of small pictures; many more take minutes: `MUTATIONS=20000 npx vitest run test/integration/image-analyzer.test.ts`. */
const MUTATIONS = Number(process.env.MUTATIONS ?? 600)
/** As many as the process takes at once. */
const AT_ONCE = 4

interface Fixture {
  readonly analyzer: QueuedImageAnalyzer
  /** Of all image processes so far. */
  readonly pids: number[]
  /** Settles when the `n`th analysis, from 1, has been sent to a process. */
  analysisStarted(n: number): Promise<void>
  analyze(
    bytes: AnalysisRequest['bytes'],
    init?: Partial<AnalysisRequest> & { signal?: AbortSignal }
  ): Promise<Analysis>
}

/** For a test that ends processes, or has models or a time of its own: to start one takes a second. */
async function fixture(clock: Clock = systemClock): Promise<Fixture> {
  const made = await newFixture(clock)
  onTestFinished(() => made.analyzer.stop())
  return made
}

/** For all others. */
let shared: Fixture

beforeAll(async () => {
  shared = await newFixture(systemClock)
})

afterAll(() => shared.analyzer.stop())

async function newFixture(clock: Clock): Promise<Fixture> {
  const pids: number[] = []
  let startedCount = 0
  const waiting = new Map<number, () => void>()
  const log: Logger = {
    ...silentLog,
    debug: (_, message) => {
      if (message === 'analyzing a photo') waiting.get(++startedCount)?.()
    }
  }
  const startProcess = async (): Promise<ForkedImageProcess> => {
    const imageProcess = await ForkedImageProcess.start({ clock, log })
    pids.push(imageProcess.pid!)
    return imageProcess
  }
  const analyzer = new QueuedImageAnalyzer({ clock, log: silentLog, startProcess })
  await analyzer.start()
  return {
    analyzer,
    pids,
    analysisStarted: n => (startedCount >= n ? Promise.resolve() : new Promise(resolve => waiting.set(n, resolve))),
    analyze: (bytes, { signal = new AbortController().signal, ...init } = {}) =>
      analyzer.analyze(
        {
          bytes,
          size: bytes instanceof Uint8Array ? bytes.length : 0,
          outputs: { facts: true, features: analyzer.model },
          priority: 'backlog',
          ...init
        },
        signal
      )
  }
}

function isAlive(pid: number): boolean {
  try {
    return kill(pid, 0)
  } catch {
    return false
  }
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0)
}

const photo = (): Promise<Buffer> =>
  toImage(scene(1, 300, 200))
    .jpeg()
    .toBuffer()

describe('a photo', () => {
  test('is analyzed in another process', async () => {
    const { analyze } = shared
    const analysis = await analyze(
      await toImage(scene(1, 300, 200))
        .jpeg()
        .toBuffer()
    )
    expect(analysis).toMatchObject({ width: 300, height: 200 })
    expect(analysis.phash).toHaveLength(8)
    expect(analysis.features).toBeUndefined() // there is no model
    expect(analysis.variants.map(({ alt, width }) => [alt, width])).toEqual([['thumb', 256]])
    for (const { bytes, width } of analysis.variants) expect((await sharp(bytes).metadata()).width).toBe(width)
  })

  test('may arrive in pieces of any size', async () => {
    const { analyze } = shared
    const bytes = await toImage(scene(1, 1_500, 1_000))
      .png({ compressionLevel: 0 })
      .toBuffer()
    expect(bytes.length).toBeGreaterThan(4_000_000)
    const random = new SeededRandom(1)
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; ) {
        const end = at + random.below(700_000)
        yield bytes.subarray(at, end)
        at = end
      }
    }
    const whole = await analyze(bytes)
    expect(await analyze(pieces, { size: bytes.length })).toEqual(whole)
  })

  test('that is too short, too long or unreadable is an error and affects nothing else', async () => {
    const { analyze, pids } = shared
    const bytes = await photo()
    await expect(analyze(bytes, { size: bytes.length + 1 })).rejects.toMatchObject({ code: 'ERR_TRUNCATED_BODY' })
    await expect(analyze(bytes, { size: bytes.length - 1 })).rejects.toMatchObject({ code: 'ERR_TRUNCATED_BODY' })
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 1_000)
      throw new Error('the disk is gone')
    }
    await expect(analyze(failing, { size: bytes.length })).rejects.toThrow('the disk is gone')
    expect((await analyze(bytes)).width).toBe(300)
    expect(pids).toHaveLength(1)
  })

  test('gets only the requested outputs', async () => {
    const { analyzer, analyze } = await fixture()
    await analyzer.useModel(await colourModel())
    const analysis = await analyze(await photo(), { outputs: { facts: false, features: undefined } })
    expect(analysis).toMatchObject({ width: 300, variants: [] })
    expect(analysis).not.toHaveProperty('features')
  })
})

describe('the head of a file', () => {
  const exif = { IFD2: { DateTimeOriginal: '2020:01:02 03:04:05', OffsetTimeOriginal: '+01:00' } }
  const hints = { latestMs: Date.UTC(2026, 0, 1), name: '' }
  const never = (): AbortSignal => new AbortController().signal

  test('is read in another process, from a file that cannot be decoded, while another is being decoded', async () => {
    const { analyzer, analyze } = shared
    const bytes = (
      await toImage(scene(1, 300, 200))
        .withExif(exif)
        .jpeg()
        .toBuffer()
    ).subarray(0, 600)
    const decoded = analyze(await photo())
    expect(await analyzer.readHead({ source: sourceOf(bytes), hints }, never())).toEqual({
      format: 'jpeg',
      width: 300,
      height: 200,
      takenAt: { ms: Date.UTC(2020, 0, 2, 2, 4, 5), offsetMinutes: 60, source: 'exif', precision: 'second' }
    })
    const outputs = { facts: false, features: undefined }
    await expect(analyze(bytes, { outputs })).rejects.toMatchObject({ code: 'ERR_IMAGE_UNREADABLE' })
    expect(await decoded).toMatchObject({ width: 300 })
  })

  test('fails with what its source says, and when it takes too long', async () => {
    const clock = new SimulatedClock()
    const { analyzer } = await fixture(clock)
    const broken = { size: 100, read: () => Promise.reject(new SheafError('ERR_BYTES_UNREACHABLE', 'gone')) }
    await expect(analyzer.readHead({ source: broken, hints }, never())).rejects.toThrow('gone')
    let asked = (): void => {}
    const isAsked = new Promise<void>(resolve => {
      asked = resolve
    })
    const hanging = {
      size: 100,
      read: () => {
        asked()
        return new Promise<never>(() => {})
      }
    }
    const head = analyzer.readHead({ source: hanging, hints }, never())
    const failure = expect(head).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    await isAsked
    await clock.advance(60_000)
    await failure
    expect(await analyzer.readHead({ source: sourceOf(await photo()), hints }, never())).toMatchObject({
      width: 300
    })
  })

  test('does not keep a photo that kills the process from being found out', async () => {
    const { analyzer, pids, analyze, analysisStarted } = await fixture()
    const hanging = { size: 100, read: () => new Promise<never>(() => {}) }
    const stop = new AbortController()
    const head = analyzer.readHead({ source: hanging, hints }, stop.signal)
    const gone = expect(head).rejects.toThrow('enough')
    const failure = expect(analyze(await photo())).rejects.toMatchObject({ code: 'ERR_IMAGE_CRASHED' })
    for (const n of [1, 2]) {
      await analysisStarted(n)
      kill(pids.at(-1)!, 'SIGKILL')
    }
    await failure
    stop.abort(new Error('enough'))
    await gone
  })
})

describe('the model', () => {
  test('embeds pictures and texts, also beside the next one and after a crash', async () => {
    const { analyzer, analyze, pids } = await fixture()
    const [model, next] = [await colourModel(), await colourModel({ mirrored: true })]
    await analyzer.useModel(model)
    const red = await sharp({ create: { width: 30, height: 20, channels: 3, background: '#ff0000' } })
      .png()
      .toBuffer()
    const expectRed = async (): Promise<void> => {
      const { features } = await analyze(red, { outputs: { facts: false, features: model.spec.id } })
      expect(features?.modelDigest).toBe(model.spec.digest)
      const ofWord = await analyzer.embedText('red', model.spec.id, new AbortController().signal)
      expect(ofWord.space).toBe('image')
      expect(cosine(features!.vectors.get('image')!, ofWord.vector)).toBeCloseTo(1, 5)
    }
    await expectRed()
    await analyzer.useModel(next)
    await expectRed()
    kill(pids[0]!, 'SIGKILL')
    await expectRed()
    expect((await analyze(red)).features?.modelDigest).toBe(next.spec.digest)
    await analyzer.keepOnly(new Set([next.spec.id]))
    expect(await analyze(red, { outputs: { facts: false, features: model.spec.id } })).not.toHaveProperty('features')
    expect((await analyze(red)).features?.modelDigest).toBe(next.spec.digest)
  })

  test('gives equal vectors for equal bytes, whatever else is requested', async () => {
    const { analyzer, analyze } = await fixture()
    await analyzer.useModel(await colourModel())
    const large = await toImage(scene(1, 300, 200))
      .resize(3_000, 2_000)
      .jpeg()
      .toBuffer()
    const { phash, thumbhash, ...all } = await analyze(large)
    const some = await analyze(large, { outputs: { facts: false, features: analyzer.model } })
    expect(phash).toHaveLength(8)
    expect(thumbhash?.length).toBeGreaterThanOrEqual(5)
    expect(all.variants[0]).toMatchObject({ width: 2_048, height: 1_365 })
    expect(some).toEqual({ ...all, variants: [] })
  })

  test('that fails on a picture does not affect the other outputs', async () => {
    const { analyzer, analyze } = await fixture()
    await analyzer.useModel(await colourModel())
    const black = sharp({ create: { width: 300, height: 200, channels: 3, background: '#000' } })
    const analysis = await analyze(await black.png().toBuffer())
    expect(analysis).toMatchObject({ width: 300, featuresError: 'ERR_MODEL_INVALID' })
    expect(analysis.variants).toHaveLength(1)
  })

  test('that cannot be loaded is refused; the process keeps running', async () => {
    const { analyzer, analyze, pids } = await fixture()
    const model = await colourModel()
    await writeFile(join(model.folder, 'image.onnx'), 'this is no network')
    await expect(analyzer.useModel(model)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
    expect(await analyze(await photo())).not.toHaveProperty('features')
    expect(pids).toHaveLength(1)
  })
})

describe('hostile files', () => {
  test('are clean errors, and the process survives', async () => {
    const { analyze, pids } = shared
    const jpeg = await photo()
    const webp = await toImage(scene(1, 300, 200))
      .webp()
      .toBuffer()
    const cases: readonly (readonly [string, Buffer, string])[] = [
      ['half a WebP', webp.subarray(0, webp.length / 2), 'ERR_IMAGE_UNREADABLE'],
      ['text', Buffer.from('text '.repeat(1_000)), 'ERR_IMAGE_UNREADABLE'],
      ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), 'ERR_IMAGE_UNREADABLE'],
      ['nothing', Buffer.alloc(0), 'ERR_IMAGE_UNREADABLE'],
      ['a PNG bomb', await claimedPng(50_000, 50_000), 'ERR_IMAGE_TOO_LARGE'],
      ['a GIF of 6,000 frames', await gifOf(6_000), 'ERR_IMAGE_TOO_LARGE']
    ]
    for (const [name, bytes, code] of cases) {
      await expect(analyze(bytes), name).rejects.toMatchObject({ code })
      expect((await analyze(jpeg)).width, name).toBe(300)
    }
    await expect(analyze(jpeg, { size: 300 * 2 ** 20 })).rejects.toMatchObject({ code: 'ERR_IMAGE_TOO_LARGE' })
    expect(pids).toHaveLength(1)
  })

  test.each(testSeeds(1))(`damaged in ${MUTATIONS} ways is a picture or a clean error, under seed %i`, async seed => {
    const { analyze } = shared
    const random = new SeededRandom(seed)
    const small = toImage(scene(2, 48, 32)).withExif({
      IFD0: { Make: 'Camera' },
      IFD2: { DateTimeOriginal: '2020:01:02 03:04:05' }
    })
    const formats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const
    const originals = await Promise.all(formats.map(format => small.clone().toFormat(format).toBuffer()))
    const outcomes = new Map<string, number>()
    const outputs = { facts: false, features: undefined }
    for (let i = 0; i < MUTATIONS; i += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, () => damaged(random, random.pick(originals)))
      const analyses = some.map(bytes => analyze(bytes, { outputs }))
      for (const { status, ...result } of await Promise.allSettled(analyses)) {
        const outcome = status === 'fulfilled' ? 'read' : String((result as PromiseRejectedResult).reason.code)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
    }
    const clean = ['read', 'ERR_IMAGE_UNREADABLE', 'ERR_IMAGE_TOO_LARGE', 'ERR_IMAGE_CRASHED']
    expect([...outcomes.keys()].filter(outcome => !clean.includes(outcome))).toEqual([])
    expect(outcomes.get('ERR_IMAGE_UNREADABLE')).toBeGreaterThan(MUTATIONS / 4)
    expect((await analyze(await photo())).width).toBe(300)
  })
})

function damaged(random: SeededRandom, original: Buffer): Buffer {
  const bytes = Buffer.from(original)
  const kind = random.below(4)
  if (kind === 0) return bytes.subarray(0, random.below(bytes.length))
  if (kind === 1) return Buffer.from(random.bytes(1 + random.below(500)))
  // the head is where most harm is done
  const end = kind === 2 ? bytes.length : Math.min(bytes.length, 200)
  for (let i = 1 + random.below(10); i > 0; i--) bytes[random.below(end)] = random.below(256)
  return bytes
}

describe('the process', () => {
  test('that is killed during an analysis is restarted, and the photo retried', async () => {
    const { analyze, analysisStarted, pids } = await fixture()
    const bytes = await photo()
    await analyze(bytes) // it is up
    kill(pids[0]!, 'SIGSTOP') // it cannot be done before it is killed
    const killed = analyze(bytes)
    await analysisStarted(2)
    kill(pids[0]!, 'SIGKILL')
    expect((await killed).width).toBe(300)
    expect(pids).toHaveLength(2)
  })

  test('that is killed twice by one photo does not get it again', async () => {
    const { analyze, analysisStarted, pids } = await fixture()
    const bytes = await photo()
    await analyze(bytes)
    kill(pids[0]!, 'SIGSTOP')
    const killed = analyze(bytes)
    await analysisStarted(2)
    kill(pids[0]!, 'SIGKILL')
    await analysisStarted(3)
    kill(pids[1]!, 'SIGKILL')
    await expect(killed).rejects.toMatchObject({ code: 'ERR_IMAGE_CRASHED' })
    expect((await analyze(bytes)).width).toBe(300)
    expect(pids).toHaveLength(3)
  })

  test('that is killed by a photo does not fail the others', async () => {
    const { analyze, analysisStarted, pids } = await fixture()
    const bytes = await photo()
    await analyze(bytes)
    kill(pids[0]!, 'SIGSTOP')
    const [killed, ...others] = [analyze(bytes), analyze(bytes), analyze(bytes)]
    killed.catch(() => {})
    await analysisStarted(4)
    kill(pids[0]!, 'SIGKILL')
    await analysisStarted(5) // alone, as the others after it
    kill(pids[1]!, 'SIGKILL')
    await analysisStarted(8)
    kill(pids[2]!, 'SIGKILL')
    for (const other of others) expect((await other).width).toBe(300)
    await expect(killed).rejects.toMatchObject({ code: 'ERR_IMAGE_CRASHED' })
  })

  test('that takes too long for a photo is killed, twice', async () => {
    const clock = new SimulatedClock()
    const { analyze, analysisStarted, pids } = await fixture(clock)
    const bytes = await photo()
    await analyze(bytes)
    kill(pids[0]!, 'SIGSTOP')
    const slow = analyze(bytes)
    await analysisStarted(2)
    await clock.advance(179_999)
    expect(isAlive(pids[0]!)).toBe(true)
    await clock.advance(1)
    await analysisStarted(3)
    kill(pids[1]!, 'SIGSTOP')
    await clock.advance(180_000)
    await expect(slow).rejects.toMatchObject({ code: 'ERR_IMAGE_TOO_LARGE' })
    expect((await analyze(bytes)).width).toBe(300)
  })

  test('that keeps working on a cancelled photo is killed', async () => {
    const clock = new SimulatedClock()
    const { analyze, analysisStarted, pids } = await fixture(clock)
    const bytes = await photo()
    await analyze(bytes)
    kill(pids[0]!, 'SIGSTOP')
    const gone = new AbortController()
    const cancelled = analyze(bytes, { signal: gone.signal })
    await analysisStarted(2)
    gone.abort(new Error('gone'))
    await expect(cancelled).rejects.toThrow('gone')
    await settle()
    await clock.advance(2_000)
    expect((await analyze(bytes)).width).toBe(300)
    expect(pids).toHaveLength(2)
  })

  test('that keeps working on a cancelled photo goes on for the sake of another', async () => {
    const clock = new SimulatedClock()
    const { analyze, analysisStarted, pids } = await fixture(clock)
    const bytes = await photo()
    await analyze(bytes)
    kill(pids[0]!, 'SIGSTOP')
    const gone = new AbortController()
    const cancelled = analyze(bytes, { signal: gone.signal })
    const next = analyze(bytes)
    await analysisStarted(3)
    gone.abort(new Error('gone'))
    await expect(cancelled).rejects.toThrow('gone')
    await settle()
    await clock.advance(2_000)
    kill(pids[0]!, 'SIGCONT')
    expect((await next).width).toBe(300)
    expect(pids).toHaveLength(1)
  })

  test('waits for slow bytes, but not forever, and analyzes others meanwhile', async () => {
    const clock = new SimulatedClock()
    const { analyze } = await fixture(clock)
    const bytes = await photo()
    async function* stuck(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 100)
      await new Promise(() => {})
    }
    const slow = analyze(stuck, { size: bytes.length })
    slow.catch(() => {})
    expect((await analyze(bytes)).width).toBe(300)
    await clock.advance(60_000)
    await expect(slow).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    expect((await analyze(bytes)).width).toBe(300)
  })

  test('has ended when the analyzer has stopped', async () => {
    const { analyzer, analyze, pids } = await fixture()
    await analyze(await photo())
    expect(isAlive(pids[0]!)).toBe(true)
    await analyzer.stop()
    expect(isAlive(pids[0]!)).toBe(false)
  })

  test('ends when its node was killed', async () => {
    const node = spawn(process.execPath, ['--import', 'tsx', HOLDER_PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void node.kill('SIGKILL'))
    const [line] = (await once(node.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    expect(isAlive(pid)).toBe(true)
    node.kill('SIGKILL')
    await expect.poll(() => isAlive(pid), { timeout: 30_000 }).toBe(false)
  })

  test('has a lower priority than the node', async () => {
    const { analyze, pids } = shared
    await analyze(await photo())
    expect(getPriority(pids.at(-1))).toBe(10)
  })

  test.runIf(process.platform === 'linux')('knows none of the node’s secrets', async () => {
    process.env.SHEAF_CLUSTER_KEY = 'secret'
    onTestFinished(() => {
      delete process.env.SHEAF_CLUSTER_KEY
    })
    const { analyze, pids } = await fixture()
    await analyze(await photo())
    expect(readFileSync(`/proc/${pids[0]}/environ`, 'latin1')).not.toContain('SHEAF')
  })
})
