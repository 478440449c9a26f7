import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { type AlbumRole, aclKey, grantChanges, granteeOf, setOwnerChanges } from '../../../src/domain/acl.js'
import {
  ALBUM_KIND,
  createAlbumChanges,
  deleteAlbumChanges,
  editAlbumChanges,
  reviveAlbumChanges
} from '../../../src/domain/album.js'
import { audienceText, type Person, type PhotoAudience, photoAudience } from '../../../src/domain/audience.js'
import type { AlbumId, PhotoId, UserId } from '../../../src/domain/ids.js'
import { INDEX_LANGUAGE_7 } from '../../../src/domain/past-terms.js'
import type { Settings } from '../../../src/domain/settings-record.js'
import { INDEX_LANGUAGE } from '../../../src/domain/terms.js'
import { KnownAlbums } from '../../../src/photos/viewers/known-albums.js'
import { ALL_SEEING, type Viewer } from '../../../src/photos/viewers/viewer.js'
import { Viewers } from '../../../src/photos/viewers/viewers.js'
import { bodyOf, photosFixture } from './photos-fixture.js'

const idOf = (n: number): string => `01890000-0000-7000-8000-${String(n).padStart(12, '0')}`
const ANNA = idOf(1) as UserId
const BEN = idOf(2) as UserId
const MEER = idOf(11) as AlbumId
const anna: Person = { userId: ANNA, role: 'user' }
const ben: Person = { userId: BEN, role: 'user' }
const HOUR_MS = 3_600_000

type Fixture = Awaited<ReturnType<typeof photosFixture>>
let base: Fixture
let viewers: Viewers
let unowned: Settings['unowned']
let language = INDEX_LANGUAGE
let seed = 0

