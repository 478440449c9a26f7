/*
 * The needle: one blob, chunk, manifest or record in a volume file. Format version 1, all integers little-endian.
 *
 *   offset  bytes  field
 *        0      4  magic 'SHND'
 *        4      1  version, 1
 *        5      1  kind: 1 data, 2 record, 3 manifest, 4 graves
 *        6      2  flags: bit 0 = a chunk, useless without its manifest; other bits 0 when written, kept when read
 *        8     16  id: of the photo; of other records the first 16 bytes of SHA-256(kind, 0x00, id); of graves those of
                  SHA-256(data), see graves.ts
 *       24     16  cookie; zeros where there is none
 *       40      4  generation
 *       44      4  alternate key: 0 original; else `alternateKeyOf` in photo.ts
 *       48      4  chunk, from 0
 *       52      4  length of the data, bytes, at most NEEDLE_DATA_BYTES_MAX
 *       56      4  durable end of the volume when the needle was written, bytes / 8; 0: not known
 *       60      4  header checksum
 *       64 length  data
 *        …    4 n  block checksums, n = ⌈length / 65536⌉, one per 64 KiB block of data; the last block may be shorter
 *        …      4  footer checksum
 *        …    0–7  zeros up to the next multiple of 8, where the next needle starts
 *
 * Checksums are CRC-32 (IEEE 802.3, as in zlib), each continued from a seed, so that correct bytes in the wrong place do
 * not pass. With V = CRC-32(epoch as 8 bytes, sequence as 4 bytes) of the volume:
 *
 *   header  bytes [0, 60) of the header, from V xor (offset of the needle / 8). A needle from another volume or offset,
 *           or one inside an uploaded file, is never mistaken for the needle at this place.
 *   block k the block's bytes, from CRC-32(id, generation, alternate key, chunk, kind, each number as 4 bytes) xor k.
 *           The place is not included: block checksums survive compaction and verify a range that a peer sent.
 *   footer  bytes [0, 60) of the header and then all block checksums, from the header's seed. The header checksum
 *           is left out: the CRC of any message followed by its own CRC is a constant, so a footer over all 64 bytes
 *           would not depend on the header.
 *
 * Different seeds give the same bytes different checksums (CRC is a bijection of its seed), so a needle moved within its
 * volume, or a block moved within its needle, is always rejected, not just probably.
 * These are checksums, not signatures: they detect accidents, not a forger with write access to the volume file.
 *
 * The durable end tells a reader whether damage before the needle hit durable data or is the rest of a write that a crash
 * interrupted. It is at most the needle's own offset.
 *
 * Valid: magic, version, kind, length, durable end, all checksums and the zeros as above. Anything that needs other rules
 * (a new version, a new kind) raises the format of the superblock, which a reader checks first.
 */
import { hash } from 'node:crypto'
import { crc32 } from '@node-rs/crc32'
import { invariant } from '../core/invariant.js'
import { actorIdBytes, parsePhotoId, parseVolumeId, photoIdBytes, type VolumeId } from './ids.js'

export const NEEDLE_HEADER_BYTES = 64
export const NEEDLE_ALIGN = 8
/** Bytes of data under one checksum: to verify any byte, its whole block must be read. */
export const BLOCK_BYTES = 65_536
/** 64 MiB, eight times the usual chunk: bounds what a header can make a reader allocate. */
export const NEEDLE_DATA_BYTES_MAX = 1 << 26
/** 32 GiB: below it, offset / 8 fits the 32 bits of a seed and of an index slot. */
export const VOLUME_BYTES_MAX = 2 ** 32 * NEEDLE_ALIGN
/** The first bytes of every needle; after damage, a scan searches for them. */
export const NEEDLE_MAGIC_BYTES: Uint8Array = Buffer.from('SHND', 'latin1')
/** Flag of data needles that are one chunk of a larger blob. */
export const FLAG_CHUNK = 1
/** Length of a chained digest; before the first needle it is all zeros. */
export const CHAIN_DIGEST_BYTES = 16

const MAGIC = 0x444e4853 // NEEDLE_MAGIC_BYTES, read little-endian
const VERSION = 1
const CHECKED_HEADER_BYTES = 60
const KINDS = [undefined, 'data', 'record', 'manifest', 'graves'] as const

export type NeedleKind = Exclude<(typeof KINDS)[number], undefined>

/** Whether the directory merges what such needles hold. */
export function isOfDirectory(kind: NeedleKind): boolean {
  return kind === 'record' || kind === 'graves'
}

