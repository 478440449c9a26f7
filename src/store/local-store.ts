import { join } from 'node:path'
import type { Clock } from '../core/clock.js'
import { type FileSystem, makeDurableDirectory } from '../core/file-system.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Metrics } from '../core/metrics.js'
import type { Random } from '../core/random.js'
import type { Tracer } from '../core/tracing.js'
import { type Step, WorkerLoop } from '../core/worker-loop.js'
import type { DatabaseSource } from '../directory/database.js'
import { Directory } from '../directory/directory.js'
import { restAfter } from '../directory/index-build.js'
import { languagesWith } from '../directory/index-languages.js'
import type { RecordFormats } from '../domain/formats.js'
import { HybridClock } from '../domain/hlc.js'
import type { NodeId, VolumeId } from '../domain/ids.js'
import { PHOTO_KIND } from '../domain/photo.js'
import type { Places } from '../domain/places.js'
import type { RecordKey } from '../domain/record.js'
import { type CompactionComponents, Compactor } from '../volumes/compaction.js'
import { DiskReserve, type NodeSpace } from '../volumes/disk-reserve.js'
import { Inspector, type Judge } from '../volumes/inspection.js'
import { rereadHolesBriefly } from '../volumes/reread-holes.js'
import { Scrubber } from '../volumes/scrub.js'
import type { Volume } from '../volumes/volume.js'
import { VolumeCopies } from '../volumes/volume-copies.js'
import { VolumeSet, type VolumeSetComponents } from '../volumes/volume-set.js'
import { Age } from './age.js'
import { KeptCounts } from './kept-counts.js'
import { LaidOut } from './laid-out.js'
import { NeedleVerdicts, RETIRED_KIND } from './needle-verdicts.js'
import { Past } from './past.js'
import { RecordWriter } from './record-writer.js'
import { Sweep } from './sweep.js'

/** Reserve on top of one volume: for LevelDB's compaction and for tombstones. */
const RESERVE_SLACK_BYTES = 64 * 1024 * 1024

const COMPACTION_IDLE_MS = 10 * 60_000
const COMPACTION_BYTES_PER_SECOND = 20_000_000
const DEAD_SHARE_MIN = 0.3
/** Looks for deletes to bury that often, or as often as a short undo period asks for. */
const SWEEP_IDLE_MS = 3_600_000
const SWEEP_IDLE_MS_MIN = 1_000
const INDEX_IDLE_MS = 60_000
const SCRUB_IDLE_MS = 60 * 60_000
const SCRUB_BYTES_PER_SECOND = 4_000_000
const SCRUB_INTERVAL_MS = 7 * 24 * 3_600_000
const REOPEN_IDLE_MS = 1_000
/** Before a directory that failed soon after it was reopened is reopened again; doubles each time. */
const REOPEN_PAUSE_MS = 1_000
const REOPEN_PAUSE_MS_MAX = 60_000
/** Delay of compaction and scrubbing after a start, when the disk has more urgent work. */
const FIRST_STEP_MS = 60_000
/** Of the records that the other parts of a node read whole when they start. */
const START_KINDS = ['member', 'cluster']

export interface LocalStoreComponents {
  readonly fileSystem: FileSystem
  /** Names of places, and whether photos are found by them. Default: there are none. */
  readonly places?: { readonly table: Places; readonly isWanted: boolean } | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Default: nothing is measured. */
  readonly metrics?: Metrics
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
  /** Of the directory. */
  readonly database: DatabaseSource
  readonly sign: VolumeSetComponents['sign']
  readonly verifySignature: VolumeSetComponents['verifySignature']
  /** Throws when clients must not write now. Default: they always may. */
  readonly admit?: () => void
  /** Default: a node compacts what it wrote. */
  readonly compactionOwnership?: CompactionComponents['ownership']
  /** How long a delete may be undone, anywhere in the cluster, ms. Default: `purgeMs`. */
  readonly undoMs?: () => number
  /** This node's place among those that could bury a record, from 0. Default: 0. */
  readonly burialRank?: (key: RecordKey) => number
  /** Why this node must not bury now; undefined, and by default: it may. */
  readonly burialObstacle?: () => string | undefined
  /** The greatest record format that may be written. Default: the least. */
  readonly clusterFormat?: () => number
  /** @returns the node with this Ed25519 public key. Default: a node without a name */
  readonly nodeOf?: (origin: Uint8Array) => NodeId
}

