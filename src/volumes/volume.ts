import type { Clock } from '../core/clock.js'
import { hasCode, SheafError, systemErrorCode } from '../core/errors.js'
import type { File, FileSystem } from '../core/file-system.js'
import { invariant } from '../core/invariant.js'
import type { Logger } from '../core/log.js'
import type { VolumeId } from '../domain/ids.js'
import {
  BLOCK_BYTES,
  CHAIN_DIGEST_BYTES,
  chainDigest,
  decodeHeader,
  FLAG_CHUNK,
  NEEDLE_HEADER_BYTES,
  type NeedleHeader,
  type NeedleIdentity,
  needleBytes,
  volumeSeed
} from '../domain/needle.js'
import { withoutAll } from '../domain/ranges.js'
import { SUPERBLOCK_BYTES, type Superblock } from '../domain/superblock.js'
import type { BufferPool } from './buffer-pool.js'
import {
  decodeIndexFile,
  encodeIndexHeader,
  encodeIndexSegment,
  type HoleRange,
  type IndexFileContent,
  type NeedleRow,
  needleBefore,
  needlesInOrder
} from './index-file.js'
import { checkBlock, checkFrame, checkNeedle, type NeedleExpectation, needleTailBytes } from './needle-check.js'
import type { CommittedNeedle, DurableGroup, NeedleDraft, NeedleLease } from './needle-store.js'
import type { RangeReaders } from './range-readers.js'
import { type ScanEvent, type ScanPace, scanVolume } from './volume-scan.js'

/** A segment is written to the index file when this much is missing from it: about what a start after a crash must scan. */
const INDEX_PENDING_ROWS_MAX = 4096
const INDEX_PENDING_BYTES_MAX = 32 * 1024 * 1024
const RAW_READ_BYTES = 256 * 1024

/** `active`: takes appends. `failed`: a write or sync failed, so it grows no more for now. `closed`: all others. */
export type VolumeState = 'active' | 'closed' | 'failed'

/** A range that is damaged, unreadable or missing. It is reported, kept for repair, and never served. */
export interface Hole extends HoleRange {
  readonly reason: 'corrupt' | 'unreadable' | 'missing'
  /** When it was found, ms since the Unix epoch. */
  readonly foundAt: number
}

/** The longest verified prefix and the digest of its needle footers: equal heads mean equal bytes. */
export interface Head {
  readonly bytes: number
  /** Hex. */
  readonly digest: string
}

/** What a volume holds up to `end`, read from itself. */
export interface Survey {
  end: number
  chain: Uint8Array
  readonly rows: NeedleRow[]
}

export interface VolumeComponents {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
  readonly pool: BufferPool
  readonly rangeReaders: RangeReaders
  /** Called when the index led to a place where this volume has no needle. */
  readonly onStray: (identity: NeedleIdentity, offset: number) => void
}

export interface VolumeInit {
  readonly id: VolumeId
  /** Its number on this node, for the needle index. */
  readonly number: number
  readonly path: string
  readonly file: File
  /** Undefined when the superblock is damaged: the needles remain readable, their seed comes from the file's name. */
  readonly superblock: Superblock | undefined
}

/** One volume file on this node: verified reads, holes, and its index file. {@link GroupCommit} appends to it. */
export class Volume {
  readonly id: VolumeId
  readonly number: number
  readonly path: string
  readonly seed: number
  readonly file: File
  superblock: Superblock | undefined
  state: VolumeState = 'closed'
  /** Everything before this offset is durable and indexed, or in a hole. */
  end = SUPERBLOCK_BYTES
  /** Chained digest of the footers up to `end`; meaningful while there is no hole. */
  chain: Uint8Array = new Uint8Array(CHAIN_DIGEST_BYTES)
  needleCount = 0
  readonly #components: VolumeComponents
  #holes: Hole[] = []
  #pendingRows: NeedleRow[] = []
  #pendingHoles: HoleRange[] = []
  #pendingRepaired: HoleRange[] = []
  #indexedTo = SUPERBLOCK_BYTES
  #indexFile: File | undefined
  #indexBytes = 0
  #indexWrites: Promise<void> = Promise.resolve()
  #readers = 0
  /** Ranges that were repaired since a moment without readers, in the order of the repairs. */
  #repairs: HoleRange[] = []
  #removed = false
  /** Closed or removed: nothing is written to the index file any more. */
  #indexEnded = false

