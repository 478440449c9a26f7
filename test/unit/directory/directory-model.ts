import type { Database } from '../../../src/directory/database.js'
import { type DayCount, dayCountFrom, EMPTY_DAY, rowDigest } from '../../../src/directory/days.js'
import { dayOfKey, indexTables, msOfPosition, type Order, termKey } from '../../../src/directory/index-keys.js'
import {
  openSealed,
  recordKeyFrom,
  recordRange,
  TABLE_BUCKET,
  TABLE_LEAF,
  tableRange
} from '../../../src/directory/keys.js'
import { leafFrom } from '../../../src/directory/leaf-rows.js'
import { recordStateOf } from '../../../src/directory/stored-record.js'
import { indexEntries, postingValue } from '../../../src/directory/term-index.js'
import { audienceDigest, audienceText, photoAudience } from '../../../src/domain/audience.js'
import { dayOf } from '../../../src/domain/day.js'
import { bucketOf, leafDigest, MerkleTree } from '../../../src/domain/merkle.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import { type DirectoryRecord, isGrave, mergeRecords } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { TIMELINE } from '../../../src/domain/terms.js'

/** The expected contents of a directory, in a form that is readable in a failed comparison. */
export interface DirectoryContents {
  /** kind id → hex of the merged record's canonical bytes */
  readonly records: Record<string, string>
  /** kind id → hex of the leaf; or, of a record of which only the grave is left, `grave` and its generation */
  readonly leaves: Record<string, string>
  /** bucket → hex, zero ones left out */
  readonly buckets: Record<string, string>
  readonly root: string
  /** order, term, position and value of every index row, sorted */
  readonly index: readonly string[]
  /** term → photos; `of`, digest of an audience, and term → those of the audience; `used`, owner and what → how much */
  readonly counters: Record<string, number>
  /** order, day and, if any, digest of an audience → photos of the time line, and the digest of their rows */
  readonly days: Record<string, string>
}

const COUNTED =
  /^(all$|entry$|timeline$|trash$|trash-owner\0|emptied$|emptied-owner\0|tag\0|album\0|spelled\0|type\0|kind\0|rating\0|owner\0|audience\0)/
const COUNTED_FOR_EACH = /^(all$|entry$|tag\0|album\0|spelled\0|type\0|kind\0|rating\0|state\0)/
const TABLES = indexTables(0)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** @returns the contents derived from the records alone, without rows, batches or differences */
export function modelOf(written: Iterable<DirectoryRecord>): DirectoryContents {
  const merged = new Map<string, DirectoryRecord>()
  for (const record of written) {
    const name = `${record.kind} ${record.id}`
    const known = merged.get(name)
    merged.set(name, known === undefined ? record : mergeRecords(known, record))
  }
  const tree = new MerkleTree()
  const contents = {
    records: {},
    leaves: {},
    buckets: {},
    root: '',
    index: [] as string[],
    counters: {},
    days: {}
  } as {
    -readonly [K in keyof DirectoryContents]: DirectoryContents[K] extends Record<string, infer V>
      ? Record<string, V>
      : DirectoryContents[K]
  } & { index: string[] }
  const days = new Map<string, DayCount>()
  for (const [name, record] of merged) {
    const bytes = encodeRecord(record)
    const leaf = leafDigest(record, bytes)
    tree.toggle(bucketOf(record), leaf)
    if (isGrave(record)) {
      contents.leaves[name] = `grave ${(record.buried ?? 0) - 1}`
      continue
    }
    contents.records[name] = hex(bytes)
    contents.leaves[name] = hex(leaf)
    const { added, taken } = indexEntries(record)
    const isLive = added.terms.includes('all')
    const audience = isLive ? hex(audienceDigest(audienceText(photoAudience(viewPhoto(record))))) : undefined
    for (const [order, postings] of Object.entries({ added, taken })) {
      for (const term of postings.terms) {
        const position = postings.position ?? new Uint8Array()
        const value = postingValue(term, postings)
        contents.index.push(`${order} ${term} @${hex(position)} ${hex(value)}`)
        if (term !== TIMELINE) continue
        const key = termKey(TABLES.order[order as Order], term, position)
        const day = `${order} ${dayOf(msOfPosition(position, order as Order))}`
        for (const name of isLive ? [day, `${day} ${audience}`] : [day]) {
          const { count, digest } = days.get(name) ?? EMPTY_DAY
          days.set(name, { count: count + 1, digest: (digest ^ rowDigest(key, value)) >>> 0 })
        }
      }
    }
    const counters = added.terms.flatMap(term => [
      ...(COUNTED.test(term) ? [term] : []),
      ...(isLive && COUNTED_FOR_EACH.test(term) ? [`of\0${audience}\0${term}`] : [])
    ])
    for (const name of counters) contents.counters[name] = (contents.counters[name] ?? 0) + 1
    if (!isLive && !added.terms.includes('trash')) continue
    const { owner, size } = viewPhoto(record)
    for (const [what, amount] of Object.entries({ photos: 1, bytes: size }))
      if (owner !== undefined) {
        const name = `used\0${owner}\0${what}`
        contents.counters[name] = (contents.counters[name] ?? 0) + amount
      }
  }
  for (const record of merged.values()) contents.buckets[bucketOf(record)] = hex(tree.bucket(bucketOf(record)))
  for (const [name, { count, digest }] of days) contents.days[name] = `${count} ${digest}`
  contents.root = tree.rootHex()
  contents.index.sort()
  return contents
}

