import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { headChange } from '../../../src/domain/findings.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { pairOf } from '../../../src/domain/pairs.js'
import { PHOTO_KIND, viewPhoto } from '../../../src/domain/photo.js'
import { mediaChange } from '../../../src/domain/photo-facts.js'
import { Pairing } from '../../../src/photos/pairing.js'
import { movieOf } from '../../support/head-files.js'
import { tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, type PhotosFixture, photosFixture } from './photos-fixture.js'

interface Fixture extends PhotosFixture {
  readonly pairing: Pairing
  upload(filename: string): Promise<PhotoId>
  pair(id: PhotoId): object
  /** Time in which the node does what it has to do. */
  settle(): Promise<void>
}

async function fixture({ rank = 0, isStarted = true } = {}): Promise<Fixture> {
  const base = await photosFixture()
  const { directory, clock, components, photos } = base
  const { writer } = components
  const pairing = new Pairing({ directory, writer, clock, log: silentLog, rank: () => rank })
  if (isStarted) await pairing.start()
  onTestFinished(async () => {
    await pairing.stop()
    await directory.stop()
  })
  let seed = 0
  const upload = async (filename: string): Promise<PhotoId> => {
    const bytes = filename.endsWith('jpg') ? tinyJpeg(++seed) : movieOf({ created: ++seed })
    const { photoId } = await photos.upload(bodyOf(bytes), { filename, source: 'dcim' })
    await writer.edit(photoId, () => ({ changes: [headChange(2, undefined), mediaChange({ durationS: 3 })] }))
    return photoId
  }
  const pair = (id: PhotoId): object => {
    const stored = directory.getSync({ kind: PHOTO_KIND, id })
    if (stored === undefined) throw new Error(`${id} is unknown`)
    return pairOf(viewPhoto(stored.record).record)
  }
  const settle = (): Promise<void> => clock.advance(10_000)
  return { ...base, pairing, upload, pair, settle }
}

const ALONE = { of: undefined, parts: [] }

test('a still and its video become one entry of lists, in whatever order they come', async () => {
  for (const names of [
    ['a.jpg', 'a.mov'],
    ['a.mov', 'a.jpg']
  ] as const) {
    const { upload, pair, photos, settle } = await fixture()
    const ids = new Map<string, PhotoId>()
    for (const name of names) {
      ids.set(name, await upload(name))
      await settle()
    }
    const [still, video] = [ids.get('a.jpg') as PhotoId, ids.get('a.mov') as PhotoId]
    expect(pair(still)).toEqual({ of: undefined, parts: [video], isLive: true })
    expect(pair(video)).toEqual({ of: still, parts: [] })
    const { photos: listed, total } = await photos.list({})
    expect({ total, ids: listed.map(({ photo }) => photo.id) }).toEqual({ total: 1, ids: [still] })
    expect((await photos.list({ type: 'video' })).photos).toEqual([])
  }
})

test('what is left of a pair is listed again when the entry goes, and not when it is back', async () => {
  const { upload, pair, photos, settle } = await fixture()
  const still = await upload('a.jpg')
  const video = await upload('a.mov')
  await settle()
  await photos.remove(still)
  await settle()
  expect(pair(video)).toEqual(ALONE)
  expect((await photos.list({})).photos.map(({ photo }) => photo.id)).toEqual([video])
  await photos.undelete(still)
  await settle()
  expect(pair(video)).toEqual({ of: still, parts: [] })
})

test('a second candidate makes them three of which nobody knows the two', async () => {
  const { upload, pair, settle } = await fixture()
  const [still, video] = [await upload('a.jpg'), await upload('a.mov')]
  await settle()
  const other = await upload('b.mov')
  await settle()
  expect([still, video, other].map(pair)).toEqual([
    { of: undefined, parts: [video], isLive: true },
    { of: still, parts: [] },
    ALONE
  ])
  const third = await upload('a.mp4')
  await settle()
  expect([still, video, other, third].map(pair)).toEqual([ALONE, ALONE, ALONE, ALONE])
})

test('tags and albums are put on all that belong together, and all are deleted when that is asked for', async () => {
  const { upload, photos, settle } = await fixture()
  const [still, video] = [await upload('a.jpg'), await upload('a.mov')]
  await settle()
  await photos.patch(still, { tags: { add: ['sea'] }, caption: 'Sea' })
  await photos.patch(video, { albums: { add: ['2024'] } })
  await photos.batchEdit([still], { tags: { add: ['sun'] } })
  const metas = await Promise.all([still, video].map(id => photos.meta(id)))
  expect(metas.map(({ photo }) => [photo.tags, photo.albums, photo.caption])).toEqual([
    [['sea', 'sun'], ['2024'], 'Sea'],
    [['sea', 'sun'], ['2024'], undefined]
  ])
  expect(await photos.list({ tag: 'sea' })).toMatchObject({ total: 1 })
  await photos.remove(still, { withPartners: true })
  await expect(photos.meta(video)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
})

test('a photo that comes, and whose head is read soon after, is looked at once', async () => {
  const { directory, photos, components, clock, settle } = await fixture()
  const asked: string[] = []
  const { newestWith } = directory
  directory.newestWith = (term, ...rest) => {
    if (term.startsWith('pair')) asked.push(term)
    return newestWith.call(directory, term, ...rest)
  }
  await clock.advance(900)
  const { photoId } = await photos.upload(bodyOf(tinyJpeg(1)), { filename: 'a.jpg', source: 'dcim' })
  // a look at what waits is in between
  await clock.advance(200)
  await components.writer.edit(photoId, () => ({ changes: [headChange(2, undefined)] }))
  await settle()
  expect(asked).toEqual(['pair\0stem\0\0dcim\0a'])
})

test('the node that ranks second writes when the first has not after a while', async () => {
  const { upload, pair, clock, settle } = await fixture({ rank: 1 })
  const [still, video] = [await upload('a.jpg'), await upload('a.mov')]
  await settle()
  expect(pair(video)).toEqual(ALONE)
  await clock.advance(60_000)
  expect(pair(video)).toEqual({ of: still, parts: [] })
})

test('what waited when the node ended is found after its start', async () => {
  const { upload, pair, pairing, settle } = await fixture({ isStarted: false })
  const [still, video] = [await upload('a.jpg'), await upload('a.mov')]
  await pairing.start()
  await settle()
  expect(pair(video)).toEqual({ of: still, parts: [] })
})
