import { hash, type Options, parseOptions, verify } from '@node-rs/argon2'
import type { Clock } from '../core/clock.js'
import { ConcurrencyLimit } from '../core/concurrency-limit.js'
import { deadline } from '../core/deadline.js'
import { SheafError } from '../core/errors.js'
import type { Random } from '../core/random.js'
import { normalPassword } from './account-rules.js'
import { addressRange } from './address-range.js'

/** What one hash takes. */
export interface HashingCost {
  readonly memoryKiB: number
  readonly passes: number
  readonly lanes: number
}

/** Some 80 ms of one core. */
const HASHING_COST: HashingCost = { memoryKiB: 65_536, passes: 3, lanes: 1 }
/** What a hash that another node wrote may take here; a greater one is nobody's. */
const FOREIGN_COST_MAX: HashingCost = { memoryKiB: 262_144, passes: 16, lanes: 8 }
const SALT_BYTES = 16
const HASH_BYTES = 32
const PHC = /^\$argon2id\$v=19\$[\w=,]{1,60}\$[\w+/]{11,86}\$[\w+/]{16,86}$/
const WAITING_MAX = 16
/** Of one range of addresses; one of them runs, or none. */
const OF_ADDRESS_MAX = 3
const WAITING_MS_MAX = 5_000

/** argon2id, by PHC strings. */
export interface Hasher {
  hash(password: string, options: Options): Promise<string>
  verify(phc: string, password: string): Promise<boolean>
}

export interface PasswordsComponents {
  readonly clock: Clock
  readonly random: Pick<Random, 'bytes'>
  /** Default: the library's. */
  readonly hasher?: Hasher | undefined
}

/**
 * Hashes passwords with argon2id, one at a time: several at once take the memory and the threads that reads of files need.
 *
 * Each call has the address of whom it is for, so that nobody fills the queue alone.
 *
 * @see RFC 9106; the strings are those of the PHC format
 */
export class Passwords {
  readonly #components: PasswordsComponents
  readonly #hasher: Hasher
  readonly #cost: HashingCost
  readonly #gate = new ConcurrencyLimit({ countMax: 1, bytesMax: Number.MAX_SAFE_INTEGER, waitingMax: WAITING_MAX })
  /** How many run or wait, of each range of addresses. */
  readonly #asked = new Map<string, number>()
  /** Of a password that nobody knows: what is compared where there is none takes as long. */
  readonly #dummy: string

  /** @param init.cost - lowered in tests only */
  constructor(components: PasswordsComponents, init: { readonly cost?: HashingCost } = {}) {
    this.#components = components
    this.#hasher = components.hasher ?? { hash, verify }
    this.#cost = init.cost ?? HASHING_COST
    const { memoryKiB, passes, lanes } = this.#cost
    const parts = [SALT_BYTES, HASH_BYTES].map(count => base64(components.random.bytes(count)))
    this.#dummy = `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$${parts.join('$')}`
  }

  /**
   * @param password - as `checkPassword` returns it
   * @throws `ERR_OVERLOADED` after 5 s, or when too many wait
   */
  hash(password: string, address: string): Promise<string> {
    const { memoryKiB, passes, lanes } = this.#cost
    const salt = this.#components.random.bytes(SALT_BYTES)
    const options = { memoryCost: memoryKiB, timeCost: passes, parallelism: lanes, outputLen: HASH_BYTES, salt }
    return this.#oneAtATime(address, () => this.#hasher.hash(password, options))
  }

  /**
   * @param phc - undefined: nobody has that name; it takes as long
   * @param password - of any length, as it came
   * @throws `ERR_OVERLOADED` after 5 s, or when too many wait
   */
  verify(phc: string | undefined, password: string, address: string): Promise<boolean> {
    const normal = normalPassword(password)
    const known = normal !== undefined && phc !== undefined && costOf(phc) !== undefined ? phc : this.#dummy
    return this.#oneAtATime(address, async () => {
      const isRight = await this.#hasher.verify(known, normal ?? '').catch(() => false)
      return isRight && known !== this.#dummy
    })
  }

  /** Whether a password that was right should be hashed anew. */
  isOutgrown(phc: string): boolean {
    const cost = costOf(phc)
    if (cost === undefined) return true
    return cost.memoryKiB < this.#cost.memoryKiB || cost.passes < this.#cost.passes
  }

  async #oneAtATime<Result>(address: string, task: () => Promise<Result>): Promise<Result> {
    const range = addressRange(address)
    const asked = this.#asked.get(range) ?? 0
    if (asked >= OF_ADDRESS_MAX) throw overloaded()
    this.#asked.set(range, asked + 1)
    try {
      const release = await this.#enter()
      return await task().finally(release)
    } finally {
      const left = (this.#asked.get(range) ?? 1) - 1
      if (left === 0) this.#asked.delete(range)
      else this.#asked.set(range, left)
    }
  }

  async #enter(): Promise<() => void> {
    const { signal, cancel } = deadline(this.#components.clock, WAITING_MS_MAX, undefined, overloaded)
    try {
      return await this.#gate.enter(1, signal)
    } finally {
      cancel()
    }
  }
}

/** @returns undefined for what is no argon2id, and for what would take too much */
function costOf(phc: string): HashingCost | undefined {
  if (!PHC.test(phc)) return undefined
  try {
    const { memoryCost: memoryKiB, timeCost: passes, parallelism: lanes } = parseOptions(phc)
    const { memoryKiB: memoryMax, passes: passesMax, lanes: lanesMax } = FOREIGN_COST_MAX
    return memoryKiB <= memoryMax && passes <= passesMax && lanes <= lanesMax ? { memoryKiB, passes, lanes } : undefined
  } catch {
    return undefined
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '')
}

function overloaded(): SheafError {
  return new SheafError('ERR_OVERLOADED', 'too many people are logging in; try again')
}
