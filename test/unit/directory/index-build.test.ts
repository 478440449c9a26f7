import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import type { Database } from '../../../src/directory/database.js'
import { Directory, type DirectoryInit } from '../../../src/directory/directory.js'
import { BUILD_RECORDS, restAfter } from '../../../src/directory/index-build.js'
import { counterKey, indexRanges, indexTables, termKey } from '../../../src/directory/index-keys.js'
import { languagesWith } from '../../../src/directory/index-languages.js'
import { recordRange, sealedRow, u64 } from '../../../src/directory/keys.js'
import type { DirectoryQuery } from '../../../src/directory/query.js'
import { recordStateOf } from '../../../src/directory/stored-record.js'
import { indexEntries, isCounted } from '../../../src/directory/term-index.js'
import { INDEX_LANGUAGE_1 } from '../../../src/domain/past-terms.js'
import { placeChange } from '../../../src/domain/photo-facts.js'
import type { Places } from '../../../src/domain/places.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { INDEX_LANGUAGE } from '../../../src/domain/terms.js'
import { MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter, RecordLog } from './photo-log.js'

const SERVED_KEY = Uint8Array.of(0x11)
/** More than a few batches of the build. */
const PHOTOS = 200

let source: MemoryDatabaseSource
let directory: Directory
let writer: PhotoWriter
let logs: number

/** Makes the index as the version before had it, in the tables that it knew. */
async function makePast(database: Database): Promise<void> {
  const [present, past] = [indexTables(0), indexTables(0)]
  for (const range of indexRanges(present)) await database.clear(range)
  await database.del(SERVED_KEY)
  const counts = new Map<string, number>()
  for (const [key, value] of await database.iterator(recordRange()).all()) {
    const { terms, position } = indexEntries(recordStateOf(key, value).record, INDEX_LANGUAGE_1).added
    for (const term of terms) {
      await database.put(termKey(past.order.added, term, position ?? new Uint8Array()), new Uint8Array())
      if (isCounted(term)) counts.set(term, (counts.get(term) ?? 0) + 1)
    }
  }
  for (const [term, count] of counts) {
    const row = sealedRow(counterKey(past, term), u64(count))
    await database.put(row.key, row.value)
  }
}

function open(init?: DirectoryInit): Directory {
  return new Directory({ database: source, log: silentLog, observe: () => {} }, init)
}

async function apply(...records: readonly DirectoryRecord[]): Promise<void> {
  await directory.apply(new RecordLog(1, ++logs).append(...records).group())
}

async function reopen(init?: DirectoryInit): Promise<void> {
  await directory.stop()
  directory = open(init)
  await directory.start()
}

async function finish(): Promise<void> {
  while (await directory.workOnIndex());
}

async function found(tag: string, words: string): Promise<string[]> {
  const { language } = directory
  const page = await directory.query({
    terms: [language.labelTerm('tag', tag)],
    words: language.prefixesOf(words),
    limit: 1_000
  })
  return page.records.map(({ id }) => id).sort()
}

/** Photos of before, and an index that this program would write otherwise. */
async function upgraded(count: number): Promise<void> {
  await apply(...Array.from({ length: count }, (_, i) => writer.birth({ name: `Müller ${i}.jpg`, tags: ['Café'] })))
  await makePast(await source.open())
  await reopen()
}

beforeEach(async () => {
  source = new MemoryDatabaseSource()
  directory = open()
  writer = new PhotoWriter()
  logs = 0
  await directory.start()
})

