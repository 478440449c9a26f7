/*
 * Anti-entropy: two nodes compare their Merkle trees (domain/merkle.ts) and exchange the records that differ. Bodies are
 * CBOR maps (see network/rpc/message.ts); all are requests.
 *
 *   tree.nodes    {version, level, indexes} → {root, children}
 *                   version    2; the greatest that both nodes know (network/wire-version.ts)
 *                   level      0…3
 *                   indexes    nodes of that level, 2 bytes each
 *                   root       16 bytes: the answering node's root when it answered
 *                   children   for each index in turn, 16 × 8 bytes: prefixes of its children's digests
 *   tree.leaves   {buckets} → {leaves}
 *                   buckets    2 bytes each
 *                   leaves     for each bucket in turn, from the first as far as they fit: 4 count, then count leaves
 *   records.get   {keys} → {count, records}
 *                   keys       record keys
 *                   count      keys answered, from the first; at least 1
 *                   records    [bytes], each as in record-codec.ts, also graves; none for an unknown key
 *   records.put   {records, graves} → {changed}
 *                   graves     packed as leaves, only graves; may be absent
 *                   changed    how many of them changed the answering node's directory
 *
 *   leaf          1 form · form 0: 8 prefix of the leaf digest; form 1, of a record of which only the grave is left: 1–3
 *                 generation, see graves.ts · record key. The second says all that there is to say: nobody asks for more
 *   record key    1 bytes of the kind · kind · 2 bytes of the id · id; with 0 for the latter, the 16 bytes of a
 *                 lower-case UUID follow. Texts are UTF-8 and bounded as in records, integers big-endian.
 *
 * Of a digest's 16 bytes 8 are sent. Two different digests share a prefix with a probability of 2⁻⁶⁴: a million differing
 * tree nodes compared every second would do so once in half a million years. It would do no harm: roots are compared whole,
 * so the difference is still seen, and it is found as soon as anything else in that subtree changes. Only a member could
 * cause it on purpose, and members may write records anyway.
 */
import { hasCode } from '../../core/errors.js'
import { invariant } from '../../core/invariant.js'
import type { VersionRange } from '../../domain/formats.js'
import { GRAVES_MAX, readVarint, writeVarint } from '../../domain/graves.js'
import { parsePhotoId, photoIdBytes, photoIdFrom } from '../../domain/ids.js'
import { DIGEST_BYTES, MERKLE_BUCKETS, MERKLE_FANOUT } from '../../domain/merkle.js'
import type { RecordKey } from '../../domain/record.js'
import { GRAVE_GENERATION_MAX, KEY_CHARACTERS_MAX, NAME_CHARACTERS_MAX } from '../../domain/record-codec.js'
import { encodeMessage, invalidField, Message } from '../../network/rpc/message.js'
import { TREE_VERSIONS } from '../../network/wire-version.js'

export const METHOD_NODES = 'tree.nodes'
export const METHOD_LEAVES = 'tree.leaves'
export const METHOD_GET = 'records.get'
export const METHOD_PUT = 'records.put'

/** The level above the buckets. */
export const NODE_LEVEL_LAST = 3
/** 32 KiB of children. */
export const NODES_MAX = 256
export const BUCKETS_MAX = 256
/** Few enough that merging them blocks the event loop for some 20 ms at most. */
export const RECORDS_MAX = 128
/** Of the leaves, or records, in one answer or request; more only when a single bucket or record is larger. */
export const BODY_BYTES_MAX = 1024 * 1024
/** Of an answer with leaves, but for a single bucket that is larger: some 2,500 graves are decoded in a few milliseconds. */
export const LEAVES_BYTES_MAX = 64 * 1024
/** Graves in one request; merging them holds the event loop for some 20 ms at most. */
export const PUT_GRAVES_MAX = GRAVES_MAX
/** Prefix of a digest on the wire. */
export const SHORT_DIGEST_BYTES = 8

const CHILDREN_BYTES = MERKLE_FANOUT * SHORT_DIGEST_BYTES
const UUID_BYTES = 16
/** A kind of 255 bytes, an id of 65,535: more than any record has. */
const KEY_BYTES_MAX = 1 + 0xff + 2 + 0xffff
/** A form, a generation and the key of a record with a UUID and a usual kind, and room for others. */
const GRAVE_BYTES_MAX = 1_024
const FORM_DIGEST = 0
const FORM_GRAVE = 1
const GENERATION_BYTES_MAX = 3

export interface NodesRequest {
  readonly level: number
  readonly indexes: readonly number[]
}

export interface NodesAnswer {
  /** 16 bytes. */
  readonly root: Uint8Array
  /** 16 × 8 bytes for each node asked for. */
  readonly children: Uint8Array
}

