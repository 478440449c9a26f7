import type { IndexReader } from './index-reader.js'
import { rangeOf, termOfKey, termPrefix, termStartPrefix } from './keys.js'
import { newestFirst, type Position, positionOf } from './positions.js'
import { ListStream, type PostingStream, ScanStream, TermStream, UnionStream } from './posting-streams.js'

/** Positions that are read at first of each of several words. */
const FIRST_READ_OF_MANY = 16

/** Something that a photo must have. */
export interface IndexFilter {
  /** Whether {@link stream} has to read everything first. */
  readonly isWide: boolean
  /**
   * @param bound - the stream is at or below it
   * @param firstRead - how many positions are wanted at first
   */
  stream(bound: Position, firstRead: number): PostingStream
  /** @returns for each position whether the photo there has it */
  have(positions: readonly Position[]): Promise<boolean[]>
}

/** One of some terms. */
class TermsFilter implements IndexFilter {
  readonly isWide = false
  readonly #reader: IndexReader
  readonly #terms: readonly string[]

  constructor(reader: IndexReader, terms: readonly string[]) {
    this.#reader = reader
    this.#terms = terms
  }

  stream(bound: Position, firstRead: number): PostingStream {
    const count = this.#terms.length === 1 ? firstRead : FIRST_READ_OF_MANY
    const streams = this.#terms.map(term => new TermStream(this.#reader, term, bound, count))
    return streams.length === 1 && streams[0] !== undefined ? streams[0] : new UnionStream(streams)
  }

  async have(positions: readonly Position[]): Promise<boolean[]> {
    const found = new Set<Position>()
    for (const term of this.#terms) {
      const left = positions.filter(position => !found.has(position))
      if (left.length === 0) break
      const have = await this.#reader.haveTerm(left, term)
      for (const [i, position] of left.entries()) if (have[i]) found.add(position)
    }
    return positions.map(position => found.has(position))
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
  readonly #reader: IndexReader
  readonly #start: string

  constructor(reader: IndexReader, start: string) {
    this.#reader = reader
    this.#start = start
  }

  stream(bound: Position): PostingStream {
    return new ScanStream(this.#reader, rangeOf(termStartPrefix(`word\0${this.#start}`)), bound)
  }

  have(positions: readonly Position[]): Promise<boolean[]> {
    return this.#reader.haveWord(positions, this.#start)
  }
}

export function termFilter(reader: IndexReader, term: string): IndexFilter {
  return new TermsFilter(reader, [term])
}

/** @param start - the photo has a word that begins so */
export async function wordFilter(reader: IndexReader, start: string): Promise<IndexFilter> {
  const { listed, words: wordsMax } = reader.sizes
  const iterator = reader.iterate(rangeOf(termStartPrefix(`word\0${start}`)))
  const keys: Uint8Array[] = []
  while (keys.length < listed) {
    const read = await reader.read(iterator, listed)
    if (read.length === 0) return new ListFilter(newestFirst(keys.map(positionOf)))
    keys.push(...read)
  }
  const words = new Set(keys.map(termOfKey))
  for (let last = keys.at(-1); last !== undefined && words.size <= wordsMax; [last] = await reader.read(iterator, 1)) {
    const word = termOfKey(last)
    words.add(word)
    iterator.seek(rangeOf(termPrefix(word)).lt)
  }
  return words.size > wordsMax ? new WideFilter(reader, start) : new TermsFilter(reader, [...words])
}
