import type { AudienceSet } from '../domain/audience.js'
import { AUDIENCE } from '../domain/terms.js'
import { termOfKey, termRange, termStartPrefix } from './index-keys.js'
import type { IndexReader } from './index-reader.js'
import { type KeyRange, rangeOf } from './keys.js'
import { newestFirst, type Position, positionOf } from './positions.js'
import { ListStream, type PostingStream, ScanStream, TermStream, UnionStream } from './posting-streams.js'
import { isDated } from './term-index.js'

/** Positions that are read at first of each of several words. */
const FIRST_READ_OF_MANY = 16

/** Something that a photo must have. */
export interface IndexFilter {
  /**
   * The photos that have it; undefined where the index does not have them in the order of the reader.
   *
   * @param bound - the stream is at or below it
   * @param firstRead - how many positions are wanted at first
   */
  readonly stream?: (bound: Position, firstRead: number) => PostingStream
  /** Whether {@link stream} has to read everything first. */
  readonly isWide: boolean
  /** @returns for each position whether the photo there has it */
  have(positions: readonly Position[]): Promise<boolean[]>
}

/** One of some terms, in whatever order the index has them. */
class UnorderedFilter implements IndexFilter {
  readonly isWide = false
  protected readonly reader: IndexReader
  protected readonly terms: readonly string[]

  constructor(reader: IndexReader, terms: readonly string[]) {
    this.reader = reader
    this.terms = terms
  }

  async have(positions: readonly Position[]): Promise<boolean[]> {
    const found = new Set<Position>()
    for (const term of this.terms) {
      const left = positions.filter(position => !found.has(position))
      if (left.length === 0) break
      const have = await this.reader.haveTerm(left, term)
      for (const [i, position] of left.entries()) if (have[i]) found.add(position)
    }
    return positions.map(position => found.has(position))
  }
}

/** One of some terms, which the index has in the order of the reader. */
class TermsFilter extends UnorderedFilter {
  stream(bound: Position, firstRead: number): PostingStream {
    const count = this.terms.length === 1 ? firstRead : FIRST_READ_OF_MANY
    const streams = this.terms.map(term => new TermStream(this.reader, term, bound, count))
    return streams.length === 1 && streams[0] !== undefined ? streams[0] : new UnionStream(streams)
  }
}

/** One of some photos. */
class ListFilter implements IndexFilter {
  readonly isWide = false
  readonly #positions: readonly Position[]

  constructor(positions: readonly Position[]) {
    this.#positions = positions
  }

  stream(bound: Position): PostingStream {
    return new ListStream(this.#positions.filter(position => position <= bound))
  }

  async have(positions: readonly Position[]): Promise<boolean[]> {
    const listed = new Set(this.#positions)
    return positions.map(position => listed.has(position))
  }
}

/** One of very many words. */
class WideFilter implements IndexFilter {
  readonly isWide = true
  readonly stream?: (bound: Position) => PostingStream
  readonly #reader: IndexReader
  readonly #start: string

  constructor(reader: IndexReader, start: string) {
    this.#reader = reader
    this.#start = start
    if (reader.order === 'added') this.stream = bound => new ScanStream(reader, wordRange(reader, start), bound)
  }

  have(positions: readonly Position[]): Promise<boolean[]> {
    return this.#reader.haveWord(positions, this.#start)
  }
}

/** Photos of some audiences. Each is of one only, so a stream of each has all of them once. */
export class AudienceFilter implements IndexFilter {
  readonly isWide = false
  readonly stream?: (bound: Position) => PostingStream
  readonly #reader: IndexReader
  readonly #audiences: AudienceSet

  constructor(reader: IndexReader, audiences: AudienceSet) {
    this.#reader = reader
    this.#audiences = audiences
    if (audiences.texts.length > reader.sizes.audiences) return
    const streamOf = (text: string, bound: Position): PostingStream =>
      new TermStream(reader, `${AUDIENCE}\0${text}`, bound, FIRST_READ_OF_MANY)
    this.stream = bound => new UnionStream(audiences.texts.map(text => streamOf(text, bound)))
  }

  have(positions: readonly Position[]): Promise<boolean[]> {
    return this.#reader.haveAudience(positions, this.#audiences)
  }
}

/** @param terms - the photo has one of them */
export async function termsFilter(reader: IndexReader, terms: readonly string[]): Promise<IndexFilter> {
  if (reader.order === 'added' || terms.every(isDated)) return new TermsFilter(reader, terms)
  const found: Position[] = []
  for (const term of terms) {
    const keys = await readFew(reader, termRange(reader.everyTerm, term), reader.sizes.sorted - found.length)
    if (keys === undefined) return new UnorderedFilter(reader, terms)
    found.push(...keys.map(key => positionOf(key)))
  }
  return sortedFilter(reader, found)
}

/** @param start - the photo has a word that begins so */
export async function wordFilter(reader: IndexReader, start: string): Promise<IndexFilter> {
  const { listed, sorted, words: wordsMax } = reader.sizes
  const isOrdered = reader.order === 'added'
  const iterator = reader.iterate(wordRange(reader, start))
  const keys: Uint8Array[] = []
  const fewest = isOrdered ? listed : sorted
  while (keys.length < fewest) {
    const read = await reader.read(iterator, fewest)
    if (read.length === 0) {
      const positions = keys.map(key => positionOf(key))
      return isOrdered ? new ListFilter(newestFirst(positions)) : sortedFilter(reader, positions)
    }
    keys.push(...read)
  }
  const words = new Set(keys.map(key => termOfKey(key)))
  for (let last = keys.at(-1); last !== undefined && words.size <= wordsMax; [last] = await reader.read(iterator, 1)) {
    const word = termOfKey(last)
    words.add(word)
    iterator.seek(termRange(reader.everyTerm, word).lt)
  }
  if (words.size > wordsMax) return new WideFilter(reader, start)
  return isOrdered ? new TermsFilter(reader, [...words]) : new UnorderedFilter(reader, [...words])
}

function wordRange(reader: IndexReader, start: string): KeyRange {
  return rangeOf(termStartPrefix(reader.everyTerm, `word\0${start}`))
}

/** @returns the keys of a range; undefined: there are more than so many */
async function readFew(reader: IndexReader, range: KeyRange, max: number): Promise<Uint8Array[] | undefined> {
  const iterator = reader.iterate(range)
  const keys: Uint8Array[] = []
  while (keys.length <= max) {
    const read = await reader.read(iterator, max + 1)
    if (read.length === 0) return keys
    keys.push(...read)
  }
  return undefined
}

/** @param added - positions in the order of when photos were added */
async function sortedFilter(reader: IndexReader, added: readonly Position[]): Promise<IndexFilter> {
  return new ListFilter(newestFirst(await reader.sorted(newestFirst(added))))
}
