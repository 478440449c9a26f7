import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { readAllMatches } from '../../../src/directory/all-matches.js'
import type { Filters } from '../../../src/directory/cursor.js'
import { Directory } from '../../../src/directory/directory.js'
import type { Order } from '../../../src/directory/index-keys.js'
import { READ_SIZES, type ReadSizes } from '../../../src/directory/index-reader.js'
import { indexOf } from '../../../src/directory/index-state.js'
import { type DirectoryPage, type DirectoryQuery, type QueryBase, runQuery } from '../../../src/directory/query.js'
import { AudienceSet, audienceText, namedAudience, photoAudience } from '../../../src/domain/audience.js'
import { hlcMs } from '../../../src/domain/hlc.js'
import type { AlbumId, UserId } from '../../../src/domain/ids.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { INDEX_LANGUAGE, termsOf } from '../../../src/domain/terms.js'
import { MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter, RecordLog } from './photo-log.js'

const TAGS = ['sea', 'rose']
const WORDS = ['img', 'image', 'rose', 'red', ...Array.from({ length: 12 }, (_, i) => `w${i}`)]
const TERMS = ['all', 'type\0image', ...TAGS.map(tag => `tag\0${tag}`)]
/** Of whom, and in what, photos are. */
const OWNERS = [undefined, '01890000-0000-7000-8000-000000000001', '01890000-0000-7000-8000-000000000002'] as (
  | UserId
  | undefined
)[]
const ALBUMS = ['01890000-0000-7000-8000-00000000000a', '01890000-0000-7000-8000-00000000000b'] as AlbumId[]
const AUDIENCES = OWNERS.flatMap(owner =>
  [[], [ALBUMS[0]], [ALBUMS[1]], ALBUMS].map(albums => audienceText({ owner, albums: albums as AlbumId[] }))
)
const RATINGS = [1, 2, 3].map(rating => `rating\0${rating}`)

const birth = fc.record({
  words: fc.uniqueArray(fc.constantFrom(...WORDS), { minLength: 2, maxLength: 7, size: 'max' }),
  tags: fc.uniqueArray(fc.constantFrom(...TAGS)),
  owner: fc.constantFrom(...OWNERS),
  albums: fc.subarray(ALBUMS),
  rating: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  takenMs: fc.option(fc.integer({ min: -20, max: 20 }), { nil: undefined })
})
const ms = fc.option(fc.integer({ min: -22, max: 22 }), { nil: undefined })
const query = fc.record({
  terms: fc.uniqueArray(fc.constantFrom(...TERMS), { maxLength: 2 }),
  words: fc.uniqueArray(fc.constantFrom('w', 'w1', 'img', 'im', 'i', 'r', 'rose', 'none'), { maxLength: 3 }),
  anyOf: fc.oneof(
    fc.constant([]),
    fc.subarray(RATINGS, { minLength: 1 }).map(some => [some])
  ),
  order: fc.constantFrom('added' as const, 'taken' as const),
  fromMs: ms,
  toMs: ms,
  audiences: fc.option(
    fc.subarray(AUDIENCES).map(some => new AudienceSet(some.map(namedAudience))),
    { nil: undefined }
  ),
  limit: fc.integer({ min: 1, max: 9 }),
  countsAll: fc.boolean()
})
/** What is written between two pages. */
const write = fc.record({ photo: fc.nat(99), do: fc.constantFrom('delete', 'edit', 'birth', 'nothing'), birth })
/** So small that a few photos get to each way of reading. */
const sizes: fc.Arbitrary<ReadSizes> = fc.oneof(
  fc.constant(READ_SIZES),
  fc.record({
    listed: fc.integer({ min: 1, max: 8 }),
    sorted: fc.integer({ min: 1, max: 12 }),
    audiences: fc.integer({ min: 0, max: 3 }),
    words: fc.integer({ min: 0, max: 4 }),
    batchMin: fc.integer({ min: 1, max: 4 }),
    batchMax: fc.integer({ min: 1, max: 8 }),
    vain: fc.integer({ min: 1, max: 30 }),
    run: fc.integer({ min: 1, max: 4 }),
    runs: fc.constantFrom(2, 4),
    counted: fc.integer({ min: 0, max: 200 }),
    bucket: fc.integer({ min: 1, max: 20 })
  })
)

type Birth = typeof birth extends fc.Arbitrary<infer Value> ? Value : never

