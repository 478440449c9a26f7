import type { Cluster, ReplicationStatus } from '../cluster/cluster.js'
import type { LeaveReport } from '../cluster/members/decommission.js'
import type { MemberComparison } from '../cluster/peer-comparison.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { DiskSpace } from '../core/file-system.js'
import type { Directory } from '../directory/directory.js'
import type { VolumeId } from '../domain/ids.js'
import type { MissingRange } from '../replication/volumes/volume-shipping.js'
import type { SimilarityStatus } from '../search/similarity-types.js'
import type { Sweep } from '../store/sweep.js'
import { type CheckReport, FAULTS_MAX, type Fault, verify } from '../store/verify.js'
import type { CompactionResult, Compactor } from '../volumes/compaction.js'
import type { Inspector } from '../volumes/inspection.js'
import type { Scrubber } from '../volumes/scrub.js'
import type { Head, Hole, Volume, VolumeState } from '../volumes/volume.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import type { Job, Jobs } from './jobs.js'

/** A check of this node and a comparison with all others. */
export interface ClusterCheckReport extends CheckReport {
  readonly identicalMembers: number
  readonly otherMembers: readonly MemberComparison[]
}

export interface RepairReport {
  readonly repairedBytes: number
  /** What could not be repaired, and why; at most {@link FAULTS_MAX}. */
  readonly faults: readonly Fault[]
}

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
  /** Records of a later format: kept, but neither shown nor searched. */
  readonly opaqueRecords: number
  /** Bytes that cannot be read: corrupt, unreadable on disk, or missing. */
  readonly damagedBytes: number
  readonly disk: DiskSpace
  /** Undefined on a single node. */
  readonly replication: ReplicationStatus | undefined
  /** Undefined where photos are not analyzed. */
  readonly similarity?: SimilarityStatus | undefined
}

export interface MaintenanceComponents {
  readonly jobs: Jobs
  readonly directory: Pick<Directory, 'digest' | 'count' | 'opaqueCount' | 'verify' | 'records' | 'clear'>
  readonly volumes: VolumeSet
  readonly inspector: Inspector
  readonly compactor: Compactor
  readonly sweep: Pick<Sweep, 'run'>
  readonly scrubber: Scrubber
  /** Undefined on a single node. */
  readonly cluster: Pick<Cluster, 'replication' | 'copies' | 'comparison' | 'shipping' | 'decommission'> | undefined
  readonly similarity?: () => SimilarityStatus
  /** Appends records that no intact needle holds. */
  readonly secureRecords: (signal: AbortSignal) => Promise<unknown>
  /** Runs `prepare`, which empties the directory, then replays the log into it. @returns needles replayed */
  readonly refill: (prepare: () => Promise<void>) => Promise<number>
  readonly space: () => Promise<DiskSpace>
}

const MISSING_REASONS: Readonly<Record<MissingRange['reason'], string>> = {
  'nowhere in reach': 'no reachable node has an intact copy; repair again when all nodes are up',
  'not supplied': 'a node that has them did not send all of them; see the log, then repair again',
  'failed here': 'a write to this copy failed; check the disk, then restart the node'
}

/** An operator's requests to a node. Long work runs as a job; asking again while it runs returns the same job. */
export class Maintenance {
  readonly #components: MaintenanceComponents

  constructor(components: MaintenanceComponents) {
    this.#components = components
  }

