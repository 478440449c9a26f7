import { type AudienceSet, parseAudience } from '../../domain/audience.js'
import { AUDIENCES_HELD_MAX } from '../../domain/limits.js'

/** The number of what nobody sees but who sees all. */
export const UNSEEN = 0
const PAGE_LABELS = 4_096

/** Memory for each label here, and in the process of the graphs. */
export const AUDIENCE_BYTES_PER_LABEL = 4

/** @param bits - one for each number */
export function hasBit(bits: Uint8Array, number: number): boolean {
  return (((bits[number >> 3] ?? 0) >> (number & 7)) & 1) === 1
}

interface Bits {
  readonly bits: Uint8Array
  readonly epoch: number
  /** Audiences of the set, which may grow. */
  readonly count: number
}

/** Who sees which label: audiences are numbers that the process of the graphs gets, so that it can tell whom a photo is open to. */
export class AudienceNumbers {
  readonly #pages: Uint32Array[] = []
  readonly #numbers = new Map<string, number>()
  /** By number; undefined: the number is free. */
  readonly #texts: (string | undefined)[] = [undefined]
  /** Labels, by number. */
  readonly #counts: number[] = [0]
  readonly #free: number[] = []
  /** Rises whenever a number comes to mean something else. */
  #epoch = 0
  readonly #known = new WeakMap<AudienceSet, Bits>()

  /** @returns undefined where nobody has said it, or where there are too many to hold */
  of(label: number): string | undefined {
    return this.#texts[this.#number(label)]
  }

  /** @param audience - undefined: the label has no photo. @returns the number of the audience */
  set(label: number, audience: string | undefined): number {
    const before = this.#number(label)
    if (this.#texts[before] === audience) return before
    const number = audience === undefined ? UNSEEN : this.#take(audience)
    this.#pageOf(label)[label % PAGE_LABELS] = number
    this.#release(before)
    return number
  }

  /** @returns a bit for each number, set for those of these audiences; the same bytes until a number or the set means something else */
  bitsOf(seen: AudienceSet): Uint8Array {
    const known = this.#known.get(seen)
    const { texts } = seen
    if (known?.epoch === this.#epoch && known.count === texts.length) return known.bits
    const bits = new Uint8Array((this.#texts.length >> 3) + 1)
    for (const text of texts) {
      const number = this.#numbers.get(text)
      if (number !== undefined) bits[number >> 3] = (bits[number >> 3] as number) | (1 << (number & 7))
    }
    this.#known.set(seen, { bits, epoch: this.#epoch, count: texts.length })
    return bits
  }

  isAmong(label: number, seen: AudienceSet): boolean {
    return hasBit(this.bitsOf(seen), this.#number(label))
  }

  #number(label: number): number {
    return this.#pages[Math.floor(label / PAGE_LABELS)]?.[label % PAGE_LABELS] ?? UNSEEN
  }

  #pageOf(label: number): Uint32Array {
    const at = Math.floor(label / PAGE_LABELS)
    while (this.#pages.length <= at) this.#pages.push(new Uint32Array(PAGE_LABELS))
    return this.#pages[at] as Uint32Array
  }

  /** As lists do: what somebody has in no album is always held; of combinations of albums only so many. */
  #take(audience: string): number {
    const known = this.#numbers.get(audience)
    if (known !== undefined) {
      this.#counts[known] = (this.#counts[known] as number) + 1
      return known
    }
    if (this.#numbers.size >= AUDIENCES_HELD_MAX && parseAudience(audience)?.albums.length !== 0) return UNSEEN
    const number = this.#free.pop() ?? this.#texts.length
    this.#numbers.set(audience, number)
    this.#texts[number] = audience
    this.#counts[number] = 1
    this.#epoch++
    return number
  }

  #release(number: number): void {
    if (number === UNSEEN) return
    const count = (this.#counts[number] as number) - 1
    this.#counts[number] = count
    if (count > 0) return
    this.#numbers.delete(this.#texts[number] as string)
    this.#texts[number] = undefined
    this.#free.push(number)
    this.#epoch++
  }
}
