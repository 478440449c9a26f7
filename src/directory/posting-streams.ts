import { turn } from '../core/turn.js'
import { termKey, termRange } from './index-keys.js'
import type { IndexReader, KeyIterator } from './index-reader.js'
import type { KeyRange } from './keys.js'
import { before, newestFirst, type Position, positionBytesOf, positionOf, TOP } from './positions.js'

const READ_KEYS = 1_000
/** Positions newest first, each once. */
export interface PostingStream {
  /** @returns undefined at the end. A promise only when something has to be read: so most positions cost next to nothing */
  next(): Position | undefined | Promise<Position | undefined>
}

/** @returns the next `count`; fewer at the end only */
export async function take(stream: PostingStream, count: number): Promise<Position[]> {
  const taken: Position[] = []
  while (taken.length < count) {
    const next = stream.next()
    const position = next instanceof Promise ? await next : next
    if (position === undefined) break
    taken.push(position)
  }
  return taken
}

/** Positions in memory. */
export class ListStream implements PostingStream {
  readonly #positions: readonly Position[]
  #at = 0

  /** @param positions - newest first, each once */
  constructor(positions: readonly Position[]) {
    this.#positions = positions
  }

  next(): Position | undefined {
    return this.#positions[this.#at++]
  }
}

/** The photos with one term, as they stand in the index. */
export class TermStream implements PostingStream {
  readonly #reader: IndexReader
  readonly #iterator: KeyIterator
  #positions: readonly Position[] = []
  #at = 0
  #readCount: number

  /** @param firstRead - how many positions are wanted at first */
  constructor(reader: IndexReader, term: string, bound: Position, firstRead: number) {
    const { gte, lt } = termRange(reader.table, term)
    // the least key above those at the bound
    const end =
      bound === TOP ? lt : Buffer.concat([termKey(reader.table, term, positionBytesOf(bound)), Uint8Array.of(0)])
    this.#reader = reader
    this.#iterator = reader.iterate({ gte, lt: end }, true)
    this.#readCount = Math.min(firstRead, READ_KEYS)
  }

  next(): Position | undefined | Promise<Position | undefined> {
    return this.#positions[this.#at++] ?? this.#readOn()
  }

  async #readOn(): Promise<Position | undefined> {
    const keys = await this.#reader.read(this.#iterator, this.#readCount)
    this.#positions = keys.map(key => positionOf(key, this.#reader.order))
    this.#readCount = Math.min(this.#readCount * 2, READ_KEYS)
    this.#at = 1
    return this.#positions[0]
  }
}

/** What is in any of some streams. */
export class UnionStream implements PostingStream {
  readonly #parts: readonly PostingStream[]
  #heads: (Position | undefined)[] | undefined

  constructor(parts: readonly PostingStream[]) {
    this.#parts = parts
  }

  async next(): Promise<Position | undefined> {
    this.#heads ??= await Promise.all(this.#parts.map(async part => part.next()))
    const heads = this.#heads
    let newest: Position | undefined
    for (const head of heads) if (head !== undefined && (newest === undefined || head > newest)) newest = head
    if (newest === undefined) return undefined
    for (const [i, head] of heads.entries()) {
      if (head !== newest) continue
      const next = this.#parts[i]?.next()
      heads[i] = next instanceof Promise ? await next : next
    }
    return newest
  }
}

/**
 * The photos with any term of a range. Their rows stand in the order of the terms, so what is newest is found by reading all:
 * some seconds for a million. What has no room in memory is read again when its turn has come.
 */
export class ScanStream implements PostingStream {
  readonly #reader: IndexReader
  readonly #range: KeyRange
  #bound: Position
  #newest: PostingStream = new ListStream([])
  #isLast = false

  constructor(reader: IndexReader, range: KeyRange, bound: Position) {
    this.#reader = reader
    this.#range = range
    this.#bound = bound
  }

  async next(): Promise<Position | undefined> {
    const position = await this.#newest.next()
    if (position !== undefined || this.#isLast) return position
    await this.#scan()
    return this.#newest.next()
  }

  /** Brings what is newest at or below the bound to memory, and moves the bound below it. */
  async #scan(): Promise<void> {
    const { run: runMax, runs: runsMax } = this.#reader.sizes
    const iterator = this.#reader.iterate(this.#range)
    let runs: Position[][] = []
    let run: Position[] = []
    let floor = ''
    const endRun = (): void => {
      runs.push(newestFirst(run))
      run = []
    }
    for (;;) {
      const keys = await this.#reader.read(iterator, READ_KEYS)
      if (keys.length === 0) break
      for (const position of keys.map(key => positionOf(key))) {
        if (position > this.#bound || position < floor) continue
        run.push(position)
        if (run.length === runMax) endRun()
        if (runs.length < runsMax) continue
        const newest = await newestRuns(runs, runsMax / 2, runMax)
        runs = newest.runs
        floor = newest.floor ?? floor
      }
    }
    endRun()
    this.#isLast = floor === ''
    this.#newest = new UnionStream(runs.map(positions => new ListStream(positions)))
    if (!this.#isLast) this.#bound = before(floor)
  }
}

/** @returns the newest of the runs in `count` new ones, and the oldest of these if something is left out */
async function newestRuns(
  runs: readonly Position[][],
  count: number,
  runMax: number
): Promise<{ runs: Position[][]; floor: Position | undefined }> {
  const all = new UnionStream(runs.map(positions => new ListStream(positions)))
  const newest: Position[][] = []
  while (newest.length < count) {
    const run = await take(all, runMax)
    if (run.length === 0) break
    newest.push(run)
    await turn()
  }
  const isCut = newest.length === count && (await all.next()) !== undefined
  return { runs: newest, floor: isCut ? newest.at(-1)?.at(-1) : undefined }
}
