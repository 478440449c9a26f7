/*
 * Hybrid logical clock: one 64-bit number, with milliseconds since the Unix epoch in the upper 48 bits and a counter in
 * the lower 16. It is compared, stored and incremented as one number, so a full counter carries into the milliseconds.
 *
 * @see Kulkarni, Demirbas, Madappa, Avva, Leone 2014, "Logical Physical Clocks"
 */
import type { Clock } from '../core/clock.js'

declare const brand: unique symbol
export type Hlc = bigint & { readonly [brand]: 'Hlc' }

export const HLC_ZERO = 0n as Hlc
export const HLC_MAX = (2n ** 64n - 1n) as Hlc

/** How far a stamp may lie ahead of the wall clock and still raise the node's clock, in ms. */
export const DRIFT_MS_MAX = 60_000

const COUNTER_BITS = 16n
const COUNTER_MAX = 0xffff
const MS_MAX = 2 ** 48 - 1
/** The year 6429. Wall clocks are capped here, so that a wrong one cannot bring stamps near HLC_MAX. */
const CLOCK_MS_MAX = 2 ** 47 - 1
const TEXT = /^(0|[1-9][0-9]{0,14})\.(0|[1-9][0-9]{0,4})$/

/**
 * @param ms - milliseconds, truncated to a whole number and clamped to 0…2⁴⁸−1
 * @param counter - 0…65535
 */
export function hlcFrom(ms: number, counter = 0): Hlc {
  const bounded = Math.min(Math.max(Math.trunc(ms), 0), MS_MAX)
  return ((BigInt(bounded) << COUNTER_BITS) | BigInt(counter & COUNTER_MAX)) as Hlc
}

export function hlcMs(stamp: Hlc): number {
  return Number(stamp >> COUNTER_BITS)
}

export function hlcCounter(stamp: Hlc): number {
  return Number(stamp & BigInt(COUNTER_MAX))
}

/** @returns `ms.counter`, both decimal: the form in JSON */
export function formatHlc(stamp: Hlc): string {
  return `${hlcMs(stamp)}.${hlcCounter(stamp)}`
}

/** @returns the stamp, or undefined unless `text` is exactly as `formatHlc` writes it */
export function parseHlc(text: string): Hlc | undefined {
  const match = TEXT.exec(text)
  if (match === null) return undefined
  const ms = Number(match[1])
  const counter = Number(match[2])
  return ms > MS_MAX || counter > COUNTER_MAX ? undefined : hlcFrom(ms, counter)
}

/**
 * The node's clock. Its stamps increase whatever the wall clock does, and follow observed stamps unless these are too far
 * in the future: a node whose clock says 2099 must not pull the others along.
 */
export class HybridClock {
  readonly #clock: Clock
  readonly #driftMsMax: number
  #last = HLC_ZERO

  constructor(components: { readonly clock: Clock }, init: { readonly driftMsMax?: number } = {}) {
    this.#clock = components.clock
    this.#driftMsMax = init.driftMsMax ?? DRIFT_MS_MAX
  }

  /** @returns a stamp at or after the wall clock, greater than all that `now` returned or `observe` accepted before */
  now(): Hlc {
    return this.after([])
  }

  /**
   * The stamp of a write that has seen `stamps`: greater than all of them. A seen stamp within the drift bound raises the
   * clock permanently; one beyond it affects only this result.
   *
   * @returns HLC_MAX if one of them is, which no clock produces: a record must stay writable whatever a peer sends
   */
  after(stamps: Iterable<Hlc>): Hlc {
    let seen = HLC_ZERO
    for (const stamp of stamps) if (stamp > seen) seen = stamp
    this.observe(seen)
    const wall = hlcFrom(this.#wallMs())
    this.#last = (wall > this.#last ? wall : this.#last + 1n) as Hlc
    if (seen < this.#last) return this.#last
    return seen === HLC_MAX ? HLC_MAX : ((seen + 1n) as Hlc)
  }

  /** Raises the clock to `stamp`, or ignores it if it lies further ahead of the wall clock than the drift bound. */
  observe(stamp: Hlc): void {
    if (stamp > this.#last && stamp <= hlcFrom(this.#wallMs() + this.#driftMsMax, COUNTER_MAX)) this.#last = stamp
  }

  /** Never gives a stamp up to this one again, however far it lies ahead: this node has promised that. */
  pass(stamp: Hlc): void {
    if (stamp > this.#last) this.#last = stamp
  }

  #wallMs(): number {
    return Math.min(this.#clock.now(), CLOCK_MS_MAX)
  }
}
