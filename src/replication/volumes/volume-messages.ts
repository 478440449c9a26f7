/*
 * Volume replication. Bodies are CBOR maps (see network/rpc/message.ts).
 *
 *   volume.head        notify   {volume, end}                 the sender's copy now ends there
 *   volume.bytes       notify   {volume, from, bytes}         the same, with the bytes appended last: at most PUSH_BYTES_MAX
 *   volume.ack         notify   {volume, end}                 the sender's copy is durable up to there, without a hole:
 *                                                             counts for min_copies
 *   volume.heads       request  {} → {volumes: [{volume, end, holes: [{from, to}]}]}
 *   volume.superblock  request  {volume} → {superblock}
 *   volume.read        request  {volume, from, to} → {bytes}  at most READ_BYTES_MAX; shorter at a hole or at the end
 *   volume.range       fetch    {volume, from, to} → bytes    the same for more, at most FETCH_BYTES_MAX
 *   volume.doubt       request  {volume, from, to} → {}       bytes that the receiver sent from this range are damaged: it
 *                                                             verifies its copy from there to the end, then answers
 */
import type { Value } from '../../domain/cbor.js'
import { parseVolumeId, type VolumeId } from '../../domain/ids.js'
import { NEEDLE_ALIGN, VOLUME_BYTES_MAX } from '../../domain/needle.js'
import { encodeMessage, invalidField, Message } from '../../network/rpc/message.js'
import type { HoleRange } from '../../volumes/index-file.js'
import { VOLUME_NUMBERS } from '../../volumes/needle-index.js'

/** Up to this size a range is read by a request instead of a stream. */
export const READ_BYTES_MAX = 1024 * 1024
/** Largest append that is pushed together with its announcement. */
export const PUSH_BYTES_MAX = 256 * 1024
/** Of one volume in an answer; further holes follow once these were filled. */
const HOLES_MAX = 64

const VOLUME_TEXT_MAX = 32

export interface VolumeHead {
  readonly volume: VolumeId
  readonly end: number
}

export interface HeldVolume extends VolumeHead {
  readonly holes: readonly HoleRange[]
}

export interface VolumeRange {
  readonly volume: VolumeId
  readonly from: number
  readonly to: number
}

export function encodeHead({ volume, end }: VolumeHead): Uint8Array {
  return encodeMessage({ volume, end })
}

export function decodeHead(body: Uint8Array): VolumeHead {
  return headOf(Message.decode(body))
}

/** Bytes of a volume, beginning and ending at a multiple of NEEDLE_ALIGN. */
export interface VolumeBytes {
  readonly volume: VolumeId
  readonly from: number
  readonly bytes: Uint8Array
}

export function encodeBytes({ volume, from, bytes }: VolumeBytes): Uint8Array {
  return encodeMessage({ volume, from, bytes })
}

export function decodeBytes(body: Uint8Array): VolumeBytes {
  const message = Message.decode(body)
  const bytes = message.bytes('bytes', PUSH_BYTES_MAX)
  const from = offsetOf(message, 'from')
  if (bytes.byteLength % NEEDLE_ALIGN !== 0 || from + bytes.byteLength > VOLUME_BYTES_MAX) throw invalidField('bytes')
  return { volume: volumeOf(message), from, bytes }
}

export function encodeHeads(volumes: readonly HeldVolume[]): Uint8Array {
  const list = volumes.map(({ volume, end, holes }) => {
    const holeList: Value[] = holes.slice(0, HOLES_MAX).map(
      ({ from, to }) =>
        new Map([
          ['to', to],
          ['from', from]
        ])
    )
    return new Map<string, Value>([
      ['end', end],
      ['holes', holeList],
      ['volume', volume]
    ])
  })
  return encodeMessage({ volumes: list })
}

export function decodeHeads(body: Uint8Array): HeldVolume[] {
  return Message.decode(body).list('volumes', VOLUME_NUMBERS, message => ({
    ...headOf(message),
    holes: message.list('holes', HOLES_MAX, hole => rangeOf(hole))
  }))
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