/** A record's leaf, or its grave. */
export type Leaf = { readonly key: RecordKey } & (
  | {
      /** 8 bytes. */
      readonly digest: Uint8Array
      readonly generation?: never
    }
  | {
      /** The last life that the grave ends. */
      readonly generation: number
      readonly digest?: never
    }
)

/** A grave, and whose it is. */
export type GraveLeaf = RecordKey & { readonly generation: number }

export interface GetAnswer {
  readonly count: number
  readonly records: readonly Uint8Array[]
}

/** @param version - known to the peer, too */
export function encodeNodesRequest({ level, indexes }: NodesRequest, version: number = TREE_VERSIONS.max): Uint8Array {
  return encodeMessage({ version, level, indexes: packNumbers(indexes) })
}

/** @param versions - known to this node */
export function decodeNodesRequest(body: Uint8Array, versions: VersionRange = TREE_VERSIONS): NodesRequest {
  const message = Message.decode(body)
  if (message.uint('version', versions.max) < versions.min) throw invalidField('version')
  const level = message.uint('level', NODE_LEVEL_LAST)
  return { level, indexes: unpackNumbers(message, 'indexes', NODES_MAX, MERKLE_FANOUT ** level) }
}

export function encodeNodesAnswer({ root, children }: NodesAnswer): Uint8Array {
  return encodeMessage({ root, children })
}

/** @param count - how many nodes were asked for */
export function decodeNodesAnswer(body: Uint8Array, count: number): NodesAnswer {
  const message = Message.decode(body)
  const root = message.bytes('root', DIGEST_BYTES)
  const children = message.bytes('children', count * CHILDREN_BYTES)
  if (root.length !== DIGEST_BYTES) throw invalidField('root')
  if (children.length !== count * CHILDREN_BYTES) throw invalidField('children')
  return { root, children }
}

export function encodeLeavesRequest(buckets: readonly number[]): Uint8Array {
  return encodeMessage({ buckets: packNumbers(buckets) })
}

export function decodeLeavesRequest(body: Uint8Array): number[] {
  return unpackNumbers(Message.decode(body), 'buckets', BUCKETS_MAX, MERKLE_BUCKETS)
}

/** @returns the leaves of one bucket, encoded for an answer */
export function packLeaves(leaves: readonly Leaf[]): Uint8Array {
  const count = Buffer.alloc(4)
  count.writeUInt32BE(leaves.length)
  const parts: Uint8Array[] = [count]
  for (const leaf of leaves) parts.push(packForm(leaf), packKey(leaf.key))
  return Buffer.concat(parts)
}

/** @param buckets - `packLeaves` of each bucket */
export function encodeLeavesAnswer(buckets: readonly Uint8Array[]): Uint8Array {
  return encodeMessage({ leaves: Buffer.concat(buckets) })
}

/** @returns the leaves of the first buckets asked for, at least one bucket */
export function decodeLeavesAnswer(body: Uint8Array): Leaf[][] {
  const bytes = Message.decode(body).bytes('leaves', Number.MAX_SAFE_INTEGER)
  const reader = new PackedReader(bytes, 'leaves')
  const buckets: Leaf[][] = []
  while (!reader.ended) {
    if (buckets.length === BUCKETS_MAX) throw invalidField('leaves')
    const leaves: Leaf[] = []
    for (let left = reader.uint32(); left > 0; left--) {
      leaves.push(reader.leaf())
    }
    buckets.push(leaves)
  }
  if (buckets.length === 0) throw invalidField('leaves')
  return buckets
}

export function encodeGetRequest(keys: readonly RecordKey[]): Uint8Array {
  return encodeMessage({ keys: Buffer.concat(keys.map(packKey)) })
}

export function decodeGetRequest(body: Uint8Array): RecordKey[] {
  const reader = new PackedReader(Message.decode(body).bytes('keys', RECORDS_MAX * KEY_BYTES_MAX), 'keys')
  const keys: RecordKey[] = []
  while (!reader.ended) {
    if (keys.length === RECORDS_MAX) throw invalidField('keys')
    keys.push(reader.key())
  }
  return keys
}

export function encodeGetAnswer({ count, records }: GetAnswer): Uint8Array {
  return encodeMessage({ count, records })
}

/** @param keyCount - how many keys were asked for */
export function decodeGetAnswer(body: Uint8Array, keyCount: number): GetAnswer {
  const message = Message.decode(body)
  const count = message.uint('count', keyCount)
  if (count === 0) throw invalidField('count')
  return { count, records: message.byteStrings('records', count) }
}

export interface PutRequest {
  readonly records: readonly Uint8Array[]
  readonly graves: readonly GraveLeaf[]
}

