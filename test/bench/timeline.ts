import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bucket } from '../../src/directory/buckets.js'
import type { Filters } from '../../src/directory/cursor.js'
import type { Directory } from '../../src/directory/directory.js'
import { viewPhoto } from '../../src/domain/photo.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { bucketJson, pageJson, timelineJson } from '../../src/http/native/json-forms.js'
import { SeededRandom } from '../support/seeded-random.js'
import { PhotoWriter } from '../unit/directory/photo-log.js'
import { openDirectory } from './lists.js'
import { longestTurnMs } from './loop-turns.js'
import { atMost, type Measure, median } from './report.js'

const PHOTO_COUNT = 100_000
const BATCH_RECORDS = 1_000
const FIRST_DAY_MS = Date.UTC(2012, 0, 1)
const DAY_MS = 86_400_000
const DAYS = 12 * 365
/** A day of a wedding. */
const MOST_ON_A_DAY = 3_000
const ROUNDS = 5
const LIMIT = 50
const PAGES = 20
const TIMELINE_BYTES_MAX = 60_000
const BUCKET_MS_MAX = 5
const PAGE_MS_MAX = 10
const TURN_MS_MAX = 20

const ALL: Filters = { terms: [], words: [], order: 'taken' }
const ALBUM: Filters = { ...ALL, terms: ['album\0all'] }

/**
 * The time line of a hundred thousand photos of twelve years, many on some days and none on most, in this process.
 *
 * @param cache - where their directory is kept for the next run
 */
export async function measureTimeline(cache: string): Promise<Measure[]> {
  const folder = join(cache, 'timeline')
  const complete = join(cache, 'timeline.complete')
  if (!existsSync(complete)) {
    rmSync(folder, { recursive: true, force: true })
    await makeRecords(folder)
    writeFileSync(complete, `${PHOTO_COUNT}\n`)
  }
  const directory = await openDirectory(folder)
  const { buckets } = await directory.timeline(ALL)
  const bytes = JSON.stringify(timelineJson(await directory.timeline(ALL))).length
  const all = await measure(() => directory.timeline(ALL))
  const album = await measure(() => directory.timeline(ALBUM))
  const bucket = await measure(() => readBuckets(directory, ALL, buckets))
  const page = await measure(() => readPages(directory))
  await directory.stop()
  const promised = (max: number): Pick<Measure, 'target'> => ({ target: atMost(max, `≤ ${max} ms`) })
  return [
    {
      name: 'time line of 100,000 photos: bytes before anything is scrolled',
      value: `${(bytes / 1e3).toFixed(1)} KB`,
      number: bytes,
      target: atMost(TIMELINE_BYTES_MAX, '≤ 60 KB'),
      note: `${buckets.length} buckets, not compressed; of one day there are ${MOST_ON_A_DAY}`
    },
    line('time line of all', all.cpuMs, {}, all.turnMs),
    line('time line of an album with all of them', album.cpuMs, {}, album.turnMs),
    line('a bucket, with its JSON', bucket.cpuMs / buckets.length, promised(BUCKET_MS_MAX), bucket.turnMs),
    line(`page of ${LIMIT} by date, with its JSON`, page.cpuMs / PAGES, promised(PAGE_MS_MAX), page.turnMs)
  ]
}

function line(name: string, cpuMs: number, target: Pick<Measure, 'target'>, turnMs: number): Measure {
  const isLong = turnMs > TURN_MS_MAX ? `, above ${TURN_MS_MAX}` : ''
  return {
    name,
    value: `${cpuMs.toFixed(1)} ms of CPU`,
    number: cpuMs,
    ...target,
    note: `longest turn ${turnMs.toFixed(1)} ms${isLong}; medians of ${ROUNDS} rounds`
  }
}

/** Half a month's photos are at most a thousand, so a round of all buckets has all photos. */
async function readBuckets(directory: Directory, filters: Filters, buckets: readonly Bucket[]): Promise<void> {
  for (const { key } of buckets) JSON.stringify(bucketJson(await directory.timelineBucket(filters, key), 'taken'))
}

const NO_ALBUMS = { titles: [], ids: [] }

/** Pages one after the other, since one alone is below what CPU time is counted in. */
async function readPages(directory: Directory): Promise<void> {
  for (let i = 0; i < PAGES; i++) await readPage(directory)
}

async function readPage(directory: Directory): Promise<void> {
  const page = await directory.query({ ...ALL, limit: LIMIT })
  JSON.stringify(
    pageJson({
      ...page,
      photos: page.records.map(record => ({ photo: viewPhoto(record), albums: NO_ALBUMS, owner: undefined, copies: 1 }))
    })
  )
}

async function measure(work: () => Promise<unknown>): Promise<{ cpuMs: number; turnMs: number }> {
  const cpuMs: number[] = []
  const turnsMs: number[] = []
  await work()
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    cpuMs.push((user + system) / 1_000)
    turnsMs.push(await longestTurnMs(work))
  }
  return { cpuMs: median(cpuMs), turnMs: median(turnsMs) }
}

async function makeRecords(folder: string): Promise<void> {
  const random = new SeededRandom(1)
  const directory = await openDirectory(folder)
  const writer = new PhotoWriter(1)
  let dayMs = FIRST_DAY_MS
  let left = MOST_ON_A_DAY
  for (let made = 0; made < PHOTO_COUNT; made += BATCH_RECORDS) {
    const records = Array.from({ length: BATCH_RECORDS }, (_, i) => {
      if (left === 0) {
        dayMs = FIRST_DAY_MS + random.below(DAYS) * DAY_MS
        left = 1 + random.below(120)
      }
      left--
      const takenAt = { ms: dayMs + 8 * 3_600_000 + random.below(12 * 3_600_000) }
      const name = `IMG_${made + i}.jpg`
      return writer.birth({ name, albums: ['all'], takenAt, width: 4_000, height: 3_000 })
    })
    await directory.merge(records.map(encodeRecord))
  }
  await directory.stop()
}
