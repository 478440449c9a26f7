/*
 * The index file of a volume ("<volume>.index"): what a scan of the volume would find, so that a start need not scan.
 * It is a cache: written without sync, checked by checksums, and whatever it lacks is found by scanning the volume.
 *
 *   offset bytes field                                             (little-endian)
 *   header, once
 *        0     8 magic 'SHEAFIDX'
 *        8     4 format, 1
 *       12     4 checksum: CRC-32 of the volume id's text (binds the file to its volume) over the 12 bytes before
 *   segment, repeated; each covers the volume from where the previous one ended (the first: from the superblock's end)
 *        0     4 magic 'SEGM'
 *        4     4 rows
 *        8     8 `to`: the volume is covered up to here (exclusive)
 *       16    16 chained digest of the needle footers up to `to`
 *       32     4 reserved, 0
 *       36     4 checksum: CRC-32 over the 36 bytes before and all rows
 *       40  40·n rows
 *   row; needles first
 *        0    16 id
 *       16     4 generation
 *       20     4 alternate key
 *       24     4 chunk
 *       28     4 length of the data; of a hole: bytes / 8
 *       32     4 offset / 8
 *       36     1 kind: 1 data, 2 record, 3 manifest, 255 hole, 254 hole repaired
 *       37     1 1 if the needle is a chunk of a larger blob
 *       38     2 zero
 *
 * Valid is the longest prefix of whole segments with right checksums. `to` never falls.
 */
import { crc32 } from '@node-rs/crc32'
import { invariant } from '../core/invariant.js'
import type { VolumeId } from '../domain/ids.js'
import {
  CHAIN_DIGEST_BYTES,
  FLAG_CHUNK,
  NEEDLE_ALIGN,
  type NeedleHeader,
  type NeedleIdentity
} from '../domain/needle.js'

const HEADER_BYTES = 16
const SEGMENT_HEADER_BYTES = 40
const INDEX_ROW_BYTES = 40
const MAGIC = new Uint8Array(Buffer.from('SHEAFIDX'))
const SEGMENT_MAGIC = 0x4d47_4553
const FORMAT = 1
const KINDS = { 1: 'data', 2: 'record', 3: 'manifest' } as const
const KIND_NUMBERS = { data: 1, record: 2, manifest: 3 } as const
const HOLE = 255
const HOLE_REPAIRED = 254

/** A needle as the index knows it. */
export interface NeedleRow extends NeedleIdentity {
  readonly kind: NeedleHeader['kind']
  readonly isChunk: boolean
  readonly offset: number
  readonly length: number
}

/** A damaged range of a volume, [from, to) in bytes; needle boundaries on both sides. */
export interface HoleRange {
  readonly from: number
  readonly to: number
}

/** Rows of a segment. Read from a file they are made as they are asked for: a million at once would be a burden. */
export interface NeedleRows extends Iterable<NeedleRow> {
  readonly length: number
}

export interface IndexSegment {
  readonly to: number
  readonly chain: Uint8Array
  readonly needles: NeedleRows
  readonly holes: readonly HoleRange[]
  readonly repaired: readonly HoleRange[]
}

export interface IndexFileContent {
  readonly segments: IndexSegment[]
  /** Where the next segment goes; what stands after it is worthless. 0: the file has no valid header. */
  readonly validBytes: number
}

export function encodeIndexHeader(volume: VolumeId): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.set(MAGIC)
  bytes.writeUInt32LE(FORMAT, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12), crc32(volume)), 12)
  return bytes
}

export function encodeIndexSegment(segment: IndexSegment): Uint8Array {
  const { to, chain, needles, holes, repaired } = segment
  invariant(chain.byteLength === CHAIN_DIGEST_BYTES, 'a chained digest has 16 bytes')
  const rowCount = needles.length + holes.length + repaired.length
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES + rowCount * INDEX_ROW_BYTES)
  bytes.writeUInt32LE(SEGMENT_MAGIC, 0)
  bytes.writeUInt32LE(rowCount, 4)
  bytes.writeBigUInt64LE(BigInt(to), 8)
  bytes.set(chain, 16)
  let at = SEGMENT_HEADER_BYTES
  for (const needle of needles) {
    bytes.set(needle.id, at)
    bytes.writeUInt32LE(needle.generation, at + 16)
    bytes.writeUInt32LE(needle.alternateKey, at + 20)
    bytes.writeUInt32LE(needle.chunk, at + 24)
    bytes.writeUInt32LE(needle.length, at + 28)
    bytes.writeUInt32LE(needle.offset / NEEDLE_ALIGN, at + 32)
    bytes[at + 36] = KIND_NUMBERS[needle.kind]
    bytes[at + 37] = needle.isChunk ? FLAG_CHUNK : 0
    at += INDEX_ROW_BYTES
  }
  const writeRanges = (ranges: readonly HoleRange[], kind: number): void => {
    for (const { from, to: end } of ranges) {
      bytes.writeUInt32LE((end - from) / NEEDLE_ALIGN, at + 28)
      bytes.writeUInt32LE(from / NEEDLE_ALIGN, at + 32)
      bytes[at + 36] = kind
      at += INDEX_ROW_BYTES
    }
  }
  writeRanges(holes, HOLE)
  writeRanges(repaired, HOLE_REPAIRED)
  bytes.writeUInt32LE(segmentChecksum(bytes), 36)
  return bytes
}

