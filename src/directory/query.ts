import type { AbstractSnapshot } from 'abstract-level'
import { SheafError } from '../core/errors.js'
import type { DirectoryRecord } from '../domain/record.js'
import { decodeCursor, encodeCursor, type Filters } from './cursor.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import {
  asBuffer,
  type KeyRange,
  POSITION_BYTES,
  photoIdOfPosition,
  rangeOf,
  recordRowKey,
  termKey,
  termPrefix,
  termStartPrefix
} from './keys.js'
import { recordStateOf } from './stored-record.js'
import { indexEntries, isCounted } from './term-index.js'

export interface DirectoryQuery {
  /** Terms as in `termsOf`; a photo must have all of them. Without terms and words: all live photos. */
  readonly terms: readonly string[]
  /** Lower-case prefixes; the photo must have a word for each. */
  readonly words: readonly string[]
  /** Records per page, 1…1000. */
  readonly limit: number
  /** `nextCursor` of the previous page, with the same filters. */
  readonly cursor?: string
}

export interface DirectoryPage {
  /** Newest first by (birth hlc, photo id). */
  readonly records: DirectoryRecord[]
  /** Photos that match, on all pages together. */
  readonly total: number
  /** null on the last page. */
  readonly nextCursor: string | null
}

const QUERY_LIMIT_MAX = 1_000

/** Positions that one query may hold in memory while it intersects words: about 64 MB. Terms need none. */
const QUERY_POSITIONS_MAX = 1_000_000

const READ_KEYS = 1_000

export interface QueryBase {
  readonly database: Database
  count(term: string): number
}

/** A position as a string of 24 Latin-1 characters: usable in sets, and ordered like the bytes. */
type Position = string

interface Matches {
  readonly positions: Position[]
  readonly total: number
}

/**
 * Answers one page from one snapshot.
 *
 * A single term is read from the index at the cursor. Otherwise the query walks the positions of the words, or of the
 * smallest term, and looks the other terms up, so the cost grows with the smallest filter, not with the number of photos.
 *
 * @throws `ERR_BAD_PARAMETER`, `ERR_BAD_CURSOR`; {@link DamageError} when index and records are inconsistent
 */
export async function runQuery(base: QueryBase, query: DirectoryQuery): Promise<DirectoryPage> {
  const { limit } = query
  if (!Number.isInteger(limit) || limit < 1 || limit > QUERY_LIMIT_MAX) {
    throw new SheafError('ERR_BAD_PARAMETER', `limit must be a whole number from 1 to ${QUERY_LIMIT_MAX}`)
  }
  const words = [...new Set(query.words)].filter(word => word !== '')
  const terms = [...new Set(query.terms)]
  if (terms.length === 0 && words.length === 0) terms.push('all')
  const filters: Filters = { terms, words }
  const below = query.cursor === undefined ? undefined : decodeCursor(query.cursor, filters)
  const snapshot = base.database.snapshot()
  try {
    const reader = new IndexReader(base, snapshot)
    const [only] = terms
    const { positions, total } =
      terms.length === 1 && words.length === 0 && only !== undefined
        ? await reader.page(only, limit + 1, below)
        : await reader.join(filters, limit + 1, below)
    const page = positions.slice(0, limit)
    const last = page.at(-1)
    return {
      records: await reader.records(page, terms),
      total,
      nextCursor:
        positions.length > limit && last !== undefined ? encodeCursor(Buffer.from(last, 'latin1'), filters) : null
    }
  } finally {
    await snapshot.close()
  }
}

/** Reads index and records of one snapshot. */
class IndexReader {
  readonly #base: QueryBase
  readonly #snapshot: AbstractSnapshot

  constructor(base: QueryBase, snapshot: AbstractSnapshot) {
    this.#base = base
    this.#snapshot = snapshot
  }

  async page(term: string, limit: number, below: Uint8Array | undefined): Promise<Matches> {
    const { gte, lt } = rangeOf(termPrefix(term))
    const from = below === undefined ? lt : termKey(term, below)
    const keys = await this.#base.database.keys({ gte, lt: from, limit, reverse: true, snapshot: this.#snapshot }).all()
    return {
      positions: keys.map(positionOf),
      total: isCounted(term) ? this.#base.count(term) : await this.#size({ gte, lt })
    }
  }

