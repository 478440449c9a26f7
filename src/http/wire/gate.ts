import type { Clock } from '../../core/clock.js'
import { ConcurrencyLimit } from '../../core/concurrency-limit.js'
import { deadline } from '../../core/deadline.js'
import { SheafError } from '../../core/errors.js'
import { turn } from '../../core/turn.js'

export interface GateInit {
  /** Requests that are worked on at the same time. */
  readonly atOnce: number
  /** Requests that may wait. */
  readonly waitingMax: number
  /** How long one may wait, ms. */
  readonly waitMsMax: number
}

/**
 * Lets a few dear requests of a kind in at the same time; the others wait in order, and everybody else gets a turn of the
 * event loop before each. A request whose client has left costs nothing more.
 */
export class Gate {
  readonly #clock: Clock
  readonly #limit: ConcurrencyLimit
  readonly #waitMsMax: number

  constructor({ clock }: { readonly clock: Clock }, { atOnce, waitingMax, waitMsMax }: GateInit) {
    this.#clock = clock
    this.#limit = new ConcurrencyLimit({ countMax: atOnce, bytesMax: 0, waitingMax })
    this.#waitMsMax = waitMsMax
  }

  /**
   * @param signal - aborts when the client leaves
   * @throws `ERR_OVERLOADED` when too many wait, or when it has waited for too long; the signal's reason; what the task throws
   */
  async pass<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
    const leave = await this.#enter(signal)
    try {
      await turn()
      signal.throwIfAborted()
      return await task()
    } finally {
      leave()
    }
  }

  async #enter(signal: AbortSignal): Promise<() => void> {
    const late = (): SheafError =>
      new SheafError('ERR_OVERLOADED', 'too many such requests are being answered; try again')
    const waiting = deadline(this.#clock, this.#waitMsMax, signal, late)
    try {
      return await this.#limit.enter(0, waiting.signal)
    } finally {
      waiting.cancel()
    }
  }
}

/** The gates of one node. */
export interface Gates {
  /** Pages of lists. */
  readonly pages: Gate
  /** Lists that count all that match. */
  readonly counts: Gate
  /** Searches, which may have to wait for other nodes. */
  readonly searches: Gate
  /** Dumps, which last as long as their clients read. */
  readonly dumps: Gate
  /** Merges of duplicates, which write. */
  readonly merges: Gate
}

const WAIT = { waitingMax: 256, waitMsMax: 10_000 }

export function openGates(clock: Clock): Gates {
  const gate = (atOnce: number): Gate => new Gate({ clock }, { atOnce, ...WAIT })
  return { pages: gate(8), counts: gate(2), searches: gate(8), dumps: gate(8), merges: gate(1) }
}
