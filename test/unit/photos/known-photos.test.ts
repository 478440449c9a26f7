import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, photosFixture } from './photos-fixture.js'

const digestOf = (seed: number): string => createHash('sha256').update(tinyJpeg(seed)).digest('hex')

test('of the originals that are asked for, live and deleted ones are known', async () => {
  const { photos } = await photosFixture()
  const upload = async (seed: number) => (await photos.upload(bodyOf(tinyJpeg(seed)), {})).photoId
  const [live, trashed] = [await upload(1), await upload(2)]
  await photos.remove(trashed)
  const known = await photos.known([1, 2, 3, 1].map(digestOf))
  expect([...known]).toEqual([
    [digestOf(1), { photoId: live, state: 'live' }],
    [digestOf(2), { photoId: trashed, state: 'trashed' }]
  ])
  const again = await upload(2)
  expect([...(await photos.known([digestOf(2)]))]).toEqual([[digestOf(2), { photoId: again, state: 'live' }]])
})

test('a thousand can be asked for at once', async () => {
  const { photos } = await photosFixture()
  const digests = Array.from({ length: 1_001 }, (_, i) => i.toString(16).padStart(64, '0'))
  await expect(photos.known(digests)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  expect((await photos.known(digests.slice(1))).size).toBe(0)
  await expect(photos.known(digests.slice(1), AbortSignal.abort(new Error('left')))).rejects.toThrow('left')
})