  async join({ terms, words }: Filters, limit: number, below: Uint8Array | undefined): Promise<Matches> {
    const driver = words.length > 0 ? undefined : this.#smallest(terms)
    const others = terms.filter(term => term !== driver)
    const source = driver === undefined ? chunks(await this.#joinWords(words)) : this.#scan(rangeOf(termPrefix(driver)))
    const start = below === undefined ? undefined : positionText(below)
    const positions: Position[] = []
    let total = 0
    for await (const chunk of source) {
      const matching = await this.#having(chunk, others)
      total += matching.length
      for (const position of matching) {
        if (positions.length === limit) break
        if (start === undefined || position < start) positions.push(position)
      }
    }
    return { positions, total }
  }

  /** @returns the records at the positions, in their order */
  async records(positions: readonly Position[], terms: readonly string[]): Promise<DirectoryRecord[]> {
    const keys = positions.map(position =>
      recordRowKey({ kind: 'photo', id: photoIdOfPosition(Buffer.from(position, 'latin1')) })
    )
    const rows = await this.#base.database.getMany(keys, { snapshot: this.#snapshot })
    return keys.map((key, i) => {
      const row = rows[i]
      if (row === undefined) throw new DamageError('the index lists a record that does not exist')
      const { record } = recordStateOf(key, row)
      const entries = indexEntries(record)
      const indexed =
        entries.position?.toString('latin1') === positions[i] && terms.every(term => entries.terms.includes(term))
      if (!indexed) throw new DamageError('the index lists a record under a term that it does not have')
      return record
    })
  }

  /** @returns positions of photos with a word for each prefix, newest first */
  async #joinWords(words: readonly string[]): Promise<Position[]> {
    let joined: Set<Position> | undefined
    for (const word of words) {
      const found = new Set<Position>()
      for await (const chunk of this.#scan(rangeOf(termStartPrefix(`word\0${word}`)))) {
        for (const position of chunk) if (joined === undefined || joined.has(position)) found.add(position)
        if (found.size > QUERY_POSITIONS_MAX) {
          throw new SheafError(
            'ERR_BAD_PARAMETER',
            `more than ${QUERY_POSITIONS_MAX} photos match the words; use longer ones`
          )
        }
      }
      joined = found
    }
    return [...(joined ?? [])].sort().reverse()
  }

  async #having(positions: Position[], terms: readonly string[]): Promise<Position[]> {
    let left = positions
    for (const term of terms) {
      if (left.length === 0) break
      const keys = left.map(position => termKey(term, Buffer.from(position, 'latin1')))
      const present = await this.#base.database.hasMany(keys, { snapshot: this.#snapshot })
      left = left.filter((_, i) => present[i])
    }
    return left
  }

  /** Terms without a counter (e.g. a hash) are assumed to be the smallest: few photos share one. */
  #smallest(terms: readonly string[]): string | undefined {
    const size = (term: string): number => (isCounted(term) ? this.#base.count(term) : 0)
    return terms.reduce((smallest, term) => (size(term) < size(smallest) ? term : smallest))
  }

  async #size(range: KeyRange): Promise<number> {
    let size = 0
    for await (const chunk of this.#scan(range)) size += chunk.length
    return size
  }

  /** Yields the positions of a range in batches, newest first within a term. */
  async *#scan(range: KeyRange): AsyncGenerator<Position[]> {
    const iterator = this.#base.database.keys({ ...range, reverse: true, snapshot: this.#snapshot })
    try {
      for (;;) {
        const keys = await iterator.nextv(READ_KEYS)
        if (keys.length === 0) return
        yield keys.map(positionOf)
      }
    } finally {
      await iterator.close()
    }
  }
}

function positionOf(indexKey: Uint8Array): Position {
  return positionText(indexKey.subarray(indexKey.length - POSITION_BYTES))
}

function positionText(bytes: Uint8Array): Position {
  return asBuffer(bytes).toString('latin1')
}

async function* chunks(positions: readonly Position[]): AsyncGenerator<Position[]> {
  for (let at = 0; at < positions.length; at += READ_KEYS) yield positions.slice(at, at + READ_KEYS)
}
