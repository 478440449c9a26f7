import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import type { Logger } from '../../core/log.js'
import type { Directory } from '../../directory/directory.js'
import type { NodeId } from '../../domain/ids.js'
import type { RecordKey } from '../../domain/record.js'
import type { Transport } from '../../network/transport.js'
import { decodeGetAnswer, encodeGetRequest, METHOD_GET } from './anti-entropy-messages.js'

const ASK_MS_MAX = 2_000
/** For so long others are still waited for once one has sent the record: one of them may have a later state of it, ms. */
const LATER_STATE_MS_MAX = 100

export interface PeerRecordsComponents {
  readonly transport: Pick<Transport, 'request'>
  readonly directory: Pick<Directory, 'merge'>
  readonly clock: Clock
  readonly log: Logger
  /** All members but this node, absent ones too. */
  readonly others: () => readonly NodeId[]
  /** The nodes that can be asked now, be it through others. */
  readonly reachable: () => readonly NodeId[]
}

type Outcome = 'sent' | 'unknown there' | 'no answer'

/** Asks the peers for a record that is unknown here: it may have been written on another node a moment ago. */
export class PeerRecords {
  readonly #components: PeerRecordsComponents

  constructor(components: PeerRecordsComponents) {
    this.#components = components
  }

  /**
   * Merges the peers' states of a record into the directory; those that come late are merged afterwards.
   *
   * @returns whether every member has answered
   */
  async fetch(key: RecordKey): Promise<boolean> {
    const { others, reachable } = this.#components
    const peers = reachable()
    const answers = peers.map(peer => this.#ask(peer, key))
    const over = new AbortController()
    const all = Promise.all(answers).then(
      outcomes => !outcomes.includes('no answer') && others().every(member => peers.includes(member))
    )
    try {
      return await Promise.race([all, ...answers.map(answer => this.#whenSent(answer, over.signal))])
    } finally {
      over.abort()
    }
  }

  /** Resolves a while after the record was sent, if it was. */
  async #whenSent(answer: Promise<Outcome>, over: AbortSignal): Promise<false> {
    if ((await answer) !== 'sent') return new Promise(() => {})
    await this.#components.clock.sleep(LATER_STATE_MS_MAX, over).catch(() => {}) // all have answered meanwhile
    return false
  }

  async #ask(peer: NodeId, key: RecordKey): Promise<Outcome> {
    const { transport, directory, clock, log } = this.#components
    try {
      const body = await withDeadline(clock, ASK_MS_MAX, undefined, signal =>
        transport.request(peer, METHOD_GET, encodeGetRequest([key]), signal)
      )
      const { records } = decodeGetAnswer(body, 1)
      if (records.length === 0) return 'unknown there'
      await directory.merge(records, peer)
      return 'sent'
    } catch (err) {
      log.debug({ err, peer }, 'could not ask a peer for a record')
      return 'no answer'
    }
  }
}
