import { hasCode } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { Directory } from '../../directory/directory.js'
import { MERKLE_FANOUT } from '../../domain/merkle.js'
import type { RecordKey } from '../../domain/record.js'
import { encodeRecord } from '../../domain/record-codec.js'
import { REQUEST_BYTES_MAX } from '../../network/transport.js'
import { type Leaf, SHORT_DIGEST_BYTES } from './anti-entropy-messages.js'

/** A larger record reaches peers with its volume only: it does not fit a message. */
const RECORD_BYTES_MAX = REQUEST_BYTES_MAX - 1024

export interface TreeReplicaComponents {
  readonly directory: Pick<Directory, 'merkle' | 'leaves' | 'getMany' | 'merge'>
  readonly log: Logger
}

/** This node's directory in the terms in which two nodes compare theirs. Every method throws `ERR_DIRECTORY_UNAVAILABLE`. */
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

  /** @returns for each node in turn, how the digests of its 16 children begin: 8 bytes each */
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

  async leaves(bucket: number): Promise<Leaf[]> {
    // of an empty node that catches up that is nearly all buckets, and looking into each costs a tenth of a millisecond
    if (this.#directory.merkle.bucket(bucket).every(byte => byte === 0)) return []
    const leaves = await this.#directory.leaves(bucket)
    return leaves.map(({ key, digest }) => ({ key, digest: digest.subarray(0, SHORT_DIGEST_BYTES) }))
  }

  /** @returns the records' encodings in the order of the keys; undefined for what is not there, or too large to be sent */
  async records(keys: readonly RecordKey[]): Promise<(Uint8Array | undefined)[]> {
    const stored = await this.#directory.getMany(keys)
    return stored.map((found, i) => {
      if (found === undefined) return undefined
      const bytes = encodeRecord(found.record)
      if (bytes.length <= RECORD_BYTES_MAX) return bytes
      this.#log.warn({ ...keys[i], byteCount: bytes.length }, 'a record is too large for a message')
      return undefined
    })
  }

  /**
   * Joins what a peer sent. What cannot be decoded here, since it is malformed or of a newer version of Sheaf, does not
   * keep the rest away.
   *
   * @returns how many records changed
   */
  async merge(records: readonly Uint8Array[]): Promise<number> {
    try {
      return await this.#directory.merge(records)
    } catch (err) {
      if (!hasCode(err, 'ERR_RECORD_MALFORMED') && !hasCode(err, 'ERR_FORMAT_TOO_NEW')) throw err
      if (records.length === 1) {
        this.#log.warn({ err }, 'a record of a peer was not taken')
        return 0
      }
      const middle = records.length >> 1
      return (await this.merge(records.slice(0, middle))) + (await this.merge(records.slice(middle)))
    }
  }
}