  constructor(components: VolumeComponents, init: VolumeInit) {
    this.#components = components
    this.id = init.id
    this.number = init.number
    this.path = init.path
    this.file = init.file
    this.superblock = init.superblock
    this.seed = volumeSeed(init.id)
  }

  get holes(): readonly Hole[] {
    return this.#holes
  }

  get indexPath(): string {
    return `${this.path.slice(0, this.path.lastIndexOf('.'))}.index`
  }

  /** Notes a group that has become durable. */
  noteCommit(group: DurableGroup): void {
    for (const needle of group.needles) this.noteNeedle(rowOfCommitted(needle))
    this.end = group.to
    this.chain = group.chain
    const due =
      this.#pendingRows.length >= INDEX_PENDING_ROWS_MAX || this.end - this.#indexedTo >= INDEX_PENDING_BYTES_MAX
    if (due) void this.flushIndex()
  }

  /** Notes a committed or scanned needle for the index file. */
  noteNeedle(row: NeedleRow): void {
    this.#pendingRows.push(row)
    this.needleCount++
  }

  /** Notes damage; adjacent and overlapping ranges are merged. @returns false if the range was already in a hole */
  noteHole(range: HoleRange, reason: Hole['reason']): boolean {
    if (this.#holes.some(hole => hole.from <= range.from && range.to <= hole.to)) return false
    const touching = this.#holes.filter(hole => hole.from <= range.to && range.from <= hole.to)
    const merged: Hole = {
      from: Math.min(range.from, ...touching.map(hole => hole.from)),
      to: Math.max(range.to, ...touching.map(hole => hole.to)),
      reason,
      foundAt: this.#components.clock.now()
    }
    this.#holes = [...this.#holes.filter(hole => !touching.includes(hole)), merged].sort((a, b) => a.from - b.from)
    this.#pendingHoles.push(range)
    return true
  }

  /**
   * Notes that a range of a hole was repaired. Where it was the last, rows and chain are those of the survey; without one it
   * stays a hole, to be repaired again.
   *
   * @param survey - from {@link survey} after the repair
   */
  async closeHole(range: HoleRange, rows: readonly NeedleRow[], survey: Survey | undefined): Promise<void> {
    if (this.#isLastHole(range)) {
      if (survey === undefined || !(await this.#surveyOn(survey))) return
      const taken = this.#indexWrites.then(() => this.#takeSurvey(range, survey))
      this.#indexWrites = taken.catch(() => {}) // reported to whoever repairs
      return taken
    }
    this.#dropHole(range)
    this.#pendingHoles = withoutAll(this.#pendingHoles, [range])
    this.#pendingRepaired.push(range)
    this.#pendingRows.push(...rows)
  }

  /**
   * Reads which needles the volume holds, if only the range is missing in what is known of it. Damage that it comes across
   * becomes a hole.
   *
   * @param range - of a hole, and just repaired
   * @returns undefined if anything else is missing, or the range is damaged again
   */
  async survey(range: HoleRange): Promise<Survey | undefined> {
    const survey = { end: SUPERBLOCK_BYTES, chain: new Uint8Array(CHAIN_DIGEST_BYTES), rows: [] }
    return this.#isLastHole(range) && (await this.#surveyOn(survey)) ? survey : undefined
  }

  /** @returns whether the survey reaches the end of the volume, without a gap */
  async #surveyOn(survey: Survey): Promise<boolean> {
    for await (const event of this.verify(survey.end, Number.POSITIVE_INFINITY)) {
      if (event.kind === 'hole')
        this.#components.log.error({ volume: this.id, from: event.from, to: event.to }, 'found a damaged range')
      if (event.kind !== 'needle' || event.offset !== survey.end) return false
      survey.rows.push(rowOf(event.header, event.offset))
      survey.chain = chainDigest(survey.chain, event.footer)
      survey.end += needleBytes(event.header.length)
    }
    return survey.end === this.end
  }

  async #takeSurvey(range: HoleRange, { rows, chain }: Survey): Promise<void> {
    this.#dropHole(range)
    this.chain = chain
    this.needleCount = rows.length
    this.#pendingRows = rows
    this.#pendingHoles = []
    this.#pendingRepaired = []
    this.#indexBytes = 0
    this.#indexedTo = SUPERBLOCK_BYTES
    // reopening truncates the file: an old segment after the new one could restore the hole
    await this.#indexFile?.close()
    this.#indexFile = undefined
  }

  #isLastHole(range: HoleRange): boolean {
    return withoutAll(this.#holes, [range]).length === 0
  }

  #dropHole(range: HoleRange): void {
    this.#holes = withoutAll(this.#holes, [range])
    if (this.#readers > 0) this.#repairs.push(range)
  }

  inHole(offset: number): boolean {
    return this.#holes.length > 0 && this.#holes.some(hole => hole.from <= offset && offset < hole.to)
  }

  /** Reads and verifies a whole needle in one disk read. @returns its data; the caller owns the bytes */
  async read(offset: number, identity: NeedleIdentity, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(needleBytes(length))
    const expected = { identity, seed: this.seed, offset, length }
    return this.#trackRead(expected, async () => checkNeedle(await this.#fill(bytes, expected, offset), expected))
  }

  /** Reads and verifies a needle, to be appended unchanged to another volume. */
  async readDraft(row: NeedleRow): Promise<NeedleDraft> {
    const bytes = Buffer.allocUnsafeSlow(needleBytes(row.length))
    const expected = { identity: row, seed: this.seed, offset: row.offset, length: row.length }
    return this.#trackRead(expected, async () => {
      const data = checkNeedle(await this.#fill(bytes, expected, row.offset), expected)
      const header = decodeHeader(bytes, this.seed, row.offset)
      invariant(header !== undefined, 'a needle that was checked has a header')
      return { header, data }
    })
  }

