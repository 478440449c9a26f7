import { SheafError, systemErrorCode } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import { chainDigest, NEEDLE_ALIGN, needleBytes } from '../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import type { HoleRange, NeedleRow } from './index-file.js'
import type { NeedleDraft } from './needle-store.js'
import { rowOf, subtractRange, type Volume } from './volume.js'
import type { ScanEvent } from './volume-scan.js'

const TAIL_PIECE_BYTES = 1024 * 1024
/** What a disk refuses as a whole. */
const SECTOR_BYTES = 4096

/** What recovery found in one volume. */
export interface VolumeRecovery {
  /** Needles that the index file knew, and those that had to be found by scanning. */
  readonly indexedNeedles: number
  readonly scannedNeedles: number
  readonly torn: TornTail
}

/** The end of a file, [from, to) bytes, that begins with a write cut short by a crash. Empty when there is none. */
export interface TornTail extends HoleRange {
  /** Intact needles in it. */
  readonly intact: readonly NeedleRow[]
}

/**
 * Brings a volume that an earlier process left back to what its log says: index file first, then a scan from where that
 * ends. Every needle found is handed to `index`.
 *
 * @param applied - the directory has applied the log up to here, so it was durable then
 * @param size - bytes of the file
 */
export async function recoverVolume(
  volume: Volume,
  applied: number,
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
    holes = holes.flatMap(hole =>
      segment.repaired.reduce<HoleRange[]>((left, range) => left.flatMap(part => subtractRange(part, range)), [hole])
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
  /** From the first damage on that no later needle has proven to be more than a torn write. */
  const loose: ScanEvent[] = []
  for await (const event of volume.scan(Math.min(covered, Math.max(size, SUPERBLOCK_BYTES)), applied, knownEnd, size)) {
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

/** @returns whether any intact needle is in a file of `size` bytes */
export async function holdsNeedles(volume: Volume, size: number): Promise<boolean> {
  for await (const event of volume.scan(SUPERBLOCK_BYTES, Number.POSITIVE_INFINITY, 0, size)) {
    if (event.kind === 'needle') return true
  }
  return false
}

/** What a start found, for the log and the status. */
export interface RecoveryReport {
  readonly volumes: number
  readonly needles: number
  readonly scannedNeedles: number
  readonly replayedNeedles: number
  readonly tornBytes: number
  readonly holes: number
  /** Files in the folder that look like volumes and hold none. */
  readonly foreignFiles: readonly string[]
}

export interface TornTailComponents {
  /** Appends to the active volume, durably. */
  readonly append: (drafts: readonly NeedleDraft[]) => Promise<unknown>
  /** Whether the bytes that a record names are here, or it adds to a record that is. */
  readonly isWhole: (record: Uint8Array) => boolean
  readonly log: Logger
}

/**
 * Cuts off the rest of a write that a crash cut short. The disk may have kept some of its later needles, and in theory
 * damage has hit a needle that was acknowledged: so what is intact is appended anew before. A record whose bytes were
 * torn is not: nobody was told of that photo, and nobody could see it.
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
    log.warn({ volume: volume.id, bytes: to - from, stranded: intact.length }, 'cut a torn tail')
  } catch (err) {
    volume.state = 'failed' // nothing may be written over what is still only there
    log.warn({ err, volume: volume.id }, 'could not cut a torn tail; it stays, unused')
  }
}

/**
 * Makes durable what the last process wrote and perhaps never synced, before anything of it counts: it may be seen from
 * now on, so it must not go with the next loss of power. A sync alone is not enough, because after one that failed the
 * kernel calls pages clean that never reached the disk; so they are written again, in place.
 *
 * @throws `ERR_DISK_WRITE`: the disk refuses
 * @see Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020
 */
async function persistTail(volume: Volume, from: number, size: number): Promise<void> {
  if (from >= size) return
  try {
    for (let at = from; at < size; at += TAIL_PIECE_BYTES)
      await rewrite(volume, at, Math.min(size, at + TAIL_PIECE_BYTES))
    await volume.file.sync()
  } catch (cause) {
    throw new SheafError('ERR_DISK_WRITE', 'the end of a volume could not be made durable', {
      cause,
      details: { volume: volume.id }
    })
  }
}

/** Writes bytes as they are read. What the disk refuses to read is left to the scan, which finds it out again. */
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