  /** Compares the log with the directory: {@link verify}. */
  verify(): Job {
    const { jobs } = this.#components
    return jobs.start('verify', (progress, signal) => verify(this.#components, progress, signal))
  }

  /** Like {@link verify}, and compares this node with every other member. A member that does not answer is a fault. */
  verifyAllPeers(): Job {
    const { jobs, cluster } = this.#components
    return jobs.start('verify-all-peers', async (progress, signal): Promise<ClusterCheckReport> => {
      const report = await verify(this.#components, progress, signal)
      const onProgress = (done: number, total: number): void => progress({ done, total, unit: 'members' })
      const members = (await cluster?.comparison.run(onProgress, signal)) ?? []
      const faults = [...report.faults, ...members.flatMap(faultsOf)].slice(0, FAULTS_MAX)
      const identicalMembers = members.filter(({ state }) => state === 'same').length
      return { ...report, faults, identicalMembers, otherMembers: members }
    })
  }

  /** Asks all peers again, at once, for what is missing or damaged here. */
  repair(): Job {
    const { jobs, cluster } = this.#components
    return jobs.start('repair', async (progress, signal): Promise<RepairReport> => {
      if (cluster === undefined) return { repairedBytes: 0, faults: this.#holes() }
      const onProgress = (done: number, total: number): void => progress({ done, total, unit: 'bytes' })
      const { repairedBytes, missing } = await cluster.shipping.repair(onProgress, signal)
      const faults = missing.slice(0, FAULTS_MAX).map(({ volume, from, to, reason }) => {
        return { volume, photoId: undefined, problem: `bytes ${from} to ${to}: ${MISSING_REASONS[reason]}` }
      })
      return { repairedBytes, faults }
    })
  }

  /** Reads every needle on disk and checks its checksums. */
  scrub(): Job {
    const { jobs, scrubber } = this.#components
    return jobs.start('scrub', async (progress, signal): Promise<CheckReport> => {
      const onProgress = (done: number, total: number): void => progress({ done, total, unit: 'bytes' })
      const totals = await scrubber.run(onProgress, signal)
      return { ...totals, faults: this.#holes() }
    })
  }

  /**
   * Reclaims the space of deleted photos.
   *
   * @param isNow - also of those that were deleted a moment ago, so that they cannot be had back
   */
  compact(isNow = false): Job {
    const { jobs, compactor, sweep } = this.#components
    return jobs.start(isNow ? 'compact-now' : 'compact', async (progress, signal): Promise<CompactionResult> => {
      await sweep.run(signal)
      const onProgress = (done: number, total: number): void => progress({ done, total, unit: 'volumes' })
      return compactor.run(isNow ? 'now' : 'manual', onProgress, signal)
    })
  }

  /** Drains this node, tells the others that it is no longer a member, and ends its process. */
  leave(): Job {
    const { jobs, cluster } = this.#components
    return jobs.start('leave', async (progress, signal): Promise<LeaveReport> => {
      if (cluster === undefined)
        throw new SheafError(
          'ERR_PEER_UNREACHABLE',
          'this node belongs to no cluster, so there is nothing to leave; stop it instead'
        )
      return cluster.decommission.leave(progress, signal)
    })
  }

  /** Rebuilds the directory from the volumes alone. Until it is done the node answers 503. */
  rebuildDirectory(): Job {
    const { jobs, refill, directory, secureRecords } = this.#components
    return jobs.start('rebuild-directory', async (_progress, signal): Promise<RebuildReport> => {
      // Records that only the directory holds go into the log first, so that clearing it loses nothing.
      // A damaged directory can no longer list them.
      await secureRecords(signal).catch(err => {
        if (!hasCode(err, 'ERR_DIRECTORY_UNAVAILABLE')) throw err
      })
      const needles = await refill(() => directory.clear())
      return { needles, photos: directory.count('all'), digest: directory.digest() }
    })
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE`; the system error when the disk's space cannot be read */
  async status(): Promise<NodeStatus> {
    const { directory, space } = this.#components
    const volumes = this.#components.volumes.volumes()
    const holes = volumes.flatMap(volume => volume.holes)
    return {
      photos: directory.count('all'),
      bytes: volumes.reduce((sum, volume) => sum + volume.end, 0),
      volumes: volumes.length,
      directoryDigest: directory.digest(),
      opaqueRecords: directory.opaqueCount,
      damagedBytes: holes.reduce((sum, { from, to }) => sum + to - from, 0),
      disk: await space(),
      replication: this.#components.cluster?.replication(),
      similarity: this.#components.similarity?.()
    }
  }

  async volumes(): Promise<readonly VolumeReport[]> {
    const reports: VolumeReport[] = []
    for (const volume of this.#components.volumes.volumes()) reports.push(await this.#report(volume))
    return reports
  }

  /** @returns undefined when this node has no such volume */
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

function faultsOf({ id, name, state, differences }: MemberComparison): Fault[] {
  const problems = state === 'unreachable' ? ['it did not answer'] : differences
  return problems.map(problem => ({
    volume: undefined,
    photoId: undefined,
    problem: `member ${name === '' ? id : `${name} (${id})`}: ${problem}`
  }))
}
