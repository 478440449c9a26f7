import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { RateLimiter } from '../core/rate-limiter.js'
import { foldUserName } from '../domain/user-names.js'
import { addressRange } from './address-range.js'

/** Of each kind; those that were used longest ago are forgotten. */
const ENTRIES_MAX = 10_000
const FREE_TRIES = 5
const PAUSE_MS_MAX = 60_000
/** After so long without a try all is forgotten. */
const MEMORY_MS = 15 * 60_000
/** On one account, from wherever: 20 at once, then one in 5 s. */
const ACCOUNT_TRIES = { perSecond: 0.2, burst: 20 }
/** Of what is no token and no key, from one address. */
const FAILURES = { perSecond: 20, burst: 20 }
/** Accounts that people ask for themselves: from one address 5 at once, then one in a minute; in all 100, then one in 10 s. */
const SIGNUPS = { perSecond: 1 / 60, burst: 5 }
const SIGNUPS_IN_ALL = { perSecond: 0.1, burst: 100 }
const NAME_CHARACTERS_MAX = 256

/** Who tries to log in. */
export interface Try {
  readonly name: string
  readonly address: string
  /** Names where somebody has logged in to this account before: what strangers do does not hold that up. */
  readonly device?: string | undefined
}

interface Streak {
  readonly count: number
  readonly lastMs: number
}

/**
 * How often passwords are tried on this node: so many on an account from one address, and so many on an account in all, but
 * for where somebody has logged in to it before: strangers would else lock its owner out.
 * A try counts from its beginning, so that many at once are not more than one after the other. Several nodes allow as many
 * times that number.
 */
export class Tries {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #streaks = new LRUCache<string, Streak>({ max: ENTRIES_MAX })
  readonly #accounts = new LRUCache<string, RateLimiter>({ max: ENTRIES_MAX })

  constructor(components: { readonly clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = components.clock
  }

  /** @throws `ERR_TOO_MANY_TRIES` */
  begin(attempt: Try): void {
    const now = this.#clock.monotonic()
    const key = keyOf(attempt)
    const { count, lastMs } = this.#streak(key, now)
    const left = lastMs + pauseMs(count) - now
    if (count > 0 && left > 0) throw tooManyTries(left)
    if (attempt.device === undefined && !this.#limiter(nameOf(attempt)).tryTake(1))
      throw tooManyTries(1_000 / ACCOUNT_TRIES.perSecond)
    this.#streaks.set(key, { count: count + 1, lastMs: now })
  }

  succeeded(attempt: Try): void {
    this.#streaks.delete(keyOf(attempt))
  }

  #streak(key: string, now: number): Streak {
    const streak = this.#streaks.get(key)
    return streak === undefined || now - streak.lastMs > MEMORY_MS ? { count: 0, lastMs: now } : streak
  }

  #limiter(name: string): RateLimiter {
    const limiter = this.#accounts.get(name) ?? new RateLimiter(this.#clock, ACCOUNT_TRIES)
    this.#accounts.set(name, limiter)
    return limiter
  }
}

/** How often an address may send what is no token and no key: each one costs a verification. */
export class FailureLimit {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #ranges = new LRUCache<string, RateLimiter>({ max: ENTRIES_MAX })

  constructor(components: { readonly clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = components.clock
  }

  /** @throws `ERR_TOO_MANY_TRIES` */
  check(address: string): void {
    if (this.#ranges.get(addressRange(address))?.tryTake(0) === false) throw tooManyTries(1_000)
  }

  note(address: string): void {
    const range = addressRange(address)
    const limiter = this.#ranges.get(range) ?? new RateLimiter(this.#clock, FAILURES)
    limiter.take(1)
    this.#ranges.set(range, limiter)
  }
}

/** How often accounts are asked for, by whoever wants one: each costs a password, and they are bounded. */
export class SignupLimit {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #ranges = new LRUCache<string, RateLimiter>({ max: ENTRIES_MAX })
  readonly #all: RateLimiter

  constructor(components: { readonly clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = components.clock
    this.#all = new RateLimiter(components.clock, SIGNUPS_IN_ALL)
  }

  /** @throws `ERR_TOO_MANY_TRIES` */
  take(address: string): void {
    const range = addressRange(address)
    const limiter = this.#ranges.get(range) ?? new RateLimiter(this.#clock, SIGNUPS)
    this.#ranges.set(range, limiter)
    if (!limiter.tryTake(1)) throw tooManyTries(1_000 / SIGNUPS.perSecond, TOO_MANY_SIGNUPS)
    if (!this.#all.tryTake(1)) throw tooManyTries(1_000 / SIGNUPS_IN_ALL.perSecond, TOO_MANY_SIGNUPS)
  }
}

const TOO_MANY_SIGNUPS = 'too many accounts were asked for; wait a while'

/** @returns how long to wait after so many tries: 0 for the first five, then 1 s, 2 s, … */
function pauseMs(count: number): number {
  return count < FREE_TRIES ? 0 : Math.min(1_000 * 2 ** (count - FREE_TRIES), PAUSE_MS_MAX)
}

function keyOf({ address, device, ...attempt }: Try): string {
  return `${device ?? addressRange(address)}\0${nameOf(attempt)}`
}

function nameOf({ name }: Pick<Try, 'name'>): string {
  return foldUserName(name.slice(0, NAME_CHARACTERS_MAX))
}

function tooManyTries(leftMs: number, message?: string): SheafError {
  return new SheafError('ERR_TOO_MANY_TRIES', message, { details: { retry_after_s: Math.ceil(leftMs / 1_000) } })
}