export interface LocalStoreInit {
  /** Holds all data of the node. */
  readonly folder: string
  /** The node's Ed25519 public key. */
  readonly origin: Uint8Array
  readonly volumeBytes: number
  /** How long the bytes of a deleted photo may be kept, ms. */
  readonly purgeMs: number
  /** Whether to sweep, compact and scrub in the background. Default: yes. */
  readonly upkeep?: boolean
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
  readonly #keptCounts: KeptCounts
  readonly compactor: Compactor
  readonly scrubber: Scrubber
  readonly age: Age
  readonly past: Past
  readonly laidOut: LaidOut
  readonly sweep: Sweep
  readonly #components: LocalStoreComponents
  readonly #folder: string
  readonly reserve: DiskReserve
  readonly #compaction: WorkerLoop
  readonly #reopening: WorkerLoop
  readonly #workers: readonly WorkerLoop[]
  /** Volumes with gaps after a replay, until their holes have been reread. */
  readonly #volumesWithGaps = new Set<Volume>()
  #hasStarted = false
  #refilling = false
  /** When the worker did so last, monotonic ms. */
  #reopenedAt = Number.NEGATIVE_INFINITY
  #reopenPauseMs = 0

  constructor(components: LocalStoreComponents, init: LocalStoreInit) {
    const { folder, origin, volumeBytes, purgeMs, formats, upkeep = true } = init
    const { fileSystem, clock, random, log, database, sign, verifySignature } = components
    const { admit = () => {}, undoMs = () => purgeMs, burialRank = () => 0 } = components
    const { burialObstacle = () => undefined, clusterFormat, nodeOf = () => '' as NodeId, places } = components
    this.#components = components
    this.#folder = folder
    const hybridClock = new HybridClock({ clock })
    this.hybridClock = hybridClock
    const age = (): number => this.age.now()
    const since = (ageMs: number): number => this.age.since(ageMs)
    this.laidOut = new LaidOut(
      {
        fileSystem,
        clock,
        log,
        age,
        since,
        undoMs,
        roundAt: () => this.age.roundAt,
        photos: () => (this.directory.state === 'open' ? this.directory.count('all') : undefined),
        isOwn: from => {
          const volume = this.volumes.get(from as VolumeId)
          if (volume === undefined || !this.volumes.isOwn(volume)) return false
          // what an earlier process buried is not this node's word if its disk was put back: then a peer brings it
          return this.volumes.isOfThisProcess(volume.id) || !this.#hasStarted || this.directory.state === 'filling'
        },
        nameOf: from => {
          const superblock = this.volumes.get(from as VolumeId)?.superblock
          return superblock === undefined ? from : nodeOf(superblock.origin)
        }
      },
      join(folder, 'laid-out')
    )
    this.past = new Past({ fileSystem, log }, folder)
    this.directory = new Directory(
      {
        database,
        log,
        observe: stamp => hybridClock.observe(stamp),
        age,
        guard: this.laidOut,
        admit: byteCount => this.reserve.admitRecords(byteCount),
        onFailed: () => {
          this.reserve.invalidateFreeBytes() // an upload is to hear that the disk is full, if that is why
          this.#reopening.wake()
        },
        onOlderSchema: schema => this.past.noteSchema(schema)
      },
      { ...(formats && { formats }), ...(places && { languages: languagesWith(places.table, places.isWanted) }) }
    )
    this.age = new Age({ clock, directory: this.directory, log, undoMs })
    const groupNeedles = components.metrics?.histogram('sheaf_group_commit_needles')
    this.reserve = new DiskReserve(
      { fileSystem, clock, log, onRefusal: () => this.#compaction.wake() },
      {
        folder: folder,
        ballastPath: join(folder, 'ballast'),
        reserveBytes: volumeBytes + Math.min(RESERVE_SLACK_BYTES, volumeBytes),
        recordReserveBytes: Math.min(RESERVE_SLACK_BYTES, volumeBytes)
      }
    )
    this.volumes = new VolumeSet(
      {
        fileSystem,
        clock,
        random,
        log,
        tracer: components.tracer,
        reserve: this.reserve,
        requireDirectory: () => this.directory.requireWritable(),
        stamp: () => hybridClock.now(),
        sign,
        verifySignature,
        commit: group => {
          if (this.volumes.isOfThisProcess(group.volume)) groupNeedles?.observe(group.needles.length)
          return this.directory.apply(group)
        },
        progress: volume => this.directory.progress(volume),
        onGap: volume => this.#volumesWithGaps.add(volume),
        isWhole: record => this.verdicts.isWhole(record),
        forget: volume => this.directory.forgetVolume(volume)
      },
      { folder: join(folder, 'volumes'), volumeBytes, origin }
    )
    const { volumes, directory } = this
    const writer = new RecordWriter({
      store: volumes,
      directory,
      hybridClock,
      random,
      actor: () => volumes.epoch,
      admit,
      ...(clusterFormat && { clusterFormat })
    })
    this.writer = writer
    const verdicts = new NeedleVerdicts({ directory, volumes, writer, laidOut: this.laidOut, age })
    this.verdicts = verdicts
    const isRetired = (volume: VolumeId): boolean => verdicts.isRetired(volume)
    this.copies = new VolumeCopies({ volumes, clock, reserve: this.reserve, isRetired })
    const judge: Judge = (volume, rows) => verdicts.judge(volume, rows)
    const inspector = new Inspector({ clock, judge, since }, { purgeMs })
    this.inspector = inspector
    this.#keptCounts = new KeptCounts({ fileSystem, clock, log, inspector, volumes }, join(folder, 'counts'))
    this.laidOut.onReleased(() => inspector.invalidateAll())
    directory.onChange(changes => {
      for (const change of changes) {
        const { key, after, volumes: from } = change
        if (this.laidOut.isNew && key.kind === PHOTO_KIND && from.some(id => volumes.isOfThisProcess(id)))
          this.laidOut.settleIn()
        if (after !== undefined) this.laidOut.noteShown(after)
        if (key.kind === RETIRED_KIND && volumes.get(key.id as VolumeId)?.state === 'active') this.#compaction.wake()
        for (const { volume: id, offset } of verdicts.affected(change)) {
          const volume = volumes.get(id)
          if (volume !== undefined) inspector.invalidate(volume, offset)
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
        remove: (volume, end) => this.copies.remove(volume, end),
        ownership: components.compactionOwnership ?? (() => volume => volumes.isOwn(volume)),
        since,
        isScarce: () => this.reserve.isScarce(),
        yieldLaidOut: graceMs => this.#yieldLaidOut(graceMs)
      },
      { purgeMs, deadShareMin: DEAD_SHARE_MIN, bytesPerSecondMax: COMPACTION_BYTES_PER_SECOND }
    )
    this.scrubber = new Scrubber(
      { volumes, copies: this.copies, fileSystem, clock, log, onScrubbed: volume => inspector.invalidate(volume) },
      {
        cursorPath: join(folder, 'scrub.json'),
        bytesPerSecondMax: SCRUB_BYTES_PER_SECOND,
        intervalMs: SCRUB_INTERVAL_MS
      }
    )
    this.sweep = new Sweep({
      directory,
      volumes,
      clock,
      log,
      since,
      undoMs,
      rankOf: burialRank,
      obstacle: burialObstacle,
      takeHeard: () => verdicts.takeHeard()
    })
    const worker = (name: string, idleMs: number, step: Step): WorkerLoop =>
      new WorkerLoop({ clock, log }, { name, idleMs, delayMs: Math.min(idleMs, FIRST_STEP_MS), step })
    this.#compaction = worker('compaction', COMPACTION_IDLE_MS, signal => this.compactor.step(signal))
    const upkeepWorkers = [
      worker('burial', Math.min(SWEEP_IDLE_MS, Math.max(SWEEP_IDLE_MS_MIN, purgeMs / 4)), signal =>
        this.#sweep(signal)
      ),
      this.#compaction,
      worker('scrub', SCRUB_IDLE_MS, signal => this.scrubber.step(signal)),
      new WorkerLoop(
        { clock, log },
        { name: 'index', idleMs: INDEX_IDLE_MS, step: signal => this.#workOnIndex(signal) }
      )
    ]
    this.#reopening = worker('directory', REOPEN_IDLE_MS, signal => this.#reopenFailed(signal))
    this.#workers = [this.#reopening, ...(upkeep ? upkeepWorkers : [])]
  }

  /** @returns the space of the disk that holds the folder. @throws the file system's error */
  async space(): Promise<NodeSpace> {
    return { ...(await this.#components.fileSystem.space(this.#folder)), isFull: this.reserve.isFull }
  }

  /**
   * The moment, ms since the Unix epoch, before which no grave was heard of a photo of which a needle is still here,
   * laid-out ones excepted. What this process wrote and nobody has inspected yet does not count.
   *
   * @returns undefined: not known, as some volume was never found without needles of buried photos
   */
  purgedToMs(): number | undefined {
    let least = this.#components.clock.now()
    for (const volume of this.volumes.volumes()) {
      const cleanAt = this.inspector.cleanAt(volume)
      if (cleanAt !== undefined) least = Math.min(least, cleanAt)
      else if (!this.volumes.isOfThisProcess(volume.id)) return undefined
    }
    return least
  }

  /** Opens the directory, recovers the volumes, and replays what the directory lacks. */
  async start(): Promise<void> {
    await makeDurableDirectory(this.#components.fileSystem, this.#folder)
    await this.reserve.start()
    await this.past.load()
    await this.directory.start()
    await this.#loadAge()
    await this.laidOut.load()
    await this.#rebuildOnDamage(() => this.volumes.start())
    await this.#rebuildOnDamage(() => this.#forgetRemoved())
    if (await this.#rebuildOnDamage(() => this.verdicts.load())) await this.verdicts.load()
    await this.#rebuildOnDamage(() => this.#rereadGaps())
    this.directory.complete()
    this.laidOut.began(this.directory.isEmpty)
    await this.#rebuildOnDamage(() => this.#releaseExhumed())
    await this.#rebuildOnDamage(() => this.#readMembers())
    await this.#keptCounts.take(this.#isAsItWas)
    this.#hasStarted = true
    await this.age.start()
    for (const worker of this.#workers) await worker.start()
  }

  async stop(): Promise<void> {
    for (const worker of this.#workers) await worker.stop()
    await this.age.stop()
    await this.volumes.stop()
    if (this.#hasStarted) await this.#keptCounts.leave()
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
      await this.#rereadGaps()
      this.directory.complete()
      return replayed
    } finally {
      this.#refilling = false // after a failure the directory worker tries again
    }
  }

  /** Whether the last process ended with all of the log in the directory. */
  get #isAsItWas(): boolean {
    return this.volumes.recovery?.replayedNeedles === 0 && this.directory.rebuildReason === undefined
  }

  /** Volumes that were removed just before the last process ended, or while none ran. */
  async #forgetRemoved(): Promise<void> {
    for (const id of this.directory.volumes()) {
      if (this.volumes.get(id) === undefined) await this.directory.forgetVolume(id)
    }
  }

  /** What was brought back just before the last process ended is still in the file of what was laid out. */
  async #releaseExhumed(): Promise<void> {
    const keys = this.laidOut.list().map(({ key }) => key)
    for (const stored of await this.directory.getMany(keys)) if (stored) this.laidOut.noteShown(stored.record)
  }

  /** The rest of a node reads them when it starts: a damaged row among them is found while the directory is made anew. */
  async #readMembers(): Promise<void> {
    for (const kind of START_KINDS) for await (const _record of this.directory.records(kind));
  }

  /** If the directory turns out to be damaged, it is made anew: what was noted at an age is lost with the age. */
  async #loadAge(): Promise<void> {
    try {
      await this.age.load()
    } catch (err) {
      if (this.directory.state !== 'failed') throw err
      await this.directory.stop()
      await this.directory.start()
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

  async #workOnIndex(signal: AbortSignal): Promise<'busy' | 'idle'> {
    const { clock, log } = this.#components
    const { directory } = this
    if (directory.state !== 'open') return 'idle'
    const wasBuilding = directory.isIndexBuilding
    const began = clock.monotonic()
    const isBusy = await directory.workOnIndex()
    if (wasBuilding && !directory.isIndexBuilding)
      log.info({ photos: directory.count('all') }, 'the new index of the directory is complete, and read from now on')
    if (isBusy) await clock.sleep(restAfter(clock.monotonic() - began), signal)
    return isBusy ? 'busy' : 'idle'
  }

  async #sweep(signal: AbortSignal): Promise<'idle'> {
    await this.sweep.step(signal)
    if (this.directory.state === 'open') await this.laidOut.expire()
    return 'idle'
  }

  /** @returns whether anything that was laid out can go now */
  async #yieldLaidOut(graceMs: number): Promise<boolean> {
    const keys = await this.laidOut.makeRoom(graceMs)
    await this.verdicts.hear(keys)
    await this.sweep.logHeard()
    return keys.length > 0
  }

  /**
   * Reopens a directory that has failed at once, and ever later while it fails again soon after: each time begins a new
   * epoch, so that a volume is made for the next write.
   */
  async #reopenFailed(signal: AbortSignal): Promise<'busy' | 'idle'> {
    if (this.directory.state === 'open' || this.#refilling) return 'idle'
    const { clock } = this.#components
    const hasLasted = clock.monotonic() - this.#reopenedAt >= REOPEN_PAUSE_MS_MAX
    const longer = Math.max(REOPEN_PAUSE_MS, 2 * this.#reopenPauseMs)
    this.#reopenPauseMs = hasLasted ? 0 : Math.min(longer, REOPEN_PAUSE_MS_MAX)
    if (this.#reopenPauseMs > 0) await clock.sleep(this.#reopenPauseMs, signal)
    await this.#reopenDirectory()
    this.#reopenedAt = clock.monotonic()
    return 'idle'
  }

  /** Reopens a directory that has failed, and fills it from the log. */
  async #reopenDirectory(): Promise<'busy' | 'idle'> {
    if (this.directory.state === 'open' || this.#refilling) return 'idle'
    await this.refill(async () => {
      await this.reserve.makeRoom() // a full disk may be why it failed
      await this.directory.reopen()
    })
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
