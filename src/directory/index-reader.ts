import type { AbstractKeyIterator, AbstractSnapshot } from 'abstract-level'
import type { AudienceSet } from '../domain/audience.js'
import { BUCKET_PHOTOS_MAX } from '../domain/bucket-key.js'
import { type Day, FIRST_DAY, LAST_DAY } from '../domain/day.js'
import { viewPhoto } from '../domain/photo.js'
import type { DirectoryRecord } from '../domain/record.js'
import { ARCHIVED_TIMELINE, type IndexLanguage, TIMELINE } from '../domain/terms.js'
import type { Filters } from './cursor.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { type DayCount, dayCountFrom, EMPTY_DAY } from './days.js'
import { addedOf, dayKey, dayOfKey, type Order, photoIdOfPosition, termKey, termRange } from './index-keys.js'
import type { Index } from './index-state.js'
import { type KeyRange, recordRowKey } from './keys.js'
import { type Position, positionBytesOf, positionOf, positionText, TOP } from './positions.js'
import { recordStateOf } from './stored-record.js'
import { indexEntries } from './term-index.js'

/** What LevelDB hands over at once, at most; its default is less than a thousand keys. */
const READ_BYTES = 64 * 1024
/** Records are read and decoded so many in a turn of the event loop: about 3 ms. */
const READ_RECORDS = 64
/** Days that are read in a turn: about a millisecond. */
const READ_DAYS = 512
/** Tiles that are read in a turn. */
const READ_TILES = 256
/** What a read costs beside its keys, and what a record costs, in keys read. */
const READ_COST = 32
const RECORD_COST = 16

/** Where one way of reading gives way to another. */
export interface ReadSizes {
  /** Photos that are looked up at once for a word; one with fewer is a list. */
  readonly listed: number
  /** The same where photos are wanted in another order than those of the word: their records are read. */
  readonly sorted: number
  /** Audiences that are read as one stream for each: some 40 ms to begin with, which scanning for few photos costs, too. */
  readonly audiences: number
  /** Words that a prefix may stand for to be read as one stream for each. */
  readonly words: number
  /** Positions of one filter that the others are asked about at once, at least and at most: some milliseconds. */
  readonly batchMin: number
  readonly batchMax: number
  /** Positions that are read in vain until another filter may lead; doubles each time. */
  readonly vain: number
  /** Positions that a scan sorts in a turn, and how many such runs it keeps: about 5 MB. */
  readonly run: number
  readonly runs: number
  /** What may be read until photos of other pages are no longer counted, in keys: some 2 ms. */
  readonly counted: number
  /** Photos in a bucket of the time line, at most. */
  readonly bucket: number
}

export const READ_SIZES: ReadSizes = {
  listed: 256,
  sorted: 2_048,
  audiences: 256,
  words: 16,
  batchMin: 16,
  batchMax: 256,
  vain: 1_024,
  run: 4_096,
  runs: 16,
  counted: 1_000,
  bucket: BUCKET_PHOTOS_MAX
}

export interface IndexReaderInit {
  /** Ends all reading with its reason. */
  readonly signal?: AbortSignal | undefined
  /** Of the positions that are read. Default: `added`. */
  readonly order?: Order | undefined
  /** For tests. */
  readonly sizes?: ReadSizes | undefined
}

interface DayRange {
  /** Default: the first one. */
  readonly from?: Day
  /** Default: the last one. */
  readonly to?: Day
}

/** A photo in the time line. */
export interface TilePosition {
  readonly position: Position
  /** Undefined: not read yet. */
  readonly tile: Uint8Array | undefined
}

export type KeyIterator = AbstractKeyIterator<Database, Uint8Array>

/** Reads index and records of one snapshot. */
export class IndexReader {
  readonly sizes: ReadSizes
  readonly order: Order
  /** What its index says of a record. */
  readonly language: IndexLanguage
  readonly #tables: Index['tables']
  readonly #database: Database
  readonly #snapshot: AbstractSnapshot
  readonly #signal: AbortSignal | undefined
  readonly #iterators: KeyIterator[] = []
  #cost = 0

