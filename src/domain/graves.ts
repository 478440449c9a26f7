/*
 * The data of a needle of graves: what is left of deleted records of one kind once their undo period is over. All integers
 * big-endian.
 *
 *   bytes  field
 *       1  length of the kind, 1…64
 *       …  kind, UTF-8
 *   then for each grave, ascending by id, at most GRAVES_MAX
 *      16  id: of a record whose id is a UUID
 *     1–3  generation up to which all lives are over, 0…2¹⁹: base 128, the lowest seven bits first, bit 7 set in all
 *          bytes but the last
 *
 * Valid: as above, nothing behind the last grave. A generation beyond the bound is skipped and counted: one forged grave
 * must not hide the others. The needle's id is made from its data, so equal needles are one.
 */
import { hash } from 'node:crypto'
import { SheafError } from '../core/errors.js'
import { invariant } from '../core/invariant.js'
import { parsePhotoId, photoIdBytes, photoIdFrom } from './ids.js'
import type { NeedleIdentity } from './needle.js'
import { GRAVE_GENERATION_MAX, NAME_CHARACTERS_MAX } from './record-codec.js'

/** Ends all lives of a record up to a generation. */
export interface Grave {
  readonly id: string
  readonly generation: number
}

/** Graves in one needle: few enough that merging them does not hold the event loop for long. */
export const GRAVES_MAX = 1_024
const ID_BYTES = 16
const VARINT_BYTES_MAX = 3

/** @param graves - of records whose ids are canonical UUIDs, each once; sorted here */
export function encodeGraves(kind: string, graves: readonly Grave[]): Uint8Array {
  invariant(graves.length > 0 && graves.length <= GRAVES_MAX, `${graves.length} graves in one needle`)
  const name = Buffer.from(kind)
  const bytes = Buffer.alloc(1 + name.length + graves.length * (ID_BYTES + VARINT_BYTES_MAX))
  let at = bytes.writeUInt8(name.length)
  at += name.copy(bytes, at)
  for (const { id, generation } of graves.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const uuid = parsePhotoId(id)
    invariant(uuid === id && generation <= GRAVE_GENERATION_MAX, 'a grave is of a UUID, and within the bound')
    bytes.set(photoIdBytes(uuid), at)
    at = writeVarint(bytes, at + ID_BYTES, generation)
  }
  return bytes.subarray(0, at)
}

/** @throws `ERR_RECORD_MALFORMED` */
export function decodeGraves(bytes: Uint8Array): {
  readonly kind: string
  readonly graves: readonly Grave[]
  /** Graves beyond the bound on generations. */
  readonly skipped: number
} {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const nameBytes = data[0] ?? 0
  const kind = data.toString('utf8', 1, 1 + nameBytes)
  if (kind.length === 0 || kind.length > NAME_CHARACTERS_MAX || data.length <= 1 + nameBytes) throw malformed()
  if (!Buffer.from(kind).equals(data.subarray(1, 1 + nameBytes))) throw malformed()
  const graves: Grave[] = []
  let skipped = 0
  let previous = ''
  for (let at = 1 + nameBytes; at < data.length; ) {
    if (at + ID_BYTES >= data.length || graves.length + skipped === GRAVES_MAX) throw malformed()
    const id: string = photoIdFrom(data.subarray(at, at + ID_BYTES))
    const [generation, end] = readVarint(data, at + ID_BYTES)
    if (id <= previous) throw malformed()
    if (generation > GRAVE_GENERATION_MAX) skipped++
    else graves.push({ id, generation })
    previous = id
    at = end
  }
  return { kind, graves, skipped }
}

export function gravesIdentity(data: Uint8Array): NeedleIdentity {
  const id = hash('sha256', data, 'buffer').subarray(0, ID_BYTES)
  return { kind: 'graves', id, generation: 0, alternateKey: 0, chunk: 0 }
}

/** @returns where the number ends */
export function writeVarint(bytes: Buffer, at: number, value: number): number {
  let end = at
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes[end++] = (rest & 0x7f) | 0x80
  bytes[end++] = rest
  return end
}

/** @returns the number, of at most three bytes, and where it ends. @throws `ERR_RECORD_MALFORMED` unless it is in its shortest form */
export function readVarint(bytes: Buffer, at: number): readonly [value: number, end: number] {
  let value = 0
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) break
    value |= (byte & 0x7f) << (7 * i)
    if (byte > 0x7f) continue
    if (byte === 0 && i > 0) break
    return [value, at + i + 1]
  }
  throw malformed()
}

function malformed(): SheafError {
  return new SheafError('ERR_RECORD_MALFORMED', 'malformed graves')
}
