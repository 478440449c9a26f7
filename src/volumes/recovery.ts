import { SheafError, systemErrorCode } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { LogProgress } from '../domain/log-progress.js'
import { chainDigest, NEEDLE_ALIGN, needleBytes } from '../domain/needle.js'
import { withoutAll } from '../domain/ranges.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { type HoleRange, type NeedleRow, toWholeNeedles } from './index-file.js'
import type { NeedleDraft } from './needle-store.js'
import { rowOf, type Volume } from './volume.js'
import type { ScanEvent } from './volume-scan.js'

const TAIL_PIECE_BYTES = 1024 * 1024
/** The unit of a failed read. */
const SECTOR_BYTES = 4096

/** Result of the recovery of one volume. */
export interface VolumeRecovery {
  /** Needles found in the index file, and needles found by scanning. */
  readonly indexedNeedles: number
  readonly scannedNeedles: number
  readonly torn: TornTail
}

/** The end of a file, [from, to) bytes, that begins with a write interrupted by a crash. Empty when there is none. */
export interface TornTail extends HoleRange {
  /** Intact needles in the torn tail. */
  readonly intact: readonly NeedleRow[]
}

/**
 * Restores the state of a volume from an earlier process: reads the index file, then scans the volume from where that
 * ends. Passes every needle found to `index`.
 *
 * @param progress - of the directory: everything below `reached` was durable, gaps included
 * @param size - size of the file, bytes
 */
export async function recoverVolume(
  volume: Volume,
  { reached, gaps }: LogProgress,
  size: number,
  index: (needles: Iterable<NeedleRow>) => void
): Promise<VolumeRecovery> {
  const content = await volume.loadIndex()
  let holes: HoleRange[] = []
  let readableTo = size
  let indexedNeedles = 0
  for (const segment of content.segments) {
    index(segment.needles)
    if (segment.to > size) {
      for (const row of segment.needles) {
        if (row.offset + needleBytes(row.length) > size) readableTo = Math.min(readableTo, row.offset)
      }
    }
    holes = [...withoutAll(holes, segment.repaired), ...segment.holes]
    indexedNeedles += segment.needles.length
    volume.chain = segment.chain
  }
  const covered = content.segments.at(-1)?.to ?? SUPERBLOCK_BYTES
  volume.end = covered
  volume.needleCount = indexedNeedles
  volume.resumeIndex(content, toWholeNeedles(holes, content.segments))

  // Everything below `knownEnd` was durable: what is missing there is damage. Beyond it there may be a torn write.
  const knownEnd = Math.max(covered, reached)
  await persistTail(volume, knownEnd, size)
  if (covered > size) volume.noteHole({ from: readableTo - (readableTo % NEEDLE_ALIGN), to: covered }, 'corrupt')
  let scannedNeedles = 0
  const take = (event: ScanEvent): void => {
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
    }
  }
  let durableTo = knownEnd
  /** Events from the first damage that may be a torn write, until a later needle proves that it was durable. */
  const loose: ScanEvent[] = []
  const scanFrom = Math.min(covered, Math.max(size, SUPERBLOCK_BYTES))
  const verifyFrom = gaps[0]?.from ?? reached // what a gap holds was perhaps never read
  for await (const event of volume.scan(scanFrom, verifyFrom, knownEnd, size)) {
    if (event.kind === 'needle') durableTo = Math.max(durableTo, event.durableTo)
    loose.push(event)
    for (
      let [first] = loose;
      first?.kind === 'needle' || (first?.kind === 'hole' && first.from < durableTo);
      [first] = loose
    ) {
      take(first)
      loose.shift()
    }
  }
  await volume.flushIndex()
  const [torn] = loose
  const from = torn === undefined || torn.kind === 'needle' ? size : torn.from
  const intact = loose.flatMap(event => (event.kind === 'needle' ? rowOf(event.header, event.offset) : []))
  return { indexedNeedles, scannedNeedles, torn: { from, to: size, intact } }
}

