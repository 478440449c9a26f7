import { expect, test } from 'vitest'
import { headChange } from '../../../src/domain/findings.js'
import { ALONE, isSamePair, pairChange, pairOf, pairsAmong } from '../../../src/domain/pairs.js'
import { type NewPhoto, type Photo, viewPhoto } from '../../../src/domain/photo.js'
import { mediaChange, mediaOf } from '../../../src/domain/photo-facts.js'
import type { Change } from '../../../src/domain/record.js'
import { readTile, tileOf } from '../../../src/domain/tile.js'
import { motionOf, traitsOf } from '../../../src/domain/traits.js'
import { mapOf } from '../../../src/domain/value-fields.js'
import { PhotoWriter } from '../directory/photo-log.js'

const writer = new PhotoWriter()
const MOTION = { at: 100, length: 50, contentType: 'video/mp4' } as const

function photoWith(changes: readonly Change[], fields: Partial<NewPhoto> = {}): Photo {
  const { id } = writer.birth({ contentType: 'image/jpeg', size: 150, ...fields })
  return viewPhoto(changes.length === 0 ? writer.require(id) : writer.write({ kind: 'photo', id }, changes))
}

function flagsOf(photo: Photo): number {
  const tile = tileOf(photo)
  return (tile && readTile(tile)?.flags) ?? 0
}

test('a picture with a movie in its file is one in motion, in lists and in the time line', () => {
  const [still, moving] = [photoWith([]), photoWith([mediaChange({ motion: MOTION })])]
  expect(mediaOf(moving.record).motion).toEqual(MOTION)
  expect([still, moving].map(traitsOf)).toEqual([[], ['motion']])
  expect(flagsOf(moving) - flagsOf(still)).toBe(64)
})

test('a movie that does not fit into the file is none', () => {
  expect(motionOf(photoWith([mediaChange({ motion: MOTION })], { size: 150 }))).toEqual(MOTION)
  expect(motionOf(photoWith([mediaChange({ motion: MOTION })], { size: 149 }))).toBeUndefined()
})

test.each([
  { motion_at: 0 },
  { motion_at: -1 },
  { motion_at: 1.5 },
  { motion_at: 2 ** 53 },
  { motion_at: '100' },
  { motion_bytes: 0 },
  { motion_bytes: -50 },
  { motion_bytes: 2 ** 53 },
  { motion_type: 'text/html' },
  { motion_type: 1 }
])('what another node says of a movie and is none: %j', wrong => {
  const value = mapOf({ motion_at: 100, motion_bytes: 50, motion_type: 'video/mp4', ...wrong })
  const photo = photoWith([{ kind: 'add', field: 'facts', key: 'media', value }])
  expect(motionOf(photo)).toBeUndefined()
  expect(mediaOf(photo.record).motion).toBeUndefined()
})

test('a picture with a movie beside it is live, one with a RAW file is not', () => {
  const other = writer.newId()
  const alone = photoWith([pairChange(ALONE)])
  const live = photoWith([pairChange({ of: undefined, parts: [other], isLive: true })])
  const withRaw = photoWith([pairChange({ of: undefined, parts: [other] })])
  expect([alone, live, withRaw].map(traitsOf)).toEqual([[], ['live'], []])
  expect(flagsOf(live) - flagsOf(alone)).toBe(128)
  expect(traitsOf(photoWith([pairChange({ of: other, parts: [] })]))).toEqual([])
})

test('it is a movie among the parts that makes a pair live', () => {
  const liveId = mediaChange({ liveId: 'A' })
  const still = photoWith([liveId])
  const [movie, raw] = ['video/quicktime', 'image/tiff'].map(contentType => photoWith([liveId], { contentType }))
  const rawLook = writer.write({ kind: 'photo', id: raw!.id }, [headChange(3, 'dng')])
  const live = pairsAmong([still, movie!]).get(still.id)
  expect(live).toEqual({ of: undefined, parts: [movie!.id], isLive: true })
  expect(pairsAmong([still, viewPhoto(rawLook)]).get(still.id)).toEqual({ of: undefined, parts: [raw!.id] })
  const written = photoWith([pairChange(live!)])
  expect(isSamePair(pairOf(written.record), live!)).toBe(true)
  expect(isSamePair(pairOf(written.record), { of: undefined, parts: [movie!.id] })).toBe(false)
})
