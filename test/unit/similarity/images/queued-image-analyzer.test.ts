import { describe, expect, onTestFinished, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'
import type { ModelId } from '../../../../src/domain/features.js'
import { SEARCH_CHARACTERS_MAX } from '../../../../src/domain/limits.js'
import { sourceOf } from '../../../../src/similarity/images/heads/head-bytes.js'
import type { Head } from '../../../../src/similarity/images/heads/head-facts.js'
import {
  type Analysis,
  type AnalysisRequest,
  type HeadRequest,
  IMAGE_BYTES_MAX
} from '../../../../src/similarity/images/image-analyzer.js'
import {
  type ImageProcess,
  ImageProcessEnded,
  type ImageProcessEndReason
} from '../../../../src/similarity/images/image-process.js'
import { QueuedImageAnalyzer } from '../../../../src/similarity/images/queued-image-analyzer.js'
import type { TextEmbedding } from '../../../../src/similarity/models/embedder.js'
import { identifyModel, type LoadedModel, type TextSide } from '../../../../src/similarity/models/model-spec.js'
import { type Deferred, deferred } from '../../../support/deferred.js'
import { SimulatedClock, settle } from '../../../support/simulated-clock.js'

const ANALYSIS: Analysis = { width: 1, height: 1, state: 'whole', phash: new Uint8Array(8), variants: [] }
const OUTPUTS = { facts: true, features: undefined }
const EMBEDDING: TextEmbedding = { space: 'image', vector: Float32Array.of(1) }

function never(): AbortSignal {
  return new AbortController().signal
}

interface StartedAnalysis {
  readonly name: string
  readonly signal: AbortSignal
  readonly outcome: Deferred<Analysis>
  isDone: boolean
}

/** An image process whose analyses run until the test ends them. */
class ScriptedProcess implements ImageProcess {
  ended = false
  readonly analyses: StartedAnalysis[] = []
  /** The models of each `holdModels` call. */
  readonly models: string[] = []
  readonly texts: string[] = []
  readonly headTimes: number[] = []
  /** A model that cannot be loaded. */
  badModel: string | undefined
  textError: Error | undefined
  /** Loading models waits for this. */
  beforeModels: Promise<void> = Promise.resolve()

  async holdModels(models: readonly LoadedModel[]): Promise<void> {
    const names = models.map(({ spec }) => spec.name)
    this.models.push(names.join(' '))
    await this.beforeModels
    if (names.some(name => name === this.badModel)) throw new SheafError('ERR_MODEL_INVALID')
  }

  analyze({ bytes }: AnalysisRequest, signal: AbortSignal): Promise<Analysis> {
    const outcome = deferred<Analysis>()
    const analysis = { name: Buffer.from(bytes as Uint8Array).toString(), signal, outcome, isDone: false }
    this.analyses.push(analysis)
    return outcome.promise.finally(() => {
      analysis.isDone = true
    })
  }

  async readHead({ hints }: HeadRequest): Promise<Head> {
    this.headTimes.push(hints.latestMs)
    if (this.ended) throw new ImageProcessEnded('crashed', 'test', false)
    return { format: 'jpeg' }
  }

  async embedText(text: string, model: ModelId): Promise<TextEmbedding> {
    this.texts.push(`${text} ${model}`)
    if (this.textError !== undefined) throw this.textError
    return EMBEDDING
  }

  async stop(): Promise<void> {
    this.end('stopped')
  }

  /** @param besides - other calls in flight, not for photos */
  end(reason: ImageProcessEndReason, besides = 0): void {
    this.ended = true
    const inFlight = this.analyses.filter(({ isDone }) => !isDone)
    const alone = inFlight.length + besides === 1
    for (const { outcome } of inFlight) outcome.reject(new ImageProcessEnded(reason, 'test', alone))
  }

  /** Names of all photos sent to it. */
  get names(): string[] {
    return this.analyses.map(({ name }) => name)
  }
}

interface Fixture {
  readonly analyzer: QueuedImageAnalyzer
  readonly clock: SimulatedClock
  readonly processes: ScriptedProcess[]
  /** Configures the next processes. */
  readonly prepare: { process: (process: ScriptedProcess) => void; failure: Error | undefined }
  analyze(name: string, priority?: AnalysisRequest['priority'], signal?: AbortSignal): Promise<Analysis>
}

async function fixture(): Promise<Fixture> {
  const clock = new SimulatedClock()
  const processes: ScriptedProcess[] = []
  const prepare: Fixture['prepare'] = { process: () => {}, failure: undefined }
  const startProcess = async (): Promise<ImageProcess> => {
    if (prepare.failure !== undefined) throw prepare.failure
    const imageProcess = new ScriptedProcess()
    prepare.process(imageProcess)
    processes.push(imageProcess)
    return imageProcess
  }
  const analyzer = new QueuedImageAnalyzer({ clock, log: silentLog, startProcess })
  await analyzer.start()
  onTestFinished(() => analyzer.stop())
  const analyze: Fixture['analyze'] = (name, priority = 'backlog', signal = never()) => {
    const bytes = Buffer.from(name)
    const request = { bytes, size: bytes.length, outputs: OUTPUTS, priority }
    const analysis = analyzer.analyze(request, signal)
    analysis.catch(() => {}) // tests may await it later
    return analysis
  }
  return { analyzer, clock, processes, prepare, analyze }
}

function model(name: string, text?: TextSide['kind']): LoadedModel {
  const image = {
    file: 'image.onnx',
    inputName: 'input',
    outputName: 'embedding',
    pooling: 'none',
    size: 8,
    layout: 'nchw',
    channels: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
    resize: 'cover',
    dimension: 1
  } as const
  const textSide = { kind: text } as TextSide
  const description = { name, image, licence: '', source: '', files: [], ...(text !== undefined && { text: textSide }) }
  // a file with its name, so that each has its own id
  const files = [{ name, sha256: '', bytes: 0 }]
  const spec = identifyModel({ ...description, files, text: undefined as never })
  return { spec: { ...spec, ...description }, folder: '/models' }
}

/** As many photos of the backlog as one process gets at a time. */
const FIRST = ['a', 'b', 'c', 'd']

describe('queued photos', () => {
  test('start no process before the first', async () => {
    const { processes, analyze } = await fixture()
    expect(processes).toHaveLength(0)
    const analysis = analyze('a')
    await settle()
    processes[0]?.analyses[0]?.outcome.resolve(ANALYSIS)
    expect(await analysis).toBe(ANALYSIS)
    expect(processes).toHaveLength(1)
  })

  test('are analyzed four at a time', async () => {
    const { processes, analyze } = await fixture()
    for (const name of [...FIRST, 'next']) void analyze(name)
    await settle()
    expect(processes[0]?.names).toEqual(FIRST)
    processes[0]?.analyses[1]?.outcome.resolve(ANALYSIS)
    await settle()
    expect(processes[0]?.names).toEqual([...FIRST, 'next'])
  })

  test('that a client waits for do not wait for the backlog, and are analyzed two at a time', async () => {
    const { processes, analyze } = await fixture()
    for (const name of [...FIRST, 'next']) void analyze(name)
    await settle()
    for (const name of ['x', 'y', 'z']) void analyze(name, 'interactive')
    await settle()
    expect(processes[0]?.names).toEqual([...FIRST, 'x', 'y'])
    processes[0]?.analyses[0]?.outcome.resolve(ANALYSIS)
    await settle()
    processes[0]?.analyses[4]?.outcome.resolve(ANALYSIS)
    await settle()
    expect(processes[0]?.names).toEqual([...FIRST, 'x', 'y', 'next', 'z'])
  })

  test('that a client waits for are given up after ten seconds, in flight or not; those of the backlog are not', async () => {
    const { processes, analyze, clock } = await fixture()
    const asked = ['x', 'y', 'z'].map(name => analyze(name, 'interactive'))
    const photo = analyze('a')
    await settle()
    expect(processes[0]?.names).toEqual(['x', 'y', 'a'])
    await clock.advance(9_999)
    expect(processes[0]?.analyses.map(({ signal }) => signal.aborted)).toEqual([false, false, false])
    await clock.advance(1)
    for (const answer of asked) await expect(answer).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    expect(processes[0]?.analyses.map(({ signal }) => signal.aborted)).toEqual([true, true, false])
    processes[0]?.analyses[2]?.outcome.resolve(ANALYSIS)
    expect(await photo).toBe(ANALYSIS)
  })

  test('are bounded in number, for each priority', async () => {
    const { analyze } = await fixture()
    for (let i = 0; i < FIRST.length + 64; i++) void analyze(`${i}`)
    await settle()
    await expect(analyze('one more')).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    for (let i = 0; i < 2 + 64; i++) void analyze(`asked ${i}`, 'interactive')
    await expect(analyze('one more', 'interactive')).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
  })

  test('without bytes, or with too many, are refused without being read', async () => {
    const { analyzer, processes } = await fixture()
    const bytes = (): never => {
      throw new Error('must not be read')
    }
    const request = { bytes, outputs: OUTPUTS, priority: 'interactive' } as const
    await expect(analyzer.analyze({ ...request, size: 0 }, never())).rejects.toMatchObject({
      code: 'ERR_IMAGE_UNREADABLE'
    })
    await expect(analyzer.analyze({ ...request, size: IMAGE_BYTES_MAX + 1 }, never())).rejects.toMatchObject({
      code: 'ERR_IMAGE_TOO_LARGE'
    })
    expect(processes).toHaveLength(0)
  })

  test('leave the queue when cancelled', async () => {
    const { processes, analyze } = await fixture()
    const abort = new AbortController()
    for (const name of FIRST) void analyze(name)
    const cancelled = analyze('cancelled', 'backlog', abort.signal)
    void analyze('next')
    abort.abort(new Error('gone'))
    await expect(cancelled).rejects.toThrow('gone')
    await settle()
    processes[0]?.analyses[0]?.outcome.resolve(ANALYSIS)
    await settle()
    expect(processes[0]?.names).toEqual([...FIRST, 'next'])
  })

  test('being analyzed reject at once when cancelled, and free their slot when the process answers', async () => {
    const { processes, analyze } = await fixture()
    const abort = new AbortController()
    const [first = '', ...others] = FIRST
    const cancelled = analyze(first, 'backlog', abort.signal)
    for (const name of [...others, 'next']) void analyze(name)
    await settle()
    abort.abort(new Error('gone'))
    await expect(cancelled).rejects.toThrow('gone')
    expect(processes[0]?.analyses[0]?.signal.aborted).toBe(true)
    expect(processes[0]?.names).toEqual(FIRST)
    processes[0]?.analyses[0]?.outcome.reject(new Error('gone'))
    await settle()
    expect(processes[0]?.names).toEqual([...FIRST, 'next'])
  })

  test('get their own error, without a retry', async () => {
    const { processes, analyze } = await fixture()
    const analysis = analyze('a')
    await settle()
    processes[0]?.analyses[0]?.outcome.reject(new SheafError('ERR_IMAGE_UNREADABLE'))
    await expect(analysis).rejects.toMatchObject({ code: 'ERR_IMAGE_UNREADABLE' })
    expect(processes[0]?.analyses).toHaveLength(1)
  })
})

describe('a process that ends', () => {
  test('does the photo no harm the first time', async () => {
    const { processes, analyze } = await fixture()
    const analysis = analyze('a')
    await settle()
    processes[0]?.end('crashed')
    await settle()
    processes[1]?.analyses[0]?.outcome.resolve(ANALYSIS)
    expect(await analysis).toBe(ANALYSIS)
  })

  test.each([
    ['crashed', 'ERR_IMAGE_CRASHED'],
    ['slow', 'ERR_IMAGE_TOO_LARGE'],
    ['outgrown', 'ERR_IMAGE_TOO_LARGE']
  ] as const)('twice on one photo alone (%s) is that photo’s error, and not that of others', async (reason, code) => {
    const { processes, analyze } = await fixture()
    const [bad, good] = [analyze('bad'), analyze('good')]
    await settle()
    expect(processes[0]?.names).toEqual(['bad', 'good'])
    processes[0]?.end(reason)
    await settle()
    const next = analyze('next') // waits until the culprit is known
    await settle()
    expect(processes[1]?.names).toEqual(['bad'])
    processes[1]?.end(reason)
    await settle()
    expect(processes[2]?.names).toEqual(['good'])
    processes[2]?.analyses[0]?.outcome.resolve(ANALYSIS)
    expect(await good).toBe(ANALYSIS)
    await settle()
    expect(processes[2]?.names).toEqual(['good', 'bad'])
    processes[2]?.end(reason)
    await expect(bad).rejects.toMatchObject({ code })
    await settle()
    expect(processes[3]?.names).toEqual(['next'])
    processes[3]?.analyses[0]?.outcome.resolve(ANALYSIS)
    expect(await next).toBe(ANALYSIS)
  })

  test('repeatedly, without a photo to blame, fails the photo for now', async () => {
    const { processes, analyze } = await fixture()
    const analysis = analyze('a')
    for (let i = 0; i < 6; i++) {
      await settle()
      processes[i]?.end('crashed', 1)
    }
    await expect(analysis).rejects.toMatchObject({ code: 'ERR_ANALYST_UNAVAILABLE' })
    expect(processes).toHaveLength(6)
  })

  test('after a cancellation is not restarted for it', async () => {
    const { processes, analyze } = await fixture()
    const abort = new AbortController()
    const analysis = analyze('a', 'backlog', abort.signal)
    await settle()
    abort.abort(new Error('gone'))
    processes[0]?.end('stopped')
    await expect(analysis).rejects.toThrow('gone')
    await settle()
    expect(processes).toHaveLength(1)
  })

  test('at its start is an error of this node', async () => {
    const { prepare, analyze } = await fixture()
    prepare.failure = new SheafError('ERR_ANALYST_UNAVAILABLE')
    await expect(analyze('a')).rejects.toMatchObject({ code: 'ERR_ANALYST_UNAVAILABLE' })
  })
})

describe('the life of the process', () => {
  test('ends after five minutes without work, and begins again with the next photo', async () => {
    const { analyzer, clock, processes, analyze } = await fixture()
    await analyzer.useModel(model('m'))
    void analyze('a')
    await clock.advance(10 * 60_000)
    expect(processes[0]?.ended).toBe(false) // it is busy
    processes[0]?.analyses[0]?.outcome.resolve(ANALYSIS)
    await clock.advance(5 * 60_000 - 1)
    expect(processes[0]?.ended).toBe(false)
    await clock.advance(1)
    expect(processes[0]?.ended).toBe(true)
    void analyze('b')
    await settle()
    expect(processes[1]?.models).toEqual(['m'])
    expect(processes[1]?.names).toEqual(['b'])
  })

  test('ends with the analyzer, and so does everything that waits', async () => {
    const { analyzer, clock, processes, analyze } = await fixture()
    const waiting = ['a', 'b', 'c', 'd'].map(name => analyze(name))
    await settle()
    await analyzer.stop()
    for (const analysis of waiting) await expect(analysis).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    await expect(analyze('e')).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    await expect(analyzer.embedText('x', model('m').spec.id, never())).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    expect(processes.map(({ ended }) => ended)).toEqual([true])
    expect(clock.pending).toBe(0)
    await analyzer.stop()
  })

  test('ends even if it is just starting', async () => {
    const { analyzer, processes, analyze } = await fixture()
    const analysis = analyze('a')
    await analyzer.stop()
    await expect(analysis).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    expect(processes.map(({ ended }) => ended)).toEqual([true])
  })
})

describe('the model', () => {
  const ids = (...names: string[]): Set<ModelId> => new Set(names.map(name => model(name).spec.id))
  /** The usable ones among the models `a`, `b` and `c`; the current one in capitals. */
  const usable = (analyzer: QueuedImageAnalyzer): string =>
    ['a', 'b', 'c']
      .filter(name => analyzer.has(model(name).spec.id))
      .map(name => (analyzer.model === model(name).spec.id ? name.toUpperCase() : name))
      .join('')

  test('is in use once the process has loaded it', async () => {
    const { analyzer, prepare } = await fixture()
    const loaded = deferred<void>()
    prepare.process = imageProcess => {
      imageProcess.beforeModels = loaded.promise
    }
    const change = analyzer.useModel(model('a'))
    await settle()
    expect(usable(analyzer)).toBe('')
    loaded.resolve()
    await change
    expect(usable(analyzer)).toBe('A')
  })

  test('stays loaded beside its successor until it is released', async () => {
    const { analyzer, processes } = await fixture()
    await analyzer.useModel(model('a'))
    await analyzer.useModel(model('b'))
    expect(usable(analyzer)).toBe('aB')
    await analyzer.keepOnly(ids('a', 'b'))
    expect(usable(analyzer)).toBe('aB')
    await analyzer.keepOnly(ids('c'))
    expect(usable(analyzer)).toBe('B')
    expect(processes[0]?.models).toEqual(['a', 'b a', 'b'])
  })

  test('can be switched back to; the current one is not loaded twice', async () => {
    const { analyzer, processes } = await fixture()
    for (const name of ['a', 'b', 'a', 'a']) await analyzer.useModel(model(name))
    expect(usable(analyzer)).toBe('Ab')
    expect(processes[0]?.models).toEqual(['a', 'b a', 'a b'])
  })

  test('and its predecessor are held, never three', async () => {
    const { analyzer, processes } = await fixture()
    await Promise.all(['a', 'b', 'c'].map(name => analyzer.useModel(model(name))))
    expect(usable(analyzer)).toBe('bC')
    expect(processes[0]?.models).toEqual(['a', 'b a', 'c b'])
  })

  test('that cannot be loaded leaves the previous one in use', async () => {
    const { analyzer, processes } = await fixture()
    await analyzer.useModel(model('a'))
    processes[0]!.badModel = 'b'
    await expect(analyzer.useModel(model('b'))).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
    expect(usable(analyzer)).toBe('A')
  })

  test('and the previous one are loaded again by the next process, before any other call', async () => {
    const { analyzer, processes, prepare, analyze } = await fixture()
    for (const name of ['a', 'b']) await analyzer.useModel(model(name))
    const loaded = deferred<void>()
    prepare.process = imageProcess => {
      imageProcess.beforeModels = loaded.promise
    }
    processes[0]?.end('crashed')
    for (const name of ['x', 'y']) {
      void analyze(name)
      await settle()
    }
    expect(processes[1]?.names).toEqual([])
    loaded.resolve()
    await settle()
    expect(processes[1]?.models).toEqual(['b', 'b a'])
    expect(processes[1]?.names).toEqual(['x', 'y'])
  })

  test.each([
    ['a', 'B'],
    ['b', 'A']
  ])('that can no longer be loaded (%s of two) is dropped; photos are analyzed without it', async (bad, left) => {
    const { analyzer, processes, prepare, analyze } = await fixture()
    for (const name of ['a', 'b']) await analyzer.useModel(model(name))
    prepare.process = imageProcess => {
      imageProcess.badModel = bad
    }
    processes[0]?.end('crashed')
    const analysis = analyze('x')
    await settle()
    expect(usable(analyzer)).toBe(left)
    processes[1]?.analyses[0]?.outcome.resolve(ANALYSIS)
    expect(await analysis).toBe(ANALYSIS)
  })
})

describe('texts', () => {
  const [mute, eloquent] = [model('mute'), model('eloquent', 'encoder')]

  test('need a loaded model with a text side', async () => {
    const { analyzer, processes } = await fixture()
    const embed = ({ spec }: LoadedModel): Promise<TextEmbedding> => analyzer.embedText('a rose', spec.id, never())
    await expect(embed(eloquent)).rejects.toMatchObject({ code: 'ERR_MODEL_UNAVAILABLE' })
    for (const one of [eloquent, mute]) await analyzer.useModel(one)
    await expect(embed(mute)).rejects.toMatchObject({ code: 'ERR_TEXT_SEARCH_UNAVAILABLE' })
    expect(await embed(eloquent)).toBe(EMBEDDING)
    expect(processes[0]?.texts).toEqual([`a rose ${eloquent.spec.id}`])
    await analyzer.keepOnly(new Set())
    await expect(embed(eloquent)).rejects.toMatchObject({ code: 'ERR_MODEL_UNAVAILABLE' })
  })

  test.each(['', '  ', 'x'.repeat(SEARCH_CHARACTERS_MAX + 1)])('of an invalid length are refused', async text => {
    const { analyzer } = await fixture()
    await analyzer.useModel(eloquent)
    await expect(analyzer.embedText(text, eloquent.spec.id, never())).rejects.toMatchObject({
      code: 'ERR_BAD_PARAMETER'
    })
  })

  test('are embedded while a photo is analyzed, and retried when the process ends', async () => {
    const { analyzer, processes, analyze } = await fixture()
    await analyzer.useModel(eloquent)
    void analyze('a')
    await settle()
    processes[0]!.textError = new ImageProcessEnded('crashed', 'test', true)
    const embedding = analyzer.embedText('a rose', eloquent.spec.id, never())
    processes[0]?.end('crashed')
    expect(await embedding).toBe(EMBEDDING)
    expect(processes[1]?.texts).toEqual([`a rose ${eloquent.spec.id}`])
  })
})

describe('heads', () => {
  const request = { source: sourceOf(Buffer.alloc(9)), hints: { latestMs: 7, name: '' } }

  test('are read at once, by a process that is started again if need be', async () => {
    const { analyzer, processes, analyze } = await fixture()
    for (let i = 0; i < 80; i++) void analyze(`${i}`)
    await settle()
    expect(await analyzer.readHead(request, never())).toEqual({ format: 'jpeg' })
    processes[0]?.end('crashed')
    expect(await analyzer.readHead(request, never())).toEqual({ format: 'jpeg' })
    expect(processes.map(({ headTimes }) => headTimes)).toEqual([[7], [7]])
  })

  test('are not read once it has stopped, or for nobody', async () => {
    const { analyzer } = await fixture()
    await expect(analyzer.readHead(request, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
    await analyzer.stop()
    await expect(analyzer.readHead(request, never())).rejects.toMatchObject({ code: 'ERR_STOPPING' })
  })
})
