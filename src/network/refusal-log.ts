import type { Clock } from '../core/clock.js'
import type { ErrorCode } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { NodeId } from '../domain/ids.js'

const INTERVAL_MS = 60_000
/** Each costs up to one line a minute; refusals of further ones share one. */
const SOURCES_MAX = 64

export interface Refusal {
  readonly peer: NodeId
  readonly reason: string
  readonly code: ErrorCode
  /** IP address or name of the peer. */
  readonly host?: string
  /** The same with the port, which is another one for each connection that the peer opens. */
  readonly address?: string
}

/** One host and reason. */
interface Source {
  /** Of the last line, monotonic ms. */
  lastMs: number
  suppressed: number
}

/**
 * Logs the first refusal of a host for a reason at once, then at most one a minute, with the number of refusals suppressed
 * in between.
 */
export class RefusalLog {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #sources = new Map<string, Source>()
  readonly #others = newSource()
  readonly #counts = new Map<ErrorCode, number>()

  constructor(components: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = components.clock
    this.#log = components.log
  }

  /** Refusals so far by code, logged or not. */
  get counts(): ReadonlyMap<ErrorCode, number> {
    return this.#counts
  }

  refused({ peer, reason, code, host, address }: Refusal): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1)
    const now = this.#clock.monotonic()
    const source = this.#sourceOf(`${host} ${reason}`, now)
    if (now - source.lastMs < INTERVAL_MS) {
      source.suppressed++
      return
    }
    this.#log.warn({ code, peer, address, reason, suppressed: source.suppressed }, 'refused a node')
    source.lastMs = now
    source.suppressed = 0
  }

  #sourceOf(name: string, now: number): Source {
    const known = this.#sources.get(name)
    if (known !== undefined) return known
    if (this.#sources.size >= SOURCES_MAX) this.#forgetSilent(now)
    if (this.#sources.size >= SOURCES_MAX) return this.#others
    const source = newSource()
    this.#sources.set(name, source)
    return source
  }

  #forgetSilent(now: number): void {
    for (const [name, { lastMs }] of this.#sources) if (now - lastMs >= INTERVAL_MS) this.#sources.delete(name)
  }
}

function newSource(): Source {
  return { lastMs: Number.NEGATIVE_INFINITY, suppressed: 0 }
}
