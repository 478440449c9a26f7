import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import { type SpanInit, type Tracer, traced } from '../core/tracing.js'
import type { ModelId } from '../domain/features.js'
import type { NodeId } from '../domain/ids.js'
import type { ShardSet } from '../domain/shards.js'
import type { Transport } from '../network/transport.js'
import { type GatherResult, ScatterGather } from './scatter-gather.js'
import {
  decodeAnswer,
  decodeSearch,
  encodeAnswer,
  encodeSearch,
  METHOD_SEARCH,
  type ShardAnswer,
  type VectorQuery
} from './search-messages.js'

/** A second node is asked after twice the median latency, but not sooner than this, ms. */
const HEDGE_MS_MIN = 50
const HEDGE_TIMES_MEDIAN = 2
const LATENCIES_MAX = 64

export interface ShardSearchComponents {
  readonly transport: Pick<Transport, 'self' | 'request' | 'handle'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
  /** Live nodes with vectors of the model, this one included, and the shards for which they claim to have all. */
  readonly holders: (model: ModelId) => ReadonlyMap<NodeId, ShardSet>
  /** Searches this node's own vectors. @throws `ERR_MODEL_MISMATCH`, `ERR_INDEX_UNAVAILABLE`, `ERR_INDEX_BUILDING`, `ERR_OVERLOADED` */
  readonly searchHere: (query: VectorQuery, k: number) => Promise<ShardAnswer>
}

/** Searches all vectors in the cluster by scatter-gather, and reports which shards the answers cover. */
export class ShardSearch {
  readonly #components: ShardSearchComponents
  /** Latest latencies of peers, ms. */
  readonly #latencies: number[] = []

  constructor(components: ShardSearchComponents) {
    this.#components = components
    const answer = async (peer: NodeId, body: Uint8Array): Promise<Uint8Array> => {
      const { query, k, trace } = decodeSearch(body)
      const init = (): SpanInit => ({ parent: trace, kind: 'server', attributes: { peer } })
      const tracer = trace === undefined ? undefined : components.tracer
      return encodeAnswer(await traced(tracer, 'search', init, () => components.searchHere(query, k)))
    }
    components.transport.handle(METHOD_SEARCH, answer, { relayed: true })
  }

  /**
   * @param k - neighbors requested from each node, 1…NEIGHBORS_MAX
   * @returns what arrived within two seconds; a node that does not answer is no error
   * @throws the signal's reason
   */
  search(query: VectorQuery, k: number, signal: AbortSignal): Promise<GatherResult> {
    const { clock, random, log, transport, holders, searchHere } = this.#components
    const tracer = this.#tracer()
    const scatterGather = new ScatterGather(
      {
        clock,
        random,
        log,
        ask: (node, over) =>
          node === transport.self
            ? traced(
                tracer,
                'search',
                () => ({}),
                () => searchHere(query, k)
              )
            : this.#ask(node, query, k, over)
      },
      {
        self: transport.self,
        holders: holders(query.model),
        k,
        isLimited: query.onlooker !== undefined,
        hedgeMs: this.#hedgeMs()
      }
    )
    return scatterGather.run(signal)
  }

  async #ask(peer: NodeId, query: VectorQuery, k: number, signal: AbortSignal): Promise<ShardAnswer> {
    const { transport, clock } = this.#components
    const from = clock.monotonic()
    const init = (): SpanInit => ({ kind: 'client', attributes: { peer } })
    const body = await traced(this.#tracer(), 'search', init, span =>
      transport.request(peer, METHOD_SEARCH, encodeSearch(query, k, span?.traceParent), signal)
    )
    const answer = decodeAnswer(body, k)
    this.#latencies.push(clock.monotonic() - from)
    if (this.#latencies.length > LATENCIES_MAX) this.#latencies.shift()
    return answer
  }

  /** What nobody asked for, such as looking for copies, has no span. */
  #tracer(): Tracer | undefined {
    const { tracer } = this.#components
    return tracer?.current() === undefined ? undefined : tracer
  }

  #hedgeMs(): number {
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    return Math.max(HEDGE_MS_MIN, HEDGE_TIMES_MEDIAN * (sorted[sorted.length >> 1] ?? 0))
  }
}
