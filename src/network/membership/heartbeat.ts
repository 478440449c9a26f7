/*
 * `member.beat`, notify: a node describes itself to every connected peer, about twice a second. A CBOR map:
 *
 *   epoch      8 bytes        ActorId under which the node writes now
 *   sequence   uint           number of the heartbeat, growing within one process; a late one is not taken as newer
 *   name       text           for people
 *   addresses  [text]         multiaddrs under which the node can be dialed, best first
 *   directory  text           hex; equal on two nodes whose directories are
 *   volumes    text           hex; equal on two nodes that hold the same bytes of the same volumes
 *   free       uint           free bytes of its disk
 *   total      uint           all bytes of its disk
 *   version    text           of Sheaf
 *   now        8 bytes        its hybrid clock, big-endian
 *   heads      [{volume, bytes}]  volumes of its present epoch and their lengths, the newest last
 *   indexes    [{model, shards}]  models whose vectors it searches, and the shards that it holds completely: 8 bytes each,
 *                                 see domain/shards.ts; may be absent
 *   purged     uint           ms since the Unix epoch: it has no needle of a photo whose grave it heard of before, laid-out
 *                             ones excepted; absent: it does not know
 *   age        uint           for how long it has run, all its processes together, ms; may be absent
 *   wall       uint           its wall clock, ms since the Unix epoch; may be absent
 *   full       uint           1: its disk is full, so that it takes no copies; absent: it is not
 *   tools      [text]         what it decodes pictures with beside what every node has, e.g. `heif`; absent: nothing
 *   http       [text]         origins under which its HTTP interface is reached, best first; those that are none are left out;
 *                             absent: it does not know any
 *   started    uint           when its process started, by its wall clock, ms since the Unix epoch; may be absent
 *   photos     uint           that its directory shows; absent while that cannot be read
 *   rate       uint           bytes of others that it takes in a second; may be absent
 *   eta        uint           seconds until it has all, at that rate; absent: it cannot tell
 *   reaches    [text]         members that it hears itself, and that take what is passed on; absent: it passes nothing on
 *
 * `member.beat-via`, notify: the same to a member that is not connected, through another one (`../rpc/relay-transport.ts`).
 */
import { parseHttpOrigin } from '../../core/http-origin.js'
import { toWellFormed } from '../../domain/cbor.js'
import { type ModelId, parseModelId } from '../../domain/features.js'
import type { Hlc } from '../../domain/hlc.js'
import {
  ACTOR_ID_BYTES,
  type ActorId,
  actorIdBytes,
  actorIdFrom,
  type NodeId,
  parseVolumeId,
  type VolumeId
} from '../../domain/ids.js'
import { VOLUME_BYTES_MAX } from '../../domain/needle.js'
import { decodeShards, encodeShards, SHARD_SET_BYTES, type ShardSet } from '../../domain/shards.js'
import { TIME_MS_MAX } from '../../domain/value-fields.js'
import { encodeMessage, invalidField, Message } from '../rpc/message.js'

export const ADDRESSES_MAX = 8
export const ADDRESS_CHARACTERS_MAX = 256
const NAME_CHARACTERS_MAX = 256
const VERSION_CHARACTERS_MAX = 64
const DIGEST = /^[0-9a-f]{0,64}$/
const VOLUME_CHARACTERS_MAX = 32
/** Only the newest are sent; peers learn of the others from `volume.heads`. */
const HEADS_MAX = 64
const HLC_BYTES = 8
/** The model in use, its successor, and two spare ones. */
const INDEXES_MAX = 4
const MODEL_ID_BYTES = 8
const REACHES_MAX = 256
const NODE_ID_CHARACTERS_MAX = 128
const TOOLS_MAX = 8
const HTTP_MAX = 4
const HTTP_CHARACTERS_MAX = 256
const ETA_S_MAX = 10 ** 10
const TOOL_CHARACTERS_MAX = 32

