import { beforeEach, describe, expect, test } from 'vitest'
import type { PhotoId, UserId } from '../../../src/domain/ids.js'
import type { Quota } from '../../../src/domain/user.js'
import type { Body } from '../../../src/photos/photo-types.js'
import { Quotas } from '../../../src/photos/quotas.js'
import { deferred } from '../../support/deferred.js'
import { CHUNK_BYTES, type PhotosFixture, photosFixture } from './photos-fixture.js'

const ANNA = '01890000-0000-7000-8000-000000000001' as UserId
const BEN = '01890000-0000-7000-8000-000000000002' as UserId
const EXCEEDED = expect.objectContaining({ code: 'ERR_QUOTA_EXCEEDED' })

let quota: Quota
let fixture: PhotosFixture

beforeEach(async () => {
  quota = { bytes: undefined, photos: undefined }
  const quotas: Quotas = new Quotas({
    directory: { usageOf: owner => fixture.directory.usageOf(owner) },
    quotaOf: () => quota
  })
  fixture = await photosFixture({}, { quotas })
})

async function* bodyOf(bytes: number): Body {
  yield new Uint8Array(bytes).fill(1)
}

async function upload(bytes: number, owner: UserId | 'nobody' = ANNA): Promise<PhotoId> {
  return (await fixture.photos.upload(bodyOf(bytes), owner === 'nobody' ? {} : { owner })).photoId
}

const usage = () => fixture.directory.usageOf(ANNA)

describe('an upload', () => {
  test('counts for its owner until the trash is emptied of it', async () => {
    const id = await upload(100)
    await upload(7)
    await upload(1_000, BEN)
    await upload(5_000, 'nobody')
    expect(usage()).toEqual({ bytes: 107, photos: 2 })
    await fixture.photos.remove(id)
    expect(usage()).toEqual({ bytes: 107, photos: 2 })
    await fixture.photos.batchPurge([id])
    expect(usage()).toEqual({ bytes: 7, photos: 1 })
    await fixture.photos.undelete(id)
    expect(usage()).toEqual({ bytes: 107, photos: 2 })
  })

  test('fits up to the last byte, and the one after that says what is used', async () => {
    quota = { bytes: 100, photos: undefined }
    await upload(60)
    await expect(upload(41)).rejects.toMatchObject({
      code: 'ERR_QUOTA_EXCEEDED',
      details: { used_bytes: 60, used_photos: 1, quota_bytes: 100, quota_photos: null }
    })
    await upload(40)
    await expect(upload(1)).rejects.toEqual(EXCEEDED)
    await upload(1, 'nobody')
    expect(usage()).toEqual({ bytes: 100, photos: 2 })
  })

  test('is one photo more', async () => {
    quota = { bytes: undefined, photos: 1 }
    await upload(1)
    await expect(upload(1)).rejects.toEqual(EXCEEDED)
  })

  test('of which the length is declared is refused before any of it is read', async () => {
    quota = { bytes: 10, photos: undefined }
    const body: Body = {
      [Symbol.asyncIterator]: () => {
        throw new Error('the body was read')
      }
    }
    await expect(fixture.photos.upload(body, { owner: ANNA, declaredBytes: 11 })).rejects.toEqual(EXCEEDED)
  })

  test('of unknown length leaves no more than its first chunks', async () => {
    quota = { bytes: 2 * CHUNK_BYTES, photos: undefined }
    await expect(upload(20 * CHUNK_BYTES)).rejects.toEqual(EXCEEDED)
    expect(fixture.store.needles.length).toBeLessThanOrEqual(2)
    expect(usage()).toEqual({ bytes: 0, photos: 0 })
  })

  test('that comes beside another one finds that one’s room taken, and free again when it fails', async () => {
    quota = { bytes: 100, photos: undefined }
    const rest = deferred<void>()
    const slow = async function* (): Body {
      await rest.promise
      yield new Uint8Array(10)
    }
    const first = fixture.photos.upload(slow(), { owner: ANNA, declaredBytes: 90 })
    await expect(upload(11)).rejects.toEqual(EXCEEDED)
    await upload(100, 'nobody')
    rest.resolve()
    await expect(first).rejects.toMatchObject({ code: 'ERR_TRUNCATED_BODY' })
    await upload(100)
  })

  test('that is sent again under its key is the one of before, whatever the quota is', async () => {
    const send = () => fixture.photos.upload(bodyOf(10), { owner: ANNA, idempotencyKey: 'a' })
    const { photoId } = await send()
    quota = { bytes: 0, photos: 0 }
    expect((await send()).photoId).toBe(photoId)
  })
})
