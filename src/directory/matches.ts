import { invariant } from '../core/invariant.js'
import type { Filters } from './cursor.js'
import { AudienceFilter, type IndexFilter, termsFilter, wordFilter } from './index-filter.js'
import type { IndexReader, ReadSizes } from './index-reader.js'
import { before, type Position, TOP } from './positions.js'
import { type PostingStream, take } from './posting-streams.js'

/** Positions by which the leader is chosen, at most. */
const FIRST_MAX = 64
/** Positions that the others are asked about at once where records are read to tell. */
const WIDE_BATCH_MAX = 64

/** A filter that leads the search, as a stream. */
interface Leader {
  readonly filter: IndexFilter
  /** The first positions of the stream. */
  readonly head: Position[]
  readonly stream: PostingStream
}

/**
 * The photos that have some terms and words, newest first. The filter that lets the fewest through leads: its photos are
 * read in order, and the others say which of these they have: asking for a position costs less than moving a second stream to
 * it, unless both are about as dense. Which one that is, is seen by how far back its first photos
 * reach. It may be another one further on, so it is chosen anew when too much was read in vain.
 */
export class Matches {
  readonly #filters: readonly IndexFilter[]
  readonly #sizes: ReadSizes
  #leader: Leader | undefined
  #vain = 0
  #vainMax: number
  /** Whether a wide filter may lead, too. */
  #isLong = false
  #bound: Position | undefined = TOP

  private constructor(filters: readonly IndexFilter[], sizes: ReadSizes) {
    this.#sizes = sizes
    this.#vainMax = sizes.vain
    this.#filters = filters
  }

  static async open(reader: IndexReader, { terms, words, anyOf = [], audiences }: Filters): Promise<Matches> {
    const filters: IndexFilter[] = []
    // every photo has the term `all`
    for (const term of terms) if (term !== 'all') filters.push(await termsFilter(reader, [term]))
    for (const some of anyOf) filters.push(await termsFilter(reader, some))
    if (audiences !== undefined) filters.push(new AudienceFilter(reader, audiences))
    for (const word of words) filters.push(await wordFilter(reader, word))
    if (filters.every(({ isWide, stream }) => isWide || stream === undefined))
      filters.push(await termsFilter(reader, ['all']))
    return new Matches(filters, reader.sizes)
  }

  /** What comes next is at or below it; undefined: nothing does. */
  get bound(): Position | undefined {
    return this.#bound
  }

  /** @param bound - not above the present one */
  skipTo(bound: Position): void {
    this.#bound = bound
    this.#leader = undefined
  }

  /**
   * @param wanted - positions, about
   * @returns what comes next, after a bounded amount of work: perhaps nothing yet
   */
  async next(wanted: number): Promise<Position[]> {
    if (this.#bound === undefined) return []
    this.#leader ??= await this.#choose(this.#bound, wanted)
    const { filter, head, stream } = this.#leader
    const others = this.#filters.filter(other => other !== filter)
    const count = this.#batch(wanted, others)
    const candidates = head.splice(0, count)
    candidates.push(...(await take(stream, count - candidates.length)))
    const last = candidates.at(-1)
    this.#bound = last === undefined || candidates.length < count ? undefined : before(last)
    let matching = candidates
    for (const other of others) {
      if (matching.length === 0) break
      const have = await other.have(matching)
      matching = matching.filter((_, i) => have[i])
    }
    this.#vain += candidates.length - matching.length
    if (this.#vain >= this.#vainMax && others.length > 0) {
      this.#leader = undefined
      this.#vainMax *= 2
      this.#isLong = true
      this.#vain = 0
    }
    return matching
  }

  #batch(wanted: number, asked: readonly IndexFilter[]): number {
    const { batchMin, batchMax } = this.#sizes
    const max = asked.some(({ isWide }) => isWide) ? Math.min(batchMax, WIDE_BATCH_MAX) : batchMax
    return Math.max(batchMin, Math.min(wanted, max))
  }

  /** @returns the filter whose first positions below the bound reach back furthest */
  async #choose(bound: Position, wanted: number): Promise<Leader> {
    const count = Math.min(this.#batch(wanted, this.#filters), FIRST_MAX)
    const candidates = this.#filters.filter(({ isWide, stream }) => stream !== undefined && (!isWide || this.#isLong))
    let best: (Leader & { readonly reach: Position }) | undefined
    for (const filter of candidates) {
      const stream = filter.stream?.(bound, candidates.length === 1 ? wanted : count)
      if (stream === undefined) continue
      const head = candidates.length === 1 ? [] : await take(stream, count)
      const reach = head.length < count ? '' : (head.at(-1) ?? '')
      if (best === undefined || reach < best.reach) best = { filter, stream, head, reach }
    }
    invariant(best !== undefined, 'there is a filter that can lead')
    return best
  }
}