/** Names the content of a needle, independent of its place. The numbers are unsigned and have 32 bits. */
export interface NeedleIdentity {
  readonly kind: NeedleKind
  /** 16 bytes: `photoIdBytes`, or `recordNeedleId` for records. */
  readonly id: Uint8Array
  readonly generation: number
  readonly alternateKey: number
  readonly chunk: number
}

export interface NeedleHeader extends NeedleIdentity {
  readonly flags: number
  /** 16 bytes. */
  readonly cookie: Uint8Array
  /** Bytes of data, 0…NEEDLE_DATA_BYTES_MAX. */
  readonly length: number
}

/** @returns V of the table above: compute it once per volume */
export function volumeSeed(volume: VolumeId): number {
  const parsed = parseVolumeId(volume)
  invariant(parsed !== undefined, `${volume} is no volume id`)
  const bytes = Buffer.alloc(12)
  bytes.set(actorIdBytes(parsed.epoch))
  bytes.writeUInt32LE(parsed.sequence, 8)
  return crc32(bytes)
}

/** @returns the size in the volume of a needle with `length` bytes of data, padding included; a multiple of 8 */
export function needleBytes(length: number): number {
  const used = NEEDLE_HEADER_BYTES + length + footerBytes(length)
  return used + padding(used)
}

/** @returns bytes of the block checksums and the footer checksum, without padding */
export function footerBytes(length: number): number {
  return 4 * blockCount(length) + 4
}

/**
 * @param offset - where the needle starts in the volume; a multiple of 8 below VOLUME_BYTES_MAX
 * @param durableTo - durable end of the volume now; a multiple of 8, at most `offset`
 */
export function encodeHeader(header: NeedleHeader, seed: number, offset: number, durableTo = 0): Uint8Array {
  invariant(offset % NEEDLE_ALIGN === 0 && offset < VOLUME_BYTES_MAX, `no needle can start at ${offset}`)
  invariant(durableTo % NEEDLE_ALIGN === 0 && durableTo <= offset, `${durableTo} is not durable before ${offset}`)
  const bytes = Buffer.allocUnsafe(NEEDLE_HEADER_BYTES)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes[4] = VERSION
  bytes[5] = kindNumber(header.kind)
  bytes.writeUInt16LE(header.flags, 6)
  setExactly(bytes, header.id, 8)
  setExactly(bytes, header.cookie, 24)
  bytes.writeUInt32LE(header.generation, 40)
  bytes.writeUInt32LE(header.alternateKey, 44)
  bytes.writeUInt32LE(header.chunk, 48)
  invariant(header.length <= NEEDLE_DATA_BYTES_MAX, `a needle of ${header.length} bytes is too long`)
  bytes.writeUInt32LE(header.length, 52)
  bytes.writeUInt32LE(durableTo / NEEDLE_ALIGN, 56)
  bytes.writeUInt32LE(headerChecksum(bytes, seed, offset), 60)
  return bytes
}

/**
 * @param bytes - at least 64, read at `offset` of the volume with that seed
 * @returns the header, with id and cookie as views of `bytes`; undefined unless it is valid at this place
 */
export function decodeHeader(bytes: Uint8Array, seed: number, offset: number): NeedleHeader | undefined {
  if (bytes.length < NEEDLE_HEADER_BYTES) return undefined
  const view = asBuffer(bytes)
  // The magic first: it is cheap, and a scan after damage tries many offsets.
  if (view.readUInt32LE(0) !== MAGIC || view.readUInt32LE(60) !== headerChecksum(view, seed, offset)) return undefined
  const kind = KINDS[view.readUInt8(5)]
  const length = view.readUInt32LE(52)
  if (view.readUInt8(4) !== VERSION || kind === undefined || durableTo(bytes) > offset) return undefined
  if (length > NEEDLE_DATA_BYTES_MAX) return undefined
  return {
    kind,
    flags: view.readUInt16LE(6),
    id: bytes.subarray(8, 24),
    cookie: bytes.subarray(24, 40),
    generation: view.readUInt32LE(40),
    alternateKey: view.readUInt32LE(44),
    chunk: view.readUInt32LE(48),
    length
  }
}

/** @returns the durable end in a valid header, bytes; 0: not known */
export function durableTo(encodedHeader: Uint8Array): number {
  return asBuffer(encodedHeader).readUInt32LE(56) * NEEDLE_ALIGN
}

/** @returns one checksum per block of the whole data, for the footer */
export function blockChecksums(identity: NeedleIdentity, data: Uint8Array): Uint32Array {
  const seed = identitySeed(identity)
  const checksums = new Uint32Array(blockCount(data.length))
  if (checksums.length === 1) {
    checksums[0] = crc32(data, seed)
    return checksums
  }
  for (let block = 0; block < checksums.length; block++) {
    const bytes = data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    checksums[block] = crc32(bytes, (seed ^ block) >>> 0)
  }
  return checksums
}

