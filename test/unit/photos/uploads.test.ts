import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import type { File } from '../../../src/core/file-system.js'
import type { ActorId, PhotoId } from '../../../src/domain/ids.js'
import { FLAG_CHUNK } from '../../../src/domain/needle.js'
import type { UploadOptions } from '../../../src/photos/photo-types.js'
import { UploadSpool } from '../../../src/photos/upload-spool.js'
import { noiseBytes, tinyJpeg } from '../../support/photo-maker.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'
import { bodyOf, CHUNK_BYTES, collect, Gate, photosFixture, TestBody } from './photos-fixture.js'

const MIB = 1 << 20

describe('upload', () => {
  test('stores a small photo as one data needle and one record needle in one append', async () => {
    const { photos, store, components } = await photosFixture()
    const bytes = tinyJpeg(7)
    const receipt = await photos.upload(bodyOf(bytes, 50), { filename: 'C:\\dir/My photo.jpg', tags: [' sea ', 'sea'] })
    expect(receipt).toEqual({
      photoId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      logicalVolume: components.logicalVolume(),
      cookie: expect.stringMatching(/^[0-9a-f]{32}$/),
      size: bytes.length,
      sha256: hash('sha256', bytes, 'hex'),
      contentType: 'image/jpeg',
      copies: 1
    })
    expect(store.groups.map(group => group.needles.map(needle => needle.kind))).toEqual([['data', 'record']])
    expect(store.purposes).toEqual(['upload'])
    for (const { header } of store.needles) expect(Buffer.from(header.cookie).toString('hex')).toBe(receipt.cookie)
    const { photo } = await photos.meta(receipt.photoId)
    expect(photo).toMatchObject({ name: 'My photo.jpg', tags: ['sea'], chunkBytes: 0, size: bytes.length })
    const content = await photos.open(receipt.photoId, 'orig')
    expect(await collect(content.stream(0, bytes.length))).toEqual(bytes)
  })

  test('a piece that holds the whole body is stored without a copy', async () => {
    const { photos, components } = await photosFixture()
    const bytes = Buffer.from('whole')
    const appended: Uint8Array[] = []
    const append = components.store.append.bind(components.store)
    components.store.append = (drafts, purpose) => {
      appended.push(...drafts.map(draft => draft.data))
      return append(drafts, purpose)
    }
    await photos.upload(new TestBody(bytes), { declaredBytes: bytes.length })
    expect(appended[0]?.buffer).toBe(bytes.buffer)
  })

  test('the same bytes twice are two photos', async () => {
    const { photos } = await photosFixture()
    const [a, b] = await Promise.all([
      photos.upload(bodyOf(Buffer.from('x')), {}),
      photos.upload(bodyOf(Buffer.from('x')), {})
    ])
    expect(a.photoId).not.toBe(b.photoId)
    expect(a.cookie).not.toBe(b.cookie)
  })

  test.each([1, 2, 3, 7])(
    '%i chunks and a bit become chunk needles, then the manifest, then the record',
    async chunkCount => {
      for (const extra of [0, 1, CHUNK_BYTES - 1]) {
        const { photos, store } = await photosFixture()
        const bytes = noiseBytes(chunkCount, chunkCount * CHUNK_BYTES + extra)
        const needles = Math.ceil(bytes.length / CHUNK_BYTES)
        for (const declaredBytes of [undefined, bytes.length]) {
          store.drop(() => true)
          const { photoId } = await photos.upload(bodyOf(bytes, 333), { declaredBytes })
          const { photo } = await photos.meta(photoId)
          expect(photo.chunkBytes).toBe(needles === 1 ? 0 : CHUNK_BYTES)
          expect(store.needles.map(({ identity, header }) => [identity.kind, identity.chunk, header.flags])).toEqual(
            needles === 1
              ? [
                  ['data', 0, 0],
                  ['record', 0, 0]
                ]
              : [
                  ...Array.from({ length: needles }, (_, chunk) => ['data', chunk, FLAG_CHUNK]),
                  ['manifest', 0, 0],
                  ['record', 0, 0]
                ]
          )
          const content = await photos.open(photoId, 'orig')
          expect(await collect(content.stream(0, bytes.length))).toEqual(bytes)
        }
      }
    }
  )

  test('the type of a chunked photo is detected from its first bytes, however they arrive', async () => {
    const { photos } = await photosFixture()
    const bytes = Buffer.concat([tinyJpeg(1), noiseBytes(2, 20 * CHUNK_BYTES)])
    for (const pieceBytes of [1, 300, CHUNK_BYTES, 5_000]) {
      expect((await photos.upload(bodyOf(bytes, pieceBytes), {})).contentType).toBe('image/jpeg')
    }
  })

  test('pieces larger than a chunk are cut as well', async () => {
    const { photos } = await photosFixture()
    const bytes = noiseBytes(3, 5 * CHUNK_BYTES + 5)
    const { photoId } = await photos.upload(
      new TestBody(bytes.subarray(0, 3000), new Uint8Array(0), bytes.subarray(3000)),
      {}
    )
    expect(await collect((await photos.open(photoId, 'orig')).stream(0, bytes.length))).toEqual(bytes)
  })

  test.each<[string, Uint8Array, UploadOptions, string]>([
    ['nothing', Buffer.alloc(0), {}, 'ERR_EMPTY_FILE'],
    ['nothing, as declared', Buffer.alloc(0), { declaredBytes: 0 }, 'ERR_EMPTY_FILE'],
    ['too much', Buffer.alloc(MIB + 1), {}, 'ERR_TOO_LARGE'],
    ['a declared length that is too large', Buffer.alloc(10), { declaredBytes: MIB + 1 }, 'ERR_TOO_LARGE'],
    ['less than declared', Buffer.alloc(10), { declaredBytes: 11 }, 'ERR_TRUNCATED_BODY'],
    ['more than declared', Buffer.alloc(10), { declaredBytes: 9 }, 'ERR_BAD_REQUEST'],
    ['more than the bound', Buffer.alloc(10), { atMostBytes: 9 }, 'ERR_BAD_REQUEST'],
    ['an empty tag', Buffer.alloc(10), { tags: [' '] }, 'ERR_BAD_PARAMETER'],
    ['a long album', Buffer.alloc(10), { albums: ['a'.repeat(101)] }, 'ERR_BAD_PARAMETER'],
    ['too many tags', Buffer.alloc(10), { tags: Array.from({ length: 501 }, String) }, 'ERR_BAD_PARAMETER'],
    ['an empty key', Buffer.alloc(10), { idempotencyKey: '' }, 'ERR_BAD_PARAMETER'],
    ['a key that is not ASCII', Buffer.alloc(10), { idempotencyKey: 'ü' }, 'ERR_BAD_PARAMETER'],
    ['a long key', Buffer.alloc(10), { idempotencyKey: 'k'.repeat(256) }, 'ERR_BAD_PARAMETER'],
    ['no copies', Buffer.alloc(10), { minCopies: 0 }, 'ERR_BAD_PARAMETER']
  ])('refuses %s and leaves no photo', async (_, bytes, options, code) => {
    const { photos, store } = await photosFixture()
    await expect(photos.upload(bodyOf(bytes), options)).rejects.toMatchObject({ code })
    expect(store.needles.filter(needle => needle.identity.kind !== 'data')).toEqual([])
    if (bytes.length <= CHUNK_BYTES) expect(store.needles).toEqual([])
    expect((await photos.list({})).total).toBe(0)
  })

  test('does not read a body that is declared too large, and stops reading one that becomes so', async () => {
    const { photos } = await photosFixture({ maxUploadBytes: 500 })
    const declared = bodyOf(Buffer.alloc(10_000), 100)
    await expect(photos.upload(declared, { declaredBytes: 10_000 })).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
    expect(declared.pulled).toBe(0)
    const growing = bodyOf(Buffer.alloc(10_000), 100)
    await expect(photos.upload(growing, {})).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
    expect(growing).toMatchObject({ pulled: 6, closed: true })
  })

  test('a body that fails midway leaves no photo, and its error is passed on', async () => {
    const { photos, store } = await photosFixture()
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(CHUNK_BYTES * 2 + 1)
      throw new SheafError('ERR_TRUNCATED_BODY')
    }
    await expect(photos.upload(failing(), {})).rejects.toMatchObject({ code: 'ERR_TRUNCATED_BODY' })
    expect(store.needles.map(needle => needle.identity.kind)).toEqual(['data', 'data'])
    expect((await photos.list({})).total).toBe(0)
  })

  test('a failing append of a chunk ends the upload, which stops reading', async () => {
    const { photos, store } = await photosFixture()
    store.failAppend = drafts => (drafts[0]?.header.chunk === 1 ? new SheafError('ERR_DISK_FULL') : undefined)
    const body = bodyOf(Buffer.alloc(100 * CHUNK_BYTES), CHUNK_BYTES)
    await expect(photos.upload(body, {})).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    expect(body.closed).toBe(true)
    expect(body.pulled).toBeLessThan(8)
    expect((await photos.list({})).total).toBe(0)
  })
})

