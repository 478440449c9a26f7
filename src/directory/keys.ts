/*
 * The directory's rows: schema version 4. All integers are big-endian, so that keys sort by number. Numbers before a field
 * are its bytes.
 *
 *   table      key                                          payload
 *   schema     00                                           4 schema version
 *   marker     01 · 2 slot                                  8 number of the batch · 16 Merkle root after it · 120 zeros if
 *                                                           its other rows are few, see batch-markers.ts
 *   applied    02 · 8 epoch · 4 sequence                    8 reached: needles of the volume below it are in the rows,
 *                                                           but for those in the gaps ·
 *                                                           8 number of the last batch at that time ·
 *                                                           for each gap, sorted, 64 at most: 8 from · 8 to
 *   counter    03, or 0e · term, UTF-8                      8 number of photos with the term, ≥ 1; counted terms only. Also of
 *                                                           of · 00 · term · 00 · hex of an audience's digest, see audience.ts: the
 *                                                           photos of that audience
 *   bucket     04 · 2 bucket                                16 XOR of the bucket's leaves; absent: zero
 *   leaf       05 · 2 bucket · record key                   16 leaf digest of the record; or of a record of which only
 *                                                           the grave is left: 1–3 twice the generation that it ends at
 *                                                           last, plus 1 if a needle here holds it; see graves.ts
 *   record     06 · record key                              24 home · canonical record
 *   added      07, or 0f · text term · 24 position          the tile in the term timeline, see tile.ts; the digest of its audience
 *                                                           in the term all; else none: the index of photos by when they were
 *                                                           added
 *   taken      0d, or 10 · text term · 32 position          the same by when they were taken
 *   day        13, or 14 · 1 order: 0 added, 1 taken; of one
 *              audience 2, 3, and its digest · day          8 number of rows of the term timeline on that day ·
 *              as 2024-05-01, see day.ts                    4 XOR of the first bytes of SHA-256(key, value) of each,
 *                                                           and of each of timeline\0archived
 *   death      08 · record key                              8 the node's age when it first heard of the delete that the
 *                                                           record shows, or that the trash was emptied of it, ms ·
 *                                                           4 generation that is deleted, with the highest bit set then
 *   age        09                                           8 the node's age, ms · 8 its age when the directory was last
 *                                                           compared with a peer's as a whole, signed, −2⁶³: never ·
 *                                                           8 wall clock then, ms since the Unix epoch · canonical CBOR
 *                                                           map of ≤ 16 peers: their ages then, ms, and of absences:
 *                                                           see age.ts
 *   opaque     0a · record key                              4 format of a record that this version cannot read, which has
 *                                                           no row in record, leaf, index, death
 *   verbatim   0b · 16 of SHA-256(record as in its needle)  24 home: where such a record was applied from last, an
 *                                                           earlier state of one, or what is no record
 *   format     0c                                           4 latest record format that a row ever had; absent: 2
 *   served     11                                           4 version of the index that is read · 1 its generation: 0
 *                                                           has the tables named first above, 1 the other ones; absent: 1 · 0
 *   building   12                                           4 version of the index in the other generation, while it is
 *                                                           made · the key of the last record row that is in it
 *
 *   part        content
 *   record key  text kind · 1 form · id: form 1, the 16 bytes of a lower-case UUID; form 0, UTF-8 to the end
 *   text        UTF-8 with 00 written as 00 01, then 00 00, so that no text is a prefix of another
 *   home        8 epoch · 4 sequence (0: no home) · 8 offset · 4 length
 *   position    in taken, 8 what a clock on the wall showed, ms since 1970 + 2⁶² · in both, 8 birth hlc, or of a deleted
 *               photo the hlc of its delete · 16 photo id
 *
 * All tables but added and taken are sealed: the value is the payload and a CRC-32 (IEEE) of key and payload. A tile that is damaged
 * is shown; `verify` finds it. LevelDB does not verify its own block checksums when it reads, so without a seal a
 * flipped bit on the disk would go unnoticed. Valid: the seal is correct, the payload has the length above, and records
 * decode and show a version. Anything else is damage: the database is rebuilt from the log.
 */
