import { hasCode } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { Directory } from '../../directory/directory.js'
import type { Leaf as StoredLeaf } from '../../directory/leaf-rows.js'
import type { NodeId } from '../../domain/ids.js'
import { MERKLE_FANOUT } from '../../domain/merkle.js'
import { graveOf, type RecordKey } from '../../domain/record.js'
import { encodeRecord, encodeRecordAs } from '../../domain/record-codec.js'
import { isBuriable } from '../../domain/tombstone.js'
import { REQUEST_BYTES_MAX } from '../../network/transport.js'
import { type GraveLeaf, type Leaf, PUT_GRAVES_MAX, SHORT_DIGEST_BYTES } from './anti-entropy-messages.js'

/** A larger record does not fit into a message; peers get it only with its volume. */
const RECORD_BYTES_MAX = REQUEST_BYTES_MAX - 1024

export interface TreeReplicaComponents {
  readonly directory: Pick<Directory, 'formats' | 'merkle' | 'leaves' | 'lookUpMany' | 'merge' | 'mergeGraves'>
  readonly log: Logger
}

/** This node's directory as exchanges see it. Every method throws `ERR_DIRECTORY_UNAVAILABLE`. */
export class TreeReplica {
  readonly #directory: TreeReplicaComponents['directory']
  readonly #log: Logger

  constructor({ directory, log }: TreeReplicaComponents) {
    this.#directory = directory
    this.#log = log
  }

  /** @returns 16 bytes */
  root(): Uint8Array {
    return this.#directory.merkle.node(0, 0)
  }

  /** @returns for each node in turn, the prefixes of its 16 children's digests, 8 bytes each */
  children(level: number, indexes: readonly number[]): Uint8Array {
    const { merkle } = this.#directory
    const short = new Uint8Array(indexes.length * MERKLE_FANOUT * SHORT_DIGEST_BYTES)
    let at = 0
    for (const index of indexes) {
      for (let child = index * MERKLE_FANOUT; child < (index + 1) * MERKLE_FANOUT; child++) {
        short.set(merkle.node(level + 1, child).subarray(0, SHORT_DIGEST_BYTES), at)
        at += SHORT_DIGEST_BYTES
      }
    }
    return short
  }

  /** Yields the leaves of each bucket in turn. */
  async *leaves(buckets: readonly number[]): AsyncGenerator<readonly Leaf[]> {
    const { merkle } = this.#directory
    const filled = new Set(buckets.filter(bucket => !merkle.isEmpty(bucket)))
    const found = this.#directory.leaves([...filled])
    try {
      for (const bucket of buckets) {
        const leaves = filled.has(bucket) ? (await found.next()).value : undefined
        yield (leaves ?? []).map(shortened)
      }
    } finally {
      await found.return(undefined)
    }
  }

  /**
   * @returns the encoded records, or graves, in the order of the keys; undefined for one that is absent or too large to send
   */
  async records(keys: readonly RecordKey[]): Promise<(Uint8Array | undefined)[]> {
    const found = await this.#directory.lookUpMany(keys)
    return found.map(({ stored, grave }, i) => {
      if (stored === undefined) return grave && encodeRecord(graveOf(keys[i] as RecordKey, grave.generation))
      const bytes = encodeRecordAs(this.#directory.formats, stored.record)
      if (bytes.length <= RECORD_BYTES_MAX) return bytes
      this.#log.warn(
        { ...keys[i], byteCount: bytes.length },
        'a record is too large to be sent on its own; peers get it with its volume'
      )
      return undefined
    })
  }

  /**
   * Merges a peer's records. A record that cannot be decoded here, since it is malformed or of a newer version of Sheaf, is
   * left out; the others are merged.
   *
   * @returns how many records changed
   */
  async merge(records: readonly Uint8Array[], from: NodeId): Promise<number> {
    try {
      return await this.#directory.merge(records, from)
    } catch (err) {
      if (!hasCode(err, 'ERR_RECORD_MALFORMED') && !hasCode(err, 'ERR_FORMAT_TOO_NEW')) throw err
      if (records.length === 1) {
        this.#log.warn(
          { err },
          'left out a record of a peer that cannot be decoded; if its format is newer, upgrade this node'
        )
        return 0
      }
      const middle = records.length >> 1
      return (await this.merge(records.slice(0, middle), from)) + (await this.merge(records.slice(middle), from))
    }
  }

  /** Merges a peer's graves, but for those that no honest node has. @returns how many records changed */
  async mergeGraves(graves: readonly GraveLeaf[], from: NodeId): Promise<number> {
    const good = graves.filter(isBuriable)
    if (good.length < graves.length)
      this.#log.warn({ peer: from, graves: graves.length - good.length }, 'left out graves of what is never buried')
    let changed = 0
    for (let at = 0; at < good.length; at += PUT_GRAVES_MAX) {
      changed += await this.#directory.mergeGraves(good.slice(at, at + PUT_GRAVES_MAX), from)
    }
    return changed
  }
}

function shortened({ key, digest, grave }: StoredLeaf): Leaf {
  return grave === undefined
    ? { key, digest: digest.subarray(0, SHORT_DIGEST_BYTES) }
    : { key, generation: grave.generation }
}
