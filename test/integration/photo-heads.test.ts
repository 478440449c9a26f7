import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIF, exifOf, exifSegment, heifHead, jpegHead, pngChunk, pngWith } from '../support/head-files.js'
import { FLAT_512, heicFile } from '../support/heic-files.js'
import { HttpClient } from '../support/http-client.js'
import { MOVIE, motionJpeg } from '../support/motion-files.js'
import { NodeProcess, sheaf, temporaryFolder } from '../support/node-process.js'
import { claimedPng, scene, toImage } from '../support/test-pictures.js'
import { until } from '../support/until.js'

/*
 * What a node knows of files whose pixels it cannot have. The image process is real.
 */

const LOOKED_MS_MAX = 90_000

interface Meta {
  readonly photo_id: string
  readonly state: string | null
  readonly taken_at: string | null
}

let folder: ReturnType<typeof temporaryFolder>
let node: NodeProcess
let client: HttpClient

beforeAll(async () => {
  folder = temporaryFolder('heads')
  node = await NodeProcess.start({ dataDir: join(folder.path, 'data'), flags: ['--heic', 'off', '--ffmpeg', 'off'] })
  client = new HttpClient(node.url)
})

afterAll(async () => {
  client.close()
  await node.kill9()
  folder.remove()
})

const dated = exifOf(
  { [EXIF.date]: '2024:01:01 08:02:32', [EXIF.offset]: '+11:00', 33437: { rational: [[28, 10]] } },
  { 271: 'Canon', 272: 'Canon EOS 80D' },
  {
    1: 'S',
    2: {
      rational: [
        [33, 1],
        [52, 1],
        [0, 1]
      ]
    },
    3: 'E',
    4: {
      rational: [
        [151, 1],
        [12, 1],
        [0, 1]
      ]
    }
  }
)
const when = {
  taken_at: '2024-01-01T08:02:32.000+11:00',
  taken_at_source: 'exif',
  taken_at_precision: 'second'
}

async function metaOf(id: string): Promise<Meta> {
  return client.json<Meta>('GET', `/photo/${id}/meta`, 200)
}

/** @returns the metadata once the node has looked at the picture */
async function lookedAt(bytes: Buffer, name: string, type: string): Promise<Meta> {
  const { photo_id } = await client.putPhoto(bytes, name, type)
  await until(`${name} is looked at`, LOOKED_MS_MAX, async () => (await metaOf(photo_id)).state !== 'pending')
  return metaOf(photo_id)
}

test('a HEIC has its facts, and no error for lack of a decoder', async () => {
  const heic = heifHead({ width: 4_032, height: 3_024, turns: 3, tiles: 48, exif: dated })
  const meta = await lookedAt(heic, 'IMG_1.HEIC', 'image/heic')
  expect(meta).toMatchObject({ width: 3_024, height: 4_032, ...when, state: 'none', image_error: null })
  expect(meta).toMatchObject({
    camera: { make: 'Canon', model: 'EOS 80D', lens: null, f_number: 2.8 },
    place: { lat: -33.8666667, lon: 151.2, alt: null, name: 'Pyrmont', region: 'New South Wales', country: 'Australia' }
  })
  for (const query of ['place=australia', 'place=new+south', 'q=austral+img'])
    expect((await client.page(`?${query}`)).photos.map(({ name }) => name)).toEqual(['IMG_1.HEIC'])
  expect((await client.page('?place=kiel')).photos).toEqual([])
  const { stdout } = await sheaf(['info', meta.photo_id], node.url)
  expect(stdout.toString()).toMatch(/taken +2024-01-01 08:02:32 \+11:00, by exif\n/)
  expect(stdout.toString()).toMatch(/camera +Canon EOS 80D\n/)
  const answer = await client.request('GET', `/photo/${meta.photo_id}?alt_key=thumb`)
  expect([answer.status, answer.body.toString()]).toEqual([404, expect.stringContaining('heif')])
})