export function encodePutRequest({ records, graves }: PutRequest): Uint8Array {
  const leaves = graves.map(({ kind, id, generation }) => ({ key: { kind, id }, generation }))
  return encodeMessage({ records, ...(graves.length > 0 && { graves: packLeaves(leaves) }) })
}

export function decodePutRequest(body: Uint8Array): PutRequest {
  const message = Message.decode(body)
  const records = message.byteStrings('records', RECORDS_MAX)
  if (!message.has('graves')) return { records, graves: [] }
  const reader = new PackedReader(message.bytes('graves', PUT_GRAVES_MAX * GRAVE_BYTES_MAX), 'graves')
  const graves: GraveLeaf[] = []
  for (let left = reader.uint32(); left > 0; left--) {
    const { key, generation } = reader.leaf()
    if (generation === undefined || graves.length === PUT_GRAVES_MAX) throw invalidField('graves')
    graves.push({ ...key, generation })
  }
  if (!reader.ended) throw invalidField('graves')
  return { records, graves }
}

export function encodePutAnswer(changed: number): Uint8Array {
  return encodeMessage({ changed })
}

export function decodePutAnswer(body: Uint8Array): number {
  return Message.decode(body).uint('changed', RECORDS_MAX + PUT_GRAVES_MAX)
}

function packNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(numbers.length * 2)
  for (const [i, number] of numbers.entries()) bytes.writeUInt16BE(number, i * 2)
  return bytes
}

/** @param below - exclusive upper bound of each number */
function unpackNumbers(message: Message, name: string, countMax: number, below: number): number[] {
  const packed = message.bytes(name, countMax * 2)
  if (packed.length === 0 || packed.length % 2 !== 0) throw invalidField(name)
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  return Array.from({ length: bytes.length / 2 }, (_, i) => {
    const number = bytes.readUInt16BE(i * 2)
    if (number >= below) throw invalidField(name)
    return number
  })
}

function packForm({ digest, generation }: Leaf): Uint8Array {
  if (digest !== undefined) return Buffer.concat([Uint8Array.of(FORM_DIGEST), digest.subarray(0, SHORT_DIGEST_BYTES)])
  const bytes = Buffer.alloc(1 + GENERATION_BYTES_MAX)
  bytes[0] = FORM_GRAVE
  return bytes.subarray(0, writeVarint(bytes, 1, generation))
}

function packKey({ kind, id }: RecordKey): Uint8Array {
  const kindBytes = Buffer.from(kind)
  const uuid = parsePhotoId(id)
  const packed = uuid !== undefined && uuid === id
  const idBytes = packed ? photoIdBytes(uuid) : Buffer.from(id)
  invariant(kindBytes.length <= 0xff && idBytes.length <= 0xffff, 'a record key fits')
  const bytes = Buffer.allocUnsafe(1 + kindBytes.length + 2 + idBytes.length)
  bytes[0] = kindBytes.length
  bytes.set(kindBytes, 1)
  bytes.writeUInt16BE(packed ? 0 : idBytes.length, 1 + kindBytes.length)
  bytes.set(idBytes, 3 + kindBytes.length)
  return bytes
}

/** Reads packed fields one after the other. @throws `ERR_PEER_PROTOCOL` when they end too early */
class PackedReader {
  readonly #bytes: Buffer
  readonly #name: string
  #at = 0

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#name = name
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE()
  }

  key(): RecordKey {
    const kind = this.bytes(this.bytes(1).readUInt8()).toString()
    const idBytes = this.bytes(2).readUInt16BE()
    const id = idBytes === 0 ? photoIdFrom(this.bytes(UUID_BYTES)) : this.bytes(idBytes).toString()
    if (kind === '' || kind.length > NAME_CHARACTERS_MAX || id.length > KEY_CHARACTERS_MAX)
      throw invalidField(this.#name)
    return { kind, id }
  }

  leaf(): Leaf {
    const form = this.bytes(1).readUInt8()
    if (form === FORM_DIGEST) return { digest: this.bytes(SHORT_DIGEST_BYTES), key: this.key() }
    if (form !== FORM_GRAVE) throw invalidField(this.#name)
    return { generation: this.#generation(), key: this.key() }
  }

  #generation(): number {
    try {
      const [generation, end] = readVarint(this.#bytes, this.#at)
      if (generation > GRAVE_GENERATION_MAX) throw invalidField(this.#name)
      this.#at = end
      return generation
    } catch (err) {
      if (hasCode(err, 'ERR_RECORD_MALFORMED')) throw invalidField(this.#name)
      throw err
    }
  }

  /** @returns a view */
  bytes(byteCount: number): Buffer {
    const end = this.#at + byteCount
    if (end > this.#bytes.length) throw invalidField(this.#name)
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}