/** @returns the contents of the rows; the caller adds `root` from memory */
export async function rowsOf(database: Database): Promise<Omit<DirectoryContents, 'root'>> {
  const records: Record<string, string> = {}
  const leaves: Record<string, string> = {}
  const buckets: Record<string, string> = {}
  const counters: Record<string, number> = {}
  const index: string[] = []
  const rows = (table: number): Promise<[Uint8Array, Uint8Array][]> => database.iterator(tableRange(table)).all()
  for (const [key, value] of await database.iterator(recordRange()).all()) {
    const { record, bytes } = recordStateOf(key, value)
    records[`${record.kind} ${record.id}`] = hex(bytes)
  }
  for (const [key, value] of await rows(TABLE_LEAF)) {
    const { kind, id } = recordKeyFrom(key)
    const { digest, grave } = leafFrom(key, value)
    leaves[`${kind} ${id}`] = grave === undefined ? hex(digest) : `grave ${grave.generation}`
  }
  for (const [key, value] of await rows(TABLE_BUCKET)) {
    buckets[Buffer.from(key).readUInt16BE(1)] = hex(openSealed(key, value))
  }
  for (const [key, value] of await rows(TABLES.counter)) {
    counters[Buffer.from(key.subarray(1)).toString()] = Number(openSealed(key, value).readBigUInt64BE(0))
  }
  for (const [order, table] of Object.entries(TABLES.order)) {
    for (const [key, value] of await rows(table)) {
      const bytes = Buffer.from(key)
      const end = bytes.length - (order === 'taken' ? 32 : 24)
      const term = bytes.toString('utf8', 1, end - 2).replaceAll('\0\x01', '\0')
      index.push(`${order} ${term} @${hex(bytes.subarray(end))} ${hex(value)}`)
    }
  }
  const days: Record<string, string> = {}
  for (const [key, value] of await rows(TABLES.day)) {
    const { count, digest } = dayCountFrom(key, value)
    const order = (key[1] ?? 0) % 2 === 0 ? 'added' : 'taken'
    const audience = hex(key.subarray(2, -'yyyy-mm-dd'.length))
    days[[order, dayOfKey(key), audience].join(' ').trim()] = `${count} ${digest}`
  }
  return { records, leaves, buckets, index: index.sort(), counters, days }
}
