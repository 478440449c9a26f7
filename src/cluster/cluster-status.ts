import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { type FormatRange, RECORD_FORMATS } from '../domain/formats.js'
import type { NodeId } from '../domain/ids.js'
import { isPresent, type MemberView } from '../network/membership/member-view.js'
import type { Membership } from '../network/membership/membership.js'
import type { NodeSpace } from '../volumes/disk-reserve.js'
import type { ClusterFormat } from './members/cluster-format.js'
import type { Departures } from './members/departures.js'

/** A member as operators see it; undefined fields are unknown to this node. */
export interface ClusterMember extends Omit<MemberView, 'heartbeat'> {
  /** Bytes that this node holds and the member lacks; for this node, bytes that others hold and it lacks. */
  readonly lagBytes: number | undefined
  readonly disk: NodeSpace | undefined
  readonly version: string | undefined
  /** It has no needle of a photo whose grave it heard of before this, laid-out ones excepted; ms since the Unix epoch. */
  readonly purgedToMs: number | undefined
  /** Origins of its HTTP interface, best first. */
  readonly http?: readonly string[]
  /** When its process started, by its own clock, ms since the Unix epoch. */
  readonly startedAtMs?: number | undefined
  /** In its directory. */
  readonly photos?: number | undefined
  /** Equal on two nodes whose directories are. */
  readonly directoryDigest?: string | undefined
  /** What it takes in of others; only of one that is present. */
  readonly bytesPerS?: number | undefined
  /** Until it has all; only of one that is present, when it can tell. */
  readonly etaS?: number | undefined
  /** The record formats that it reads. */
  readonly formats?: FormatRange | undefined
}

export interface ClusterStatusComponents {
  readonly clock: Clock
  readonly space: () => Promise<NodeSpace>
  /** Of this node; for a cluster of one. */
  readonly purgedToMs: () => number | undefined
  /** This and the following are left out on a node without a network. */
  readonly membership?: Pick<Membership, 'members'>
  /** @returns undefined when it is unknown */
  readonly lagBytes?: (member: NodeId) => number | undefined
  readonly departures?: Pick<Departures, 'remove'>
  readonly format?: Pick<ClusterFormat, 'current' | 'formatsOf'>
}

export interface ClusterStatusInit {
  readonly nodeId: NodeId
  readonly name: string
  readonly version: string
}

/** The members of the cluster, as seen from this node. A node without a network is a cluster of one. */
export class ClusterStatus {
  readonly #components: ClusterStatusComponents
  readonly #init: ClusterStatusInit

  constructor(components: ClusterStatusComponents, init: ClusterStatusInit) {
    this.#components = components
    this.#init = init
  }

  /** @throws the disk's error when a node without a network cannot query it */
  async members(): Promise<readonly ClusterMember[]> {
    const { membership } = this.#components
    return membership === undefined ? [await this.#alone()] : membership.members().map(view => this.#member(view))
  }

  /** The greatest record format that may be written. */
  recordFormat(): number {
    return this.#components.format?.current ?? RECORD_FORMATS.min
  }

  /**
   * Removes a node that will not return.
   *
   * @throws `ERR_NO_SUCH_MEMBER`; `ERR_BAD_REQUEST` for this node itself; what the store throws
   */
  async remove(member: NodeId): Promise<void> {
    const { departures } = this.#components
    if (departures === undefined) throw new SheafError('ERR_NO_SUCH_MEMBER')
    await departures.remove(member)
  }

  #member({ heartbeat, ...view }: MemberView): ClusterMember {
    const { lagBytes, format } = this.#components
    const isHere = isPresent(view.state)
    return {
      ...view,
      lagBytes: lagBytes?.(view.id),
      disk: heartbeat === undefined || heartbeat.totalBytes === 0 ? undefined : heartbeat,
      version: heartbeat?.version,
      formats: format?.formatsOf(view.id),
      purgedToMs: heartbeat?.purgedToMs,
      http: heartbeat?.http ?? [],
      startedAtMs: heartbeat?.startedAtMs,
      photos: heartbeat?.photos,
      directoryDigest: heartbeat?.directoryDigest || undefined,
      bytesPerS: isHere ? heartbeat?.bytesPerS : undefined,
      etaS: isHere ? heartbeat?.etaS : undefined
    }
  }

  async #alone(): Promise<ClusterMember> {
    const { clock, space, purgedToMs } = this.#components
    const { nodeId, name, version } = this.#init
    return {
      id: nodeId,
      name,
      addresses: [],
      self: true,
      state: 'alive',
      lastSeenAtMs: clock.now(),
      joinedAtMs: undefined,
      lagBytes: 0,
      disk: await space(),
      version,
      formats: RECORD_FORMATS,
      clockSkewMs: 0,
      purgedToMs: purgedToMs()
    }
  }
}

/** @returns what all members have purged, ms since the Unix epoch; undefined: of one it is not known. Who has left does not count */
export function leastPurgedToMs(members: readonly ClusterMember[]): number | undefined {
  const purged = members.filter(({ state }) => state !== 'left').map(({ purgedToMs }) => purgedToMs)
  return purged.length > 0 && purged.every(ms => ms !== undefined) ? Math.min(...purged) : undefined
}
