/*
 * Merkle digests over the directory: replicas with the same records have the same root; others find the buckets that
 * differ by comparing the five levels.
 *
 *   leaf    first 16 bytes of SHA-256(kind, 0x00, id, 0x00, canonical record)
 *   bucket  by the first 16 bits of SHA-256(kind, 0x00, id): level 4, 65536 nodes
 *   node    XOR of all leaves beneath it; levels 4…0, sixteen children to a node, the root is level 0
 *
 * With XOR an update changes five nodes without reading the other records of the bucket, in any order. It detects accidental
 * differences, not records crafted to collide: members of a cluster trust one another.
 */
import { hash } from 'node:crypto'
import { invariant } from '../core/invariant.js'
import { type RecordKey, recordName } from './record.js'

export const MERKLE_BUCKETS = 65_536
export const MERKLE_FANOUT = 16
export const DIGEST_BYTES = 16

const LEVEL_LAST = 4
/** Nodes above each level in the array: 1 + 16 + … */
const LEVEL_STARTS = [0, 1, 17, 273, 4369] as const
const NODES = 4369 + MERKLE_BUCKETS

export function bucketOf(key: RecordKey): number {
  return hash('sha256', recordName(key), 'buffer').readUInt16BE()
}

/** @param encoded - `encodeRecord` of the merged record */
export function leafDigest(key: RecordKey, encoded: Uint8Array): Uint8Array {
  const head = `${recordName(key)}\0`
  const byteCount = Buffer.byteLength(head)
  const bytes = Buffer.allocUnsafe(byteCount + encoded.length)
  bytes.write(head)
  bytes.set(encoded, byteCount)
  return hash('sha256', bytes, 'buffer').subarray(0, DIGEST_BYTES)
}

export class MerkleTree {
  readonly #nodes = new Uint8Array(NODES * DIGEST_BYTES)
  /** The same memory: four words to a digest. */
  readonly #words = new Uint32Array(this.#nodes.buffer)

  /** @param buckets - MERKLE_BUCKETS concatenated digests; copied. Default: the empty directory */
  constructor(buckets?: Uint8Array) {
    if (buckets === undefined) return
    const start = nodeAt(LEVEL_LAST, 0) * DIGEST_BYTES
    invariant(buckets.length === MERKLE_BUCKETS * DIGEST_BYTES, `${buckets.length} bytes of buckets`)
    this.#nodes.set(buckets, start)
    // Children come after their parents in the array, so each node is complete when it is added to its parent.
    for (let node = NODES - 1; node > 0; node--) this.#add(Math.floor((node - 1) / MERKLE_FANOUT), node)
  }

  /** Adds a leaf that is absent, removes one that is present: a changed record takes two calls. */
  toggle(bucket: number, leaf: Uint8Array): void {
    invariant(leaf.length === DIGEST_BYTES, `a leaf of ${leaf.length} bytes`)
    const digest = new Uint32Array(new Uint8Array(leaf).buffer)
    for (let level = LEVEL_LAST, index = bucket; level >= 0; level--, index >>= 4) {
      const at = nodeAt(level, index) * 4
      for (let word = 0; word < 4; word++) this.#words[at + word] = this.#word(at + word) ^ (digest[word] ?? 0)
    }
  }

  /**
   * @param level - 0 the root … 4 the buckets
   * @param index - 0…16^level − 1; a node's children are 16 × index … 16 × index + 15 on the next level
   * @returns a copy of the digest
   */
  node(level: number, index: number): Uint8Array {
    const start = nodeAt(level, index) * DIGEST_BYTES
    return this.#nodes.slice(start, start + DIGEST_BYTES)
  }

  bucket(index: number): Uint8Array {
    return this.node(LEVEL_LAST, index)
  }

  /** Whether no record is in the bucket. */
  isEmpty(bucket: number): boolean {
    const at = nodeAt(LEVEL_LAST, bucket) * 4
    return (this.#word(at) | this.#word(at + 1) | this.#word(at + 2) | this.#word(at + 3)) === 0
  }

  rootHex(): string {
    return Buffer.from(this.node(0, 0)).toString('hex')
  }

  #add(parent: number, child: number): void {
    for (let word = 0; word < 4; word++) {
      this.#words[parent * 4 + word] = this.#word(parent * 4 + word) ^ this.#word(child * 4 + word)
    }
  }

  #word(index: number): number {
    return this.#words[index] ?? 0
  }
}

function nodeAt(level: number, index: number): number {
  const start = LEVEL_STARTS[level]
  const isNode = start !== undefined && Number.isInteger(index) && index >= 0 && index < MERKLE_FANOUT ** level
  invariant(isNode, `no Merkle node ${level}/${index}`)
  return start + index
}
