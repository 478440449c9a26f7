import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import { SheafError } from '../../core/errors.js'
import type { NodeId } from '../../domain/ids.js'
import { Message } from '../../network/rpc/message.js'
import type { Transport } from '../../network/transport.js'
import { type Others, RangeStream, type Supply } from './range-stream.js'
import type { SupplierRates } from './supplier-rates.js'
import { encodeRange, READ_BYTES_MAX, type VolumeRange } from './volume-messages.js'

const REQUEST_MS_MAX = 10_000
/** A second peer is asked when the first takes twice as long as it should, but not sooner than this, ms. */
const HEDGE_MS_MIN = 250
const HEDGE_TIMES_EXPECTED = 2
/** Asked of second peers at most: this share of all that was asked for, and so many bytes besides. */
const HEDGED_SHARE = 0.05
const HEDGED_BYTES = 4 * READ_BYTES_MAX

export interface RangeReaderComponents {
  readonly transport: Pick<Transport, 'request' | 'fetch'>
  readonly clock: Clock
  readonly rates: SupplierRates
}

/**
 * Reads ranges of volumes from peers. A long one comes as a stream, which ends early when another peer is much faster. A short
 * one, such as the end of a long one, is asked of a second peer when the first takes long: the first answer counts.
 */
export class RangeReader {
  readonly #components: RangeReaderComponents
  readonly #signal: AbortSignal
  #askedBytes = 0
  #hedgedBytes = 0

  /** @param init.signal - ends all reads, with its reason */
  constructor(components: RangeReaderComponents, { signal }: { readonly signal: AbortSignal }) {
    this.#components = components
    this.#signal = signal
  }

  /** @throws the peer's error for a short range; the signal's reason */
  async read(peer: NodeId, range: VolumeRange, others: Others): Promise<Supply> {
    const byteCount = range.to - range.from
    this.#askedBytes += byteCount
    const expectedMs = (byteCount / (this.#components.rates.of(peer) ?? Number.POSITIVE_INFINITY)) * 1_000
    const hedgeMs = Math.max(HEDGE_MS_MIN, HEDGE_TIMES_EXPECTED * expectedMs)
    // of a stream what came in time is kept
    const isShort = byteCount <= READ_BYTES_MAX && hedgeMs < REQUEST_MS_MAX
    if (!isShort) return new RangeStream(this.#components, { peer, range, others, signal: this.#signal })
    return await this.#readShort(peer, range, others, hedgeMs)
  }

  async #readShort(peer: NodeId, range: VolumeRange, others: Others, hedgeMs: number): Promise<Supply> {
    const over = new AbortController()
    try {
      const first = this.#ask(peer, range, over.signal)
      if (!(await this.#isLate(first, hedgeMs))) return await first
      const [second] = others()
      if (second === undefined || !this.#mayHedge(range)) return await first
      return await Promise.any([first, this.#ask(second, range, over.signal)]).catch(() => first)
    } finally {
      over.abort(new SheafError('ERR_PEER_UNREACHABLE', 'another node has answered'))
    }
  }

  async #ask(peer: NodeId, range: VolumeRange, over: AbortSignal): Promise<Supply> {
    const { transport, clock, rates } = this.#components
    const beganMs = clock.monotonic()
    let bytes = 0
    try {
      const answer = await withDeadline(clock, REQUEST_MS_MAX, AbortSignal.any([this.#signal, over]), signal =>
        transport.request(peer, 'volume.read', encodeRange(range), signal)
      )
      const piece = Message.decode(answer).bytes('bytes', READ_BYTES_MAX)
      bytes = piece.byteLength
      return { peer, pieces: [piece], end: 'all' }
    } finally {
      const elapsedMs = clock.monotonic() - beganMs
      // of the one that came second it is known that it would have taken longer
      rates.note(peer, { bytes: over.aborted ? range.to - range.from : bytes, elapsedMs, waitedMs: elapsedMs })
    }
  }

  async #isLate(answer: Promise<unknown>, ms: number): Promise<boolean> {
    const over = new AbortController()
    const inTime = (): boolean => false
    const late = this.#components.clock.sleep(ms, over.signal).then(() => true, inTime)
    try {
      return await Promise.race([answer.then(inTime, inTime), late])
    } finally {
      over.abort()
    }
  }

  /** Bounds what is sent twice. */
  #mayHedge({ from, to }: VolumeRange): boolean {
    if (this.#hedgedBytes + to - from > HEDGED_SHARE * this.#askedBytes + HEDGED_BYTES) return false
    this.#hedgedBytes += to - from
    return true
  }
}
