import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { levelDatabase } from '../../src/directory/database.js'
import { Directory } from '../../src/directory/directory.js'
import type { DirectoryPage, DirectoryQuery } from '../../src/directory/query.js'
import { viewPhoto } from '../../src/domain/photo.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { pageJson } from '../../src/http/native/json-forms.js'
import { PhotoWriter } from '../unit/directory/photo-log.js'
import { longestTurnMs } from './loop-turns.js'
import { atMost, type Measure, median } from './report.js'

const PHOTO_COUNT = 1_000_000
const BATCH_RECORDS = 1_000
const LIMIT = 50
const PAGES = 10
const ROUNDS = 5
const WARM_UPS = 5
const PAGE_MS_MAX = 10
const TURN_MS_MAX = 20
const FIRST_DAY_MS = Date.UTC(2015, 0, 1)
const PHOTO_EVERY_MS = 5 * 60_000

type Filter = Pick<DirectoryQuery, 'terms' | 'words'>

/** What is asked for, and how many of the million photos have it. */
const LISTS: readonly { readonly name: string; readonly filter: Filter; readonly isPromised: boolean }[] = [
  { name: 'all photos', filter: { terms: [], words: [] }, isPromised: true },
  { name: 'tag=holiday, 300,000', filter: { terms: ['tag\0holiday'], words: [] }, isPromised: true },
  { name: 'q=img, a million', filter: { terms: [], words: ['img'] }, isPromised: true },
  { name: 'q=img jpg, a million', filter: { terms: [], words: ['img', 'jpg'] }, isPromised: true },
  { name: 'q=img&tag=sea, 10,000', filter: { terms: ['tag\0sea'], words: ['img'] }, isPromised: true },
  { name: 'q=img word777, 1,000', filter: { terms: [], words: ['img', 'word777'] }, isPromised: true },
  { name: 'q=word77, 11,000 of 11 words', filter: { terms: [], words: ['word77'] }, isPromised: true },
  { name: 'q=word7, 111,000 of 111 words', filter: { terms: [], words: ['word7'] }, isPromised: false },
  { name: 'q=2019, 105,000 of 365 words', filter: { terms: [], words: ['2019'] }, isPromised: false },
  { name: 'q=img 20, a million of 3,472 words', filter: { terms: [], words: ['img', '20'] }, isPromised: false },
  { name: 'tag=holiday&tag=work, none', filter: { terms: ['tag\0holiday', 'tag\0work'], words: [] }, isPromised: false }
]

/**
 * Lists over a million photos, in this process: one directory that is kept for the next run.
 *
 * @param cache - where it is kept
 */
export async function measureLists(cache: string): Promise<Measure[]> {
  const folder = join(cache, 'lists')
  const complete = join(cache, 'lists.complete')
  if (!existsSync(complete)) {
    rmSync(folder, { recursive: true, force: true })
    await makeRecords(folder)
    writeFileSync(complete, `${PHOTO_COUNT}\n`)
  }
  const directory = await openDirectory(folder)
  const measures: Measure[] = []
  for (const { name, filter, isPromised } of LISTS) {
    const pages = await measurePages(directory, filter)
    measures.push(
      {
        name: `page of ${LIMIT}: ${name}`,
        value: `${pages.cpuMs.toFixed(1)} ms of CPU`,
        number: pages.cpuMs,
        ...(isPromised && { target: atMost(PAGE_MS_MAX, `≤ ${PAGE_MS_MAX} ms`) }),
        note: `the first ${pages.count} in a row, with their JSON, median of ${ROUNDS} rounds; total ${pages.total}`
      },
      {
        name: `longest turn: ${name}`,
        value: `${pages.turnMs.toFixed(1)} ms`,
        number: pages.turnMs,
        target: atMost(TURN_MS_MAX, `≤ ${TURN_MS_MAX} ms`),
        note: `of the same pages, in the best of ${ROUNDS} rounds: what else runs on the machine only adds to it`
      }
    )
  }
  await directory.stop()
  return measures
}

interface PagesMeasured {
  /** A page. */
  readonly cpuMs: number
  readonly turnMs: number
  readonly count: number
  readonly total: string
}

async function measurePages(directory: Directory, filter: Filter): Promise<PagesMeasured> {
  let pages = await readPages(directory, filter)
  for (let i = 1; i < WARM_UPS; i++) await readPages(directory, filter)
  const cpuMs: number[] = []
  const turnsMs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    pages = await readPages(directory, filter)
    const { user, system } = process.cpuUsage(before)
    cpuMs.push((user + system) / 1_000 / pages.length)
    turnsMs.push(await longestTurnMs(() => readPages(directory, filter)))
  }
  const [first] = pages
  const total = `${first?.isTotalExact ? '' : 'at least '}${first?.total.toLocaleString('en')}`
  return { cpuMs: median(cpuMs), turnMs: Math.min(...turnsMs), count: pages.length, total }
}

const NO_ALBUMS = { titles: [], ids: [] }

async function readPages(directory: Directory, filter: Filter): Promise<DirectoryPage[]> {
  const pages: DirectoryPage[] = []
  let cursor: string | null = null
  do {
    const page: DirectoryPage = await directory.query({
      ...filter,
      limit: LIMIT,
      ...(cursor === null ? {} : { cursor })
    })
    const photos = page.records.map(record => ({
      photo: viewPhoto(record),
      albums: NO_ALBUMS,
      owner: undefined,
      copies: 1
    }))
    JSON.stringify(pageJson({ ...page, photos }))
    pages.push(page)
    cursor = page.nextCursor
  } while (cursor !== null && pages.length < PAGES)
  return pages
}

export async function openDirectory(folder: string): Promise<Directory> {
  const database = levelDatabase(folder, nodeFileSystem)
  const directory = new Directory({ database, log: silentLog, observe: () => {} })
  await directory.start()
  return directory
}

/** A photo every five minutes for nine years. */
async function makeRecords(folder: string): Promise<void> {
  const directory = await openDirectory(folder)
  for (let made = 0; made < PHOTO_COUNT; made += BATCH_RECORDS) {
    const writer = new PhotoWriter(made)
    const records = Array.from({ length: BATCH_RECORDS }, (_, i) => {
      const n = made + i
      const atMs = FIRST_DAY_MS + n * PHOTO_EVERY_MS
      writer.clock.setWall(atMs)
      const day = new Date(atMs).toISOString().slice(0, 10).replaceAll('-', '')
      const tags = [
        ...(n % 10 < 3 ? ['holiday'] : []),
        ...(n % 10 === 5 ? ['work'] : []),
        ...(n % 100 === 0 ? ['sea'] : [])
      ]
      return writer.birth({ name: `IMG_${day}.jpg`, caption: `word${n % 1_000}`, tags, width: 4_000, height: 3_000 })
    })
    await directory.merge(records.map(encodeRecord))
    if ((made + BATCH_RECORDS) % 100_000 === 0) process.stderr.write(`  ${made + BATCH_RECORDS} records made\n`)
  }
  await directory.stop()
}
