import { type ArchivedPiece, type ArchivedVolume, chainOf, type HeadName } from '../archive/archived-volume.js'
import { PIECE_BYTES, type VolumeArchive } from '../archive/volume-archive.js'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { RateLimiter } from '../core/rate-limiter.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { VolumeId } from '../domain/ids.js'
import { CHAIN_DIGEST_BYTES } from '../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { FAULTS_MAX, type Fault } from '../store/verify.js'
import { parseNeedles } from '../volumes/needle-parser.js'
import type { Volume } from '../volumes/volume.js'
import type { CopyProgress, VolumeCopies } from '../volumes/volume-copies.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import type { Job, Jobs } from './jobs.js'

/** Between two looks at the archive, which cost one request for a thousand volumes. */
const ROUND_MS = 60_000
/** What is less than a piece waits for more, until its volume has not grown for a round, or for this long. */
const TAIL_MS = 3_600_000
/** Each member after the first waits so much longer before it does what an earlier one has not done. */
const RANK_MS = 10 * 60_000
const BYTES_PER_SECOND_MAX = 20_000_000
/** A head is written after so many pieces, so that an upload that ends early is continued and not begun again. */
const PIECES_PER_HEAD = 64

export interface ArchivingComponents {
  readonly archive: VolumeArchive
  readonly volumes: Pick<VolumeSet, 'volumes' | 'get'>
  readonly copies: Pick<VolumeCopies, 'begin' | 'extend' | 'fill' | 'end' | 'repairSuperblock'>
  readonly jobs: Jobs
  readonly clock: Clock
  readonly log: Logger
  readonly isRetired: (volume: VolumeId) => boolean
  /** This node's place among the present members that could archive the volume, from 0. */
  readonly rankOf: (volume: VolumeId) => number
  /** Up to where any connected node holds the volume; 0: none does. */
  readonly heldByPeers: (volume: VolumeId) => number
}

export interface ArchivingInit {
  /** How long bytes of deleted photos may be kept, ms. */
  readonly purgeMs: number
  /** Shortened in tests only. */
  readonly pauses?: { readonly roundMs: number; readonly tailMs: number; readonly rankMs: number }
}

export interface ArchiveStatus {
  /** `new`: it has not been looked at yet. */
  readonly state: 'new' | 'working' | 'idle' | 'failing'
  /** Why it is failing. */
  readonly error: { readonly code: string; readonly message: string } | undefined
  readonly isSealed: boolean
  /** Volumes of this node, and those of them that are archived up to their end. */
  readonly volumes: number
  readonly archivedVolumes: number
  /** Bytes of this node's volumes that are not archived, and how long the oldest of them have been known, ms. */
  readonly behindBytes: number
  readonly behindMs: number
  /** When the archive was last seen whole, ms since the Unix epoch. */
  readonly seenAtMs: number | undefined
}

export interface ArchiveReport {
  readonly volumes: number
  readonly bytes: number
  readonly faults: readonly Fault[]
}

/** What of a volume is to be archived. */
interface Wanted {
  readonly sinceMs: number
  end: number
}

/**
 * Copies volumes to an archive, as far as they have been written, and lets retired ones go. Members take turns by rendezvous:
 * the first of them archives a volume, the others only what it has not archived in time. A retired volume leaves once all
 * that was written before it was seen to be retired is archived, at the latest within the purge period.
 */
export class Archiving implements Startable {
  readonly #components: ArchivingComponents
  readonly #purgeMs: number
  readonly #pauses: NonNullable<ArchivingInit['pauses']>
  readonly #loop: WorkerLoop
  readonly #rate: RateLimiter
  /** By volume, as of the latest round. */
  #heads: ReadonlyMap<VolumeId, HeadName> = new Map()
  #names: readonly HeadName[] = []
  readonly #wanted = new Map<VolumeId, Wanted>()
  /** Archived volumes that are retired, and since when this node knows, monotonic ms. */
  readonly #leaving = new Map<VolumeId, number>()
  #state: ArchiveStatus['state'] = 'new'
  #error: SheafError | undefined
  #seenAtMs: number | undefined

  constructor(components: ArchivingComponents, { purgeMs, pauses }: ArchivingInit) {
    const { clock, log } = components
    this.#components = components
    this.#purgeMs = purgeMs
    this.#pauses = pauses ?? { roundMs: ROUND_MS, tailMs: TAIL_MS, rankMs: RANK_MS }
    this.#rate = new RateLimiter(clock, { perSecond: BYTES_PER_SECOND_MAX, burst: PIECE_BYTES })
    this.#loop = new WorkerLoop(
      { clock, log },
      { name: 'archive', idleMs: this.#pauses.roundMs, step: signal => this.step(signal) }
    )
  }

