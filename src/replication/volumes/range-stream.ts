import type { Clock } from '../../core/clock.js'
import { deadline } from '../../core/deadline.js'
import { SheafError } from '../../core/errors.js'
import type { NodeId } from '../../domain/ids.js'
import type { Transport } from '../../network/transport.js'
import type { SupplierRates, Transfer } from './supplier-rates.js'
import { encodeRange, type VolumeRange } from './volume-messages.js'

const FETCH_MS_MAX = 120_000
/** How often it is looked at how fast the peer is, ms. */
const LOOK_MS = 500
/** A look that is later than this tells of this process and not of the peer, ms. */
const LATE_MS = 100

/** What a peer sends of a range, from its beginning on. */
export interface Supply {
  readonly peer: NodeId
  /** End without an error. */
  readonly pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  /** Why there are no more pieces. `all`: the peer has sent what it has of the range. */
  readonly end: 'all' | 'too slow' | { readonly failure: unknown }
}

/** @returns who could send the same now, the one to be asked first in front; without the peer that is asked */
export type Others = () => readonly NodeId[]

export interface RangeStreamComponents {
  readonly transport: Pick<Transport, 'fetch'>
  readonly clock: Clock
  readonly rates: SupplierRates
}

export interface RangeStreamInit {
  readonly peer: NodeId
  readonly range: VolumeRange
  readonly others: Others
  readonly signal: AbortSignal
}

/**
 * The bytes of a range as one peer streams them. The stream ends early when another peer is much faster. To be read once.
 */
export class RangeStream implements Supply {
  readonly peer: NodeId
  end: Supply['end'] = 'all'
  readonly #components: RangeStreamComponents
  readonly #init: RangeStreamInit
  /** Ends the stream for its slowness. */
  readonly #tooSlow = new AbortController()
  /** Since then: the bytes that came, and how long the reader waited for them. Monotonic ms. */
  #lookedMs = 0
  #bytes = 0
  #waitedMs = 0
  /** Since when the reader waits; undefined while it works on a piece. */
  #waitsSinceMs: number | undefined

  constructor(components: RangeStreamComponents, init: RangeStreamInit) {
    this.#components = components
    this.#init = init
    this.peer = init.peer
  }

  get pieces(): AsyncIterable<Uint8Array> {
    return this.#read()
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    const { transport, clock, rates } = this.#components
    const { range, signal: stop } = this.#init
    const { signal, cancel } = deadline(clock, FETCH_MS_MAX, AbortSignal.any([stop, this.#tooSlow.signal]))
    this.#lookedMs = clock.monotonic()
    this.#waitsSinceMs = this.#lookedMs
    const over = new AbortController()
    this.#watch(over.signal).catch(() => {}) // it ends so
    try {
      for await (const piece of transport.fetch(this.peer, 'volume.range', encodeRange(range), signal)) {
        this.#stopWaiting()
        this.#bytes += piece.byteLength
        yield piece
        this.#waitsSinceMs = clock.monotonic()
      }
    } catch (failure) {
      this.end = this.#tooSlow.signal.aborted ? 'too slow' : { failure }
    } finally {
      over.abort()
      cancel()
      rates.note(this.peer, this.#look())
    }
  }

  async #watch(over: AbortSignal): Promise<never> {
    const { clock, rates } = this.#components
    for (;;) {
      await clock.sleep(LOOK_MS, over)
      const transfer = this.#look()
      if (transfer.elapsedMs > LOOK_MS + LATE_MS) continue
      rates.note(this.peer, transfer)
      if (rates.isTooSlow(transfer, this.#init.others()))
        this.#tooSlow.abort(new SheafError('ERR_PEER_UNREACHABLE', 'another node is much faster'))
    }
  }

  /** @returns what came since the last look */
  #look(): Transfer {
    const now = this.#components.clock.monotonic()
    if (this.#waitsSinceMs !== undefined) {
      this.#stopWaiting()
      this.#waitsSinceMs = now
    }
    const transfer = { bytes: this.#bytes, elapsedMs: now - this.#lookedMs, waitedMs: this.#waitedMs }
    this.#lookedMs = now
    this.#bytes = 0
    this.#waitedMs = 0
    return transfer
  }

  #stopWaiting(): void {
    this.#waitedMs += this.#components.clock.monotonic() - (this.#waitsSinceMs ?? Number.POSITIVE_INFINITY)
    this.#waitsSinceMs = undefined
  }
}