/** @param bytes - the whole block: BLOCK_BYTES, fewer in the last one */
export function blockIntact(identity: NeedleIdentity, block: number, bytes: Uint8Array, checksum: number): boolean {
  return crc32(bytes, (identitySeed(identity) ^ block) >>> 0) === checksum
}

/**
 * @param encodedHeader - from `encodeHeader` with the same seed and offset
 * @returns everything after the data: block checksums, footer checksum and padding
 */
export function encodeFooter(
  encodedHeader: Uint8Array,
  blockChecksums: Uint32Array,
  seed: number,
  offset: number
): Uint8Array {
  const length = dataLength(encodedHeader)
  invariant(blockChecksums.length === blockCount(length), 'the block checksums are not those of the header')
  const footer = Buffer.alloc(needleBytes(length) - NEEDLE_HEADER_BYTES - length)
  let end = 0
  for (const checksum of blockChecksums) end = footer.writeUInt32LE(checksum, end)
  footer.writeUInt32LE(crc32(footer.subarray(0, end), headerChecksum(encodedHeader, seed, offset)), end)
  return footer
}

/**
 * @param encodedHeader - 64 bytes that `decodeHeader` accepted
 * @param footer - everything after the data, padding included
 * @returns the block checksums; undefined unless footer and padding are intact and belong to this header
 */
export function checkFooter(
  encodedHeader: Uint8Array,
  footer: Uint8Array,
  seed: number,
  offset: number
): Uint32Array | undefined {
  const length = dataLength(encodedHeader)
  if (footer.length !== needleBytes(length) - NEEDLE_HEADER_BYTES - length) return undefined
  const view = asBuffer(footer)
  const end = 4 * blockCount(length)
  const checksum = crc32(view.subarray(0, end), headerChecksum(encodedHeader, seed, offset))
  if (view.readUInt32LE(end) !== checksum) return undefined
  for (let at = end + 4; at < view.length; at++) if (view[at] !== 0) return undefined
  const checksums = new Uint32Array(end / 4)
  for (let block = 0; block < checksums.length; block++) checksums[block] = view.readUInt32LE(4 * block)
  return checksums
}

/**
 * One step of the chained digest over a volume's footers. A head is (length, chained digest up to there).
 *
 * @param previous - 16 bytes; zeros before the first needle
 * @param footer - as stored in the volume, padding included
 * @returns the first 16 bytes of SHA-256(previous, footer)
 */
export function chainDigest(previous: Uint8Array, footer: Uint8Array): Uint8Array {
  invariant(previous.length === CHAIN_DIGEST_BYTES, `a chain digest has ${CHAIN_DIGEST_BYTES} bytes`)
  return hash('sha256', Buffer.concat([previous, footer]), 'buffer').subarray(0, CHAIN_DIGEST_BYTES)
}

/** @returns the 16-byte id of the record's needles: a photo's own id, else a digest of kind and id */
export function recordNeedleId(key: { readonly kind: string; readonly id: string }): Uint8Array {
  const photo = key.kind === 'photo' ? parsePhotoId(key.id) : undefined
  return photo === undefined ? hash('sha256', `${key.kind}\0${key.id}`, 'buffer').subarray(0, 16) : photoIdBytes(photo)
}

function headerChecksum(header: Uint8Array, seed: number, offset: number): number {
  return crc32(header.subarray(0, CHECKED_HEADER_BYTES), (seed ^ (offset / NEEDLE_ALIGN)) >>> 0)
}

function identitySeed(identity: NeedleIdentity): number {
  const bytes = Buffer.allocUnsafe(32)
  setExactly(bytes, identity.id, 0)
  bytes.writeUInt32LE(identity.generation, 16)
  bytes.writeUInt32LE(identity.alternateKey, 20)
  bytes.writeUInt32LE(identity.chunk, 24)
  bytes.writeUInt32LE(kindNumber(identity.kind), 28)
  return crc32(bytes)
}

/** An id of another length would overwrite the next field or leave stale bytes of the buffer pool. */
function setExactly(into: Buffer, id: Uint8Array, at: number): void {
  invariant(id.length === 16, `an id or cookie of ${id.length} bytes instead of 16`)
  into.set(id, at)
}

function kindNumber(kind: NeedleKind): number {
  return KINDS.indexOf(kind)
}

function blockCount(length: number): number {
  return Math.ceil(length / BLOCK_BYTES)
}

function padding(used: number): number {
  return -used & (NEEDLE_ALIGN - 1)
}

function dataLength(encodedHeader: Uint8Array): number {
  return asBuffer(encodedHeader).readUInt32LE(52)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
