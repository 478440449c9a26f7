import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import type { Cookie, PhotoId } from '../../../src/domain/ids.js'
import type { Content } from '../../../src/photos/photo-types.js'
import type { WantedNeedle } from '../../../src/replication/volumes/peer-reads.js'
import type { StoredNeedle } from '../../support/memory-needle-store.js'
import { noiseBytes, tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, CHUNK_BYTES, collect, type PhotosFixture, photosFixture } from './photos-fixture.js'

const UNKNOWN = '00000000-0000-7000-8000-000000000000' as PhotoId
const WRONG = '0'.repeat(32) as Cookie

const whole = (content: Content): Promise<Buffer> => collect(content.stream(0, content.head.size))

/** A peer that holds what it is given, by `nameOf`. */
class HoldingPeer {
  readonly #held = new Map<string, Uint8Array>()
  /** For the names of this life there is no answer. */
  silentFor: number | undefined

  hold({ identity, data }: StoredNeedle): void {
    this.#held.set(nameOf(identity), data)
  }

  async isInReach({ identity }: WantedNeedle): Promise<boolean> {
    if (identity.generation === this.silentFor) return new Promise(() => {})
    return this.#held.has(nameOf(identity))
  }

  async *stream({ identity }: WantedNeedle, start: number, end: number): AsyncGenerator<Uint8Array> {
    const data = this.#held.get(nameOf(identity))
    if (data === undefined) throw new SheafError('ERR_BYTES_UNREACHABLE')
    yield data.subarray(start, end)
  }
}

function nameOf({ id, generation, chunk }: WantedNeedle['identity']): string {
  return `${Buffer.from(id).toString('hex')} ${generation} ${chunk}`
}

describe('an undeleted photo', () => {
  const isOfLife = (generation: number) => {
    return ({ identity }: StoredNeedle) => identity.kind === 'data' && identity.generation === generation
  }

  test.each([700, 3 * CHUNK_BYTES + 5])('of %i bytes is read from its life before, here or at a peer', async size => {
    const remote = new HoldingPeer()
    const { photos, store } = await photosFixture({}, { remote })
    const bytes = noiseBytes(1, size)
    const { photoId } = await photos.upload(bodyOf(bytes), {})
    await photos.remove(photoId)
    await photos.undelete(photoId)
    const first = store.needles.filter(isOfLife(0))
    store.drop(isOfLife(1))
    const local = await photos.open(photoId, 'orig')
    expect([local.source, await whole(local)]).toEqual(['local', bytes])
    const hot = photos.openHot(photoId)
    expect(hot && Buffer.from(hot.lease.data)).toEqual(size === 700 ? bytes : undefined)
    store.drop(isOfLife(0))
    await expect(photos.open(photoId, 'orig')).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    for (const needle of first) remote.hold(needle)
    const distant = await photos.open(photoId, 'orig')
    expect([distant.source, await whole(distant)]).toEqual(['peer', bytes])
    expect(await collect(distant.stream(600, size))).toEqual(bytes.subarray(600))
    remote.silentFor = 1
    expect((await photos.open(photoId, 'orig')).source).toBe('peer')
  })
})

