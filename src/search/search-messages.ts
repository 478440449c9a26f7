/*
 * `similar.search`: which of a node's vectors are closest to this one. Bodies are CBOR maps (see network/rpc/message.ts).
 *
 *   request  model    8 bytes
 *            space    text   'image' or 'text'
 *            vector   bytes  float32 little-endian, unit length
 *            k        uint   neighbours wanted, 1…8192
 *   answer   shards   8 bytes  those of which the node has all vectors; see domain/shards.ts
 *            ids      bytes    16 for each neighbour, best first
 *            scores   bytes    float32 little-endian for each
 */
import { endianness } from 'node:os'
import { DIMENSION_MAX, isUnit, type ModelId, parseModelId, type Space } from '../domain/features.js'
import { photoIdBytes, photoIdFrom } from '../domain/ids.js'
import { decodeShards, encodeShards, SHARD_SET_BYTES, type ShardSet } from '../domain/shards.js'
import { encodeMessage, invalidField, Message } from '../network/rpc/message.js'
import { NEIGHBOURS_MAX, type Neighbour } from '../similarity/index/vector-index.js'

export const METHOD_SEARCH = 'similar.search'

const MODEL_BYTES = 8
const ID_BYTES = 16
const FLOAT_BYTES = 4
const IS_LITTLE_ENDIAN = endianness() === 'LE'

/** What is looked for. */
export interface VectorQuery {
  readonly model: ModelId
  readonly space: Space
  /** Unit length; not mutated. */
  readonly vector: Float32Array
}

/** What one node found in all that it holds. */
export interface ShardAnswer {
  /** Those of which it has all vectors. */
  readonly shards: ShardSet
  /** By falling score. */
  readonly neighbours: readonly Neighbour[]
}

export function encodeSearch({ model, space, vector }: VectorQuery, k: number): Uint8Array {
  return encodeMessage({ model: Buffer.from(model, 'hex'), space, vector: floatBytes(vector), k })
}

/** @throws `ERR_PEER_PROTOCOL` */
export function decodeSearch(body: Uint8Array): { readonly query: VectorQuery; readonly k: number } {
  const message = Message.decode(body)
  const model = parseModelId(Buffer.from(message.bytes('model', MODEL_BYTES)).toString('hex'))
  const space = message.text('space', 8)
  const vector = floatsFrom(message, 'vector', DIMENSION_MAX)
  const k = message.uint('k', NEIGHBOURS_MAX)
  if (model === undefined) throw invalidField('model')
  if (space !== 'image' && space !== 'text') throw invalidField('space')
  if (!isUnit(vector)) throw invalidField('vector')
  if (k === 0) throw invalidField('k')
  return { query: { model, space, vector }, k }
}

export function encodeAnswer({ shards, neighbours }: ShardAnswer): Uint8Array {
  return encodeMessage({
    shards: encodeShards(shards),
    ids: Buffer.concat(neighbours.map(({ id }) => photoIdBytes(id))),
    scores: floatBytes(neighbours.map(({ score }) => score))
  })
}

/**
 * @param k - neighbours that were asked for
 * @throws `ERR_PEER_PROTOCOL`
 */
export function decodeAnswer(body: Uint8Array, k: number): ShardAnswer {
  const message = Message.decode(body)
  const shards = message.bytes('shards', SHARD_SET_BYTES)
  if (shards.length !== SHARD_SET_BYTES) throw invalidField('shards')
  const ids = message.bytes('ids', k * ID_BYTES)
  const scores = floatsFrom(message, 'scores', k)
  if (ids.length !== scores.length * ID_BYTES) throw invalidField('ids')
  const neighbours = Array.from(scores, (score, i) => {
    if (!(Math.abs(score) <= 1)) throw invalidField('scores')
    return { id: photoIdFrom(ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)), score }
  })
  return { shards: decodeShards(shards), neighbours }
}

/** @returns little-endian bytes, whatever this machine's order is */
function floatBytes(values: ArrayLike<number>): Uint8Array {
  const bytes = Buffer.from(Float32Array.from(values).buffer)
  return IS_LITTLE_ENDIAN ? bytes : bytes.swap32()
}

function floatsFrom(message: Message, name: string, countMax: number): Float32Array {
  const bytes = message.bytes(name, countMax * FLOAT_BYTES)
  if (bytes.length % FLOAT_BYTES !== 0) throw invalidField(name)
  const copy = Uint8Array.from(bytes) // as a buffer of its own it begins where floats may stand
  if (!IS_LITTLE_ENDIAN) Buffer.from(copy.buffer).swap32()
  return new Float32Array(copy.buffer)
}