describe('a failed write of anyone, which ends the epoch,', () => {
  test('ends chunked uploads in flight, but no small ones', async () => {
    const { photos, store } = await photosFixture()
    const gate = new Gate()
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield noiseBytes(1, 3 * CHUNK_BYTES)
      await gate.opened
      yield noiseBytes(2, 10)
    }
    const small = async function* (): AsyncGenerator<Uint8Array> {
      yield noiseBytes(1, 10)
      await gate.opened
    }
    const uploads = [photos.upload(body(), {}), photos.upload(small(), {})]
    await turns()
    store.epoch = 'f'.repeat(16) as ActorId
    gate.open()
    const [large, other] = await Promise.allSettled(uploads)
    expect(large).toMatchObject({ status: 'rejected', reason: { code: 'ERR_DISK_WRITE' } })
    expect(other).toMatchObject({ status: 'fulfilled' })
    expect(store.needles.filter(needle => needle.identity.kind === 'manifest')).toEqual([])
  })
})

describe('memory in flight', () => {
  test('an upload holds at most three chunks while the disk is stalled', async () => {
    const { photos, store } = await photosFixture()
    const gate = new Gate()
    store.beforeAppend = () => gate.opened
    const body = bodyOf(noiseBytes(1, 20 * CHUNK_BYTES), CHUNK_BYTES)
    const upload = photos.upload(body, {})
    await turns()
    // The fourth piece was pulled, but there is no buffer to put it into.
    expect(body.pulled).toBe(4)
    gate.open()
    await upload
  })

  test('a failed upload does not end before its chunks are released', async () => {
    const { photos, store } = await photosFixture({ uploadsInFlightBytesMax: 2 * CHUNK_BYTES })
    const gate = new Gate()
    store.beforeAppend = () => gate.opened
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(CHUNK_BYTES + 1)
      throw new SheafError('ERR_TRUNCATED_BODY')
    }
    let outcome: unknown = 'under way'
    const upload = photos.upload(broken(), {}).catch(err => {
      outcome = err.code
    })
    await turns()
    expect(outcome).toBe('under way')
    gate.open()
    await upload
    expect(outcome).toBe('ERR_TRUNCATED_BODY')
  })

  test('many large uploads at once finish although their buffers do not fit together', async () => {
    const { photos } = await photosFixture({ uploadsInFlightBytesMax: 2 * CHUNK_BYTES })
    const blobs = Array.from({ length: 8 }, (_, i) => noiseBytes(i, 9 * CHUNK_BYTES + i))
    const receipts = await Promise.all(blobs.map(blob => photos.upload(bodyOf(blob), {})))
    for (const [i, { sha256 }] of receipts.entries()) expect(sha256).toBe(hash('sha256', blobs[i] as Uint8Array, 'hex'))
  })

  test('slow uploads that hold all memory keep no other from ending: it goes through a file', async () => {
    const { photos, spoolDisk } = await photosFixture({ uploadsInFlightBytesMax: 2 * CHUNK_BYTES })
    const gate = new Gate()
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield noiseBytes(1, CHUNK_BYTES)
      await gate.opened
      yield noiseBytes(2, 10)
    }
    const slowOnes = [photos.upload(slow(), {}), photos.upload(slow(), {}), photos.upload(slow(), {})]
    await turns()
    for (const byteCount of [1, CHUNK_BYTES - 1, CHUNK_BYTES, 5 * CHUNK_BYTES + 17]) {
      const bytes = noiseBytes(3, byteCount)
      const { photoId, sha256, contentType } = await photos.upload(bodyOf(bytes, 300), { contentType: 'image/gif' })
      expect([sha256, contentType]).toEqual([hash('sha256', bytes, 'hex'), 'image/gif'])
      const content = await photos.open(photoId, 'orig')
      expect(await collect(content.stream(0, byteCount))).toEqual(bytes)
    }
    gate.open()
    const receipts = await Promise.all(slowOnes)
    expect(new Set(receipts.map(({ size }) => size))).toEqual(new Set([CHUNK_BYTES + 10]))
    expect(spoolDisk.folder('/data/uploads').names()).toEqual([])
  })

  test('any memory will do', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(4 * CHUNK_BYTES),
        fc.array(
          fc.record({
            byteCount: fc.integer({ min: 1, max: 6 * CHUNK_BYTES }),
            piece: fc.integer({ min: 1, max: 3_000 })
          }),
          {
            minLength: 1,
            maxLength: 5
          }
        ),
        fc.boolean(),
        async (uploadsInFlightBytesMax, blobs, isDeclared) => {
          const { photos, spoolDisk } = await photosFixture({ uploadsInFlightBytesMax }, {}, undefined, 1)
          const uploads = blobs.map(async ({ byteCount, piece }, i) => {
            const bytes = noiseBytes(i, byteCount)
            const options = isDeclared ? { declaredBytes: byteCount } : {}
            const { photoId } = await photos.upload(bodyOf(bytes, piece), options)
            const content = await photos.open(photoId, 'orig')
            expect(await collect(content.stream(0, byteCount))).toEqual(bytes)
          })
          await Promise.all(uploads)
          expect(spoolDisk.folder('/data/uploads').names()).toEqual([])
        }
      )
    )
  })

  test('an upload waits five seconds for a file, and is refused then', async () => {
    const { photos, clock } = await photosFixture({ uploadsInFlightBytesMax: 0 }, {}, undefined, 1)
    const gate = new Gate()
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield noiseBytes(1, 10)
      await gate.opened
    }
    const first = photos.upload(slow(), {})
    await turns()
    const second = photos.upload(bodyOf(noiseBytes(2, 10)), {}).catch(err => err.code)
    const third = clock.sleep(1).then(() => photos.upload(bodyOf(noiseBytes(3, 10)), {}))
    await clock.advance(5_000)
    expect(await second).toBe('ERR_OVERLOADED')
    gate.open()
    await first
    expect((await third).size).toBe(10)
    expect(clock.pending).toBe(0)
  })

  test.each([
    ['write', 2 ** 40, 'ERR_DISK_WRITE'],
    ['read', 2 ** 40, 'ERR_DISK_READ'],
    ['sync', 100, 'ERR_DISK_FULL']
  ] as const)(
    'a disk that fails to %s and has %i bytes ends the upload, which gives back what it held',
    async (operation, capacityBytes, code) => {
      const { photos, spoolDisk } = await photosFixture({ uploadsInFlightBytesMax: 0 }, {}, undefined, 1)
      spoolDisk.fail(operation)
      spoolDisk.capacityBytes = capacityBytes
      for (let i = 0; i < 3; i++)
        await expect(photos.upload(bodyOf(noiseBytes(1, 3_000)), {})).rejects.toMatchObject({ code })
      spoolDisk.heal()
      spoolDisk.capacityBytes = 2 ** 40
      expect((await photos.upload(bodyOf(noiseBytes(1, 3_000)), {})).size).toBe(3_000)
    }
  )

  test('what the disk changed meanwhile is not taken for the photo', async () => {
    const fileSystem = new SimulatedFileSystem(new SimulatedDisk({ folders: ['/data'] }))
    const spool = new UploadSpool(
      { fileSystem, clock: new SimulatedClock(), reserve: { admit: async () => {} } },
      { folder: '/data' }
    )
    await spool.start()
    let written: File | undefined
    const { open } = fileSystem
    fileSystem.open = async (path, mode) => {
      written = await open.call(fileSystem, path, mode)
      return written
    }
    const file = await spool.open(100)
    await file.append(noiseBytes(1, 60))
    await file.append(noiseBytes(2, 40))
    expect(await file.read()).toEqual(Buffer.concat([noiseBytes(1, 60), noiseBytes(2, 40)]))
    await written?.write([Uint8Array.of(1)], 70)
    await expect(file.read()).rejects.toMatchObject({ code: 'ERR_DISK_READ' })
    await file.close()
  })

  test('refused uploads release their memory', async () => {
    const { photos, store } = await photosFixture({ uploadsInFlightBytesMax: CHUNK_BYTES })
    store.failAppend = () => new SheafError('ERR_DISK_FULL')
    for (let i = 0; i < 3; i++) {
      await expect(photos.upload(bodyOf(Buffer.alloc(3_000)), {})).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
      await expect(photos.upload(bodyOf(Buffer.alloc(0)), {})).rejects.toMatchObject({ code: 'ERR_EMPTY_FILE' })
    }
    store.failAppend = () => undefined
    await photos.upload(bodyOf(Buffer.alloc(3_000)), {})
  })
})

