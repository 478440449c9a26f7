import { describe, expect, test } from 'vitest'
import type { Cookie, PhotoId } from '../../../src/domain/ids.js'
import { PhotoCache } from '../../../src/photos/photo-cache.js'
import type { Content } from '../../../src/photos/photo-types.js'
import type { WantedNeedle } from '../../../src/replication/volumes/peer-reads.js'
import { noiseBytes, tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, CHUNK_BYTES, collect, type PhotosFixture, photosFixture } from './photos-fixture.js'

const TTL_MS = 60_000

interface Fixture extends PhotosFixture {
  /** Needles that the peer was asked for. */
  readonly asked: string[]
  /** Hands all needles of photos to the peer, as on a node that has the records but not yet the bytes. */
  handOver(): void
  read(id: PhotoId, alt?: 'orig' | 'thumb', cookie?: Cookie): Promise<{ source: Content['source']; bytes: Buffer }>
}

async function fixture(bytesMax = 1 << 20, init: Parameters<typeof photosFixture>[0] = {}): Promise<Fixture> {
  const asked: string[] = []
  const held = new Map<string, Uint8Array>()
  const nameOf = ({ id, alternateKey, chunk }: WantedNeedle['identity']): string =>
    `${Buffer.from(id).toString('hex')} ${alternateKey} ${chunk}`
  const remote = {
    isInReach: async ({ identity }: WantedNeedle) => held.has(nameOf(identity)),
    async *stream({ identity }: WantedNeedle, start: number, end: number) {
      const name = nameOf(identity)
      asked.push(name)
      const bytes = held.get(name) ?? new Uint8Array()
      for (let at = start; at < end; at += 300) yield bytes.subarray(at, Math.min(end, at + 300))
    }
  }
  const base = await photosFixture(init, { remote }, { bytesMax, ttlMs: TTL_MS })
  const handOver = (): void => {
    for (const { identity, data } of base.store.needles) {
      if (identity.kind === 'data') held.set(nameOf(identity), data)
    }
    base.store.drop(({ identity }) => identity.kind === 'data')
  }
  const read: Fixture['read'] = async (id, alt = 'orig', cookie) => {
    const content = await base.photos.open(id, alt, cookie)
    return { source: content.source, bytes: await collect(content.stream(0, content.head.size)) }
  }
  return { ...base, asked, handOver, read }
}