beforeEach(async () => {
  base = await photosFixture()
  unowned = 'everyone'
  language = INDEX_LANGUAGE
  const { directory, clock } = base
  const asked = new Proxy(directory, {
    get: (target, name) => {
      if (name === 'language') return language
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
  const albums = new KnownAlbums({ directory: asked, clock, unowned: () => unowned })
  viewers = new Viewers({ directory: asked, albums, clock, log: silentLog, groupsOf: () => [] })
  await viewers.start()
  onTestFinished(() => viewers.stop())
})

const writer = () => base.components.writer

async function upload(owner: UserId | undefined, albums: readonly AlbumId[] = []): Promise<PhotoId> {
  const { photoId } = await base.photos.upload(bodyOf(Buffer.from(`photo ${seed++}`)), { owner, albums })
  return photoId
}

const audienceOf = async (id: PhotoId): Promise<PhotoAudience> => photoAudience((await base.photos.meta(id)).photo)
const sees = async (viewer: Viewer, id: PhotoId): Promise<boolean> => viewer.may('see', await audienceOf(id))
const textsOf = async (viewer: Viewer): Promise<readonly string[] | undefined> =>
  (await viewer.audiences())?.texts.toSorted()

async function makeAlbum(id: AlbumId, maker: UserId | undefined = ANNA): Promise<void> {
  await writer().write({ kind: ALBUM_KIND, id }, () => createAlbumChanges({ title: `album ${id}`, maker }))
}

async function give(album: AlbumId, to: UserId, role: AlbumRole, untilMs?: number, by = ANNA): Promise<void> {
  const now = base.clock.now()
  // what nobody has shared has no record, and gets none by taking nothing away
  if (role === 'none' && base.directory.lookUp(aclKey(album)).stored === undefined) return
  await writer().write(aclKey(album), before => grantChanges(before, ANNA, granteeOf(to), { role, untilMs, by }, now))
}

describe('what somebody sees', () => {
  test('changes in the step in which a record that it hangs on is here', async () => {
    await makeAlbum(MEER)
    const id = await upload(ANNA, [MEER])
    const viewer = viewers.of(ben)
    const both = async (): Promise<[boolean, number]> => [await sees(viewer, id), (await textsOf(viewer))?.length ?? -1]
    expect(await both()).toEqual([false, 0])
    await give(MEER, BEN, 'viewer')
    expect(await both()).toEqual([true, 1])
    await writer().write({ kind: ALBUM_KIND, id: MEER }, before => deleteAlbumChanges(before as never))
    expect(await both()).toEqual([false, 0])
    expect([viewer.mayWithAlbum('see', MEER), viewers.of(anna).mayWithAlbum('delete', MEER)]).toEqual([true, true])
    await writer().write({ kind: ALBUM_KIND, id: MEER }, before => reviveAlbumChanges(before as never))
    expect(await both()).toEqual([true, 1])
    await writer().write(aclKey(MEER), before => setOwnerChanges(before, ANNA, BEN, ANNA, base.clock.now()))
    expect([viewer.mayWithAlbum('delete', MEER), viewers.of(anna).mayWithAlbum('see', MEER)]).toEqual([true, false])
    await base.photos.patch(id, { albums: { remove: [MEER] } })
    expect(await sees(viewer, id)).toBe(false)
  })

  test('ends when what was given ends, also where nothing is written then', async () => {
    await makeAlbum(MEER)
    const id = await upload(ANNA, [MEER])
    await give(MEER, BEN, 'viewer', base.clock.now() + HOUR_MS)
    const viewer = viewers.of(ben)
    expect([await sees(viewer, id), await textsOf(viewer)]).toEqual([true, [`${ANNA} ${MEER}`]])
    await base.clock.advance(HOUR_MS - 1)
    expect(await sees(viewer, id)).toBe(true)
    await base.clock.advance(1)
    expect([await sees(viewer, id), await textsOf(viewer)]).toEqual([false, []])
  })

  test('has what was there before anybody asked, and what comes later', async () => {
    await upload(undefined)
    await upload(BEN)
    const viewer = viewers.of(ben)
    expect(await textsOf(viewer)).toEqual(['-', BEN])
    await upload(ANNA)
    await upload(BEN, [MEER])
    expect(await textsOf(viewer)).toEqual(['-', BEN, `${BEN} ${MEER}`])
    expect(await textsOf(viewers.of(undefined))).toEqual([])
    expect(await textsOf(ALL_SEEING)).toBeUndefined()
  })

  test('has a photo that gets into another album while its list is being read', async () => {
    const id = await upload(BEN)
    const audiences = await viewers.of(ben).audiences()
    await base.photos.patch(id, { albums: { add: [MEER] } })
    const { records } = await base.directory.query({ terms: [], words: [], audiences, limit: 10 })
    expect(records.map(record => record.id)).toEqual([id])
  })

  test('has what comes before it can be read, and nothing that is not open', async () => {
    await upload(BEN)
    const audiences = await viewers.of(ben).audiences()
    const known: (readonly string[])[] = []
    const off = base.directory.onComing(() => known.push([...(audiences?.texts ?? [])]))
    onTestFinished(off)
    await upload(BEN, [MEER])
    await upload(ANNA, [MEER])
    expect(known).toEqual([
      [BEN, `${BEN} ${MEER}`],
      [BEN, `${BEN} ${MEER}`]
    ])
  })

  test('is not known before the index knows whose photos are', async () => {
    await upload(BEN)
    language = INDEX_LANGUAGE_7
    await expect(viewers.of(ben).audiences()).rejects.toMatchObject({ code: 'ERR_INDEX_BUILDING' })
    language = INDEX_LANGUAGE
    expect(await textsOf(viewers.of(ben))).toEqual([BEN])
  })

  test('is not weighed down by audiences that no photo has any more', async () => {
    const id = await upload(BEN)
    const viewer = viewers.of(ben)
    await viewer.audiences()
    for (let n = 0; n < 600; n++) {
      const album = idOf(1_000 + n)
      await base.photos.patch(id, { albums: { add: [album], remove: [idOf(999 + n)] } })
    }
    expect(await textsOf(viewer)).toEqual([`${BEN} ${idOf(1_599)}`])
  })

  test('is what is not hot while the directory cannot be read, which ends nothing', async () => {
    await makeAlbum(MEER)
    const id = await upload(ANNA, [MEER])
    await give(MEER, BEN, 'viewer')
    const photos = base.photos.as(viewers.of(ben))
    await photos.open(id, 'orig')
    photos.openHot(id)?.lease.release()
    expect(photos.openHot(id)?.head.photoId).toBe(id)
    await writer().write({ kind: ALBUM_KIND, id: MEER }, before => editAlbumChanges(before as never, { caption: 'x' }))
    await base.directory.reopen()
    expect(photos.openHot(id)).toBeUndefined()
  })

  test('of an album that is not known here is nothing', async () => {
    const id = await upload(ANNA, [])
    await base.photos.batchLabel([id], { add: [MEER] })
    await give(MEER, BEN, 'manager')
    expect([await sees(viewers.of(ben), id), viewers.of(ben).mayWithAlbum('see', MEER)]).toEqual([false, false])
  })
})

test('whose photos somebody sees are those of which he may see each, whatever has happened', async () => {
  const people = [anna, ben, { userId: idOf(3) as UserId, role: 'guest' }] as const
  const albums = [11, 12].map(n => idOf(n) as AlbumId)
  const step = fc.record({
    do: fc.constantFrom('upload', 'give', 'delete', 'revive', 'move'),
    who: fc.nat(2),
    album: fc.nat(1),
    role: fc.constantFrom<AlbumRole>('none', 'viewer', 'manager')
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
      const ids: PhotoId[] = []
      for (const album of albums)
        await writer().write({ kind: ALBUM_KIND, id: album }, before =>
          before === undefined ? createAlbumChanges({ title: 'x', maker: ANNA }) : []
        )
      for (const { do: act, who, album, role } of steps) {
        const id = albums[album] as AlbumId
        const { userId } = people[who] as Person
        const key = { kind: ALBUM_KIND, id }
        if (act === 'upload') ids.push(await upload(userId, role === 'none' ? [] : [id]))
        else if (act === 'give' && userId !== ANNA) await give(id, userId, role)
        else if (act === 'delete') await writer().write(key, before => deleteAlbumChanges(before as never))
        else if (act === 'revive') await writer().write(key, before => reviveAlbumChanges(before as never))
        else if (act === 'move' && ids[who] !== undefined)
          await base.photos.patch(ids[who], { albums: role === 'none' ? { remove: [id] } : { add: [id] } })
        for (const person of people) {
          const viewer = viewers.of(person)
          const seen = new Set(await textsOf(viewer))
          for (const one of ids) {
            const audience = await audienceOf(one)
            expect(seen.has(audienceText(audience))).toBe(viewer.may('see', audience))
          }
        }
      }
    }),
    { numRuns: 25 }
  )
})
