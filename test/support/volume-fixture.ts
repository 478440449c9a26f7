import { silentLog } from '../../src/core/log.js'
import { HybridClock } from '../../src/domain/hlc.js'
import { type PhotoId, photoIdBytes, photoIdFrom, type VolumeId } from '../../src/domain/ids.js'
import { isApplied, type LogProgress, NOTHING_APPLIED, progressAfter } from '../../src/domain/log-progress.js'
import type { NeedleIdentity } from '../../src/domain/needle.js'
import { DiskReserve } from '../../src/volumes/disk-reserve.js'
import type { CommitGroup, NeedleDraft, NeedleLocation } from '../../src/volumes/needle-store.js'
import { VolumeSet } from '../../src/volumes/volume-set.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedClock } from './simulated-clock.js'
import { SimulatedDisk } from './simulated-disk.js'
import { SimulatedFileSystem } from './simulated-file-system.js'

export const VOLUME_FOLDER = '/data/volumes'

export interface FixtureOptions {
  readonly volumeBytes?: number
  readonly seed?: number
  readonly capacityBytes?: number
  readonly clock?: SimulatedClock
  /** The node's public key. */
  readonly origin?: Uint8Array
}

/** What a directory would know, reduced to what recovery asks of it. Lost with `forget()`, as LevelDB's folder may be. */
class AppliedLog {
  readonly volumes = new Map<VolumeId, LogProgress>()
  readonly records: Uint8Array[] = []
  failing: Error | undefined

  apply(group: CommitGroup): Promise<void> {
    if (this.failing !== undefined) return Promise.reject(this.failing)
    const progress = this.progress(group.volume)
    for (const { location, data } of group.needles) {
      if (data !== undefined && !isApplied(progress, location.offset)) this.records.push(data)
    }
    this.volumes.set(group.volume, progressAfter(progress, group))
    return Promise.resolve()
  }

  progress(volume: VolumeId): LogProgress {
    return this.volumes.get(volume) ?? NOTHING_APPLIED
  }

  forget(): void {
    this.volumes.clear()
    this.records.length = 0
  }
}

/** A disk on which volume sets live one after the other, as processes would. */
export class VolumeFixture {
  readonly disk: SimulatedDisk
  readonly applied = new AppliedLog()
  readonly clock: SimulatedClock
  /** Of the processes, the latest first. */
  readonly reserve: DiskReserve[] = []
  readonly random: SeededRandom
  readonly volumeBytes: number
  #started: VolumeSet | undefined

  readonly #origin: Uint8Array

  constructor({ volumeBytes = 1_000_000, seed = 1, capacityBytes, clock, origin }: FixtureOptions = {}) {
    this.clock = clock ?? new SimulatedClock()
    this.#origin = origin ?? new Uint8Array(32)
    this.random = new SeededRandom(seed)
    this.volumeBytes = volumeBytes
    this.disk = new SimulatedDisk({
      random: this.random,
      folders: ['/data'],
      ...(capacityBytes !== undefined && { capacityBytes })
    })
  }

  /** Starts the next process on the disk. */
  async start(): Promise<VolumeSet> {
    const fileSystem = new SimulatedFileSystem(this.disk)
    const { clock, random } = this
    const hybridClock = new HybridClock({ clock })
    const reserve = new DiskReserve(
      { fileSystem, clock, log: silentLog },
      { folder: '/data', ballastPath: '/data/ballast', reserveBytes: 2 * this.volumeBytes }
    )
    const volumes = new VolumeSet(
      {
        fileSystem,
        clock,
        random,
        log: silentLog,
        reserve,
        stamp: () => hybridClock.now(),
        sign: () => new Uint8Array(64),
        verifySignature: () => true,
        commit: group => this.applied.apply(group),
        progress: volume => this.applied.progress(volume)
      },
      { folder: VOLUME_FOLDER, volumeBytes: this.volumeBytes, origin: this.#origin }
    )
    this.reserve.unshift(reserve)
    await reserve.start()
    await volumes.start()
    this.#started = volumes
    return volumes
  }

  /** Ends the running process in an orderly way and starts the next. */
  async restart(): Promise<VolumeSet> {
    await this.#started?.stop()
    return this.start()
  }

  /** Names of the volume files, sorted. */
  volumeFiles(): string[] {
    return this.disk
      .folder(VOLUME_FOLDER)
      .names()
      .filter(name => name.endsWith('.volume'))
  }

  photoId(): PhotoId {
    return photoIdFrom(this.random.bytes(16))
  }

  bytes(byteCount: number): Uint8Array {
    return this.random.bytes(byteCount)
  }
}

export function identityOf(id: PhotoId, kind: NeedleIdentity['kind'] = 'data', chunk = 0): NeedleIdentity {
  return { kind, id: photoIdBytes(id), generation: 1, alternateKey: 0, chunk }
}

export function draftOf(identity: NeedleIdentity, data: Uint8Array, flags = 0): NeedleDraft {
  return { header: { ...identity, flags, cookie: new Uint8Array(16) }, data }
}

export function only(locations: readonly NeedleLocation[]): NeedleLocation {
  const [location] = locations
  if (location === undefined || locations.length > 1) throw new Error(`expected one location, got ${locations.length}`)
  return location
}
