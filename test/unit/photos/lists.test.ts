import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import type { ListQuery } from '../../../src/photos/photo-types.js'
import { tinyJpeg, tinyPng } from '../../support/photo-maker.js'
import { bodyOf, type PhotosFixture, photosFixture } from './photos-fixture.js'

const UNKNOWN = '00000000-0000-7000-8000-000000000000' as PhotoId

async function withAlbum(): Promise<PhotosFixture & { readonly ids: PhotoId[] }> {
  const fixture = await photosFixture()
  const files = [
    { bytes: tinyJpeg(1), filename: 'Red barn.jpg', tags: ['farm'], albums: ['Trip'] },
    { bytes: tinyPng(2), filename: 'red-kite.png', tags: ['farm', 'bird'] },
    { bytes: Buffer.from('words'), filename: 'notes.txt', albums: ['Trip'] }
  ]
  const ids: PhotoId[] = []
  for (const { bytes, ...options } of files) {
    await fixture.clock.advance(1)
    ids.push((await fixture.photos.upload(bodyOf(bytes), options)).photoId)
  }
  return { ...fixture, ids }
}

describe('list', () => {
  test.each<[ListQuery, number[]]>([
    [{}, [2, 1, 0]],
    [{ tag: 'farm' }, [1, 0]],
    [{ tag: ' farm ' }, [1, 0]],
    [{ tag: 'Farm' }, [1, 0]],
    [{ tag: 'far' }, []],
    [{ album: 'Trip' }, [2, 0]],
    [{ tag: 'farm', album: 'Trip' }, [0]],
    [{ type: 'image' }, [1, 0]],
    [{ type: 'Image/PNG' }, [1]],
    [{ q: 'RED' }, [1, 0]],
    [{ q: 'red ki' }, [1]],
    [{ q: 'barn', type: 'image/png' }, []],
    [{ q: '  ' }, [2, 1, 0]]
  ])('%j finds the photos %j, newest first', async (query, expected) => {
    const { photos, ids } = await withAlbum()
    const page = await photos.list(query)
    expect(page.photos.map(({ photo }) => ids.indexOf(photo.id))).toEqual(expected)
    expect(page).toMatchObject({ total: expected.length, nextCursor: null })
  })

  test('pages by cursor', async () => {
    const { photos, ids } = await withAlbum()
    const first = await photos.list({ limit: 2 })
    expect(first.photos.map(({ photo }) => photo.id)).toEqual([ids[2], ids[1]])
    await photos.upload(bodyOf(Buffer.from('new')), {})
    const second = await photos.list({ limit: 2, cursor: first.nextCursor ?? '' })
    expect(second.photos.map(({ photo }) => photo.id)).toEqual([ids[0]])
    expect(second).toMatchObject({ total: 4, nextCursor: null })
  })

  test('tells whether the bytes are on this node', async () => {
    const { photos, store, ids } = await withAlbum()
    expect((await photos.meta(ids[0] as PhotoId)).copies).toBe(1)
    store.drop(() => true)
    expect((await photos.list({})).photos.map(({ copies }) => copies)).toEqual([0, 0, 0])
  })

  test.each([0, 1_001, 1.5, Number.NaN])('refuses the limit %d', async limit => {
    const { photos } = await photosFixture()
    await expect(photos.list({ limit })).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  })

  test('refuses a valid cursor with other filters', async () => {
    const { photos } = await withAlbum()
    const { nextCursor } = await photos.list({ limit: 1 })
    await expect(photos.list({ cursor: nextCursor ?? '', tag: 'farm' })).rejects.toMatchObject({
      code: 'ERR_BAD_CURSOR'
    })
    await expect(photos.list({ cursor: '' })).rejects.toMatchObject({ code: 'ERR_BAD_CURSOR' })
  })
})

test('dump gives every live photo once', async () => {
  const { photos, ids } = await withAlbum()
  await photos.remove(ids[1] as PhotoId)
  const dumped: PhotoId[] = []
  for await (const { photo } of photos.dump()) dumped.push(photo.id)
  expect(dumped).toHaveLength(2)
  expect(new Set(dumped)).toEqual(new Set([ids[0], ids[2]]))
})

describe('batches', () => {
  test('delete each photo and report the errors of the others', async () => {
    const { photos, ids } = await withAlbum()
    const [first, second] = ids as [PhotoId, PhotoId]
    expect(await photos.batchDelete([first, UNKNOWN, second, first])).toEqual([
      { photoId: first, error: undefined },
      { photoId: UNKNOWN, error: 'ERR_PHOTO_NOT_FOUND' },
      { photoId: second, error: undefined },
      { photoId: first, error: undefined }
    ])
    expect((await photos.list({})).total).toBe(1)
  })

  test('tag each photo', async () => {
    const { photos, ids } = await withAlbum()
    await photos.remove(ids[2] as PhotoId)
    const outcomes = await photos.batchEdit(ids, { tags: { add: ['seen'], remove: ['bird'] } })
    expect(outcomes.map(({ error }) => error)).toEqual([undefined, undefined, 'ERR_PHOTO_DELETED'])
    expect((await photos.list({ tag: 'seen' })).total).toBe(2)
    expect((await photos.list({ tag: 'bird' })).total).toBe(0)
  })

  test('a failing disk is an outcome, too', async () => {
    const { photos, store, ids } = await withAlbum()
    store.failAppend = () => new SheafError('ERR_DISK_WRITE')
    expect((await photos.batchDelete(ids)).map(({ error }) => error)).toEqual(ids.map(() => 'ERR_DISK_WRITE'))
  })

  test('refuse a bad request before any photo is changed', async () => {
    const { photos, store, ids } = await withAlbum()
    await expect(photos.batchEdit(ids, { tags: { add: [''] } })).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
    const many = Array.from({ length: 10_001 }, () => UNKNOWN)
    await expect(photos.batchDelete(many)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
    expect(await photos.batchDelete(many.slice(1))).toHaveLength(10_000)
    expect(store.groups).toHaveLength(3)
  })
})
