import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ROLES } from '../../../src/domain/access.js'
import type { ModelId } from '../../../src/domain/features.js'
import type { LinkId, PhotoId, UserId } from '../../../src/domain/ids.js'
import { OPENED_LINKS_MAX } from '../../../src/domain/limits.js'
import { encodeMessage } from '../../../src/network/rpc/message.js'
import { decodeAnswer, decodeSearch, encodeAnswer, encodeSearch } from '../../../src/search/search-messages.js'
import { NEIGHBORS_MAX } from '../../../src/similarity/index/vector-index.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { MODEL, randomPhotoId, unitVector } from '../../support/vector-maker.js'

const ANNA = '01890000-0000-7000-8000-000000000001' as UserId
/** As many as a browser has open. */
const LINKS = Array.from({ length: OPENED_LINKS_MAX }, (_, i) => ({
  id: `01890000-0000-7000-8000-00000000000${i}` as LinkId,
  proof: i === 0 ? '' : 'p'.repeat(16)
}))
const VECTOR = unitVector(new SeededRandom(1), 16)
const PROTOCOL = expect.objectContaining({ code: 'ERR_PEER_PROTOCOL' })
const bytesOf = (vector: Float32Array): Uint8Array =>
  new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)

describe('a search', () => {
  test('survives encoding and decoding', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 4096 }),
        fc.integer({ min: 1, max: NEIGHBORS_MAX }),
        fc.constantFrom('image' as const, 'text' as const),
        (seed, dimension, k, space) => {
          const query = { model: MODEL, space, vector: unitVector(new SeededRandom(seed), dimension) }
          expect(decodeSearch(encodeSearch(query, k))).toEqual({ query, k })
        }
      ),
      { numRuns: 30 }
    )
  })

  test.each([
    'public' as const,
    ...ROLES.map(role => ({ userId: ANNA, role })),
    { links: LINKS.slice(0, 1) },
    { links: LINKS }
  ])('says for whom it is: %o', onlooker => {
    const query = { model: MODEL, space: 'image' as const, vector: VECTOR, onlooker }
    expect(decodeSearch(encodeSearch(query, 5)).query).toEqual(query)
  })

  const fields = { model: Buffer.from(MODEL, 'hex'), space: 'image', vector: bytesOf(VECTOR), k: 5 }

  test.each([
    ['another model id', { model: Buffer.from(MODEL.slice(2) as ModelId, 'hex') }],
    ['another space', { space: 'sound' }],
    ['no vector', { vector: new Uint8Array() }],
    ['half a number', { vector: bytesOf(VECTOR).subarray(1) }],
    ['a vector that is not of unit length', { vector: bytesOf(VECTOR.map(x => x * 2)) }],
    ['a vector of more than can be', { vector: bytesOf(unitVector(new SeededRandom(1), 4097)) }],
    ['NaN', { vector: bytesOf(VECTOR.map((x, i) => (i === 3 ? Number.NaN : x))) }],
    ['infinity', { vector: bytesOf(VECTOR.map((x, i) => (i === 3 ? Number.POSITIVE_INFINITY : x))) }],
    ['somebody whom this version does not know', { viewer: 'link 7' }],
    ['a link that is none', { viewer: 'links 7' }],
    ['somebody of another role', { viewer: `${ANNA} king` }],
    ['somebody without a role', { viewer: ANNA }],
    ['more than somebody', { viewer: `${ANNA} user user` }],
    ['too long a name of somebody', { viewer: 'p'.repeat(513) }],
    ['no name of somebody', { viewer: 7 }],
    ['no neighbors', { k: 0 }],
    ['too many neighbors', { k: NEIGHBORS_MAX + 1 }],
    ['half a neighbor', { k: 1.5 }]
  ])('with %s is refused', (_what, change) => {
    expect(decodeSearch(encodeMessage(fields)).k).toBe(5)
    expect(() => decodeSearch(encodeMessage({ ...fields, ...change }))).toThrow(PROTOCOL)
  })
})

describe('an answer', () => {
  const answer = (count: number, seed = 1): { shards: Set<number>; neighbors: { id: PhotoId; score: number }[] } => {
    const random = new SeededRandom(seed)
    return {
      shards: new Set([0, 7, 8, 33, 63].filter(() => random.chance(0.5))),
      neighbors: Array.from({ length: count }, () => ({
        id: randomPhotoId(random),
        score: Math.fround(2 * random.fraction() - 1)
      }))
    }
  }

  test('survives encoding and decoding', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 50 }), (seed, count) => {
        expect(decodeAnswer(encodeAnswer(answer(count, seed)), 50)).toEqual(answer(count, seed))
      })
    )
  })

  test('says whether it is among what somebody sees', () => {
    const limited = { ...answer(3), isLimited: true as const }
    expect(decodeAnswer(encodeAnswer(limited), 3)).toEqual(limited)
    expect(decodeAnswer(encodeMessage({ ...fields, limited: 0 }), 2)).not.toHaveProperty('isLimited')
  })

  const ids = Buffer.alloc(32)
  const scores = bytesOf(Float32Array.of(0.5, 0.25))
  const fields = { shards: new Uint8Array(8), ids, scores }

  test.each([
    ['seven bytes of shards', { shards: new Uint8Array(7) }],
    ['an id too few', { ids: ids.subarray(16) }],
    ['a score too few', { scores: scores.subarray(4) }],
    ['a score above 1', { scores: bytesOf(Float32Array.of(1.5, 0)) }],
    ['a score that is no number', { scores: bytesOf(Float32Array.of(Number.NaN, 0)) }],
    ['more than one limit', { limited: 2 }],
    ['more than was asked for', { ids: Buffer.alloc(48), scores: bytesOf(Float32Array.of(0, 0, 0)) }]
  ])('with %s is refused', (_what, change) => {
    expect(decodeAnswer(encodeMessage(fields), 2).neighbors).toHaveLength(2)
    expect(() => decodeAnswer(encodeMessage({ ...fields, ...change }), 2)).toThrow(PROTOCOL)
  })
})
