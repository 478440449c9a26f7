import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { modelIdOf } from '../../src/domain/features.js'
import { linkChange, phashChange } from '../../src/domain/findings.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { vectorImage } from '../support/vector-analyzer.js'
import { answerJson, cli, fakeNode } from './cli-harness.js'

const VECTORS = [
  ['rose', [1, 0.1, 0, 0]],
  ['tulip', [1, 0.8, 0, 0]],
  ['car', [0, 0, 1, 0]]
] as const

let http: HttpFixture
const ids = new Map<string, PhotoId>()
const idOf = (name: string): PhotoId => ids.get(name) as PhotoId

const WAIT = { timeout: 60_000 }

beforeAll(async () => {
  http = await startHttp()
  const model = modelIdOf(http.analyzer.digest)
  await http.similarity.models.use({ id: model, name: 'test', spaces: new Map([['image', 4]]) })
  for (const [name, vector] of VECTORS) {
    const { photo_id } = await http.client.putPhoto(vectorImage(vector), `${name}.jpg`)
    ids.set(name, photo_id as PhotoId)
    await http.see(idOf(name), vector)
  }
  http.analyzer.texts.set('a red rose', Float32Array.of(1, 0, 0, 0))
  const covered = async (): Promise<number> =>
    (await http.client.json<{ coverage: { fraction: number } }>('GET', `/similar/${idOf('car')}`, 200)).coverage
      .fraction
  await vi.waitFor(() => expect(http.similarity.status().vectors).toBe(3), WAIT)
  await vi.waitFor(async () => expect(await covered()).toBe(1), WAIT)
})
afterAll(() => http.close())

const sheaf = (...args: string[]) => cli(args, { node: http.url })
const namesIn = (stdout: string): string[] => stdout.match(/\w+\.jpg/g) ?? []

describe('sheaf similar', () => {
  test('lists what looks like a photo, best first, with scores and names', async () => {
    const { code, stdout, stderr } = await sheaf('similar', idOf('rose'))
    expect([code, stderr]).toEqual([0, ''])
    expect(namesIn(stdout)).toEqual(['tulip.jpg', 'car.jpg'])
    expect(stdout.split('\n')[1]).toMatch(new RegExp(`^${idOf('tulip')}  0\\.8\\d\\d  tulip\\.jpg$`))
    expect(namesIn((await sheaf('similar', idOf('rose'), '-k', '1')).stdout)).toEqual(['tulip.jpg'])
  })

  test('takes a picture file, too', async () => {
    const path = join(await temporaryDirectory(), 'picture.jpg')
    await writeFile(path, vectorImage([1, 0.05, 0, 0]))
    expect(namesIn((await sheaf('similar', path)).stdout)).toEqual(['rose.jpg', 'tulip.jpg', 'car.jpg'])
    const { stdout } = await sheaf('similar', path, '-k', '2', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      similar_photo_ids: [idOf('rose'), idOf('tulip')],
      coverage: { fraction: 1 },
      model: 'test'
    })
  })

  test('says what is wrong with the picture', async () => {
    const folder = await temporaryDirectory()
    const none = join(folder, 'none')
    expect(await sheaf('similar', none)).toMatchObject({
      code: 1,
      stderr: `sheaf: ${none}: no such file or folder (ENOENT)\n`
    })
    await mkdir(join(folder, 'empty'))
    expect((await sheaf('similar', join(folder, 'empty'))).code).toBe(1)
    const text = join(folder, 'text')
    await writeFile(text, 'no picture')
    expect(await sheaf('similar', text)).toMatchObject({
      code: 1,
      stderr: `sheaf: ${text} is not an image that can be decoded (ERR_IMAGE_UNREADABLE)\n`
    })
  })

  test.each([['-k', '0'], ['-k', 'x'], ['--tag']])('%j is wrong usage', async (...flags) => {
    expect((await sheaf('similar', idOf('rose'), ...flags)).code).toBe(2)
  })
})

describe('sheaf search', () => {
  test('lists what the words say', async () => {
    const { code, stdout } = await sheaf('search', 'a', 'red', 'rose')
    expect(code).toBe(0)
    expect(namesIn(stdout)).toEqual(['rose.jpg', 'tulip.jpg', 'car.jpg'])
    expect(namesIn((await sheaf('search', 'a red rose', '--min-score', '0.9')).stdout)).toEqual(['rose.jpg'])
    expect(namesIn((await sheaf('search', 'a red rose', '-k', '2')).stdout)).toHaveLength(2)
  })

  test('says when the model knows no words', async () => {
    expect(await sheaf('search', 'nothing')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ERR_TEXT_SEARCH_UNAVAILABLE')
    })
  })

  test.each(['x', '2', '1e0'])('a least score of %s is wrong usage', async score => {
    expect((await sheaf('search', 'a', '--min-score', score)).code).toBe(2)
  })
})

test('sheaf duplicates lists groups, of one tier if told so', async () => {
  await http.client.putPhoto(vectorImage([0, 0, 1, 0]), 'again.jpg')
  await http.writer.edit(idOf('rose'), () => ({ changes: [phashChange(new Uint8Array(8).fill(0xf0))] }))
  await http.writer.edit(idOf('tulip'), () => ({
    changes: [phashChange(new Uint8Array(8).fill(0x3c)), linkChange(idOf('rose'), { tier: 'similar', score: 0.8 })]
  }))
  const { code, stdout } = await sheaf('duplicates')
  expect(code).toBe(0)
  const members = ['rose', 'tulip'].map(name => `  ${idOf(name)}  ${name}.jpg\n`).sort()
  const similar = `similar, 0.800\n${members.join('')}`
  expect(stdout).toMatch(/^exact, 1\.000\n {2}\S{36} {2}(car|again)\.jpg\n {2}\S{36} {2}(car|again)\.jpg\n\n/)
  expect(stdout.endsWith(similar)).toBe(true)
  expect((await sheaf('duplicates', '--tier', 'similar')).stdout).toBe(similar)
  const lines = (await sheaf('duplicates', '--json')).stdout.trim().split('\n')
  expect(lines.map(line => (JSON.parse(line) as { tier: string }).tier)).toEqual(['exact', 'similar'])
  expect((await sheaf('duplicates', '--tier', 'other')).code).toBe(2)
})

test('a search that did not reach everything says so; a photo that has gone since is shown as gone', async () => {
  const node = await fakeNode((request, response) => {
    if (request.url?.startsWith('/search')) {
      const results = [{ photo_id: idOf('rose'), score: 0.5 }]
      answerJson(response, 200, { results, coverage: { shards_ok: 63, shards_total: 64, fraction: 63 / 64 } })
    } else answerJson(response, 410, { code: 'ERR_PHOTO_DELETED', title: 'gone' })
  })
  const { code, stdout, stderr } = await cli(['search', 'x'], { node })
  expect(code).toBe(0)
  expect(stdout).toContain('(gone)')
  expect(stderr).toBe('sheaf: only 63 of 64 parts of the index answered\n')
})

test('sheaf status tells of the model', async () => {
  const status = await cli(['status'], {
    node: await fakeNode((request, response) => {
      if (request.url === '/cluster') return answerJson(response, 200, { members: [] })
      answerJson(response, 200, {
        node_id: 'n',
        version: '0',
        photos: 3,
        bytes: 1,
        volumes: 1,
        directory_digest: 'd',
        model: 'mobilenet',
        index: { vectors: 2, pending: 1 }
      })
    })
  })
  expect(status.stdout).toMatch(/model +mobilenet\n/)
  expect(status.stdout).toMatch(/index +2 photos, 1 to come\n/)
})