  constructor(database: Database, { language, tables }: Index, init: IndexReaderInit = {}) {
    this.sizes = init.sizes ?? READ_SIZES
    this.order = init.order ?? 'added'
    this.language = language
    this.#tables = tables
    this.#database = database
    this.#snapshot = database.snapshot()
    this.#signal = init.signal
  }

  /** What has been read, in keys: one takes one or two microseconds. */
  get cost(): number {
    return this.#cost
  }

  /** The rows in its order: of all terms, or of those only for which there is one. */
  get table(): number {
    return this.#tables.order[this.order]
  }

  /** The rows of all terms. */
  get everyTerm(): number {
    return this.#tables.order.added
  }

  async close(): Promise<void> {
    await Promise.all(this.#iterators.map(iterator => iterator.close()))
    await this.#snapshot.close()
  }

  /** @returns a key iterator that is closed with the reader */
  iterate(range: KeyRange, reverse = false): KeyIterator {
    const options = { ...range, reverse, snapshot: this.#snapshot, highWaterMarkBytes: READ_BYTES }
    const iterator = this.#database.keys(options) as KeyIterator
    this.#iterators.push(iterator)
    return iterator
  }

  /** @returns at most `count` keys; none at the end only */
  async read(iterator: KeyIterator, count: number): Promise<Uint8Array[]> {
    this.#signal?.throwIfAborted()
    const keys = await iterator.nextv(count)
    this.#cost += READ_COST + keys.length
    return keys
  }

  /** @returns for each position whether a photo with the term is there */
  async haveTerm(positions: readonly Position[], term: string): Promise<boolean[]> {
    this.#signal?.throwIfAborted()
    const keys = positions.map(position => termKey(this.everyTerm, term, addedOf(positionBytesOf(position))))
    const present = await this.#database.hasMany(keys, { snapshot: this.#snapshot })
    this.#cost += READ_COST + keys.length
    return present
  }

  /** @returns for each position whether the record there has a word that begins so */
  async haveWord(positions: readonly Position[], start: string): Promise<boolean[]> {
    const have: boolean[] = []
    for await (const { record } of this.#records(positions)) {
      have.push(this.language.wordsIn(viewPhoto(record)).some(word => word.startsWith(start)))
    }
    return have
  }

  /**
   * @returns the records at the positions, in their order
   * @throws {@link DamageError} for a record that is missing, or listed under what it does not have
   */
  async records(
    positions: readonly Position[],
    { terms, words, anyOf = [], audiences }: Filters
  ): Promise<DirectoryRecord[]> {
    const records: DirectoryRecord[] = []
    for await (const { record, position } of this.#records(positions)) {
      const entries = indexEntries(record, this.language)
      const has = (term: string): boolean => entries.added.terms.includes(term)
      const isListed =
        entries[this.order].position?.toString('latin1') === position &&
        terms.every(has) &&
        (audiences === undefined || (entries.added.audience !== undefined && audiences.has(entries.added.audience))) &&
        anyOf.every(some => some.some(has)) &&
        words.every(word => entries.added.terms.some(term => term.startsWith(`word\0${word}`)))
      if (!isListed) throw new DamageError('the index lists a record under a term that it does not have')
      records.push(record)
    }
    return records
  }

  /**
   * @param range - default: all days
   * @param audiences - whose photos are counted; default: all
   * @returns what the days of the time line hold, in the order of days
   */
  async days(range: DayRange = {}, audiences?: AudienceSet): Promise<Map<Day, DayCount>> {
    const days = new Map<Day, DayCount>()
    for (const audience of audiences?.digests ?? [undefined]) await this.#addDays(days, range, audience)
    return audiences === undefined ? days : new Map([...days].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  async #addDays(
    days: Map<Day, DayCount>,
    { from = FIRST_DAY, to = LAST_DAY }: DayRange,
    audience: Uint8Array | undefined
  ): Promise<void> {
    const keyOf = (day: Day): Uint8Array => dayKey(this.#tables, this.order, day, audience)
    const iterator = this.#database.iterator({ gte: keyOf(from), lte: keyOf(to), snapshot: this.#snapshot })
    try {
      for (;;) {
        this.#signal?.throwIfAborted()
        const rows = await iterator.nextv(READ_DAYS)
        if (rows.length === 0) return
        for (const [key, value] of rows) {
          const day = dayOfKey(key)
          const { count, digest } = days.get(day) ?? EMPTY_DAY
          const more = dayCountFrom(key, value)
          days.set(day, { count: count + more.count, digest: (digest ^ more.digest) >>> 0 })
        }
      }
    } finally {
      await iterator.close()
    }
  }

  /** @returns for each position whether the photo there is of one of the audiences */
  async haveAudience(positions: readonly Position[], audiences: AudienceSet): Promise<boolean[]> {
    this.#signal?.throwIfAborted()
    const keys = positions.map(position => termKey(this.everyTerm, 'all', addedOf(positionBytesOf(position))))
    const rows = await this.#rows(keys)
    this.#cost += READ_COST + keys.length
    return rows.map(digest => digest !== undefined && audiences.has(digest))
  }

  /** Yields all of the time line between two bounds, newest first, with the tiles; many at once. */
  async *timeline(ceiling: Position, floor: Position): AsyncGenerator<TilePosition[]> {
    const { gte, lt } = termRange(this.table, TIMELINE)
    const at = (position: Position): Uint8Array => termKey(this.table, TIMELINE, positionBytesOf(position))
    const end = ceiling === TOP ? lt : Buffer.concat([at(ceiling), Uint8Array.of(0)])
    const options = { reverse: true, snapshot: this.#snapshot, highWaterMarkBytes: READ_BYTES }
    const iterator = this.#database.iterator({ gte: floor === '' ? gte : at(floor), lt: end, ...options })
    try {
      for (;;) {
        this.#signal?.throwIfAborted()
        const rows = await iterator.nextv(READ_TILES)
        if (rows.length === 0) return
        yield rows.map(([key, tile]) => ({ position: positionOf(key, this.order), tile }))
      }
    } finally {
      await iterator.close()
    }
  }

  /** @returns for each position the tile of the photo there; undefined where none is in the time line, nor archived */
  async tiles(positions: readonly Position[]): Promise<(Uint8Array | undefined)[]> {
    const tiles = new Map<Position, Uint8Array>()
    for (const term of [TIMELINE, ARCHIVED_TIMELINE]) {
      this.#signal?.throwIfAborted()
      const left = positions.filter(position => !tiles.has(position))
      if (left.length === 0) break
      this.#cost += READ_COST + left.length
      const keys = left.map(position => termKey(this.table, term, positionBytesOf(position)))
      const rows = await this.#database.getMany(keys, { snapshot: this.#snapshot })
      for (const [i, position] of left.entries()) if (rows[i] !== undefined) tiles.set(position, rows[i])
    }
    return positions.map(position => tiles.get(position))
  }

  /** @returns where photos of the order `added` are in that of this reader; those that are not there are left out */
  async sorted(positions: readonly Position[]): Promise<Position[]> {
    const sorted: Position[] = []
    for await (const { record } of this.#records(positions)) {
      const { position } = indexEntries(record, this.language)[this.order]
      if (position !== undefined) sorted.push(positionText(position))
    }
    return sorted
  }

  /** One row is read at once: to hand it to another thread costs more. */
  async #rows(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const options = { snapshot: this.#snapshot }
    const [only, ...others] = keys
    if (only !== undefined && others.length === 0) return [this.#database.getSync(only, options)]
    return this.#database.getMany([...keys], options)
  }

  async *#records(positions: readonly Position[]): AsyncGenerator<{ position: Position; record: DirectoryRecord }> {
    for (let at = 0; at < positions.length; at += READ_RECORDS) {
      this.#signal?.throwIfAborted()
      const part = positions.slice(at, at + READ_RECORDS)
      const keys = part.map(position =>
        recordRowKey({ kind: 'photo', id: photoIdOfPosition(positionBytesOf(position)) })
      )
      const rows = await this.#rows(keys)
      this.#cost += RECORD_COST * part.length
      for (const [i, key] of keys.entries()) {
        const row = rows[i]
        if (row === undefined) throw new DamageError('the index lists a record that does not exist')
        yield { position: part[i] as Position, record: recordStateOf(key, row).record }
      }
    }
  }
}