import { hash } from 'node:crypto'
import { crc32 } from '@node-rs/crc32'
import { invariant } from '../core/invariant.js'
import { RECORD_FORMATS } from '../domain/formats.js'
import {
  actorIdBytes,
  actorIdFrom,
  type PhotoId,
  parsePhotoId,
  parseVolumeId,
  photoIdBytes,
  photoIdFrom,
  type VolumeId,
  volumeId
} from '../domain/ids.js'
import { bucketOf, DIGEST_BYTES } from '../domain/merkle.js'
import type { RecordKey } from '../domain/record.js'
import type { EndedLife } from '../domain/tombstone.js'
import { DamageError } from './damage.js'

const TABLE_SCHEMA = 0x00
export const TABLE_MARKER = 0x01
export const TABLE_APPLIED = 0x02
export const TABLE_BUCKET = 0x04
export const TABLE_LEAF = 0x05
const TABLE_RECORD = 0x06
export const TABLE_DEATH = 0x08
export const AGE_KEY = Uint8Array.of(0x09)
const TABLE_OPAQUE = 0x0a
const TABLE_VERBATIM = 0x0b
export const RECORD_FORMAT_KEY = Uint8Array.of(0x0c)

export const VOLUME_ID_BYTES = 12
const SEAL_BYTES = 4
const DEATH_BYTES = 12
const PURGE_BIT = 2 ** 31
const UUID_FORM = 1
const TEXT_FORM = 0
const TEXT_END = '\0\0'

/** When this node first heard that a life of a record is over, or that it shall be over soon. */
export interface Death extends EndedLife {
  /** The age of the node then, ms. */
  readonly heardAt: number
}

/** All keys of a table or with a prefix: `gte` inclusive, `lt` exclusive. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/**
 * @returns the range of all keys that begin with `prefix`, whose last byte must be below 0xff
 */
export function rangeOf(prefix: Uint8Array): KeyRange {
  const last = prefix.at(-1)
  invariant(last !== undefined && last < 0xff, 'a key prefix must be extensible')
  const lt = Uint8Array.from(prefix)
  lt[lt.length - 1] = last + 1
  return { gte: prefix, lt }
}

export function tableRange(table: number): KeyRange {
  return rangeOf(Uint8Array.of(table))
}

export function schemaKey(): Uint8Array {
  return Uint8Array.of(TABLE_SCHEMA)
}

export function markerKey(slot: number): Uint8Array {
  return Uint8Array.of(TABLE_MARKER, slot >> 8, slot & 0xff)
}

/** Written with the record that has the format. */
export function formatRow(format: number): Row {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(format)
  return sealedRow(RECORD_FORMAT_KEY, payload)
}

/** @param value - undefined when there is no row */
export function formatFrom(value: Uint8Array | undefined): number {
  return value === undefined ? RECORD_FORMATS.min : openSealed(RECORD_FORMAT_KEY, value, 4).readUInt32BE(0)
}

export function deathKey(key: RecordKey): Uint8Array {
  return recordKeyAfter(1, key, TABLE_DEATH, 0)
}

export function deathRow(key: RecordKey, { heardAt, ...ended }: Death): Row {
  const payload = Buffer.alloc(DEATH_BYTES)
  payload.writeBigUInt64BE(BigInt(heardAt))
  payload.writeUInt32BE(endedNumber(ended), 8)
  return sealedRow(deathKey(key), payload)
}

/** @returns the life, with the highest of 32 bits set where it shall be purged */
export function endedNumber({ generation, isPurgeWanted }: EndedLife): number {
  return isPurgeWanted ? generation + PURGE_BIT : generation
}

/** Inverse of `deathRow`. @throws {@link DamageError} */
export function deathFrom(key: Uint8Array, value: Uint8Array): Death {
  const payload = openSealed(key, value, DEATH_BYTES)
  const ended = payload.readUInt32BE(8)
  const isPurgeWanted = ended >= PURGE_BIT
  return { heardAt: u64From(payload), generation: isPurgeWanted ? ended - PURGE_BIT : ended, isPurgeWanted }
}