describe('an index of before', () => {
  it('is read in its own language until the new one is complete, and then no row of it is left', async () => {
    await upgraded(PHOTOS)
    const ids = [...writer.records.keys()].sort()
    expect(directory.language).toBe(INDEX_LANGUAGE_1)
    expect(directory.isIndexBuilding).toBe(true)
    while (directory.isIndexBuilding) {
      expect(await found('Café', 'müller')).toEqual(ids)
      expect(directory.count('tag\0Café')).toBe(PHOTOS)
      await expect(found('Café', 'Muller')).resolves.toEqual([])
      await expect(directory.query({ terms: ['kind\0image'], words: [], limit: 1 })).rejects.toMatchObject({
        code: 'ERR_INDEX_BUILDING'
      })
      await expect(directory.query({ terms: [], words: [], limit: 1, order: 'taken' })).rejects.toMatchObject({
        code: 'ERR_INDEX_BUILDING'
      })
      await expect(directory.newestWith('kind\0image', 1)).rejects.toMatchObject({ code: 'ERR_INDEX_BUILDING' })
      expect(await directory.verify()).toEqual([])
      await directory.workOnIndex()
    }
    expect(directory.language).toBe(INDEX_LANGUAGE)
    expect(await found('cafe', 'MULLER')).toEqual(ids)
    expect((await directory.query({ terms: ['kind\0image'], words: [], limit: 1, order: 'taken' })).total).toBe(PHOTOS)
    await finish()
    const database = await source.open()
    for (const range of indexRanges(indexTables(0))) expect(await database.keys(range).all()).toEqual([])
    expect(await directory.verify()).toEqual([])
    await reopen()
    expect(directory.language).toBe(INDEX_LANGUAGE)
    expect(await directory.workOnIndex()).toBe(false)
  })

  it('is made anew in small pieces, and requests have most of the time between them', async () => {
    await upgraded(PHOTOS)
    let pieces = 0
    while (directory.isIndexBuilding) {
      await directory.workOnIndex()
      pieces++
    }
    // the last one finds that there is nothing more
    expect(pieces).toBe(Math.ceil(PHOTOS / BUILD_RECORDS) + 1)
    expect(restAfter(2) / (2 + restAfter(2))).toBeGreaterThanOrEqual(0.8)
  })

  it('is made anew of a million photos in less than an hour, also where pieces take long', () => {
    for (const workedMs of [0.5, 2, 5, 10, 17])
      expect((1e6 / BUILD_RECORDS) * (workedMs + restAfter(workedMs))).toBeLessThan(3_600_000)
  })

  it('and the new one are right whatever is written meanwhile, and wherever the node ends', async () => {
    const act = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ do: 'work' as const, photo: 0 }) },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constantFrom('edit', 'delete', 'undelete', 'birth', 'reopen'),
          photo: fc.nat(500)
        })
      }
    )
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40, size: 'max' }), async acts => {
        source = new MemoryDatabaseSource()
        directory = open()
        writer = new PhotoWriter()
        await directory.start()
        await upgraded(PHOTOS)
        for (const one of acts) {
          const ids = [...writer.records.keys()]
          const id = ids[one.photo % ids.length] as string
          if (one.do === 'work') await directory.workOnIndex()
          if (one.do === 'edit')
            await apply(writer.edit(id, { name: `Ærø ${one.photo}`, tags: { add: ['Été'], remove: ['Café'] } }))
          if (one.do === 'delete') await apply(writer.delete(id))
          if (one.do === 'undelete') await apply(writer.undelete(id))
          if (one.do === 'birth') await apply(writer.birth({ name: 'Straße', tags: ['Café'] }))
          if (one.do === 'reopen') await reopen()
        }
        expect(await directory.verify()).toEqual([])
        await finish()
        expect(directory.language).toBe(INDEX_LANGUAGE)
        expect(await directory.verify()).toEqual([])
        await directory.stop()
      }),
      { numRuns: 10 }
    )
  })

  it('with names of places is made anew when they are wanted, and when they are not any more', async () => {
    const places: Places = {
      near: ({ latitude }) => (latitude > 80 ? undefined : { name: 'Zürich', region: 'ZH', countries: ['Switzerland'] })
    }
    const here = writer.birth()
    const [near, far] = [47, 85].map(latitude => {
      const { id } = writer.birth()
      return writer.write({ kind: 'photo', id }, [placeChange({ latitude, longitude: 8 })])
    })
    await apply(here, near as DirectoryRecord, far as DirectoryRecord)
    const inZurich = async (filters: Pick<DirectoryQuery, 'terms' | 'words'>): Promise<string[]> =>
      (await directory.query({ ...filters, limit: 10 })).records.map(({ id }) => id)
    const filters = { terms: ['place\0zurich', 'place\0switzerland'], words: [] }
    expect(directory.isAskedBy('place')).toBe(false)
    for (const isWanted of [true, false]) {
      await reopen({ languages: languagesWith(places, isWanted) })
      expect(directory.isAskedBy('place')).toBe(isWanted)
      expect(directory.isIndexBuilding).toBe(true)
      if (isWanted) await expect(inZurich(filters)).rejects.toMatchObject({ code: 'ERR_INDEX_BUILDING' })
      else expect(await inZurich(filters)).toEqual([near?.id])
      expect(await directory.verify()).toEqual([])
      await finish()
      expect(await directory.verify()).toEqual([])
      const found = await inZurich({ terms: [], words: ['zuri', 'switz'] })
      expect(found).toEqual(isWanted ? [near?.id] : [])
      if (isWanted) expect(await inZurich(filters)).toEqual(found)
    }
    expect(directory.language).toBe(INDEX_LANGUAGE)
  })

  it('of which nothing is known is damage', async () => {
    await apply(writer.birth())
    const row = sealedRow(SERVED_KEY, Uint8Array.of(0, 0, 0, 99), Uint8Array.of(0))
    await (await source.open()).put(row.key, row.value)
    await reopen()
    expect(directory.rebuildReason).toContain('index has version 99')
  })
})
