/*
 * What nodes say to each other about volumes. Bodies are CBOR maps (see network/rpc/message.ts).
 *
 *   volume.head        notify   {volume, end}                 the sender's copy now ends there
 *   volume.bytes       notify   {volume, from, bytes}         the same, with what was appended last: at most PUSH_BYTES_MAX
 *   volume.ack         notify   {volume, end}                 the same, durably and without a hole before it: counts for min_copies
 *   volume.heads       request  {} → {volumes: [{volume, end, holes: [{from, to}]}]}
 *   volume.superblock  request  {volume} → {superblock}
 *   volume.read        request  {volume, from, to} → {bytes}  at most READ_BYTES_MAX; shorter where a hole or the end is
 *   volume.range       fetch    {volume, from, to} → bytes    the same for more
 *   volume.doubt       notify   {volume, from}                what you sent from there on is damaged: look at it
 */
import type { Value } from '../../domain/cbor.js'
import { parseVolumeId, type VolumeId } from '../../domain/ids.js'
import { NEEDLE_ALIGN, VOLUME_BYTES_MAX } from '../../domain/needle.js'
import { encodeMessage, Message, invalidField } from '../../network/rpc/message.js'
import type { HoleRange } from '../../volumes/index-file.js'
import { VOLUME_NUMBERS } from '../../volumes/needle-index.js'

/** What is asked for in one request instead of a stream of its own. */
export const READ_BYTES_MAX = 1024 * 1024
/** What is sent along with the news of it, unasked. */
export const PUSH_BYTES_MAX = 256 * 1024
/** Of a volume with more holes than this the rest is told after the first were filled. */
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

/** Bytes of a volume, at a needle boundary. */
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