/** @returns 12 bytes that sort by epoch and sequence */
export function volumeIdBytes(volume: VolumeId): Uint8Array {
  const parts = parseVolumeId(volume)
  invariant(parts !== undefined, 'a volume id must be well formed')
  const bytes = Buffer.alloc(VOLUME_ID_BYTES)
  bytes.set(actorIdBytes(parts.epoch))
  bytes.writeUInt32BE(parts.sequence, 8)
  return bytes
}

export function volumeIdFrom(bytes: Uint8Array): VolumeId {
  return volumeId(actorIdFrom(bytes.subarray(0, 8)), asBuffer(bytes).readUInt32BE(8))
}

export function appliedKey(volume: VolumeId): Uint8Array {
  return Buffer.concat([Uint8Array.of(TABLE_APPLIED), volumeIdBytes(volume)])
}

export function volumeOfAppliedKey(key: Uint8Array): VolumeId {
  if (key.length !== 1 + VOLUME_ID_BYTES) throw new DamageError('an applied row has a malformed key')
  return volumeIdFrom(key.subarray(1))
}

export function bucketKey(bucket: number): Uint8Array {
  return Uint8Array.of(TABLE_BUCKET, bucket >> 8, bucket & 0xff)
}

export function recordRowKey(key: RecordKey): Uint8Array {
  return recordKeyAfter(1, key, TABLE_RECORD, 0)
}

export function leafKey(bucket: number, key: RecordKey): Uint8Array {
  return recordKeyAfter(3, key, TABLE_LEAF, bucket)
}

/** Where a record is, or would be. */
export interface RecordPlace {
  readonly bucket: number
  /** Keys of its rows. */
  readonly record: Uint8Array
  readonly leaf: Uint8Array
}

export function placeOf(key: RecordKey): RecordPlace {
  const bucket = bucketOf(key)
  const record = recordRowKey(key)
  const leaf = Buffer.allocUnsafe(record.length + 2)
  leaf[0] = TABLE_LEAF
  leaf.writeUInt16BE(bucket, 1)
  leaf.set(record.subarray(1), 3)
  return { bucket, record, leaf }
}

/** @param format - of a record that this version cannot read */
export function opaqueRow(key: RecordKey, format: number): Row {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(format)
  return sealedRow(opaqueKey(key), payload)
}

export function opaqueKey(key: RecordKey): Uint8Array {
  return recordKeyAfter(1, key, TABLE_OPAQUE, 0)
}

/** @returns the format. @throws {@link DamageError} */
export function formatOfOpaqueRow(key: Uint8Array, value: Uint8Array): number {
  return openSealed(key, value, 4).readUInt32BE(0)
}

export function opaqueRange(): KeyRange {
  return tableRange(TABLE_OPAQUE)
}

/** @returns the key of the record whose opaque row this is */
export function recordRowKeyOfOpaque(rowKey: Uint8Array): Uint8Array {
  const key = Uint8Array.from(rowKey)
  key[0] = TABLE_RECORD
  return key
}

/** @param record - the data of a record needle */
export function verbatimKey(record: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(TABLE_VERBATIM), hash('sha256', record, 'buffer').subarray(0, DIGEST_BYTES)])
}

export function verbatimRange(): KeyRange {
  return tableRange(TABLE_VERBATIM)
}

export function bucketOfLeafKey(key: Uint8Array): number {
  return asBuffer(key).readUInt16BE(1)
}

/** @returns the range of the leaves of some buckets in a row */
export function leafRange(first: number, last: number): KeyRange {
  const next = last + 1
  return {
    gte: Uint8Array.of(TABLE_LEAF, first >> 8, first & 0xff),
    lt: next > 0xffff ? Uint8Array.of(TABLE_LEAF + 1) : Uint8Array.of(TABLE_LEAF, next >> 8, next & 0xff)
  }
}

/** @returns the range of all records, or of one kind */
export function recordRange(kind?: string): KeyRange {
  return kind === undefined ? tableRange(TABLE_RECORD) : rangeOf(textKey(TABLE_RECORD, kind, true))
}

