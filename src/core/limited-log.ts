import type { Clock } from './clock.js'
import type { Logger } from './log.js'
import { RateLimiter } from './rate-limiter.js'

/** Lines of one kind that may come at once; after that, one every {@link SECONDS_PER_LINE}. */
const BURST = 100
const SECONDS_PER_LINE = 10
/** Messages are constants, so there are some hundred. What is beyond shares one limit. */
const KINDS_MAX = 1_000

/** One message. */
interface Kind {
  readonly limiter: RateLimiter
  /** Lines left out since the last one that was written. */
  suppressed: number
}

type Level = 'info' | 'warn' | 'error'

/**
 * A log that no client and no peer can flood: of each kind of line, that is of each message, a hundred come at once and then
 * one in ten seconds, which says how many were left out. Lines for debugging are not limited.
 */
export class LimitedLog implements Logger {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #kinds: Map<string, Kind>

  constructor(
    components: { readonly clock: Clock; readonly log: Logger },
    kinds: Map<string, Kind> = new Map<string, Kind>()
  ) {
    this.#clock = components.clock
    this.#log = components.log
    this.#kinds = kinds
  }

  debug(fields: object, message: string): void {
    this.#log.debug(fields, message)
  }

  info(fields: object, message: string): void {
    this.#write('info', fields, message)
  }

  warn(fields: object, message: string): void {
    this.#write('warn', fields, message)
  }

  error(fields: object, message: string): void {
    this.#write('error', fields, message)
  }

  child(fields: object): Logger {
    return new LimitedLog({ clock: this.#clock, log: this.#log.child(fields) }, this.#kinds)
  }

  #write(level: Level, fields: object, message: string): void {
    const kind = this.#kindOf(message)
    if (!kind.limiter.tryTake(1)) {
      if (kind.suppressed++ === 0)
        this.#log.warn({ kind: message }, 'too many lines of one kind: some of them are left out')
      return
    }
    const { suppressed } = kind
    kind.suppressed = 0
    this.#log[level](suppressed === 0 ? fields : { ...fields, suppressed }, message)
  }

  #kindOf(message: string): Kind {
    const name = this.#kinds.has(message) || this.#kinds.size < KINDS_MAX ? message : ''
    const known = this.#kinds.get(name)
    if (known !== undefined) return known
    const limiter = new RateLimiter(this.#clock, { perSecond: 1 / SECONDS_PER_LINE, burst: BURST })
    const kind = { limiter, suppressed: 0 }
    this.#kinds.set(name, kind)
    return kind
  }
}
