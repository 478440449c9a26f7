import { expect, test } from 'vitest'
import { headChange, imageChange } from '../../../src/domain/findings.js'
import { addVariantChange, PHOTO_KIND, viewPhoto } from '../../../src/domain/photo.js'
import { SIZE_NAMES, sizeState } from '../../../src/domain/size-states.js'
import { tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, photosFixture } from '../photos/photos-fixture.js'

const VARIANT = { recipe: 'test', sha256: 'ab'.repeat(32), size: 3, contentType: 'image/jpeg', chunkBytes: 0 }
const look = (state: 'whole' | 'poster' | 'none', error?: string, wants?: string) =>
  imageChange({ state, error, wants, reader: 3, decoder: 'test' })

test('sizes are what is made of a photo, and not the photo itself', () => {
  expect(SIZE_NAMES).toEqual(['large', 'small', 'thumb'])
})

test.each([
  ['of a photo that nobody has looked at', 'a.jpg', [headChange(1, 'jpeg')], 'pending', 'pending'],
  ['of a small picture, which stands in for it', 'a.jpg', [look('whole')], 'ready', 'ready'],
  ['of a video, one of which was made', 'a.mp4', [look('poster'), addVariantChange('thumb', VARIANT)], 'ready', 'none'],
  ['for lack of a tool', 'a.mp4', [look('none', 'ERR_IMAGE_UNREADABLE', 'ffmpeg')], 'none', 'none'],
  ['of a picture that cannot be decoded', 'a.jpg', [look('none', 'ERR_IMAGE_TOO_LARGE')], 'failed', 'failed'],
  ['of a text', 'a.txt', [], 'none', 'none'],
  ['that a client made for a text', 'a.txt', [addVariantChange('thumb', VARIANT)], 'ready', 'none']
] as const)('the sizes %s', async (_, filename, changes, thumb, large) => {
  const { photos, components, directory } = await photosFixture()
  const bytes = filename.endsWith('jpg') ? tinyJpeg(1) : Buffer.from('words')
  const { photoId } = await photos.upload(bodyOf(bytes), { filename })
  await components.writer.edit(photoId, () => ({ changes: [...changes] }))
  const stored = directory.getSync({ kind: PHOTO_KIND, id: photoId })
  const photo = stored && viewPhoto(stored.record)
  expect([photo && sizeState(photo, 'thumb'), photo && sizeState(photo, 'large')]).toEqual([thumb, large])
  await directory.stop()
})