  /** Like {@link read}, but blocks and uses a pooled buffer. Leaves it to the former to look into what is wrong. */
  readSync(offset: number, identity: NeedleIdentity, length: number): NeedleLease {
    const { pool } = this.#components
    const byteCount = needleBytes(length)
    const buffer = pool.take(byteCount)
    const expected = { identity, seed: this.seed, offset, length }
    try {
      const bytes = buffer.subarray(0, byteCount)
      if (this.file.readSync(bytes, offset) !== byteCount) throw this.#endsEarly(expected)
      const data = checkNeedle(bytes, expected)
      return { data, release: () => pool.give(buffer) }
    } catch (error) {
      pool.give(buffer)
      throw this.#toReadError(error, expected)
    }
  }

  /** Streams bytes [start, end) of a needle's data; a block is verified before any of it is yielded. */
  async *readRange(
    offset: number,
    identity: NeedleIdentity,
    length: number,
    start: number,
    end: number
  ): AsyncGenerator<Uint8Array> {
    const expected = { identity, seed: this.seed, offset, length }
    const { rangeReaders } = this.#components
    this.#readers++
    rangeReaders.begin()
    try {
      yield* this.#verifiedRange(expected, start, end)
    } finally {
      rangeReaders.end()
      await this.#releaseReader()
    }
  }

