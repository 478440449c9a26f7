import { type ArchivedPiece, type ArchivedVolume, furthest, type HeadName } from '../archive/archived-volume.js'
import { PIECE_BYTES, type VolumeArchive } from '../archive/volume-archive.js'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { VolumeId } from '../domain/ids.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { FAULTS_MAX, type Fault } from '../store/verify.js'
import type { Volume } from '../volumes/volume.js'
import type { CopyProgress, VolumeCopies } from '../volumes/volume-copies.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import type { Job, Jobs } from './jobs.js'
import { VolumeUploader } from './volume-uploader.js'

/** Between two looks at the archive, which cost one request for a thousand volumes. */
const ROUND_MS = 60_000
/** What is less than a piece waits for more, until its volume has not grown for a round, or for this long. */
const TAIL_MS = 3_600_000
/** Each member after the first waits so much longer before it does what an earlier one has not done. */
const RANK_MS = 10 * 60_000
const BYTES_PER_SECOND_MAX = 20_000_000

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

/** Monotonic ms. */
interface Leaving {
  /** Since when this node knows. */
  readonly sinceMs: number
  /** Since when all that was needed of it is in other volumes here; undefined: this node still has it. */
  readonly replacedMs: number | undefined
}

/**
 * Copies volumes to an archive, as far as they have been written, and lets retired ones go. Members take turns by rendezvous:
 * the first of them archives a volume, the others only what it has not archived in time. A retired volume leaves once
 * this node has it no more and all that was written before is archived, at the latest within the purge period.
 */
export class Archiving implements Startable {
  readonly #components: ArchivingComponents
  readonly #purgeMs: number
  readonly #pauses: NonNullable<ArchivingInit['pauses']>
  readonly #loop: WorkerLoop
  readonly #uploader: VolumeUploader
  /** By volume, as of the latest round. */
  #heads: ReadonlyMap<VolumeId, HeadName> = new Map()
  #names: readonly HeadName[] = []
  readonly #wanted = new Map<VolumeId, Wanted>()
  /** Archived volumes that are retired. */
  readonly #leaving = new Map<VolumeId, Leaving>()
  #state: ArchiveStatus['state'] = 'new'
  #error: SheafError | undefined
  #seenAtMs: number | undefined

  constructor(components: ArchivingComponents, { purgeMs, pauses }: ArchivingInit) {
    const { clock, log } = components
    this.#components = components
    this.#purgeMs = purgeMs
    this.#pauses = pauses ?? { roundMs: ROUND_MS, tailMs: TAIL_MS, rankMs: RANK_MS }
    this.#uploader = new VolumeUploader(components, { bytesPerSecondMax: BYTES_PER_SECOND_MAX })
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
      const { sinceMs = now, replacedMs } = this.#leaving.get(id) ?? {}
      if (!isRetired(id) || replacedMs !== undefined) continue
      const isGone = volumes.get(id) === undefined
      this.#leaving.set(id, { sinceMs, replacedMs: isGone ? now : undefined })
      // what was moved out of it lies in front of these ends
      if (isGone) for (const [other, wanted] of this.#wanted) wanted.end = volumes.get(other)?.end ?? wanted.end
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
    for (const [id, { sinceMs, replacedMs }] of this.#leaving) {
      const waitedMs = clock.monotonic() - sinceMs
      const isReplaced =
        replacedMs !== undefined && [...this.#wanted.values()].every(wanted => wanted.sinceMs > replacedMs)
      if (waitedMs >= rankOf(id) * this.#pauses.rankMs && (isReplaced || waitedMs >= this.#purgeMs)) yield id
    }
  }

  async #letGo(id: VolumeId, signal: AbortSignal): Promise<void> {
    const { archive, log } = this.#components
    await archive.remove(id, signal)
    this.#leaving.delete(id)
    log.info({ volume: id }, 'removed a retired volume from the archive')
  }

  async #archive(volume: Volume, signal: AbortSignal): Promise<void> {
    const { archive, log } = this.#components
    try {
      this.#names = await this.#uploader.upload(volume, this.#names, signal)
      this.#heads = furthest(this.#names.filter(head => archive.isCurrent(head)))
    } catch (err) {
      signal.throwIfAborted()
      if (isOfArchive(err)) throw err
      const fields = { err, volume: volume.id }
      log.warn(fields, 'a volume cannot be read, so it is not archived now; it is tried again')
    }
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

function isOfArchive(err: unknown): err is SheafError {
  return err instanceof SheafError && err.code.startsWith('ERR_ARCHIVE_')
}
