import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../../src/domain/ids.js'
import {
  ALL_SHARDS,
  decodeShards,
  encodeShards,
  SHARD_COUNT,
  shardOf,
  shardOwners
} from '../../../src/domain/shards.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { randomPhotoId } from '../../support/vector-maker.js'

const nodes = (count: number): NodeId[] => Array.from({ length: count }, (_, i) => `node-${i}` as NodeId)

describe('shards', () => {
  test('ids are spread over all of them evenly', () => {
    const random = new SeededRandom(1)
    const counts = new Map<number, number>()
    for (let i = 0; i < 6_400; i++) {
      const shard = shardOf(randomPhotoId(random))
      counts.set(shard, (counts.get(shard) ?? 0) + 1)
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([...ALL_SHARDS])
    for (const count of counts.values()) expect(count).toBeGreaterThan(50)
  })

  test('the shard of an id never changes: nodes of all versions must agree', () => {
    expect(shardOf('01890000-0000-7000-8000-000000000000' as never)).toBe(46)
  })

  test('a set of them is encoded in eight bytes and decoded', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: SHARD_COUNT - 1 })), shards => {
        const bytes = encodeShards(shards)
        expect(bytes).toHaveLength(8)
        expect(decodeShards(bytes)).toEqual(new Set(shards.sort((a, b) => a - b)))
      })
    )
    expect(Buffer.from(encodeShards([0, 9, 63])).toString('hex')).toBe('0102000000000080')
  })
})

describe('owners', () => {
  test('are two, whatever order the members come in, and fewer where there are fewer', () => {
    for (const shard of ALL_SHARDS) {
      expect(shardOwners(shard, nodes(5))).toHaveLength(2)
      expect(shardOwners(shard, nodes(5).reverse())).toEqual(shardOwners(shard, nodes(5)))
      expect(shardOwners(shard, nodes(1))).toEqual(nodes(1))
      expect(shardOwners(shard, [])).toEqual([])
    }
  })

  test('share the shards fairly', () => {
    for (const member of nodes(4)) {
      const owned = [...ALL_SHARDS].filter(shard => shardOwners(shard, nodes(4)).includes(member))
      expect(owned.length).toBeGreaterThan(18)
      expect(owned.length).toBeLessThan(46)
    }
  })

  test('of a shard stay when another member leaves', () => {
    for (const shard of ALL_SHARDS) {
      const before = shardOwners(shard, nodes(5))
      for (const gone of nodes(5)) {
        const after = shardOwners(
          shard,
          nodes(5).filter(node => node !== gone)
        )
        for (const owner of before) if (owner !== gone) expect(after).toContain(owner)
      }
    }
  })
})