/** Reads what is valid of an index file; never throws on damage, which only shortens the result. */
export function decodeIndexFile(volume: VolumeId, file: Uint8Array): IndexFileContent {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const header = encodeIndexHeader(volume)
  if (bytes.byteLength < HEADER_BYTES || !bytes.subarray(0, HEADER_BYTES).equals(header)) {
    return { segments: [], validBytes: 0 }
  }
  const segments: IndexSegment[] = []
  let at = HEADER_BYTES
  let covered = 0
  while (at + SEGMENT_HEADER_BYTES <= bytes.byteLength) {
    const rowCount = bytes.readUInt32LE(at + 4)
    const end = at + SEGMENT_HEADER_BYTES + rowCount * INDEX_ROW_BYTES
    if (bytes.readUInt32LE(at) !== SEGMENT_MAGIC || end > bytes.byteLength) break
    const raw = bytes.subarray(at, end)
    if (segmentChecksum(raw) !== raw.readUInt32LE(36)) break
    const segment = decodeSegment(raw)
    if (segment === undefined || segment.to < covered) break
    covered = segment.to
    segments.push(segment)
    at = end
  }
  return { segments, validBytes: at }
}

/**
 * Lists needles as they stand in the volume, each once. A range that was repaired has its needles in a segment behind
 * those of its neighbours, and in an earlier one, too, when they were known before the damage.
 */
export function* needlesInOrder(segments: readonly IndexSegment[]): Generator<readonly NeedleRow[]> {
  const late = lateNeedles(segments)
  let last = 0
  let next = 0
  for (const { needles, to } of segments) {
    const rows: NeedleRow[] = []
    const take = (row: NeedleRow): void => {
      if (row.offset <= last) return
      rows.push(row)
      last = row.offset
    }
    const takeLate = (end: number): void => {
      for (let row = late[next]; row !== undefined && row.offset < end; row = late[++next]) take(row)
    }
    for (const row of needles) {
      takeLate(row.offset)
      take(row)
    }
    takeLate(to)
    yield rows
  }
}

/** @returns what does not stand where it should, ascending */
function lateNeedles(segments: readonly IndexSegment[]): NeedleRow[] {
  if (segments.every(({ repaired }) => repaired.length === 0)) return []
  const late: NeedleRow[] = []
  let last = 0
  let covered = 0
  for (const { needles, to } of segments) {
    for (const row of needles) {
      if (row.offset <= last || row.offset < covered) late.push(row)
      else last = row.offset
    }
    covered = to
  }
  return late.sort((a, b) => a.offset - b.offset)
}

function segmentChecksum(segment: Buffer): number {
  return crc32(segment.subarray(SEGMENT_HEADER_BYTES), crc32(segment.subarray(0, 36)))
}

/** @returns undefined when a row is of a kind that this version does not know */
function decodeSegment(bytes: Buffer): IndexSegment | undefined {
  const holes: HoleRange[] = []
  const repaired: HoleRange[] = []
  let rowCount = 0
  for (let at = SEGMENT_HEADER_BYTES; at < bytes.byteLength; at += INDEX_ROW_BYTES) {
    const kind = bytes[at + 36] as number
    if (kind in KINDS) {
      if (holes.length + repaired.length > 0) return undefined // needles come first
      rowCount++
      continue
    }
    if (kind !== HOLE && kind !== HOLE_REPAIRED) return undefined
    const from = bytes.readUInt32LE(at + 32) * NEEDLE_ALIGN
    const range = { from, to: from + bytes.readUInt32LE(at + 28) * NEEDLE_ALIGN }
    if (kind === HOLE) holes.push(range)
    else repaired.push(range)
  }
  const needles: NeedleRows = {
    length: rowCount,
    *[Symbol.iterator]() {
      for (let row = 0; row < rowCount; row++) yield decodeRow(bytes, SEGMENT_HEADER_BYTES + row * INDEX_ROW_BYTES)
    }
  }
  return { to: Number(bytes.readBigUInt64LE(8)), chain: bytes.subarray(16, 32), needles, holes, repaired }
}

function decodeRow(bytes: Buffer, at: number): NeedleRow {
  return {
    kind: KINDS[bytes[at + 36] as keyof typeof KINDS],
    id: bytes.subarray(at, at + 16),
    generation: bytes.readUInt32LE(at + 16),
    alternateKey: bytes.readUInt32LE(at + 20),
    chunk: bytes.readUInt32LE(at + 24),
    isChunk: bytes[at + 37] === FLAG_CHUNK,
    offset: bytes.readUInt32LE(at + 32) * NEEDLE_ALIGN,
    length: bytes.readUInt32LE(at + 28)
  }
}
