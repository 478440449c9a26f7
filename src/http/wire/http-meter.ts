import type { ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.js'
import type { ErrorCode } from '../../core/errors.js'
import type { Counter, Histogram, Metrics } from '../../core/metrics.js'

/** A request is measured in every series of its route. */
interface RouteMeter {
  readonly seconds: Histogram
  /** By method and class of status, `GET 2xx`. */
  readonly requests: Map<string, Counter>
}

const HOT_ROUTE = '/photo/:id'
const NO_ROUTE = 'none'

/** Counts and times the requests of clients. Methods and routes are those of the API, so series are bounded. */
export class HttpMeter {
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #routes = new Map<string, RouteMeter>()
  readonly #hotSeconds: Histogram
  readonly #hotRequests: Counter
  #inFlight = 0

  constructor(components: { readonly metrics: Metrics; readonly clock: Clock }) {
    this.#metrics = components.metrics
    this.#clock = components.clock
    const hot = this.#route(HOT_ROUTE)
    this.#hotSeconds = hot.seconds
    this.#hotRequests = this.#requests(hot, HOT_ROUTE, 'GET', '2xx')
    this.#metrics.read('sheaf_http_requests_in_flight', () => this.#inFlight)
  }

  /** Counts a request that the hot path has answered at once. @param startedAtMs - monotonic */
  hot(startedAtMs: number): void {
    this.#hotRequests.value++
    this.#hotSeconds.observe((this.#clock.monotonic() - startedAtMs) / 1_000)
  }

  /** Counts a request of the router when its answer ends. @param route - its pattern; undefined: there is none */
  begin(method: string, route: string = NO_ROUTE, response: ServerResponse): void {
    const startedAtMs = this.#clock.monotonic()
    this.#inFlight++
    response.once('close', () => {
      this.#inFlight--
      const meter = this.#route(route)
      const status = response.writableFinished ? `${Math.floor(response.statusCode / 100)}xx` : 'cut'
      // a client may send any method where there is no route
      this.#requests(meter, route, route === NO_ROUTE ? 'any' : method, status).add()
      meter.seconds.observe((this.#clock.monotonic() - startedAtMs) / 1_000)
    })
  }

  problem(code: ErrorCode): void {
    this.#metrics.counter('sheaf_http_problems_total', { code }).add()
  }

  #route(route: string): RouteMeter {
    let meter = this.#routes.get(route)
    if (meter === undefined) {
      const seconds = this.#metrics.histogram('sheaf_http_request_duration_seconds', { route })
      meter = { seconds, requests: new Map() }
      this.#routes.set(route, meter)
    }
    return meter
  }

  #requests({ requests }: RouteMeter, route: string, method: string, status: string): Counter {
    const key = `${method} ${status}`
    let counter = requests.get(key)
    if (counter === undefined) {
      counter = this.#metrics.counter('sheaf_http_requests_total', { route, method, status })
      requests.set(key, counter)
    }
    return counter
  }
}
