import type { NodeId } from '../../domain/ids.js'

/**
 * `alive`: heard from lately. `suspect`: silent for a while, or its connection has ended. `down`: silent for so long that
 * nothing is expected of it until it speaks again.
 */
export type PeerState = 'alive' | 'suspect' | 'down'

export interface FailureDetectorInit {
  /** Silence that makes a member suspect, ms. */
  readonly suspectMs: number
  /** Silence that makes it down, ms; more than `suspectMs`. */
  readonly downMs: number
}

export interface Transition {
  readonly peer: NodeId
  readonly was: PeerState
}

interface PeerStatus {
  state: PeerState
  lastHeartbeatMs: number
}

/**
 * Judges members by their silence alone. Pure: time is what the caller says it is, and should stand still while the
 * caller could not have heard anybody. Only a heartbeat makes a member alive; judging only makes its state worse.
 */
export class FailureDetector {
  readonly #init: FailureDetectorInit
  readonly #peers = new Map<NodeId, PeerStatus>()

  constructor(init: FailureDetectorInit) {
    this.#init = init
  }

  /** @returns down for who was never heard */
  state(peer: NodeId): PeerState {
    return this.#peers.get(peer)?.state ?? 'down'
  }

  /** A heartbeat came, whichever: it was sent by a process that runs. @returns the state before */
  noteHeartbeat(peer: NodeId, nowMs: number): PeerState {
    const was = this.state(peer)
    this.#peers.set(peer, { state: 'alive', lastHeartbeatMs: nowMs })
    return was
  }

  /** A connection came to be. That takes two, so a member that is suspect gets the time to send one. */
  noteConnected(peer: NodeId, nowMs: number): void {
    const status = this.#peers.get(peer)
    if (status !== undefined) status.lastHeartbeatMs = nowMs
  }

  /** The last connection ended: suspect at once. @returns the state before */
  noteDisconnected(peer: NodeId): PeerState {
    const status = this.#peers.get(peer)
    if (status === undefined) return 'down'
    const was = status.state
    if (was === 'alive') status.state = 'suspect'
    return was
  }

  /** @returns whose state has become worse since the last call */
  judge(nowMs: number): Transition[] {
    const transitions: Transition[] = []
    for (const [peer, status] of this.#peers) {
      const was = status.state
      if (nowMs >= this.#dueMs(status))
        status.state = nowMs - status.lastHeartbeatMs >= this.#init.downMs ? 'down' : 'suspect'
      if (status.state !== was) transitions.push({ peer, was })
    }
    return transitions
  }

  /** @returns when `judge` may next have something to say; infinite when only a heartbeat can bring that about */
  nextMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const status of this.#peers.values()) next = Math.min(next, this.#dueMs(status))
    return next
  }

  forget(peer: NodeId): void {
    this.#peers.delete(peer)
  }

  #dueMs({ state, lastHeartbeatMs }: PeerStatus): number {
    if (state === 'down') return Number.POSITIVE_INFINITY
    return lastHeartbeatMs + (state === 'alive' ? this.#init.suspectMs : this.#init.downMs)
  }
}
