import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Progress } from '../../core/progress.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import type { PeerVolumes } from '../../replication/volumes/peer-volumes.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import type { Departures } from './departures.js'

const POLL_MS = 200
/** How long to wait until another member knows of the departure. */
const ACKNOWLEDGE_MS_MAX = 10_000
/** Between the end of the job and that of the process: lets the client read the job's result. */
const GRACE_MS = 2_500

export interface DecommissionComponents {
  readonly self: NodeId
  /** Connected, alive members without this node. */
  readonly alive: () => readonly NodeId[]
  readonly peers: Pick<PeerVolumes, 'acknowledgedBy'>
  readonly volumes: Pick<VolumeSet, 'volumes'>
  readonly departures: Pick<Departures, 'leave' | 'departureOf'>
  readonly isRetired: (volume: VolumeId) => boolean
  /** Compares directories with a peer. */
  readonly compare: (peer: NodeId, signal: AbortSignal) => Promise<unknown>
  readonly clock: Clock
}

export interface LeaveReport {
  /** How many other members are known to know of the departure. */
  readonly acknowledgedBy: number
}

/**
 * Takes this node out of the cluster for good: it accepts no more writes, waits until everything that it holds is durable on
 * other members, records its departure, and lets the process end.
 */
export class Decommission {
  readonly #components: DecommissionComponents
  #isUnderWay = false
  /** Who has told this node that it is no longer a member. */
  readonly #refusedBy = new Set<NodeId>()
  /** Resolves when this node has left and its process may end. */
  readonly left: Promise<void>
  #end = (): void => {}

  constructor(components: DecommissionComponents) {
    this.#components = components
    this.left = new Promise(resolve => {
      this.#end = resolve
    })
  }

  /** Whether this node is leaving, or has left. */
  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  /** Admits a write. @throws `ERR_LEAVING` while the node is leaving, and afterwards */
  admit(): void {
    if (this.#isUnderWay) throw new SheafError('ERR_LEAVING')
  }

  /**
   * @returns once another member knows of the departure, or after ten seconds
   * @throws `ERR_PEER_UNREACHABLE` when no other member is alive to take this node's data; after an error it stays a member
   */
  async leave(progress: (progress: Progress) => void, signal: AbortSignal): Promise<LeaveReport> {
    const { departures, self, clock, alive } = this.#components
    const alreadyLeft = departures.departureOf(self) !== undefined
    if (alive().length === 0 && !alreadyLeft) {
      throw new SheafError(
        'ERR_PEER_UNREACHABLE',
        'no other member is alive to take the data of this node; start one first'
      )
    }
    this.#isUnderWay = true
    try {
      await this.#drain(progress, signal)
      await departures.leave()
    } catch (err) {
      this.#isUnderWay = false
      throw err
    }
    for (let waitedMs = 0; this.#refusedBy.size === 0 && waitedMs < ACKNOWLEDGE_MS_MAX; waitedMs += POLL_MS) {
      await clock.sleep(POLL_MS, signal)
    }
    clock.schedule(GRACE_MS, () => this.#end())
    return { acknowledgedBy: this.#refusedBy.size }
  }

  /** To be called when a peer has told this node that it is no longer a member. */
  noteRefusal(peer: NodeId): void {
    if (this.#isUnderWay) this.#refusedBy.add(peer)
  }

  async #drain(progress: (progress: Progress) => void, signal: AbortSignal): Promise<void> {
    const { clock, alive, compare } = this.#components
    const total = this.#lackingBytes()
    for (let left = total; left > 0; left = this.#lackingBytes()) {
      progress({ done: Math.max(0, total - left), total, unit: 'bytes' })
      await clock.sleep(POLL_MS, signal)
    }
    for (const peer of alive()) await compare(peer, signal)
    progress({ done: total, total, unit: 'bytes' })
  }

  /** @returns bytes of this node that no other alive member holds durably */
  #lackingBytes(): number {
    const { volumes, peers, isRetired, alive } = this.#components
    const present = alive()
    let bytes = 0
    for (const { id, end } of volumes.volumes()) {
      if (!isRetired(id)) bytes += Math.max(0, end - peers.acknowledgedBy(id, present))
    }
    return bytes
  }
}
