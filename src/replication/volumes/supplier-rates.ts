import type { Clock } from '../../core/clock.js'
import type { Random } from '../../core/random.js'
import type { NodeId } from '../../domain/ids.js'

/** The share of the newest sample in the average. */
const NEWEST_SHARE = 0.3
/** Of a peer from which nothing was asked lately: it is tried when another is slower than the share of this, bytes a second. */
const UNKNOWN_RATE = 32_000_000
/** What was measured so long ago says nothing, ms. */
const KNOWN_MS = 60_000
/** Less tells how long a message takes, not how fast the peer is, unless it took long, bytes and ms. */
const SAMPLE_BYTES_MIN = 256 * 1024
const SAMPLE_MS_MIN = 500
/** A peer that is slower than another one by this factor is left for that one. */
const SLOWER_FACTOR = 8

/** How long something took that a peer sent. */
export interface Transfer {
  readonly bytes: number
  readonly elapsedMs: number
  /** The part of it in which this node waited for the peer, and not the peer for this node. */
  readonly waitedMs: number
}

interface Rate {
  readonly bytesPerSecond: number
  /** Monotonic ms. */
  readonly atMs: number
}

/** How fast each peer has supplied bytes lately, as an exponentially weighted average. */
export class SupplierRates {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #random: Pick<Random, 'fraction'>
  readonly #rates = new Map<NodeId, Rate>()

  constructor(components: { readonly clock: Pick<Clock, 'monotonic'>; readonly random: Pick<Random, 'fraction'> }) {
    this.#clock = components.clock
    this.#random = components.random
  }

  note(peer: NodeId, transfer: Transfer): void {
    const { bytes, elapsedMs } = transfer
    if (bytes < SAMPLE_BYTES_MIN && elapsedMs < SAMPLE_MS_MIN) return
    const sample = (bytes / Math.max(1, elapsedMs)) * 1_000
    const before = this.of(peer)
    // a peer that has to wait for this node could have been faster
    const least = isPeersTime(transfer) ? 0 : Math.max(sample, before ?? 0)
    const average = before === undefined ? sample : before + NEWEST_SHARE * (sample - before)
    this.#rates.set(peer, { bytesPerSecond: Math.max(average, least), atMs: this.#clock.monotonic() })
  }

  /** @returns bytes a second; undefined when nothing is known */
  of(peer: NodeId): number | undefined {
    const rate = this.#rates.get(peer)
    return rate !== undefined && this.#isFresh(rate) ? rate.bytesPerSecond : undefined
  }

  /** @returns whether one of the others is so much faster that it should send the rest; unknown ones may be */
  isTooSlow(transfer: Transfer, others: readonly NodeId[]): boolean {
    if (others.length === 0 || !isPeersTime(transfer)) return false
    const fastest = Math.max(...others.map(peer => this.of(peer) ?? UNKNOWN_RATE))
    return (transfer.bytes / transfer.elapsedMs) * 1_000 * SLOWER_FACTOR < fastest
  }

  /**
   * @returns the peers in random order; that one is first is as likely as its rate is high, so that each has to send in
   * proportion to it
   * @see Efraimidis & Spirakis 2006, weighted random sampling
   */
  order(peers: readonly NodeId[]): NodeId[] {
    const known = peers.flatMap(peer => this.of(peer) ?? [])
    const unknown = known.length === 0 ? UNKNOWN_RATE : Math.max(...known)
    return peers
      .map(peer => ({ peer, key: -Math.log(1 - this.#random.fraction()) / Math.max(1, this.of(peer) ?? unknown) }))
      .sort((a, b) => a.key - b.key)
      .map(({ peer }) => peer)
  }

  /** Frees the memory of what is too old. */
  dropExpired(): void {
    for (const [peer, rate] of this.#rates) if (!this.#isFresh(rate)) this.#rates.delete(peer)
  }

  #isFresh({ atMs }: Rate): boolean {
    return this.#clock.monotonic() - atMs < KNOWN_MS
  }
}

/** Whether it is mostly the peer that made it take as long as it did. */
function isPeersTime({ elapsedMs, waitedMs }: Transfer): boolean {
  return waitedMs >= elapsedMs / 2
}