  async *#verifiedRange(expected: NeedleExpectation, start: number, end: number): AsyncGenerator<Uint8Array> {
    const { identity, offset, length } = expected
    const dataAt = offset + NEEDLE_HEADER_BYTES
    const checksums = await this.#readFrame(expected)
    const lastBlock = Math.ceil(end / BLOCK_BYTES)
    for (let block = Math.floor(start / BLOCK_BYTES), blocks = 0; block < lastBlock; block += blocks) {
      blocks = this.#components.rangeReaders.blocks
      const from = block * BLOCK_BYTES
      const to = Math.min(length, (block + blocks) * BLOCK_BYTES, lastBlock * BLOCK_BYTES)
      const piece = await this.#trackRead(expected, async () => {
        const bytes = await this.#fill(Buffer.allocUnsafeSlow(to - from), expected, dataAt + from)
        for (let at = 0; at < bytes.byteLength; at += BLOCK_BYTES) {
          checkBlock(identity, block + at / BLOCK_BYTES, bytes.subarray(at, at + BLOCK_BYTES), checksums, expected)
        }
        return bytes
      })
      yield piece.subarray(Math.max(0, start - from), Math.min(piece.byteLength, end - from))
    }
  }

  /** @returns the checksum of each block of a needle's data, after checking header and footer */
  checksums(offset: number, identity: NeedleIdentity, length: number): Promise<Uint32Array> {
    return this.#readFrame({ identity, seed: this.seed, offset, length })
  }

  #readFrame(expected: NeedleExpectation): Promise<Uint32Array> {
    const { offset, length } = expected
    return this.#trackRead(expected, async () => {
      const header = await this.#fill(Buffer.allocUnsafe(NEEDLE_HEADER_BYTES), expected, offset)
      const tail = Buffer.allocUnsafe(needleTailBytes(length))
      return checkFrame(header, await this.#fill(tail, expected, offset + NEEDLE_HEADER_BYTES + length), expected)
    })
  }

  /** Yields all needles outside holes, ascending, in batches. Damage that it comes across becomes a hole. */
  async *rows(): AsyncGenerator<readonly NeedleRow[]> {
    await this.flushIndex()
    const { segments } = await this.loadIndex()
    const covered = segments.at(-1)?.to ?? SUPERBLOCK_BYTES
    for (const rows of needlesInOrder(segments)) yield rows.filter(row => !this.inHole(row.offset))
    if (covered >= this.end) return
    // the index file is gone or could not be written: scan the volume
    for await (const event of this.verify(covered, this.end)) {
      if (event.kind === 'needle' && !this.inHole(event.offset)) yield [rowOf(event.header, event.offset)]
      else if (event.kind === 'hole')
        this.#components.log.error({ volume: this.id, from: event.from, to: event.to }, 'found a damaged range')
    }
  }

  /** @returns the last place at or before `offset` where a needle is known to begin: where a scan can start */
  async boundaryBefore(offset: number): Promise<number> {
    const pending = this.#pendingRows.reduce(
      (last, row) => (row.offset > offset ? last : Math.max(last, row.offset)),
      0
    )
    const { segments } = await this.loadIndex()
    return Math.max(SUPERBLOCK_BYTES, pending, needleBefore(segments, offset) ?? 0)
  }

  /** @returns the first place behind `offset` where a needle is known to begin; undefined: none is known */
  async boundaryAfter(offset: number): Promise<number | undefined> {
    await this.flushIndex()
    const pending = this.#pendingRows.reduce(
      (first, row) => (row.offset > offset ? Math.min(first, row.offset) : first),
      Number.POSITIVE_INFINITY
    )
    const { segments } = await this.loadIndex()
    for (const rows of needlesInOrder(segments)) {
      const next = rows.find(row => row.offset > offset)
      if (next !== undefined) return Math.min(pending, next.offset)
    }
    return pending === Number.POSITIVE_INFINITY ? undefined : pending
  }

  /** Streams bytes [from, to) of the file unverified, for a peer that verifies every needle. Ends before a hole. */
  async *raw(from: number, to: number): AsyncGenerator<Uint8Array> {
    const firstHole = this.#holes.find(hole => hole.to > from)
    const end = Math.min(to, this.end, firstHole?.from ?? to)
    this.#readers++
    let ahead: Promise<Buffer> | undefined = this.#rawPiece(from, end)
    try {
      for (let at = from; ahead !== undefined; ) {
        const bytes: Buffer = await ahead
        at += bytes.byteLength
        // the next read runs while the reader works on this one
        ahead = bytes.byteLength === 0 || at >= end ? undefined : this.#rawPiece(at, end)
        if (bytes.byteLength > 0) yield bytes
      }
    } finally {
      await ahead?.catch(() => {}) // the consumer stopped early
      await this.#releaseReader()
    }
  }

  /** @returns at most RAW_READ_BYTES; empty at the end of the file */
  async #rawPiece(from: number, end: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(RAW_READ_BYTES, end - from)))
    return bytes.subarray(0, await this.file.read(bytes, from))
  }

  /** Scans needles from `from` on: headers and footers, from `verifyFrom` on also the data. See {@link scanVolume}. */
  async *scan(
    from: number,
    verifyFrom: number,
    knownEnd = this.end,
    size = this.end,
    pace?: ScanPace
  ): AsyncGenerator<ScanEvent> {
    this.#readers++
    try {
      yield* scanVolume({ file: this.file, seed: this.seed, from, size, verifyFrom, knownEnd, pace })
    } finally {
      await this.#releaseReader()
    }
  }

  /**
   * Scans needles from `from` to the end and notes damage as holes, except where a repair meanwhile wrote good bytes.
   *
   * @param from - a needle boundary
   * @param verifyFrom - needles before it are checked by header and footer only
   * @param pace - slows it down, or ends it with an error
   * @yields needles, and the holes that were not known before
   */
  async *verify(from: number, verifyFrom = 0, pace?: ScanPace): AsyncGenerator<ScanEvent> {
    const since = this.#repairs.length
    for await (const event of this.scan(from, verifyFrom, this.end, this.end, pace)) {
      if (event.kind !== 'hole') yield event
      else for (const range of this.#noteDamage(event, event.reason, since)) yield { ...event, ...range }
    }
  }

  async head(): Promise<Head> {
    const firstHole = this.#holes[0]
    if (firstHole === undefined) return { bytes: this.end, digest: Buffer.from(this.chain).toString('hex') }
    let chain: Uint8Array = new Uint8Array(CHAIN_DIGEST_BYTES)
    if (firstHole.from <= SUPERBLOCK_BYTES) return { bytes: 0, digest: Buffer.from(chain).toString('hex') }
    for await (const event of this.scan(SUPERBLOCK_BYTES, Number.POSITIVE_INFINITY, firstHole.from, firstHole.from)) {
      if (event.kind === 'needle') chain = chainDigest(chain, event.footer)
    }
    return { bytes: firstHole.from, digest: Buffer.from(chain).toString('hex') }
  }

  /** @returns the valid content of the index file; empty if there is none */
  async loadIndex(): Promise<IndexFileContent> {
    const bytes = await this.#components.fileSystem.readFile(this.indexPath)
    return decodeIndexFile(this.id, bytes ?? new Uint8Array())
  }

  /** Continues an index file that was loaded: the next segment goes after `validBytes`. */
  resumeIndex(content: IndexFileContent, holes: readonly HoleRange[]): void {
    this.#indexBytes = content.validBytes
    this.#indexedTo = content.segments.at(-1)?.to ?? SUPERBLOCK_BYTES
    for (const hole of holes) this.noteHole(hole, 'corrupt')
    this.#pendingHoles = []
  }

  /** Writes pending rows to the index file, unless the volume was closed. A failure only makes the next start slower. */
  flushIndex(): Promise<void> {
    if (this.#indexEnded) return this.#indexWrites
    this.#indexWrites = this.#indexWrites.then(() => this.#writeIndexSegment())
    return this.#indexWrites
  }

  async close(): Promise<void> {
    const written = this.flushIndex()
    this.#indexEnded = true
    await written
    await this.#indexFile?.close()
    this.#indexFile = undefined
    await this.file.close()
  }

  /** Removes the files; running reads can finish. */
  async remove(): Promise<void> {
    this.#indexEnded = true
    await this.#indexWrites
    await this.#indexFile?.close()
    this.#indexFile = undefined
    await this.#components.fileSystem.remove(this.path)
    await this.#components.fileSystem.remove(this.indexPath)
    this.#removed = true
    if (this.#readers === 0) await this.file.close()
  }

  async #writeIndexSegment(): Promise<void> {
    const needles = this.#pendingRows
    const holes = this.#pendingHoles
    const repaired = this.#pendingRepaired
    const nothing = needles.length === 0 && holes.length === 0 && repaired.length === 0
    if (nothing && this.end === this.#indexedTo) return
    const to = this.end
    const segment = encodeIndexSegment({ to, chain: this.chain, needles, holes, repaired })
    this.#pendingRows = []
    this.#pendingHoles = []
    this.#pendingRepaired = []
    const { fileSystem, log } = this.#components
    try {
      if (this.#indexFile === undefined) {
        const existing = await fileSystem.open(this.indexPath, 'write').catch(() => undefined)
        this.#indexFile = existing ?? (await fileSystem.open(this.indexPath, 'create'))
        await this.#indexFile.truncate(this.#indexBytes)
      }
      const parts = this.#indexBytes === 0 ? [encodeIndexHeader(this.id), segment] : [segment]
      const byteCount = parts.reduce((sum, part) => sum + part.byteLength, 0)
      const written = await this.#indexFile.write(parts, this.#indexBytes)
      if (written !== byteCount) throw new Error(`wrote ${written} of ${byteCount} bytes`)
      this.#indexBytes += byteCount
      this.#indexedTo = to
    } catch (err) {
      this.#pendingRows = [...needles, ...this.#pendingRows]
      this.#pendingHoles = [...holes, ...this.#pendingHoles]
      this.#pendingRepaired = [...repaired, ...this.#pendingRepaired]
      log.warn({ err, volume: this.id }, 'could not write the index file; the next start scans the volume instead')
    }
  }

  async #fill(into: Buffer, expected: NeedleExpectation, position: number): Promise<Buffer> {
    if ((await this.file.read(into, position)) !== into.byteLength) throw this.#endsEarly(expected)
    return into
  }

  #endsEarly({ offset }: NeedleExpectation): SheafError {
    return new SheafError('ERR_NEEDLE_CORRUPT', 'the volume file ends inside the needle', {
      details: { volume: this.id, offset }
    })
  }

  async #trackRead<T>(expected: NeedleExpectation, task: () => Promise<T>): Promise<T> {
    this.#readers++
    const since = this.#repairs.length
    try {
      return await task()
    } catch (error) {
      throw await this.#readError(error, expected, since)
    } finally {
      await this.#releaseReader()
    }
  }

  async #releaseReader(): Promise<void> {
    if (--this.#readers > 0) return
    this.#repairs = []
    if (this.#removed) await this.file.close()
  }

  /**
   * Notes damage that a reader has seen, without what was repaired since: the reader may have read that before the repair.
   *
   * @param since - number of {@link #repairs} when the reader began
   * @returns the parts that were not known
   */
  #noteDamage({ from, to }: HoleRange, reason: Hole['reason'], since: number): HoleRange[] {
    const seen = withoutAll([{ from, to }], this.#repairs.slice(since))
    return seen.filter(range => this.noteHole(range, reason))
  }

  /** @returns the error to report for a failed read. Notes a hole if the bytes of a needle are damaged or unreadable */
  async #readError(error: unknown, expected: NeedleExpectation, since: number): Promise<unknown> {
    const isDamage = hasCode(error, 'ERR_NEEDLE_CORRUPT')
    // other errors say nothing about the bytes
    if (!isDamage && systemErrorCode(error) !== 'EIO') return this.#toReadError(error, expected)
    const { identity, offset, length } = expected
    const fields = { volume: this.id, offset, bytes: needleBytes(length), err: error }
    if (!(await this.#hasNeedleAt(offset))) {
      this.#components.onStray(identity, offset)
      this.#components.log.error(fields, 'the index led to a place where no needle begins; dropped the entry')
      return new SheafError('ERR_BYTES_UNREACHABLE', 'the index entry points to no needle', { cause: error })
    }
    const range = { from: offset, to: offset + needleBytes(length) }
    if (this.#noteDamage(range, isDamage ? 'corrupt' : 'unreadable', since).length > 0) {
      void this.flushIndex()
      this.#components.log.error(fields, isDamage ? 'found a damaged needle' : 'the disk cannot read a needle')
    }
    return this.#toReadError(error, expected)
  }

  #toReadError(error: unknown, { offset }: NeedleExpectation): SheafError {
    if (error instanceof SheafError) return error
    return new SheafError('ERR_DISK_READ', undefined, { cause: error, details: { volume: this.id, offset } })
  }

  /** Whether a needle of this volume begins there, by its rows; yes when those are lost with the index file. */
  #hasNeedleAt(offset: number): Promise<boolean> {
    const look = async (): Promise<boolean> => {
      if (this.inHole(offset) || this.#pendingRows.some(row => row.offset === offset)) return true
      if (offset >= this.#indexedTo) return false
      const { segments } = await this.loadIndex()
      return offset >= (segments.at(-1)?.to ?? 0) || needleBefore(segments, offset) === offset
    }
    const found = this.#indexWrites.then(look) // while a segment is being written its rows are not pending
    this.#indexWrites = found.then(
      () => {},
      () => {}
    )
    return found.catch(() => true) // the disk fails: the error of the needle itself is told
  }
}

export function rowOf(header: NeedleHeader, offset: number): NeedleRow {
  const { kind, id, generation, alternateKey, chunk, flags, length } = header
  return { kind, id, generation, alternateKey, chunk, isChunk: (flags & FLAG_CHUNK) !== 0, offset, length }
}

export function rowOfCommitted({ location, ...needle }: CommittedNeedle): NeedleRow {
  const { kind, id, generation, alternateKey, chunk, flags } = needle
  const isChunk = (flags & FLAG_CHUNK) !== 0
  return { kind, id, generation, alternateKey, chunk, isChunk, offset: location.offset, length: location.length }
}
