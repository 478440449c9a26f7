import { expect, test } from 'vitest'
import { type Appearance, areNear, linkTier, type Shot } from '../../../src/domain/likeness.js'

const HASH = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)
const flipped = (bits: number, hash = HASH): Uint8Array => {
  const copy = Uint8Array.from(hash)
  for (let i = 0; i < bits; i++) copy[i >> 3] = (copy[i >> 3] ?? 0) ^ (1 << (i & 7))
  return copy
}
const seen = (phash: Uint8Array | undefined, shot?: Shot): Appearance => ({ phash, shot })

test.each([
  [0.599, HASH, HASH, undefined],
  [0.6, HASH, HASH, 'near'],
  [0.6, HASH, flipped(10), 'near'],
  [0.749, HASH, flipped(11), undefined],
  [0.75, HASH, flipped(11), 'similar'],
  [1, HASH, flipped(64), 'similar']
] as const)('a score of %d with the hashes %j and %j is %s', (score, a, b, tier) => {
  expect(linkTier(score, seen(a), seen(b))).toBe(tier)
  expect(linkTier(score, seen(b), seen(a))).toBe(tier)
})

// versions of before wrote hashes of flat pictures, with no bit set or a few
const NOTHINGS = [undefined, new Uint8Array(8), flipped(1, new Uint8Array(8)), flipped(10, new Uint8Array(8))]

test.each(NOTHINGS)('a hash with nothing in it, as %j, is no evidence', nothing => {
  for (const other of [...NOTHINGS, HASH]) {
    expect(linkTier(1, seen(nothing), seen(other))).toBe(undefined)
    expect(linkTier(1, seen(other), seen(nothing))).toBe(undefined)
    expect(areNear(seen(nothing), seen(other))).toBe(false)
  }
})

const RAW: Shot = { localMs: 5_000, camera: 'NIKON Z 6', isRaw: true }
const JPEG: Shot = { ...RAW, isRaw: false }

test.each([
  ['the picture that the camera made of it', JPEG, undefined],
  ['one whose date has a fraction of a second', { ...JPEG, localMs: 5_990 }, undefined],
  ['the picture of another shot', { ...JPEG, localMs: 6_001 }, 'near'],
  ['the picture of another camera', { ...JPEG, camera: 'NIKON Z 7' }, 'near'],
  ['a copy of itself', RAW, 'near'],
  ['one of which no shot is known', undefined, 'near']
] as const)('a RAW file and %s', (_, shot, tier) => {
  expect(linkTier(0.9, seen(HASH, RAW), seen(HASH, shot))).toBe(tier)
  expect(linkTier(0.9, seen(HASH, shot), seen(HASH, RAW))).toBe(tier)
  expect(areNear(seen(HASH, RAW), seen(HASH, shot))).toBe(tier === 'near')
})
