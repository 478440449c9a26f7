/*
 * What nodes ask each other before they promise anything. Bodies are CBOR maps (see network/rpc/message.ts), both requests
 * are sealed (see cluster/forgetting/sealed-transport.ts).
 *
 *   horizon.state  {} → {settled, applied, volumes}    what the node has promised, and all that it holds
 *                    settled   8 bytes, big-endian: see Promises
 *                    applied   8 bytes
 *                    volumes   as in `volume.heads`, retired volumes left out
 *   horizon.heads  {volumes} → {known}                 up to where the cluster ever held them
 *                    volumes   [text], at most VOLUMES_MAX
 *                    known     [{end, birth}] in that order: bytes, 0 for a volume that nobody has heard of; and the stamp
 *                              of the last photo that was born before that end, 8 bytes
 */
import type { Value } from '../../domain/cbor.js'
import type { Hlc } from '../../domain/hlc.js'
import { parseVolumeId, type VolumeId } from '../../domain/ids.js'
import { VOLUME_BYTES_MAX } from '../../domain/needle.js'
import { encodeMessage, invalidField, Message } from '../../network/rpc/message.js'
import { decodeHeads, encodeHeads, type HeldVolume } from '../../replication/volumes/volume-messages.js'

export const METHOD_STATE = 'horizon.state'
export const METHOD_HEADS = 'horizon.heads'
export const VOLUMES_MAX = 1_024

const STAMP_BYTES = 8
const VOLUME_CHARACTERS_MAX = 32
const HEADS_BYTES_MAX = 4 * 1024 * 1024

export interface MemberState {
  readonly settled: Hlc
  readonly applied: Hlc
  readonly volumes: readonly HeldVolume[]
}

export function encodeState({ settled, applied, volumes }: MemberState): Uint8Array {
  return encodeMessage({ settled: stampBytes(settled), applied: stampBytes(applied), volumes: encodeHeads(volumes) })
}

/** @throws `ERR_PEER_PROTOCOL` */
export function decodeState(body: Uint8Array): MemberState {
  const message = Message.decode(body)
  return {
    settled: stampFrom(message, 'settled'),
    applied: stampFrom(message, 'applied'),
    volumes: decodeHeads(message.bytes('volumes', HEADS_BYTES_MAX))
  }
}

export function encodeVolumes(volumes: readonly VolumeId[]): Uint8Array {
  return encodeMessage({ volumes })
}

/** @throws `ERR_PEER_PROTOCOL` */
export function decodeVolumes(body: Uint8Array): VolumeId[] {
  return Message.decode(body)
    .texts('volumes', VOLUMES_MAX, VOLUME_CHARACTERS_MAX)
    .map(volume => {
      if (parseVolumeId(volume) === undefined) throw invalidField('volumes')
      return volume as VolumeId
    })
}

export interface KnownVolume {
  readonly end: number
  readonly lastBirth: Hlc
}

export function encodeKnown(known: readonly KnownVolume[]): Uint8Array {
  const list = known.map(
    ({ end, lastBirth }) =>
      new Map<string, Value>([
        ['end', end],
        ['birth', stampBytes(lastBirth)]
      ])
  )
  return encodeMessage({ known: list })
}

/** @throws `ERR_PEER_PROTOCOL` */
export function decodeKnown(body: Uint8Array, count: number): KnownVolume[] {
  const known = Message.decode(body).list('known', VOLUMES_MAX, message => ({
    end: message.uint('end', VOLUME_BYTES_MAX),
    lastBirth: stampFrom(message, 'birth')
  }))
  if (known.length !== count) throw invalidField('known')
  return known
}

function stampBytes(stamp: Hlc): Uint8Array {
  const bytes = Buffer.alloc(STAMP_BYTES)
  bytes.writeBigUInt64BE(stamp)
  return bytes
}

function stampFrom(message: Message, name: string): Hlc {
  const bytes = message.bytes(name, STAMP_BYTES)
  if (bytes.length !== STAMP_BYTES) throw invalidField(name)
  return Buffer.from(bytes).readBigUInt64BE() as Hlc
}