test.each([
  ['half of it', 'partial', 'ERR_IMAGE_UNREADABLE'],
  ['all but its last two bytes', 'whole', null],
  ['its head', 'none', 'ERR_IMAGE_UNREADABLE']
] as const)('a JPEG that is cut to %s has its facts, and is %s', async (what, state, image_error) => {
  const whole = await toImage(scene(1, 300, 200))
    .jpeg()
    .toBuffer()
  const jpeg = Buffer.concat([whole.subarray(0, 2), exifSegment(dated), whole.subarray(2)])
  const cut = {
    'half of it': jpeg.subarray(0, Math.floor(jpeg.length / 2)),
    'all but its last two bytes': jpeg.subarray(0, -2),
    'its head': jpegHead(300, 200, exifSegment(dated))
  }[what]
  const meta = await lookedAt(cut, `${what}.jpg`, 'image/jpeg')
  expect(meta).toMatchObject({ width: 300, height: 200, ...when, state, image_error })
  const thumb = await client.request('GET', `/photo/${meta.photo_id}?alt_key=thumb`)
  expect(thumb.status).toBe(state === 'none' ? 404 : 200)
})

test('a picture that is too large to decode has its facts, and an error', async () => {
  const png = pngWith(await claimedPng(30_000, 20_000), pngChunk('eXIf', dated))
  const meta = await lookedAt(png, 'large.png', 'image/png')
  expect(meta).toMatchObject({
    width: 30_000,
    height: 20_000,
    ...when,
    state: 'none',
    image_error: 'ERR_IMAGE_TOO_LARGE'
  })
})

test('a good picture has its facts before it is decoded, and is found by its state', async () => {
  const jpeg = await toImage(scene(2, 300, 200))
    .jpeg()
    .toBuffer()
  const undated = exifSegment(exifOf({ [EXIF.date]: '2023:07:08 12:30' }))
  const meta = await lookedAt(Buffer.concat([jpeg.subarray(0, 2), undated, jpeg.subarray(2)]), 'good.jpg', 'image/jpeg')
  expect(meta).toMatchObject({
    width: 300,
    height: 200,
    taken_at: '2023-07-08T12:30:00.000',
    taken_at_precision: 'minute',
    state: 'whole',
    image_error: null,
    aspect: 1.5,
    sizes: { thumb: 'ready', small: 'ready', large: 'ready' },
    thumbhash: expect.stringMatching(/^[A-Za-z0-9+/]{24,34}={0,2}$/),
    camera: null,
    place: null
  })
  const list = async (state: string): Promise<string[]> =>
    (await client.page(`?state=${state}`)).photos.map(photo => photo.name)
  expect((await list('whole')).sort()).toEqual(['all but its last two bytes.jpg', 'good.jpg'])
  expect(await list('partial')).toEqual(['half of it.jpg'])
  expect((await list('none')).sort()).toEqual(['IMG_1.HEIC', 'its head.jpg', 'large.png'])
  expect(await list('pending')).toEqual([])
  expect((await client.request('GET', '/photos?state=odd')).status).toBe(400)
})

test('a file that is no image has no state', async () => {
  const { photo_id } = await client.putPhoto(Buffer.from('words'), 'a.txt', 'text/plain')
  expect(await metaOf(photo_id)).toMatchObject({ state: null, image_error: null, taken_at: null })
})

test('a node that has the tool mends what one without it has left', async () => {
  const { photo_id } = await client.putPhoto(heicFile({ tile: FLAT_512 }), 'IMG_2.HEIC', 'image/heic')
  const stateIs = (state: string) => async (): Promise<boolean> => (await metaOf(photo_id)).state === state
  await until('it is left', LOOKED_MS_MAX, stateIs('none'))
  expect(await client.json('GET', '/status', 200)).toMatchObject({ tools: [] })
  client.close()
  await node.stop()
  node = await NodeProcess.start({ dataDir: join(folder.path, 'data'), flags: ['--ffmpeg', 'off'] })
  client = new HttpClient(node.url)
  expect(await client.json('GET', '/status', 200)).toMatchObject({ tools: ['heif'] })
  await until('it is mended', LOOKED_MS_MAX, stateIs('whole'))
  expect(await metaOf(photo_id)).toMatchObject({ width: 512, height: 512, image_error: null })
  expect((await client.request('GET', `/photo/${photo_id}?alt_key=thumb`)).status).toBe(200)
})

