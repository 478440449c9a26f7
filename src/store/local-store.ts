import { join } from 'node:path'
import type { Clock } from '../core/clock.js'
import { type DiskSpace, type FileSystem, makeDurableDirectory } from '../core/file-system.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import { type Step, WorkerLoop } from '../core/worker-loop.js'
import type { DatabaseSource } from '../directory/database.js'
import { Directory } from '../directory/directory.js'
import type { RecordFormats } from '../domain/formats.js'
import { HLC_ZERO, type Hlc, HybridClock } from '../domain/hlc.js'
import type { VolumeId } from '../domain/ids.js'
import { Compactor } from '../volumes/compaction.js'
import { DiskReserve } from '../volumes/disk-reserve.js'
import { Inspector, type Judge } from '../volumes/inspection.js'
import { rereadHolesBriefly } from '../volumes/reread-holes.js'
import { Scrubber } from '../volumes/scrub.js'
import type { Volume } from '../volumes/volume.js'
import { VolumeCopies } from '../volumes/volume-copies.js'
import { VolumeSet, type VolumeSetComponents } from '../volumes/volume-set.js'
import { NeedleVerdicts } from './needle-verdicts.js'
import { RecordWriter } from './record-writer.js'

/** Reserve on top of one volume: for LevelDB's compaction and for tombstones. */
const RESERVE_SLACK_BYTES = 64 * 1024 * 1024

const COMPACTION_IDLE_MS = 10 * 60_000
const COMPACTION_BYTES_PER_SECOND = 20_000_000
const DEAD_SHARE_MIN = 0.3
const SCRUB_IDLE_MS = 60 * 60_000
const SCRUB_BYTES_PER_SECOND = 4_000_000
const SCRUB_INTERVAL_MS = 7 * 24 * 3_600_000
const REOPEN_IDLE_MS = 1_000
/** Delay of compaction and scrubbing after a start, when the disk has more urgent work. */
const FIRST_STEP_MS = 60_000

export interface LocalStoreComponents {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Of the directory. */
  readonly database: DatabaseSource
  readonly sign: VolumeSetComponents['sign']
  readonly verifySignature: VolumeSetComponents['verifySignature']
  /** Throws when clients must not write now. Default: they always may. */
  readonly admit?: () => void
  /** Whether this node compacts the volume. Default: if it wrote the volume. */
  readonly isCompactionOwner?: (volume: Volume) => boolean
  /** Deletes up to this stamp may be forgotten. Default: none. */
  readonly horizon?: () => Hlc
  /** Needles of photos deleted up to this stamp are to be removed at once. Default: none. */
  readonly purgeTo?: () => Hlc
  /** The greatest record format that may be written. Default: the least. */
  readonly clusterFormat?: () => number
  /** Awaited whenever the directory has been filled from the log after a reopening. */
  readonly onRefilled?: () => Promise<void>
}

export interface LocalStoreInit {
  /** Holds all data of the node. */
  readonly folder: string
  /** The node's Ed25519 public key. */
  readonly origin: Uint8Array
  readonly volumeBytes: number
  /** How long the bytes of a deleted photo may be kept, ms. */
  readonly purgeMs: number
  /** Default: those of this version. */
  readonly formats?: RecordFormats
}

/**
 * The storage of one node, independent of all others: the log (volumes), its view (the directory), and their maintenance.
 * Everything else reads and writes through it.
 */
export class LocalStore implements Startable {
  readonly hybridClock: HybridClock
  readonly volumes: VolumeSet
  readonly directory: Directory
  readonly writer: RecordWriter
  readonly verdicts: NeedleVerdicts
  readonly copies: VolumeCopies
  readonly inspector: Inspector
  readonly compactor: Compactor
  readonly scrubber: Scrubber
  readonly #components: LocalStoreComponents
  readonly #folder: string
  readonly #reserve: DiskReserve
  readonly #workers: readonly WorkerLoop[]
  /** Volumes with gaps after a replay, until their holes have been reread. */
  readonly #volumesWithGaps = new Set<Volume>()
  /** Whether `verdicts.load` has run: holes of retired volumes must not be refilled. */
  #knowsRetired = false
  #refilling = false