  async start(): Promise<void> {
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
  }

  status(): ArchiveStatus {
    const { archive, volumes, isRetired, clock } = this.#components
    const mine = volumes.volumes().filter(({ id }) => !isRetired(id))
    const behind = mine.map(({ id, end }) => Math.max(0, end - Math.max(this.#archivedEnd(id), SUPERBLOCK_BYTES)))
    const oldest = Math.min(...Array.from(this.#wanted.values(), ({ sinceMs }) => sinceMs))
    return {
      state: this.#state,
      error: this.#error && { code: this.#error.code, message: this.#error.message },
      isSealed: archive.isSealed,
      volumes: mine.length,
      archivedVolumes: behind.filter(bytes => bytes === 0).length,
      behindBytes: behind.reduce((sum, bytes) => sum + bytes, 0),
      behindMs: this.#wanted.size === 0 ? 0 : Math.round(clock.monotonic() - oldest),
      seenAtMs: this.#seenAtMs
    }
  }

  /** One look at the archive, and all that follows from it. What is wrong with the archive is logged once, not thrown. */
  async step(signal: AbortSignal): Promise<'idle'> {
    const { log, clock } = this.#components
    try {
      this.#state = this.#state === 'failing' ? 'failing' : 'working'
      await this.#look(signal)
      // first, since that may be what makes room in a full archive
      for (const volume of this.#gone()) await this.#letGo(volume, signal)
      for (const volume of this.#due()) await this.#archive(volume, signal)
      if (this.#error !== undefined) log.info({}, 'the archive can be used again')
      this.#error = undefined
      this.#state = 'idle'
      this.#seenAtMs = clock.now()
    } catch (err) {
      signal.throwIfAborted()
      if (!isOfArchive(err)) throw err
      if (err.code !== this.#error?.code)
        log.warn({ err }, 'the archive cannot be used; this node serves on and tries again every minute')
      this.#error = err
      this.#state = 'failing'
    }
    return 'idle'
  }

  /** Reads everything in the archive. What is damaged there and intact here is archived again. */
  verify(): Job {
    return this.#components.jobs.start('archive-verify', async (progress, signal): Promise<ArchiveReport> => {
      const { archive, log } = this.#components
      const heads = [...furthest(await archive.heads(signal)).values()]
      const report = new Report()
      const total = heads.reduce((sum, { end }) => sum + end, 0)
      for (const head of heads) {
        try {
          const volume = await archive.read(head, signal)
          for (const piece of volume.pieces) {
            await archive.piece(volume, piece, signal)
            report.bytes += piece.to - piece.from
            progress({ done: report.bytes, total, unit: 'bytes' })
          }
          report.volumes++
        } catch (err) {
          if (!(err instanceof SheafError) || err.code !== 'ERR_ARCHIVE_DAMAGED') throw err
          const isHere = this.#holds(head)
          report.add(head.volume, `${err.message}${isHere ? '; it is archived again from this node' : ''}`)
          log.error({ err, volume: head.volume }, 'the archive has a damaged volume')
          if (isHere) await archive.removeHead(head, signal)
        }
      }
      if (report.faults.length > 0) this.#loop.wake()
      return report
    })
  }

  /** Fetches what this node lacks and no connected node holds, and fills holes. */
  restore(): Job {
    return this.#components.jobs.start('archive-restore', async (progress, signal): Promise<ArchiveReport> => {
      const { archive, isRetired } = this.#components
      const heads = [...furthest(await archive.heads(signal)).values()]
      const missing = heads.filter(head => !isRetired(head.volume) && this.#lacks(head))
      const report = new Report()
      for (const [i, head] of missing.entries()) {
        progress({ done: i, total: missing.length, unit: 'volumes' })
        try {
          report.bytes += await this.#restore(await archive.read(head, signal), signal)
          report.volumes++
        } catch (err) {
          const isOfVolume = ['ERR_ARCHIVE_DAMAGED', 'ERR_NEEDLE_CORRUPT', 'ERR_VOLUME_CORRUPT', 'ERR_FORMAT_TOO_NEW']
          if (!(err instanceof SheafError) || !isOfVolume.includes(err.code)) throw err
          report.add(head.volume, err.message)
        }
      }
      progress({ done: missing.length, total: missing.length, unit: 'volumes' })
      return report
    })
  }

  // --- a round ---

  async #look(signal: AbortSignal): Promise<void> {
    const { archive, volumes, isRetired, clock } = this.#components
    this.#names = await archive.heads(signal)
    this.#heads = furthest(this.#names.filter(head => archive.isCurrent(head)))
    const now = clock.monotonic()
    const archived = new Set(this.#names.map(({ volume }) => volume))
    const mine = volumes.volumes().filter(({ id }) => !isRetired(id))
    for (const { id, end } of mine) {
      const archivedEnd = this.#archivedEnd(id)
      const wanted = this.#wanted.get(id)
      if (wanted !== undefined && archivedEnd >= wanted.end) this.#wanted.delete(id)
      if (Math.max(archivedEnd, SUPERBLOCK_BYTES) < end && !this.#wanted.has(id))
        this.#wanted.set(id, { sinceMs: now, end })
    }
    const ids = new Set(mine.map(({ id }) => id))
    for (const id of this.#wanted.keys()) if (!ids.has(id)) this.#wanted.delete(id)
    for (const id of this.#leaving.keys()) if (!archived.has(id)) this.#leaving.delete(id)
    for (const id of archived) {
      if (!isRetired(id) || this.#leaving.has(id)) continue
      this.#leaving.set(id, now)
      // what was moved out of it lies in front of these ends
      for (const [other, wanted] of this.#wanted) wanted.end = volumes.get(other)?.end ?? wanted.end
    }
  }

  /** @returns volumes that this node is to archive now */
  *#due(): Generator<Volume> {
    const { volumes, rankOf, clock } = this.#components
    const { tailMs, rankMs } = this.#pauses
    for (const [id, wanted] of this.#wanted) {
      const volume = volumes.get(id)
      if (volume === undefined || volume.holes.length > 0) continue // what is missing may come from a peer
      const waitedMs = clock.monotonic() - wanted.sinceMs
      if (waitedMs < rankOf(id) * rankMs) continue
      const isQuiet = volume.end === wanted.end && waitedMs > 0
      const isMuch = volume.end - this.#archivedEnd(id) >= PIECE_BYTES
      if (isQuiet || isMuch || waitedMs >= tailMs) yield volume
    }
  }

  /** @returns retired volumes that this node is to remove from the archive now */
  *#gone(): Generator<VolumeId> {
    const { rankOf, clock } = this.#components
    for (const [id, sinceMs] of this.#leaving) {
      const waitedMs = clock.monotonic() - sinceMs
      const isReplaced = [...this.#wanted.values()].every(wanted => wanted.sinceMs > sinceMs)
      if (waitedMs >= rankOf(id) * this.#pauses.rankMs && (isReplaced || waitedMs >= this.#purgeMs)) yield id
    }
  }

  async #letGo(id: VolumeId, signal: AbortSignal): Promise<void> {
    const { archive, log } = this.#components
    await archive.remove(id, signal)
    this.#leaving.delete(id)
    log.info({ volume: id }, 'removed a retired volume from the archive')
  }

  /** Archives what the volume has, from where its head ends. */
  async #archive(volume: Volume, signal: AbortSignal): Promise<void> {
    const { archive, log } = this.#components
    const { id } = volume
    const head = this.#heads.get(id)
    const before = head && (await this.#readOrUndefined(head, signal))
    let archived = before ?? (await this.#nothingOf(volume))
    const hadHead = this.#names.some(({ volume }) => volume === id)
    const from = archived.end
    const to = volume.end
    try {
      for (const pieces = [...archived.pieces]; archived.end < to; ) {
        const { bytes, digest } = await readVerified(volume, archived.end, to, chainOf(archived))
        pieces.push(await archive.putPiece(id, archived.end, bytes, signal))
        const end = archived.end + bytes.byteLength
        archived = { ...archived, end, digest, pieces: [...pieces] }
        if (end === to || pieces.length % PIECES_PER_HEAD === 0) await this.#putHead(archived, signal)
        await this.#pace(bytes.byteLength, signal)
      }
    } catch (err) {
      signal.throwIfAborted()
      if (isOfArchive(err)) throw err
      log.warn({ err, volume: id }, 'a volume cannot be read, so it is not archived now; it is tried again')
      return
    }
    if (hadHead) await archive.sweep(id, signal)
    log.info({ volume: id, from, to: archived.end }, 'archived a volume')
  }

  async #putHead(archived: Omit<ArchivedVolume, 'keyId'>, signal: AbortSignal): Promise<void> {
    const head = await this.#components.archive.putHead(archived, this.#names, signal)
    this.#names = [...this.#names, head]
    this.#heads = new Map(this.#heads).set(head.volume, head)
  }

  /** A damaged head is made anew. */
  async #readOrUndefined(head: HeadName, signal: AbortSignal): Promise<ArchivedVolume | undefined> {
    try {
      return await this.#components.archive.read(head, signal)
    } catch (err) {
      if (!(err instanceof SheafError) || err.code !== 'ERR_ARCHIVE_DAMAGED') throw err
      this.#components.log.error({ err, volume: head.volume }, 'the archive has a damaged volume')
      return undefined
    }
  }

  async #nothingOf({ id, file }: Volume): Promise<Omit<ArchivedVolume, 'keyId'>> {
    const superblock = Buffer.alloc(SUPERBLOCK_BYTES)
    await file.read(superblock, 0)
    const digest = Buffer.alloc(CHAIN_DIGEST_BYTES).toString('hex')
    return { volume: id, end: SUPERBLOCK_BYTES, digest, superblock, pieces: [] }
  }

  async #pace(byteCount: number, signal: AbortSignal): Promise<void> {
    const waitMs = this.#rate.take(byteCount)
    if (waitMs > 0) await this.#components.clock.sleep(waitMs, signal)
  }

  #archivedEnd(id: VolumeId): number {
    return this.#heads.get(id)?.end ?? 0
  }

  // --- restoring ---

  #holds({ volume: id, end }: HeadName): boolean {
    const volume = this.#components.volumes.get(id)
    return volume !== undefined && volume.end >= end && volume.holes.length === 0
  }

  #lacks(head: HeadName): boolean {
    const { volumes, copies, heldByPeers } = this.#components
    const volume = volumes.get(head.volume)
    if (volume !== undefined && volume.holes.length > 0) return true
    const end = volume === undefined ? 0 : copies.end(volume)
    return Math.max(end, heldByPeers(head.volume)) < head.end && (volume === undefined || volume.state === 'closed')
  }

  /** @returns bytes that this node lacked */
  async #restore(archived: ArchivedVolume, signal: AbortSignal): Promise<number> {
    const { copies, volumes } = this.#components
    const volume = volumes.get(archived.volume) ?? (await copies.begin(archived.volume, archived.superblock))
    if (volume.superblock === undefined) await copies.repairSuperblock(volume, archived.superblock)
    let byteCount = 0
    for (const piece of archived.pieces) byteCount += await this.#restorePiece(volume, archived, piece, signal)
    return byteCount
  }

  async #restorePiece(
    volume: Volume,
    archived: ArchivedVolume,
    piece: ArchivedPiece,
    signal: AbortSignal
  ): Promise<number> {
    const { archive, copies } = this.#components
    const holes = volume.holes.filter(({ from, to }) => from < piece.to && piece.from < to)
    const end = copies.end(volume)
    if (holes.length === 0 && piece.to <= end) return 0
    const bytes = await archive.piece(archived, piece, signal)
    let byteCount = 0
    const note = async ({ end: reached, durable }: CopyProgress, from: number): Promise<void> => {
      await durable
      byteCount += Math.max(0, reached - from)
    }
    for (const hole of holes) {
      const at = Math.max(hole.from, piece.from)
      await note(await copies.fill(volume, at, bytes.subarray(at - piece.from)), at)
    }
    if (piece.to > end) await note(await copies.extend(volume, piece.from, bytes), end)
    return byteCount
  }
}

class Report implements ArchiveReport {
  volumes = 0
  bytes = 0
  readonly faults: Fault[] = []

  add(volume: VolumeId, problem: string): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push({ volume, photoId: undefined, problem })
  }
}

/** @returns of each volume the head with the greatest end */
function furthest(heads: readonly HeadName[]): Map<VolumeId, HeadName> {
  const best = new Map<VolumeId, HeadName>()
  for (const head of heads) if (head.end > (best.get(head.volume)?.end ?? 0)) best.set(head.volume, head)
  return best
}

/**
 * @param chain - the volume's chained digest up to `from`
 * @returns whole needles from there on, verified, and the digest up to their end
 * @throws `ERR_NEEDLE_CORRUPT`; the system's error
 */
async function readVerified(
  volume: Volume,
  from: number,
  end: number,
  chain: Uint8Array
): Promise<{ readonly bytes: Uint8Array; readonly digest: string }> {
  const { id, seed } = volume
  for (let byteCount = PIECE_BYTES; ; ) {
    const pieces: Uint8Array[] = []
    for await (const piece of volume.raw(from, Math.min(end, from + byteCount))) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    const parsed = parseNeedles(bytes, { volume: id, seed, offset: from, chain })
    if (parsed.byteCount > 0)
      return { bytes: bytes.subarray(0, parsed.byteCount), digest: Buffer.from(parsed.chain).toString('hex') }
    if (parsed.nextBytes <= bytes.byteLength)
      throw new SheafError('ERR_NEEDLE_CORRUPT', 'a volume ends within a needle', { details: { volume: id, from } })
    byteCount = parsed.nextBytes
  }
}

function isOfArchive(err: unknown): err is SheafError {
  return err instanceof SheafError && err.code.startsWith('ERR_ARCHIVE_')
}