describe('open', () => {
  test('returns all that an answer needs', async () => {
    const { photos, clock } = await photosFixture()
    const bytes = tinyJpeg(1)
    const { photoId, sha256 } = await photos.upload(bodyOf(bytes), { filename: 'a.jpg' })
    const { head, source } = await photos.open(photoId, 'orig')
    expect(source).toBe('local')
    expect(head).toEqual({
      photoId,
      alt: 'orig',
      name: 'a.jpg',
      size: bytes.length,
      etag: `"${sha256}"`,
      contentType: 'image/jpeg',
      audience: { owner: undefined, albums: [] },
      lastModifiedMs: clock.now()
    })
  })

  test('reads small photos whole only as long as there is memory for what clients have yet to take', async () => {
    const bytes = noiseBytes(1, 200_000)
    const init = { chunkBytes: 1 << 20, maxUploadBytes: 1 << 20 }
    const { photos, untaken } = await photosFixture(init, {}, undefined, undefined, 2 * bytes.length)
    const { photoId } = await photos.upload(bodyOf(bytes), {})
    await whole(await photos.open(photoId, 'orig'))
    const lease = photos.openHot(photoId)?.lease
    const taken = (await photos.open(photoId, 'orig')).stream(0, bytes.length)[Symbol.asyncIterator]()
    expect((await taken.next()).value).toHaveLength(bytes.length)
    expect(photos.openHot(photoId)).toBeUndefined()
    const others = (await photos.open(photoId, 'orig')).stream(0, bytes.length)
    const pieces: Uint8Array[] = []
    for await (const piece of others) pieces.push(piece)
    expect(pieces.length).toBeGreaterThan(1)
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true)
    await taken.return?.()
    expect(photos.openHot(photoId)?.lease.release()).toBeUndefined()
    lease?.release()
    expect(untaken.tryTake(2 * bytes.length)).toBe(true) // all of it is free again
  })

  test('streams any range of small, large and chunked photos', async () => {
    const { photos } = await photosFixture({ maxUploadBytes: 1 << 22 })
    const { photos: large } = await photosFixture({ chunkBytes: 1 << 20, maxUploadBytes: 1 << 22 })
    const cases = await Promise.all(
      [
        { service: photos, bytes: noiseBytes(1, 700) },
        { service: photos, bytes: noiseBytes(2, 5 * CHUNK_BYTES + 17) },
        { service: large, bytes: noiseBytes(3, 400_000) }
      ].map(async ({ service, bytes }) => {
        const { photoId } = await service.upload(bodyOf(bytes, 10_000), {})
        return { bytes, content: await service.open(photoId, 'orig') }
      })
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...cases),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(5_000),
        async (one, at, length) => {
          const start = Math.floor(at * one.bytes.length)
          const end = Math.min(one.bytes.length, start + length)
          expect((await collect(one.content.stream(start, end))).equals(one.bytes.subarray(start, end))).toBe(true)
        }
      )
    )
    for (const { bytes, content } of cases) expect((await whole(content)).equals(bytes)).toBe(true)
  })

  test('a range reads only the needles that it touches', async () => {
    const { photos, store } = await photosFixture()
    const { photoId } = await photos.upload(bodyOf(noiseBytes(1, 20 * CHUNK_BYTES)), {})
    const content = await photos.open(photoId, 'orig')
    store.reads = 0
    await collect(content.stream(5 * CHUNK_BYTES, 7 * CHUNK_BYTES + 1))
    expect(store.reads).toBe(3)
  })

  test('a small photo is one read', async () => {
    const { photos, store } = await photosFixture({ chunkBytes: 1 << 20 })
    const { photoId } = await photos.upload(bodyOf(noiseBytes(1, 200_000)), {})
    store.reads = 0
    await whole(await photos.open(photoId, 'orig'))
    expect(store.reads).toBe(1)
  })

  test('errors come in the order: unknown, wrong cookie, deleted, no such size, no bytes', async () => {
    const { photos, store } = await photosFixture()
    await expect(photos.open(UNKNOWN, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
    const image = await photos.upload(bodyOf(tinyJpeg(1)), {})
    const text = await photos.upload(bodyOf(Buffer.from('words')), { filename: 'a.txt' })
    await expect(photos.open(image.photoId, 'thumb')).rejects.toMatchObject({ code: 'ERR_NOT_READY' })
    await expect(photos.open(text.photoId, 'thumb')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    store.drop(needle => needle.identity.kind === 'data')
    await expect(photos.open(image.photoId, 'orig')).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    await photos.remove(image.photoId)
    await expect(photos.open(image.photoId, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    await expect(photos.open(image.photoId, 'thumb')).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    await expect(photos.open(image.photoId, 'orig', WRONG)).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
  })

  test('a cookie is checked if given, or always if the node requires it', async () => {
    const lax = await photosFixture()
    const first = await lax.photos.upload(bodyOf(Buffer.from('a')), {})
    await lax.photos.open(first.photoId, 'orig')
    await lax.photos.open(first.photoId, 'orig', first.cookie)
    await expect(lax.photos.open(first.photoId, 'orig', WRONG)).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
    const strict = await photosFixture({ requireCookie: true })
    const second = await strict.photos.upload(bodyOf(Buffer.from('a')), {})
    await expect(strict.photos.open(second.photoId, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
    await strict.photos.open(second.photoId, 'orig', second.cookie)
    expect(strict.photos.openHot(second.photoId)).toBeUndefined()
  })
})

describe('damage', () => {
  const isData = ({ identity }: { identity: { kind: string } }): boolean => identity.kind === 'data'

  test.each([500, 5 * CHUNK_BYTES + 1, 300_000])('another copy of a photo of %i bytes takes over', async size => {
    const { photos, store } = await photosFixture({ chunkBytes: size > 10_000 ? 1 << 20 : CHUNK_BYTES })
    const bytes = noiseBytes(1, size)
    const { photoId } = await photos.upload(bodyOf(bytes, 4_000), {})
    const needles = [...store.needles]
    await store.copy(isData)
    store.damage(needle => needles.includes(needle) && isData(needle))
    expect((await whole(await photos.open(photoId, 'orig'))).equals(bytes)).toBe(true)
  })

  test('in the middle of a stream makes the next copy continue from there', async () => {
    const { photos, store } = await photosFixture({ chunkBytes: 1 << 20 })
    const bytes = noiseBytes(1, 400_000)
    const { photoId } = await photos.upload(bodyOf(bytes), {})
    const [original] = store.needles
    await store.copy(isData)
    const pieces: Uint8Array[] = []
    const content = await photos.open(photoId, 'orig')
    for await (const piece of content.stream(0, bytes.length)) {
      pieces.push(piece)
      if (pieces.length === 2) store.damage(needle => needle === original)
    }
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true)
  })

  test('a needle that moves while it is read is found again', async () => {
    const { photos, store } = await photosFixture({ chunkBytes: 1 << 20 })
    const bytes = noiseBytes(1, 400_000)
    const { photoId } = await photos.upload(bodyOf(bytes), {})
    const pieces: Uint8Array[] = []
    for await (const piece of (await photos.open(photoId, 'orig')).stream(0, bytes.length)) {
      pieces.push(piece)
      if (pieces.length > 3) continue
      const before = [...store.needles]
      await store.copy(isData)
      store.drop(needle => before.includes(needle) && isData(needle))
    }
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true)
  })

  test('without an intact copy no wrong byte is returned', async () => {
    const { photos, store } = await photosFixture()
    const { photoId } = await photos.upload(bodyOf(noiseBytes(1, 4 * CHUNK_BYTES)), {})
    store.damage(needle => needle.identity.chunk === 2)
    const content = await photos.open(photoId, 'orig')
    expect(await collect(content.stream(0, 2 * CHUNK_BYTES))).toHaveLength(2 * CHUNK_BYTES)
    await expect(whole(content)).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
  })
})

describe('other sizes', () => {
  async function withPhoto(): Promise<PhotosFixture & { readonly id: PhotoId }> {
    const fixture = await photosFixture()
    return { ...fixture, id: (await fixture.photos.upload(bodyOf(tinyJpeg(1)), { filename: 'a.jpg' })).photoId }
  }

  test('are stored and read like the original, under their own tag', async () => {
    const { photos, store, id } = await withPhoto()
    const bytes = tinyJpeg(2)
    const receipt = await photos.addSize(id, 'thumb', bodyOf(bytes), {})
    expect(receipt).toMatchObject({ photoId: id, size: bytes.length, contentType: 'image/jpeg', copies: 1 })
    expect(store.groups.at(-1)?.needles.map(needle => needle.kind)).toEqual(['data', 'record'])
    const content = await photos.open(id, 'thumb')
    expect(content.head).toMatchObject({ alt: 'thumb', etag: `"${receipt.sha256}"`, size: bytes.length })
    expect(await whole(content)).toEqual(bytes)
    expect(await collect(content.stream(3, 9))).toEqual(bytes.subarray(3, 9))
    await expect(photos.open(id, 'small')).rejects.toMatchObject({ code: 'ERR_NOT_READY' })
  })

  test('the same bytes again are accepted and write nothing, others are refused', async () => {
    const { photos, store, id } = await withPhoto()
    const first = await photos.addSize(id, 'thumb', bodyOf(tinyJpeg(2)), {})
    const needleCount = store.needles.length
    expect(await photos.addSize(id, 'thumb', bodyOf(tinyJpeg(2)), {})).toEqual(first)
    await expect(photos.addSize(id, 'thumb', bodyOf(tinyJpeg(3)), {})).rejects.toMatchObject({
      code: 'ERR_ALT_KEY_EXISTS'
    })
    expect(store.needles).toHaveLength(needleCount)
  })

  test('two at once: one is stored, the other refused', async () => {
    const { photos, id } = await withPhoto()
    const both = [2, 3].map(seed => photos.addSize(id, 'thumb', bodyOf(tinyJpeg(seed)), {}))
    const outcomes = await Promise.allSettled(both)
    expect(outcomes.map(outcome => outcome.status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test('need a live photo and at most one chunk', async () => {
    const { photos, id } = await withPhoto()
    const body = bodyOf(tinyJpeg(2))
    await expect(photos.addSize(UNKNOWN, 'thumb', body, {})).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
    const large = photos.addSize(id, 'large', bodyOf(Buffer.alloc(CHUNK_BYTES + 1)), {})
    await expect(large).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
    await photos.remove(id)
    await expect(photos.addSize(id, 'thumb', body, {})).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    expect(body.pulled).toBe(0)
  })

  test('of two renderings under one identity, only the one that the record names is served', async () => {
    const { photos, store, id } = await withPhoto()
    const bytes = tinyJpeg(2)
    const header = { ...(store.needles[0] as (typeof store.needles)[0]).header, alternateKey: 3 }
    await store.append([{ header, data: noiseBytes(9, bytes.length) }], 'upload')
    await store.append([{ header, data: noiseBytes(9, bytes.length + 1) }], 'upload')
    await photos.addSize(id, 'thumb', bodyOf(bytes), {})
    expect(await whole(await photos.open(id, 'thumb'))).toEqual(bytes)
    store.drop(needle => needle.location.length === bytes.length)
    await expect(photos.open(id, 'thumb')).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
  })
})

describe('openHot', () => {
  async function withHot(size = 500): Promise<PhotosFixture & { readonly id: PhotoId; readonly bytes: Buffer }> {
    const fixture = await photosFixture({ chunkBytes: 1 << 20 })
    const bytes = noiseBytes(1, size)
    const { photoId: id } = await fixture.photos.upload(bodyOf(bytes), {})
    return { ...fixture, id, bytes }
  }

  test('knows a photo once it was opened, under the canonical spelling', async () => {
    const { photos, store, id, bytes } = await withHot()
    expect(photos.openHot(id)).toBeUndefined()
    const { head } = await photos.open(id, 'orig')
    const hot = photos.openHot(id)
    expect(hot?.head).toEqual(head)
    expect(Buffer.from(hot?.lease.data ?? []).equals(bytes)).toBe(true)
    hot?.lease.release()
    expect(store.leases).toBe(0)
    expect(photos.openHot(id)?.head).toBe(hot?.head)
    expect(photos.openHot(id.toUpperCase())).toBeUndefined()
  })

  test('never keeps other sizes, chunked photos and large ones', async () => {
    const { photos } = await photosFixture({ chunkBytes: 1 << 20, maxUploadBytes: 1 << 24 })
    const sizes = [256 * 1024, 256 * 1024 + 1, (1 << 20) + 1]
    const ids = await Promise.all(
      sizes.map(async size => (await photos.upload(bodyOf(noiseBytes(1, size)), {})).photoId)
    )
    for (const id of ids) await photos.open(id, 'orig')
    expect(ids.map(id => photos.openHot(id) !== undefined)).toEqual([true, false, false])
    const { photoId } = await photos.upload(bodyOf(tinyJpeg(1)), {})
    await photos.addSize(photoId, 'thumb', bodyOf(tinyJpeg(2)), {})
    await photos.open(photoId, 'thumb')
    expect(photos.openHot(photoId)).toBeUndefined()
  })

  test('forgets a photo that changes, before the change is acknowledged', async () => {
    const { photos, id } = await withHot()
    for (const change of [
      () => photos.patch(id, { name: 'new' }),
      () => photos.remove(id),
      () => photos.undelete(id)
    ]) {
      await photos.open(id, 'orig').catch(() => undefined)
      await change()
      expect(photos.openHot(id)).toBeUndefined()
    }
    await photos.open(id, 'orig')
    expect(photos.openHot(id)?.head.name).toBe('new')
  })

  test('an open that runs while the photo is deleted does not bring it back', async () => {
    const { photos, id } = await withHot()
    for (let i = 0; i < 10; i++) {
      const removal = photos.remove(id)
      for (let tick = 0; tick < i; tick++) await Promise.resolve()
      await Promise.allSettled([photos.open(id, 'orig'), removal])
      expect(photos.openHot(id)).toBeUndefined()
      await photos.undelete(id)
    }
  })

  test('leaves a moved or damaged needle to the normal path', async () => {
    const { photos, store, id, bytes } = await withHot()
    await photos.open(id, 'orig')
    const before = [...store.needles]
    await store.copy(needle => needle.identity.kind === 'data')
    store.drop(needle => before.includes(needle) && needle.identity.kind === 'data')
    store.reads = 0
    for (let i = 0; i < 3; i++) expect(photos.openHot(id)).toBeUndefined()
    expect(store.reads).toBe(1)
    await photos.open(id, 'orig')
    expect(photos.openHot(id)?.lease.data.length).toBe(bytes.length)
  })
})