  constructor(components: LocalStoreComponents, { folder, origin, volumeBytes, purgeMs, formats }: LocalStoreInit) {
    const { fileSystem, clock, random, log, database, sign, verifySignature } = components
    const { admit = () => {}, clusterFormat, horizon = () => HLC_ZERO, purgeTo = () => HLC_ZERO } = components
    this.#components = components
    this.#folder = folder
    const hybridClock = new HybridClock({ clock })
    this.hybridClock = hybridClock
    this.directory = new Directory(
      { database, log, observe: stamp => hybridClock.observe(stamp) },
      formats && { formats }
    )
    this.#reserve = new DiskReserve(
      { fileSystem, clock, log },
      {
        folder: folder,
        ballastPath: join(folder, 'ballast'),
        reserveBytes: volumeBytes + Math.min(RESERVE_SLACK_BYTES, volumeBytes)
      }
    )
    this.volumes = new VolumeSet(
      {
        fileSystem,
        clock,
        random,
        log,
        reserve: this.#reserve,
        stamp: () => hybridClock.now(),
        sign,
        verifySignature,
        commit: group => this.directory.apply(group),
        progress: volume => this.directory.progress(volume),
        onGap: volume => this.#volumesWithGaps.add(volume),
        isWhole: record => this.verdicts.isWhole(record)
      },
      { folder: join(folder, 'volumes'), volumeBytes, origin }
    )
    const { volumes, directory } = this
    const writer = new RecordWriter({
      store: volumes,
      directory,
      hybridClock,
      actor: () => volumes.epoch,
      admit,
      ...(clusterFormat && { clusterFormat })
    })
    this.writer = writer
    const verdicts = new NeedleVerdicts({ directory, volumes, writer, horizon, purgeTo })
    this.verdicts = verdicts
    const isRetired = (volume: VolumeId): boolean => verdicts.isRetired(volume)
    this.copies = new VolumeCopies({ volumes, reserve: this.#reserve, isRetired })
    const judge: Judge = (volume, rows) => verdicts.judge(volume, rows)
    const inspector = new Inspector({ clock, judge }, { purgeMs })
    this.inspector = inspector
    directory.onChange(changes => {
      for (const { before, after } of changes) {
        for (const id of verdicts.affectedVolumes(before, after)) {
          const volume = volumes.get(id)
          if (volume !== undefined) inspector.invalidate(volume)
        }
      }
    })
    this.compactor = new Compactor(
      {
        volumes,
        inspector,
        clock,
        log,
        judge,
        recordToMove: (volume, row, trust) => verdicts.recordToMove(volume, row, trust),
        retire: (volume, coveredBytes) => verdicts.retire(volume, coveredBytes),
        isRetired,
        isOwner: components.isCompactionOwner ?? (volume => volumes.isOwn(volume))
      },
      { purgeMs, deadShareMin: DEAD_SHARE_MIN, bytesPerSecondMax: COMPACTION_BYTES_PER_SECOND }
    )
    this.scrubber = new Scrubber(
      { volumes, copies: this.copies, fileSystem, clock, log },
      {
        cursorPath: join(folder, 'scrub.json'),
        bytesPerSecondMax: SCRUB_BYTES_PER_SECOND,
        intervalMs: SCRUB_INTERVAL_MS
      }
    )
    const worker = (name: string, idleMs: number, step: Step): WorkerLoop =>
      new WorkerLoop({ clock, log }, { name, idleMs, delayMs: Math.min(idleMs, FIRST_STEP_MS), step })
    this.#workers = [
      worker('directory', REOPEN_IDLE_MS, () => this.#reopenDirectory()),
      worker('compaction', COMPACTION_IDLE_MS, signal => this.compactor.step(signal)),
      worker('scrub', SCRUB_IDLE_MS, signal => this.scrubber.step(signal))
    ]
  }

  /** @returns the space of the disk that holds the folder. @throws the file system's error */
  space(): Promise<DiskSpace> {
    return this.#components.fileSystem.space(this.#folder)
  }

  /** Opens the directory, recovers the volumes, and replays what the directory lacks. */
  async start(): Promise<void> {
    await makeDurableDirectory(this.#components.fileSystem, this.#folder)
    await this.#reserve.start()
    await this.directory.start()
    await this.#rebuildOnDamage(() => this.volumes.start())
    if (await this.#rebuildOnDamage(() => this.verdicts.load())) await this.verdicts.load()
    this.#knowsRetired = true
    await this.#rebuildOnDamage(() => this.#rereadGaps())
    for (const worker of this.#workers) await worker.start()
  }

  async stop(): Promise<void> {
    for (const worker of this.#workers) await worker.stop()
    await this.volumes.stop()
    await this.directory.stop()
  }

  /**
   * Fills the directory from the log after `prepare` has emptied or reopened it.
   *
   * @returns needles replayed
   */
  async refill(prepare: () => Promise<void>): Promise<number> {
    this.#refilling = true
    try {
      const replayed = await this.volumes.replay(prepare)
      if (this.#knowsRetired) await this.#rereadGaps()
      this.directory.complete()
      await this.#components.onRefilled?.()
      return replayed
    } finally {
      this.#refilling = false // after a failure the directory worker tries again
    }
  }

  /**
   * Runs a step of the start. If it finds the directory damaged, the directory is rebuilt and the start continues.
   *
   * @returns whether the directory was rebuilt
   */
  async #rebuildOnDamage(step: () => Promise<void>): Promise<boolean> {
    try {
      await step()
      return false
    } catch (err) {
      if (this.directory.state !== 'failed') throw err
      await this.#reopenDirectory()
      return true
    }
  }

  /** Reopens a directory that has failed, and fills it from the log. */
  async #reopenDirectory(): Promise<'busy' | 'idle'> {
    if (this.directory.state === 'open' || this.#refilling) return 'idle'
    await this.refill(() => this.directory.reopen())
    return 'idle'
  }

  /** Rereads holes before the directory, which lacks their records, answers. */
  async #rereadGaps(): Promise<void> {
    if (this.#volumesWithGaps.size === 0) return
    const { clock, log } = this.#components
    await rereadHolesBriefly(this.#volumesWithGaps, { copies: this.copies, clock, log })
    this.#volumesWithGaps.clear()
  }
}
