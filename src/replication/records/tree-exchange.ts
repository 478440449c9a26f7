import { oneAhead } from '../../core/one-ahead.js'
import type { NodeId } from '../../domain/ids.js'
import { leafDigest, MERKLE_FANOUT } from '../../domain/merkle.js'
import { type RecordKey, recordName } from '../../domain/record.js'
import {
  BODY_BYTES_MAX,
  BUCKETS_MAX,
  decodeGetAnswer,
  decodeLeavesAnswer,
  decodeNodesAnswer,
  decodePutAnswer,
  encodeGetRequest,
  encodeLeavesRequest,
  encodeNodesRequest,
  encodePutRequest,
  type GraveLeaf,
  type Leaf,
  METHOD_GET,
  METHOD_LEAVES,
  METHOD_NODES,
  METHOD_PUT,
  NODE_LEVEL_LAST,
  NODES_MAX,
  PUT_GRAVES_MAX,
  RECORDS_MAX,
  SHORT_DIGEST_BYTES
} from './anti-entropy-messages.js'
import type { TreeReplica } from './tree-replica.js'

export interface TreeExchangeComponents {
  readonly peer: NodeId
  readonly replica: TreeReplica
  /** Of the comparison, known to both. Default: the latest. */
  readonly version?: number
  /** Sends one request to the peer. @throws what ends the exchange */
  readonly ask: (method: string, body: Uint8Array) => Promise<Uint8Array>
  /** Called after records were moved; resolves when more may be. */
  readonly pace: (records: number) => Promise<void>
  /** Whether the exchange has used up its time: it then ends early, and a later one continues. */
  readonly isOver: () => boolean
}

export interface ExchangeOutcome {
  /** How many records changed, here and at the peer. */
  readonly changedHere: number
  readonly changedThere: number
  /** Whether both roots were the same at the end. */
  readonly equal: boolean
  /** Whether it ended before it had compared everything that differed. */
  readonly cutShort: boolean
}

/** A record whose leaf the peer lacks, or has with another digest. */
interface Offer {
  readonly key: RecordKey
  /** The peer's short digest of the record; undefined when it lacks it, or has its grave. */
  readonly theirs: Uint8Array | undefined
}

/** What the peer has in some buckets, at most BUCKETS_MAX. */
interface Part {
  readonly buckets: readonly number[]
  /** The leaves of each. */
  readonly theirs: readonly (readonly Leaf[])[]
}

/** What differs in some buckets. */
interface Difference {
  /** Records that this node lacks or has otherwise. */
  readonly wanted: RecordKey[]
  readonly offered: Offer[]
  /** Graves that this node lacks, and such as the peer lacks. */
  readonly wantedGraves: GraveLeaf[]
  readonly offeredGraves: GraveLeaf[]
}

/**
 * One comparison of this node's Merkle tree with a peer's: down to the buckets that differ, then record by record, in both
 * directions. Its cost depends on what differs, not on the size of the directory.
 *
 * Both trees may change meanwhile. A record written during the exchange is seen in its old or its new state, or not at all;
 * either way records are merged, so no write is lost or undone. Each tree node is compared only once, so the exchange ends
 * under any write load. It leaves the rest to the next one.
 */
export class TreeExchange {
  readonly #components: TreeExchangeComponents
  #changedHere = 0
  #changedThere = 0

  constructor(components: TreeExchangeComponents) {
    this.#components = components
  }

