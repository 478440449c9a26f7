import { hasBit, UNSEEN } from './audience-numbers.js'

const LABELS_MIN = 1_024
const GROWTH = 1.5

/** Some of the labels of an index. */
export interface SomeLabels {
  /** About how many there are: those of vectors that come and go may be counted, or not yet. */
  readonly count: number
  has(label: number): boolean
}

/** Each label's audience, by its number. */
export class LabelAudiences {
  #numbers: Uint32Array = new Uint32Array(LABELS_MIN)
  /** Labels, by number; of those that nobody sees none. */
  #counts: Uint32Array = new Uint32Array(LABELS_MIN)

  set(labels: Uint32Array, audiences: Uint32Array): void {
    for (const [i, label] of labels.entries()) {
      const audience = audiences[i] as number
      this.#numbers = fitting(this.#numbers, label)
      this.#counts = fitting(this.#counts, audience)
      const before = this.#numbers[label] as number
      if (before !== UNSEEN) this.#counts[before] = (this.#counts[before] as number) - 1
      if (audience !== UNSEEN) this.#counts[audience] = (this.#counts[audience] as number) + 1
      this.#numbers[label] = audience
    }
  }

  clear(): void {
    this.#numbers.fill(UNSEEN)
    this.#counts.fill(0)
  }

  /** @param bits - one for each number. @returns the labels of the audiences whose bits are set, as they are at any time */
  of(bits: Uint8Array): SomeLabels {
    let count = 0
    for (const [number, labels] of this.#counts.entries()) if (hasBit(bits, number)) count += labels
    return { count, has: label => hasBit(bits, this.#numbers[label] ?? UNSEEN) }
  }
}

/** @returns the numbers, with room for that one */
function fitting(numbers: Uint32Array, at: number): Uint32Array {
  if (at < numbers.length) return numbers
  const grown = new Uint32Array(Math.ceil((at + 1) * GROWTH))
  grown.set(numbers)
  return grown
}
