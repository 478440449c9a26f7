import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fakeFfmpeg } from '../support/fake-ffmpeg.js'
import { HttpClient } from '../support/http-client.js'
import { movieWith } from '../support/movie-files.js'
import { NodeProcess, temporaryFolder } from '../support/node-process.js'
import { scene, toImage } from '../support/test-pictures.js'
import { until } from '../support/until.js'

/*
 * A node makes pictures of videos with a program that says that it is ffmpeg. The image process is real.
 */

const LOOKED_MS_MAX = 90_000

interface Meta {
  readonly photo_id: string
  readonly state: string | null
}

let folder: ReturnType<typeof temporaryFolder>
let node: NodeProcess
let client: HttpClient

beforeAll(async () => {
  folder = temporaryFolder('posters')
  const frame = await toImage(scene(1, 320, 240))
    .jpeg()
    .toBuffer()
  writeFileSync(join(folder.path, 'frame.jpg'), frame)
  // fails at a movie with this word in it
  const decode = `if grep -q hopeless; then echo "Invalid data" >&2; exit 1; fi; cat "$(dirname "$0")/frame.jpg"`
  const ffmpeg = await fakeFfmpeg(folder.path, decode)
  node = await NodeProcess.start({ dataDir: join(folder.path, 'data'), flags: ['--ffmpeg', ffmpeg, '--model', 'none'] })
  client = new HttpClient(node.url)
})

afterAll(async () => {
  client.close()
  await node.kill9()
  folder.remove()
})

async function lookedAt(bytes: Buffer, name: string): Promise<Meta> {
  const { photo_id } = await client.putPhoto(bytes, name, 'video/quicktime')
  const metaOf = (): Promise<Meta> => client.json<Meta>('GET', `/photo/${photo_id}/meta`, 200)
  await until(`${name} is looked at`, LOOKED_MS_MAX, async () => (await metaOf()).state !== 'pending')
  return metaOf()
}

test('a video has a poster, turned as its head says, and keeps the size of its head', async () => {
  const movie = movieWith({ samples: [Buffer.from('a frame')], width: 1_920, height: 1_080, turned: true })
  const meta = await lookedAt(movie, 'a.mov')
  expect(meta).toMatchObject({ state: 'poster', image_error: null, width: 1_080, height: 1_920 })
  const { status, headers, body } = await client.request('GET', `/photo/${meta.photo_id}?alt_key=thumb`)
  expect([status, headers['content-type']]).toEqual([200, 'image/jpeg'])
  const { variants } = await client.json<{ readonly variants: { readonly thumb: { readonly sha256: string } } }>(
    'GET',
    `/photo/${meta.photo_id}/meta`,
    200
  )
  const kept = await client.request(
    'GET',
    `/photo/${meta.photo_id}?alt_key=thumb&v=${variants.thumb.sha256.slice(0, 12)}`
  )
  expect(kept.headers['cache-control']).toBe('private, max-age=31536000, immutable')
  const { width, height } = await sharp(body).metadata()
  expect([width, height]).toEqual([192, 256])
})

test('a video that ffmpeg fails at has its facts, and an error of its own', async () => {
  const movie = movieWith({ samples: [Buffer.from('hopeless')], width: 64, height: 48 })
  const meta = await lookedAt(movie, 'b.mov')
  expect(meta).toMatchObject({ state: 'none', image_error: 'ERR_IMAGE_UNREADABLE', width: 64, height: 48 })
})

test('the node says that it has ffmpeg', async () => {
  const { tools } = await client.json<{ readonly tools: readonly string[] }>('GET', '/status', 200)
  expect(tools).toContain('ffmpeg')
})
