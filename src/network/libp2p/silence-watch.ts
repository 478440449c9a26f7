import type { MessageStream } from '@libp2p/interface'
import type { Clock } from '../../core/clock.js'

/** How often a connection is looked at, and how often each side sends something whatever else it has to say, ms. */
export const KEEP_ALIVE_MS = 1_000
/** As many looks in a row without a byte end the connection. */
const SILENT_CHECKS_MAX = 3

/**
 * Ends connections on which nothing is heard any longer, as when a network drops everything without a word: two to four
 * seconds after that.
 *
 * It counts looks, not time: when this process was stopped for a while, or had no time to read, the first look afterwards
 * comes before what has arrived meanwhile is read, and counts as one. libp2p's own monitor waits for the answer to a ping
 * for a fixed time, so that each such pause of its own looks to it like the death of all peers; and it opens a stream for
 * each ping, a tenth of which is the cost here: two small frames of the multiplexer.
 */
export class SilenceWatch {
  readonly #clock: Clock

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  /** @param connection - the one to the network, below the encryption; watched until it closes */
  watch(connection: Pick<MessageStream, 'addEventListener' | 'abort'>): void {
    let received = true
    let silentChecks = 0
    const check = (): void => {
      silentChecks = received ? 0 : silentChecks + 1
      received = false
      if (silentChecks >= SILENT_CHECKS_MAX) connection.abort(new Error('nothing is heard any longer'))
      else cancel = this.#clock.schedule(KEEP_ALIVE_MS, check)
    }
    let cancel = this.#clock.schedule(KEEP_ALIVE_MS, check)
    connection.addEventListener('message', () => {
      received = true
    })
    connection.addEventListener('close', () => cancel())
  }
}
