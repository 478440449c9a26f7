import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import type { Filters } from '../../../src/directory/cursor.js'
import { Directory } from '../../../src/directory/directory.js'
import { READ_SIZES } from '../../../src/directory/index-reader.js'
import { indexOf } from '../../../src/directory/index-state.js'
import type { QueryBase } from '../../../src/directory/query.js'
import { readBucket, readTimeline, type Timeline, type TimelineTile } from '../../../src/directory/timeline.js'
import { AudienceSet, audienceText, namedAudience, photoAudience } from '../../../src/domain/audience.js'
import { BUCKET_KEY, parseBucketKey } from '../../../src/domain/bucket-key.js'
import { dayStartMs } from '../../../src/domain/day.js'
import { hlcMs } from '../../../src/domain/hlc.js'
import type { AlbumId, UserId } from '../../../src/domain/ids.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import { dimensionsChange } from '../../../src/domain/photo-facts.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { INDEX_LANGUAGE, termsOf } from '../../../src/domain/terms.js'
import { tileOf } from '../../../src/domain/tile.js'
import { MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter, RecordLog } from './photo-log.js'

const DAY_MS = 86_400_000
const TYPES = ['image/jpeg', 'video/mp4', 'image/x-canon-cr2', 'text/plain']
/** Around the turn of a month, before 1970, and farther than dates are written. */
const BASES = ['2024-02-27', '2023-12-30', '1965-03-01'].map(dayStartMs)

/** Of whom, and in what, photos are. */
const OWNERS = [undefined, '01890000-0000-7000-8000-000000000001' as UserId]
const ALBUM = '01890000-0000-7000-8000-00000000000a' as AlbumId
const AUDIENCES = OWNERS.flatMap(owner => [[], [ALBUM]].map(albums => audienceText({ owner, albums })))

const birth = fc.record({
  owner: fc.constantFrom(...OWNERS),
  isShared: fc.boolean(),
  type: fc.constantFrom(...TYPES),
  tag: fc.boolean(),
  rose: fc.boolean(),
  archived: fc.boolean(),
  size: fc.option(fc.record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) }), {
    nil: undefined
  }),
  takenMs: fc.option(
    fc.oneof(
      fc
        .record({ base: fc.constantFrom(...BASES), days: fc.nat(5), ms: fc.nat(3) })
        .map(({ base, days, ms }) => base + days * DAY_MS + ms),
      fc.constantFrom(9e14, -9e14)
    ),
    { nil: undefined }
  )
})
type Birth = typeof birth extends fc.Arbitrary<infer Value> ? Value : never

const filters = fc.record({
  terms: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    fc.constant(['entry']),
    fc.uniqueArray(fc.constantFrom('tag\0sea', 'kind\0video', 'archived'))
  ),
  words: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.constant(['ro'])),
  order: fc.constantFrom('added' as const, 'taken' as const),
  audiences: fc.option(
    fc.subarray(AUDIENCES).map(some => new AudienceSet(some.map(namedAudience))),
    { nil: undefined }
  ),
  fromMs: fc.option(fc.constantFrom(...BASES), { nil: undefined }),
  toMs: fc.option(
    fc.constantFrom(...BASES).map(ms => ms + 2 * DAY_MS + 1),
    { nil: undefined }
  )
})
const write = fc.record({
  photo: fc.nat(99),
  do: fc.constantFrom('delete', 'swap', 'birth', 'size', 'archive', 'share'),
  birth
})

