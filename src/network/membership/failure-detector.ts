import type { NodeId } from '../../domain/ids.js'

/**
 * `alive`: sent a heartbeat lately. `suspect`: silent for a while, or its connection has ended. `down`: silent for so long
 * that it is not asked for anything until its next heartbeat.
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
 * Judges members by their silence alone. Pure: the caller passes the time, which should not advance while it could not
 * receive (see `AwakeTime`). Only a heartbeat makes a member alive; `judge` only makes its state worse.
 */
export class FailureDetector {
  readonly #init: FailureDetectorInit
  readonly #peers = new Map<NodeId, PeerStatus>()

  constructor(init: FailureDetectorInit) {
    this.#init = init
  }

  /** @returns `down` for a peer that never sent a heartbeat */
  state(peer: NodeId): PeerState {
    return this.#peers.get(peer)?.state ?? 'down'
  }

  /** Any heartbeat counts, an old one too. @returns the state before */
  noteHeartbeat(peer: NodeId, nowMs: number): PeerState {
    const was = this.state(peer)
    this.#peers.set(peer, { state: 'alive', lastHeartbeatMs: nowMs })
    return was
  }

  /** A new connection proves that the peer runs: a suspect gets the time to send a heartbeat. */
  noteConnected(peer: NodeId, nowMs: number): void {
    const status = this.#peers.get(peer)
    if (status !== undefined) status.lastHeartbeatMs = nowMs
  }

  /** The last connection has ended: an alive peer is suspect at once. @returns the state before */
  noteDisconnected(peer: NodeId): PeerState {
    const status = this.#peers.get(peer)
    if (status === undefined) return 'down'
    const was = status.state
    if (was === 'alive') status.state = 'suspect'
    return was
  }

  /** @returns the peers whose state this call made worse */
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

  /** @returns when `judge` may next change a state; infinite when only a heartbeat can do so */
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