export interface Heartbeat {
  readonly epoch: ActorId
  readonly sequence: number
  readonly name: string
  readonly addresses: readonly string[]
  readonly directoryDigest: string
  /** Over (id, end, chain digest, holes) of all volumes held, without retired ones. */
  readonly volumesDigest: string
  readonly freeBytes: number
  readonly totalBytes: number
  readonly version: string
  readonly now: Hlc
  /** The sender's wall clock, ms since the Unix epoch. Its hybrid clock stays ahead when this was, and is set right. */
  readonly wallMs?: number
  /** Volumes of the sender's present epoch. */
  readonly heads: readonly HeartbeatHead[]
  /** One for each model whose vectors the sender searches. */
  readonly indexes?: readonly HeartbeatIndex[]
  /**
   * The sender has no needle of a photo whose grave it heard of before this, laid-out ones excepted; ms since the Unix
   * epoch. Absent: it does not know.
   */
  readonly purgedToMs?: number
  /** For how long the sender has run, all its processes together, ms. */
  readonly ageMs?: number
  /** Its disk has no space for uploads and copies. Default: it has. */
  readonly isFull?: boolean
  /** What the sender decodes pictures with beside what every node has. Absent: nothing. */
  readonly tools?: readonly string[]
  /** Origins such as `https://a.example:8000` under which browsers may reach it, best first. Absent: it knows none. */
  readonly http?: readonly string[]
  /** When its process started, by its wall clock, ms since the Unix epoch. */
  readonly startedAtMs?: number
  /** In its directory. Absent: that cannot be read. */
  readonly photos?: number
  /** What it takes in of others, bytes a second. */
  readonly bytesPerS?: number
  /** Until it has all of others, at that rate. Absent: it cannot tell. */
  readonly etaS?: number
  /** The members that the sender hears itself, and can pass messages on to. Absent: it is an older build, and passes none on. */
  readonly reaches?: readonly NodeId[]
}

export interface HeartbeatIndex {
  readonly model: ModelId
  /** The shards of which the sender has all vectors. */
  readonly shards: ShardSet
}

export interface HeartbeatHead {
  readonly volume: VolumeId
  readonly bytes: number
}

/** Cuts to the bounds: the first characters of name and version, the first of each list, the newest heads. */
export function encodeHeartbeat(heartbeat: Heartbeat): Uint8Array {
  const now = new Uint8Array(HLC_BYTES)
  new DataView(now.buffer).setBigUint64(0, heartbeat.now)
  return encodeMessage({
    epoch: actorIdBytes(heartbeat.epoch),
    sequence: heartbeat.sequence,
    name: toWellFormed(heartbeat.name.slice(0, NAME_CHARACTERS_MAX)),
    addresses: boundedAddresses(heartbeat.addresses),
    directory: heartbeat.directoryDigest,
    volumes: heartbeat.volumesDigest,
    free: heartbeat.freeBytes,
    total: heartbeat.totalBytes,
    version: heartbeat.version.slice(0, VERSION_CHARACTERS_MAX),
    now,
    heads: heartbeat.heads.slice(-HEADS_MAX).map(
      ({ volume, bytes }) =>
        new Map<string, string | number>([
          ['bytes', bytes],
          ['volume', volume]
        ])
    ),
    indexes: heartbeat.indexes?.slice(0, INDEXES_MAX).map(
      ({ model, shards }) =>
        new Map<string, Uint8Array>([
          ['model', Buffer.from(model, 'hex')],
          ['shards', encodeShards(shards)]
        ])
    ),
    purged: heartbeat.purgedToMs === undefined ? undefined : boundedTime(heartbeat.purgedToMs),
    age: heartbeat.ageMs === undefined ? undefined : boundedTime(heartbeat.ageMs),
    wall: heartbeat.wallMs === undefined ? undefined : boundedTime(heartbeat.wallMs),
    full: heartbeat.isFull === true ? 1 : undefined,
    tools: heartbeat.tools?.slice(0, TOOLS_MAX),
    http: heartbeat.http?.slice(0, HTTP_MAX),
    started: heartbeat.startedAtMs === undefined ? undefined : boundedTime(heartbeat.startedAtMs),
    photos: heartbeat.photos,
    rate: heartbeat.bytesPerS,
    eta: heartbeat.etaS === undefined ? undefined : Math.min(heartbeat.etaS, ETA_S_MAX),
    reaches: heartbeat.reaches?.slice(0, REACHES_MAX)
  })
}

