export interface YearCount {
  readonly year: string
  readonly count: number
}

export interface YearTick {
  readonly year: string
  /** From 0, the top, to 1. */
  readonly at: number
}

/** So much of the scale each year has at least, as a share of what it would have if all had the same. */
const YEAR_SHARE_MIN = 0.35

/**
 * The scale of the scrubber: years take room by their photos, but none so little that it cannot be hit. Positions are
 * fractions of the scale, photos are counted from the newest.
 */
export class YearScale {
  readonly ticks: readonly YearTick[]
  readonly total: number
  readonly #ends: readonly { readonly at: number; readonly ordinal: number }[]

  /** @param years - in the order of the time line */
  constructor(years: readonly YearCount[]) {
    const total = years.reduce((sum, { count }) => sum + count, 0)
    const floor = years.length === 0 ? 0 : (total / years.length) * YEAR_SHARE_MIN
    const weights = years.map(({ count }) => Math.max(count, floor))
    const weight = weights.reduce((sum, it) => sum + it, 0)
    const ticks: YearTick[] = []
    const ends = [{ at: 0, ordinal: 0 }]
    let at = 0
    let ordinal = 0
    for (const [i, { year, count }] of years.entries()) {
      ticks.push({ year, at })
      at += weight === 0 ? 0 : (weights[i] as number) / weight
      ordinal += count
      ends.push({ at: i === years.length - 1 ? 1 : at, ordinal })
    }
    this.ticks = ticks
    this.total = total
    this.#ends = ends
  }

  /** @param at - 0 to 1 @returns which photo is there, from 0 to {@link total}, with a fraction */
  ordinalAt(at: number): number {
    return this.#between(at, 'at', 'ordinal')
  }

  /** @param ordinal - 0 to {@link total} */
  positionOf(ordinal: number): number {
    return this.#between(ordinal, 'ordinal', 'at')
  }

  #between(value: number, from: 'at' | 'ordinal', to: 'at' | 'ordinal'): number {
    for (let i = 1; i < this.#ends.length; i++) {
      const low = this.#ends[i - 1] as { at: number; ordinal: number }
      const high = this.#ends[i] as { at: number; ordinal: number }
      if (value > high[from] && i < this.#ends.length - 1) continue
      const span = high[from] - low[from]
      const share = span === 0 ? 0 : Math.min(1, Math.max(0, (value - low[from]) / span))
      return low[to] + share * (high[to] - low[to])
    }
    return 0
  }
}