/** @throws {@link DamageError} when the bytes after the table (and the bucket of a leaf) are not a record key */
export function recordKeyFrom(rowKey: Uint8Array): RecordKey {
  const bytes = asBuffer(rowKey)
  const start = bytes[0] === TABLE_LEAF ? 3 : 1
  const end = bytes.indexOf(TEXT_END, start, 'latin1')
  if (end < 0) throw new DamageError('the kind in a record key is not terminated')
  const kind = bytes.toString('utf8', start, end).replaceAll('\0\x01', '\0')
  const id = bytes.subarray(end + 3)
  return { kind, id: bytes[end + 2] === UUID_FORM ? uuidFrom(id) : id.toString('utf8') }
}

export interface Row {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** A part of a batch. */
export type Operation = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array }

/** @returns a row whose value is the payload parts and the checksum of key and payload */
export function sealedRow(key: Uint8Array, ...payload: readonly Uint8Array[]): Row {
  let end = key.length
  for (const part of payload) end += part.length
  const bytes = Buffer.allocUnsafe(end + SEAL_BYTES)
  bytes.set(key)
  let at = key.length
  for (const part of payload) {
    bytes.set(part, at)
    at += part.length
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end)
  return { key: bytes.subarray(0, key.length), value: bytes.subarray(key.length) }
}

/**
 * @param payloadBytes - the exact length of the payload, if it is fixed
 * @returns the payload, as a view of `value`
 * @throws {@link DamageError} when the checksum or the length is wrong
 */
export function openSealed(key: Uint8Array, value: Uint8Array, payloadBytes?: number): Buffer {
  const end = value.length - SEAL_BYTES
  if (end < 0 || (payloadBytes !== undefined && end !== payloadBytes))
    throw new DamageError('a row has the wrong length')
  const bytes = asBuffer(value)
  const payload = bytes.subarray(0, end)
  if (crc32(payload, crc32(key)) !== bytes.readUInt32BE(end)) throw new DamageError('a row does not match its checksum')
  return payload
}

export function u64(value: number | bigint): Uint8Array {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

export function u64From(bytes: Buffer): number {
  return Number(bytes.readBigUInt64BE(0))
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** @param closed - whether the text ends here; else the key is the beginning of those of all texts that begin so */
export function textKey(table: number, text: string, closed: boolean): Uint8Array {
  return Buffer.from(String.fromCharCode(table) + escapedText(text) + (closed ? TEXT_END : ''))
}

function escapedText(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\0\x01') : text
}

/** Inverse of `textKey`. @param end - where the bytes behind the text begin. @throws {@link DamageError} */
export function textOfKey(key: Uint8Array, end: number): string {
  if (end - TEXT_END.length < 1) throw new DamageError('an index row is too short')
  return asBuffer(key)
    .toString('utf8', 1, end - TEXT_END.length)
    .replaceAll('\0\x01', '\0')
}

/** Writes table, bucket (if `prefixBytes` is 3) and record key in one allocation. */
function recordKeyAfter(prefixBytes: 1 | 3, key: RecordKey, table: number, bucket: number): Uint8Array {
  const kind = escapedText(key.kind)
  const kindBytes = Buffer.byteLength(kind)
  const uuid = parsePhotoId(key.id)
  // Only the canonical spelling may be packed: another spelling is a different id.
  const packed = uuid !== undefined && uuid === key.id ? photoIdBytes(uuid) : undefined
  const id = packed ?? Buffer.from(key.id)
  const bytes = Buffer.allocUnsafe(prefixBytes + kindBytes + 3 + id.length)
  bytes[0] = table
  if (prefixBytes === 3) bytes.writeUInt16BE(bucket, 1)
  bytes.write(kind, prefixBytes)
  bytes.fill(0, prefixBytes + kindBytes, prefixBytes + kindBytes + 2)
  bytes[prefixBytes + kindBytes + 2] = packed === undefined ? TEXT_FORM : UUID_FORM
  bytes.set(id, prefixBytes + kindBytes + 3)
  return bytes
}

function uuidFrom(id: Uint8Array): PhotoId {
  if (id.length !== 16) throw new DamageError('a record key has a malformed id')
  return photoIdFrom(id)
}
