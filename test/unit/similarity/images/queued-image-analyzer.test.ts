import { describe, expect, onTestFinished, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'
import type { ModelId } from '../../../../src/domain/features.js'
import {
  type Analysis,
  type AnalysisRequest,
  IMAGE_BYTES_MAX,
  TEXT_LENGTH_MAX
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

const ANALYSIS: Analysis = { width: 1, height: 1, phash: new Uint8Array(8), variants: [] }
const OUTPUTS = { facts: true, features: undefined }
const EMBEDDING: TextEmbedding = { space: 'image', vector: Float32Array.of(1) }

function never(): AbortSignal {
  return new AbortController().signal
}

interface Look {
  readonly name: string
  readonly signal: AbortSignal
  readonly outcome: Deferred<Analysis>
  isDone: boolean
}

/** A child whose looks last until the test ends them. */
class ScriptedChild implements ImageProcess {
  ended = false
  readonly looks: Look[] = []
  /** What it was to hold, each time. */
  readonly models: string[] = []
  readonly texts: string[] = []
  /** Cannot be loaded. */
  badModel: string | undefined
  textError: Error | undefined
  /** They are not loaded before this. */
  beforeModels: Promise<void> = Promise.resolve()

  async holdModels(models: readonly LoadedModel[]): Promise<void> {
    const names = models.map(({ spec }) => spec.name)
    this.models.push(names.join(' '))
    await this.beforeModels
    if (names.some(name => name === this.badModel)) throw new SheafError('ERR_MODEL_INVALID')
  }

  analyze({ bytes }: AnalysisRequest, signal: AbortSignal): Promise<Analysis> {
    const outcome = deferred<Analysis>()
    const look = { name: Buffer.from(bytes as Uint8Array).toString(), signal, outcome, isDone: false }
    this.looks.push(look)
    return outcome.promise.finally(() => {
      look.isDone = true
    })
  }

  async embedText(text: string, model: ModelId): Promise<TextEmbedding> {
    this.texts.push(`${text} ${model}`)
    if (this.textError !== undefined) throw this.textError
    return EMBEDDING
  }

  async stop(): Promise<void> {
    this.end('stopped')
  }

  /** @param besides - what else is under way that is no photo */
  end(reason: ImageProcessEndReason, besides = 0): void {
    this.ended = true
    const underWay = this.looks.filter(({ isDone }) => !isDone)
    const alone = underWay.length + besides === 1
    for (const { outcome } of underWay) outcome.reject(new ImageProcessEnded(reason, 'test', alone))
  }

  /** What it is asked to look at, of which `done` have been looked at. */
  get names(): string[] {
    return this.looks.map(({ name }) => name)
  }
}

interface Fixture {
  readonly analyzer: QueuedImageAnalyzer
  readonly clock: SimulatedClock
  readonly children: ScriptedChild[]
  /** Says what the next children are to be. */
  readonly prepare: { child: (child: ScriptedChild) => void; failure: Error | undefined }
  look(name: string, priority?: AnalysisRequest['priority'], signal?: AbortSignal): Promise<Analysis>
}

async function fixture(): Promise<Fixture> {
  const clock = new SimulatedClock()
  const children: ScriptedChild[] = []
  const prepare: Fixture['prepare'] = { child: () => {}, failure: undefined }
  const startProcess = async (): Promise<ImageProcess> => {
    if (prepare.failure !== undefined) throw prepare.failure
    const child = new ScriptedChild()
    prepare.child(child)
    children.push(child)
    return child
  }
  const analyzer = new QueuedImageAnalyzer({ clock, log: silentLog, startProcess })
  await analyzer.start()
  onTestFinished(() => analyzer.stop())
  const look: Fixture['look'] = (name, priority = 'backlog', signal = never()) => {
    const bytes = Buffer.from(name)
    const request = { bytes, size: bytes.length, outputs: OUTPUTS, priority }
    const analysis = analyzer.analyze(request, signal)
    analysis.catch(() => {}) // tests look at it when it suits them
    return analysis
  }
  return { analyzer, clock, children, prepare, look }
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
  // a file of its name, so that it is another model
  const files = [{ name, sha256: '', bytes: 0 }]
  const spec = identifyModel({ ...description, files, text: undefined as never })
  return { spec: { ...spec, ...description }, folder: '/models' }
}

/** As many as a child is given at a time. */
const FIRST = ['a', 'b', 'c', 'd', 'e']

describe('photos in line', () => {
  test('start no child before the first', async () => {
    const { children, look } = await fixture()
    expect(children).toHaveLength(0)
    const analysis = look('a')
    await settle()
    children[0]?.looks[0]?.outcome.resolve(ANALYSIS)
    expect(await analysis).toBe(ANALYSIS)
    expect(children).toHaveLength(1)
  })

  test('are five at a time', async () => {
    const { children, look } = await fixture()
    for (const name of [...FIRST, 'next']) void look(name)
    await settle()
    expect(children[0]?.names).toEqual(FIRST)
    children[0]?.looks[1]?.outcome.resolve(ANALYSIS)
    await settle()
    expect(children[0]?.names).toEqual([...FIRST, 'next'])
  })

  test('that somebody waits for go before the backlog', async () => {
    const { children, look } = await fixture()
    for (const name of [...FIRST, 'next']) void look(name)
    for (const name of ['x', 'y']) void look(name, 'interactive')
    for (let i = 0; i < FIRST.length + 3; i++) {
      await settle()
      children[0]?.looks[i]?.outcome.resolve(ANALYSIS)
    }
    expect(children[0]?.names).toEqual([...FIRST, 'x', 'y', 'next'])
  })

  test('are bounded in number, each kind for itself', async () => {
    const { look } = await fixture()
    for (let i = 0; i < FIRST.length + 64; i++) void look(`${i}`)
    await settle()
    await expect(look('one more')).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    for (let i = 0; i < 64; i++) void look(`asked ${i}`, 'interactive')
    await expect(look('one more', 'interactive')).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
  })

  test('without bytes, or with too many, are refused without being read', async () => {
    const { analyzer, children } = await fixture()
    const bytes = (): never => {
      throw new Error('nobody reads this')
    }
    const request = { bytes, outputs: OUTPUTS, priority: 'interactive' } as const
    await expect(analyzer.analyze({ ...request, size: 0 }, never())).rejects.toMatchObject({
      code: 'ERR_IMAGE_UNREADABLE'
    })
    await expect(analyzer.analyze({ ...request, size: IMAGE_BYTES_MAX + 1 }, never())).rejects.toMatchObject({
      code: 'ERR_IMAGE_TOO_LARGE'
    })
    expect(children).toHaveLength(0)
  })

  test('that nobody waits for any more leave the line', async () => {
    const { children, look } = await fixture()
    const gone = new AbortController()
    for (const name of FIRST) void look(name)
    const cancelled = look('cancelled', 'backlog', gone.signal)
    void look('next')
    gone.abort(new Error('gone'))
    await expect(cancelled).rejects.toThrow('gone')
    await settle()
    children[0]?.looks[0]?.outcome.resolve(ANALYSIS)
    await settle()
    expect(children[0]?.names).toEqual([...FIRST, 'next'])
  })

  test('being looked at are let go at once, and their place is free when the child says so', async () => {
    const { children, look } = await fixture()
    const gone = new AbortController()
    const [first = '', ...others] = FIRST
    const cancelled = look(first, 'backlog', gone.signal)
    for (const name of [...others, 'next']) void look(name)
    await settle()
    gone.abort(new Error('gone'))
    await expect(cancelled).rejects.toThrow('gone')
    expect(children[0]?.looks[0]?.signal.aborted).toBe(true)
    expect(children[0]?.names).toEqual(FIRST)
    children[0]?.looks[0]?.outcome.reject(new Error('gone'))
    await settle()
    expect(children[0]?.names).toEqual([...FIRST, 'next'])
  })

  test('whose own error it is get that, once', async () => {
    const { children, look } = await fixture()
    const analysis = look('a')
    await settle()
    children[0]?.looks[0]?.outcome.reject(new SheafError('ERR_IMAGE_UNREADABLE'))
    await expect(analysis).rejects.toMatchObject({ code: 'ERR_IMAGE_UNREADABLE' })
    expect(children[0]?.looks).toHaveLength(1)
  })
})

describe('a child that ends', () => {
  test('costs the photo nothing the first time', async () => {
    const { children, look } = await fixture()
    const analysis = look('a')
    await settle()
    children[0]?.end('crashed')
    await settle()
    children[1]?.looks[0]?.outcome.resolve(ANALYSIS)
    expect(await analysis).toBe(ANALYSIS)
  })

  test.each([
    ['crashed', 'ERR_IMAGE_CRASHED'],
    ['slow', 'ERR_IMAGE_TOO_LARGE'],
    ['outgrown', 'ERR_IMAGE_TOO_LARGE']
  ] as const)('twice on one photo alone (%s) is that photo’s error, and not that of others', async (reason, code) => {
    const { children, look } = await fixture()
    const [bad, good] = [look('bad'), look('good')]
    await settle()
    expect(children[0]?.names).toEqual(['bad', 'good'])
    children[0]?.end(reason)
    await settle()
    const next = look('next') // waits until it is known who it was
    await settle()
    expect(children[1]?.names).toEqual(['bad'])
    children[1]?.end(reason)
    await settle()
    expect(children[2]?.names).toEqual(['good'])
    children[2]?.looks[0]?.outcome.resolve(ANALYSIS)
    expect(await good).toBe(ANALYSIS)
    await settle()
    expect(children[2]?.names).toEqual(['good', 'bad'])
    children[2]?.end(reason)
    await expect(bad).rejects.toMatchObject({ code })
    await settle()
    expect(children[3]?.names).toEqual(['next'])
    children[3]?.looks[0]?.outcome.resolve(ANALYSIS)
    expect(await next).toBe(ANALYSIS)
  })

  test('again and again, without a photo to blame, leaves the photo for later', async () => {
    const { children, look } = await fixture()
    const analysis = look('a')
    for (let i = 0; i < 6; i++) {
      await settle()
      children[i]?.end('crashed', 1)
    }
    await expect(analysis).rejects.toMatchObject({ code: 'ERR_ANALYST_UNAVAILABLE' })
    expect(children).toHaveLength(6)
  })

  test('after somebody gave up is not started again for that', async () => {
    const { children, look } = await fixture()
    const gone = new AbortController()
    const analysis = look('a', 'backlog', gone.signal)
    await settle()
    gone.abort(new Error('gone'))
    children[0]?.end('stopped')
    await expect(analysis).rejects.toThrow('gone')
    await settle()
    expect(children).toHaveLength(1)
  })

  test('before it begins is an error of this node', async () => {
    const { prepare, look } = await fixture()
    prepare.failure = new SheafError('ERR_ANALYST_UNAVAILABLE')
    await expect(look('a')).rejects.toMatchObject({ code: 'ERR_ANALYST_UNAVAILABLE' })
  })
})

describe('the life of the child', () => {
  test('ends after five minutes without work, and begins again with the next', async () => {
    const { analyzer, clock, children, look } = await fixture()
    await analyzer.useModel(model('m'))
    void look('a')
    await clock.advance(10 * 60_000)
    expect(children[0]?.ended).toBe(false) // it works
    children[0]?.looks[0]?.outcome.resolve(ANALYSIS)
    await clock.advance(5 * 60_000 - 1)
    expect(children[0]?.ended).toBe(false)
    await clock.advance(1)
    expect(children[0]?.ended).toBe(true)
    void look('b')
    await settle()
    expect(children[1]?.models).toEqual(['m'])
    expect(children[1]?.names).toEqual(['b'])
  })

  test('ends with the analyzer, and everything that waits with it', async () => {
    const { analyzer, clock, children, look } = await fixture()
    const waiting = ['a', 'b', 'c', 'd'].map(name => look(name))
    await settle()
    await analyzer.stop()
    for (const analysis of waiting) await expect(analysis).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    await expect(look('e')).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    await expect(analyzer.embedText('x', model('m').spec.id, never())).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    expect(children.map(({ ended }) => ended)).toEqual([true])
    expect(clock.pending).toBe(0)
    await analyzer.stop()
  })

  test('that is just starting ends, too', async () => {
    const { analyzer, children, look } = await fixture()
    const analysis = look('a')
    await analyzer.stop()
    await expect(analysis).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    expect(children.map(({ ended }) => ended)).toEqual([true])
  })
})

describe('the model', () => {
  const ids = (...names: string[]): Set<ModelId> => new Set(names.map(name => model(name).spec.id))
  /** Of those called `a`, `b` and `c`, the ones that can be asked for; the one in use in capitals. */
  const held = (analyzer: QueuedImageAnalyzer): string =>
    ['a', 'b', 'c']
      .filter(name => analyzer.has(model(name).spec.id))
      .map(name => (analyzer.model === model(name).spec.id ? name.toUpperCase() : name))
      .join('')

  test('is in use when the child has loaded it', async () => {
    const { analyzer, prepare } = await fixture()
    const loaded = deferred<void>()
    prepare.child = child => {
      child.beforeModels = loaded.promise
    }
    const change = analyzer.useModel(model('a'))
    await settle()
    expect(held(analyzer)).toBe('')
    loaded.resolve()
    await change
    expect(held(analyzer)).toBe('A')
  })

  test('of before stays beside the next one until it is let go', async () => {
    const { analyzer, children } = await fixture()
    await analyzer.useModel(model('a'))
    await analyzer.useModel(model('b'))
    expect(held(analyzer)).toBe('aB')
    await analyzer.keepOnly(ids('a', 'b'))
    expect(held(analyzer)).toBe('aB')
    await analyzer.keepOnly(ids('c'))
    expect(held(analyzer)).toBe('B')
    expect(children[0]?.models).toEqual(['a', 'b a', 'b'])
  })

  test('of before that is gone back to is in use again; the one in use is not loaded twice', async () => {
    const { analyzer, children } = await fixture()
    for (const name of ['a', 'b', 'a', 'a']) await analyzer.useModel(model(name))
    expect(held(analyzer)).toBe('Ab')
    expect(children[0]?.models).toEqual(['a', 'b a', 'a b'])
  })

  test('and one more are held, never three', async () => {
    const { analyzer, children } = await fixture()
    await Promise.all(['a', 'b', 'c'].map(name => analyzer.useModel(model(name))))
    expect(held(analyzer)).toBe('bC')
    expect(children[0]?.models).toEqual(['a', 'b a', 'c b'])
  })

  test('that cannot be loaded leaves the one before in use', async () => {
    const { analyzer, children } = await fixture()
    await analyzer.useModel(model('a'))
    children[0]!.badModel = 'b'
    await expect(analyzer.useModel(model('b'))).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
    expect(held(analyzer)).toBe('A')
  })

  test('and the one before are loaded again by the next child, before anything is asked of it', async () => {
    const { analyzer, children, prepare, look } = await fixture()
    for (const name of ['a', 'b']) await analyzer.useModel(model(name))
    const loaded = deferred<void>()
    prepare.child = child => {
      child.beforeModels = loaded.promise
    }
    children[0]?.end('crashed')
    for (const name of ['x', 'y']) {
      void look(name)
      await settle()
    }
    expect(children[1]?.names).toEqual([])
    loaded.resolve()
    await settle()
    expect(children[1]?.models).toEqual(['b', 'b a'])
    expect(children[1]?.names).toEqual(['x', 'y'])
  })

  test.each([
    ['a', 'B'],
    ['b', 'A']
  ])('that can no longer be loaded (%s of two) is given up; photos are looked at without it', async (bad, left) => {
    const { analyzer, children, prepare, look } = await fixture()
    for (const name of ['a', 'b']) await analyzer.useModel(model(name))
    prepare.child = child => {
      child.badModel = bad
    }
    children[0]?.end('crashed')
    const analysis = look('x')
    await settle()
    expect(held(analyzer)).toBe(left)
    children[1]?.looks[0]?.outcome.resolve(ANALYSIS)
    expect(await analysis).toBe(ANALYSIS)
  })
})

describe('texts', () => {
  const [mute, eloquent] = [model('mute'), model('eloquent', 'encoder')]

  test('need a model that is held and knows words', async () => {
    const { analyzer, children } = await fixture()
    const embed = ({ spec }: LoadedModel): Promise<TextEmbedding> => analyzer.embedText('a rose', spec.id, never())
    await expect(embed(eloquent)).rejects.toMatchObject({ code: 'ERR_MODEL_UNAVAILABLE' })
    for (const one of [eloquent, mute]) await analyzer.useModel(one)
    await expect(embed(mute)).rejects.toMatchObject({ code: 'ERR_TEXT_SEARCH_UNAVAILABLE' })
    expect(await embed(eloquent)).toBe(EMBEDDING)
    expect(children[0]?.texts).toEqual([`a rose ${eloquent.spec.id}`])
    await analyzer.keepOnly(new Set())
    await expect(embed(eloquent)).rejects.toMatchObject({ code: 'ERR_MODEL_UNAVAILABLE' })
  })

  test.each(['', '  ', 'x'.repeat(TEXT_LENGTH_MAX + 1)])('of an odd length are refused', async text => {
    const { analyzer } = await fixture()
    await analyzer.useModel(eloquent)
    await expect(analyzer.embedText(text, eloquent.spec.id, never())).rejects.toMatchObject({
      code: 'ERR_BAD_PARAMETER'
    })
  })

  test('are embedded while a photo is looked at, and again when the child ends of it', async () => {
    const { analyzer, children, look } = await fixture()
    await analyzer.useModel(eloquent)
    void look('a')
    await settle()
    children[0]!.textError = new ImageProcessEnded('crashed', 'test', true)
    const embedding = analyzer.embedText('a rose', eloquent.spec.id, never())
    children[0]?.end('crashed')
    expect(await embedding).toBe(EMBEDDING)
    expect(children[1]?.texts).toEqual([`a rose ${eloquent.spec.id}`])
  })
})
