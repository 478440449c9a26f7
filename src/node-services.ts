import { join } from 'node:path'
import type { Clock } from './core/clock.js'
import { SheafError } from './core/errors.js'
import { type FileSystem, makeDurableDirectory } from './core/file-system.js'
import type { Startable } from './core/lifecycle.js'
import type { Logger } from './core/log.js'
import type { Random } from './core/random.js'
import { type Step, WorkerLoop } from './core/worker-loop.js'
import type { DatabaseSource } from './directory/database.js'
import { Directory } from './directory/directory.js'
import { HLC_ZERO, type Hlc, HybridClock } from './domain/hlc.js'
import type { PhotoId, VolumeId } from './domain/ids.js'
import { PHOTO_KIND } from './domain/photo.js'
import type { Transport } from './network/transport.js'
import type { ImageAnalyst } from './similarity/images/image-analyst.js'
import type { VectorIndexes } from './similarity/index/vector-index.js'
import { Compactor } from './volumes/compaction.js'
import { DiskReserve } from './volumes/disk-reserve.js'
import { Inspector } from './volumes/inspection.js'
import { Scrubber } from './volumes/scrub.js'
import { lookAgainBriefly } from './volumes/second-look.js'
import type { Volume } from './volumes/volume.js'
import { VolumeCopies } from './volumes/volume-copies.js'
import { VolumeSet, type VolumeSetComponents } from './volumes/volume-set.js'
import { Cluster, type ClusterComponents, type ClusterInit } from './cluster/cluster.js'
import { Jobs } from './admin/jobs.js'
import { Liveness } from './store/needle-verdicts.js'
import { Maintenance } from './admin/maintenance.js'
import { PhotoReader } from './photos/photo-reader.js'
import { Photos } from './photos/photos.js'
import { RecordWriter } from './store/record-writer.js'
import { Similarity } from './search/similarity.js'

const CHUNK_BYTES_MAX = 8 * 1024 * 1024
/** A volume holds at least this many chunks. */
const CHUNKS_PER_VOLUME_MIN = 8
/** On top of one volume's space: LevelDB's own compaction and tombstones. */
const BALLAST_BYTES_MAX = 64 * 1024 * 1024

const COMPACTION_IDLE_MS = 10 * 60_000
const COMPACTION_BYTES_PER_SECOND = 20_000_000
const DEAD_SHARE_MIN = 0.3
const SCRUB_IDLE_MS = 60 * 60_000
const SCRUB_BYTES_PER_SECOND = 4_000_000
const SCRUB_INTERVAL_MS = 7 * 24 * 3_600_000
const REOPEN_IDLE_MS = 1_000
/** After a start the disk is needed for other things. */
const FIRST_LOOK_MS = 60_000

export interface StorageComponents {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** The directory's database. */
  readonly database: DatabaseSource
  readonly sign: VolumeSetComponents['sign']
  readonly verifySignature: VolumeSetComponents['verifySignature']
  /** To compare photos by what they look like; without it nobody looks at them. */
  readonly similarity?: {
    readonly analyst: ImageAnalyst
    readonly indexes: VectorIndexes
  }
  /** To the other nodes; without it the node is alone. */
  readonly network?: {
    readonly transport: Transport
    readonly resolve: ClusterComponents['resolve']
    readonly nodeOf: ClusterComponents['nodeOf']
    readonly init: ClusterInit
  }
}

export interface StorageInit {
  /** Everything the node keeps lies in here. */
  readonly folder: string
  /** The node's Ed25519 public key. */
  readonly origin: Uint8Array
  readonly volumeBytes: number
  readonly purgeMs: number
  readonly maxUploadBytes: number
  readonly minCopies: number
  readonly requireCookie: boolean
}

/** One node's photos: the log, its view, what clients and operators do with them, and the work in the background. */
export class Storage implements Startable {
  readonly photos: Photos
  readonly maintenance: Maintenance
  readonly jobs: Jobs
  readonly volumes: VolumeSet
  readonly directory: Directory
  /** Undefined when the node is alone. */
  readonly cluster: Cluster | undefined
  /** Undefined when nobody looks at photos. */
  readonly similarity: Similarity | undefined
  readonly #reserve: DiskReserve
  readonly #liveness: Liveness
  readonly #workers: readonly WorkerLoop[]
  readonly #fileSystem: FileSystem
  readonly #folder: string
  /** Volumes with holes that the directory was filled from, until somebody has looked there again. */
  readonly #gaps = new Set<Volume>()
  readonly #lookAgain: (volumes: Iterable<Volume>) => Promise<void>
  /** Which volumes are retired is known: these stay as they are. */
  #knowsRetired = false
  #started = false
  #refilling = false