/** @returns whether a file of `size` bytes has an intact needle */
export async function holdsNeedles(volume: Volume, size: number): Promise<boolean> {
  for await (const event of volume.scan(SUPERBLOCK_BYTES, Number.POSITIVE_INFINITY, 0, size)) {
    if (event.kind === 'needle') return true
  }
  return false
}

/** Result of the recovery at start, for the log and the status. */
export interface RecoveryReport {
  readonly volumes: number
  readonly needles: number
  readonly scannedNeedles: number
  readonly replayedNeedles: number
  readonly tornBytes: number
  readonly holes: number
  /** Files in the folder that are named like volumes but are left alone: they are none, or of a later format. */
  readonly foreignFiles: readonly string[]
}

export interface TornTailComponents {
  /** Appends to the active volume, durably. */
  readonly append: (drafts: readonly NeedleDraft[]) => Promise<unknown>
  /** Whether this node has the bytes that the record names, or already knows the photo. */
  readonly isWhole: (record: Uint8Array) => boolean
  readonly log: Logger
}

/**
 * Truncates a write that a crash interrupted. Later needles of it may be intact, and in theory damage may have hit an
 * acknowledged needle, so intact needles are first appended again. The exception is a record whose bytes are torn: its
 * photo was never acknowledged or visible.
 */
export async function truncateTornTail(
  volume: Volume,
  { from, to, intact }: TornTail,
  { append, isWhole, log }: TornTailComponents
): Promise<void> {
  if (from === to) return
  try {
    const bytesFirst = intact.toSorted((a, b) => Number(a.kind === 'record') - Number(b.kind === 'record'))
    for (const row of bytesFirst) {
      const draft = await volume.readDraft(row)
      if (row.kind !== 'record' || isWhole(draft.data)) await append([draft])
    }
    await volume.file.truncate(from)
    log.warn(
      { volume: volume.id, bytes: to - from, intact: intact.length },
      'truncated an incomplete write at the end of the volume'
    )
  } catch (err) {
    volume.state = 'failed' // its intact needles may have no other copy, so nothing may overwrite them
    log.warn({ err, volume: volume.id }, 'could not truncate an incomplete write; the next start tries again')
  }
}

/**
 * Makes durable what the last process wrote but perhaps never synced. It becomes visible after this, so a power failure must
 * not lose it. A sync alone is not enough: after a failed sync the kernel marks pages clean that never reached the disk, so
 * they are rewritten in place.
 *
 * @throws `ERR_DISK_WRITE`
 * @see Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020
 */
async function persistTail(volume: Volume, from: number, size: number): Promise<void> {
  if (from >= size) return
  try {
    for (let at = from; at < size; at += TAIL_PIECE_BYTES)
      await rewrite(volume, at, Math.min(size, at + TAIL_PIECE_BYTES))
    await volume.file.sync()
  } catch (cause) {
    throw new SheafError('ERR_DISK_WRITE', 'the end of a volume cannot be rewritten and synced; check the disk', {
      cause,
      details: { volume: volume.id }
    })
  }
}

/** Rewrites bytes in place. Skips sectors that the disk cannot read: the scan finds them again. */
async function rewrite(volume: Volume, from: number, to: number): Promise<void> {
  const bytes = new Uint8Array(to - from)
  let read: number
  try {
    read = await volume.file.read(bytes, from)
  } catch (err) {
    if (systemErrorCode(err) !== 'EIO') throw err
    if (to - from <= SECTOR_BYTES) return
    const middle = from + Math.ceil((to - from) / 2 / SECTOR_BYTES) * SECTOR_BYTES
    await rewrite(volume, from, middle)
    await rewrite(volume, middle, to)
    return
  }
  const written = await volume.file.write([bytes.subarray(0, read)], from)
  if (written !== read) throw new Error(`wrote ${written} of ${read} bytes`)
}
