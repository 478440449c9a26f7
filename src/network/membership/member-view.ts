import type { Hlc } from '../../domain/hlc.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import type { PeerState } from './failure-detector.js'
import type { Heartbeat } from './heartbeat.js'

/** `left`: it is no longer a member, by its own wish or an operator's. */
export type MemberState = PeerState | 'left'

/** That a node is no longer a member. */
export interface Departure {
  readonly how: 'left' | 'removed'
  /** The stamp under which that was written. */
  readonly at: Hlc
  /** Members that take nothing more from it, and up to where they hold the volumes that it wrote. */
  readonly acknowledged: ReadonlyMap<NodeId, ReadonlyMap<VolumeId, number>>
}

/** What a node says of itself in its heartbeats; sequence, addresses and time are added by its membership. */
export type NodeDescription = Omit<Heartbeat, 'sequence' | 'addresses' | 'now'>

/** What the directory says of a member, also of one that is absent. */
export interface MemberRecord {
  readonly id: NodeId
  readonly name: string
  /** Multiaddrs under which it was last to be found. */
  readonly addresses: readonly string[]
  /** When it first met another node, by its own clock, ms since the Unix epoch. */
  readonly joinedAtMs: number | undefined
  /** Undefined while it is a member. */
  readonly departure?: Departure
}

/** Where members are remembered beyond this process. Each node writes about itself only. */
export interface MemberStore {
  load(): Promise<readonly MemberRecord[]>
  /** Calls the listener when a member is new or has changed, this node too. @returns removes it */
  onChange(listener: (member: MemberRecord) => void): () => void
  /**
   * Writes what this node says of itself, unless that stands there already.
   *
   * @throws `ERR_DIRECTORY_UNAVAILABLE`, `ERR_DISK_FULL`, `ERR_DISK_WRITE`, `ERR_STOPPING`
   */
  save(self: Pick<MemberRecord, 'id' | 'name' | 'addresses'>): Promise<void>
}

/** A member as this node sees it. */
export interface MemberView {
  readonly id: NodeId
  readonly name: string
  /** Multiaddrs, best first; of a member that is not alive all under which it may be found again. */
  readonly addresses: readonly string[]
  readonly self: boolean
  readonly state: MemberState
  /** When it was last heard, ms since the Unix epoch; undefined when this process never heard it. */
  readonly lastSeenAtMs: number | undefined
  readonly joinedAtMs: number | undefined
  /** The newest that it said of itself. */
  readonly heartbeat: Heartbeat | undefined
  /** How far its hybrid clock was ahead of this node's when that came, ms; negative when it was behind. */
  readonly clockSkewMs: number | undefined
}

/** What a change of state is to those who watch the cluster; suspicion is no news. */
export function memberEvent(view: MemberView, was: MemberState): 'member.up' | 'member.down' | undefined {
  if (view.state === 'down' || view.state === 'left') return 'member.down'
  return view.state === 'alive' && was === 'down' ? 'member.up' : undefined
}
