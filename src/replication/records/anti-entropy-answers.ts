import type { NodeId } from '../../domain/ids.js'
import {
  BODY_BYTES_MAX,
  decodeGetRequest,
  decodeLeavesRequest,
  decodePutRequest,
  encodeGetAnswer,
  encodeLeavesAnswer,
  encodeNodesAnswer,
  encodePutAnswer,
  LEAVES_BYTES_MAX,
  type NodesRequest,
  packLeaves
} from './anti-entropy-messages.js'
import type { TreeReplica } from './tree-replica.js'

/*
 * The answering side of an exchange (see tree-exchange.ts). No state is kept between two requests, so a peer may stop at
 * any time. All throw `ERR_PEER_PROTOCOL` and `ERR_DIRECTORY_UNAVAILABLE`.
 */

export function answerNodes(replica: TreeReplica, { level, indexes }: NodesRequest): Uint8Array {
  return encodeNodesAnswer({ root: replica.root(), children: replica.children(level, indexes) })
}

export async function answerLeaves(replica: TreeReplica, body: Uint8Array): Promise<Uint8Array> {
  const buckets: Uint8Array[] = []
  let byteCount = 0
  for await (const leaves of replica.leaves(decodeLeavesRequest(body))) {
    const packed = packLeaves(leaves)
    byteCount += packed.length
    if (buckets.length > 0 && byteCount > LEAVES_BYTES_MAX) break
    buckets.push(packed)
  }
  return encodeLeavesAnswer(buckets)
}

export async function answerGet(replica: TreeReplica, body: Uint8Array): Promise<Uint8Array> {
  const records: Uint8Array[] = []
  let count = 0
  let byteCount = 0
  for (const encoded of await replica.records(decodeGetRequest(body))) {
    byteCount += encoded?.length ?? 0
    if (records.length > 0 && byteCount > BODY_BYTES_MAX) break
    if (encoded !== undefined) records.push(encoded)
    count++
  }
  return encodeGetAnswer({ count, records })
}

export async function answerPut(replica: TreeReplica, body: Uint8Array, peer: NodeId): Promise<Uint8Array> {
  const { records, graves } = decodePutRequest(body)
  return encodePutAnswer((await replica.merge(records, peer)) + (await replica.mergeGraves(graves, peer)))
}
