import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { editChanges, partOf, viewPhoto } from '../../../src/domain/photo.js'
import { changeRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import type { PhotoPatch, Precondition } from '../../../src/photos/photo-types.js'
import { recordDraft } from '../../../src/store/record-needles.js'
import { noiseBytes, tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, CHUNK_BYTES, collect, type PhotosFixture, photosFixture } from './photos-fixture.js'

const UNKNOWN = '00000000-0000-7000-8000-000000000000' as PhotoId

const refuse: Precondition = () => {
  throw new SheafError('ERR_PRECONDITION_FAILED')
}

async function withPhoto(bytes: Uint8Array = tinyJpeg(1)): Promise<PhotosFixture & { readonly id: PhotoId }> {
  const fixture = await photosFixture()
  return { ...fixture, id: (await fixture.photos.upload(bodyOf(bytes), { filename: 'a.jpg', tags: ['sea'] })).photoId }
}

async function bytesOf({ photos }: Pick<PhotosFixture, 'photos'>, id: PhotoId): Promise<Buffer> {
  const { head, stream } = await photos.open(id, 'orig')
  return collect(stream(0, head.size))
}

describe('patch', () => {
  test('changes what it names and leaves the rest', async () => {
    const { photos, store, id } = await withPhoto()
    const first = await photos.patch(id, {
      name: 'Ünïcode',
      caption: 'By the sea',
      rating: 5,
      tags: { add: [' beach ', 'sea'], remove: ['gone'] },
      albums: { add: ['2026'] },
      attributes: { camera: 'X', lens: '50' }
    })
    expect(first.photo).toMatchObject({
      name: 'Ünïcode',
      caption: 'By the sea',
      rating: 5,
      tags: ['beach', 'sea'],
      albums: ['2026']
    })
    const second = await photos.patch(id, {
      caption: null,
      rating: null,
      tags: { remove: ['sea'] },
      attributes: { lens: null }
    })
    expect(second.photo).toMatchObject({ name: 'Ünïcode', caption: undefined, rating: undefined, tags: ['beach'] })
    expect([...second.photo.attributes]).toEqual([['camera', 'X']])
    expect(await photos.meta(id)).toEqual(second)
    expect(store.purposes).toEqual(['upload', 'upkeep', 'upkeep'])
  })

  test('that changes nothing writes nothing', async () => {
    const { photos, store, id } = await withPhoto()
    const before = await photos.meta(id)
    const same = { name: 'a.jpg', caption: null, tags: { add: ['sea'], remove: ['other'] } }
    expect(await photos.patch(id, same)).toEqual(before)
    await photos.batchEdit([id, id], { tags: { add: ['sea'] } })
    expect(store.groups).toHaveLength(1)
  })

  test.each<[string, PhotoPatch, string]>([
    ['a long name', { name: 'n'.repeat(201) }, 'ERR_BAD_PARAMETER'],
    ['a line break in a name', { name: 'a\nb' }, 'ERR_BAD_PARAMETER'],
    ['half a star', { rating: 2.5 }, 'ERR_BAD_PARAMETER'],
    ['six stars', { rating: 6 }, 'ERR_BAD_PARAMETER'],
    ['no tag', { tags: { add: [''] } }, 'ERR_BAD_PARAMETER'],
    ['a long tag to remove', { tags: { remove: ['t'.repeat(101)] } }, 'ERR_BAD_PARAMETER'],
    ['a control character in an album', { albums: { add: ['a\0b'] } }, 'ERR_BAD_PARAMETER'],
    ['a caption above 4 KB', { caption: 'ü'.repeat(2_049) }, 'ERR_ATTRIBUTES_TOO_LARGE'],
    [
      'attributes above 4 KB',
      { attributes: { a: 'x'.repeat(2_000), b: 'x'.repeat(2_095) } },
      'ERR_ATTRIBUTES_TOO_LARGE'
    ]
  ])('refuses %s and changes nothing', async (_, patch, code) => {
    const { photos, store, id } = await withPhoto()
    await expect(photos.patch(id, patch)).rejects.toMatchObject({ code })
    expect(store.groups).toHaveLength(1)
  })

  test('the limits apply to the photo after the edit, not only to the request', async () => {
    const { photos, id } = await withPhoto()
    await photos.patch(id, { attributes: { a: 'x'.repeat(4_000) } })
    await expect(photos.patch(id, { caption: 'x'.repeat(100) })).rejects.toMatchObject({
      code: 'ERR_ATTRIBUTES_TOO_LARGE'
    })
    await photos.patch(id, { caption: 'x'.repeat(100), attributes: { a: null } })
    await photos.patch(id, { tags: { add: Array.from({ length: 499 }, (_, i) => `t${i}`) } })
    await expect(photos.patch(id, { tags: { add: ['one more'] } })).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  })

  test('checks in the order: request, existence, deletion, precondition', async () => {
    const { photos, id } = await withPhoto()
    await expect(photos.patch(UNKNOWN, { rating: 9 }, refuse)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
    await expect(photos.patch(UNKNOWN, {}, refuse)).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
    await expect(photos.patch(id, {}, refuse)).rejects.toMatchObject({ code: 'ERR_PRECONDITION_FAILED' })
    await photos.remove(id)
    await expect(photos.patch(id, {}, refuse)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    await expect(photos.meta(id)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
  })

  test('a condition on one version lets one of two edits through', async () => {
    const { photos, id } = await withPhoto()
    const { etag } = await photos.meta(id)
    const isSame: Precondition = current => {
      if (current?.etag !== etag) throw new SheafError('ERR_PRECONDITION_FAILED')
    }
    const outcomes = await Promise.allSettled(['a', 'b'].map(name => photos.patch(id, { name }, isSame)))
    expect(outcomes.map(outcome => outcome.status)).toEqual(['fulfilled', 'rejected'])
    expect((await photos.meta(id)).photo.name).toBe('a')
  })

  test('edits at once are made one after the other and leave no conflict', async () => {
    const { photos, id } = await withPhoto()
    await Promise.all(Array.from({ length: 20 }, (_, i) => photos.patch(id, { attributes: { [`k${i}`]: 'v' } })))
    expect((await photos.meta(id)).photo.attributes.size).toBe(20)
    expect(await photos.conflicts(id)).toEqual([])
  })

  test('a failing append changes nothing and blocks no later edit', async () => {
    const { photos, store, id } = await withPhoto()
    const before = await photos.meta(id)
    store.failAppend = () => new SheafError('ERR_DISK_WRITE')
    await expect(photos.patch(id, { name: 'b' })).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
    expect(await photos.meta(id)).toEqual(before)
    store.failAppend = () => undefined
    expect((await photos.patch(id, { name: 'c' })).photo.name).toBe('c')
  })
})

describe('remove and undelete', () => {
  test.each([400, 3 * CHUNK_BYTES + 5])('bring a photo of %i bytes back as it was', async size => {
    const bytes = noiseBytes(1, size)
    const { photos, store, id, directory } = await withPhoto(bytes)
    await photos.addSize(id, 'thumb', bodyOf(tinyJpeg(5)), {})
    await photos.patch(id, { caption: 'kept', rating: 3 })
    const before = await photos.meta(id)
    await photos.remove(id)
    await photos.remove(id)
    expect(store.purposes.at(-1)).toBe('upkeep')
    expect((await photos.list({})).total).toBe(0)
    const tombstones = store.groups.length
    await photos.remove(id)
    expect(store.groups).toHaveLength(tombstones)

    await photos.undelete(id)
    const after = await photos.meta(id)
    expect(after.photo).toMatchObject({
      generation: before.photo.generation + 1,
      caption: 'kept',
      rating: 3,
      tags: ['sea']
    })
    expect(after.photo).toMatchObject({ createdAt: before.photo.createdAt, cookie: before.photo.cookie })
    expect(await bytesOf({ photos }, id)).toEqual(bytes)
    const old = before.photo.generation
    store.drop(({ identity }) => identity.kind !== 'record' && identity.generation === old)
    expect(await bytesOf({ photos }, id)).toEqual(bytes)
    const thumb = await photos.open(id, 'thumb')
    expect(await collect(thumb.stream(0, thumb.head.size))).toEqual(tinyJpeg(5))
    const kinds = store.groups.slice(tombstones).flatMap(group => group.needles.map(needle => needle.kind))
    expect(kinds.at(-1)).toBe('record')
    expect(kinds.filter(kind => kind === 'manifest')).toHaveLength(size > CHUNK_BYTES ? 1 : 0)
    expect(directory.count('all')).toBe(1)
  })

  test('undelete of a live photo changes nothing', async () => {
    const { photos, store, id } = await withPhoto()
    await photos.undelete(id)
    expect(store.groups).toHaveLength(1)
    await expect(photos.undelete(UNKNOWN)).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
    await expect(photos.remove(UNKNOWN)).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
  })

  test('without its bytes a photo stays deleted', async () => {
    const { photos, store, id } = await withPhoto()
    await photos.remove(id)
    store.damage(({ identity }) => identity.kind === 'data')
    await expect(photos.undelete(id)).rejects.toMatchObject({ code: 'ERR_BYTES_GONE' })
    await expect(photos.meta(id)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
  })

  test('a size whose bytes are gone is omitted', async () => {
    const { photos, store, id } = await withPhoto()
    await photos.addSize(id, 'thumb', bodyOf(tinyJpeg(5)), {})
    await photos.addSize(id, 'small', bodyOf(tinyJpeg(6)), {})
    await photos.remove(id)
    store.drop(({ identity }) => partOf(identity.alternateKey) === 'thumb')
    await photos.undelete(id)
    expect([...(await photos.meta(id)).photo.variants.keys()]).toEqual(['small'])
  })

  test('an undelete that fails midway leaves the photo deleted, and can be tried again', async () => {
    const bytes = noiseBytes(1, 3 * CHUNK_BYTES)
    const { photos, store, id } = await withPhoto(bytes)
    await photos.remove(id)
    for (const failing of ['data', 'manifest', 'record']) {
      store.failAppend = drafts =>
        drafts.some(draft => draft.header.kind === failing) ? new SheafError('ERR_DISK_FULL') : undefined
      await expect(photos.undelete(id)).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
      await expect(photos.open(id, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    }
    store.failAppend = () => undefined
    await photos.undelete(id)
    expect(await bytesOf({ photos }, id)).toEqual(bytes)
  })
})

describe('conflicts', () => {
  /** Lets two nodes that do not know each other name the photo. */
  async function withConflict(): Promise<PhotosFixture & { readonly id: PhotoId }> {
    const fixture = await withPhoto()
    const { store, directory, hybridClock, id } = fixture
    const base = directory.getSync({ kind: 'photo', id })?.record
    if (base === undefined) throw new Error('no photo')
    for (const [actor, name] of [
      ['a'.repeat(16), 'left'],
      ['b'.repeat(16), 'right']
    ] as const) {
      const stamper = { actor: actor as never, hlc: (seen: Iterable<never>) => hybridClock.after(seen) }
      const record = changeRecord(base, base, stamper, editChanges(viewPhoto(base), { name }))
      await store.append([{ ...recordDraft(record), data: encodeRecord(record) }], 'upkeep')
    }
    return fixture
  }

  test('are listed greatest first and can be restored', async () => {
    const { photos, id } = await withConflict()
    expect((await photos.meta(id)).photo.name).toBe('right')
    expect(await photos.conflicts(id)).toMatchObject([
      { n: 1, name: 'left', deleted: false, version: { actor: 'a'.repeat(16) } }
    ])
    expect((await photos.restore(id, 1)).photo.name).toBe('left')
    expect((await photos.conflicts(id)).map(({ name }) => name)).toEqual(['right'])
  })

  test('of a number that does not exist cannot', async () => {
    const { photos, id } = await withConflict()
    for (const n of [0, 2, 1.5, -1])
      await expect(photos.restore(id, n)).rejects.toMatchObject({ code: 'ERR_NO_SUCH_CONFLICT' })
    await photos.remove(id)
    await expect(photos.restore(id, 1)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    await expect(photos.conflicts(id)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
  })
})