test('the movie in the file of a picture is served as one, with ranges', async () => {
  const file = motionJpeg()
  const { photo_id } = await client.putPhoto(file, 'PXL_1.MP.jpg', 'image/jpeg')
  const meta = async (): Promise<{ readonly traits: readonly string[] }> =>
    client.json('GET', `/photo/${photo_id}/meta`, 200)
  await until('its head is read', LOOKED_MS_MAX, async () => (await meta()).traits.length > 0)
  expect((await meta()).traits).toEqual(['motion'])
  const path = `/photo/${photo_id}?part=motion`
  const whole = await client.request('GET', path)
  expect(whole).toMatchObject({
    status: 200,
    headers: {
      'content-type': 'video/mp4',
      'content-length': String(MOVIE.length),
      'content-disposition': 'inline; filename="PXL_1.MP.mp4"',
      'accept-ranges': 'bytes'
    }
  })
  expect(whole.body.equals(MOVIE)).toBe(true)
  const { etag = '' } = whole.headers
  expect(etag).not.toBe((await client.photo(photo_id)).headers.etag)
  const range = await client.request('GET', path, { headers: { range: 'bytes=4-11' } })
  expect(range).toMatchObject({ status: 206, headers: { 'content-range': `bytes 4-11/${MOVIE.length}` } })
  expect(range.body.toString()).toBe('ftypmp42')
  const last = await client.request('GET', path, { headers: { range: 'bytes=-5' } })
  expect(last.body.equals(MOVIE.subarray(-5))).toBe(true)
  expect((await client.request('GET', path, { headers: { range: `bytes=${MOVIE.length}-` } })).status).toBe(416)
  expect((await client.request('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304)
  expect(await client.request('HEAD', path)).toMatchObject({
    status: 200,
    headers: { 'content-length': String(MOVIE.length) }
  })
  expect((await client.photo(photo_id)).body.equals(file)).toBe(true)
  expect((await client.request('GET', `${path}&alt_key=thumb`)).status).toBe(404)
  expect((await client.request('GET', `/photo/${photo_id}?part=sound`)).status).toBe(400)
  expect((await client.request('GET', `${path}&cookie=${'0'.repeat(32)}`)).status).toBe(404)
  const { photo_ids, flags } = await inTimeline(photo_id)
  expect((flags[photo_ids.indexOf(photo_id)] ?? 0) & 64).toBe(64)
  const moving = await client.json('GET', '/photos?trait=motion', 200)
  expect(moving).toMatchObject({ total: 1, photos: [{ photo_id }] })
  expect(await client.json('GET', '/photos/timeline?trait=live', 200)).toMatchObject({ total: 0 })
})

test('a picture without a movie has none to be served', async () => {
  const bytes = await toImage(scene(9, 60, 40))
    .jpeg()
    .toBuffer()
  const { photo_id } = await lookedAt(bytes, 'still.jpg', 'image/jpeg')
  const text = await client.putPhoto(Buffer.from('text'), 'a.txt', 'text/plain')
  for (const id of [photo_id, text.photo_id]) {
    const answer = await client.request('GET', `/photo/${id}?part=motion`)
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([404, 'ERR_NOT_FOUND'])
  }
})

interface Bucket {
  readonly photo_ids: readonly string[]
  readonly flags: readonly number[]
}

/** @returns the bucket that holds the photo */
async function inTimeline(id: string): Promise<Bucket> {
  const { buckets } = await client.json<{ readonly buckets: readonly { readonly key: string }[] }>(
    'GET',
    '/photos/timeline',
    200
  )
  for (const { key } of buckets) {
    const bucket = await client.json<Bucket>('GET', `/photos/timeline/${key}`, 200)
    if (bucket.photo_ids.includes(id)) return bucket
  }
  throw new Error('the time line lacks the photo')
}
