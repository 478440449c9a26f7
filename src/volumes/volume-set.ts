import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { FileSystem } from '../core/file-system.js'
import { invariant } from '../core/invariant.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { ActorId, VolumeId } from '../domain/ids.js'
import type { NeedleIdentity } from '../domain/needle.js'
import { SUPERBLOCK_BYTES, type Superblock } from '../domain/superblock.js'
import { BufferPool } from './buffer-pool.js'
import type { DiskReserve } from './disk-reserve.js'
import type { HoleRange, NeedleRow } from './index-file.js'
import { LogWriter, type LogWriterComponents, type LogWriterInit } from './log-writer.js'
import { NeedleIndex, VOLUME_NUMBERS } from './needle-index.js'
import type {
  CommittedNeedle,
  DurableGroup,
  NeedleDraft,
  NeedleLease,
  NeedleLocation,
  NeedleStore
} from './needle-store.js'
import { RangeReaders } from './range-readers.js'
import {
  holdsNeedles,
  type RecoveryReport,
  recoverVolume,
  type TornTail,
  truncateTornTail,
  type VolumeRecovery
} from './recovery.js'
import { type ReplayComponents, replayVolumes } from './replay.js'
import { rowOfCommitted, Volume } from './volume.js'
import { type VolumeFile, VolumeFolder } from './volume-folder.js'
import { readSuperblock, superblockOf } from './volume-superblock.js'

const IDLE_BUFFER_BYTES_MAX = 32 * 1024 * 1024

