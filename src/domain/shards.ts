import { hash } from 'node:crypto'
import { invariant } from '../core/invariant.js'
import type { NodeId, PhotoId } from './ids.js'
import { rendezvous } from './rendezvous.js'

/** Vectors are divided by photo id into this many virtual shards. Part of the protocol: it never changes. */
export const SHARD_COUNT = 64
/** Members that index a shard; fewer if the cluster has fewer. */
const SHARD_COPIES = 2
export const SHARD_SET_BYTES = SHARD_COUNT / 8

/** 0…63. */
export type Shard = number
export type ShardSet = ReadonlySet<Shard>

export const ALL_SHARDS: ShardSet = new Set(Array.from({ length: SHARD_COUNT }, (_, shard) => shard))

/** @returns the shard of the photo's vectors; sequential ids are spread evenly as well */
export function shardOf(id: PhotoId): Shard {
  return Number.parseInt(hash('sha256', id).slice(0, 2), 16) % SHARD_COUNT
}

/**
 * Which members index a shard.
 *
 * @param members - in any order, each once
 * @returns at most `copies` members, first choice first
 */
export function shardOwners(shard: Shard, members: Iterable<NodeId>, copies = SHARD_COPIES): readonly NodeId[] {
  return rendezvous(`shard ${shard}`, members).slice(0, copies)
}

/** @returns 8 bytes: shard s is bit s % 8 of byte s / 8 */
export function encodeShards(shards: Iterable<Shard>): Uint8Array {
  const bytes = new Uint8Array(SHARD_SET_BYTES)
  for (const shard of shards) bytes[shard >> 3] = (bytes[shard >> 3] ?? 0) | (1 << (shard & 7))
  return bytes
}

/** @param bytes - SHARD_SET_BYTES of them */
export function decodeShards(bytes: Uint8Array): ShardSet {
  invariant(bytes.length === SHARD_SET_BYTES, 'a set of shards has one bit for each')
  const shards = new Set<Shard>()
  for (const shard of ALL_SHARDS) if (((bytes[shard >> 3] ?? 0) >> (shard & 7)) & 1) shards.add(shard)
  return shards
}
