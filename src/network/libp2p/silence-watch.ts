import type { MessageStream } from '@libp2p/interface'
import type { LoopWatch } from '../../core/loop-watch.js'

/** How often a connection is checked, and how often each side sends a keep-alive, ms. */
export const KEEP_ALIVE_MS = 1_000
/** As many checks in a row without a byte end the connection. */
const SILENT_CHECKS_MAX = 10
/** The same where this process itself was stalled lately: its peers may be on the same busy machine. */
const SILENT_CHECKS_MAX_STALLED = 60
/** A timer that comes so late means that this process was stalled, ms. */
export const STALL_MS = 250
/** For how long that counts, ms. */
export const STALLED_LATELY_MS = 30_000

/**
 * Ends connections that have fallen silent, as when a network silently drops all packets, after ten seconds.
 *
 * It counts checks, not time. When this process was stopped or too busy to read, the first check afterwards runs before the
 * bytes that arrived meanwhile are read, and counts as one. And a process that does not get a core in time has peers that do
 * not get one either: while it is so, it waits for a minute. A peer that is dead is known to be by its heartbeats long
 * before; what ends here is only the connection, so there is no hurry.
 *
 * libp2p's own monitor waits a fixed time for the answer to a ping, so each such pause of its own process looks like the
 * death of all peers. It also opens a stream for each ping, which costs ten times as much as the two small multiplexer
 * frames here.
 */
export class SilenceWatch {
  readonly #loop: LoopWatch

  constructor(components: { readonly loop: LoopWatch }) {
    this.#loop = components.loop
  }

  /** @param connection - the raw one, below the encryption; watched until it closes */
  watch(connection: Pick<MessageStream, 'addEventListener' | 'abort'>): void {
    let received = true
    let silentChecks = 0
    const check = (): void => {
      silentChecks = received ? 0 : silentChecks + 1
      received = false
      if (silentChecks >= this.#checksMax) connection.abort(new Error('the connection has been silent for too long'))
      else cancel = this.#loop.schedule(KEEP_ALIVE_MS, check)
    }
    let cancel = this.#loop.schedule(KEEP_ALIVE_MS, check)
    connection.addEventListener('message', () => {
      received = true
    })
    connection.addEventListener('close', () => cancel())
  }

  get #checksMax(): number {
    return this.#loop.wasLateWithin(STALLED_LATELY_MS) ? SILENT_CHECKS_MAX_STALLED : SILENT_CHECKS_MAX
  }
}