class Library {
  readonly writer = new PhotoWriter()
  readonly #source = new MemoryDatabaseSource()
  readonly directory = new Directory({ database: this.#source, log: silentLog, observe: () => {} })
  #logs = 0

  birth({ type = 'image/jpeg', tag, rose, archived, size, takenMs, owner, isShared }: Partial<Birth>): DirectoryRecord {
    return this.writer.birth({
      contentType: type,
      name: rose ? 'rose.jpg' : 'img.jpg',
      tags: tag ? ['sea'] : [],
      marks: archived ? ['archived'] : [],
      owner,
      albums: isShared ? [ALBUM] : [],
      ...size,
      ...(takenMs !== undefined && { takenAt: { ms: takenMs } })
    })
  }

  async apply(...records: readonly DirectoryRecord[]): Promise<void> {
    if (records.length > 0) await this.directory.apply(new RecordLog(1, ++this.#logs).append(...records).group())
  }

  live(): string[] {
    return [...this.writer.records.values()].filter(record => !viewPhoto(record).deleted).map(({ id }) => id)
  }

  /** Gives the tag of a photo to another one: as many have it as before. */
  swapTag(id: string): DirectoryRecord[] {
    const other = this.live().find(one => viewPhoto(this.writer.require(one)).tags.includes('sea'))
    const taken = other === undefined ? [] : [this.writer.edit(other, { tags: { remove: ['sea'] } })]
    return [...taken, this.writer.edit(id, { tags: { add: ['sea'] } })]
  }

  async base(): Promise<QueryBase> {
    const database = await this.#source.open()
    return { database, index: indexOf(INDEX_LANGUAGE, 0), count: term => this.directory.count(term) }
  }

  /** What a look at every photo finds, newest first. */
  expected({ terms, words, order, audiences, fromMs = -Infinity, toMs = Infinity }: Filters): TimelineTile[] {
    const tiles: (TimelineTile & { readonly key: string })[] = []
    const isEverything = words.length === 0 && terms.every(term => term === 'entry')
    for (const record of this.writer.records.values()) {
      const photo = viewPhoto(record)
      const bytes = photo.deleted ? undefined : tileOf(photo)
      const own = termsOf(record)
      const isWanted = [...terms, ...words.map(() => 'word\0rose')].every(term => own.includes(term))
      if (bytes === undefined || !isWanted || (isEverything && photo.marks.has('archived'))) continue
      if (audiences !== undefined && !audiences.texts.includes(audienceText(photoAudience(photo)))) continue
      const addedMs = hlcMs(photo.createdAt)
      const ms = order === 'taken' ? (photo.takenAt?.ms ?? addedMs) : addedMs
      if (ms < fromMs || ms >= toMs) continue
      const aspect = bytes.readUInt16BE(0)
      const id = photo.id
      const key = [ms + 1e15, photo.createdAt, id].map(part => String(part).padStart(40, '0')).join()
      tiles.push({
        id,
        ms,
        aspect: aspect === 0 ? undefined : aspect,
        flags: bytes[2] ?? 0,
        thumbhash: bytes.subarray(3),
        key
      })
    }
    return tiles.sort((a, b) => (a.key < b.key ? 1 : -1)).map(({ key: _, ...tile }) => tile)
  }
}

describe('a time line', () => {
  it('is cut into buckets that together hold what a look at every photo finds, and tells of every change by revisions', async () => {
    const property = fc.asyncProperty(
      fc.array(birth, { maxLength: 40, size: 'max' }),
      filters,
      fc.integer({ min: 1, max: 12 }),
      fc.array(write, { maxLength: 4 }),
      async (births, sought, bucket, writes) => {
        const library = new Library()
        await library.directory.start()
        await library.apply(...births.map(one => library.birth(one)))
        const init = { sizes: { ...READ_SIZES, bucket, batchMin: 1, batchMax: 4 } }
        const read = async (): Promise<{ timeline: Timeline; contents: Map<string, TimelineTile[]> }> => {
          const base = await library.base()
          const timeline = await readTimeline(base, sought, init)
          const contents = new Map<string, TimelineTile[]>()
          for (const { key, count, revision } of timeline.buckets) {
            expect(key).toMatch(new RegExp(BUCKET_KEY))
            const { tiles, revision: same } = await readBucket(base, sought, key, init)
            expect({ count: tiles.length, revision: same }).toEqual({ count, revision })
            expect(count).toBeLessThanOrEqual(bucket)
            contents.set(key, [...tiles])
          }
          const all = [...contents.values()].flat()
          expect(all).toEqual(library.expected(sought))
          expect(timeline.total).toBe(all.length)
          return { timeline, contents }
        }
        let before = await read()
        for (const { photo, do: what, birth: newborn } of writes) {
          const live = library.live()
          const id = live[photo % Math.max(1, live.length)]
          if (what === 'birth' || id === undefined) await library.apply(library.birth(newborn))
          else if (what === 'delete') await library.apply(library.writer.delete(id))
          else if (what === 'size')
            await library.apply(library.writer.write({ kind: 'photo', id }, [dimensionsChange(7, 5)]))
          else if (what === 'archive')
            await library.apply(
              library.writer.edit(id, { archived: !viewPhoto(library.writer.require(id)).marks.has('archived') })
            )
          else if (what === 'share') {
            const isShared = viewPhoto(library.writer.require(id)).albums.length > 0
            await library.apply(library.writer.edit(id, { albums: { [isShared ? 'remove' : 'add']: [ALBUM] } }))
          } else await library.apply(...library.swapTag(id))
          const after = await read()
          for (const { key, revision } of after.timeline.buckets) {
            const was = before.timeline.buckets.find(one => one.key === key)
            if (was?.revision !== revision) continue
            expect(after.contents.get(key)).toEqual(before.contents.get(key))
          }
          const isSame = JSON.stringify([...before.contents]) === JSON.stringify([...after.contents])
          if (!isSame) expect(after.timeline.revision).not.toBe(before.timeline.revision)
          before = after
        }
        expect(await library.directory.verify()).toEqual([])
      }
    )
    await fc.assert(property, { numRuns: 150 })
  })

  it('tells by the revision when as many others match', async () => {
    const library = new Library()
    await library.directory.start()
    const births = [true, false].map(tag => ({
      type: 'image/jpeg',
      tag,
      rose: false,
      archived: false,
      size: undefined,
      takenMs: 0
    }))
    const [, other] = births.map(one => library.birth(one))
    await library.apply(...library.writer.records.values())
    const sought = { terms: ['tag\0sea'], words: [], order: 'taken' as const }
    const read = async (): Promise<string[]> => {
      const { buckets, revision } = await readTimeline(await library.base(), sought)
      return [revision, ...buckets.flatMap(bucket => [bucket.key, bucket.revision])]
    }
    const [before, key, inBucket] = await read()
    await library.apply(...library.swapTag(other?.id ?? ''))
    const after = await read()
    expect(after[1]).toBe(key)
    expect(after).not.toContain(before)
    expect(after).not.toContain(inBucket)
  })

  it('counts days where lists would ask for entries: it has nothing else', async () => {
    const library = new Library()
    await library.directory.start()
    const births = [false, true].map(archived => ({
      type: 'image/jpeg',
      tag: true,
      rose: true,
      archived,
      size: undefined,
      takenMs: 0
    }))
    await library.apply(...births.map(one => library.birth(one)))
    const base = await library.base()
    const read = (terms: string[]): Promise<Timeline> => readTimeline(base, { terms, words: [], order: 'taken' })
    // the revision of what is not the whole has digests of the positions in it
    expect(await read(['entry'])).toEqual(await read([]))
    expect((await read([])).total).toBe(1)
  })

  it('has no bucket of a key that is none, or that more photos have than a bucket holds', async () => {
    const library = new Library()
    await library.directory.start()
    const at = dayStartMs('2024-02-27')
    const births = [0, 1, 2].map(ms => ({
      type: 'image/jpeg',
      tag: false,
      rose: false,
      archived: false,
      size: undefined,
      takenMs: at + ms
    }))
    await library.apply(...births.map(one => library.birth(one)))
    const base = await library.base()
    const sought = { terms: [], words: [], order: 'taken' as const }
    const init = { sizes: { ...READ_SIZES, bucket: 2 } }
    for (const key of ['2024-02-27', '2024-02-30', '2024-13', 'x', '2024-02-20_10', '2024-02-27.AAAA.'])
      await expect(readBucket(base, sought, key, init)).rejects.toMatchObject({ code: 'ERR_NO_SUCH_BUCKET' })
    expect((await readBucket(base, sought, '2023-02', init)).tiles).toEqual([])
    expect((await readBucket(base, sought, '2024-02-27')).tiles).toHaveLength(3)
  })

  it('reads the last days of months as the calendar has them', () => {
    const lastDays = ['2023-02', '2024-02', '1900-02', '2000-02', '0004-02', '2024-12', '9999-12'].map(key => {
      return parseBucketKey(key)?.to.slice(8)
    })
    expect(lastDays).toEqual(['28', '29', '28', '29', '29', '31', '31'])
  })
})
