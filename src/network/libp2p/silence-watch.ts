import type { MessageStream } from '@libp2p/interface'
import type { Clock } from '../../core/clock.js'

/** How often a connection is checked, and how often each side sends a keep-alive, ms. */
export const KEEP_ALIVE_MS = 1_000
/** As many checks in a row without a byte end the connection. */
const SILENT_CHECKS_MAX = 3

/**
 * Ends connections that have fallen silent, as when a network silently drops all packets, within two to four seconds.
 *
 * It counts checks, not time. When this process was stopped or too busy to read, the first check afterwards runs before the
 * bytes that arrived meanwhile are read, and counts as one. libp2p's own monitor waits a fixed time for the answer to a
 * ping, so each such pause of its own process looks like the death of all peers. It also opens a stream for each ping,
 * which costs ten times as much as the two small multiplexer frames here.
 */
export class SilenceWatch {
  readonly #clock: Clock

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  /** @param connection - the raw one, below the encryption; watched until it closes */
  watch(connection: Pick<MessageStream, 'addEventListener' | 'abort'>): void {
    let received = true
    let silentChecks = 0
    const check = (): void => {
      silentChecks = received ? 0 : silentChecks + 1
      received = false
      if (silentChecks >= SILENT_CHECKS_MAX) connection.abort(new Error('the connection has been silent for too long'))
      else cancel = this.#clock.schedule(KEEP_ALIVE_MS, check)
    }
    let cancel = this.#clock.schedule(KEEP_ALIVE_MS, check)
    connection.addEventListener('message', () => {
      received = true
    })
    connection.addEventListener('close', () => cancel())
  }
}