/** A directory, and all photos of it in the order of lists. */
class Photos {
  readonly #writer = new PhotoWriter()
  readonly #source = new MemoryDatabaseSource()
  readonly directory = new Directory({ database: this.#source, log: silentLog, observe: () => {} })
  #logs = 0

  birth({ words, tags, rating, takenMs, owner, albums }: Birth): DirectoryRecord {
    const takenAt = takenMs === undefined ? undefined : { ms: takenMs }
    const { id } = this.#writer.birth({ name: words.join(' '), tags, takenAt, owner, albums })
    return rating === undefined ? this.#writer.require(id) : this.#writer.edit(id, { rating })
  }

  edit(id: string, { words, albums }: Birth): DirectoryRecord {
    const remove = ALBUMS.filter(album => !albums.includes(album))
    return this.#writer.edit(id, { name: words.join(' '), albums: { add: albums, remove } })
  }

  delete(id: string): DirectoryRecord {
    return this.#writer.delete(id)
  }

  async apply(...records: readonly DirectoryRecord[]): Promise<void> {
    if (records.length > 0) await this.directory.apply(new RecordLog(1, ++this.#logs).append(...records).group())
  }

  get live(): DirectoryRecord[] {
    return [...this.#writer.records.values()].filter(record => !viewPhoto(record).deleted)
  }

  async page(query: DirectoryQuery, sizes: ReadSizes): Promise<DirectoryPage> {
    return runQuery(await this.#base(), query, { sizes })
  }

  async all(query: Filters, sizes: ReadSizes, max = 1_000): Promise<string[]> {
    return (await readAllMatches(await this.#base(), query, { inTimeline: false, max, sizes })).slice(0, 1_000)
  }

  async #base(): Promise<QueryBase> {
    const database = await this.#source.open()
    return { database, index: indexOf(INDEX_LANGUAGE, 0), count: term => this.directory.count(term) }
  }
}

function newestIn(order: Order | undefined): (a: DirectoryRecord, b: DirectoryRecord) => number {
  return (a, b) => {
    if (order === 'taken' && takenMs(a) !== takenMs(b)) return takenMs(b) - takenMs(a)
    const [born, other] = [viewPhoto(a).createdAt, viewPhoto(b).createdAt]
    if (born !== other) return born < other ? 1 : -1
    return Number(a.id < b.id) - Number(a.id > b.id)
  }
}

function takenMs(record: DirectoryRecord): number {
  const { takenAt, createdAt } = viewPhoto(record)
  return takenAt?.ms ?? hlcMs(createdAt)
}

function matches(
  record: DirectoryRecord,
  {
    terms,
    words,
    anyOf = [],
    order,
    audiences,
    fromMs = Number.NEGATIVE_INFINITY,
    toMs = Number.POSITIVE_INFINITY
  }: DirectoryQuery
): boolean {
  const own = termsOf(record)
  const ms = order === 'taken' ? takenMs(record) : hlcMs(viewPhoto(record).createdAt)
  if (ms < fromMs || ms >= toMs || !anyOf.every(some => some.some(term => own.includes(term)))) return false
  if (audiences !== undefined && !audiences.texts.includes(audienceText(photoAudience(viewPhoto(record))))) return false
  const has = (word: string): boolean => own.some(term => term.startsWith(`word\0${word}`))
  return terms.every(term => own.includes(term)) && words.every(has)
}

const ids = (records: readonly DirectoryRecord[]): string[] => records.map(({ id }) => id)

describe('the newest with a term', () => {
  it('are the first of a list by it', async () => {
    const property = fc.asyncProperty(
      fc.array(birth, { maxLength: 30 }),
      fc.constantFrom(...TERMS, ...RATINGS, 'tag\0none'),
      fc.integer({ min: 1, max: 9 }),
      async (births, term, limit) => {
        const photos = new Photos()
        await photos.directory.start()
        await photos.apply(...births.map(one => photos.birth(one)))
        await photos.apply(...photos.live.filter((_, i) => i % 4 === 0).map(({ id }) => photos.delete(id)))
        const { records } = await photos.directory.query({ terms: [term], words: [], limit })
        expect(await photos.directory.newestWith(term, limit)).toEqual(records)
        await photos.directory.stop()
      }
    )
    await fc.assert(property, { numRuns: 30 })
  })
})

describe('a list by pages', () => {
  it('is what a look at every photo finds, however it is read and whatever is written between the pages', async () => {
    const property = fc.asyncProperty(
      fc.array(birth, { maxLength: 80, size: 'max' }),
      query,
      sizes,
      fc.array(write, { maxLength: 20, size: 'max' }),
      async (births, query, sizes, writes) => {
        const photos = new Photos()
        await photos.directory.start()
        await photos.apply(...births.map(one => photos.birth(one)))
        const later = writes.values()
        let last: DirectoryRecord | undefined
        for (let cursor: string | undefined; ; ) {
          const inOrder = newestIn(query.order)
          const all = photos.live.sort(inOrder).filter(record => matches(record, query))
          expect(await photos.all(query, sizes)).toEqual(ids(all))
          expect(await photos.all(query, sizes, 2)).toEqual(ids(all.slice(0, 3)))
          const left = all.filter(record => last === undefined || inOrder(last, record) < 0)
          const page = await photos.page({ ...query, ...(cursor !== undefined && { cursor }) }, sizes)
          expect(ids(page.records)).toEqual(ids(left.slice(0, query.limit)))
          expect(page.nextCursor === null).toBe(left.length <= query.limit)
          if (page.isTotalExact) expect(page.total).toBe(all.length)
          else {
            expect(query.countsAll).toBe(false)
            expect(page.total).toBeLessThanOrEqual(all.length)
            expect(page.total).toBeGreaterThanOrEqual(Math.min(left.length, query.limit + 1))
          }
          if (page.nextCursor === null) break
          cursor = page.nextCursor
          last = page.records.at(-1)
          const { value } = later.next()
          const victim = photos.live[(value?.photo ?? 0) % photos.live.length]
          if (value?.do === 'birth') await photos.apply(photos.birth(value.birth))
          if (value?.do === 'edit' && victim) await photos.apply(photos.edit(victim.id, value.birth))
          if (value?.do === 'delete' && victim) await photos.apply(photos.delete(victim.id))
        }
        await photos.directory.stop()
      }
    )
    await fc.assert(property, { numRuns: 60 })
  })

  it('ends its reading when it is aborted', async () => {
    const photos = new Photos()
    await photos.directory.start()
    await photos.apply(
      ...Array.from({ length: 100 }, () =>
        photos.birth({
          words: ['img'],
          tags: [],
          rating: undefined,
          takenMs: undefined,
          owner: undefined,
          albums: []
        })
      )
    )
    const abort = new AbortController()
    const reading = photos.directory.query({ terms: [], words: ['img'], limit: 100 }, abort.signal)
    abort.abort(new Error('gone'))
    await expect(reading).rejects.toMatchObject({ cause: { message: 'gone' } })
    expect(photos.directory.state).toBe('open')
    await photos.directory.stop()
  })
})