  constructor(components: StorageComponents, init: StorageInit) {
    const { fileSystem, clock, random, log, database, sign, verifySignature, network, similarity } = components
    const { folder, origin, volumeBytes, purgeMs, maxUploadBytes, minCopies, requireCookie } = init
    const hybridClock = new HybridClock({ clock })
    this.#fileSystem = fileSystem
    this.#folder = folder
    this.directory = new Directory({ database, log, observe: stamp => hybridClock.observe(stamp) })
    this.#reserve = new DiskReserve(
      { fileSystem, clock, log },
      {
        directory: folder,
        ballastPath: join(folder, 'ballast'),
        reserveBytes: volumeBytes + Math.min(BALLAST_BYTES_MAX, volumeBytes)
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
        applied: volume => this.directory.applied(volume),
        onGap: volume => this.#gaps.add(volume),
        isWhole: record => this.#liveness.isWhole(record)
      },
      { directory: join(folder, 'volumes'), volumeBytes, origin }
    )
    const { volumes, directory } = this
    const shared = { store: volumes, directory, actor: () => volumes.epoch }
    const writer = new RecordWriter({ ...shared, hybridClock, admit: () => this.cluster?.leaving.admit() })
    const horizon = (): Hlc => this.cluster?.horizon.promises.horizon ?? HLC_ZERO
    const purgeTo = (): Hlc => this.cluster?.horizon.target ?? HLC_ZERO
    this.#liveness = new Liveness({ directory, volumes, writer, horizon, purgeTo })
    const liveness = this.#liveness
    const isRetired = (volume: VolumeId): boolean => liveness.isRetired(volume)
    const space = () => fileSystem.space(folder)
    const copies = new VolumeCopies({
      volumes,
      reserve: this.#reserve,
      merge: records => directory.merge(records),
      isRetired
    })
    this.#lookAgain = gaps => lookAgainBriefly(gaps, { copies, clock, log })
    const inspector = new Inspector({ clock, judge: (volume, rows) => liveness.judge(volume, rows) }, { purgeMs })
    directory.onChange(changes => {
      for (const { before, after } of changes) {
        for (const id of liveness.affected(before, after)) {
          const volume = volumes.get(id)
          if (volume !== undefined) inspector.touch(volume)
        }
      }
    })
    const compactor = new Compactor(
      {
        volumes,
        inspector,
        clock,
        log,
        judge: (volume, rows) => liveness.judge(volume, rows),
        recordToMove: (volume, row, trust) => liveness.recordToMove(volume, row, trust),
        retire: (volume, coveredBytes) => liveness.retire(volume, coveredBytes),
        isRetired,
        isKeeper: volume => this.cluster?.succession.isKeeper(volume) ?? volumes.isOwn(volume)
      },
      { purgeMs, deadShareMin: DEAD_SHARE_MIN, bytesPerSecondMax: COMPACTION_BYTES_PER_SECOND }
    )
    const cluster =
      network &&
      new Cluster(
        {
          ...network,
          clock,
          random,
          log,
          hybridClock,
          volumes,
          copies,
          directory,
          writer,
          space,
          indexes: () => this.similarity?.models.announced() ?? [],
          fileSystem,
          liveness,
          compactor,
          onRise: () => inspector.touchAll()
        },
        network.init,
        { folder, purgeMs }
      )
    this.cluster = cluster
    const reader = new PhotoReader({ store: volumes, log, remote: cluster?.reads })
    const lookUp = cluster && ((id: PhotoId) => cluster.records.fetch({ kind: PHOTO_KIND, id }))
    this.photos = new Photos(
      {
        ...shared,
        clock,
        random,
        log,
        writer,
        reader,
        logicalVolume: () => volumes.logicalVolume,
        ...(cluster !== undefined && {
          copies: (id, wanted) => cluster.durability.copies(id, wanted)
        }),
        ...(lookUp !== undefined && { lookUp })
      },
      { chunkBytes: chunkBytesFor(volumeBytes), maxUploadBytes, minCopies, requireCookie }
    )
    const scrubber = new Scrubber(
      { volumes, copies, fileSystem, clock, log },
      {
        cursorPath: join(folder, 'scrub.json'),
        bytesPerSecondMax: SCRUB_BYTES_PER_SECOND,
        intervalMs: SCRUB_INTERVAL_MS
      }
    )
    const sight =
      similarity &&
      new Similarity(
        {
          ...similarity,
          directory,
          reader,
          writer,
          fileSystem,
          onNeedles: listener => volumes.onGrowth(listener),
          catchingUp: () => (cluster?.shipping.progress().backlogBytes ?? 0) > 0,
          membership: cluster?.membership,
          transport: network?.transport,
          lookUp,
          clock,
          random,
          log
        },
        { folder }
      )
    this.similarity = sight
    this.jobs = new Jobs({ clock, random, log })
    this.maintenance = new Maintenance({
      jobs: this.jobs,
      directory,
      volumes,
      inspector,
      compactor,
      scrubber,
      cluster,
      ...(sight !== undefined && { similarity: () => sight.status() }),
      secureRecords: signal => liveness.secureRecords(signal),
      refill: prepare => this.#refill(prepare),
      space
    })
    const worker = (name: string, idleMs: number, step: Step): WorkerLoop =>
      new WorkerLoop({ clock, log }, { name, idleMs, delayMs: Math.min(idleMs, FIRST_LOOK_MS), step })
    this.#workers = [
      worker('directory', REOPEN_IDLE_MS, () => this.#reopenDirectory()),
      worker('compaction', COMPACTION_IDLE_MS, signal => compactor.step(signal)),
      worker('scrub', SCRUB_IDLE_MS, signal => scrubber.step(signal))
    ]
  }

  /** Opens the directory, finds out what the volumes hold, and replays what the directory lacks. */
  async start(): Promise<void> {
    await makeDurableDirectory(this.#fileSystem, this.#folder)
    await this.#reserve.start()
    await this.directory.start()
    await this.#mended(() => this.volumes.start())
    if (await this.#mended(() => this.#liveness.load())) await this.#liveness.load()
    this.#knowsRetired = true
    await this.#mended(() => this.#closeGaps())
    for (const worker of this.#workers) await worker.start()
    await this.cluster?.start()
    await this.similarity?.start()
    this.#started = true
  }

  async stop(): Promise<void> {
    this.#started = false
    await this.jobs.stop()
    await this.similarity?.stop()
    await this.cluster?.stop()
    for (const worker of this.#workers) await worker.stop()
    await this.volumes.stop()
    await this.directory.stop()
  }

  /** @returns why the node cannot serve now; undefined when it can */
  unready(): SheafError | undefined {
    if (this.#started && this.directory.state === 'open') return undefined
    return new SheafError('ERR_DIRECTORY_UNAVAILABLE', undefined, { details: { state: this.directory.state } })
  }

  /**
   * Takes a step of the start. Damage that it comes across in the directory costs a rebuild, not the start.
   *
   * @returns whether it did
   */
  async #mended(step: () => Promise<void>): Promise<boolean> {
    try {
      await step()
      return false
    } catch (err) {
      if (this.directory.state !== 'failed') throw err
      await this.#reopenDirectory()
      return true
    }
  }

  /** After a failed batch or damage found while running: opens the directory again and lets the log fill it. */
  async #reopenDirectory(): Promise<'busy' | 'idle'> {
    if (this.directory.state === 'open' || this.#refilling) return 'idle'
    await this.#refill(() => this.directory.reopen())
    return 'idle'
  }

  /** What a disk refused once it may give now: it counts before the directory that lacks it answers. */
  async #closeGaps(): Promise<void> {
    if (this.#gaps.size === 0) return
    await this.#lookAgain(this.#gaps)
    this.#gaps.clear()
  }

  /** Fills the directory from the log, after `prepare` has emptied or reopened it. @returns needles replayed */
  async #refill(prepare: () => Promise<void>): Promise<number> {
    this.#refilling = true
    try {
      const replayed = await this.volumes.replay(prepare)
      if (this.#knowsRetired) await this.#closeGaps()
      this.directory.complete()
      await this.cluster?.horizon.restore()
      return replayed
    } finally {
      this.#refilling = false // when it broke off, the worker begins again
    }
  }
}

function chunkBytesFor(volumeBytes: number): number {
  return Math.min(CHUNK_BYTES_MAX, 2 ** Math.floor(Math.log2(volumeBytes / CHUNKS_PER_VOLUME_MIN)))
}