/** @throws `ERR_PEER_PROTOCOL` */
export function decodeHeartbeat(body: Uint8Array): Heartbeat {
  const message = Message.decode(body)
  const now = fixedBytes(message, 'now', HLC_BYTES)
  return {
    epoch: actorIdFrom(fixedBytes(message, 'epoch', ACTOR_ID_BYTES)),
    sequence: message.uint('sequence'),
    name: message.text('name', NAME_CHARACTERS_MAX),
    addresses: message.texts('addresses', ADDRESSES_MAX, ADDRESS_CHARACTERS_MAX),
    directoryDigest: digest(message, 'directory'),
    volumesDigest: digest(message, 'volumes'),
    freeBytes: message.uint('free'),
    totalBytes: message.uint('total'),
    version: message.text('version', VERSION_CHARACTERS_MAX),
    now: new DataView(now.buffer, now.byteOffset, HLC_BYTES).getBigUint64(0) as Hlc,
    heads: message.list('heads', HEADS_MAX, head),
    ...(message.has('indexes') && { indexes: message.list('indexes', INDEXES_MAX, index) }),
    ...(message.has('purged') && { purgedToMs: message.uint('purged', TIME_MS_MAX) }),
    ...(message.has('age') && { ageMs: message.uint('age', TIME_MS_MAX) }),
    ...(message.has('wall') && { wallMs: message.uint('wall', TIME_MS_MAX) }),
    ...(message.has('full') && { isFull: message.uint('full', 1) === 1 }),
    ...(message.has('tools') && { tools: message.texts('tools', TOOLS_MAX, TOOL_CHARACTERS_MAX) }),
    ...(message.has('http') && { http: origins(message) }),
    ...(message.has('started') && { startedAtMs: message.uint('started', TIME_MS_MAX) }),
    ...(message.has('photos') && { photos: message.uint('photos') }),
    ...(message.has('rate') && { bytesPerS: message.uint('rate') }),
    ...(message.has('eta') && { etaS: message.uint('eta', ETA_S_MAX) }),
    ...(message.has('reaches') && {
      reaches: message.texts('reaches', REACHES_MAX, NODE_ID_CHARACTERS_MAX) as NodeId[]
    })
  }
}

/** @returns the first addresses, within the bounds that peers accept */
export function boundedAddresses(addresses: readonly string[]): readonly string[] {
  return addresses.filter(({ length }) => length <= ADDRESS_CHARACTERS_MAX).slice(0, ADDRESSES_MAX)
}

function boundedTime(ms: number): number {
  return Math.max(0, Math.min(Math.floor(ms), TIME_MS_MAX))
}

function head(message: Message): HeartbeatHead {
  const volume = message.text('volume', VOLUME_CHARACTERS_MAX)
  if (parseVolumeId(volume) === undefined) throw invalidField('volume')
  return { volume: volume as VolumeId, bytes: message.uint('bytes', VOLUME_BYTES_MAX) }
}

function index(message: Message): HeartbeatIndex {
  const model = parseModelId(Buffer.from(fixedBytes(message, 'model', MODEL_ID_BYTES)).toString('hex'))
  if (model === undefined) throw invalidField('model')
  return { model, shards: decodeShards(fixedBytes(message, 'shards', SHARD_SET_BYTES)) }
}

/** Pages link to them: nothing but origins is believed. */
function origins(message: Message): string[] {
  return message.texts('http', HTTP_MAX, HTTP_CHARACTERS_MAX).flatMap(text => parseHttpOrigin(text) ?? [])
}

function digest(message: Message, name: string): string {
  const text = message.text(name, 64)
  if (!DIGEST.test(text)) throw invalidField(name)
  return text
}

function fixedBytes(message: Message, name: string, byteCount: number): Uint8Array {
  const bytes = message.bytes(name, byteCount)
  if (bytes.length !== byteCount) throw invalidField(name)
  return bytes
}
