import type { Clock } from '../core/clock.js'
import type { ErrorCode } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { NodeId } from '../domain/ids.js'

const INTERVAL_MS = 60_000

/** Logs the first refusal at once, then at most one a minute, with the number of refusals suppressed in between. */
export class RefusalLog {
  readonly #clock: Clock
  readonly #log: Logger
  #lastMs = Number.NEGATIVE_INFINITY
  #suppressed = 0

  constructor(components: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = components.clock
    this.#log = components.log
  }

  refused(peer: NodeId, reason: string, code: ErrorCode = 'ERR_PEER_REFUSED'): void {
    const now = this.#clock.monotonic()
    if (now - this.#lastMs < INTERVAL_MS) {
      this.#suppressed++
      return
    }
    this.#log.warn({ code, peer, reason, suppressed: this.#suppressed }, 'refused a node')
    this.#lastMs = now
    this.#suppressed = 0
  }
}
