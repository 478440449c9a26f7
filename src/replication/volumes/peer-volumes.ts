import type { NodeId, VolumeId } from '../../domain/ids.js'
import { without } from '../../domain/ranges.js'
import type { HoleRange } from '../../volumes/index-file.js'
import type { HeldVolume, KnownHoles } from './volume-messages.js'

/** What a peer holds of a volume. */
interface Holding {
  end: number
  holes: readonly HoleRange[]
  /** Durable up to here, without a hole. */
  acknowledged: number
}

interface Waiter {
  readonly places: readonly { readonly volume: VolumeId; readonly end: number }[]
  readonly wanted: number
  readonly done: (holders: number) => void
}

/**
 * What each connected peer holds of each volume, from its announcements and acknowledgments. Soft state: it is dropped with
 * the connection and restored by the next `volume.heads`. What *distant* members hold, to which only others are connected, is
 * counted as copies, but comes from them by no way of its own.
 */
export class PeerVolumes {
  readonly #peers = new Map<NodeId, Map<VolumeId, Holding>>()
  readonly #distant = new Map<NodeId, Map<VolumeId, Holding>>()
  readonly #waiters = new Set<Waiter>()
  /** The greatest end that any peer acknowledged since the process started: a disconnected peer keeps its copy. */
  readonly #acknowledged = new Map<VolumeId, number>()

  /** @returns whether the peer holds more of the volume than was known */
  noteEnd(peer: NodeId, volume: VolumeId, end: number): boolean {
    const holding = this.#holding(peer, volume)
    if (end <= holding.end) return false
    holding.end = end
    return true
  }

  noteAcknowledged(peer: NodeId, volume: VolumeId, end: number): void {
    const holding = this.#holding(peer, volume)
    holding.end = Math.max(holding.end, end)
    holding.acknowledged = Math.max(holding.acknowledged, end)
    this.#noteFurthest(volume, end)
    this.#wakeWaiters()
  }

