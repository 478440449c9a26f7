/*
 * Published messages: the data of gossipsub messages, which carry no signature, sequence number or sender of gossipsub's.
 *
 *   offset  bytes  field
 *   0       1      format, 1
 *   1       1      n, length of the publisher's id (1…64)
 *   2       n      the publisher's id in ASCII
 *   2 + n   8      random, the same for all messages of one process
 *   10 + n  4      number of the message in that process, big-endian, wraps
 *   14 + n  …      body of at most PUBLISH_BYTES_MAX
 *
 * The bytes before the body identify the message: two messages with equal bodies are distinct. Messages are not signed:
 * signatures take 2.5 to 4 times the CPU per delivery (five nodes sustain 120 messages a second with, 1690 without), and
 * would prove little, since every link is authenticated, only nodes of the cluster have links, and receivers verify what
 * matters.
 */
import type { NodeId } from '../../domain/ids.js'
import { PUBLISH_BYTES_MAX } from '../transport.js'

const FORMAT = 1
const ID_BYTES_MAX = 64
export const PROCESS_TAG_BYTES = 8
const NUMBER_BYTES = 4
/** Length of the name of a message without a valid head, until it is dropped. */
const STRAY_NAME_BYTES = 32

export interface GossipMessage {
  readonly from: NodeId
  readonly body: Uint8Array
}

/** @param processTag - PROCESS_TAG_BYTES random bytes */
export function encodeGossip(from: NodeId, processTag: Uint8Array, number: number, body: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(headBytes(from.length) + body.length)
  bytes.writeUInt8(FORMAT, 0)
  bytes.writeUInt8(from.length, 1)
  bytes.write(from, 2, 'latin1')
  bytes.set(processTag, 2 + from.length)
  bytes.writeUInt32BE(number >>> 0, 2 + from.length + PROCESS_TAG_BYTES)
  bytes.set(body, headBytes(from.length))
  return bytes
}

/** @returns undefined for malformed bytes */
export function decodeGossip(bytes: Uint8Array): GossipMessage | undefined {
  const idBytes = bytes[1] ?? 0
  const head = headBytes(idBytes)
  if (bytes[0] !== FORMAT || idBytes === 0 || idBytes > ID_BYTES_MAX || bytes.length < head) return undefined
  const body = bytes.subarray(head)
  if (body.length > PUBLISH_BYTES_MAX) return undefined
  const from = Buffer.from(bytes.buffer, bytes.byteOffset + 2, idBytes).toString('latin1')
  return /^[1-9A-Za-z]+$/.test(from) ? { from: from as NodeId, body } : undefined
}

/** @returns the bytes that identify a message; works for any bytes */
export function gossipName(bytes: Uint8Array): Uint8Array {
  const idBytes = bytes[1] ?? 0
  return bytes.subarray(0, idBytes <= ID_BYTES_MAX ? headBytes(idBytes) : STRAY_NAME_BYTES)
}

function headBytes(idBytes: number): number {
  return 2 + idBytes + PROCESS_TAG_BYTES + NUMBER_BYTES
}
