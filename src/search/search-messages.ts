/*
 * `similar.search`: the nearest of a node's vectors. Bodies are CBOR maps (see network/rpc/message.ts).
 *
 *   request  model    8 bytes
 *            space    text   'image' or 'text'
 *            vector   bytes  float32 little-endian, unit length
 *            k        uint   neighbors requested, 1…8192
 *            viewer   text   for whom: `public`, or an account's id and role, as `0190… user`; absent: for one who sees all
 *            trace    text   the place in a trace that this belongs to; absent where the sender does not trace
 *   answer   shards   8 bytes  those for which the node has all vectors; see domain/shards.ts
 *            limited  uint     1: among photos only that the viewer sees; absent: among all, as nodes do that do not know
 *                              the field
 *            ids      bytes    16 per neighbor, best first
 *            scores   bytes    float32 little-endian, one per neighbor
 */
import type { TraceParent } from '../core/tracing.js'
import { ROLES } from '../domain/access.js'
import type { Onlooker, OpenedLink } from '../domain/audience.js'
import { DIMENSION_MAX, isUnit, type ModelId, parseModelId, type Space } from '../domain/features.js'
import { FLOAT_BYTES, floatBytes, floatsFrom } from '../domain/floats.js'
import { parseLinkId, parseUserId, photoIdBytes, photoIdFrom } from '../domain/ids.js'
import { decodeShards, encodeShards, SHARD_SET_BYTES, type ShardSet } from '../domain/shards.js'
import { encodeMessage, invalidField, Message, traceOf } from '../network/rpc/message.js'
import { NEIGHBORS_MAX, type Neighbor } from '../similarity/index/vector-index.js'

export const METHOD_SEARCH = 'similar.search'

const MODEL_BYTES = 8
const ID_BYTES = 16
/** More than an account takes, or as many links as a browser has open. */
const VIEWER_CHARACTERS_MAX = 512
const PUBLIC = 'public'
const LINKS = 'links'

export interface VectorQuery {
  readonly model: ModelId
  readonly space: Space
  /** Unit length; not mutated. */
  readonly vector: Float32Array
  /** Only photos that this one sees; undefined: all. */
  readonly onlooker?: Onlooker | undefined
}

/** What one node found among all its vectors, or among those of photos that the onlooker sees. */
export interface ShardAnswer {
  /** Shards for which it has all vectors. */
  readonly shards: ShardSet
  /** By falling score. */
  readonly neighbors: readonly Neighbor[]
  /** Among photos only that the onlooker sees; absent: among all. */
  readonly isLimited?: true
}

interface DecodedSearch {
  readonly query: VectorQuery
  readonly k: number
  readonly trace: TraceParent | undefined
}

export function encodeSearch(
  { model, space, vector, onlooker }: VectorQuery,
  k: number,
  trace?: TraceParent
): Uint8Array {
  const viewer = onlooker && textOf(onlooker)
  return encodeMessage({ model: Buffer.from(model, 'hex'), space, vector: floatBytes(vector), k, viewer, trace })
}

/** @throws `ERR_PEER_PROTOCOL` */
export function decodeSearch(body: Uint8Array): DecodedSearch {
  const message = Message.decode(body)
  const model = parseModelId(Buffer.from(message.bytes('model', MODEL_BYTES)).toString('hex'))
  const space = message.text('space', 8)
  const vector = floatsOf(message, 'vector', DIMENSION_MAX)
  const k = message.uint('k', NEIGHBORS_MAX)
  if (model === undefined) throw invalidField('model')
  if (space !== 'image' && space !== 'text') throw invalidField('space')
  if (!isUnit(vector)) throw invalidField('vector')
  if (k === 0) throw invalidField('k')
  const onlooker = onlookerOf(message)
  return { query: { model, space, vector, ...(onlooker && { onlooker }) }, k, trace: traceOf(message) }
}

export function encodeAnswer({ shards, neighbors, isLimited }: ShardAnswer): Uint8Array {
  return encodeMessage({
    shards: encodeShards(shards),
    limited: isLimited ? 1 : undefined,
    ids: Buffer.concat(neighbors.map(({ id }) => photoIdBytes(id))),
    scores: floatBytes(neighbors.map(({ score }) => score))
  })
}

/**
 * @param k - neighbors requested
 * @throws `ERR_PEER_PROTOCOL`
 */
export function decodeAnswer(body: Uint8Array, k: number): ShardAnswer {
  const message = Message.decode(body)
  const shards = message.bytes('shards', SHARD_SET_BYTES)
  if (shards.length !== SHARD_SET_BYTES) throw invalidField('shards')
  const ids = message.bytes('ids', k * ID_BYTES)
  const scores = floatsOf(message, 'scores', k)
  if (ids.length !== scores.length * ID_BYTES) throw invalidField('ids')
  const neighbors = Array.from(scores, (score, i) => {
    if (!(Math.abs(score) <= 1)) throw invalidField('scores')
    return { id: photoIdFrom(ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)), score }
  })
  const isLimited = message.has('limited') && message.uint('limited', 1) === 1
  return { shards: decodeShards(shards), neighbors, ...(isLimited && { isLimited }) }
}

function textOf(onlooker: Onlooker): string {
  if (onlooker === PUBLIC) return PUBLIC
  if ('userId' in onlooker) return `${onlooker.userId} ${onlooker.role}`
  return [LINKS, ...onlooker.links.map(({ id, proof }) => `${id}.${proof}`)].join(' ')
}

/** @throws `ERR_PEER_PROTOCOL` for one that this version does not know: what he sees cannot be told here */
function onlookerOf(message: Message): Onlooker | undefined {
  if (!message.has('viewer')) return undefined
  const text = message.text('viewer', VIEWER_CHARACTERS_MAX)
  if (text === PUBLIC) return PUBLIC
  if (text.startsWith(`${LINKS} `)) return { links: text.split(' ').slice(1).map(openedLink) }
  const [id = '', name, ...more] = text.split(' ')
  const userId = parseUserId(id)
  const role = ROLES.find(known => known === name)
  if (userId === undefined || role === undefined || more.length > 0) throw invalidField('viewer')
  return { userId, role }
}

/** @throws `ERR_PEER_PROTOCOL` */
function openedLink(text: string): OpenedLink {
  const at = text.indexOf('.')
  const id = parseLinkId(text.slice(0, at))
  if (id === undefined) throw invalidField('viewer')
  return { id, proof: text.slice(at + 1) }
}

function floatsOf(message: Message, name: string, countMax: number): Float32Array {
  const bytes = message.bytes(name, countMax * FLOAT_BYTES)
  if (bytes.length % FLOAT_BYTES !== 0) throw invalidField(name)
  return floatsFrom(bytes)
}
