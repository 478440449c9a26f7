import type { Cluster, ReplicationStatus } from '../cluster/cluster.js'
import type { LeaveReport } from '../cluster/members/decommission.js'
import type { MemberComparison } from '../cluster/peer-comparison.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { DiskSpace } from '../core/file-system.js'
import type { Directory } from '../directory/directory.js'
import type { VolumeId } from '../domain/ids.js'
import type { MissingRange } from '../replication/volumes/volume-shipping.js'
import type { SimilarityStatus } from '../search/similarity-types.js'
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
  /** Bytes that no read can use: damaged, refused by the disk, or missing. */
  readonly damagedBytes: number
  readonly disk: DiskSpace
  /** Undefined when the node is alone. */
  readonly replication: ReplicationStatus | undefined
  /** Undefined where nothing looks at photos. */
  readonly similarity?: SimilarityStatus | undefined
}

export interface MaintenanceComponents {
  readonly jobs: Jobs
  readonly directory: Pick<Directory, 'digest' | 'count' | 'verify' | 'records' | 'clear'>
  readonly volumes: VolumeSet
  readonly inspector: Inspector
  readonly compactor: Compactor
  readonly scrubber: Scrubber
  /** Undefined when the node is alone. */
  readonly cluster: Pick<Cluster, 'replication' | 'copies' | 'comparison' | 'shipping' | 'decommission'> | undefined
  readonly similarity?: () => SimilarityStatus
  /** Appends records that no intact needle holds. */
  readonly secureRecords: (signal: AbortSignal) => Promise<unknown>
  /** Fills the directory from the log once `prepare` has emptied it. @returns needles replayed */
  readonly refill: (prepare: () => Promise<void>) => Promise<number>
  readonly space: () => Promise<DiskSpace>
}

const MISSING: Readonly<Record<MissingRange['reason'], string>> = {
  'nowhere in reach': 'no node in reach has them intact',
  'not supplied': 'who has them did not send them whole; see the log',
  'failed here': 'a write to this copy failed; it is looked at again when the node starts'
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

  /** The same, and compares what is here with what every other member holds. Who cannot be asked is a fault as well. */
  verifyAllPeers(): Job {
    const { jobs, cluster } = this.#components
    return jobs.start('verify-all-peers', async (progress, signal): Promise<ClusterCheckReport> => {
      const report = await verify(this.#components, progress, signal)
      const tell = (done: number, total: number): void => progress({ done, total, unit: 'members' })
      const members = (await cluster?.comparison.run(tell, signal)) ?? []
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
      const tell = (done: number, total: number): void => progress({ done, total, unit: 'bytes' })
      const { repairedBytes, missing } = await cluster.shipping.repair(tell, signal)
      const faults = missing.slice(0, FAULTS_MAX).map(({ volume, from, to, reason }) => {
        return { volume, photoId: undefined, problem: `bytes ${from} to ${to}: ${MISSING[reason]}` }
      })
      return { repairedBytes, faults }
    })
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

  /** Drains this node, tells the others that it is no longer a member, and ends its process. */
  leave(): Job {
    const { jobs, cluster } = this.#components
    return jobs.start('leave', async (progress, signal): Promise<LeaveReport> => {
      if (cluster === undefined) throw new SheafError('ERR_PEER_UNREACHABLE', 'this node is no member of a cluster')
      return cluster.decommission.leave(progress, signal)
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
      replication: this.#components.cluster?.replication(),
      similarity: this.#components.similarity?.()
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

function faultsOf({ id, name, state, differences }: MemberComparison): Fault[] {
  const problems = state === 'unreachable' ? ['it did not answer'] : differences
  return problems.map(problem => ({
    volume: undefined,
    photoId: undefined,
    problem: `member ${name === '' ? id : `${name} (${id})`}: ${problem}`
  }))
}