describe('bytes of other nodes', () => {
  test.each([700, 3 * CHUNK_BYTES + 5])('an original of %i bytes is asked for once', async size => {
    const { photos, read, handOver, asked } = await fixture()
    const bytes = noiseBytes(1, size)
    const { photoId } = await photos.upload(bodyOf(bytes), {})
    expect(await read(photoId)).toEqual({ source: 'local', bytes })
    handOver()
    expect(await read(photoId)).toEqual({ source: 'peer', bytes })
    const needles = asked.length
    expect(await read(photoId)).toEqual({ source: 'cache', bytes })
    expect(asked.length).toBe(needles)
    expect(photos.cacheStats()).toEqual({
      items: 1,
      bytes: size,
      bytesMax: 1 << 20,
      ttlMs: TTL_MS,
      hits: needles,
      misses: needles
    })
  })

  test('so is a large one that is streamed', async () => {
    const { photos, read, handOver } = await fixture(4 << 20, { chunkBytes: 1 << 20 })
    const bytes = noiseBytes(2, 600_000)
    const { photoId } = await photos.upload(bodyOf(bytes), {})
    handOver()
    expect((await read(photoId)).source).toBe('peer')
    const content = await photos.open(photoId, 'orig')
    expect(content.source).toBe('cache')
    expect((await collect(content.stream(300_000, 500_001))).equals(bytes.subarray(300_000, 500_001))).toBe(true)
  })

  test('so is a size, and both are known apart', async () => {
    const { photos, read, handOver } = await fixture()
    const [original, thumb] = [tinyJpeg(1), tinyJpeg(2)]
    const { photoId } = await photos.upload(bodyOf(original), {})
    await photos.addSize(photoId, 'thumb', bodyOf(thumb), {})
    handOver()
    expect(await read(photoId, 'thumb')).toEqual({ source: 'peer', bytes: thumb })
    expect(await read(photoId)).toEqual({ source: 'peer', bytes: original })
    expect(await read(photoId, 'thumb')).toEqual({ source: 'cache', bytes: thumb })
    expect(await read(photoId)).toEqual({ source: 'cache', bytes: original })
    expect(photos.cacheStats()).toMatchObject({ items: 1, bytes: original.length + thumb.length, hits: 2, misses: 2 })
  })

  test('a part of a needle, and a stream that its reader leaves, are not kept', async () => {
    const { photos, read, handOver, cache } = await fixture(4 << 20, { chunkBytes: 1 << 20 })
    const { photoId } = await photos.upload(bodyOf(noiseBytes(3, 600_000)), {})
    handOver()
    const content = await photos.open(photoId, 'orig')
    await collect(content.stream(10, 600_000))
    for await (const _ of content.stream(0, 600_000)) break
    expect(cache.stats().items).toBe(0)
    expect((await read(photoId)).source).toBe('peer')
    expect((await read(photoId)).source).toBe('cache')
  })

  test('stay when what is said of the photo changes, which may be while the node that has them is away', async () => {
    const { photos, read, handOver } = await fixture()
    const { photoId } = await photos.upload(bodyOf(noiseBytes(4, 700)), {})
    handOver()
    await read(photoId)
    await photos.patch(photoId, { caption: 'new' })
    expect((await read(photoId)).source).toBe('cache')
    expect(photos.openHot(photoId)?.source).toBe('cache')
  })

  test('are local again once this node has them', async () => {
    const { photos, read, store, handOver } = await fixture()
    const { photoId } = await photos.upload(bodyOf(noiseBytes(4, 700)), {})
    const needle = store.needles.find(({ identity }) => identity.kind === 'data')
    handOver()
    await read(photoId)
    await read(photoId)
    expect(photos.openHot(photoId)?.source).toBe('cache')
    await store.append([{ header: needle?.header as never, data: needle?.data as never }], 'upkeep')
    expect(photos.openHot(photoId)).toBeUndefined()
    expect((await read(photoId)).source).toBe('local')
  })
})

