import type { Clock } from '../../src/core/clock.js'
import type { DatabaseSource } from '../../src/directory/database.js'
import type { NodeId } from '../../src/domain/ids.js'
import { ForwardingTransport } from '../../src/network/forwarding-transport.js'
import type { FetchHandler, HandleOptions, RequestHandler, Transport } from '../../src/network/transport.js'
import type { SeededRandom } from './seeded-random.js'
import { sleepOn } from './simulated-clock.js'

/** What waits for the processor at most, ms: then whoever asks has given up, and asks no more. */
const BACKLOG_MS_MAX = 5_000

/**
 * A node's one processor: each message that it handles and each batch that it writes takes its time, one after the other,
 * and its timers wait for what is being thought about. Without a cost nothing waits, not even for a turn of the event loop.
 */
export class SimulatedProcessor {
  /** The longest that a piece of work takes, ms; how long one does is drawn anew each time. */
  costMs = 0
  readonly #random: SeededRandom
  readonly #time: Pick<Clock, 'monotonic'>
  #freeAt = 0

  constructor(components: { readonly random: SeededRandom; readonly time: Pick<Clock, 'monotonic'> }) {
    this.#random = components.random
    this.#time = components.time
  }

  /** How long what it has to do already takes, ms. */
  get backlogMs(): number {
    return Math.max(0, this.#freeAt - this.#time.monotonic())
  }

  /** From now on it costs nothing to think, and what it had to do is done. */
  rest(): void {
    this.costMs = 0
    this.#freeAt = 0
  }

  /** Does a piece of work of a process, behind all others. @param clock - that process's, which does not wait for the processor */
  work<Result>(clock: Pick<Clock, 'sleep'>, task: () => Promise<Result>): Promise<Result> {
    if (this.costMs > 0) {
      const backlogMs = Math.min(BACKLOG_MS_MAX, this.backlogMs + this.#random.fraction() * this.costMs)
      this.#freeAt = this.#time.monotonic() + backlogMs
    }
    return this.backlogMs === 0 ? task() : clock.sleep(this.backlogMs).then(task)
  }

  /** @returns the clock as a process has it: what falls due waits for what is being thought about */
  clock(below: Clock): Clock {
    return new BusyClock(below, this)
  }

  /** @returns the database as a process has it: each batch is work */
  database(source: DatabaseSource, clock: Pick<Clock, 'sleep'>): DatabaseSource {
    return {
      open: async () => {
        const database = await source.open()
        const batch = database.batch.bind(database) as (...batch: unknown[]) => Promise<void>
        const busy = (...operations: unknown[]): Promise<void> => this.work(clock, () => batch(...operations))
        return Object.assign(database, { batch: busy })
      },
      remove: () => source.remove()
    }
  }

  /** @returns the transport as a process has it: each message that comes in, and each piece of a stream, is work */
  transport(below: Transport, clock: Pick<Clock, 'sleep'>): Transport {
    return new BusyTransport(below, task => this.work(clock, task))
  }
}

type Work = <Result>(task: () => Promise<Result>) => Promise<Result>

class BusyClock implements Clock {
  readonly #below: Clock
  readonly #processor: { readonly backlogMs: number }

  constructor(below: Clock, processor: { readonly backlogMs: number }) {
    this.#below = below
    this.#processor = processor
  }

  now(): number {
    return this.#below.now()
  }

  monotonic(): number {
    return this.#below.monotonic()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal)
  }

  schedule(ms: number, task: () => void): () => void {
    let cancel = this.#below.schedule(ms, () => {
      const { backlogMs } = this.#processor
      if (backlogMs === 0) task()
      else cancel = this.#below.schedule(backlogMs, task)
    })
    return () => cancel()
  }
}

class BusyTransport extends ForwardingTransport {
  readonly #work: Work

  constructor(below: Transport, work: Work) {
    super(below)
    this.#work = work
  }

  override handle(method: string, handler: RequestHandler, options?: HandleOptions): void {
    const busy: RequestHandler = (...message) => this.#work(() => handler(...message))
    this.below.handle(method, busy, options)
  }

  override handleFetch(method: string, handler: FetchHandler): void {
    const work = this.#work
    this.below.handleFetch(method, async function* (...message) {
      for await (const piece of handler(...message)) yield work(async () => piece)
    })
  }

  override subscribe(topic: string, handler: (from: NodeId, body: Uint8Array) => void): void {
    this.below.subscribe(topic, (from, body) => void this.#work(async () => handler(from, body)))
  }
}
