import { hasCode } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import { chainDigest, NEEDLE_ALIGN, needleBytes } from '../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import type { HoleRange, NeedleRow } from './index-file.js'
import type { CommitGroup, CommittedNeedle } from './needle-store.js'
import { rowOf, type Volume, without } from './volume.js'

/** Bounds on one replayed group. */
const REPLAY_NEEDLES_MAX = 1000
const REPLAY_BYTES_MAX = 4 * 1024 * 1024
const TAIL_PIECE_BYTES = 1024 * 1024

/** What recovery found in one volume. */
export interface VolumeRecovery {
  /** Needles that the index file knew, and those that had to be found by scanning. */
  readonly indexedNeedles: number
  readonly scannedNeedles: number
  /** Bytes of a write that a crash cut short: never acknowledged, cut off. */
  readonly tornBytes: number
}

/**
 * Brings a volume that an earlier process left back to what its log says: index file first, then a scan from where that
 * ends. Every needle found is handed to `index`.
 *
 * @param applied - the directory has applied the log up to here, so it was durable then
 * @param fileBytes - size of the file
 */
export async function recoverVolume(
  volume: Volume,
  applied: number,
  fileBytes: number,
  log: Logger,
  index: (needles: readonly NeedleRow[]) => void
): Promise<VolumeRecovery> {
  const content = await volume.loadIndex()
  let size = fileBytes
  let holes: HoleRange[] = []
  let readableTo = size
  let indexedNeedles = 0
  for (const segment of content.segments) {
    index(segment.needles)
    for (const row of segment.needles) {
      if (row.offset + needleBytes(row.length) > size) readableTo = Math.min(readableTo, row.offset)
    }
    holes = holes.flatMap(hole =>
      segment.repaired.reduce<HoleRange[]>((left, range) => left.flatMap(part => without(part, range)), [hole])
    )
    holes.push(...segment.holes)
    indexedNeedles += segment.needles.length
    volume.chain = segment.chain
  }
  const covered = content.segments.at(-1)?.to ?? SUPERBLOCK_BYTES
  volume.end = covered
  volume.needleCount = indexedNeedles
  volume.resumeIndex(content, holes)

  // Below `knownEnd` everything was durable once: what is not there now is damage. Beyond it may stand a torn write.
  const knownEnd = Math.max(covered, applied)
  size = await persistTail(volume, knownEnd, size, log)
  if (covered > size) volume.noteHole({ from: readableTo - (readableTo % NEEDLE_ALIGN), to: covered }, 'corrupt')
  let scannedNeedles = 0
  let tornBytes = 0
  for await (const event of volume.scan(Math.min(covered, Math.max(size, SUPERBLOCK_BYTES)), applied, knownEnd, size)) {
    if (event.kind === 'needle') {
      const row = rowOf(event.header, event.offset)
      index([row])
      volume.noteNeedle(row)
      volume.chain = chainDigest(volume.chain, event.footer)
      volume.end = event.offset + needleBytes(event.header.length)
      scannedNeedles++
    } else if (event.kind === 'hole') {
      volume.noteHole(event, event.reason)
      volume.end = Math.max(volume.end, event.to)
    } else {
      tornBytes = event.to - event.from
      await volume.file.truncate(event.from).catch(err => {
        log.warn({ err, volume: volume.id }, 'could not cut a torn tail; it stays, unused')
      })
    }
  }
  await volume.flushIndex()
  return { indexedNeedles, scannedNeedles, tornBytes }
}

/**
 * Makes durable what the last process wrote and perhaps never synced, before anything of it counts: it may be seen from
 * now on, so it must not go with the next loss of power. A sync alone is not enough, because after one that failed the
 * kernel calls pages clean that never reached the disk; so they are written again, in place.
 *
 * @returns up to where the file may be believed: its size, or `from` when the disk refuses, and what follows stays unread
 * @see Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020
 */
async function persistTail(volume: Volume, from: number, size: number, log: Logger): Promise<number> {
  const { file } = volume
  try {
    for (let at = from; at < size; ) {
      const bytes = new Uint8Array(Math.min(TAIL_PIECE_BYTES, size - at))
      const read = await file.read(bytes, at)
      if (read === 0) break
      const written = await file.write([bytes.subarray(0, read)], at)
      if (written !== read) throw new Error(`wrote ${written} of ${read} bytes`)
      at += read
    }
    if (from < size) await file.sync()
    return size
  } catch (err) {
    log.warn({ err, volume: volume.id, from, to: size }, 'could not make the tail of a volume durable; it is left out')
    return Math.min(from, size)
  }
}

/**
 * Hands the part of a volume's log that the directory lacks to `commit`, in order.
 *
 * @returns needles handed over
 */
export async function replayVolume(
  volume: Volume,
  applied: number,
  commit: (group: CommitGroup) => Promise<void>
): Promise<number> {
  if (applied >= volume.end) return 0
  let from = applied
  let needles: CommittedNeedle[] = []
  let recordBytes = 0
  let replayed = 0
  const flush = async (to: number): Promise<void> => {
    await commit({ volume: volume.id, from, to, needles })
    replayed += needles.length
    needles = []
    recordBytes = 0
    from = to
  }
  for await (const rows of volume.rows()) {
    for (const row of rows) {
      if (row.offset < applied) continue
      const needle = await committedNeedle(volume, row)
      if (needle === undefined) continue
      if (needles.length >= REPLAY_NEEDLES_MAX || recordBytes >= REPLAY_BYTES_MAX) await flush(row.offset)
      needles.push(needle)
      recordBytes += needle.record?.byteLength ?? 0
    }
  }
  await flush(volume.end)
  return replayed
}

async function committedNeedle(volume: Volume, row: NeedleRow): Promise<CommittedNeedle | undefined> {
  const { kind, id, generation, alternateKey, chunk, offset, length } = row
  const needle = {
    kind,
    id,
    generation,
    alternateKey,
    chunk,
    flags: row.isChunk ? 1 : 0,
    location: { volume: volume.id, offset, length }
  }
  if (kind !== 'record') return needle
  try {
    return { ...needle, record: await volume.read(offset, row, length) }
  } catch (error) {
    if (hasCode(error, 'ERR_NEEDLE_CORRUPT') || hasCode(error, 'ERR_DISK_READ')) return undefined // noted as a hole
    throw error
  }
}