describe('what must not be answered', () => {
  test('deleted bytes: they are dropped at once, and an undelete asks anew', async () => {
    const { photos, read, handOver } = await fixture()
    const { photoId } = await photos.upload(bodyOf(noiseBytes(1, 700)), {})
    handOver()
    await read(photoId)
    await read(photoId)
    await photos.remove(photoId)
    expect(photos.openHot(photoId)).toBeUndefined()
    expect(photos.cacheStats()).toMatchObject({ items: 0, bytes: 0 })
    await expect(read(photoId)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
  })

  test('a record that has changed: its head is new although the bytes are the same', async () => {
    const { photos, read, handOver } = await fixture()
    const { photoId } = await photos.upload(bodyOf(noiseBytes(1, 700)), { filename: 'old.jpg' })
    handOver()
    await read(photoId)
    await read(photoId)
    expect(photos.openHot(photoId)?.head.name).toBe('old.jpg')
    await photos.patch(photoId, { name: 'new.jpg' })
    expect(photos.openHot(photoId)).toBeUndefined()
    expect((await photos.open(photoId, 'orig')).head.name).toBe('new.jpg')
  })

  test('bytes without the right cookie', async () => {
    const { photos, read, handOver } = await fixture(1 << 20, { requireCookie: true })
    const { photoId, cookie } = await photos.upload(bodyOf(noiseBytes(1, 700)), {})
    handOver()
    await read(photoId, 'orig', cookie)
    expect((await read(photoId, 'orig', cookie)).source).toBe('cache')
    expect(photos.openHot(photoId)).toBeUndefined()
    await expect(read(photoId)).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
    await expect(read(photoId, 'orig', '0'.repeat(32) as Cookie)).rejects.toMatchObject({ code: 'ERR_PHOTO_NOT_FOUND' })
  })

  test('bytes that are no longer those of the record', async () => {
    const { cache } = await fixture()
    const blob = { id: 'p' as PhotoId, generation: 1, part: 'thumb', size: 3, sha256: 'a', chunkBytes: 0 } as const
    cache.keep(blob, 0, Buffer.from('abc'))
    expect(cache.has(blob, 0)).toBe(true)
    expect(cache.has({ ...blob, generation: 2 }, 0)).toBe(false)
    expect(cache.has({ ...blob, sha256: 'b' }, 0)).toBe(false)
    expect(cache.has({ ...blob, part: 'small' }, 0)).toBe(false)
    expect(cache.has(blob, 1)).toBe(false)
  })
})

describe('bounds', () => {
  test('bytes: what was not read for longest goes first, and what is too large is never kept', async () => {
    const { photos, read, handOver } = await fixture(4_000)
    const ids: PhotoId[] = []
    for (let i = 0; i < 6; i++) ids.push((await photos.upload(bodyOf(noiseBytes(i, 900)), {})).photoId)
    const { photoId: large } = await photos.upload(bodyOf(noiseBytes(9, 1_001)), {})
    handOver()
    for (const id of [...ids, large]) await read(id)
    expect(photos.cacheStats()).toMatchObject({ items: 4, bytes: 3_600 })
    expect((await read(ids[5] as PhotoId)).source).toBe('cache')
    expect((await read(ids[0] as PhotoId)).source).toBe('peer')
    expect((await read(large)).source).toBe('peer')
  })

  test('time: also a hot photo is asked for again', async () => {
    const { photos, read, handOver, clock } = await fixture()
    const { photoId } = await photos.upload(bodyOf(noiseBytes(1, 700)), {})
    handOver()
    await read(photoId)
    await read(photoId)
    await clock.advance(TTL_MS - 1)
    expect(photos.openHot(photoId)?.source).toBe('cache')
    await clock.advance(2)
    expect(photos.openHot(photoId)).toBeUndefined()
    expect(photos.cacheStats().items).toBe(0)
    expect((await read(photoId)).source).toBe('peer')
  })

  test('what arrives slowly: beyond a share of the memory it is passed on, but not kept', async () => {
    const { store, clock } = await photosFixture()
    const cache = new PhotoCache({ store, clock }, { bytesMax: 4_000, ttlMs: TTL_MS })
    const blob = (id: string) =>
      ({ id: id as PhotoId, generation: 1, part: 'orig', size: 600, sha256: id, chunkBytes: 0 }) as const
    const pieces = async function* () {
      yield Buffer.alloc(300)
      yield Buffer.alloc(300)
    }
    const [first, second] = ['a', 'b'].map(id => cache.keeping(blob(id), 0, 600, pieces()))
    await first?.next()
    await second?.next()
    for await (const _ of second ?? []);
    for await (const _ of first ?? []);
    expect([cache.has(blob('a'), 0), cache.has(blob('b'), 0)]).toEqual([true, false])
    for await (const _ of cache.keeping(blob('b'), 0, 600, pieces()));
    expect(cache.has(blob('b'), 0)).toBe(true)
  })

  test('none at all when it is off', async () => {
    const { photos, read, handOver } = await fixture(0)
    const { photoId } = await photos.upload(bodyOf(noiseBytes(1, 700)), {})
    handOver()
    await read(photoId)
    expect((await read(photoId)).source).toBe('peer')
    expect(photos.cacheStats()).toMatchObject({ items: 0, bytes: 0, hits: 0, misses: 2 })
  })
})
