import { beforeEach, describe, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import { LABELS_ONLY } from '../../../src/photos/albums/album-names.js'
import { DuplicateMerge, type MergeActs } from '../../../src/photos/duplicate-merge.js'
import type { PhotoPatch } from '../../../src/photos/photo-types.js'
import { requireRecord } from '../../../src/store/record-writer.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { randomPhotoId } from '../../support/vector-maker.js'
import { bodyOf, type PhotosFixture, photosFixture } from './photos-fixture.js'

let base: PhotosFixture

beforeEach(async () => {
  base = await photosFixture()
})

async function upload(patch: PhotoPatch = {}): Promise<PhotoId> {
  await base.clock.advance(1)
  const { photoId } = await base.photos.upload(bodyOf(Buffer.from('same')), { contentType: 'image/jpeg' })
  await base.photos.patch(photoId, patch)
  return photoId
}

const photoOf = (id: PhotoId) => viewPhoto(requireRecord(base.directory, id))
const merge = (keep: PhotoId, ...remove: PhotoId[]) => base.photos.mergeDuplicates({ keep, remove })

describe('of several photos', () => {
  test('one is kept, with what is said of all; twice is as once', async () => {
    const keep = await upload({ tags: { add: ['sea'] }, rating: 2 })
    const a = await upload({ tags: { add: ['Sea', 'kiel'] }, albums: { add: ['2024'] }, rating: 5, caption: 'a' })
    const b = await upload({ albums: { add: ['best'] }, caption: 'b', favourite: true })
    const report = await merge(keep, b, a, b)
    expect(report.gained).toEqual({
      albums: ['best', '2024'],
      tags: ['kiel'],
      rating: undefined,
      caption: 'b',
      favourite: true,
      unarchived: false
    })
    expect(report.outcomes).toEqual([b, a].map(photoId => ({ photoId, state: 'deleted', error: undefined })))
    const { tags, albums, rating, caption, marks } = photoOf(keep)
    expect({ tags, albums, rating, caption, marks: [...marks] }).toEqual({
      tags: ['kiel', 'sea'],
      albums: ['2024', 'best'],
      rating: 2,
      caption: 'b',
      marks: ['favourite']
    })
    expect([a, b].map(id => photoOf(id).deleted)).toEqual([true, true])

    const { version } = photoOf(keep)
    const again = await merge(keep, b, a)
    expect(again.outcomes.map(({ state }) => state)).toEqual(['was-deleted', 'was-deleted'])
    expect(again.gained.tags).toEqual([])
    expect(photoOf(keep).version).toEqual(version)
  })

  test('only what is asked for is merged', async () => {
    const keep = await upload()
    const a = await upload({ tags: { add: ['x'] }, caption: 'a', rating: 1 })
    await base.photos.mergeDuplicates({ keep, remove: [a], merge: ['rating'] })
    expect(photoOf(keep)).toMatchObject({ tags: [], caption: undefined, rating: 1 })
  })

  test('those that are gone are named, and nothing of them is merged', async () => {
    const [keep, gone, other] = [await upload(), await upload({ tags: { add: ['x'] } }), await upload()]
    await base.photos.remove(gone)
    const unknown = randomPhotoId(new SeededRandom(7))
    expect((await merge(keep, gone, unknown, other)).outcomes).toEqual([
      { photoId: gone, state: 'was-deleted', error: undefined },
      { photoId: unknown, state: 'failed', error: 'ERR_PHOTO_NOT_FOUND' },
      { photoId: other, state: 'deleted', error: undefined }
    ])
    expect(photoOf(keep).tags).toEqual([])
  })

  test('none is deleted when the one to keep is gone, or cannot take what the others have', async () => {
    const [keep, other] = [await upload(), await upload()]
    await base.photos.remove(keep)
    await expect(merge(keep, other)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    await expect(merge(randomPhotoId(new SeededRandom(7)), other)).rejects.toMatchObject({
      code: 'ERR_PHOTO_NOT_FOUND'
    })
    await expect(merge(other, other)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
    const many = (name: string): string[] => Array.from({ length: 300 }, (_, i) => `${name}${i}`)
    const [full, more] = [await upload({ tags: { add: many('a') } }), await upload({ tags: { add: many('b') } })]
    await expect(merge(full, more)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
    expect([other, more].map(id => photoOf(id).deleted)).toEqual([false, false])
  })

  test('of two that keep different ones at the same time, one wins', async () => {
    const [a, b] = [await upload(), await upload()]
    const [first, second] = await Promise.allSettled([merge(a, b), merge(b, a)])
    expect(first.status).toBe('fulfilled')
    expect(second).toMatchObject({ reason: { code: 'ERR_PHOTO_DELETED' } })
    expect([a, b].map(id => photoOf(id).deleted)).toEqual([false, true])
  })
})

describe('what is said between merge and delete', () => {
  /** A merge of photos in a table, with something that happens just before each delete. */
  function table(meanwhile: (tags: Map<string, string[]>) => void) {
    const tags = new Map([
      ['keep', ['k']],
      ['other', ['o']]
    ])
    const said = (id: string) => {
      const own = tags.get(id)
      if (own === undefined) throw new SheafError('ERR_PHOTO_DELETED')
      return { tags: [...own], albums: [], rating: undefined, caption: undefined, marks: new Set<never>() }
    }
    const merges = new DuplicateMerge()
    const acts: MergeActs = {
      albums: LABELS_ONLY,
      said: async id => said(id),
      give: async (id, gainOf) => {
        tags.set(id, [...(tags.get(id) ?? []), ...gainOf(said(id)).tags])
      },
      remove: async (id, allow) => {
        meanwhile(tags)
        allow(said(id))
        tags.delete(id)
      }
    }
    return { tags, run: () => merges.run({ keep: 'keep' as PhotoId, remove: ['other' as PhotoId] }, acts) }
  }

  test('is merged as well', async () => {
    let times = 0
    const { tags, run } = table(all => times++ === 0 && all.get('other')?.push('late'))
    const { gained, outcomes } = await run()
    expect(tags).toEqual(new Map([['keep', ['k', 'o', 'late']]]))
    expect(gained.tags).toEqual(['o', 'late'])
    expect(outcomes[0]?.state).toBe('deleted')
  })

  test('again and again keeps the photo', async () => {
    let times = 0
    const { tags, run } = table(all => all.get('other')?.push(`late ${times++}`))
    expect((await run()).outcomes).toEqual([{ photoId: 'other', state: 'failed', error: 'ERR_PRECONDITION_FAILED' }])
    expect(tags.get('other')).toContain('late 2')
  })

  test('a delete is no loss', async () => {
    const { tags, run } = table(all => void all.delete('other'))
    expect((await run()).outcomes[0]?.state).toBe('was-deleted')
    expect(tags.get('keep')).toEqual(['k', 'o'])
  })
})
