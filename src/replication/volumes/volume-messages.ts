/*
 * Volume replication. Bodies are CBOR maps (see network/rpc/message.ts).
 *
 *   volume.head        notify   {volume, end, trace?}         the sender's copy now ends there; `trace`: the place in a
 *                                                             trace that this belongs to, where the sender traces
 *   volume.bytes       notify   {volume, from, bytes, trace?} the same, with the bytes appended last: at most PUSH_BYTES_MAX
 *   volume.ack         notify   {volume, end}                 the sender's copy is durable up to there, without a hole:
 *                                                             counts for min_copies
 *   volume.heads       request  {} → {volumes: [{volume, end, holes: [{from, to}]}]}
 *   volume.superblock  request  {volume} → {superblock}
 *   volume.read        request  {volume, from, to} → {bytes}  at most READ_BYTES_MAX; shorter at a hole or at the end
 *   volume.range       fetch    {volume, from, to} → bytes    the same for more, at most FETCH_BYTES_MAX
 *   volume.doubt       request  {volume, from, to} → {end, holes: [{from, to}], until?}
 *                                                             from `from` on the receiver sent damage, or nothing: it
 *                                                             verifies its copy from there to the end, then answers all
 *                                                             holes that end behind `from`. With `until` further ones
 *                                                             may begin there. Earlier versions answer with nothing
 */
import type { TraceParent } from '../../core/tracing.js'
import type { Value } from '../../domain/cbor.js'
import { parseVolumeId, type VolumeId } from '../../domain/ids.js'
import { NEEDLE_ALIGN, VOLUME_BYTES_MAX } from '../../domain/needle.js'
import { encodeMessage, invalidField, Message, traceOf } from '../../network/rpc/message.js'
import type { HoleRange } from '../../volumes/index-file.js'
import { VOLUME_NUMBERS } from '../../volumes/needle-index.js'

/** Up to this size a range is read by a request instead of a stream. */
export const READ_BYTES_MAX = 1024 * 1024
/** Largest append that is pushed together with its announcement. */
export const PUSH_BYTES_MAX = 256 * 1024
/** Of one volume among all; further holes are told to whoever doubts their place. */
const HOLES_MAX = 64
/** Of the one volume that was doubted. */
const DOUBTED_HOLES_MAX = 1024

const VOLUME_TEXT_MAX = 32

export interface VolumeHead {
  readonly volume: VolumeId
  readonly end: number
}

/** News that somebody traces. */
interface Traced {
  readonly trace?: TraceParent | undefined
}

export interface HeldVolume extends VolumeHead {
  readonly holes: readonly HoleRange[]
}

/** What the holder of a volume knows of its copy, from a place on. */
export interface KnownHoles {
  readonly end: number
  /** Ascending. */
  readonly holes: readonly HoleRange[]
  /** Further holes may begin here or behind; undefined: `holes` are all. */
  readonly until: number | undefined
}

export interface VolumeRange {
  readonly volume: VolumeId
  readonly from: number
  readonly to: number
}

export function encodeHead({ volume, end, trace }: VolumeHead & Traced): Uint8Array {
  return encodeMessage({ volume, end, trace })
}

export function decodeHead(body: Uint8Array): VolumeHead & Traced {
  const message = Message.decode(body)
  return { ...headOf(message), trace: traceOf(message) }
}

/** Bytes of a volume, beginning and ending at a multiple of NEEDLE_ALIGN. */
export interface VolumeBytes extends Traced {
  readonly volume: VolumeId
  readonly from: number
  readonly bytes: Uint8Array
}

export function encodeBytes({ volume, from, bytes, trace }: VolumeBytes): Uint8Array {
  return encodeMessage({ volume, from, bytes, trace })
}

export function decodeBytes(body: Uint8Array): VolumeBytes {
  const message = Message.decode(body)
  const bytes = message.bytes('bytes', PUSH_BYTES_MAX)
  const from = offsetOf(message, 'from')
  if (bytes.byteLength % NEEDLE_ALIGN !== 0 || from + bytes.byteLength > VOLUME_BYTES_MAX) throw invalidField('bytes')
  return { volume: volumeOf(message), from, bytes, trace: traceOf(message) }
}

export function encodeHeads(volumes: readonly HeldVolume[]): Uint8Array {
  const list = volumes.map(
    ({ volume, end, holes }) =>
      new Map<string, Value>([
        ['end', end],
        ['holes', encodeHoles(holes.slice(0, HOLES_MAX))],
        ['volume', volume]
      ])
  )
  return encodeMessage({ volumes: list })
}

export function decodeHeads(body: Uint8Array): HeldVolume[] {
  return Message.decode(body).list('volumes', VOLUME_NUMBERS, message => ({
    ...headOf(message),
    holes: message.list('holes', HOLES_MAX, hole => rangeOf(hole))
  }))
}

/** @param holes - ascending; what is too much for the answer is left to the next */
export function encodeKnownHoles({ end, holes }: Pick<KnownHoles, 'end' | 'holes'>): Uint8Array {
  return encodeMessage({
    end,
    holes: encodeHoles(holes.slice(0, DOUBTED_HOLES_MAX)),
    until: holes[DOUBTED_HOLES_MAX]?.from
  })
}

/** @returns undefined for the empty answer of an earlier version */
export function decodeKnownHoles(body: Uint8Array): KnownHoles | undefined {
  if (body.byteLength === 0) return undefined
  const message = Message.decode(body)
  return {
    end: offsetOf(message, 'end'),
    holes: message.list('holes', DOUBTED_HOLES_MAX, hole => rangeOf(hole)),
    until: message.has('until') ? offsetOf(message, 'until') : undefined
  }
}

export function encodeRange({ volume, from, to }: VolumeRange): Uint8Array {
  return encodeMessage({ volume, from, to })
}

export function decodeRange(body: Uint8Array): VolumeRange {
  const message = Message.decode(body)
  return { volume: volumeOf(message), ...rangeOf(message) }
}

export function encodeVolume(volume: VolumeId): Uint8Array {
  return encodeMessage({ volume })
}

export function decodeVolume(body: Uint8Array): VolumeId {
  return volumeOf(Message.decode(body))
}

function headOf(message: Message): VolumeHead {
  return { volume: volumeOf(message), end: offsetOf(message, 'end') }
}

function encodeHoles(holes: readonly HoleRange[]): Value[] {
  return holes.map(
    ({ from, to }) =>
      new Map([
        ['to', to],
        ['from', from]
      ])
  )
}

function rangeOf(message: Message): HoleRange {
  const range = { from: offsetOf(message, 'from'), to: offsetOf(message, 'to') }
  if (range.from > range.to) throw invalidField('to')
  return range
}

function offsetOf(message: Message, name: string): number {
  const offset = message.uint(name, VOLUME_BYTES_MAX)
  if (offset % NEEDLE_ALIGN !== 0) throw invalidField(name)
  return offset
}

function volumeOf(message: Message): VolumeId {
  const text = message.text('volume', VOLUME_TEXT_MAX)
  if (parseVolumeId(text) === undefined) throw invalidField('volume')
  return text as VolumeId
}
