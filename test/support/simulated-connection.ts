import { setMaxListeners } from 'node:events'
import type { NodeId } from '../../src/domain/ids.js'
import type { SimulatedLinks } from './simulated-links.js'

/** A process that a connection ends at. */
export interface Endpoint {
  readonly self: NodeId
  /** The connection is closed as far as this side is concerned. */
  closed(connection: SimulatedConnection<Endpoint>): void
}

/**
 * A connection between two processes. Each side has its own view of whether it is open: that a side closes is heard by the
 * other after a delay, that a link is silent is noticed by each in its own time.
 */
export class SimulatedConnection<Side extends Endpoint> {
  readonly ends: readonly [Side, Side]
  readonly #links: SimulatedLinks
  readonly #open: Map<Side, AbortController>
  readonly #forgetCuts: () => void

  constructor(links: SimulatedLinks, ends: readonly [Side, Side]) {
    this.#links = links
    this.ends = ends
    this.#open = new Map(ends.map(side => [side, new AbortController()]))
    for (const { signal } of this.#open.values()) setMaxListeners(0, signal) // one for each request under way
    this.#forgetCuts = links.onCut((from, to, lasts) => {
      if (!ends.some(({ self }) => self === from) || !ends.some(({ self }) => self === to)) return
      for (const side of ends) links.afterDetection(() => lasts() && this.close(side))
    })
    // a link that was cut while the connection was made is noticed, too
    const [a, b] = [ends[0].self, ends[1].self]
    if (links.isCut(a, b) || links.isCut(b, a)) for (const side of ends) links.afterDetection(() => this.close(side))
  }

  isOpen(side: Side): boolean {
    return this.#open.has(side)
  }

  other(side: Side): Side {
    return side === this.ends[0] ? this.ends[1] : this.ends[0]
  }

  /** @returns what aborts when the side closes; one that is aborted when it has */
  signal(side: Side): AbortSignal {
    return this.#open.get(side)?.signal ?? AbortSignal.abort()
  }

  /** Sends what arrives for certain while both sides are open. @param arrive - runs at the other side */
  send(from: Side, arrive: () => void, byteCount = 0): void {
    const to = this.other(from)
    this.#links.carry(from.self, to.self, () => !this.#open.has(from) || !this.#open.has(to), arrive, byteCount)
  }

  /** @param quietly - the machine has lost its power: the other side has to notice by itself */
  close(side: Side, quietly = false): void {
    const controller = this.#open.get(side)
    if (controller === undefined) return
    this.#open.delete(side)
    controller.abort()
    side.closed(this)
    const other = this.other(side)
    if (this.#open.size === 0) this.#forgetCuts()
    else if (quietly) this.#links.afterDetection(() => this.close(other))
    else
      this.#links.carry(
        side.self,
        other.self,
        () => !this.#open.has(other),
        () => this.close(other)
      )
  }
}