describe('Idempotency-Key', () => {
  const options = { idempotencyKey: 'key 1' }

  test('the same key and bytes return the first receipt and write nothing', async () => {
    const { photos, store } = await photosFixture()
    const bytes = noiseBytes(1, 5_000)
    const first = await photos.upload(bodyOf(bytes), options)
    const needleCount = store.needles.length
    expect(await photos.upload(bodyOf(bytes, 77), { ...options, declaredBytes: bytes.length })).toEqual(first)
    expect(store.needles).toHaveLength(needleCount)
  })

  test('other bytes are refused, another key is another photo', async () => {
    const { photos } = await photosFixture()
    const first = await photos.upload(bodyOf(Buffer.from('a')), options)
    await expect(photos.upload(bodyOf(Buffer.from('b')), options)).rejects.toMatchObject({
      code: 'ERR_IDEMPOTENCY_MISMATCH'
    })
    await expect(photos.upload(bodyOf(Buffer.alloc(0)), options)).rejects.toMatchObject({ code: 'ERR_EMPTY_FILE' })
    const other = await photos.upload(bodyOf(Buffer.from('a')), { idempotencyKey: 'key 2' })
    expect(other.photoId).not.toBe(first.photoId)
    expect((await photos.list({})).total).toBe(2)
  })

  test('two at once make one photo', async () => {
    const { photos } = await photosFixture()
    const both = [photos.upload(bodyOf(Buffer.from('a')), options), photos.upload(bodyOf(Buffer.from('a')), options)]
    const [first, second] = await Promise.all(both)
    expect(second).toEqual(first)
    expect((await photos.list({})).total).toBe(1)
  })

  test('holds for 24 hours', async () => {
    const { photos, clock } = await photosFixture()
    const first = await photos.upload(bodyOf(Buffer.from('a')), options)
    await clock.advance(24 * 3_600_000)
    expect(await photos.upload(bodyOf(Buffer.from('a')), options)).toEqual(first)
    await clock.advance(1)
    const later = await photos.upload(bodyOf(Buffer.from('a')), options)
    expect(later.photoId).not.toBe(first.photoId)
  })

  test('a failed upload does not use the key up', async () => {
    const { photos, store } = await photosFixture()
    store.failAppend = () => new SheafError('ERR_DISK_WRITE')
    await expect(photos.upload(bodyOf(Buffer.from('a')), options)).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
    store.failAppend = () => undefined
    await photos.upload(bodyOf(Buffer.from('b')), options)
  })
})

