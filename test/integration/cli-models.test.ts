import { hash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { serveFiles } from '../support/model-registry.js'
import {
  SMALL_DIMENSION,
  smallImageNetwork,
  smallTextNetwork,
  smallTokenizer,
  smallTokenizerConfig
} from '../support/small-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { cli } from './cli-harness.js'

/** A folder with the files of a pair for images and texts. */
async function setUp() {
  const folder = await temporaryDirectory()
  const files = {
    'vision.onnx': smallImageNetwork(),
    'text.onnx': smallTextNetwork(),
    'tokenizer.json': smallTokenizer(),
    'tokenizer_config.json': smallTokenizerConfig()
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  const models = join(folder, 'models')
  const run = (...args: string[]) => cli(['models', ...args], { environment: { SHEAF_MODELS: models } })
  const file = (name: keyof typeof files): string => join(folder, name)
  return { folder, models, run, file, files }
}

test('what can be pulled is listed before anything is there', async () => {
  const { run, models } = await setUp()
  const { code, stdout } = await run('list')
  expect(code).toBe(0)
  const [titles, ...rows] = stdout.trim().split('\n')
  expect(titles).toMatch(/^NAME +STATE +ID +NUMBERS +WORDS +SIZE +LICENCE +FROM$/)
  expect(rows.map(row => row.split(/ +/).slice(0, 2))).toEqual([
    ['mobilenet', 'available'],
    ['tiny', 'available'],
    ['resnet50', 'available']
  ])
  const json = JSON.parse((await run('list', '--json')).stdout)
  expect(json).toMatchObject({
    folder: models,
    models: [{ name: 'mobilenet', dimension: 1024, words: 'concepts' }, {}, {}]
  })
})

test('a model for images alone is added, and said to be there', async () => {
  const { run, file } = await setUp()
  const added = await run(
    'add',
    'mine',
    '--image',
    file('vision.onnx'),
    '--mean',
    '0,0,0.5',
    '--std',
    '1,0.5,1',
    '--channels',
    'bgr',
    '--json'
  )
  expect(added).toMatchObject({ code: 0, stderr: '' })
  const spec = JSON.parse(added.stdout)
  // in the network's order, of 0…255
  expect(spec.image).toMatchObject({ channels: 'bgr', mean: [127.5, 0, 0], std: [255, 127.5, 255], resize: 'cover' })
  expect(spec).toMatchObject({ name: 'mine', licence: 'unknown', source: file('vision.onnx') })
  const { models } = JSON.parse((await run('list', '--json')).stdout)
  expect(models[3]).toMatchObject({
    name: 'mine',
    state: 'ready',
    id: spec.id,
    dimension: SMALL_DIMENSION,
    words: 'none'
  })
})

test('a pair for images and words is added; the tokenizer brings the file beside it', async () => {
  const { run, file } = await setUp()
  const args = ['add', 'pair', '--image', file('vision.onnx'), '--text', file('text.onnx')]
  const added = await run(...args, '--tokenizer', file('tokenizer.json'), '--licence', 'MIT')
  expect(added).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^pair {2}[0-9a-f]{16}\n$/) })
  const { models } = JSON.parse((await run('list', '--json')).stdout)
  expect(models[3]).toMatchObject({ name: 'pair', words: 'encoder', licence: 'MIT' })
})

test('from the web, with the digest that it must have', async () => {
  const { run, files } = await setUp()
  const { url } = await serveFiles({ '/v.onnx': files['vision.onnx'] })
  const digest = hash('sha256', files['vision.onnx'])
  const added = await run('add', 'web', '--image', `${url}/v.onnx`, '--sha256', digest.toUpperCase())
  expect(added).toMatchObject({ code: 0, stderr: '' })
  const wrong = await run('add', 'web', '--image', `${url}/v.onnx`, '--sha256', '0'.repeat(64))
  expect(wrong).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('ERR_MODEL_DOWNLOAD') })
})

test.each<[string, (file: (name: 'vision.onnx' | 'text.onnx') => string) => string[], RegExp]>([
  ['no subcommand', () => [], /Usage: sheaf models/],
  ['no name', () => ['pull'], /missing required argument 'name'/],
  ['an unknown name', () => ['pull', 'huge'], /huge.*only mobilenet, tiny, resnet50.*ERR_USAGE/],
  ['no network', () => ['add', 'mine'], /--image/],
  ['a missing file', () => ['add', 'mine', '--image', '/nowhere.onnx'], /nowhere\.onnx cannot be read.*ERR_USAGE/],
  [
    'a web address without a digest',
    () => ['add', 'mine', '--image', 'https://x.example/m.onnx'],
    /needs --sha256.*ERR_USAGE/
  ],
  ['no digest', () => ['add', 'mine', '--image', 'x', '--sha256', 'abc'], /64 hexadecimal digits/],
  ['half a pair', file => ['add', 'mine', '--image', file('vision.onnx'), '--text', file('text.onnx')], /go together/],
  ['two colours', () => ['add', 'mine', '--image', 'x', '--mean', '0.1,0.2'], /three numbers/],
  ['colours over 1', () => ['add', 'mine', '--image', 'x', '--std', '127,127,127'], /from 0 to 1/],
  ['a taken name', file => ['add', 'tiny', '--image', file('vision.onnx')], /tiny is reserved.*ERR_USAGE/]
])('wrong usage, %s: exit code 2 and what would be right', async (_what, args, message) => {
  const { run, file } = await setUp()
  expect(await run(...args(file))).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) })
})

test('what is no network: exit code 1 and why', async () => {
  const { run, file } = await setUp()
  const added = await run('add', 'mine', '--image', file('text.onnx'))
  expect(added).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/one input.*ERR_MODEL_INVALID/) })
})

test('a folder that cannot be made is named, with the way out', async () => {
  const { run, file } = await setUp()
  const added = await run('add', 'mine', '--image', file('vision.onnx'), '--models', join(file('text.onnx'), 'models'))
  expect(added).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/text\.onnx\/models .*--models.*ERR_DISK_WRITE/)
  })
})

test('the folder that a flag names comes first', async () => {
  const { run, folder } = await setUp()
  const other = join(folder, 'elsewhere')
  expect(JSON.parse((await run('list', '--models', other, '--json')).stdout).folder).toBe(other)
})
