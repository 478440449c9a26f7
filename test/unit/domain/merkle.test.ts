import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bucketOf,
  DIGEST_BYTES,
  leafDigest,
  MERKLE_BUCKETS,
  MERKLE_FANOUT,
  MerkleTree
} from '../../../src/domain/merkle.js'
import { bytesArb } from '../../support/domain-arbitraries.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

const leavesArb = fc.array(fc.tuple(fc.nat({ max: MERKLE_BUCKETS - 1 }), bytesArb(DIGEST_BYTES)), { maxLength: 12 })

function xor(digests: readonly Uint8Array[]): Uint8Array {
  const sum = new Uint8Array(DIGEST_BYTES)
  for (const digest of digests) {
    for (let index = 0; index < DIGEST_BYTES; index++) sum[index]! ^= digest[index]!
  }
  return sum
}

describe('MerkleTree', () => {
  it('holds in each node the sum of its children, and in a bucket the sum of its leaves', () => {
    fc.assert(
      fc.property(leavesArb, leaves => {
        const tree = new MerkleTree()
        for (const [bucket, leaf] of leaves) tree.toggle(bucket, leaf)
        for (const [bucket] of leaves) {
          expect(tree.bucket(bucket)).toEqual(xor(leaves.filter(([other]) => other === bucket).map(([, leaf]) => leaf)))
          for (let level = 3; level >= 0; level--) {
            const index = bucket >> (4 * (4 - level))
            const children = Array.from({ length: MERKLE_FANOUT }, (_, child) =>
              tree.node(level + 1, 16 * index + child)
            )
            expect(tree.node(level, index)).toEqual(xor(children))
          }
        }
      }),
      { numRuns: 20 }
    )
  })

  it('does not depend on the order, and is empty once all leaves are removed', () => {
    fc.assert(
      fc.property(leavesArb, leaves => {
        const [forth, back] = [new MerkleTree(), new MerkleTree()]
        for (const [bucket, leaf] of leaves) forth.toggle(bucket, leaf)
        for (const [bucket, leaf] of leaves.toReversed()) back.toggle(bucket, leaf)
        expect(forth.rootHex()).toBe(back.rootHex())
        for (const [bucket, leaf] of leaves) forth.toggle(bucket, Buffer.from(leaf))
        expect(forth.rootHex()).toBe('0'.repeat(32))
      }),
      { numRuns: 10 }
    )
  })

  it('is rebuilt from stored buckets', () => {
    const [tree, buckets] = [new MerkleTree(), new Uint8Array(MERKLE_BUCKETS * DIGEST_BYTES)]
    for (const [bucket, leaf] of fc.sample(leavesArb, { numRuns: 30, seed: 3 }).flat()) tree.toggle(bucket, leaf)
    for (let bucket = 0; bucket < MERKLE_BUCKETS; bucket++) buckets.set(tree.bucket(bucket), bucket * DIGEST_BYTES)
    const rebuilt = new MerkleTree(buckets)
    expect(rebuilt.rootHex()).toBe(tree.rootHex())
    for (let index = 0; index < 4096; index++) expect(rebuilt.node(3, index)).toEqual(tree.node(3, index))
    expect(() => new MerkleTree(new Uint8Array(16))).toThrow('buckets')
  })

  it('returns copies', () => {
    const tree = new MerkleTree()
    tree.node(0, 0).fill(1)
    expect(tree.rootHex()).toBe('0'.repeat(32))
  })

  it('rejects nodes out of range', () => {
    const tree = new MerkleTree()
    for (const [level, index] of [
      [5, 0],
      [-1, 0],
      [0, 1],
      [4, MERKLE_BUCKETS],
      [2, -1]
    ] as const) {
      expect(() => tree.node(level, index)).toThrow('no Merkle node')
    }
    expect(() => tree.toggle(0, new Uint8Array(15))).toThrow('15 bytes')
  })

  it('separates key and content in the digest', () => {
    const encoded = Buffer.from('x')
    const leaf = leafDigest({ kind: 'photo', id: 'a' }, encoded)
    expect(leaf.length).toBe(DIGEST_BYTES)
    for (const [kind, id, text] of [
      ['photo', 'b', 'x'],
      ['album', 'a', 'x'],
      ['photo', 'a', 'y'],
      ['phot', 'oa', 'x']
    ] as const) {
      expect(leafDigest({ kind, id }, Buffer.from(text))).not.toEqual(leaf)
    }
    expect(bucketOf({ kind: 'photo', id: 'a' })).toBe(bucketOf({ kind: 'photo', id: 'a' }))
    const buckets = new Set(Array.from({ length: 1000 }, (_, n) => bucketOf({ kind: 'photo', id: `${n}` }) >> 12))
    expect(buckets.size).toBe(16)
  })
})