describe('min_copies', () => {
  test('too few copies are an error that names the photo, which is kept', async () => {
    const { photos } = await photosFixture({ minCopies: 2 })
    const error = await photos.upload(bodyOf(Buffer.from('a')), { idempotencyKey: 'k' }).catch(err => err)
    expect(error).toMatchObject({ code: 'ERR_TOO_FEW_COPIES', details: { photo_id: expect.any(String), copies: 1 } })
    const { photos: listed } = await photos.list({})
    expect(listed.map(({ photo }) => photo.id)).toEqual([error.details.photo_id])
    const receipt = await photos.upload(bodyOf(Buffer.from('a')), { idempotencyKey: 'k', minCopies: 1 })
    expect(receipt.photoId).toBe(error.details.photo_id)
  })

  test('the receipt says how many nodes have it', async () => {
    const copies = { of: () => 4, waitFor: async (_: PhotoId, wanted: number) => wanted + 1 }
    const { photos } = await photosFixture({}, { copies })
    expect((await photos.upload(bodyOf(Buffer.from('a')), { minCopies: 2 })).copies).toBe(3)
  })

  test('receipts, metadata and lists say the same, also of an upload that is sent again', async () => {
    let copies = 1
    const { photos } = await photosFixture({}, { copies: { of: () => copies, waitFor: async () => copies } })
    const send = () => photos.upload(bodyOf(Buffer.from('a')), { idempotencyKey: 'k' })
    const { photoId } = await send()
    copies = 3
    expect((await send()).copies).toBe(3)
    expect((await photos.meta(photoId)).copies).toBe(3)
    expect((await photos.list({})).photos.map(photo => photo.copies)).toEqual([3])
  })
})

/** Runs everything that does not wait for the test. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
}
