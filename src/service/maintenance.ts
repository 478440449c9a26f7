import { hasCode } from '../core/errors.js'
import type { Directory } from '../directory/directory.js'
import type { VolumeId } from '../domain/ids.js'
import type { CompactionResult, Compactor } from '../volumes/compaction.js'
import type { Inspector } from '../volumes/inspection.js'
import type { Scrubber } from '../volumes/scrub.js'
import type { Head, Hole, Volume, VolumeState } from '../volumes/volume.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import type { Cluster, ReplicationStatus } from './cluster.js'
import type { Job, Jobs } from './jobs.js'
import { type CheckReport, FAULTS_MAX, type Fault, verify } from './verification.js'

export interface RebuildReport {
  readonly needles: number
  readonly photos: number
  /** The directory's digest afterwards. */
  readonly digest: string
}

/** One volume on this node. */
export interface VolumeReport {
  readonly volume: VolumeId
  readonly state: VolumeState
  readonly capacityBytes: number
  /** Bytes of the file that hold needles. */
  readonly bytes: number
  readonly head: Head
  readonly needles: number
  readonly liveBytes: number
  readonly deadBytes: number
  readonly holes: readonly Hole[]
  /** Nodes that hold this volume. */
  readonly copies: number
}

export interface NodeStatus {
  readonly photos: number
  /** Bytes of all volumes on disk. */
  readonly bytes: number
  readonly volumes: number
  readonly directoryDigest: string
  /** Bytes that no read can use: damaged, refused by the disk, or missing. */
  readonly damagedBytes: number
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number }
  /** Undefined when the node is alone. */
  readonly replication: ReplicationStatus | undefined
}

export interface MaintenanceComponents {
  readonly jobs: Jobs
  readonly directory: Pick<Directory, 'digest' | 'count' | 'verify' | 'records' | 'clear'>
  readonly volumes: VolumeSet
  readonly inspector: Inspector
  readonly compactor: Compactor
  readonly scrubber: Scrubber
  /** Undefined when the node is alone. */
  readonly cluster: Pick<Cluster, 'replication' | 'copies'> | undefined
  /** Appends records that no intact needle holds. */
  readonly secureRecords: (signal: AbortSignal) => Promise<unknown>
  /** Fills the directory from the log once `prepare` has emptied it. @returns needles replayed */
  readonly refill: (prepare: () => Promise<void>) => Promise<number>
  readonly space: () => Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
}

/** What an operator asks of a node. Long work runs as a job; asking again while it runs answers the same job. */
export class Maintenance {
  readonly #components: MaintenanceComponents

  constructor(components: MaintenanceComponents) {
    this.#components = components
  }

  /** Holds log and view against each other: {@link verify}. */
  verify(): Job {
    const { jobs } = this.#components
    return jobs.start('verify', (progress, signal) => verify(this.#components, progress, signal))
  }

  /** Reads every needle on disk and checks its checksums. */
  scrub(): Job {
    const { jobs, scrubber } = this.#components
    return jobs.start('scrub', async (progress, signal): Promise<CheckReport> => {
      const report = (done: number, total: number): void => progress({ done, total, unit: 'bytes' })
      const totals = await scrubber.run(report, signal)
      return { ...totals, faults: this.#holes() }
    })
  }

  /** Gives the space of deleted photos back. */
  compact(): Job {
    const { jobs, compactor } = this.#components
    return jobs.start('compact', (progress, signal): Promise<CompactionResult> => {
      return compactor.run((done, total) => progress({ done, total, unit: 'volumes' }), signal)
    })
  }

  /** Makes the directory anew from volumes alone. Until it is done the node answers 503. */
  rebuildDirectory(): Job {
    const { jobs, refill, directory, secureRecords } = this.#components
    return jobs.start('rebuild-directory', async (_progress, signal): Promise<RebuildReport> => {
      // what only the directory still knows goes into the log first, so that nothing is lost by forgetting it;
      // a damaged one can no longer say what that is
      await secureRecords(signal).catch(err => {
        if (!hasCode(err, 'ERR_DIRECTORY_UNAVAILABLE')) throw err
      })
      const needles = await refill(() => directory.clear())
      return { needles, photos: directory.count('all'), digest: directory.digest() }
    })
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE`; the disk's own error when it cannot be asked */
  async status(): Promise<NodeStatus> {
    const { directory, space } = this.#components
    const volumes = this.#components.volumes.volumes()
    const holes = volumes.flatMap(volume => volume.holes)
    return {
      photos: directory.count('all'),
      bytes: volumes.reduce((sum, volume) => sum + volume.end, 0),
      volumes: volumes.length,
      directoryDigest: directory.digest(),
      damagedBytes: holes.reduce((sum, { from, to }) => sum + to - from, 0),
      disk: await space(),
      replication: this.#components.cluster?.replication()
    }
  }

  async volumes(): Promise<readonly VolumeReport[]> {
    const reports: VolumeReport[] = []
    for (const volume of this.#components.volumes.volumes()) reports.push(await this.#report(volume))
    return reports
  }

  /** @returns undefined when no such volume is on this node */
  async volumeStats(id: VolumeId): Promise<VolumeReport | undefined> {
    const volume = this.#components.volumes.get(id)
    return volume && this.#report(volume)
  }

  async #report(volume: Volume): Promise<VolumeReport> {
    const { volumes, inspector } = this.#components
    const { liveBytes, deadBytes } = await inspector.inspect(volume)
    return {
      volume: volume.id,
      state: volume.state,
      capacityBytes: volume.superblock?.capacityBytes ?? volumes.volumeBytes,
      bytes: volume.end,
      head: await volume.head(),
      needles: volume.needleCount,
      liveBytes,
      deadBytes,
      holes: volume.holes,
      copies: this.#components.cluster?.copies(volume.id, volume.end) ?? 1
    }
  }

  #holes(): Fault[] {
    const faults: Fault[] = []
    for (const volume of this.#components.volumes.volumes()) {
      for (const { from, to, reason } of volume.holes.slice(0, FAULTS_MAX - faults.length)) {
        faults.push({ volume: volume.id, photoId: undefined, problem: `bytes ${from} to ${to} are ${reason}` })
      }
    }
    return faults
  }
}
