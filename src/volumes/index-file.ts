/*
 * The index file of a volume ("<volume>.index"): the result of scanning the volume, so that a start need not scan. It is a
 * cache, written without sync; whatever it lacks is found by scanning the volume. Format 1, all integers little-endian.
 *
 *   header, once
 *
 *   offset  bytes  field
 *        0      8  magic 'SHEAFIDX'
 *        8      4  format, 1
 *       12      4  CRC-32 of bytes [0, 12), continued from the CRC-32 of the volume id's text: binds the file to its volume
 *
 *   segment, repeated; covers the volume from the end of the previous segment (the first: from the superblock's end)
 *
 *   offset  bytes  field
 *        0      4  magic 'SEGM'
 *        4      4  number of rows, n
 *        8      8  end of the covered part of the volume, bytes
 *       16     16  chained digest of the needle footers up to there
 *       32      4  reserved, 0
 *       36      4  CRC-32 of bytes [0, 36) and all rows
 *       40   40 n  rows: needles first, then holes
 *
 *   row
 *
 *   offset  bytes  field
 *        0     16  id; 0 in a hole, as are the next three fields
 *       16      4  generation
 *       20      4  alternate key
 *       24      4  chunk
 *       28      4  needle: length of the data; hole: bytes / 8
 *       32      4  offset / 8
 *       36      1  kind: 1 data, 2 record, 3 manifest, 4 graves, 254 repaired hole, 255 hole
 *       37      1  1 if the needle is a chunk of a larger blob, else 0
 *       38      2  reserved, 0
 *
 * Valid: the longest prefix of complete segments with the right magic and checksum, known kinds in this order, and ends that
 * never decrease. If the header is not exactly as above, nothing is valid. Reserved bytes are ignored when read.
 */
import { crc32 } from '@node-rs/crc32'
import { invariant } from '../core/invariant.js'
import type { VolumeId } from '../domain/ids.js'
import {
  CHAIN_DIGEST_BYTES,
  FLAG_CHUNK,
  NEEDLE_ALIGN,
  type NeedleHeader,
  type NeedleIdentity,
  needleBytes
} from '../domain/needle.js'

const HEADER_BYTES = 16
const SEGMENT_HEADER_BYTES = 40
const INDEX_ROW_BYTES = 40
const MAGIC = new Uint8Array(Buffer.from('SHEAFIDX'))
const SEGMENT_MAGIC = 0x4d47_4553
const FORMAT = 1
const KINDS = { 1: 'data', 2: 'record', 3: 'manifest', 4: 'graves' } as const
const KIND_NUMBERS = { data: 1, record: 2, manifest: 3, graves: 4 } as const
const HOLE = 255
const HOLE_REPAIRED = 254

/** A needle as the index lists it. */
export interface NeedleRow extends NeedleIdentity {
  readonly kind: NeedleHeader['kind']
  readonly isChunk: boolean
  readonly offset: number
  readonly length: number
}

/** A damaged range of a volume, [from, to) in bytes; both ends are needle boundaries. */
export interface HoleRange {
  readonly from: number
  readonly to: number
}

/** Rows of a segment. Those of a file are decoded lazily: a million objects at once would take too much memory. */
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
  /** Where the next segment goes; anything after it is invalid. 0: the file has no valid header. */
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

/** Decodes the valid prefix of an index file; damage shortens the result and never throws. */
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
 * Lists each needle once, in the order of the volume. The needles of a repaired range are in a later segment than their
 * neighbors, and also in an earlier one if they were known before the damage.
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

/** @returns where the last needle begins that the segments list at or before `offset`; undefined when they list none */
export function needleBefore(segments: readonly IndexSegment[], offset: number): number | undefined {
  let last: number | undefined
  for (let i = segments.length - 1; i >= 0; i--) {
    const { needles, repaired } = segments[i] as IndexSegment
    const inOrder = repaired.length === 0
    const from = segments[i - 1]?.to ?? 0
    if (inOrder && from > offset) continue
    for (const row of needles) {
      if (row.offset <= offset) last = Math.max(row.offset, last ?? 0)
      else if (inOrder) break
    }
    if (last !== undefined && last >= from && from <= offset) break // earlier segments end before it
  }
  return last
}

/** @returns the ranges, widened to whole needles where an edge is within one: earlier versions noted such holes */
export function toWholeNeedles(ranges: readonly HoleRange[], segments: readonly IndexSegment[]): HoleRange[] {
  const edges = [...new Set(ranges.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b)
  const cut = new Map<number, HoleRange>()
  let next = 0
  for (const rows of edges.length === 0 ? [] : needlesInOrder(segments)) {
    for (const { offset, length } of rows) {
      const end = offset + needleBytes(length)
      for (let edge = edges[next]; edge !== undefined && edge < end; edge = edges[++next]) {
        if (edge > offset) cut.set(edge, { from: offset, to: end })
      }
    }
  }
  return ranges.map(({ from, to }) => ({ from: cut.get(from)?.from ?? from, to: cut.get(to)?.to ?? to }))
}

/** @returns the needles that are out of order, sorted by offset */
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

/** @returns undefined when a row has an unknown kind, or a needle follows a hole */
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