export interface VolumeSetComponents
  extends Pick<LogWriterComponents, 'random' | 'stamp' | 'sign' | 'tracer' | 'requireDirectory'>,
    ReplayComponents {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
  readonly reserve: DiskReserve
  readonly verifySignature: (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean
  /** Whether this node has the bytes that the record names, or already knows the photo. Default: yes. */
  readonly isWhole?: (record: Uint8Array) => boolean
  /** Drops what the directory knows of a volume that is about to be removed. Default: it knows nothing. */
  readonly forget?: (volume: VolumeId) => Promise<void>
}

export interface VolumeSetInit extends LogWriterInit {
  /** Folder of the volume and index files. */
  readonly folder: string
}

/** All volumes of this node: the active one that takes appends, the closed ones, the copies, and the index over them. */
export class VolumeSet implements NeedleStore, Startable {
  readonly #components: VolumeSetComponents
  readonly #init: VolumeSetInit
  readonly #pool = new BufferPool(IDLE_BUFFER_BYTES_MAX)
  readonly #rangeReaders = new RangeReaders()
  readonly #index = new NeedleIndex()
  readonly #folder: VolumeFolder
  readonly #writer: LogWriter
  readonly #volumes = new Map<VolumeId, Volume>()
  /** Volumes by their number in the needle index; undefined: the number is free once the index has no needle under it. */
  readonly #numbered: (Volume | undefined)[] = []
  /** Serializes commits of all volumes. */
  #commits: Promise<void> = Promise.resolve()
  readonly #growthListeners = new Set<(volume: Volume) => void>()
  #recovery: RecoveryReport | undefined

  constructor(components: VolumeSetComponents, init: VolumeSetInit) {
    this.#components = components
    this.#init = init
    this.#folder = new VolumeFolder(components, init.folder)
    const create: LogWriterComponents['create'] = (superblock, encoded) => this.#createVolume(superblock, encoded)
    const commit: LogWriterComponents['commit'] = (volume, group) => this.commit(volume, group)
    this.#writer = new LogWriter({ ...components, create, commit }, init)
  }

  /**
   * The epoch of new volumes, and the actor of new dots. It changes when an append fails: what is on disk is unknown then,
   * and a dot must never be used twice.
   */
  get epoch(): ActorId {
    return this.#writer.epoch
  }

  /** The volume that the next append goes to if it fits: a hint. */
  get logicalVolume(): VolumeId {
    return this.#writer.logicalVolume
  }

  /** Whether this process wrote the volume: it may hold chunks of unfinished uploads. */
  isOfThisProcess(volume: VolumeId): boolean {
    return this.#writer.wrote(volume)
  }

  /** Capacity of a new volume. */
  get volumeBytes(): number {
    return this.#init.volumeBytes
  }

  /** Calls the listener after each commit to a volume. @returns a function that removes the listener */
  onGrowth(listener: (volume: Volume) => void): () => void {
    this.#growthListeners.add(listener)
    return () => this.#growthListeners.delete(listener)
  }

  /** Whether this node wrote the volume, in this or an earlier process; true if the superblock is damaged. */
  isOwn(volume: Volume): boolean {
    return volume.superblock === undefined || Buffer.compare(volume.superblock.origin, this.#init.origin) === 0
  }

  get index(): NeedleIndex {
    return this.#index
  }

  get recovery(): RecoveryReport | undefined {
    return this.#recovery
  }

  /** Opens and recovers all volumes, and replays what the directory lacks. */
  async start(): Promise<void> {
    const { log, isWhole = () => true } = this.#components
    const foreignFiles: string[] = []
    let scannedNeedles = 0
    const torn = new Map<Volume, TornTail>()
    for (const name of await this.#folder.list()) {
      const found = await this.#recover(name)
      if (found === 'foreign') foreignFiles.push(name)
      if (found === 'foreign' || found === 'empty') continue
      torn.set(found.volume, found.torn)
      scannedNeedles += found.scannedNeedles
    }
    const replayedNeedles = await this.replay()
    const append = (drafts: readonly NeedleDraft[]): Promise<unknown> => this.append(drafts, 'upkeep')
    for (const [volume, tail] of torn) await truncateTornTail(volume, tail, { append, isWhole, log })
    const tornBytes = [...torn.values()].reduce((sum, { from, to }) => sum + to - from, 0)
    const all = [...this.#volumes.values()]
    this.#recovery = {
      volumes: all.length,
      needles: all.reduce((sum, volume) => sum + volume.needleCount, 0),
      scannedNeedles,
      replayedNeedles,
      tornBytes,
      holes: all.reduce((sum, volume) => sum + volume.holes.length, 0),
      foreignFiles
    }
    const remarkable = tornBytes > 0 || this.#recovery.holes > 0 || foreignFiles.length > 0
    log[remarkable ? 'warn' : 'info']({ ...this.#recovery }, 'volumes recovered')
  }

  async stop(): Promise<void> {
    await this.#writer.stop()
    await this.#commits.catch(() => {})
    for (const volume of this.#volumes.values()) await volume.close()
  }

  /**
   * Replays the part of the log that the directory lacks, while no other commit runs.
   *
   * @param prepare - runs first; it may empty the directory, which the replay then fills
   * @returns needles replayed
   */
  replay(prepare?: () => Promise<void>): Promise<number> {
    return this.#exclusively(async () => {
      if (prepare !== undefined) this.#writer.renewEpoch() // an emptied directory no longer knows which dots are used
      await prepare?.()
      return replayVolumes(this.#volumes.values(), this.#components)
    })
  }

  append(drafts: readonly NeedleDraft[], purpose: 'upload' | 'upkeep'): Promise<NeedleLocation[]> {
    return this.#writer.append(drafts, purpose)
  }

  locate(identity: NeedleIdentity): NeedleLocation[] {
    const locations: NeedleLocation[] = []
    for (const { volume: number, offset, length } of this.#index.find(identity)) {
      const volume = this.#numbered[number]
      if (volume !== undefined && !volume.inHole(offset)) locations.push({ volume: volume.id, offset, length })
    }
    return locations.length < 2 ? locations : locations.sort(byVolumeAndOffset)
  }

  read(location: NeedleLocation, identity: NeedleIdentity): Promise<Uint8Array> {
    return this.#require(location.volume).read(location.offset, identity, location.length)
  }

  readSync(location: NeedleLocation, identity: NeedleIdentity): NeedleLease {
    return this.#require(location.volume).readSync(location.offset, identity, location.length)
  }

  readRange(location: NeedleLocation, identity: NeedleIdentity, start: number, end: number): AsyncIterable<Uint8Array> {
    return this.#require(location.volume).readRange(location.offset, identity, location.length, start, end)
  }

  /** @returns the checksum of each block of the needle's data, for another node to verify the data with */
  checksums(location: NeedleLocation, identity: NeedleIdentity): Promise<Uint32Array> {
    return this.#require(location.volume).checksums(location.offset, identity, location.length)
  }

  get(id: VolumeId): Volume | undefined {
    return this.#volumes.get(id)
  }

  /** @returns all volumes, sorted by id */
  volumes(): Volume[] {
    return [...this.#volumes.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Closes the active volume, so that it can be compacted; the next append opens another. */
  closeActive(): Promise<void> {
    return this.#writer.close()
  }

  /**
   * Removes a closed volume and its needles from index and disk. Nothing is committed to it afterwards. Of a copy that may
   * still grow use {@link VolumeCopies.remove}, which waits for that.
   *
   * @param end - up to where the caller knows that this is safe; default: to its end
   * @returns whether it is gone; false: it has grown beyond `end`
   * @throws `ERR_DIRECTORY_UNAVAILABLE`: it stays
   */
  async remove(volume: Volume, end = volume.end): Promise<boolean> {
    invariant(volume.state !== 'active', 'an active volume is not removed')
    const isLeaving = await this.#exclusively(async () => {
      if (!this.has(volume) || volume.end > end) return false
      await this.#components.forget?.(volume.id)
      this.#volumes.delete(volume.id)
      this.#numbered[volume.number] = undefined
      return true
    })
    if (!isLeaving) return !this.has(volume)
    try {
      for await (const rows of volume.rows()) {
        for (const row of rows) this.#index.remove(row, volume.number, row.offset)
      }
    } finally {
      await volume.remove() // needles that are still in the index keep their number from being used again
    }
    await this.#folder.sync()
    this.#components.reserve.invalidateFreeBytes()
    return true
  }

  /** Whether the volume was not removed since. */
  has(volume: Volume): boolean {
    return this.#volumes.get(volume.id) === volume
  }

  /**
   * Creates the file for a copy of a volume that another process writes.
   *
   * @throws `ERR_VOLUME_CORRUPT`, `ERR_FORMAT_TOO_NEW` for the superblock; `ERR_DISK_FULL`, `ERR_DISK_WRITE`
   */
  async createCopy(id: VolumeId, encoded: Uint8Array): Promise<Volume> {
    return this.#createVolume(this.superblockOf(id, encoded), encoded.subarray(0, SUPERBLOCK_BYTES))
  }

  /** @throws `ERR_VOLUME_CORRUPT` unless the superblock names the volume and has a valid signature; `ERR_FORMAT_TOO_NEW` */
  superblockOf(id: VolumeId, encoded: Uint8Array): Superblock {
    return superblockOf(id, encoded, this.#components.verifySignature)
  }

  /**
   * Notes that a range of a hole holds its needles again. Those that the directory lacks are applied to it. The volume does
   * not grow meanwhile. After the last hole all of it is read, while commits to others go on.
   */
  async closeHole(volume: Volume, range: HoleRange, needles: readonly CommittedNeedle[]): Promise<void> {
    this.#requireHere(volume)
    const survey = await volume.survey(range)
    await this.#exclusively(async () => {
      this.#requireHere(volume)
      this.#indexNeedles(volume, needles)
      await this.#components.commit({ volume: volume.id, ...range, needles }) // if it fails, the hole stays to be filled
      await volume.closeHole(range, needles.map(rowOfCommitted), survey)
    })
    await volume.flushIndex()
  }

  /** Runs a task while no commit runs. */
  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#commits.then(task)
    this.#commits = done.then(
      () => {},
      () => {}
    )
    return done
  }

  #createVolume(superblock: Superblock, encoded: Uint8Array): Promise<Volume> {
    return this.#folder.create(superblock.volume, encoded, opened => this.#adopt(this.#volumeIn(opened, superblock)))
  }

  /** Adds a group of needles that are durable in the volume's file to the index, then to the directory. */
  commit(volume: Volume, group: DurableGroup): Promise<void> {
    return this.#exclusively(async () => {
      this.#requireHere(volume)
      volume.noteCommit(group)
      this.#indexNeedles(volume, group.needles)
      try {
        await this.#components.commit(group)
      } catch (error) {
        // the log holds the dots of this group, but the directory does not show them yet; in a copy they are not this node's
        if (this.isOfThisProcess(volume.id)) this.#writer.renewEpoch()
        throw error
      }
      for (const listener of this.#growthListeners) listener(volume)
    })
  }

  /** @returns `foreign` if the file is not a volume or of a later format, `empty` if nothing was ever written to it */
  async #recover(name: string): Promise<(VolumeRecovery & { readonly volume: Volume }) | 'foreign' | 'empty'> {
    const { log, progress, verifySignature } = this.#components
    const opened = await this.#folder.open(name)
    if (opened === undefined) return 'foreign'
    const { id, file } = opened
    const size = await file.size()
    const known = progress(id)
    if (size === 0 && known.reached === 0) {
      await this.#folder.removeEmpty(opened)
      return 'empty'
    }
    const superblock = await readSuperblock(file, id, verifySignature, log)
    if (superblock === 'later format') {
      log.error(
        { file: name },
        'leaving a volume of a later format alone; its photos are missing here; upgrade this node'
      )
      await file.close()
      return 'foreign'
    }
    const volume = this.#volumeIn(opened, superblock)
    if (superblock === undefined && !(await holdsNeedles(volume, size))) {
      log.error(
        { file: name, bytes: size },
        'ignoring a volume file with neither a valid superblock nor an intact needle'
      )
      await file.close()
      return 'foreign'
    }
    this.#adopt(volume)
    const recovery = await recoverVolume(volume, known, size, rows => this.#indexRows(volume, rows))
    if (superblock === undefined) volume.noteHole({ from: 0, to: SUPERBLOCK_BYTES }, 'corrupt')
    for (const hole of volume.holes)
      log.error(
        { volume: id, ...hole },
        'the volume has a damaged range; it is repaired once a peer with an intact copy is reachable'
      )
    return { ...recovery, volume }
  }

  #indexNeedles(volume: Volume, needles: readonly CommittedNeedle[]): void {
    for (const needle of needles) {
      if (needle.kind === 'record') continue
      this.#index.add(needle, volume.number, needle.location.offset, needle.location.length)
    }
  }

  #indexRows(volume: Volume, rows: Iterable<NeedleRow>): void {
    for (const row of rows) {
      if (row.kind !== 'record') this.#index.add(row, volume.number, row.offset, row.length)
    }
  }

  /** Registers a new volume under its number, in the same synchronous step that chose the number. */
  #adopt(volume: Volume): Volume {
    this.#volumes.set(volume.id, volume)
    this.#numbered[volume.number] = volume
    return volume
  }

  #volumeIn(opened: VolumeFile, superblock: Superblock | undefined): Volume {
    const { fileSystem, clock, log } = this.#components
    const number = this.#freeNumber()
    const onStray = (identity: NeedleIdentity, offset: number): boolean => this.#index.remove(identity, number, offset)
    return new Volume(
      { fileSystem, clock, log, pool: this.#pool, rangeReaders: this.#rangeReaders, onStray },
      { ...opened, number, superblock }
    )
  }

  #freeNumber(): number {
    const free = this.#numbered.findIndex((volume, i) => volume === undefined && this.#index.needlesIn(i) === 0)
    const number = free === -1 ? this.#numbered.length : free
    if (number >= VOLUME_NUMBERS) {
      throw new SheafError(
        'ERR_DISK_FULL',
        `this node has ${VOLUME_NUMBERS} volumes, the maximum; raise --volume-bytes and compact`
      )
    }
    return number
  }

  #require(id: VolumeId): Volume {
    const volume = this.#volumes.get(id)
    if (volume === undefined) throw removed()
    return volume
  }

  /** What was written to a volume that was removed meanwhile is gone with it. */
  #requireHere(volume: Volume): void {
    if (!this.has(volume)) throw removed()
  }
}

function removed(): SheafError {
  return new SheafError('ERR_BYTES_UNREACHABLE', 'the volume is no longer on this node')
}

function byVolumeAndOffset(a: NeedleLocation, b: NeedleLocation): number {
  if (a.volume !== b.volume) return a.volume < b.volume ? -1 : 1
  return a.offset - b.offset
}
