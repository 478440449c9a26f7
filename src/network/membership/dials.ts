import type { LoopWatch } from '../../core/loop-watch.js'
import type { NodeId } from '../../domain/ids.js'
import type { Transport } from '../transport.js'

/** Dials are looked at this often while there are any, ms. Their limits count looks: a stall of this process is one look. */
const LOOK_MS = 100
/** Limit of one dial: 15 s. A handshake takes some ms of CPU, and seconds where thirty nodes share two cores. */
const LOOKS_MAX = 150
/** Limit of opening the connection, before anything is said: 3 s. It takes no process at the other end, only its kernel. */
const OPENING_LOOKS_MAX = 30
/** A dial that is not open after 0.3 s hangs: nothing answers yet, so it costs nothing. */
const HANGING_LOOKS = 3
/** Dials at a time, without those that hang; each is a handshake that competes for the CPU here and there. */
const BUSY_MAX = 2
/** The same while the event loop is late. */
const BUSY_MAX_LATE = 1
/** With those that hang. */
const DIALS_MAX = 16
/** For how long a late timer counts, ms. */
const LATE_FOR_MS = 1_000

interface Dial {
  readonly peer: NodeId | undefined
  readonly limit: AbortController
  looks: number
  /** Whether the network has opened a connection. */
  isOpen: boolean
}

export interface DialsComponents {
  readonly loop: LoopWatch
  readonly transport: Pick<Transport, 'dial'>
  /** Called when a dial begins to hang, so that there may be room for another. */
  readonly onRoom: () => void
}

/**
 * The dials in flight: few at a time, and each with time enough. Nodes that start together on one machine share its cores;
 * many handshakes at once make each of them slow, and one that is thrown away and begun again is load without result.
 */
export class Dials {
  readonly #components: DialsComponents
  readonly #dials = new Set<Dial>()
  readonly #counts = { begun: 0, succeeded: 0 }
  #cancelLook = (): void => {}

  constructor(components: DialsComponents) {
    this.#components = components
  }

  /** Since the start; those that reached this node itself have not succeeded. */
  get counts(): { readonly begun: number; readonly succeeded: number } {
    return this.#counts
  }

  /** Whether another dial may begin now. */
  get hasRoom(): boolean {
    const busyMax = this.#components.loop.wasLateWithin(LATE_FOR_MS) ? BUSY_MAX_LATE : BUSY_MAX
    const busy = [...this.#dials].filter(dial => !isHanging(dial))
    return busy.length < busyMax && this.#dials.size < DIALS_MAX
  }

  /** @returns whether an address of the peer is being dialed, and does not hang */
  isBusyWith(peer: NodeId): boolean {
    return [...this.#dials].some(dial => dial.peer === peer && !isHanging(dial))
  }

  /**
   * As {@link Transport.dial}, within the limits of time.
   *
   * @param peer - whom the address is expected to lead to
   */
  async dial(address: string, peer: NodeId | undefined, signal: AbortSignal): Promise<NodeId | undefined> {
    const dial: Dial = { peer, limit: new AbortController(), looks: 0, isOpen: false }
    if (this.#dials.size === 0) this.#lookLater()
    this.#dials.add(dial)
    this.#counts.begun++
    try {
      const reached = await this.#components.transport.dial(
        address,
        AbortSignal.any([signal, dial.limit.signal]),
        () => {
          dial.isOpen = true
        }
      )
      if (reached !== undefined) this.#counts.succeeded++
      return reached
    } finally {
      this.#dials.delete(dial)
      if (this.#dials.size === 0) this.#cancelLook()
    }
  }

  #lookLater(): void {
    this.#cancelLook = this.#components.loop.schedule(LOOK_MS, () => this.#look())
  }

  #look(): void {
    this.#lookLater()
    for (const dial of this.#dials) {
      dial.looks++
      if (dial.looks >= (dial.isOpen ? LOOKS_MAX : OPENING_LOOKS_MAX)) dial.limit.abort(new Error('no answer in time'))
    }
    if ([...this.#dials].some(dial => isHanging(dial) && dial.looks === HANGING_LOOKS)) this.#components.onRoom()
  }
}

function isHanging({ isOpen, looks }: Dial): boolean {
  return !isOpen && looks >= HANGING_LOOKS
}
