import type { FormatRange } from '../../domain/formats.js'
import type { Hlc } from '../../domain/hlc.js'
import type { NodeId } from '../../domain/ids.js'
import type { PeerState } from './failure-detector.js'
import type { Heartbeat } from './heartbeat.js'

/**
 * `via`: not heard itself, but an alive peer hears it and passes messages on. `left`: no longer a member; it left on its own,
 * or an operator removed it.
 */
export type MemberState = PeerState | 'via' | 'left'

/** @returns whether a member in this state takes part in what all do: it is alive, or reached through another one */
export function isPresent(state: MemberState): boolean {
  return state === 'alive' || state === 'via'
}

/** How a node stopped being a member. */
export interface Departure {
  readonly how: 'left' | 'removed'
  /** Stamp of the write that ended the membership. */
  readonly at: Hlc
}

/** How a node describes itself in its heartbeats; `Membership` adds sequence, addresses, time and whom it hears. */
export type NodeDescription = Omit<Heartbeat, 'sequence' | 'addresses' | 'now' | 'reaches'>

/** The directory's record of a member, present or absent. */
export interface MemberRecord {
  readonly id: NodeId
  readonly name: string
  /** Its last multiaddrs. */
  readonly addresses: readonly string[]
  /** When it first connected to another node, by its own clock, ms since the Unix epoch. */
  readonly joinedAtMs: number | undefined
  /** The record formats that it reads. Absent: its program does not say. */
  readonly formats?: FormatRange
  /** How long a photo deleted there can be had back, days. Absent: its program does not say. */
  readonly purgeDays?: number
  /** Undefined while it is a member. */
  readonly departure?: Departure
}

/** Stores members durably. `save` writes this node's own record only. */
export interface MemberStore {
  load(): Promise<readonly MemberRecord[]>
  /** Calls the listener when a member's record is new or has changed, this node's too. @returns removes the listener */
  onChange(listener: (member: MemberRecord) => void): () => void
  /**
   * Writes this node's own record, unless it is unchanged.
   *
   * @throws `ERR_DIRECTORY_UNAVAILABLE`, `ERR_DISK_FULL`, `ERR_DISK_WRITE`, `ERR_STOPPING`
   */
  save(self: Pick<MemberRecord, 'id' | 'name' | 'addresses'>): Promise<void>
}

/** A member as this node sees it. */
export interface MemberView {
  readonly id: NodeId
  readonly name: string
  /** Multiaddrs, best first; for a member that is not alive, all under which it may be found again. */
  readonly addresses: readonly string[]
  readonly self: boolean
  readonly state: MemberState
  /** Time of its last heartbeat, ms since the Unix epoch; undefined when this process received none. */
  readonly lastSeenAtMs: number | undefined
  readonly joinedAtMs: number | undefined
  /** The newest one; undefined when this process received none. */
  readonly heartbeat: Heartbeat | undefined
  /** How far its hybrid clock was ahead of this node's at that heartbeat, ms; negative when it was behind. */
  readonly clockSkewMs: number | undefined
}

/** @returns the event that a change of state is for clients; undefined for suspicion, and for a suspicion that passes */
export function memberEvent(view: MemberView, was: MemberState): 'member.up' | 'member.down' | undefined {
  if (view.state === 'down' || view.state === 'left') return 'member.down'
  return isPresent(view.state) && was === 'down' ? 'member.up' : undefined
}
