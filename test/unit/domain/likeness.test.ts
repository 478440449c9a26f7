import { expect, test } from 'vitest'
import { linkTier } from '../../../src/domain/likeness.js'

const HASH = Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0)
const flipped = (bits: number): Uint8Array => {
  const hash = Uint8Array.from(HASH)
  for (let i = 0; i < bits; i++) hash[i >> 3] = (hash[i >> 3] ?? 0) ^ (1 << (i & 7))
  return hash
}

test.each([
  [0.599, HASH, HASH, undefined],
  [0.6, HASH, HASH, 'near'],
  [0.6, HASH, flipped(10), 'near'],
  [0.749, HASH, flipped(11), undefined],
  [0.75, HASH, flipped(11), 'similar'],
  [1, HASH, flipped(64), 'similar'],
  [0.8, undefined, HASH, 'similar'],
  [1, undefined, undefined, 'similar']
] as const)('a score of %d with the hashes %j and %j is %s', (score, a, b, tier) => {
  expect(linkTier(score, a, b)).toBe(tier)
  expect(linkTier(score, b, a)).toBe(tier)
})
