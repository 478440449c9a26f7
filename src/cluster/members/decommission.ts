import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Progress } from '../../core/progress.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import type { PeerVolumes } from '../../replication/volumes/peer-volumes.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import type { Departures } from './departures.js'

const POLL_MS = 200
/** How long the others may take to say that they know. */
const ACKNOWLEDGE_MS_MAX = 10_000
/** Between the end of the job and that of the process: whoever asked for it looks how it went. */
const GRACE_MS = 2_500

export interface DecommissionComponents {
  readonly self: NodeId
  /** Members that are there, this node left out. */
  readonly alive: () => readonly NodeId[]
  readonly peers: Pick<PeerVolumes, 'acknowledgedBy'>
  readonly volumes: Pick<VolumeSet, 'volumes'>
  readonly departures: Pick<Departures, 'leave' | 'departureOf'>
  readonly isRetired: (volume: VolumeId) => boolean
  /** Compares directories with a peer. */
  readonly compare: (peer: NodeId, signal: AbortSignal) => Promise<unknown>
  readonly clock: Clock
}

/** What leaving did. */
export interface LeaveReport {
  /** Members that know of it. */
  readonly acknowledgedBy: number
}

/**
 * How a node goes for good: it takes no more writes, waits until all that it holds is durable on other members, tells
 * them, and ends.
 */
export class Decommission {
  readonly #components: DecommissionComponents
  #isUnderWay = false
  /** Resolves when this node has left and its process may end. */
  readonly left: Promise<void>
  #end = (): void => {}

  constructor(components: DecommissionComponents) {
    this.#components = components
    this.left = new Promise(resolve => {
      this.#end = resolve
    })
  }

  /** Whether this node leaves, or has left. */
  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  /** @throws `ERR_LEAVING` while the node is leaving, and afterwards */
  admit(): void {
    if (this.#isUnderWay) throw new SheafError('ERR_LEAVING')
  }

  /** @throws `ERR_PEER_UNREACHABLE` when nobody is there who could take what this node holds; then it stays */
  async leave(progress: (progress: Progress) => void, signal: AbortSignal): Promise<LeaveReport> {
    const { departures, self, clock, alive } = this.#components
    const alreadyLeft = departures.departureOf(self) !== undefined
    if (alive().length === 0 && !alreadyLeft) {
      throw new SheafError('ERR_PEER_UNREACHABLE', 'no other member is there that could take what this node holds')
    }
    this.#isUnderWay = true
    try {
      await this.#drain(progress, signal)
      await departures.leave()
    } catch (err) {
      this.#isUnderWay = false
      throw err
    }
    const acknowledged = (): number => departures.departureOf(self)?.acknowledged.size ?? 0
    for (let waitedMs = 0; acknowledged() < 2 && waitedMs < ACKNOWLEDGE_MS_MAX; waitedMs += POLL_MS) {
      await clock.sleep(POLL_MS, signal)
    }
    clock.schedule(GRACE_MS, () => this.#end())
    return { acknowledgedBy: acknowledged() - 1 } // this node is among them
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

  /** Bytes that no other member which is there holds durably. */
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