  /** The writer of a volume says up to where it is durable there. @returns as {@link noteEnd} */
  noteWritten(writer: NodeId, volume: VolumeId, end: number): boolean {
    const isNews = this.noteEnd(writer, volume, end)
    this.noteAcknowledged(writer, volume, Math.min(end, this.#holding(writer, volume).holes[0]?.from ?? end))
    return isNews
  }

  /** @param volumes - everything that the peer holds, as it answered `volume.heads` */
  replace(peer: NodeId, volumes: readonly HeldVolume[]): void {
    this.#peers.set(peer, this.#holdingsOf(volumes))
    this.#distant.delete(peer)
    this.#wakeWaiters()
  }

  /** The same of a distant member. */
  replaceDistant(member: NodeId, volumes: readonly HeldVolume[]): void {
    this.#distant.set(member, this.#holdingsOf(volumes))
    this.#wakeWaiters()
  }

  /** Of a distant member, once everything that it holds is known. */
  noteDistantAcknowledged(member: NodeId, volume: VolumeId, end: number): void {
    const holdings = this.#distant.get(member)
    if (holdings === undefined || (holdings.get(volume)?.acknowledged ?? 0) >= end) return
    holdings.set(volume, { end, holes: [], acknowledged: end })
    this.#noteFurthest(volume, end)
    this.#wakeWaiters()
  }

  /** Forgets what all other members held while they were distant. */
  keepDistant(members: readonly NodeId[]): void {
    for (const member of this.#distant.keys()) if (!members.includes(member)) this.#distant.delete(member)
  }

  /** @param from - a place that the peer was asked about: what was known behind it gives way to the answer */
  noteHoles(peer: NodeId, volume: VolumeId, from: number, { end, holes, until }: KnownHoles): void {
    const holding = this.#peers.get(peer)?.get(volume)
    if (holding === undefined) return
    const replaced = { from, to: Math.max(from, until ?? Number.POSITIVE_INFINITY) }
    const kept = holding.holes.flatMap(hole => without(hole, replaced))
    holding.holes = [...kept, ...holes].sort((a, b) => a.from - b.from)
    holding.end = end <= from ? end : Math.max(end, holding.end) // a longer copy may have been announced meanwhile
    holding.acknowledged = Math.min(holding.acknowledged, holding.end, holding.holes[0]?.from ?? end)
  }

  forget(peer: NodeId): void {
    this.#peers.delete(peer)
  }

  /** @returns every volume that a connected peer holds, with the greatest end */
  ends(): Map<VolumeId, number> {
    const ends = new Map<VolumeId, number>()
    for (const holdings of this.#peers.values()) {
      for (const [volume, { end }] of holdings) ends.set(volume, Math.max(end, ends.get(volume) ?? 0))
    }
    return ends
  }

  /** @returns up to where the peer is known to hold the volume; 0 when nothing is known */
  endOf(peer: NodeId, volume: VolumeId): number {
    return this.#peers.get(peer)?.get(volume)?.end ?? 0
  }

  furthestEnd(volume: VolumeId): number {
    let end = 0
    for (const holdings of this.#peers.values()) end = Math.max(end, holdings.get(volume)?.end ?? 0)
    return end
  }

  /** @returns the peers that hold the byte at `offset` of the volume, outside their holes */
  suppliers(volume: VolumeId, offset: number): NodeId[] {
    const suppliers: NodeId[] = []
    for (const [peer, holdings] of this.#peers) {
      const holding = holdings.get(volume)
      if (holding === undefined || holding.end <= offset) continue
      if (!holding.holes.some(({ from, to }) => from <= offset && offset < to)) suppliers.push(peer)
    }
    return suppliers
  }

  /**
   * @returns the ends of the holes that all peers have at `offset`, ascending; none when a peer could supply the byte, or
   * none reaches that far
   */
  commonHoleEnds(volume: VolumeId, offset: number): number[] {
    const ends = new Set<number>()
    for (const holdings of this.#peers.values()) {
      const holding = holdings.get(volume)
      if (holding === undefined || holding.end <= offset) continue
      const hole = holding.holes.find(({ from, to }) => from <= offset && offset < to)
      if (hole === undefined) return []
      ends.add(hole.to)
    }
    return [...ends].sort((a, b) => a - b)
  }

  /** @returns how many peers and distant members hold all places durably */
  holders(places: Waiter['places']): number {
    let count = 0
    for (const holdings of [...this.#peers.values(), ...this.#distant.values()]) {
      if (places.every(({ volume, end }) => (holdings.get(volume)?.acknowledged ?? 0) >= end)) count++
    }
    return count
  }

  /** Waits until `wanted` peers and distant members hold all places durably, or the signal aborts. @returns how many do then */
  waitForHolders(places: Waiter['places'], wanted: number, signal: AbortSignal): Promise<number> {
    const holders = this.holders(places)
    if (holders >= wanted || signal.aborted) return Promise.resolve(holders)
    return new Promise(resolve => {
      const done = (count: number): void => {
        this.#waiters.delete(waiter)
        signal.removeEventListener('abort', giveUp)
        resolve(count)
      }
      const giveUp = (): void => done(this.holders(places))
      const waiter: Waiter = { places, wanted, done }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', giveUp)
    })
  }

  /** @returns up to where any other node was ever known to hold the volume durably, since the process started */
  acknowledged(volume: VolumeId): number {
    return this.#acknowledged.get(volume) ?? 0
  }

  /** Forgets who held the volumes that neither this node nor a peer has any more. */
  dropRemoved(isHere: (volume: VolumeId) => boolean): void {
    const holdings = [...this.#peers.values(), ...this.#distant.values()]
    for (const volume of this.#acknowledged.keys()) {
      if (!isHere(volume) && !holdings.some(held => held.has(volume))) this.#acknowledged.delete(volume)
    }
  }

  /** @returns up to where a connected peer holds the volume durably and without a hole */
  acknowledgedNow(volume: VolumeId): number {
    return this.acknowledgedBy(volume, [...this.#peers.keys()])
  }

  /** @returns the greatest end up to which one of the given peers holds the volume durably and without a hole */
  acknowledgedBy(volume: VolumeId, peers: readonly NodeId[]): number {
    return Math.max(0, ...peers.map(peer => this.#peers.get(peer)?.get(volume)?.acknowledged ?? 0))
  }

  /** @returns bytes of the given volumes that a peer lacks; undefined when its volumes are unknown */
  missing(peer: NodeId, volumes: Iterable<{ readonly id: VolumeId; readonly end: number }>): number | undefined {
    const holdings = this.#peers.get(peer) ?? this.#distant.get(peer)
    if (holdings === undefined) return undefined
    let bytes = 0
    for (const { id, end } of volumes) bytes += Math.max(0, end - (holdings.get(id)?.end ?? 0))
    return bytes
  }

  #holdingsOf(volumes: readonly HeldVolume[]): Map<VolumeId, Holding> {
    const holdings = new Map<VolumeId, Holding>()
    for (const { volume, end, holes } of volumes) {
      const acknowledged = holes[0]?.from ?? end
      holdings.set(volume, { end, holes, acknowledged })
      this.#noteFurthest(volume, acknowledged)
    }
    return holdings
  }

  #noteFurthest(volume: VolumeId, end: number): void {
    this.#acknowledged.set(volume, Math.max(end, this.acknowledged(volume)))
  }

  #wakeWaiters(): void {
    for (const waiter of this.#waiters) {
      const holders = this.holders(waiter.places)
      if (holders >= waiter.wanted) waiter.done(holders)
    }
  }

  #holding(peer: NodeId, volume: VolumeId): Holding {
    const holdings = this.#peers.get(peer) ?? new Map<VolumeId, Holding>()
    const holding = holdings.get(volume) ?? { end: 0, holes: [], acknowledged: 0 }
    this.#peers.set(peer, holdings)
    holdings.set(volume, holding)
    return holding
  }
}