  async run(): Promise<ExchangeOutcome> {
    const { replica, isOver } = this.#components
    if (sameBytes(replica.root(), await this.#peerRoot())) return this.#outcome(true, false)
    let cutShort = false
    for await (const part of oneAhead(this.#differingParts())) {
      await this.#reconcile(part)
      cutShort = isOver()
      if (cutShort) break
    }
    return this.#outcome(sameBytes(await this.#peerRoot(), replica.root()), cutShort)
  }

  #outcome(equal: boolean, cutShort: boolean): ExchangeOutcome {
    return { changedHere: this.#changedHere, changedThere: this.#changedThere, equal, cutShort }
  }

  async #peerRoot(): Promise<Uint8Array> {
    return (await this.#askNodes(0, [0])).root
  }

  async #askNodes(level: number, indexes: readonly number[]): Promise<{ root: Uint8Array; children: Uint8Array }> {
    const answer = await this.#components.ask(
      METHOD_NODES,
      encodeNodesRequest({ level, indexes }, this.#components.version)
    )
    return decodeNodesAnswer(answer, indexes.length)
  }

  /** Descends where digests differ, deepest first, so that repair begins early and memory stays small. */
  async *#differingBuckets(): AsyncGenerator<readonly number[]> {
    /** Nodes still to be compared, by level. */
    const differing: number[][] = [[0], ...Array.from({ length: NODE_LEVEL_LAST }, () => [])]
    for (;;) {
      const level = differing.findLastIndex(nodes => nodes.length > 0)
      const nodes = differing[level]?.splice(0, NODES_MAX)
      if (nodes === undefined) return
      const theirs = (await this.#askNodes(level, nodes)).children
      const children = differingChildren(nodes, this.#components.replica.children(level, nodes), theirs)
      if (level < NODE_LEVEL_LAST) differing[level + 1]?.push(...children)
      else if (children.length > 0) yield children
    }
  }

  /** Yields what the peer has in buckets that differ, as much at once as it answers. */
  async *#differingParts(): AsyncGenerator<Part> {
    for await (const buckets of this.#differingBuckets()) {
      for (let rest = buckets; rest.length > 0; ) {
        const asked = rest.slice(0, BUCKETS_MAX)
        const answer = decodeLeavesAnswer(await this.#components.ask(METHOD_LEAVES, encodeLeavesRequest(asked)))
        const theirs = answer.slice(0, asked.length)
        yield { buckets: asked.slice(0, theirs.length), theirs }
        rest = rest.slice(theirs.length)
      }
    }
  }

  async #reconcile({ buckets, theirs }: Part): Promise<void> {
    const { peer, replica } = this.#components
    const found: Difference = { wanted: [], offered: [], wantedGraves: [], offeredGraves: [] }
    let i = 0
    for await (const ours of replica.leaves(buckets)) compareLeaves(ours, theirs[i++] ?? [], found)
    this.#changedHere += await replica.mergeGraves(found.wantedGraves, peer)
    await this.#putGraves(found.offeredGraves)
    await this.#get(found.wanted)
    await this.#put(found.offered)
  }

  async #get(keys: readonly RecordKey[]): Promise<void> {
    const { peer, ask, replica, pace } = this.#components
    for (let rest = keys; rest.length > 0; ) {
      const batch = rest.slice(0, RECORDS_MAX)
      const { count, records } = decodeGetAnswer(await ask(METHOD_GET, encodeGetRequest(batch)), batch.length)
      this.#changedHere += await replica.merge(records, peer)
      await pace(records.length)
      rest = rest.slice(count)
    }
  }

  async #put(offers: readonly Offer[]): Promise<void> {
    const { replica } = this.#components
    for (let at = 0; at < offers.length; at += RECORDS_MAX) {
      const batch = offers.slice(at, at + RECORDS_MAX)
      const records = await replica.records(batch.map(({ key }) => key))
      let message: Uint8Array[] = []
      let byteCount = 0
      for (const [i, { key, theirs }] of batch.entries()) {
        const record = records[i]
        // After the merge of the peer's state both may be equal.
        if (record === undefined || (theirs && sameBytes(shortLeaf(key, record), theirs))) continue
        if (byteCount + record.length > BODY_BYTES_MAX) {
          await this.#send(message)
          message = []
          byteCount = 0
        }
        message.push(record)
        byteCount += record.length
      }
      await this.#send(message)
    }
  }

  /** Graves are so small that they need no pace. */
  async #putGraves(graves: readonly GraveLeaf[]): Promise<void> {
    for (let at = 0; at < graves.length; at += PUT_GRAVES_MAX) {
      const request = encodePutRequest({ records: [], graves: graves.slice(at, at + PUT_GRAVES_MAX) })
      this.#changedThere += decodePutAnswer(await this.#components.ask(METHOD_PUT, request))
    }
  }

  async #send(records: readonly Uint8Array[]): Promise<void> {
    if (records.length === 0) return
    const { ask, pace } = this.#components
    this.#changedThere += decodePutAnswer(await ask(METHOD_PUT, encodePutRequest({ records, graves: [] })))
    await pace(records.length)
  }
}

/** @param ours - 16 short digests per node, as `theirs` */
function differingChildren(nodes: readonly number[], ours: Uint8Array, theirs: Uint8Array): number[] {
  const differing: number[] = []
  for (const [i, node] of nodes.entries()) {
    for (let child = 0; child < MERKLE_FANOUT; child++) {
      const at = (i * MERKLE_FANOUT + child) * SHORT_DIGEST_BYTES
      const end = at + SHORT_DIGEST_BYTES
      if (!sameBytes(ours.subarray(at, end), theirs.subarray(at, end))) differing.push(node * MERKLE_FANOUT + child)
    }
  }
  return differing
}

/** Adds what differs in one bucket. A grave that one side lacks, or has of an earlier life, is passed on as it is. */
function compareLeaves(ours: readonly Leaf[], theirs: readonly Leaf[], found: Difference): void {
  const here = new Map(ours.map(leaf => [recordName(leaf.key), leaf]))
  for (const leaf of theirs) {
    const name = recordName(leaf.key)
    const own = here.get(name)
    here.delete(name)
    if (own !== undefined && isSameLeaf(own, leaf)) continue
    const { key } = leaf
    if (leaf.generation !== undefined) found.wantedGraves.push({ ...key, generation: leaf.generation })
    else found.wanted.push(key)
    if (own !== undefined) offer(own, leaf.digest, found)
  }
  for (const leaf of here.values()) offer(leaf, undefined, found)
}

function offer({ key, generation }: Leaf, theirs: Uint8Array | undefined, found: Difference): void {
  if (generation !== undefined) found.offeredGraves.push({ ...key, generation })
  else found.offered.push({ key, theirs })
}

function isSameLeaf(a: Leaf, b: Leaf): boolean {
  if (a.digest === undefined || b.digest === undefined) return a.generation === b.generation
  return sameBytes(a.digest, b.digest)
}

function shortLeaf(key: RecordKey, encoded: Uint8Array): Uint8Array {
  return leafDigest(key, encoded).subarray(0, SHORT_DIGEST_BYTES)
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
